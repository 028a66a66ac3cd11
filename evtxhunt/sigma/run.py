"""Runs a set of rules on a case: in slices of events, so that memory does not follow the case."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Protocol

import duckdb
import pyarrow as pa

from evtxhunt.model import Finding, OnStep, RuleRun, RuleState, no_step
from evtxhunt.sigma.candidates import CANDIDATES, Proposer
from evtxhunt.sigma.catalogue import Catalogue, choose_events, read_catalogue
from evtxhunt.sigma.correlation import CorrelationRunner, fields_read
from evtxhunt.sigma.engine_sql import BATCH_RULES, NOT_THE_RULES_FAULT, Hits, refused_rules, rule_error
from evtxhunt.sigma.findings import FEW_HITS, about, findings_of
from evtxhunt.sigma.logsource import LogSources
from evtxhunt.sigma.model import Correlation, LogSource, Rule, RuleHeader, RuleSet
from evtxhunt.sigma.predicate import event_ids_of
from evtxhunt.sigma.sql import MACROS_SQL
from evtxhunt.sigma.tables import Table, plan_tables

# What is asked about at once: its fields are held twice, as written and in lower case.
SLICE_EVENTS = 1_000_000
_SLICE_BYTES = 400_000_000  # of event_data


class Engine(Protocol):
    """A way to run rules on the tables of a slice."""

    def run(self, work: Sequence[tuple[Rule, Table]]) -> Iterator[Hits]:
        """The hits of each rule, in the order of `work`."""


@dataclass(slots=True)
class _Tally:
    """What is known of a rule while it runs."""

    findings: int = 0
    seconds: float = 0.0
    state: RuleState = "ran"
    reason: str | None = None


_LEFT_OUT = _Tally(state="left out", reason="not asked for")


@dataclass(slots=True)
class RuleRunner:
    """One run. Read `findings` to its end, then ask for `runs`."""

    connection: duckdb.DuckDBPyConnection  # of connect_scratch
    rule_set: RuleSet
    sources: LogSources
    make_engine: Callable[[duckdb.DuckDBPyConnection], Engine]
    left_out: frozenset[str] = frozenset()  # rule_id of those that were not asked for
    slice_events: int = SLICE_EVENTS
    include_recovered: bool = False  # records from slack and carved ones
    on_step: OnStep = no_step
    make_proposer: Callable[[duckdb.DuckDBPyConnection, Catalogue, LogSources, Sequence[Rule]], Proposer] | None = None
    _tallies: dict[str, _Tally] = field(default_factory=dict)
    _hidden: frozenset[str] = frozenset()  # rules whose hits serve correlations only

    def findings(self) -> Iterator[Finding]:
        """Of rules slice by slice, then of correlations. Those of a rule that failed later on are to be dropped."""
        rules, correlations = self._wanted()
        self._hidden = frozenset(rule_id for item in correlations if not item.generates for rule_id in item.rules)
        self.connection.execute(MACROS_SQL)
        self.on_step("fields")
        choose_events(self.connection, include_recovered=self.include_recovered)
        catalogue, further = read_catalogue(self.connection), fields_read(correlations)
        applicable = self._applicable(rules, catalogue)
        proposer = (
            self.make_proposer(self.connection, catalogue, self.sources, applicable) if self.make_proposer else None
        )
        plan = partial(plan_tables, catalogue, self.sources, further=further)
        plain = [rule for rule in applicable if proposer is None or rule.header.rule_id in proposer.plain]
        tables = plan(plain)
        runner = CorrelationRunner(self.connection, correlations)
        engine = self.make_engine(self.connection)
        for first, last in self._slices(catalogue):
            self.on_step(f"events {first:,} to {last:,}")
            work = [(rule, tables[rule.source]) for rule in plain]
            if proposer:
                proposed = proposer.propose(first, last)
                helped = [rule for rule in applicable if rule.header.rule_id in proposed]
                few = plan(helped, events=CANDIDATES, name="sigma_few")
                work += [(rule, few[rule.source]) for rule in helped]
            work = [(rule, table) for rule, table in work if self._tally(rule).state == "ran"]
            work.sort(key=lambda item: item[1].name)  # rules of a table are asked together
            ids = self._create({table.name: table for _, table in work}, first, last, rules)
            if proposer:
                work = [(rule, table) for rule, table in work if _can_be_here(rule, ids[table.name])]
            yield from self._slice_findings(engine, runner, [item for item in work if ids[item[1].name]])
            for name in ids:
                self.connection.execute(f"DROP TABLE IF EXISTS {name}")
        for number, correlation in enumerate(correlations):
            yield from self._correlation_findings(runner, number, correlation)

    def runs(self) -> tuple[RuleRun, ...]:
        """How every rule ended, in the order of the rule set; those that could not be read among them."""
        shown: list[RuleRun] = []
        items: list[Rule | Correlation] = [*self.rule_set.rules, *self.rule_set.correlations]
        for item in items:
            header = item.header
            if header.rule_id in self.left_out:
                shown.append(_run(header, _LEFT_OUT))
                continue
            tally = self._tally(item)
            if tally.state == "ran" and not self._is_shown(item):
                tally.reason = "its hits serve correlations only"
            shown.append(_run(header, tally))
        for problem in self.rule_set.problems:
            is_wanted = problem.header.rule_id not in self.left_out
            tally = _Tally(state=problem.state, reason=problem.reason) if is_wanted else _LEFT_OUT
            shown.append(replace(_run(problem.header, tally), where=problem.where))
        return tuple(shown)

    def _wanted(self) -> tuple[list[Rule], list[Correlation]]:
        """What must run: all that was asked for, and what correlations among it read."""
        correlations = [item for item in self.rule_set.correlations if item.header.rule_id not in self.left_out]
        needed = {rule_id for item in correlations for rule_id in item.rules}
        for item in reversed(self.rule_set.correlations):  # each comes after those that it reads
            if item.header.rule_id in needed:
                needed.update(item.rules)
        return (
            [
                rule
                for rule in self.rule_set.rules
                if rule.header.rule_id not in self.left_out or rule.header.rule_id in needed
            ],
            [
                item
                for item in self.rule_set.correlations
                if item.header.rule_id not in self.left_out or item.header.rule_id in needed
            ],
        )

    def _applicable(self, rules: Sequence[Rule], catalogue: Catalogue) -> list[Rule]:
        """Those whose log source the case has and that can be asked; the others are tallied."""
        why = {
            source: self._why_not_here(source)
            for source in dict.fromkeys(rule.source for rule in rules)
            if not any(catalogue.kinds_of(place) for place in self.sources.places_of(source))
        }
        for rule in rules:
            if rule.source in why:
                self._tallies[rule.header.rule_id] = _Tally(state="not applicable", reason=why[rule.source])
        found = [rule for rule in rules if rule.source not in why]
        refused = refused_rules(self.connection, found)
        for rule_id, reason in refused.items():
            self._tallies[rule_id] = _Tally(state="failed", reason=reason)
        return [rule for rule in found if rule.header.rule_id not in refused]

    def _slices(self, catalogue: Catalogue) -> Iterator[tuple[int, int]]:
        """First and last event_key of each."""
        [row] = self.connection.execute("SELECT coalesce(max(event_key), 0) FROM event").fetchall()
        last = int(row[0])
        size = min(self.slice_events, max(1, last * _SLICE_BYTES // max(1, catalogue.size)))
        for first in range(1, last + 1, size):
            yield first, min(first + size - 1, last)

    def _create(
        self, tables: Mapping[str, Table], first: int, last: int, rules: Sequence[Rule]
    ) -> dict[str, frozenset[int | None]]:
        """Makes the tables of a slice; the event ids that each has. Where one cannot be made, its rules have failed."""
        found = dict.fromkeys(tables, frozenset[int | None]())

        def create(table: Table) -> None:
            own = [rule for rule in rules if rule.source == table.source]
            with self._failing(own, "its log source cannot be read: "):
                found[table.name] = table.create(self.connection.cursor(), first, last)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(create, tables.values()))
        return found

    def _slice_findings(
        self, engine: Engine, runner: CorrelationRunner, work: Sequence[tuple[Rule, Table]]
    ) -> Iterator[Finding]:
        tables = {rule.header.rule_id: table for rule, table in work}
        for table, own in groupby(engine.run(work), key=lambda hits: tables[hits.rule.header.rule_id]):
            for found in _together(self._shown_hits(runner, table, own)):
                yield from self._findings(table, found)

    def _shown_hits(
        self, runner: CorrelationRunner, table: Table, found: Iterable[Hits]
    ) -> Iterator[tuple[Rule, pa.Array]]:
        """The hits of rules that have some and are shown; correlations take them all."""
        for hits in found:
            tally = self._tally(hits.rule)
            tally.seconds += hits.seconds
            if hits.keys is None:
                tally.state, tally.reason = "failed", hits.error
            elif len(hits.keys):
                with self._failing([hits.rule]):
                    runner.take(hits.rule, table, hits.keys)
                    if self._is_shown(hits.rule):
                        tally.findings += len(hits.keys)
                        yield hits.rule, hits.keys

    def _findings(self, table: Table, found: Sequence[tuple[Rule, pa.Array]]) -> Iterator[Finding]:
        if len(found) == 1:
            with self._failing([found[0][0]]):
                yield from findings_of(self.connection, table, found)
            return
        try:
            yield from list(findings_of(self.connection, table, found))
        except NOT_THE_RULES_FAULT:
            raise
        except duckdb.Error:  # of one of them
            for item in found:
                yield from self._findings(table, [item])

    @contextmanager
    def _failing(self, rules: Iterable[Rule], what: str = "") -> Iterator[None]:
        """What DuckDB says against these rules inside is how they end."""
        try:
            yield
        except NOT_THE_RULES_FAULT:
            raise
        except duckdb.Error as error:
            for rule in rules:
                tally = self._tally(rule)
                tally.state, tally.reason = "failed", what + rule_error(error)

    def _correlation_findings(
        self, runner: CorrelationRunner, number: int, correlation: Correlation
    ) -> Iterator[Finding]:
        tally = self._tally(correlation)
        below = [self._tallies.get(rule_id, _Tally()) for rule_id in correlation.rules]
        if failed := next((item for item in below if item.state == "failed"), None):
            tally.state, tally.reason = "failed", f"a rule that it names failed: {failed.reason}"
        elif all(item.state == "not applicable" for item in below):
            tally.state, tally.reason = "not applicable", "none of its rules is applicable here"
        else:
            for finding in runner.findings(number):
                if self._is_shown(correlation):
                    tally.findings += 1
                    yield finding

    def _tally(self, item: Rule | Correlation) -> _Tally:
        return self._tallies.setdefault(item.header.rule_id, _Tally())

    def _is_shown(self, item: Rule | Correlation) -> bool:
        return item.header.rule_id not in self.left_out | self._hidden

    def _why_not_here(self, source: LogSource) -> str:
        if self.sources.places_of(source):
            return f"the case has no events of its log source ({source})"
        if (source.product or "windows").lower() != "windows":
            return f"its log source is not of Windows ({source})"
        return f"no log is known for its log source ({source}); see --explain-logsource"


def _together(found: Iterable[tuple[Rule, pa.Array]]) -> Iterator[list[tuple[Rule, pa.Array]]]:
    """Rules with few hits as batches, of which the findings are asked for in one query; others by themselves."""
    waiting: list[tuple[Rule, pa.Array]] = []
    for rule, keys in found:
        if len(keys) > FEW_HITS:
            yield [(rule, keys)]
            continue
        waiting.append((rule, keys))
        if len(waiting) == BATCH_RULES:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _can_be_here(rule: Rule, event_ids: frozenset[int | None]) -> bool:
    wanted = event_ids_of(rule.condition)
    return wanted is None or not wanted.isdisjoint(event_ids)


def _run(header: RuleHeader, tally: _Tally) -> RuleRun:
    return RuleRun(
        detection_id=header.rule_id,
        title=header.title,
        level=header.level,
        sha256=header.sha256,
        state=tally.state,
        findings=tally.findings if tally.state == "ran" else None,
        reason=tally.reason,
        about=about(header),
        seconds=tally.seconds,
        where=f"{header.path}:{header.line}",
    )
