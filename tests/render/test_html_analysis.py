"""Sessions, records, the graph of hops and the analyst's notes of the report in a real Chromium."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Opener
from playwright.sync_api import expect
from reports import realistic_report

from evtxhunt.notes import read_notes
from evtxhunt.report_model import ReportNote

pytestmark = pytest.mark.browser


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
    number, record = next((number, record) for number, record in enumerate(report.records) if record.copies)
    shown.page.goto(f"{shown.url}#record-{number}")
    ((source, header_number),) = record.copies
    expect(dialog).to_contain_text(f"{report.sources[source].path} (header #{header_number})")
    expect(dialog).to_contain_text("11 more places: table event_copy")
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
