"""A redacted report is a report like any other: nothing of its names is left, and hostile text still does nothing."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import OPEN_ALL, OPEN_RAW, Opener
from hostile import PAYLOADS, hostile_report
from playwright.sync_api import expect
from reports import realistic_report
from test_html import render, visible_text

from evtxhunt.model import Report
from evtxhunt.pseudonyms import Pseudonyms
from evtxhunt.redact import What, redact_report
from evtxhunt.render.markdown import render_markdown
from tests.leaks import left_over

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
    html = render(redacted(realistic_report()))
    names = [name for _, name in _NAMES if len(name) > 4] + ["10.1.2.77"]
    assert set(left_over(names, render(realistic_report()).encode())) == set(names)
    assert left_over(names, html.encode()) == []
    assert "DC1" not in visible_text(html)
    assert "Users and hosts are replaced by pseudonyms" in visible_text(html)


def test_only_texts_change() -> None:
    """Counts, times, levels, hashes, rules and what refers to what are those of the report."""
    before, after = realistic_report(), redacted(realistic_report())
    assert shape(after) == shape(before)
    assert [source.sha256 for source in after.sources] == [source.sha256 for source in before.sources]
    assert [finding.level for finding in after.findings] == [finding.level for finding in before.findings]
    assert after.detections == before.detections


def shape(value: Any) -> Any:
    """The report with every text as the same text."""
    if isinstance(value, (str, Path)):
        return type(value)("x")
    if isinstance(value, (tuple, list)):
        return [shape(item) for item in value]
    if is_dataclass(value):
        return {field.name: shape(getattr(value, field.name)) for field in fields(value) if field.name != "redaction"}
    return value


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
    assert shown.page.locator(".redaction").evaluate("node => node.getBoundingClientRect().right") <= 390
    shown.check()
