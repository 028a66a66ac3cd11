"""Geometry of the timeline: a lane a host, bars for its sessions, a row a level, a mark for findings that overlap.

Positions along the time are percent of the width, so that the picture fits any screen without script; heights are
pixels. The template draws what is computed here, and the script draws the same lanes for any part of the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evtxhunt.model import ChannelCount, Level, ReportFinding, ReportHop, ReportSession
from evtxhunt.render.axis import Axis, Tick, choose_axis, make_ticks
from evtxhunt.render.clock import Clock
from evtxhunt.render.markup import label_text
from evtxhunt.render.overview import WORST_FIRST
from evtxhunt.render.spans import BlindSpan

_AXIS_HEIGHT = 40
_LABEL_HEIGHT = 26
_ROW_HEIGHT = 20
_TRACK_HEIGHT = 14
_MOST_TRACKS = 6
_LANE_PADDING = 8
_MARK_WIDTH = 1.3  # percent: closer findings of one lane and level share a mark
_COUNT_WIDTH = 3.6  # percent: free space that the number beside a mark needs
_MOST_LANES = 60
_SHORTEST_BAR = 0.35  # percent
_UNKNOWN_END = timedelta(minutes=1)  # how long a session without an end is drawn


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
class Bar:
    """A remoting session on its target."""

    session_id: int
    x: float
    width: float
    y: int
    track: int
    confidence: str
    title: str


@dataclass(frozen=True, slots=True)
class Hatch:
    """A time of which the host's logs, or one of them, tell nothing."""

    x: float
    width: float
    is_whole: bool  # nothing of the host at all
    title: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """A second hop from lane to lane."""

    hop_id: int
    from_session_id: int
    x: float
    y1: int
    y2: int
    is_failed: bool
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A host, or all that have no lane of their own; `levels` gives the height of each level's row."""

    label: str
    hosts: tuple[str | None, ...]
    findings: int
    sessions: int
    y: int
    height: int
    extent: tuple[float, float] | None  # start and width of its first to last event, as far as the axis shows it
    levels: tuple[tuple[Level, int], ...]
    bars: tuple[Bar, ...]
    hatches: tuple[Hatch, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All lanes below one axis, which is None if nothing has a usable time; `outside` are findings off it."""

    axis: Axis | None
    ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...]
    arrows: tuple[Arrow, ...]
    height: int
    outside: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """What a timeline shows besides findings; `host_of` names the host of a computer in lower case."""

    sessions: Sequence[ReportSession] = ()
    hops: Sequence[ReportHop] = ()
    spans: Sequence[BlindSpan] = ()
    host_of: Mapping[str, str] | None = None

    def host(self, computer: str | None) -> str | None:
        """The host of a computer; its own name where the case has no log of it."""
        return None if computer is None else (self.host_of or {}).get(computer.lower(), computer)


def make_timeline(
    findings: Sequence[ReportFinding], channels: Iterable[ChannelCount], clock: Clock, picture: Picture | None = None
) -> Timeline:
    """The timeline of findings in the order of `order_findings`, with sessions, hops and blind spans."""
    picture = picture or Picture()
    times = [finding.event_time for finding in findings if finding.event_time is not None]
    times += [session.start_time for session in picture.sessions]
    times += [session.end_time for session in picture.sessions if session.end_time is not None]
    times += [hop.event_time for hop in picture.hops]
    axis = choose_axis(times)
    if axis is None:
        return Timeline(None, (), (), (), 0, tuple(range(len(findings))))
    by_host: dict[str | None, list[int]] = {}
    outside = []
    for position, finding in enumerate(findings):
        if axis.has(finding.event_time):
            by_host.setdefault(finding.host, []).append(position)
        else:
            outside.append(position)
    sessions: dict[str | None, list[ReportSession]] = {}
    for session in picture.sessions:
        sessions.setdefault(picture.host(session.target), []).append(session)
    for hop in picture.hops:
        sessions.setdefault(picture.host(hop.via), [])
        sessions.setdefault(picture.host(hop.target), [])
    # Findings are ordered by level, so the first one tells a host's worst.
    order = sorted(
        {*by_host, *sessions},
        key=lambda host: (
            WORST_FIRST.index(findings[by_host[host][0]].level) if host in by_host else len(WORST_FIRST),
            -len(by_host.get(host, ())),
            -len(sessions.get(host, ())),
            host is None,
            host or "",
        ),
    )
    maker = _LaneMaker(findings, axis, clock, _extents(channels, axis), picture.spans)
    lanes: list[Lane] = []
    y = _AXIS_HEIGHT
    for host in order[:_MOST_LANES]:
        label = "host unknown" if host is None else label_text(host, 60)
        lanes.append(maker.make(label, (host,), by_host.get(host, []), sessions.get(host, []), y))
        y += lanes[-1].height
    rest = order[_MOST_LANES:]
    if rest:
        positions = sorted(position for host in rest for position in by_host.get(host, ()))
        own = [session for host in rest for session in sessions.get(host, ())]
        lanes.append(maker.make(f"{len(rest):,} more hosts", tuple(rest), positions, own, y))
        y += lanes[-1].height
    arrows = _arrows(picture, axis, clock, lanes)
    return Timeline(axis, make_ticks(axis, clock), tuple(lanes), arrows, y, tuple(outside))


def _arrows(picture: Picture, axis: Axis, clock: Clock, lanes: Sequence[Lane]) -> tuple[Arrow, ...]:
    lane_of = {host: lane for lane in lanes for host in lane.hosts}
    arrows = []
    for hop in picture.hops:
        source, target = lane_of[picture.host(hop.via)], lane_of[picture.host(hop.target)]
        if axis.has(hop.event_time):
            ending = "refused" if hop.is_failed else label_text(hop.method.replace("_", " "), 40)
            names = f"{label_text(picture.host(hop.via), 60)} to {label_text(picture.host(hop.target), 60)}"
            arrows.append(
                Arrow(
                    hop_id=hop.hop_id,
                    from_session_id=hop.from_session_id,
                    x=axis.position(hop.event_time),
                    y1=source.y + _LABEL_HEIGHT + 4,
                    y2=target.y + _LABEL_HEIGHT + 4,
                    is_failed=hop.is_failed,
                    title=f"Second hop: {names}, {ending}, as {label_text(hop.next_user_name, 60)};"
                    f" {clock.text(hop.event_time)}",
                )
            )
    return tuple(arrows)


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


@dataclass(frozen=True, slots=True)
class _LaneMaker:
    findings: Sequence[ReportFinding]
    axis: Axis
    clock: Clock
    extents: Mapping[str | None, tuple[float, float]]
    spans: Sequence[BlindSpan]

    def make(
        self,
        label: str,
        hosts: tuple[str | None, ...],
        positions: Sequence[int],
        sessions: Sequence[ReportSession],
        y: int,
    ) -> Lane:
        bars = self._bars(sessions, y + _LABEL_HEIGHT)
        tracks = max((bar.track for bar in bars), default=-1) + 1
        row_y = y + _LABEL_HEIGHT + tracks * _TRACK_HEIGHT + _ROW_HEIGHT // 2
        marks: list[Mark] = []
        levels: list[tuple[Level, int]] = []
        for level in WORST_FIRST:
            own = [position for position in positions if self.findings[position].level == level]
            if own:
                marks.extend(_make_marks(own, self.findings, self.axis, self.clock, row_y, label))
                levels.append((level, row_y))
                row_y += _ROW_HEIGHT
        height = max(row_y - _ROW_HEIGHT // 2, y + _LABEL_HEIGHT + _ROW_HEIGHT) + _LANE_PADDING - y
        single = hosts[0] if len(hosts) == 1 else None
        return Lane(
            label=label,
            hosts=hosts,
            findings=len(positions),
            sessions=len(sessions),
            y=y,
            height=height,
            extent=self.extents.get(single) if len(hosts) == 1 else None,
            levels=tuple(levels),
            bars=bars,
            hatches=self._hatches(single) if len(hosts) == 1 else (),
            marks=tuple(marks),
        )

    def _bars(self, sessions: Sequence[ReportSession], y: int) -> tuple[Bar, ...]:
        """Sessions that overlap stand below one another; the last track takes what finds no free one."""
        bars = []
        free: list[datetime] = []  # when each track becomes free
        for session in sorted(sessions, key=lambda session: (session.start_time, session.session_id)):
            end = max(session.end_time or session.start_time + _UNKNOWN_END, session.start_time)
            track = next((number for number, time in enumerate(free) if time <= session.start_time), len(free))
            track = min(track, _MOST_TRACKS - 1)
            free[track : track + 1] = [end]
            x = self.axis.position(session.start_time)
            what = f"{label_text(session.kind, 24)} session {session.session_id} of {label_text(session.user_name, 60)}"
            bars.append(
                Bar(
                    session_id=session.session_id,
                    x=x,
                    width=max(_SHORTEST_BAR, self.axis.position(end) - x),
                    y=y + track * _TRACK_HEIGHT,
                    track=track,
                    confidence=session.confidence,
                    title=f"{what} from {label_text(session.source, 60)},"
                    f" confidence {label_text(session.confidence, 12)}; {self.clock.text(session.start_time)}"
                    f" {'to ' + self.clock.text(session.end_time) if session.end_time else ', end unknown'}",
                )
            )
        return tuple(bars)

    def _hatches(self, host: str | None) -> tuple[Hatch, ...]:
        hatches = []
        for span in self.spans:
            if span.host == host:
                start = 0.0 if span.start is None else min(100.0, max(0.0, self.axis.position(span.start)))
                end = 100.0 if span.end is None else min(100.0, max(0.0, self.axis.position(span.end)))
                if end > start:
                    name = f"{label_text(span.channel, 60)}: " if span.channel else ""
                    hatches.append(Hatch(start, end - start, span.channel is None, f"{name}{span.reason}"))
        return tuple(hatches)


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
