"""The report as text: what it says, what it leaves out, and that nothing in it can act."""

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hostile import hostile_report
from payloads import PAYLOADS
from reports import burst_report, empty_report, realistic_report

from evtxhunt.errors import EvtxhuntError
from evtxhunt.model import Report
from evtxhunt.render.html import render_html
from evtxhunt.render.markup import show_text
from evtxhunt.render.packed import compress
from evtxhunt.resources import shipped_folder

_TEMPLATES = shipped_folder("templates")


def render(report: Report) -> str:
    return render_html(report, _TEMPLATES)


def visible_text(html: str) -> str:
    """The text of a page outside of style and script, with runs of blanks as one."""
    without = re.sub(r"<(style|script)[^>]*>.*?</\1>", "", html, flags=re.DOTALL)
    parser = _Text()
    parser.feed(without)
    return " ".join("".join(parser.pieces).split())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


def unpack(html: str, name: str) -> Any:
    match = re.search(f'<script type="text/plain" id="{name}">([A-Za-z0-9+/=]*)</script>', html)
    assert match is not None
    return json.loads(zlib.decompress(base64.b64decode(match[1])))


def page_data(html: str) -> dict[str, Any]:
    data: dict[str, Any] = unpack(html, "report-data")
    return data


def row(table: dict[str, Any], number: int) -> dict[str, Any]:
    """A row of a packed table as the page's script reads it."""
    values = {}
    for field, column in table["c"].items():
        if "t" in column:
            values[field] = sum(step for step in column["t"][: number + 1] if isinstance(step, int))
        else:
            value = column["v"][number]
            values[field] = value if "d" not in column else None if value < 0 else column["d"][value]
    return values


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render(realistic_report()).encode() == render(realistic_report()).encode()


def test_header_names_scope_and_time_zone() -> None:
    text = visible_text(render(realistic_report()))
    assert "ACME 2026-03: intrusion at the Graz site" in text
    assert "Hosts DC1, SRV-FILE, WS07" in text
    assert "2026-03-13 13:00:00.123456Z to 2026-03-14 03:00:00.123456Z" in text
    assert "148,202 events in 4 channels, 7 log files" in text
    assert "Limited to nothing; this is the whole case" in text


def test_times_are_shown_in_the_zone_that_was_asked_for() -> None:
    text = visible_text(render(realistic_report(time_zone="Europe/Vienna")))
    assert "Times shown in Europe/Vienna" in text
    assert "2026-03-13 14:00:00.123456+01:00" in text
    assert "2026-03-13 13:00:00.123456Z" not in text


def test_limits_in_force_are_named() -> None:
    report = realistic_report(only_host="DC1", window=(datetime(2026, 3, 14), datetime(2026, 3, 15)))
    text = visible_text(render(report))
    assert "Limited to host DC1 from 2026-03-14 00:00:00.000000Z before 2026-03-15 00:00:00.000000Z" in text
    assert "Only part of the case is shown" in text


def test_what_could_not_be_seen_is_stated() -> None:
    text = visible_text(render(realistic_report()))
    assert "1 log could not be read completely. 3 records that should be there could not be read; 3 failures" in text
    assert "System.evtx: 3 of 12,261 records" in text
    assert "1 detection did not run, so what it looks for is unknown: A rule of our own own_rule" in text
    assert "2 files skipped: 1 empty, 1 not an event log" in text
    assert "1 detection ran and found nothing." in text
    assert "Binder Error: column targt_user_name does not exist" in text


def test_a_case_read_completely_says_so() -> None:
    report = realistic_report()
    complete = replace(
        report,
        sources=tuple(replace(source, status="complete", failed=0) for source in report.sources),
        failures=(),
        failure_count=0,
        detections=tuple(detection for detection in report.detections if detection.error is None),
    )
    assert "All records of all 7 logs were read and every detection ran." in visible_text(render(complete))
    assert "All records of all" not in visible_text(render(report))


def test_an_empty_case_is_not_called_complete() -> None:
    text = visible_text(render(empty_report()))
    assert "The case has no logs," in text
    assert "No detection ran," in text
    assert "All records of all" not in text


def test_what_is_left_out_is_counted_with_the_way_to_it() -> None:
    report = realistic_report()
    text = visible_text(render(replace(report, finding_count=1_038, failure_count=503)))
    assert '1,000 findings left out of 1,038, the least severe ones. All of them: evtxhunt sql "SELECT * FROM' in text
    assert '500 failures of 503 left out. All of them: evtxhunt sql "SELECT * FROM parse_failure"' in text


def test_findings_are_embedded_worst_first_with_their_records() -> None:
    html = render(realistic_report())
    data = page_data(html)
    findings = data["findings"]
    levels = [row(findings, number)["level"] for number in range(findings["n"])]
    assert levels == sorted(levels, key=data["levels"].index)
    assert len(levels) == 38
    first = row(findings, 0)
    place = first["records"][0]
    record = row(data["records"], place)
    assert first["detection_id"] == "pass_the_hash_source"
    assert first["event_time"] == record["event_time"] == 1_773_451_410_123_456  # 2026-03-14 01:23:30.123456Z
    assert json.loads(unpack(html, "event-data-0")[place])["TargetOutboundUserName"] == "da-smith"
    assert data["sources"][record["source"]][1].endswith("/WS07/C/Windows/System32/winevt/Logs/Security.evtx")


def test_event_data_is_embedded_once_and_unchanged() -> None:
    report = realistic_report()
    twice = '{"Data":"a","Data":"b","n":18446744073709551615}'
    html = render(replace(report, records=(replace(report.records[0], event_data=twice), *report.records[1:])))
    assert [text for text in unpack(html, "event-data-0") if text == twice] == [twice]
    assert twice not in json.dumps(page_data(html))


def test_numbers_and_times_that_javascript_would_change_are_embedded_as_text() -> None:
    report = realistic_report()
    far = replace(
        report.records[0], event_record_id=18_446_744_073_709_551_615, event_time=datetime(9999, 1, 1, 0, 0, 0, 1)
    )
    records = page_data(render(replace(report, records=(far, *report.records[1:]))))["records"]["c"]
    assert records["event_record_id"]["v"][0] == "18446744073709551615"
    assert records["event_time"]["t"][0] == "9999-01-01 00:00:00.000001Z"
    assert isinstance(records["event_time"]["t"][1], int)


def test_first_findings_are_there_without_script() -> None:
    text = visible_text(render(burst_report(500)))
    assert "These are the first 100 of 500 findings." in text
    assert "failed logon number 99" in text
    assert "failed logon number 100" not in text


def test_policy_allows_our_style_and_script_and_nothing_else() -> None:
    html = render(hostile_report())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    allowed = dict(part.split(" ", 1) for part in policy[1].replace("&#39;", "'").split("; "))
    assert allowed["default-src"] == "'none'"
    for name, directive in (("style", "style-src"), ("script", "script-src")):
        elements = re.findall(f"<{name}>(.*?)</{name}>", html, flags=re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in elements]
        assert allowed[directive] == f"'sha256-{hashes[0]}'"
        assert len(hashes) == 1


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names[tag] = self.names.get(tag, 0) + 1
        self.attributes.update(name for name, _ in attrs)
        self.links.update(value or "" for name, value in attrs if name in ("href", "src", "action"))


def elements(html: str) -> _Elements:
    parser = _Elements()
    parser.feed(html)
    return parser


def test_hostile_text_adds_no_element_attribute_or_link() -> None:
    plain, hostile = elements(render(realistic_report())), elements(render(hostile_report()))
    assert hostile.names["script"] == plain.names["script"] == 3  # data, event data, our own
    assert set(hostile.names) <= set(plain.names) | {"details", "option"}
    assert hostile.attributes <= plain.attributes | {"disabled"}
    assert {link for link in hostile.links if not re.fullmatch(r"#[\w-]+", link)} == set()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payload_is_embedded_exactly_and_page_is_utf_8(payload: str) -> None:
    html = render(hostile_report((payload,)))
    html.encode("utf-8")
    data = page_data(html)
    # Two surrogates side by side are one character in JSON; nothing else may change.
    expected = payload.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert row(data["findings"], 0)["summary"] == expected
    assert row(data["lines"], 0)["text"] == data["sessions"][0]["detail"]["commands"][0]["text"] == expected
    assert not re.search("[\0\x1b\x9b\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff]", html)


def test_embedded_data_has_no_character_that_html_knows() -> None:
    text = str(compress(["</script>", "<!--", "&amp;", "\u2028\u2029", "\ud800"]))
    assert re.fullmatch("[A-Za-z0-9+/=]+", text)
    assert json.loads(zlib.decompress(base64.b64decode(text)))[4] == "\ud800"


def test_only_plain_http_references_are_links() -> None:
    report = realistic_report()
    references = (
        "https://example.org/a?b=c&d",
        "javascript:alert(1)",
        "https://example.org/\u202ea",
        "http://x y",
        "https://example.org@evil.example/",
        " https://example.org",
        "ftp://example.org",
    )
    html = render(replace(report, detections=(replace(report.detections[0], references=references),)))
    assert re.findall(r'<a href="(?!#)([^"]*)"([^>]*)>', html) == [
        ("https://example.org/a?b=c&amp;d", ' rel="noopener noreferrer"')
    ]


def test_long_text_is_folded_and_hidden_characters_are_marked() -> None:
    assert str(show_text("a\u202eb<")) == (
        '<span class="value">a<span class="hidden-character">\\u202e</span>b&lt;</span>'
    )
    folded = str(show_text("x" * 1_000_000))
    assert "show all (1,000,000 characters, the first 20,000 here)" in folded
    assert len(folded) < 21_000
    assert "not known" in str(show_text(None))


def test_unknown_time_zone_is_an_error_of_ours() -> None:
    with pytest.raises(EvtxhuntError, match="Mars/Olympus: no such time zone"):
        render(realistic_report(time_zone="Mars/Olympus"))


def test_missing_and_broken_templates_are_errors_of_ours(tmp_path: Path) -> None:
    with pytest.raises(EvtxhuntError, match=r"style\.css.* cannot be read"):
        render_html(empty_report(), tmp_path)
    for path in _TEMPLATES.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(EvtxhuntError, match="give a folder with all of the report's templates"):
        render_html(empty_report(), tmp_path)
    (tmp_path / "report.html.j2").write_text("{% if %}", encoding="utf-8")
    with pytest.raises(EvtxhuntError, match=r"report\.html\.j2:1: "):
        render_html(empty_report(), tmp_path)


def test_style_that_would_end_its_element_is_refused(tmp_path: Path) -> None:
    for path in _TEMPLATES.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "style.css").write_text("/* </style> */", encoding="utf-8")
    with pytest.raises(EvtxhuntError, match="must have no </"):
        render_html(empty_report(), tmp_path)


# Contrast of the colours: WCAG AA wants 4.5:1 for text and 3:1 for shapes.


def colour_schemes() -> list[dict[str, str]]:
    style = "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "print.css"))
    return [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", style, re.S)
    ]


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", colour_schemes(), ids=["light", "dark", "print"])
def test_colours_hold_their_contrast(scheme: dict[str, str]) -> None:
    grounds = ("ground", "card", "sunken")
    low = [
        (text, ground, round(contrast(scheme[text], scheme[ground]), 2))
        for text in ("ink", "muted", "accent", "bad", "low", "medium", "informational")  # the last three on confidence
        for ground in grounds
        if contrast(scheme[text], scheme[ground]) < 4.5
    ]
    low += [
        (shape, ground, round(contrast(scheme[shape], scheme[ground]), 2))
        for shape in ("critical", "high", "medium", "low", "informational", "session", "hop", "hatch", "focus")
        if shape in scheme
        for ground in (*grounds, "extent")
        if contrast(scheme[shape], scheme[ground]) < 3
    ]
    assert low == []
    assert contrast(scheme["card"], scheme["session"]) >= 4.5  # the number on a bar
    assert contrast(scheme["card"], scheme["accent"]) >= 4.5  # the number of a step
    assert contrast(scheme["hidden-character"], scheme["hidden-ground"]) >= 4.5
