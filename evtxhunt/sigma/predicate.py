"""What a Sigma rule asks of an event: a small tree, free of pySigma and of SQL. Every way to run a rule starts from it.

Meaning, after the Sigma specification 2.1 (sigma-rules-specification.md, sigma-appendix-modifiers.md): a leaf about a
field that the event lacks is not fulfilled, and `Not` of it is. Where a field has several values one of them must do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Literal, get_args

Operator = Literal["=", "<", "<=", ">", ">="]
Part = Literal["minute", "hour", "day", "week", "month", "year"]
PARTS: tuple[Part, ...] = get_args(Part)


class Wild(Enum):
    """A wildcard inside a text."""

    MANY = "*"  # any characters or none, line ends among them
    ONE = "?"  # exactly one


@dataclass(frozen=True, slots=True)
class Text:
    """The whole value is this, without regard to case unless `is_cased`. Without a field: some value contains it."""

    field: str | None
    parts: tuple[str | Wild, ...]
    is_cased: bool = False


@dataclass(frozen=True, slots=True)
class Regex:
    """The pattern (RE2, with its flags inside) is found somewhere in the value as it was written."""

    field: str | None
    pattern: str


@dataclass(frozen=True, slots=True)
class Number:
    """The value, written decimal or as 0x hexadecimal, compares so: operator =, <, <=, >, >=.

    Text that is no number does so with none.
    """

    field: str
    operator: Operator
    number: int | float


@dataclass(frozen=True, slots=True)
class Network:
    """The value is an IP address of this network, "10.0.0.0/8" or "fe80::/10"; ::ffff:10.0.0.1 counts as 10.0.0.1."""

    field: str | None
    network: str


@dataclass(frozen=True, slots=True)
class Reference:
    """The value is that of another field, begins or ends with it, or with both flags contains it; case is ignored."""

    field: str
    other: str
    starts_with: bool = False
    ends_with: bool = False


@dataclass(frozen=True, slots=True)
class Null:
    """The event lacks the field, or it is empty."""

    field: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The event has the field, even an empty one."""

    field: str


@dataclass(frozen=True, slots=True)
class TimePart:
    """The value is a time whose part (minute, hour, day, week, month, year; UTC, ISO weeks) is this number."""

    field: str
    part: Part
    number: int


@dataclass(frozen=True, slots=True)
class All:
    """Each of these."""

    items: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one of these."""

    items: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Anything but this; what is unknown counts as not fulfilled inside."""

    item: "Predicate"


Leaf = Text | Regex | Number | Network | Reference | Null | Exists | TimePart
Predicate = Leaf | All | Any | Not


def leaves(predicate: Predicate, *, positive_only: bool = False) -> Iterator[Leaf]:
    """The leaves from left to right; with `positive_only` those that are not below an odd number of `Not`."""
    waiting: list[tuple[Predicate, bool]] = [(predicate, True)]
    while waiting:
        item, is_positive = waiting.pop()
        match item:
            case All(items) | Any(items):
                waiting.extend((child, is_positive) for child in reversed(items))
            case Not(child):
                waiting.append((child, not is_positive))
            case _:
                if is_positive or not positive_only:
                    yield item


def fields_of(predicate: Predicate) -> tuple[str | None, ...]:
    """The fields that it reads in the order of first use; None stands for all values of the event."""
    found: dict[str | None, None] = {}
    for leaf in leaves(predicate):
        found.setdefault(leaf.field)
        if isinstance(leaf, Reference):
            found.setdefault(leaf.other)
    return tuple(found)


def event_ids_of(predicate: Predicate) -> frozenset[int] | None:
    """The EventIDs that an event must have one of to fulfil it; None if any will do."""
    match predicate:
        case Number("EventID", "=", int(number)):
            return frozenset((number,))
        case All(items):
            known = [found for found in map(event_ids_of, items) if found is not None]
            return min(known, key=len) if known else None
        case Any(items):
            each = [event_ids_of(item) for item in items]
            return frozenset[int]().union(*(found for found in each if found is not None)) if None not in each else None
    return None
