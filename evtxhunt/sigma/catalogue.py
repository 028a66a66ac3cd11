"""Which fields the events of a case have: Sigma's names are looked up there, whatever their case and punctuation."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import duckdb

from evtxhunt.case_file import COUNTED, holds_recovered
from evtxhunt.sigma.logsource import Place

# The events that rules are asked of: a view that choose_events() makes.
EVENTS = "memory.main.sigma_event"
_DEEPEST = 50  # levels in which fields have names; real events have three


@dataclass(frozen=True, slots=True)
class FieldPath:
    """Where a field's value is in event_data: keys from the outside in. A list has several values."""

    keys: tuple[str, ...]
    is_list: bool

    @property
    def name(self) -> str:
        """What the event calls it: the last key that is no mark of the parser."""
        return next((key for key in reversed(self.keys) if key != "#text"), "#text")

    @property
    def pointer(self) -> str:
        """As a JSON pointer (RFC 6901)."""
        return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in self.keys)


@dataclass(frozen=True, slots=True)
class EventKind:
    """Events of one channel and id."""

    channel: str | None
    event_id: int | None
    events: int
    paths: Mapping[str, tuple[FieldPath, ...]]  # by normal_name()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every kind of event that the case holds, sorted by channel and id."""

    kinds: tuple[EventKind, ...]
    size: int  # bytes of event_data in all of them

    def kinds_of(self, place: Place) -> tuple[EventKind, ...]:
        """Those that a place means; a place without channels means all."""
        channels = {channel.lower() for channel in place.channels}
        return tuple(
            kind
            for kind in self.kinds
            if (not channels or (kind.channel or "").lower() in channels)
            and (not place.event_ids or kind.event_id in place.event_ids)
        )


@cache
def normal_name(name: str) -> str:
    """The name without case, blanks and punctuation: Defender's "Threat Name" is Sigma's ThreatName."""
    return re.sub(r"[\W_]+", "", name.lower())


def choose_events(connection: duckdb.DuckDBPyConnection, *, include_recovered: bool) -> None:
    """Makes the view of events: records from slack and carved ones may be out of their time, and are asked for."""
    which = "" if include_recovered or not holds_recovered(connection) else f" WHERE {COUNTED}"
    connection.execute(f"CREATE OR REPLACE VIEW {EVENTS} AS FROM evtxhunt_case.event{which}")


def read_catalogue(connection: duckdb.DuckDBPyConnection) -> Catalogue:
    """Reads the names from all events of the case. Only rows with an object in event_data are walked: they are few."""
    rows = connection.execute(
        f"""
        SELECT channel, event_id, CASE WHEN is_nested THEN json_structure(event_data)::VARCHAR
            ELSE to_json(json_keys(event_data))::VARCHAR END AS shape, count(*),
            coalesce(sum(strlen(event_data)), 0)
        FROM (SELECT *, contains(event_data, ':{{') OR contains(event_data, ':[') AS is_nested FROM {EVENTS})
        GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    counts: dict[tuple[str | None, int | None], int] = {}
    paths: dict[tuple[str | None, int | None], set[FieldPath]] = {}
    for channel, event_id, shape, count, _ in rows:
        kind = (channel, event_id)
        counts[kind] = counts.get(kind, 0) + count
        paths.setdefault(kind, set()).update(_shape_paths(shape) if shape else ())
    return Catalogue(
        tuple(
            EventKind(*kind, counts[kind], _by_name(paths[kind]))
            for kind in sorted(counts, key=lambda kind: (kind[0] or "", kind[1] or 0))
        ),
        sum(int(row[4]) for row in rows),
    )


def _by_name(paths: Iterable[FieldPath]) -> dict[str, tuple[FieldPath, ...]]:
    found: dict[str, tuple[FieldPath, ...]] = {}
    for path in paths:
        name = normal_name(path.name)
        found[name] = (*found.get(name, ()), path)
    return found


def _shape_paths(shape: str) -> Iterator[FieldPath]:
    try:
        parsed = json.loads(shape)
    except RecursionError:  # nested as deep as no program writes events: its fields have no names, keywords see them
        return
    yield from _paths(parsed, ())


def _paths(shape: object, keys: tuple[str, ...]) -> Iterator[FieldPath]:
    """The leaves of a structure, or the keys of a flat object. Namespaces are no fields."""
    if len(keys) > _DEEPEST:
        return
    if isinstance(shape, list) and not keys:
        for key in shape:
            yield FieldPath((key,), False)
    elif isinstance(shape, dict):
        for key, inner in shape.items():
            if not key.startswith("xmlns"):
                yield from _paths(inner, (*keys, key))
    elif keys:
        yield FieldPath(keys, isinstance(shape, list))


def find_paths(kinds: Iterable[EventKind], name: str) -> tuple[FieldPath, ...]:
    """Where events of these kinds have the field of that name: as written first, outer ones before inner ones."""
    wanted = normal_name(name)
    found = {path for kind in kinds for path in kind.paths.get(wanted, ())}
    return tuple(sorted(found, key=lambda path: (path.name != name, len(path.keys), path.keys, path.is_list)))
