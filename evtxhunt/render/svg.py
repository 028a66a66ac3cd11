"""Geometry of the timeline: a lane a host, a row a level, a mark for findings that would lie on one another.

Positions along the time are percent of the width, so that the picture fits any screen without script; heights are
pixels. The template draws what is computed here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from evtxhunt.model import ChannelCount, Level, ReportFinding
from evtxhunt.render.axis import Axis, Tick, choose_axis, make_ticks
from evtxhunt.render.clock import Clock
from evtxhunt.render.markup import label_text
from evtxhunt.render.overview import WORST_FIRST

_AXIS_HEIGHT = 40
_LABEL_HEIGHT = 26
_ROW_HEIGHT = 20
_LANE_PADDING = 8
_MARK_WIDTH = 1.3  # percent: closer findings of one lane and level share a mark
_COUNT_WIDTH = 3.6  # percent: free space that the number beside a mark needs
_MOST_LANES = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """Findings drawn as one; `positions` are places in the ordered findings, the first one is where a click leads."""

    x: float
    y: int
    level: Level
    scale: float
    count_text: str
    title: str
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """A host; `extent` is start and width of the time from its first to its last event, as far as the axis shows it."""

    label: str
    findings: int
    y: int
    height: int
    extent: tuple[float, float] | None
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All lanes below one axis, which is None if no finding has a usable time; `outside` are findings off it."""

    axis: Axis | None
    ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...]
    height: int
    outside: tuple[int, ...]


def make_timeline(findings: Sequence[ReportFinding], channels: Iterable[ChannelCount], clock: Clock) -> Timeline:
    """The timeline of findings in the order of `order_findings`."""
    axis = choose_axis([finding.event_time for finding in findings if finding.event_time is not None])
    if axis is None:
        return Timeline(None, (), (), 0, tuple(range(len(findings))))
    by_host: dict[str | None, list[int]] = {}
    outside = []
    for position, finding in enumerate(findings):
        if axis.has(finding.event_time):
            by_host.setdefault(finding.host, []).append(position)
        else:
            outside.append(position)
    extents = _extents(channels, axis)
    # Findings are ordered by level, so the first one tells a host's worst.
    order = sorted(
        by_host,
        key=lambda host: (
            WORST_FIRST.index(findings[by_host[host][0]].level),
            -len(by_host[host]),
            host is None,
            host or "",
        ),
    )
    lanes: list[Lane] = []
    y = _AXIS_HEIGHT
    for host in order[:_MOST_LANES]:
        label = "host unknown" if host is None else label_text(host, 60)
        lanes.append(_make_lane(label, by_host[host], findings, axis, clock, y, extents.get(host)))
        y += lanes[-1].height
    rest = sorted(position for host in order[_MOST_LANES:] for position in by_host[host])
    if rest:
        label = f"{len(order) - _MOST_LANES:,} more hosts"
        lanes.append(_make_lane(label, rest, findings, axis, clock, y, None))
        y += lanes[-1].height
    return Timeline(axis, make_ticks(axis, clock), tuple(lanes), y, tuple(outside))


def _extents(channels: Iterable[ChannelCount], axis: Axis) -> dict[str | None, tuple[float, float]]:
    spans: dict[str | None, tuple[datetime, datetime]] = {}
    for channel in channels:
        if channel.first_time is None or channel.last_time is None:
            continue
        first, last = spans.get(channel.host, (channel.first_time, channel.last_time))
        spans[channel.host] = (min(first, channel.first_time), max(last, channel.last_time))
    extents = {}
    for host, (first, last) in spans.items():
        start, end = max(0.0, axis.position(first)), min(100.0, axis.position(last))
        if start <= end:
            extents[host] = (start, end - start)
    return extents


def _make_lane(
    label: str,
    positions: Sequence[int],
    findings: Sequence[ReportFinding],
    axis: Axis,
    clock: Clock,
    y: int,
    extent: tuple[float, float] | None,
) -> Lane:
    marks: list[Mark] = []
    row_y = y + _LABEL_HEIGHT + _ROW_HEIGHT // 2
    for level in WORST_FIRST:
        own = [position for position in positions if findings[position].level == level]
        if own:
            marks.extend(_make_marks(own, findings, axis, clock, row_y, label))
            row_y += _ROW_HEIGHT
    height = row_y - _ROW_HEIGHT // 2 + _LANE_PADDING - y
    return Lane(label, len(positions), y, height, extent, tuple(marks))


def _make_marks(
    positions: Sequence[int], findings: Sequence[ReportFinding], axis: Axis, clock: Clock, y: int, lane_label: str
) -> list[Mark]:
    def place(position: int) -> float:
        time = findings[position].event_time
        assert time is not None  # only findings on the axis come here
        return axis.position(time)

    groups: list[tuple[float, list[int]]] = []
    for position in positions:  # in time order, within one level
        x = place(position)
        if groups and x - groups[-1][0] < _MARK_WIDTH:
            groups[-1][1].append(position)
        else:
            groups.append((x, [position]))
    marks = []
    for number, (x, own) in enumerate(groups):
        free = (groups[number + 1][0] if number + 1 < len(groups) else 100.0) - x
        level = findings[own[0]].level
        marks.append(
            Mark(
                x=x,
                y=y,
                level=level,
                scale=_scale(len(own)),
                count_text=f"{len(own):,}" if len(own) > 1 and free >= _COUNT_WIDTH else "",
                title=_mark_title(own, findings, clock, lane_label),
                positions=tuple(own),
            )
        )
    return marks


def _scale(count: int) -> float:
    """Larger for more findings, in steps that the eye can tell apart."""
    return 1.0 if count == 1 else 1.2 if count < 10 else 1.4 if count < 100 else 1.6


def _mark_title(positions: Sequence[int], findings: Sequence[ReportFinding], clock: Clock, lane_label: str) -> str:
    first, last = findings[positions[0]], findings[positions[-1]]
    assert first.event_time is not None and last.event_time is not None
    begin, end = clock.text(first.event_time), clock.text(last.event_time)
    titles = {findings[position].title for position in positions}
    what = label_text(first.title, 100) if len(titles) == 1 else f"{len(titles):,} different detections"
    if len(positions) > 1:
        what = f"{len(positions):,} findings: {what}"
    return f"{first.level}: {what}; {lane_label}; {begin if begin == end else f'{begin} to {end}'}"
