"""A redacted report is a report like any other: nothing of its names is left, and hostile text still does nothing."""

from typing import Any

import pytest
from browser import INVENTORY, OPEN_ALL, OPEN_RAW, Opener
from hostile import PAYLOADS, hostile_report
from playwright.sync_api import expect
from reports import realistic_report
from test_html import page_data, render, visible_text

from evtxhunt.model import Report
from evtxhunt.pseudonyms import Pseudonyms
from evtxhunt.redact import What, redact_report
from evtxhunt.render.markdown import render_markdown

_NAMES: tuple[tuple[Any, str], ...] = (
    ("user", "j.wrig"),
    ("user", "a.kent"),
    ("user", "svc-backup"),
    ("user", "da-smith"),
    ("host", "DC1"),
    ("host", "WS07"),
    ("host", "SRV-FILE"),
    ("domain", "corp.example"),
    ("domain", "CORP"),
)
_BOTH: frozenset[What] = frozenset({"users", "hosts"})


def redacted(report: Report) -> Report:
    return redact_report(report, _BOTH, Pseudonyms(_NAMES))


def test_page_and_embedded_data_are_without_names() -> None:
    html = render(redacted(realistic_report())).lower()
    assert [name for _, name in _NAMES if len(name) > 4 and name.lower() in html] == []
    assert "10.1.2.77" not in html and "dc1" not in visible_text(html)
    assert "users and hosts are replaced by pseudonyms" in visible_text(html)
    # What refers to what is as before, and so is the evidence.
    report = redacted(realistic_report())
    assert [finding.records for finding in report.findings] == [item.records for item in realistic_report().findings]
    assert [source.sha256 for source in report.sources] == [item.sha256 for item in realistic_report().sources]
    assert report.detections == realistic_report().detections


def test_only_texts_change() -> None:
    """Counts, times, levels and ids of a redacted report are those of the report."""
    before, after = page_data(render(realistic_report())), page_data(render(redacted(realistic_report())))
    for name in ("finding_id", "detection_id", "level", "attack", "event_time", "records", "record_count"):
        place = before["finding_fields"].index(name)
        assert [row[place] for row in before["findings"]] == [row[place] for row in after["findings"]]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_can_be_redacted(payload: str) -> None:
    report = redact_report(
        hostile_report((payload,)), _BOTH, Pseudonyms([*_NAMES, ("user", payload), ("host", payload)])
    )
    render(report).encode("utf-8")
    render_markdown(report).encode("utf-8")


@pytest.mark.browser
def test_redacted_hostile_report_does_nothing_in_the_browser(open_report: Opener) -> None:
    shown = open_report(redacted(hostile_report()), width=390)
    shown.page.evaluate(OPEN_ALL)
    shown.page.wait_for_timeout(200)
    shown.page.evaluate(OPEN_RAW)
    expect(shown.page.locator(".redaction")).to_contain_text("Redaction cannot see names")
    assert shown.page.evaluate(INVENTORY)["width"][0] <= 390
    shown.check()
