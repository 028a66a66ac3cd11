"""The time axis: which span it shows, where a time lies on it, and where its ticks go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evtxhunt.render.clock import Clock

# No Windows event log is older; a FILETIME of zero is 1601 and a lost CMOS battery shows in such years.
_EARLIEST = datetime(1990, 1, 1)
_LATEST = datetime(2100, 1, 1)
# A few times that lie more than a year off and stretch the span twentyfold would squash all others to a point.
_STRAY_DISTANCE = timedelta(days=365)
_STRAY_STRETCH = 20
_STRAY_SHARE = 50  # at most one time in so many at either end

_SHORTEST_SPAN = timedelta(seconds=10)
_MARGIN = 0.02  # of the span, on both sides
_MOST_TICKS = 7
_STEPS = tuple(
    timedelta(seconds=seconds)
    for minutes in ((1, 2, 5, 10, 15, 30), (60, 120, 300, 600, 900, 1800))
    for seconds in minutes
) + tuple(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12, 24, 48, 7 * 24, 14 * 24))
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid; position in percent, `context` is the date or year that the label leaves out."""

    position: float
    label: str
    context: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A span of UTC."""

    start: datetime
    end: datetime

    def has(self, time: datetime | None) -> bool:
        """Whether the time lies on the axis."""
        return time is not None and self.start <= time <= self.end

    def position(self, time: datetime) -> float:
        """Percent of the axis from its start, for times on and off it."""
        return 100 * ((time - self.start) / (self.end - self.start))


def choose_axis(times: Sequence[datetime]) -> Axis | None:
    """The axis for these times without absurd ones and strays; None if nothing is left."""
    plausible = sorted(time for time in times if _EARLIEST <= time < _LATEST)
    if not plausible:
        return None
    first, last = _without_strays(plausible)
    margin = max((last - first) * _MARGIN, (_SHORTEST_SPAN - (last - first)) / 2)
    return Axis(first - margin, last + margin)


def _without_strays(times: Sequence[datetime]) -> tuple[datetime, datetime]:
    few = max(1, len(times) // _STRAY_SHARE)
    if len(times) < 4:
        return times[0], times[-1]
    core_first, core_last = times[few], times[-1 - few]
    core = max(core_last - core_first, _SHORTEST_SPAN)
    if times[-1] - times[0] < core * _STRAY_STRETCH:
        return times[0], times[-1]
    near = [time for time in times if core_first - _STRAY_DISTANCE <= time <= core_last + _STRAY_DISTANCE]
    return near[0], near[-1]


def make_ticks(axis: Axis, clock: Clock) -> tuple[Tick, ...]:
    """At most seven ticks at round times of the clock; the context is given where it changes."""
    first, last = clock.local(axis.start), clock.local(axis.end)
    ticks: list[Tick] = []
    context = ""
    for local, label, own_context in _round_times(first, last):
        position = axis.position(clock.utc(local))
        if 0 <= position <= 100 and not (ticks and position <= ticks[-1].position):
            ticks.append(Tick(position, label, own_context if own_context != context else ""))
            context = own_context
    return tuple(ticks)


def _round_times(first: datetime, last: datetime) -> Iterator[tuple[datetime, str, str]]:
    span = last - first
    step = next((step for step in _STEPS if span / step <= _MOST_TICKS), None)
    if step is None:
        yield from _round_months(first, last)
        return
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    if step > _DAY:  # the same days whatever the span begins with
        midnight -= timedelta(days=midnight.toordinal() % step.days)
    local = midnight + ((first - midnight) // step) * step
    while local <= last:
        if step >= _DAY:
            yield local, local.strftime("%m-%d"), f"{local.year}"
        elif step >= timedelta(minutes=1):
            yield local, local.strftime("%H:%M"), local.strftime("%Y-%m-%d")
        else:
            yield local, local.strftime("%H:%M:%S"), local.strftime("%Y-%m-%d")
        local += step


def _round_months(first: datetime, last: datetime) -> Iterator[tuple[datetime, str, str]]:
    months = (last.year - first.year) * 12 + last.month - first.month
    step = next((step for step in _MONTH_STEPS if months / step <= _MOST_TICKS), _MONTH_STEPS[-1])
    number = (first.year * 12 + first.month - 1) // step * step
    while (local := datetime(number // 12, number % 12 + 1, 1)) <= last:
        yield local, f"{local.year}" if step >= 12 else local.strftime("%Y-%m"), ""
        number += step
