"""The table of log sources: which events a rule's logsource means, and what its fields are called there."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evtxhunt.errors import RulesError
from evtxhunt.sigma.model import LogSource

NUMBERS = ("DWORD", "QWORD")
_KEYS = {"category", "service", "channel", "event_id", "where", "fields"}


@dataclass(frozen=True, slots=True)
class FieldForm:
    """One way to say a Sigma field: texts and names of the event's fields in turn, and what is made of them joined."""

    parts: tuple[str, ...]  # text, field, text, field, ..., text
    values: tuple[tuple[str, str], ...] | None = None  # translated; what is not among them is unknown
    prefixes: tuple[tuple[str, str], ...] = ()  # longest first
    unless: tuple[str, ...] = ()  # values that say that there is none
    when: tuple[tuple[str, tuple[str, ...]], ...] = ()  # field: values; without one of them there is none
    number: str | None = None  # one of NUMBERS: a number is written as Sysmon writes those of the registry

    @property
    def names(self) -> tuple[str, ...]:
        """The event's own fields that it needs."""
        return self.parts[1::2]


@dataclass(frozen=True, slots=True)
class Place:
    """Events of one place that a log source means."""

    category: str | None
    service: str | None
    channels: tuple[str, ...]
    event_ids: tuple[int, ...]  # none: all of the channel
    where: tuple[tuple[str, tuple[str, ...]], ...]  # field: values
    fields: tuple[tuple[str, tuple[FieldForm, ...]], ...]  # Sigma field: ways to say it, the first that the event has


@dataclass(frozen=True, slots=True)
class LogSources:
    """The table."""

    places: tuple[Place, ...]
    text: str  # what it was read from

    def places_of(self, source: LogSource) -> tuple[Place, ...]:
        """Where the events of a rule's log source are; none if it is not mapped or not of Windows."""
        if (source.product or "windows").lower() != "windows":
            return ()
        category, service = (part.lower() if part else None for part in (source.category, source.service))
        if category is None and service is None:
            return (Place(None, None, (), (), (), ()),) if source.product else ()
        found = tuple(place for place in self.places if place.category == category) if category else self.places
        if service is None:
            return found
        channels = {channel for place in self.places if place.service == service for channel in place.channels}
        if category is None:
            return tuple(place for place in found if place.service == service)
        return tuple(place for place in found if set(place.channels) & channels)


def read_log_sources(path: Path) -> LogSources:
    """Reads the table. Raises RulesError naming the entry that breaks its format."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulesError(f"{path}: the table of log sources cannot be read: {error}") from error
    entries = content.get("source", [])
    if (
        set(content) - {"source"}
        or not isinstance(entries, list)
        or not all(isinstance(item, dict) for item in entries)
    ):
        raise RulesError(f"{path}: the table of log sources holds [[source]] tables and nothing else")
    return LogSources(tuple(_place(path, number, item) for number, item in enumerate(entries, 1)), text)


def read_placeholders(path: Path) -> dict[str, tuple[str, ...]]:
    """The values of placeholders from TOML, name = "text" or a list of them. Raises RulesError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulesError(f"{path}: the placeholders cannot be read: {error}") from error
    found = {}
    for name, value in content.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(item, str) for item in values):
            raise RulesError(f'{path}: placeholder {name} must be a text or a list of texts: {name} = ["a", "b"]')
        found[name] = tuple(values)
    return found


def _place(path: Path, number: int, item: dict[str, Any]) -> Place:
    where = f"{path}: [[source]] number {number}"
    if unknown := sorted(item.keys() - _KEYS):
        raise RulesError(f"{where}: unknown key {unknown[0]}; it takes {', '.join(sorted(_KEYS))}")
    category, service = item.get("category"), item.get("service")
    if not isinstance(category or service, str) or (category and service):
        raise RulesError(f"{where}: it needs a category or a service")
    event_ids = item.get("event_id", [])
    if not _is_list(item.get("channel"), str) or not isinstance(event_ids, list) or not _is_list(event_ids or [1], int):
        raise RulesError(f'{where}: channel must be a list of texts, event_id one of numbers: channel = ["Security"]')
    conditions, fields = item.get("where", {}), item.get("fields", {})
    if not isinstance(conditions, dict) or not all(_is_list(values, str) for values in conditions.values()):
        raise RulesError(f'{where}: where must give each field a list of texts: Name = ["a", "b"]')
    if not isinstance(fields, dict):
        raise RulesError(f"{where}: fields must be a table of Sigma field = own field")
    return Place(
        category=category,
        service=service,
        channels=tuple(item["channel"]),
        event_ids=tuple(event_ids),
        where=tuple((name, tuple(values)) for name, values in conditions.items()),
        fields=tuple(
            (name, tuple(_form(where, name, way) for way in (ways if isinstance(ways, list) else [ways])))
            for name, ways in fields.items()
        ),
    )


def _is_list(value: object, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, kind) for item in value)


def _form(where: str, name: str, way: object) -> FieldForm:
    given: Mapping[str, object] = way if isinstance(way, dict) else {"from": way}
    origin, values, prefixes = given.get("from"), given.get("values"), given.get("prefixes", {})
    unless, when, number = given.get("unless", []), given.get("when", {}), given.get("number")
    if (
        not isinstance(origin, str)
        or given.keys() - {"from", "values", "prefixes", "unless", "when", "number"}
        or not (unless == [] or _is_list(unless, str))
        or not (isinstance(when, dict) and all(_is_list(wanted, str) for wanted in when.values()))
        or number not in (None, *NUMBERS)
        or not all(_is_table(table) for table in (values or {}, prefixes))
    ):
        raise RulesError(
            f'{where}: field {name} must be a name, a text with {{Name}} in it, or {{ from = "Name", ... }}'
        )
    parts = re.split(r"\{([^{}]+)\}", origin)
    return FieldForm(
        parts=tuple(parts) if len(parts) > 1 else ("", origin, ""),
        values=_pairs(values) if values is not None else None,
        prefixes=tuple(sorted(_pairs(prefixes), key=lambda pair: (-len(pair[0]), pair))),
        unless=tuple(str(item) for item in unless) if isinstance(unless, list) else (),
        when=tuple((name, tuple(wanted)) for name, wanted in when.items()),
        number=str(number) if number is not None else None,
    )


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _pairs(table: object) -> tuple[tuple[str, str], ...]:
    assert isinstance(table, dict)  # checked by the caller
    return tuple(table.items())


def describe_fields(place: Place) -> str:
    """What its fields are called there, in one line."""
    return ", ".join(f"{name} = {' or '.join(_said(form) for form in ways)}" for name, ways in place.fields)


def _said(form: FieldForm) -> str:
    text = "".join(f"{{{part}}}" if index % 2 else part for index, part in enumerate(form.parts))
    bare = form.parts[1] if form.parts[0] == form.parts[-1] == "" and len(form.parts) == 3 else text
    return bare + (" (translated)" if form.values is not None or form.prefixes or form.number else "")


def shown_sources(sources: LogSources) -> Sequence[Place]:
    """The places in the order in which they are explained."""
    return sorted(
        sources.places,
        key=lambda place: (place.category is None, place.category or place.service, place.channels, place.event_ids),
    )
