"""Sliding windows over the hits of correlated rules. Knows no database: one group's hits in the order of time come in.

After the Sigma correlation rules specification 2.1. A window has the rule's timespan, both ends included. "At least"
and "more than" are asked of the window that ends at each hit, and fulfilled windows that overlap are one finding. What
more hits can undo (fewer than, exactly, `not`) is asked of windows one after another, each of which begins at the first
hit that the one before does not cover.
"""

import operator
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from evtxhunt.sigma.model import Correlation, Expression

_RANKED = ("value_median", "value_percentile")
_OPERATORS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A hit of a correlated rule. `value` is what the condition reads; None where the event lacks it."""

    rule_id: str
    time: datetime
    event_keys: tuple[int, ...]
    value: tuple[str, ...] | None = None
    number: Decimal | None = None
    groups: tuple[str, ...] = ()  # values of group-by, as written
    host: str | None = None
    computer: str | None = None
    user_name: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Hits that fulfil a correlation, and what was measured at most: a number of hits, of values, a sum, ..."""

    hits: tuple[Hit, ...]
    measure: Decimal


def find_windows(correlation: Correlation, hits: Iterable[Hit]) -> Iterator[Found]:
    """What the hits of one group fulfil, in the order of time."""
    span = timedelta(seconds=correlation.window_seconds)
    if correlation.kind == "value_count":
        hits = (hit for hit in hits if hit.value is not None)
    if correlation.kind in ("value_sum", "value_avg", *_RANKED):
        hits = (hit for hit in hits if hit.number is not None)
    if correlation.kind == "temporal_ordered":
        return _merged(_ordered(correlation, hits, span))
    if correlation.operator in ("gt", "gte") and not _has_not(correlation.expression):
        return _merged(_sliding(correlation, hits, span))
    return _consecutive(correlation, hits, span)


@dataclass(frozen=True, slots=True)
class _Window:
    """A fulfilled window: numbers of its first and last hit, its hits (until the next is asked for), the measure."""

    first: int
    last: int
    hits: deque[Hit]
    measure: Decimal


def _sliding(correlation: Correlation, hits: Iterable[Hit], span: timedelta) -> Iterator[_Window]:
    window, gauge = deque[Hit](), _Gauge(correlation)
    for number, hit in enumerate(hits):
        window.append(hit)
        gauge.add(hit)
        while window[0].time < hit.time - span:
            gauge.remove(window.popleft())
        if _is_fulfilled(correlation, gauge):
            yield _Window(number - len(window) + 1, number, window, gauge.measure())


def _ordered(correlation: Correlation, hits: Iterable[Hit], span: timedelta) -> Iterator[_Window]:
    """Windows in which the rules follow one another: of each rule the chain up to it that began last is kept."""
    chains: list[tuple[int, datetime] | None] = [None] * len(correlation.rules)
    window = deque[Hit]()
    for number, hit in enumerate(hits):
        window.append(hit)
        while window[0].time < hit.time - span:
            window.popleft()
        # From the last to the first, so that no hit follows itself where a rule is named twice.
        for place in reversed(range(len(chains))):
            if correlation.rules[place] == hit.rule_id:
                chains[place] = (number, hit.time) if place == 0 else chains[place - 1]
        done = chains[-1]
        if done and correlation.rules[-1] == hit.rule_id and hit.time - done[1] <= span:
            yield _Window(done[0], number, window, Decimal(len(chains)))


def _merged(windows: Iterable[_Window]) -> Iterator[Found]:
    """Windows that share hits as one."""
    held: list[Hit] = []
    last, most = -1, Decimal(0)
    for window in windows:
        if held and window.first > last:
            yield Found(tuple(held), most)
            held = []
        new = window.last - max(last, window.first - 1)
        held += reversed(list(islice(reversed(window.hits), new)))
        most = max(most, window.measure) if len(held) > new else window.measure
        last = window.last
    if held:
        yield Found(tuple(held), most)


def _consecutive(correlation: Correlation, hits: Iterable[Hit], span: timedelta) -> Iterator[Found]:
    window, gauge = list[Hit](), _Gauge(correlation)
    for hit in hits:
        if window and hit.time > window[0].time + span:
            if _is_fulfilled(correlation, gauge):
                yield Found(tuple(window), gauge.measure())
            window, gauge = [], _Gauge(correlation)
        window.append(hit)
        gauge.add(hit)
    if window and _is_fulfilled(correlation, gauge):
        yield Found(tuple(window), gauge.measure())


class _Gauge:
    """What a correlation measures of a window, kept up to date as hits come and go."""

    def __init__(self, correlation: Correlation) -> None:
        self._kind = correlation.kind
        self._percentile = 50 if correlation.kind == "value_median" else correlation.percentile or 0
        self._counts: Counter[object] = Counter()
        self._hits = 0
        self._sum = Decimal(0)
        self._sorted: list[Decimal] = []
        self.rules: Counter[str] = Counter()

    def add(self, hit: Hit) -> None:
        self._hits += 1
        self.rules[hit.rule_id] += 1
        if self._kind == "value_count":
            self._counts[hit.value] += 1
        elif hit.number is not None:
            self._sum += hit.number
            if self._kind in _RANKED:
                insort(self._sorted, hit.number)

    def remove(self, hit: Hit) -> None:
        self._hits -= 1
        _take_one(self.rules, hit.rule_id)
        if self._kind == "value_count":
            _take_one(self._counts, hit.value)
        elif hit.number is not None:
            self._sum -= hit.number
            if self._kind in _RANKED:
                del self._sorted[bisect_left(self._sorted, hit.number)]

    def measure(self) -> Decimal:
        match self._kind:
            case "event_count":
                return Decimal(self._hits)
            case "value_count":
                return Decimal(len(self._counts))
            case "temporal":
                return Decimal(len(self.rules))
            case "value_sum":
                return self._sum
            case "value_avg":
                return self._sum / self._hits
        # Between the two nearest numbers in proportion, as SQL's percentile_cont has it.
        place = Decimal(len(self._sorted) - 1) * self._percentile / 100
        low = int(place)
        high = min(low + 1, len(self._sorted) - 1)
        return self._sorted[low] + (self._sorted[high] - self._sorted[low]) * (place - low)


def _take_one(counts: Counter[Any], key: object) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def _is_fulfilled(correlation: Correlation, gauge: _Gauge) -> bool:
    if correlation.expression is None:
        return _OPERATORS[correlation.operator](gauge.measure(), Decimal(correlation.count))
    ids = zip(correlation.names, correlation.rules, strict=True)
    return _holds(correlation.expression, {name for name, rule_id in ids if rule_id in gauge.rules})


def _holds(expression: Expression, present: set[str]) -> bool:
    if isinstance(expression, str):
        return expression in present
    word, *items = expression
    if word == "not":
        return not _holds(items[0], present)
    return (all if word == "and" else any)(_holds(item, present) for item in items)


def _has_not(expression: Expression | None) -> bool:
    return isinstance(expression, tuple) and (expression[0] == "not" or any(_has_not(item) for item in expression[1:]))
