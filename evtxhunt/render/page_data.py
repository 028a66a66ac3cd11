"""What the page's script works on: numbers and texts that it shows as text, never as markup."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime

from evtxhunt.attack import attack
from evtxhunt.model import Report, ReportFinding
from evtxhunt.render.axis import Axis, choose_axis
from evtxhunt.render.graph import Graph
from evtxhunt.render.matrix import tactics_of
from evtxhunt.render.overview import WORST_FIRST
from evtxhunt.render.packed import exact, microseconds, pack_table
from evtxhunt.render.spans import BlindSpan
from evtxhunt.render.svg import Timeline
from evtxhunt.render.text import hidden_pattern

_FINDING_FIELDS = (
    "finding_id",
    "detection_id",
    "title",
    "level",
    "attack",
    "event_time",
    "host",
    "computer",
    "user_name",
    "summary",
    "details",
    "records",
    "record_count",
)
_RECORD_FIELDS = (
    "event_key",
    "event_time",
    "host",
    "computer",
    "channel",
    "provider",
    "event_id",
    "event_record_id",
    "user_sid",
    "source",
    "record_offset",
    "is_data_left_out",
    "copies",
    "copy_count",
    "origin",
)
_LINE_FIELDS = (
    "event_time",
    "computer",
    "host",
    "channel",
    "kind",
    "user_name",
    "text",
    "session_id",
    "finding_id",
    "records",
    "record_count",
)
# Beside UTC and the report's own: where responders and their clients sit.
_ZONES = (
    "America/Los_Angeles",
    "America/Chicago",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Helsinki",
    "Africa/Johannesburg",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
)


def time_zones(own: str) -> tuple[str, ...]:
    """The zones that a reader can choose: the report's own first, UTC, and a fixed list."""
    return tuple(dict.fromkeys((own, "UTC", *_ZONES)))


def page_data(
    report: Report,
    findings: Sequence[ReportFinding],
    hosts: Sequence[str | None],
    timeline: Timeline,
    spans: Sequence[BlindSpan],
    graph: Graph,
    block_starts: Sequence[int],
    offsets: Mapping[str, float],
) -> Mapping[str, object]:
    """All but the event data. Times are microseconds since 1970, UTC."""
    host_of = dict(report.places)
    techniques = sorted({name for finding in findings for name in finding.attack})
    known = attack()
    times = [line.event_time for line in report.lines if line.event_time is not None]
    whole = choose_axis(times) or timeline.axis
    return {
        "hidden_pattern": hidden_pattern(ecmascript=True, keep_lines=True),
        "levels": WORST_FIRST,
        "zone": report.time_zone,
        "case": case_key(report),
        "clock_offsets": list(offsets.items()),
        "places": host_of,
        "hosts": hosts,
        "findings": pack_table(findings, _FINDING_FIELDS),
        "records": pack_table(report.records, _RECORD_FIELDS),
        "block_starts": block_starts,
        "lines": pack_table(report.lines, _LINE_FIELDS),
        "sources": [[source.source_file_id, source.path, source.sha256] for source in report.sources],
        "sessions": _plain(report.sessions),
        "hops": _plain(report.hops),
        "tactics": [[tactic.key, tactic.name] for tactic in known.tactics],
        "techniques": {
            name: [known.techniques[name].full_name if name in known.techniques else None, tactics_of((name,))]
            for name in techniques
        },
        "axis": _span(timeline.axis),
        "whole": _span(whole),
        "lanes": [
            {
                "label": lane.label,
                "hosts": lane.hosts,
                "y": lane.y,
                "height": lane.height,
                "levels": dict(lane.levels),
                "tracks": {bar.session_id: bar.y for bar in lane.bars},
            }
            for lane in timeline.lanes
        ],
        "spans": _plain(spans),
        "cleared": [
            [row.host or row.computer, microseconds(row.cleared_time), row.channel]
            for row in report.coverage
            if row.cleared_time is not None
        ],
        "graph": {"edges": [[edge.source, edge.target] for edge in graph.edges], "paths": graph.paths},
        "notes": _plain(report.notes),
    }


def case_key(report: Report) -> str:
    """SHA-256 over the sorted hashes of all logs, one a line: the same for the same evidence. Marks are kept by it."""
    hashes = sorted({source.sha256 for source in report.sources})
    return hashlib.sha256("\n".join(hashes).encode("utf-8", "replace")).hexdigest()


def _span(axis: Axis | None) -> list[object] | None:
    return None if axis is None else [microseconds(axis.start), microseconds(axis.end)]


def _plain(value: object) -> object:
    """Dataclasses as objects of their fields, times as microseconds, down to the last one."""
    if isinstance(value, datetime):
        return microseconds(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return exact(value)
