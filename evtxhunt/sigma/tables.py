"""For each log source a table of just the fields that its rules read: made from the events, a slice at a time."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from evtxhunt.event_columns import text_columns
from evtxhunt.sigma.catalogue import EVENTS, Catalogue, EventKind, FieldPath, find_paths, normal_name
from evtxhunt.sigma.logsource import FieldForm, LogSources, Place
from evtxhunt.sigma.model import LogSource, Rule
from evtxhunt.sigma.predicate import Exists, Network, event_ids_of, fields_of, leaves
from evtxhunt.sigma.sql import Column, quote

# Sigma's names for what every event has, beside its own fields. An event's own field of that name comes first, as in
# 104, whose Channel is the log that was cleared.
_HEAD = {
    "channel": "channel",
    "computer": "computer",
    "computername": "computer",
    "provider": "provider",
    "eventsourcename": "event_source_name",
    "level": "level::VARCHAR",
    "task": "task::VARCHAR",
    "opcode": "opcode::VARCHAR",
    "version": "version::VARCHAR",
    "qualifiers": "qualifiers::VARCHAR",
    "keywords": "keywords",
    "eventrecordid": "event_record_id::VARCHAR",
    "userid": "user_sid",
    "securityuserid": "user_sid",
    "executionprocessid": "process_id::VARCHAR",
    "executionthreadid": "thread_id::VARCHAR",
    "activityid": "activity_id",
    "correlationactivityid": "activity_id",
    "relatedactivityid": "related_activity_id",
    "timecreated": "event_time::VARCHAR",
    "timecreatedsystemtime": "event_time::VARCHAR",
    "systemtime": "event_time::VARCHAR",
    # What Windows made of the event for a reader: in forwarded events only.
    "message": "json_extract_string(rendering_info, '/Message')",
}
# The process that wrote the event. Sysmon's categories mean another one, which the event then lacks.
_WRITER = {"processid": "process_id::VARCHAR", "threadid": "thread_id::VARCHAR"}
# These mean the event's head whatever it holds; WMI-Activity has a ProviderName of its own.
_EVENT_ID = "eventid"
_PROVIDER = "Provider_Name"
# Every value of an event, from all levels, as texts; and what its head says of where it comes from.
_ALL_VALUES = """list_concat(
    list_transform(list_filter(
        coalesce(json_extract(event_data, '$.**'), []) || coalesce(json_extract(rendering_info, '$.**'), []),
        lambda x: json_type(x) NOT IN ('OBJECT', 'ARRAY', 'NULL')), lambda x: json_extract_string(x, '$')),
    list_filter([provider, channel, computer, user_sid], lambda x: x IS NOT NULL))"""
# Whom a logon is about is its target; of other events it is who did it.
_LOGONS = "4624, 4625, 4634, 4647, 4768, 4769, 4771, 4776"


@dataclass(frozen=True, slots=True)
class Table:
    """The events of a log source with what its rules read."""

    name: str
    source: LogSource
    events: int  # in the whole case
    columns: dict[str | None, Column]  # by Sigma field; None: all values
    selects: tuple[tuple[str, str], ...] = field(
        repr=False, default=()
    )  # of each place, SQL before and after the slice

    def create(self, connection: duckdb.DuckDBPyConnection, first_key: int, last_key: int) -> frozenset[int | None]:
        """Makes it of the events with these keys, in place of an earlier one; returns their event ids."""
        parts = " UNION ALL BY NAME ".join(
            f"{before} event_key BETWEEN {first_key} AND {last_key} {after}" for before, after in self.selects
        )
        connection.execute(f"CREATE OR REPLACE TABLE {self.name} AS {parts}")
        rows = connection.execute(f"SELECT DISTINCT event_id FROM {self.name}").fetchall()
        return frozenset(row[0] for row in rows)


def plan_tables(
    catalogue: Catalogue,
    sources: LogSources,
    rules: Sequence[Rule],
    further: Mapping[str, Collection[str]],
    events: str = EVENTS,
    name: str = "sigma",
) -> dict[LogSource, Table]:
    """A table for each log source of the rules that the case holds, named in the order of the rules.

    `further` says which fields of a rule's events are read besides its own, by rule_id; `events` is where from.
    """
    by_source: dict[LogSource, list[Rule]] = {}
    for rule in rules:
        by_source.setdefault(rule.source, []).append(rule)
    tables: dict[LogSource, Table] = {}
    for source, own in by_source.items():
        places = [(place, catalogue.kinds_of(place)) for place in sources.places_of(source)]
        places = [(place, kinds) for place, kinds in places if kinds]
        if places:
            tables[source] = _table(f"memory.{name}_{len(tables)}", source, places, own, further, events)
    return tables


def _table(
    name: str,
    source: LogSource,
    places: Sequence[tuple[Place, tuple[EventKind, ...]]],
    rules: list[Rule],
    further: Mapping[str, Collection[str]],
    events: str,
) -> Table:
    fields = dict.fromkeys(found for rule in rules for found in fields_of(rule.condition))
    fields |= dict.fromkeys(found for rule in rules for found in sorted(further.get(rule.header.rule_id, ())))
    asked_exists = {leaf.field for rule in rules for leaf in leaves(rule.condition) if isinstance(leaf, Exists)}
    asked_network = {leaf.field for rule in rules for leaf in leaves(rule.condition) if isinstance(leaf, Network)}
    columns: dict[str | None, Column] = {}
    for number, item in enumerate(fields):
        # Data is what classic logs call their unnamed values, of which there may be several.
        is_list = item is None or any(
            path.is_list or normal_name(path.name) == "data" for _, kinds in places for path in find_paths(kinds, item)
        )
        columns[item] = Column(
            original=f"o{number}",
            lowered=f"l{number}",
            exists=f"x{number}" if item in asked_exists else f"(o{number} IS NOT NULL)",
            is_list=is_list,
            integer="event_id" if item and normal_name(item) == _EVENT_ID else None,
            address=f"n{number}" if item in asked_network and not is_list else None,
        )
    return Table(
        name=name,
        source=source,
        events=sum({(kind.channel, kind.event_id): kind.events for _, kinds in places for kind in kinds}.values()),
        columns=columns,
        selects=tuple(_select(place, _asked(kinds, rules), columns, events) for place, kinds in places),
    )


def _asked(kinds: tuple[EventKind, ...], rules: Sequence[Rule]) -> tuple[EventKind, ...]:
    """Those of which some rule may fulfil: many rules of a channel are about one event id."""
    ids = [event_ids_of(rule.condition) for rule in rules]
    if None in ids:
        return kinds
    wanted = frozenset[int]().union(*(found for found in ids if found is not None))
    return tuple(kind for kind in kinds if kind.event_id in wanted)


class _Reader:
    """SQL of the values of one place's events. All of event_data is taken out in one reading of each record."""

    def __init__(self, place: Place, kinds: tuple[EventKind, ...]) -> None:
        self._kinds = kinds
        self._mapped = {normal_name(name): ways for name, ways in place.fields}
        self._head = _HEAD if place.category else _HEAD | _WRITER
        self._pointers: dict[str, int] = {}

    @property
    def taken_sql(self) -> str:
        """The list that `taken` names in the SQL of values."""
        if not self._pointers:
            return "NULL::VARCHAR[]"
        return f"json_extract_string(event_data, [{', '.join(quote(pointer) for pointer in self._pointers)}])"

    def field(self, name: str, *, is_list: bool) -> tuple[str, str]:
        """A Sigma field's value, as text or as a list of texts, and the condition that the event has it."""
        ways = self._mapped.get(normal_name(name))
        if not ways:
            return self.own(name, is_list=is_list)
        value = _coalesce([self._form(form) for form in ways])
        return (_listed(value) if is_list else value), f"({value} IS NOT NULL)"

    def own(self, name: str, *, is_list: bool = False) -> tuple[str, str]:
        """The same under the event's own name, else of the event's head."""
        if name == _PROVIDER or normal_name(name) == _EVENT_ID:
            head = "provider" if name == _PROVIDER else "event_id::VARCHAR"
            return (_listed(head) if is_list else head), f"({head} IS NOT NULL)"
        paths = find_paths(self._kinds, name)
        heads = [head for head in (self._head.get(normal_name(name)),) if head]
        exists = [f"json_exists(event_data, {quote(path.pointer)})" for path in paths]
        exists += [f"{head} IS NOT NULL" for head in heads]
        if is_list:
            values = [_list_sql(path) for path in paths] + [_listed(head) for head in heads]
        else:
            values = [self._text(path) for path in paths] + heads
        return _coalesce(values, is_list=is_list), "(" + " OR ".join(exists or ["false"]) + ")"

    def is_in_event_data(self, name: str) -> bool:
        """Whether a field's value, where there is one, stands in event_data as the rule sees it."""
        ways = self._mapped.get(normal_name(name)) or (FieldForm(("", name, "")),)
        return all(
            form.values is None
            and form.number is None
            and not form.prefixes
            and len(form.parts) == 3
            and form.parts[0] == form.parts[2] == ""
            and form.parts[1] != _PROVIDER
            and normal_name(form.parts[1]) not in {_EVENT_ID, *self._head}
            for form in ways
        )

    def _text(self, path: FieldPath) -> str:
        """The value at a path, from a column of its own where the event table has one."""
        if len(path.keys) == 1 and path.keys[0] in text_columns():
            return text_columns()[path.keys[0]]
        return f"taken[{self._pointers.setdefault(path.pointer, len(self._pointers) + 1)}]"

    def _form(self, form: FieldForm) -> str:
        pieces = []
        for index, part in enumerate(form.parts):
            if index % 2:
                value = self.own(part)[0]
                for none in ("", "-", *form.unless):
                    value = f"nullif({value}, {quote(none)})"
                pieces.append(value)
            elif part:
                pieces.append(quote(part))
        joined = " || ".join(pieces)
        if form.prefixes:
            cases = " ".join(
                f"WHEN starts_with(lower({joined}), {quote(old.lower())})"
                f" THEN {quote(new)} || substr({joined}, {len(old) + 1})"
                for old, new in form.prefixes
            )
            joined = f"CASE {cases} ELSE {joined} END"
        if form.values is not None:
            cases = " ".join(f"WHEN {quote(old)} THEN {quote(new)}" for old, new in form.values)
            joined = f"CASE {joined} {cases} END"
        if form.number:
            joined = f"sigma_{form.number.lower()}({joined})"
        if form.when:
            wanted = " AND ".join(
                f"{self.own(name)[0]} IN ({', '.join(map(quote, values))})" for name, values in form.when
            )
            joined = f"CASE WHEN {wanted} THEN {joined} END"
        return f"({joined})"


def is_in_event_data(place: Place, kinds: tuple[EventKind, ...], name: str) -> bool:
    """Whether a Sigma field's value, where an event of that place has one, stands in its event_data unchanged."""
    return _Reader(place, kinds).is_in_event_data(name)


def _select(
    place: Place, kinds: tuple[EventKind, ...], columns: dict[str | None, Column], events: str
) -> tuple[str, str]:
    """SQL of one place's rows, before and after the condition on event_key."""
    reader = _Reader(place, kinds)
    shown = []
    for name, column in columns.items():
        value, exists = (_ALL_VALUES, "true") if name is None else reader.field(name, is_list=column.is_list)
        shown.append(f"{value} AS {column.original}")
        folded = (
            f"list_transform({column.original}, lambda x: lower(x))" if column.is_list else f"lower({column.original})"
        )
        shown.append(f"{folded} AS {column.lowered}")
        if column.address:
            shown.append(f"sigma_ip({column.original}) AS {column.address}")
        if column.exists.startswith("x"):
            shown.append(f"{exists} AS {column.exists}")
    conditions = [
        f"{reader.own(name)[0]} IN ({', '.join(quote(value) for value in values)})" for name, values in place.where
    ]
    user = reader.own("User")[0]
    before = (
        f"SELECT event_key, event_time, host, computer, event_id, {_user_sql(user)} AS user_name,"
        f" {', '.join(shown) or 'NULL AS o0'}"
        f" FROM (SELECT *, {reader.taken_sql} AS taken FROM {events} WHERE"
    )
    return before, f"AND {kinds_sql((kind.channel, kind.event_id) for kind in kinds)})" + (
        f" WHERE {' AND '.join(conditions)}" if conditions else ""
    )


def kinds_sql(kinds: Iterable[tuple[str | None, int | None]]) -> str:
    """The condition that an event is of one of these kinds, by channel and id."""
    channels: dict[str | None, list[int]] = {}
    parts = []
    for channel, event_id in sorted(kinds, key=str):
        if event_id is None:  # an edited record, whose EventID is no number
            parts.append(f"({_channel_sql(channel)} AND event_id IS NULL)")
        else:
            channels.setdefault(channel, []).append(event_id)
    parts += [
        f"({_channel_sql(channel)} AND event_id IN ({', '.join(map(str, event_ids))}))"
        for channel, event_ids in channels.items()
    ]
    return " OR ".join(parts).join("()") if parts else "false"


def _channel_sql(channel: str | None) -> str:
    return "channel IS NULL" if channel is None else f"channel = {quote(channel)}"


def _coalesce(values: list[str], *, is_list: bool = False) -> str:
    if not values:
        return "NULL::VARCHAR[]" if is_list else "NULL::VARCHAR"
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def _list_sql(path: FieldPath) -> str:
    """All values at a path as a list of texts; NULL where there is none."""
    pointer = quote(path.pointer)
    return (
        f"CASE json_type(event_data, {pointer}) WHEN 'ARRAY' THEN json_extract(event_data, {pointer})::VARCHAR[]"
        f" WHEN 'OBJECT' THEN NULL ELSE nullif([json_extract_string(event_data, {pointer})], [NULL]) END"
    )


def _listed(value: str) -> str:
    return f"CASE WHEN {value} IS NOT NULL THEN [{value}] END"


def _user_sql(user: str) -> str:
    """DOMAIN\\user of who did it, as the event says; NULL where it does not."""

    def account(domain: str, name: str) -> str:
        known = f"nullif(nullif({name}, '-'), '')"
        return f"coalesce(nullif(nullif({domain}, '-'), '') || '\\' || {known}, {known})"

    target = account("target_domain_name", "target_user_name")
    subject = account("subject_domain_name", "subject_user_name")
    return f"coalesce(nullif({user}, ''), CASE WHEN event_id IN ({_LOGONS}) THEN {target} END, {subject}, {target})"
