"""Runs a set of rules on a case: in slices of events, so that memory does not follow the case."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import duckdb

from evtxhunt.case_file import DISK_ERRORS
from evtxhunt.model import Finding, OnStep, RuleRun, RuleState, no_step
from evtxhunt.sigma.candidates import CANDIDATES, Proposer
from evtxhunt.sigma.catalogue import Catalogue, choose_events, read_catalogue
from evtxhunt.sigma.correlation import CorrelationRunner, fields_read
from evtxhunt.sigma.engine_sql import Hits, rule_error
from evtxhunt.sigma.findings import about, findings_of
from evtxhunt.sigma.logsource import LogSources
from evtxhunt.sigma.model import Correlation, LogSource, Rule, RuleHeader, RuleSet
from evtxhunt.sigma.sql import MACROS_SQL
from evtxhunt.sigma.tables import Table, plan_tables

# Events whose fields are held at once, twice: as written and in lower case.
SLICE_EVENTS = 250_000


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


# The disk's or the memory's, or someone's who pressed Ctrl-C: these end the run.
_NOT_THE_RULES_FAULT = (*DISK_ERRORS, duckdb.OutOfMemoryException, duckdb.InterruptException)
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
        proposer = self.make_proposer(self.connection, catalogue, self.sources, rules) if self.make_proposer else None
        plain = [rule for rule in rules if proposer is None or rule.header.rule_id in proposer.plain]
        helped = [rule for rule in rules if proposer is not None and rule.header.rule_id not in proposer.plain]
        tables = plan_tables(catalogue, self.sources, plain, further)
        few = plan_tables(catalogue, self.sources, helped, further, CANDIDATES, "sigma_few")
        of_rule = {rule.header.rule_id: tables.get(rule.source) for rule in plain}
        of_rule |= {rule.header.rule_id: few.get(rule.source) for rule in helped}
        work: list[tuple[Rule, Table]] = []
        for rule in rules:
            if table := of_rule[rule.header.rule_id]:
                work.append((rule, table))
            else:
                self._tallies[rule.header.rule_id] = _Tally(
                    state="not applicable", reason=self._why_not_here(rule.source)
                )
        runner = CorrelationRunner(self.connection, correlations)
        engine = self.make_engine(self.connection)
        for first, last in self._slices():
            self.on_step(f"events {first:,} to {last:,}")
            asked = proposer.plain | proposer.propose(first, last) if proposer else of_rule.keys()
            runnable = [
                (rule, table)
                for rule, table in work
                if rule.header.rule_id in asked and self._tally(rule).state == "ran"
            ]
            needed = {table.name: table for _, table in runnable}
            filled = {name for name, table in needed.items() if self._create(table, first, last, rules)}
            yield from self._slice_findings(engine, runner, [item for item in runnable if item[1].name in filled])
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

    def _slices(self) -> Iterator[tuple[int, int]]:
        [row] = self.connection.execute("SELECT coalesce(max(event_key), 0) FROM event").fetchall()
        for first in range(1, int(row[0]) + 1, self.slice_events):
            yield first, min(first + self.slice_events - 1, int(row[0]))

    def _create(self, table: Table, first: int, last: int, rules: Sequence[Rule]) -> bool:
        """Makes the table of a slice; says whether it has events. If it cannot be made, its rules have failed."""
        try:
            return table.create(self.connection, first, last) > 0
        except _NOT_THE_RULES_FAULT:
            raise
        except duckdb.Error as error:
            for rule in rules:
                if rule.source == table.source:
                    tally = self._tally(rule)
                    tally.state, tally.reason = "failed", f"its log source cannot be read: {rule_error(error)}"
            return False

    def _slice_findings(
        self, engine: Engine, runner: CorrelationRunner, work: Sequence[tuple[Rule, Table]]
    ) -> Iterator[Finding]:
        by_id = {rule.header.rule_id: table for rule, table in work}
        for hits in engine.run(work):
            rule, tally = hits.rule, self._tally(hits.rule)
            tally.seconds += hits.seconds
            if hits.keys is None:
                tally.state, tally.reason = "failed", hits.error
            elif len(hits.keys):
                table = by_id[rule.header.rule_id]
                try:
                    runner.take(rule, table, hits.keys)
                    if self._is_shown(rule):
                        tally.findings += len(hits.keys)
                        yield from findings_of(self.connection, rule, table, hits.keys)
                except _NOT_THE_RULES_FAULT:
                    raise
                except duckdb.Error as error:
                    tally.state, tally.reason = "failed", rule_error(error)

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
