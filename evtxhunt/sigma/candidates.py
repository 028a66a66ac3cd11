"""Which events can make which rules fire at all: found by looking for all rules' texts at once.

It only proposes: a proposed event is then asked by the rule's own SQL. So what is wrong here can lose hits and never
invent one, and there is one meaning of rules, that of SQL.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain, repeat
from typing import TypeAlias

import ahocorasick_rs
import duckdb
import pyarrow as pa

from evtxhunt.sigma.catalogue import EVENTS, Catalogue, EventKind
from evtxhunt.sigma.literals import Need, need_of, rarest, texts_of
from evtxhunt.sigma.logsource import LogSources, Place
from evtxhunt.sigma.model import LogSource, Rule
from evtxhunt.sigma.predicate import event_ids_of, leaves
from evtxhunt.sigma.tables import is_in_event_data, kinds_sql

# Where Proposer.propose() leaves its events.
CANDIDATES = "memory.sigma_candidate"
# The text that is searched: where the values of an event's fields are, and those that keywords look through.
_TEXT_SQL = "lower(concat(event_data, rendering_info))"
_HEAD_SQL = "concat_ws(chr(10), provider, channel, computer, user_sid)"
_SAMPLE_RUNS, _SAMPLE_RUN = 64, 32
# A rule whose rarest text is in more of the sample than one in so many is not worth it: it is asked of all events.
_DENSE = 300
# What an event with a text costs where the rule may fire, against one where it cannot.
_IN_KIND = 8
# Kinds of events that no more texts are waited for in are searched by themselves, at twice the speed.
_FEW_TEXTS = 200
_THREADS = 2
_BATCH_ROWS = 2_048
# Every occurrence in so much text is held at once: an event may hold nothing but one text, again and again.
_SEARCH_BYTES = 1 << 20
_NONE: set[int] = set()  # of rows that have no text; never added to


_Kind: TypeAlias = tuple[str | None, int | None]  # channel, event_id


@dataclass(frozen=True, slots=True)
class _Searched:
    """Texts that are searched at once in some kinds of events, and which rules wait for which."""

    automaton: ahocorasick_rs.BytesAhoCorasick
    rules: tuple[tuple[str, ...], ...]  # rule_id of those that wait for each text
    kinds: Mapping[str, frozenset[_Kind]]  # of events that can fulfil a rule, by rule_id
    condition: str  # SQL of the events to search
    # What was found out already: rule_id of the rules that wait for a text in a kind of event.
    known: dict[tuple[int, _Kind], frozenset[str]] = field(default_factory=dict)

    def rules_of(self, text: int, kind: _Kind) -> frozenset[str]:
        """rule_id of the rules that an event of this kind with this text may fulfil."""
        if (text, kind) not in self.known:
            self.known[text, kind] = frozenset(rule_id for rule_id in self.rules[text] if kind in self.kinds[rule_id])
        return self.known[text, kind]


class Proposer:
    """Proposes events of one case for the rules that have a text to look for.

    `plain` are those that have none, `silent` those that no event here can fulfil, by its channel and id.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        catalogue: Catalogue,
        sources: LogSources,
        rules: Sequence[Rule],
    ) -> None:
        self._connection = connection
        by_id = {rule.header.rule_id: rule for rule in rules}
        kinds = _kinds_by_rule(catalogue, sources, rules)
        self.silent = frozenset(rule_id for rule_id, own in kinds.items() if not own)
        rules = [rule for rule in rules if rule.header.rule_id not in self.silent]
        needs = dict(_needs(catalogue, sources, rules))
        texts = sorted(set[str]().union(*map(texts_of, needs.values())))
        folded = _folded(connection, texts)
        counts, size = self._sample(texts, folded)
        heads = self._heads()
        waiting: dict[str, list[str]] = {}
        helped = set()
        for rule_id, need in needs.items():
            rule = by_id[rule_id]
            cost, chosen = rarest(need, partial(_cost, counts, kinds[rule_id]))
            # Keywords are looked for in an event's head as well, of which there are few different ones.
            is_in_head = any(leaf.field is None for leaf in leaves(rule.condition)) and any(
                folded[text] in heads for text in chosen
            )
            if cost * _DENSE <= size * _IN_KIND and not is_in_head:
                helped.add(rule_id)
                for text in chosen:
                    waiting.setdefault(folded[text], []).append(rule_id)
        self._searched = tuple(_searches(waiting, kinds))
        self.plain = frozenset(by_id) - helped - self.silent

    def propose(self, first_key: int, last_key: int) -> frozenset[str]:
        """rule_id of the rules that events with these keys may fulfil; the events are in CANDIDATES afterwards."""
        size = -(-(last_key - first_key + 1) // _THREADS)
        ranges = [(start, min(start + size - 1, last_key)) for start in range(first_key, last_key + 1, size)]
        cursors = [self._connection.cursor() for _ in ranges]
        with ThreadPoolExecutor(_THREADS) as pool:
            found = list(pool.map(_search_all, cursors, ranges, repeat(self._searched)))
        keys = pa.array([key for own, _ in found for key in own], pa.int64())
        self._connection.register("candidate_keys", pa.table({"event_key": keys}))
        self._connection.execute(
            f"CREATE OR REPLACE TABLE {CANDIDATES} AS FROM {EVENTS}"
            f" WHERE event_key BETWEEN {first_key} AND {last_key} AND event_key IN (FROM candidate_keys)"
        )
        self._connection.unregister("candidate_keys")
        return frozenset[str]().union(*(asked for _, asked in found))

    def _sample(self, texts: Sequence[str], folded: Mapping[str, str]) -> tuple[dict[str, dict[_Kind, int]], int]:
        """In how many events of each kind in a sample a text is, by text, and how many these are."""
        [row] = self._connection.execute(f"SELECT coalesce(max(event_key), 0) FROM {EVENTS}").fetchall()
        step = max(_SAMPLE_RUN, int(row[0]) // _SAMPLE_RUNS)
        runs = [(start, start + _SAMPLE_RUN - 1) for start in range(1, int(row[0]) + 1, step)]
        counts: dict[str, dict[_Kind, int]] = {}
        size = 0
        automaton = _automaton([folded[text] for text in texts])
        for batch in _read(self._connection, runs, "true"):
            size += len(batch)
            for kind, numbers in zip(_kinds(batch), _texts_by_row(automaton, batch.column(1)), strict=True):
                for number in numbers:
                    own = counts.setdefault(texts[number], {})
                    own[kind] = own.get(kind, 0) + 1
        return counts, size

    def _heads(self) -> str:
        rows = self._connection.execute(
            f"SELECT DISTINCT lower({_HEAD_SQL}) AS head FROM {EVENTS} ORDER BY ALL"
        ).fetchall()
        return "\n".join(str(row[0]) for row in rows)


def _kinds_by_rule(catalogue: Catalogue, sources: LogSources, rules: Sequence[Rule]) -> dict[str, frozenset[_Kind]]:
    """The kinds of events that can fulfil each rule, by rule_id: those of its log source and of the ids it asks for."""
    of_source = {
        source: frozenset(
            (kind.channel, kind.event_id) for place in sources.places_of(source) for kind in catalogue.kinds_of(place)
        )
        for source in dict.fromkeys(rule.source for rule in rules)
    }
    found = {}
    for rule in rules:
        own, ids = of_source[rule.source], event_ids_of(rule.condition)
        found[rule.header.rule_id] = own if ids is None else frozenset(kind for kind in own if kind[1] in ids)
    return found


def _searches(waiting: Mapping[str, Sequence[str]], kinds: Mapping[str, frozenset[_Kind]]) -> Iterator[_Searched]:
    """What to look for, by rule_id of those that wait for each text: kinds of events with few texts, and the others."""
    union = cache(lambda rule_ids: frozenset[_Kind]().union(*(kinds[rule_id] for rule_id in rule_ids)))
    kinds_of = {text: union(tuple(rule_ids)) for text, rule_ids in waiting.items()}
    numbers = Counter(chain.from_iterable(kinds_of.values()))
    for is_few in (True, False):
        own = {kind for kind, number in numbers.items() if (number <= _FEW_TEXTS) == is_few}
        ordered = sorted(text for text, found in kinds_of.items() if not own.isdisjoint(found))
        if own:
            yield _Searched(
                _automaton(ordered, is_few=is_few),
                tuple(tuple(waiting[text]) for text in ordered),
                kinds,
                kinds_sql(own),
            )


def _needs(catalogue: Catalogue, sources: LogSources, rules: Sequence[Rule]) -> Iterator[tuple[str, Need]]:
    searched: dict[tuple[LogSource, str | None], bool] = {}
    places: dict[LogSource, list[tuple[Place, tuple[EventKind, ...]]]] = {}

    def is_searched(source: LogSource, field: str | None) -> bool:
        if (source, field) not in searched:
            if source not in places:
                places[source] = [(place, catalogue.kinds_of(place)) for place in sources.places_of(source)]
            searched[source, field] = field is None or all(
                is_in_event_data(place, kinds, field) for place, kinds in places[source]
            )
        return searched[source, field]

    for rule in rules:
        need = need_of(rule.condition, partial(is_searched, rule.source))
        if need is not None:
            yield rule.header.rule_id, need


def _cost(counts: Mapping[str, Mapping[_Kind, int]], kinds: Collection[_Kind], text: str) -> int:
    """What it takes to look for a text: it must be asked about in events of these kinds, and is found in others."""
    return sum(count * (_IN_KIND if kind in kinds else 1) for kind, count in counts.get(text, {}).items())


def _folded(connection: duckdb.DuckDBPyConnection, texts: Sequence[str]) -> dict[str, str]:
    """Each text as DuckDB's lower() has it."""
    beyond = [text for text in texts if not text.isascii()]
    rows = connection.execute("SELECT unnest(?::VARCHAR[]) AS text, lower(text)", [beyond]).fetchall()
    return {text: text for text in texts} | dict(rows)


def _automaton(texts: Sequence[str], *, is_few: bool = False) -> ahocorasick_rs.BytesAhoCorasick:
    # Of many texts a DFA takes hundreds of MB and is hardly faster.
    kinds = ahocorasick_rs.Implementation
    return ahocorasick_rs.BytesAhoCorasick(
        [text.encode() for text in texts], implementation=kinds.DFA if is_few else kinds.ContiguousNFA
    )


def _read(
    connection: duckdb.DuckDBPyConnection, ranges: Sequence[tuple[int, int]], condition: str
) -> Iterator[pa.RecordBatch]:
    """event_key, text, channel and event_id of the events with these keys for which the condition holds."""
    parts = " UNION ALL ".join(
        f"SELECT * FROM (SELECT event_key, {_TEXT_SQL} AS text, channel, event_id FROM {EVENTS}"
        f" WHERE event_key BETWEEN {first} AND {last}) WHERE {condition}"
        for first, last in ranges
    )
    return iter(connection.sql(parts).to_arrow_reader(_BATCH_ROWS)) if ranges else iter(())


def _search_all(
    cursor: duckdb.DuckDBPyConnection, keys: tuple[int, int], searches: Sequence[_Searched]
) -> tuple[list[int], set[str]]:
    found = [_search(cursor, keys, searched) for searched in searches]
    return [key for own, _ in found for key in own], set[str]().union(*(asked for _, asked in found))


def _search(
    cursor: duckdb.DuckDBPyConnection, keys: tuple[int, int], searched: _Searched
) -> tuple[list[int], set[str]]:
    """The keys of events that some rule may fire on, and rule_id of these rules."""
    found_keys: list[int] = []
    asked: set[str] = set()
    for batch in _read(cursor, [keys], searched.condition):
        rows = [(row, texts) for row, texts in enumerate(_texts_by_row(searched.automaton, batch.column(1))) if texts]
        found = batch.take(pa.array([row for row, _ in rows], pa.int64()))
        for key, kind, (_, texts) in zip(found.column(0).to_pylist(), _kinds(found), rows, strict=True):
            rules = frozenset[str]().union(*(searched.rules_of(text, kind) for text in texts))
            if rules:
                found_keys.append(key)
                asked |= rules
    return found_keys, asked


def _kinds(batch: pa.RecordBatch) -> list[_Kind]:
    return list(zip(batch.column(2).to_pylist(), batch.column(3).to_pylist(), strict=True))


def _texts_by_row(automaton: ahocorasick_rs.BytesAhoCorasick, texts: pa.StringArray) -> list[set[int]]:
    """The numbers of the texts that each row has."""
    found: list[set[int]] = [_NONE] * len(texts)
    _, offset_buffer, data = texts.buffers()
    if data is None or not len(texts):
        return found
    offsets = memoryview(offset_buffer).cast("i")[texts.offset : texts.offset + len(texts) + 1]
    content = memoryview(data).cast("B")
    first = 0
    while first < len(texts):
        after = max(first + 1, bisect_right(offsets, offsets[first] + _SEARCH_BYTES) - 1)
        base, row = offsets[first], first
        row_start, row_end = 0, offsets[first + 1] - base
        # Rows lie side by side: what is found across their border is in neither.
        for number, start, end in automaton.find_matches_as_indexes(content[base : offsets[after]], overlapping=True):
            while start >= row_end:
                row += 1
                row_start, row_end = row_end, offsets[row + 1] - base
            if row_start <= start and end <= row_end:
                if found[row] is _NONE:
                    found[row] = set()
                found[row].add(number)
        first = after
    return found
