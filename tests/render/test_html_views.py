"""The timeline, its lines, times, colours and paper of the report in a real Chromium."""

import re
from pathlib import Path

import pytest
from browser import Opener, Shown
from playwright.sync_api import expect
from reports import realistic_report

from evtxhunt.model import Report
from evtxhunt.render.html import render_html
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
