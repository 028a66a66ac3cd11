"""The timeline, its lines, sessions, the graph, notes and colours of the report in a real Chromium."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Opener, Shown
from playwright.sync_api import expect
from reports import realistic_report

from evtxhunt.model import Report
from evtxhunt.notes import read_notes
from evtxhunt.render.html import render_html
from evtxhunt.report_model import ReportNote
from evtxhunt.resources import shipped_folder

pytestmark = pytest.mark.browser


def lines_shown(shown: Shown) -> str:
    return shown.page.locator("#rows-status").inner_text()


def window(shown: Shown) -> tuple[int, int]:
    """The part of the time in the picture, from the address."""
    shown.page.wait_for_timeout(250)
    found = re.search(r"from=(\d+)&to=(\d+)", shown.page.url)
    assert found is not None, shown.page.url
    return int(found[1]), int(found[2])


# The picture


def test_buttons_and_keys_zoom_and_pan_and_the_address_keeps_it(open_report: Opener) -> None:
    shown = open_report(realistic_report(), place="timeline")
    stage = shown.page.locator("#timeline-stage")
    shown.page.get_by_role("button", name="Zoom in").click()
    start, end = window(shown)
    stage.focus()
    shown.page.keyboard.press("+")
    closer = window(shown)
    assert closer[1] - closer[0] == pytest.approx((end - start) / 2, abs=2)
    shown.page.keyboard.press("ArrowRight")
    later = window(shown)
    assert later[0] > closer[0] and later[1] - later[0] == pytest.approx(closer[1] - closer[0], abs=2)
    shown.page.keyboard.press("ArrowLeft")
    assert window(shown)[0] == pytest.approx(closer[0], abs=2)
    shown.page.keyboard.press("-")
    assert window(shown) == (pytest.approx(start, abs=2), pytest.approx(end, abs=2))
    again = open_report(realistic_report(), place=shown.page.url.split("#")[1])
    assert window(again) == window(shown)
    shown.page.keyboard.press("0")
    shown.page.wait_for_timeout(250)
    assert shown.page.url.endswith("#timeline")
    shown.check()
    again.check()


def test_wheel_drag_and_brush_choose_the_time(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    picture = shown.page.locator("#timeline-picture")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 20
    before = shown.page.evaluate("scrollY")
    shown.page.mouse.move(x, y)
    shown.page.mouse.wheel(0, -100)
    shown.page.wait_for_timeout(300)
    assert "from=" not in shown.page.url  # without focus or Ctrl it scrolls the page
    shown.page.evaluate(f"scrollTo(0, {before})")
    shown.page.keyboard.down("Control")
    shown.page.mouse.wheel(0, -100)
    shown.page.keyboard.up("Control")
    zoomed = window(shown)
    shown.page.mouse.down()
    shown.page.mouse.move(x - 200, y, steps=4)
    shown.page.mouse.up()
    dragged = window(shown)
    assert dragged[0] > zoomed[0] and dragged[1] - dragged[0] == pytest.approx(zoomed[1] - zoomed[0], abs=2)
    strip = shown.page.locator("#density").bounding_box()
    assert strip is not None
    shown.page.get_by_role("button", name="All of the time").click()
    brushed = window(shown)
    middle = strip["y"] + 20
    shown.page.mouse.move(strip["x"] + strip["width"] * 0.25, middle)
    shown.page.mouse.down()
    shown.page.mouse.move(strip["x"] + strip["width"] * 0.5, middle, steps=5)
    shown.page.mouse.up()
    start, end = window(shown)
    whole_start, whole_end = brushed
    assert (start - whole_start) / (whole_end - whole_start) == pytest.approx(0.25, abs=0.01)
    assert (end - whole_start) / (whole_end - whole_start) == pytest.approx(0.5, abs=0.01)
    shown.check()


def test_zoom_draws_marks_apart_that_shared_one(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    mark = shown.page.locator("a.mark", has_text="2 findings: Service that runs a shell")
    expect(mark).to_have_count(1)
    time = 1_773_450_000_123_456 + 44 * 60_000_000  # 02:44:00
    shown.page.goto(f"{shown.url}#timeline?from={time - 60_000_000}&to={time + 120_000_000}")
    expect(mark).to_have_count(0)
    expect(shown.page.locator("a.mark", has_text="Service that runs a shell")).to_have_count(2)
    shown.check()


def test_bars_and_arrows_lead_to_their_sessions(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    expect(shown.page.locator("a.bar")).to_have_count(2)
    expect(shown.page.locator("a.hop-arrow")).to_have_count(2)
    expect(shown.page.locator(".cleared title").first).to_contain_text("Security cleared, 2026-03-14 01:52:54")
    assert shown.page.locator(".hatch title", has_text="the log was cleared").count() == 1
    shown.page.locator("a.bar").last.click()
    expect(shown.page.locator("#session-page h2")).to_contain_text("Session 2")
    shown.page.go_back()
    shown.page.locator("a.hop-arrow.hop-failed").dispatch_event("click")
    expect(shown.page.locator("#session-page h2")).to_contain_text("Session 1")
    shown.check()


# The lines


def test_lines_are_filtered_by_each_field_and_the_address_keeps_the_filters(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    form = shown.page.locator("#rows-filters")
    expect(shown.page.locator("#rows-status")).to_have_text("238 lines.")
    form.locator("[name=q]").fill("user03 kerberos")
    expect(shown.page.locator("#rows-status")).to_have_text("1 of 238 lines.")
    form.locator("[name=q]").fill("")
    form.locator("[name=kind]").select_option(label="finding")
    expect(shown.page.locator("#rows-status")).to_have_text("38 of 238 lines.")
    form.locator("[name=tactic]").select_option(label="Lateral Movement")
    expect(shown.page.locator("#rows-status")).to_contain_text(re.compile(r"^(?!38 )\d+ of 238"))
    form.locator("[name=tactic]").select_option(label="all")
    form.locator("[name=host]").select_option(label="WS07")
    for level in ("high", "medium", "low", "informational", "none"):
        form.locator(f"[name=level][value={level}]").uncheck()
    expect(shown.page.locator("#rows-status")).to_have_text("1 of 238 lines.")
    expect(shown.page.locator("#rows-space .line")).to_contain_text("Logon with other network credentials")
    shown.page.wait_for_timeout(300)
    again = open_report(realistic_report(), place=shown.page.url.split("#")[1])
    expect(again.page.locator("#rows-status")).to_have_text("1 of 238 lines.")
    assert again.page.locator("#rows-filters [name=host]").input_value() == "WS07"
    form.locator("#rows-reset").click()
    expect(shown.page.locator("#rows-status")).to_have_text("238 lines.")
    form.locator("[name=user]").select_option(label="CORP\\user07")
    expect(shown.page.locator("#rows-status")).to_have_text("1 of 238 lines.")
    form.locator("[name=user]").select_option(label="all")
    form.locator("[name=channel]").select_option(label="System")
    expect(shown.page.locator("#rows-status")).to_have_text("2 of 238 lines.")
    shown.check()


def test_lines_follow_the_picture_unless_told_otherwise(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    shown.page.get_by_role("button", name="Zoom in").click()
    expect(shown.page.locator("#rows-status")).to_contain_text("of 238 lines.")
    shown.page.get_by_label("only the time in the picture").uncheck()
    expect(shown.page.locator("#rows-status")).to_have_text("238 lines.")
    shown.check()


def test_only_lines_in_sight_are_in_the_page_and_scrolling_brings_the_rest(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    view = shown.page.locator("#rows-view")
    lines = shown.page.locator("#rows-space .line")
    assert 10 < lines.count() < 40
    assert shown.page.locator("#rows-grid").get_attribute("aria-rowcount") == "239"
    assert shown.page.locator("#rows-grid [role=columnheader]").all_inner_texts()[:3] == ["Time", "Host", "Kind"]
    view.evaluate("node => { node.scrollTop = node.scrollHeight; }")
    expect(lines.last).to_have_attribute("aria-rowindex", "239")
    assert lines.count() < 40
    shown.check()


def test_a_line_opens_by_click_and_by_keys_to_its_records(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    details = shown.page.locator("#row-details")
    shown.page.locator("#rows-space .line").nth(2).click()
    expect(details).to_be_visible()
    expect(details).to_contain_text("Records behind this line (")
    details.get_by_role("button", name="Raw").first.click()
    expect(details.locator(".raw")).to_contain_text("SHA-256 of the log")
    expect(shown.page.locator("#timeline-picture .cursor")).to_have_count(1)
    shown.page.locator("#rows-grid").focus()
    shown.page.keyboard.press("End")
    last = shown.page.locator('#rows-space .line[aria-selected="true"]')
    expect(last).to_have_attribute("aria-rowindex", "239")
    assert shown.page.locator("#rows-grid").get_attribute("aria-activedescendant") == last.get_attribute("id")
    shown.page.keyboard.press("ArrowUp")
    expect(last).to_have_attribute("aria-rowindex", "238")
    shown.page.keyboard.press("Enter")
    expect(details).to_be_focused()
    shown.page.wait_for_timeout(300)
    again = open_report(realistic_report(), place=shown.page.url.split("#")[1])
    expect(again.page.locator("#row-details")).to_be_visible()
    shown.page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    shown.check()
    again.check()


# Times


def test_zone_and_corrected_clocks_change_every_time(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    began = shown.page.locator("#sessions time").first
    expect(began).to_have_text("2026-03-14 01:33:00.123456Z")
    shown.page.locator("#zone").select_option("Asia/Kolkata")
    expect(began).to_have_text("2026-03-14 07:03:00.123456+05:30")
    expect(shown.page.locator(".zone-name").first).to_have_text("Asia/Kolkata")
    shown.page.locator("#zone").select_option("America/New_York")
    expect(began).to_have_text("2026-03-13 21:33:00.123456-04:00")
    shown.page.locator("#zone").select_option("UTC")
    found = shown.page.locator("#finding-list time", has_text="2026-03-14 01:23:30.123456Z")
    expect(found).to_have_count(1)
    shown.page.locator("#corrected").check()
    corrected = shown.page.locator("#finding-list time", has_text="2026-03-14 01:22:00.123456Z")
    expect(corrected).to_have_count(1)
    expect(corrected).to_have_class(re.compile("is-corrected"))
    assert "this clock is 90 s ahead" in (corrected.get_attribute("title") or "")
    shown.page.wait_for_timeout(300)
    assert "clocks=corrected" in shown.page.url
    again = open_report(realistic_report(), place=shown.page.url.split("#")[1])
    expect(again.page.locator("#corrected")).to_be_checked()
    shown.check()


def test_the_script_shows_times_as_the_program_does(open_report: Opener) -> None:
    report = realistic_report(time_zone="Europe/Vienna")
    places = "header time, #overview time, #sessions time"
    plain = open_report(report, has_script=False).page.locator(places).all_inner_texts()
    shown = open_report(report)
    assert len(plain) > 15
    assert shown.page.locator(places).all_inner_texts() == plain
    shown.check()


# Sessions


def test_session_page_tells_the_attack_in_order(open_report: Opener) -> None:
    shown = open_report(realistic_report(), place="session-1")
    page = shown.page.locator("#session-page")
    expect(page.locator(".step > h3")).to_have_text(
        ["1 Authentication", "2 Shell", "3 What ran", "4 Second hop", "5 End"]
    )
    ran = page.locator(".ran").first
    expect(ran).to_contain_text("only 2 of 3 parts are there; flagged by Windows itself")
    expect(ran.locator(".layer")).to_have_count(2)
    expect(ran.locator(".layer pre").last).to_have_text("whoami")
    expect(page.locator(".tree > li > ul > li")).to_contain_text("whoami.exe /all")
    expect(page.locator(".hop-list li")).to_have_count(2)
    expect(page.locator(".unseen")).to_have_count(1)
    expect(page.locator(".gap-table")).to_contain_text("the log was cleared")
    expect(page).to_contain_text("1 command left out of this report. All of them: evtxhunt timeline --session 1")
    expect(page).to_contain_text("3 witness records left out")
    expect(page).to_contain_text("0x3e7a1")
    expect(shown.page.locator("main")).to_be_hidden()
    page.get_by_role("link", name="Next").click()
    expect(page.locator("h2")).to_contain_text("Session 2")
    expect(page).to_contain_text("None logged. That is no proof that none ran")
    page.get_by_role("link", name="← All sessions").click()
    expect(page).to_be_hidden()
    expect(shown.page.locator("#sessions")).to_be_in_viewport()
    shown.check()


def test_a_cited_record_opens_in_front_and_is_copied(open_report: Opener) -> None:
    report = realistic_report()
    shown = open_report(report)
    shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.page.locator("#story a.record-link").first.click()
    dialog = shown.page.locator("#record-dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("EventRecordID")
    dialog.get_by_role("button", name="Copy this record").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    copied = shown.page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"SHA-256: [0-9a-f]{64}", copied) and "EventRecordID: 70" in copied and "Offset: " in copied
    shown.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    shown.page.goto(f"{shown.url}#record-3")
    expect(dialog).to_contain_text(str(report.records[3].event_key))
    shown.check()


# The graph


def test_graph_lights_up_chains_by_button_focus_and_click(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    graph = shown.page.locator("#graph")
    expect(graph.locator(".node")).to_have_count(4)
    expect(graph.locator(".node-uncollected")).to_have_text(re.compile("backup9"))
    button = shown.page.get_by_role("button", name="WS07 → SRV-FILE → DC1")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(graph.locator(".edge.is-lit")).to_have_count(2)
    expect(graph.locator(".node.is-lit")).to_have_count(3)
    button.click()
    shown.page.mouse.move(0, 0)
    shown.page.locator("body").evaluate("() => document.activeElement.blur()")
    expect(graph.locator(".edge.is-lit")).to_have_count(0)
    node = graph.locator(".node", has_text="backup9")
    node.focus()
    expect(graph.locator(".edge.is-lit")).to_have_count(1)
    shown.page.keyboard.press("Enter")
    expect(node).to_have_attribute("aria-pressed", "true")
    edge = graph.locator(".edge").first
    edge.focus()
    expect(edge).to_have_class(re.compile("is-lit"))
    shown.page.keyboard.press("Enter")
    expect(shown.page.locator("#session-page")).to_be_visible()
    shown.check()


# Notes


def test_notes_are_kept_exported_imported_and_put_into_a_new_report(open_report: Opener, tmp_path: Path) -> None:
    shown = open_report(realistic_report())
    page = shown.page
    findings = page.locator("details.finding")
    findings.nth(0).locator("summary").first.click()
    controls = findings.nth(0).locator(".mark-controls")
    controls.get_by_role("button", name="Star this finding").click()
    controls.get_by_label("Note on this finding").fill("<img src=x onerror=alert(1)> \u202e mine")
    controls.get_by_label("Note on this finding").blur()
    expect(findings.nth(0).locator(".star")).to_have_text("★ ")
    findings.nth(1).locator("summary").first.click()
    findings.nth(1).get_by_role("button", name="Hide this finding").click()
    expect(page.locator("#finding-status")).to_contain_text("37 of 38 findings.")
    expect(page.locator("#rows-status")).to_contain_text("237 of 238 lines.")
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("#finding-status")).to_contain_text("37 of 38 findings.")
    page.locator("#notes-button").click()
    expect(page.locator("#notes-list li")).to_have_count(3)  # one came with the report
    expect(page.locator("#notes-list .note-text").last).to_contain_text("\\u202e mine")
    expect(page.locator("#notes-status")).to_contain_text("1 of 3 notes fit nothing in this report")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export JSON").click()
    path = tmp_path / "notes.json"
    download.value.save_as(path)
    page.get_by_label("Show what is hidden").check()
    page.get_by_role("button", name="Close").first.click()
    expect(page.locator("#finding-status")).to_contain_text("38 findings.")
    shown.check()

    notes = read_notes([path])
    assert {(note.is_starred, note.is_hidden) for note in notes} == {(True, False), (False, True)}
    fresh = open_report(replace(realistic_report(), notes=notes))
    fresh.page.evaluate("localStorage.clear()")
    fresh.page.reload()
    fresh.page.wait_for_selector("html[data-ready]", state="attached")
    expect(fresh.page.locator("#finding-status")).to_contain_text("37 of 38 findings.")
    fresh.check()

    other = open_report(replace(realistic_report(), notes=()))
    other.page.evaluate("localStorage.clear()")
    other.page.reload()
    other.page.wait_for_selector("html[data-ready]", state="attached")
    other.page.locator("#notes-button").click()
    other.page.locator("#notes-import").set_input_files(path)
    expect(other.page.locator("#notes-status")).to_contain_text("fit nothing")
    assert other.page.locator("#notes-list li").count() == 3
    (tmp_path / "bad.json").write_text('{"format": "other"}')
    other.page.locator("#notes-import").set_input_files(tmp_path / "bad.json")
    expect(other.page.locator("#notes-status")).to_have_text("That file holds no evtxhunt notes; nothing was changed.")
    other.check()


def test_hostile_notes_do_nothing(open_report: Opener) -> None:
    notes = tuple(
        ReportNote(text, True, False, text)
        for text in ("__proto__", "constructor", "</script><script>x", "\u202e" * 400)
    )
    shown = open_report(replace(realistic_report(), notes=notes))
    shown.page.locator("#notes-button").click()
    expect(shown.page.locator("#notes-list li")).to_have_count(4)
    hostile = {
        "format": "evtxhunt-notes",
        "notes": [{"key": "__proto__", "star": 1, "note": 5}, None, 3, {"key": "x" * 600}],
    }
    shown.page.locator("#notes-import").set_input_files(
        {"name": "n.json", "mimeType": "application/json", "buffer": json.dumps(hostile).encode()}
    )
    expect(shown.page.locator("#notes-list li")).to_have_count(3)
    shown.check()


# Colours, paper, no script


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_switch(open_report: Opener, scheme: str) -> None:
    shown = open_report(realistic_report(), scheme="dark" if scheme == "dark" else "light")
    grounds = {"light": "rgb(246, 246, 244)", "dark": "rgb(20, 23, 26)"}

    def ground() -> str:
        return str(shown.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert ground() == grounds[scheme]
    for chosen in ("dark", "light"):
        shown.page.locator("#theme").select_option(chosen)
        assert ground() == grounds[chosen]
    shown.page.locator("#theme").select_option("")
    assert ground() == grounds[scheme]
    shown.check()


def test_print_has_sessions_and_no_controls(open_report: Opener) -> None:
    shown = open_report(realistic_report())
    shown.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    shown.page.emulate_media(media="print")
    expect(shown.page.locator("#printed-sessions .steps")).to_have_count(2)
    expect(shown.page.locator("#printed-lines tbody tr")).to_have_count(238)
    expect(shown.page.locator("#rows-view")).to_be_hidden()
    shown.page.set_viewport_size({"width": 794, "height": 1123})  # A4 at 96 dots an inch
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 794
    expect(shown.page.locator(".page-nav")).to_be_hidden()
    expect(shown.page.locator("#zoom-tools")).to_be_hidden()
    assert shown.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    shown.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(shown.page.locator("#printed-sessions .steps")).to_have_count(0)
    expect(shown.page.locator("#printed-lines")).to_be_hidden()
    shown.check()


def test_without_script_picture_lines_sessions_and_story_are_there(open_report: Opener) -> None:
    page = open_report(realistic_report(), has_script=False).page
    expect(page.locator("#story li")).to_have_count(6)
    expect(page.locator(".static-lines tbody tr")).to_have_count(100)
    expect(page.locator("#rows-static")).to_contain_text("These are the first 100 of 238 lines")
    expect(page.locator("a.bar")).to_have_count(2)
    expect(page.locator("#timeline-picture .hop-arrow")).to_have_count(2)
    expect(page.locator("#graph .node")).to_have_count(4)
    expect(page.locator("#sessions tbody tr[id]")).to_have_count(2)
    expect(page.locator("#toolbar")).to_be_hidden()
    expect(page.locator("#zoom-tools")).to_be_hidden()


@pytest.mark.parametrize("place", ["session-1", "timeline?row=5", "hops", "manifest", "sources"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_view_fits_the_screen(open_report: Opener, place: str, width: int) -> None:
    shown = open_report(realistic_report(), width=width, place=place)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    shown.check()


def test_nonsense_in_the_address_does_nothing(open_report: Opener) -> None:
    report: Report = realistic_report()
    for place in (
        "timeline?row=99999&from=x&to=-1&tz=Mars/X&level=%3Cscript%3E&tactic=__proto__",
        "session-99",
        "record-999",
        "record-0?row=-1",
        "__proto__",
        "timeline?from=1&to=9007199254740991000",
        "%E0%A4%A",
    ):
        shown = open_report(report, place=place)
        expect(shown.page.locator("#rows-status")).to_contain_text("238 lines.")
        shown.check()


def test_a_hidden_session_leaves_table_and_picture_until_it_is_shown_again(open_report: Opener) -> None:
    shown = open_report(realistic_report(), place="session-2")
    shown.page.get_by_role("button", name="Hide this session").click()
    shown.page.get_by_role("link", name="← All sessions").click()
    expect(shown.page.locator("#session-2")).to_be_hidden()
    expect(shown.page.locator("#session-1")).to_be_visible()
    expect(shown.page.locator("a.bar")).to_have_count(1)
    shown.page.locator("#notes-button").click()
    shown.page.get_by_label("Show what is hidden").check()
    expect(shown.page.locator("a.bar")).to_have_count(2)
    shown.check()


def test_notes_that_came_with_the_report_are_on_its_page_and_name_what_they_are_on(open_report: Opener) -> None:
    report = realistic_report()
    finding = report.findings[0]
    record = report.records[finding.records[0]]
    key = f"finding/{finding.detection_id}/{report.sources[record.source].sha256[:16]}:{record.record_offset}"
    notes = (ReportNote(key, True, False, "ours"), ReportNote("line/x/y", False, False, "<b>elsewhere</b>"))
    shown = open_report(replace(report, notes=notes))
    given = shown.page.locator("#given-notes li")
    expect(given.first.get_by_role("link")).to_have_attribute("href", f"#finding-{finding.finding_id}")
    expect(given.last).to_contain_text("line/x/y: <b>elsewhere</b>")
    plain = open_report(replace(report, notes=notes), has_script=False)
    expect(plain.page.locator("#given-notes li").first).to_contain_text("ours")
    shown.check()


def test_a_damaged_file_says_so_and_shows_what_needs_no_script(open_report: Opener, tmp_path: Path) -> None:
    shown = open_report(realistic_report())
    html = shown.page.content()
    damaged = re.sub(r'(id="report-data">)[^<]{400}', r"\g<1>" + "A" * 400, html.replace(' data-ready="yes"', ""))
    path = tmp_path / "damaged.html"
    path.write_text("<!DOCTYPE html>" + damaged, encoding="utf-8")
    shown.page.goto(path.as_uri())
    expect(shown.page.locator("#script-trouble")).to_contain_text("could not be unpacked")
    expect(shown.page.locator("#story li").first).to_be_visible()


def test_a_style_of_one_s_own_leaves_the_page_working(open_report: Opener, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "style.css").write_text("body { color: #123456 }", encoding="utf-8")
    path = tmp_path / "own.html"
    path.write_text(render_html(realistic_report(), [own, shipped_folder("templates")]), encoding="utf-8")
    shown = open_report(realistic_report())
    shown.page.goto(path.as_uri())
    shown.page.wait_for_selector("html[data-ready]", state="attached")
    expect(shown.page.locator("#theme")).to_be_disabled()
    expect(shown.page.locator("#rows-status")).to_have_text("238 lines.")
