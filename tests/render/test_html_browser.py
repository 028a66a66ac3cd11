"""The report in a real Chromium: it works, it stays inside its file, and hostile logs do nothing."""

from dataclasses import replace

import pytest
from browser import INVENTORY, OPEN_ALL, OPEN_RAW, Opener
from hostile import hostile_report
from payloads import MEGABYTES, PAYLOADS
from playwright.sync_api import expect
from reports import burst_report, empty_report, realistic_report

from evtxhunt.model import Report

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("report", [realistic_report(), empty_report()], ids=["realistic", "empty"])
@pytest.mark.parametrize("width", [1440, 390])
def test_report_opens_quietly_and_fits_the_screen(open_report: Opener, report: Report, width: int) -> None:
    shown = open_report(report, width=width)
    shown.page.evaluate(OPEN_ALL)
    shown.page.wait_for_timeout(100)
    shown.page.evaluate(OPEN_RAW)
    scroll_width, inner_width = shown.page.evaluate(INVENTORY)["width"]
    assert scroll_width <= inner_width == width
    shown.check()


def test_click_on_a_mark_opens_its_finding(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    shown.page.locator("a.mark", has_text="Encoded or hidden command line").first.click()
    finding = shown.page.locator("details.finding[open]")
    expect(finding).to_have_count(1)
    expect(finding).to_contain_text("encoded_command_line")
    expect(finding).to_be_in_viewport()
    expect(finding.locator("summary.finding-head")).to_be_focused()
    assert shown.page.url == f"{shown.url}#{finding.get_attribute('id')}"
    shown.check()


def test_a_mark_of_many_findings_limits_the_list_to_them(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    shown.page.locator("a.mark", has_text="2 findings: Service that runs a shell").click()
    expect(shown.page.locator("#finding-status")).to_contain_text("2 of 38 findings. Limited to one mark")
    shown.page.wait_for_timeout(300)  # no redraw of the filters may undo it
    expect(shown.page.locator("details.finding")).to_have_count(2)
    shown.page.get_by_role("button", name="Show all findings").click()
    expect(shown.page.locator("details.finding")).to_have_count(38)
    shown.check()


def test_marks_are_reached_and_opened_by_keys(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    marks = shown.page.locator("#timeline-picture :is(.mark, .bar, .hop-arrow)")
    assert marks.evaluate_all("nodes => nodes.filter((node) => node.tabIndex === 0).length") == 1
    marks.first.focus()
    shown.page.keyboard.press("ArrowRight")
    expect(marks.nth(1)).to_be_focused()
    shown.page.keyboard.press("End")
    expect(marks.last).to_be_focused()
    shown.page.keyboard.press("Home")
    shown.page.keyboard.press("Enter")
    expect(shown.page.locator("#session-page h2")).to_contain_text("Session 1")
    shown.page.go_back()
    mark = shown.page.locator("a.mark").first
    mark.focus()
    shown.page.keyboard.press("Enter")
    opened = shown.page.locator("details.finding[open]")
    expect(opened).to_have_attribute("id", mark.get_attribute("href").removeprefix("#"))
    shown.check()


def test_skip_link_and_address_lead_to_findings(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    shown.page.keyboard.press("Tab")
    expect(shown.page.locator(".skip-link")).to_be_focused()
    shown.page.keyboard.press("Enter")
    expect(shown.page.locator("#findings")).to_be_in_viewport()
    shown.page.goto(f"{shown.url}#finding-5")
    expect(shown.page.locator("details#finding-5[open]")).to_be_in_viewport()
    shown.check()


def test_filters_narrow_the_list_and_dim_the_timeline(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    page, status, findings = shown.page, shown.page.locator("#finding-status"), shown.page.locator("details.finding")
    for level in ("informational", "low", "medium"):
        page.locator(f"#filters input[value={level}]").uncheck()
    expect(status).to_contain_text("11 of 38 findings")
    expect(findings).to_have_count(11)
    page.locator("#filters select[name=host]").select_option(label="WS07")
    expect(findings).to_have_count(2)
    page.locator("input[name=text]").fill("SECLOGO j.wrig")
    expect(findings).to_have_count(1)
    expect(page.locator("a.mark:not(.is-dim)")).to_have_count(1)
    page.locator("input[name=text]").fill("no such text")
    expect(status).to_contain_text("0 of 38 findings")
    page.locator("#filter-reset").click()
    expect(findings).to_have_count(38)
    expect(page.locator("a.mark.is-dim")).to_have_count(0)
    shown.check()


def test_a_mark_shows_its_finding_though_a_filter_hides_it(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    shown.page.locator("input[name=text]").fill("no such text")
    expect(shown.page.locator("details.finding")).to_have_count(0)
    shown.page.locator("a.mark.level-critical").first.click()
    expect(shown.page.locator("details.finding[open]")).to_be_in_viewport()
    shown.check()


def test_finding_opens_to_its_records_and_their_raw_data(open_report: Opener) -> None:
    report = realistic_report()
    twice = '{"Data":"first","Data":"second","n":18446744073709551615,"deep":{"list":[1,{"x":null}],"none":{}},"e":""}'
    finding = replace(report.findings[0], record_count=3_500, details='{"window_seconds":300}')
    record = replace(report.records[0], event_data=twice)
    report = replace(report, findings=(finding,), finding_count=1, records=(record, *report.records[1:]))
    shown = open_report(report)
    shown.page.locator("details.finding summary").first.click()
    body = shown.page.locator(".finding-body")
    expect(body.locator(".fields").first).to_contain_text("window_seconds300")
    expect(body.locator("table.records > tbody > tr")).to_have_count(3)
    expect(body).to_contain_text(
        '3,497 records left out of this report. All of them: evtxhunt sql "SELECT event.* FROM finding_evidence'
        ' JOIN event USING (event_key) WHERE finding_id = 1"'
    )
    body.get_by_role("button", name="Raw").first.click()
    raw = body.locator(".raw")
    fields = raw.locator("table.fields tr")
    expect(fields).to_have_count(7)
    texts = [tuple(row.locator("th, td").all_inner_texts()) for row in fields.all()]
    assert texts == [
        ("Data", "first"),
        ("Data", "second"),
        ("n", "18446744073709551615"),
        ("deep.list[0]", "1"),
        ("deep.list[1].x", "—"),
        ("deep.none", "{}"),
        ("e", "“”"),
    ]
    for text in (report.sources[0].sha256, "8,704 bytes (0x2200)", "DC1.corp.example", "4000", "S-1-5-18"):
        expect(raw).to_contain_text(text)
    raw.locator("summary", has_text="as JSON").click()
    expect(raw.locator("pre")).to_have_text(twice)
    body.get_by_role("button", name="Raw").first.click()
    expect(raw).to_be_hidden()
    shown.check()


def test_records_from_slack_carved_and_rescued_ones_are_shown_as_what_they_are(open_report: Opener) -> None:
    report = realistic_report()
    cited = report.findings[0].records
    origins = dict(zip(cited, ("slack", "carved", "rescued"), strict=True))
    records = tuple(replace(record, origin=origins.get(index, "live")) for index, record in enumerate(report.records))
    finding = replace(report.findings[0], record_count=3)
    shown = open_report(replace(report, findings=(finding,), finding_count=1, records=records))
    shown.page.locator("details.finding summary").first.click()
    body = shown.page.locator(".finding-body")
    rows = body.locator("table.records > tbody > tr").all()
    assert [row.locator("td").nth(4).inner_text() for row in rows] == ["70000 (slack)", "70001 (carved)", "70002"]
    said = (
        "slack: left in the free space of a chunk",
        "carved: from a chunk found in a blob",
        "rescued: a live record",
    )
    for button in body.get_by_role("button", name="Raw").all():
        button.click()
    for raw, text in zip(body.locator(".raw").all(), said, strict=True):
        expect(raw.locator(".facts")).to_contain_text(text)
    shown.check()


def test_thousands_of_findings_come_in_steps(open_report: Opener) -> None:
    shown = open_report(burst_report(3_500))
    findings = shown.page.locator("details.finding")
    expect(findings).to_have_count(50)
    shown.page.get_by_role("button", name="Show 200 more of 3,450").click()
    expect(findings).to_have_count(250)
    shown.page.goto(f"{shown.url}#finding-1200")
    expect(shown.page.locator("details#finding-1200[open]")).to_be_in_viewport()
    shown.page.goto(f"{shown.url}#finding-3400")
    expect(shown.page.locator("details#finding-3400[open]")).to_be_in_viewport()
    expect(shown.page.locator("#finding-status")).to_contain_text("1 of 3,500 findings. Limited")
    shown.check()


def test_printing_opens_findings_and_restores_them(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    assert len(shown.page.pdf(format="A4")) > 20_000
    shown.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    expect(shown.page.locator("details.finding[open] table.records")).to_have_count(38)
    shown.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(shown.page.locator("details.finding[open]")).to_have_count(0)
    shown.check()


def test_without_script_the_findings_and_sources_are_there(open_report: Opener) -> None:
    page = open_report(realistic_report(), has_script=False).page
    expect(page.locator(".finding")).to_have_count(38)
    expect(page.locator("#filters")).to_be_hidden()
    expect(page.locator("#sources")).to_contain_text("Microsoft-Windows-Sysmon/Operational")
    page.locator("a.mark").first.click()
    assert "#finding-" in page.url


@pytest.mark.parametrize("width", [1440, 390])
def test_hostile_logs_do_nothing_and_fit_the_screen(open_report: Opener, width: int) -> None:
    assert len(PAYLOADS) >= 200
    plain = open_report(realistic_report(), width=width)
    hostile = open_report(hostile_report(), width=width)
    inventories = []
    for shown in (plain, hostile):
        more = shown.page.locator("#finding-list > .group > .more-button:visible")
        while more.count():
            more.first.click()
        for _ in range(2):  # what opens holds more that opens
            shown.page.evaluate(OPEN_ALL)
            shown.page.wait_for_timeout(300)
            shown.page.evaluate(OPEN_RAW)
        inventories.append(shown.page.evaluate(INVENTORY))
        shown.check()
    expect(hostile.page.locator("details.finding[open]")).to_have_count(len(PAYLOADS))
    expect(hostile.page.locator(".raw")).to_have_count(len(PAYLOADS))
    ours, theirs = inventories
    assert theirs["scripts"] == ours["scripts"] == 1
    assert set(theirs["names"]) <= {*ours["names"], "pre"}
    assert set(theirs["attributes"]) <= {*ours["attributes"], "disabled"}
    assert theirs["links"] == []
    assert theirs["width"][0] <= width
    assert hostile.page.title().endswith("· evtxhunt report")


def test_hidden_characters_are_shown_as_such(open_report: Opener) -> None:
    shown = open_report(hostile_report(("invoice\u202egpj.exe\u200b\0\ud800",)))
    shown.page.evaluate(OPEN_ALL)
    for place in (
        "h1",
        ".finding-head .finding-summary",
        ".finding-host",
        "#sources .path",
        "#failures td",
        ".lane-name",
    ):
        expect(shown.page.locator(place).first).to_contain_text("invoice\\u202egpj.exe\\u200b\\x00\\ud800")
    expect(shown.page.locator(".finding-head .hidden-character").first).to_have_text("\\u202e")
    shown.check()


@pytest.mark.slow
@pytest.mark.parametrize("payload", MEGABYTES, ids=["markup", "letters", "escapes"])
def test_megabytes_in_every_field_stay_usable(open_report: Opener, payload: str) -> None:
    shown = open_report(hostile_report((payload,)), width=390)
    shown.page.evaluate(OPEN_ALL)
    shown.page.wait_for_timeout(300)
    shown.page.evaluate(OPEN_RAW)
    assert shown.page.evaluate(INVENTORY)["width"][0] <= 390
    expect(shown.page.locator(".finding .raw")).to_have_count(1)
    shown.check()
