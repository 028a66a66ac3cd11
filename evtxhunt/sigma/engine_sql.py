"""Asks rules by SQL: one query a rule on the table of its log source, the measure for every other way, or several."""

import os
import time
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from queue import SimpleQueue

import duckdb
import pyarrow as pa

from evtxhunt.case_file import DISK_ERRORS, deadline
from evtxhunt.errors import QueryTimeoutError, RulesError
from evtxhunt.sigma.model import Rule
from evtxhunt.sigma.predicate import Regex, leaves
from evtxhunt.sigma.sql import check_supported, predicate_sql, quote
from evtxhunt.sigma.tables import Table

# Rules that are asked in one query. More of them save little.
BATCH_RULES = 24
# The disk's or the memory's, or someone's who pressed Ctrl-C: these end the run.
NOT_THE_RULES_FAULT = (*DISK_ERRORS, duckdb.OutOfMemoryException, duckdb.InterruptException)
_ROWS = 2_048


@dataclass(frozen=True, slots=True)
class Hits:
    """What one rule found in the current slice of its table; keys is an Arrow array of event_key, ascending."""

    rule: Rule
    keys: pa.Array | None
    error: str | None
    seconds: float  # of rules asked in one query each has an equal part


class SqlEngine:
    """Runs rules on tables that the connection's database has, with as many cursors as there are processors.

    With `batch` > 1 so many rules of a table are asked in one query, which is planned in half the time; one that fails
    is then asked rule by rule.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, timeout_seconds: float | None, *, batch: int = 1) -> None:
        self._cursors: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
        self._all = [connection.cursor() for _ in range(max(1, min(4, os.cpu_count() or 1)))]
        for cursor in self._all:
            self._cursors.put(cursor)
        self._timeout = timeout_seconds
        self._batch = batch

    def run(self, work: Sequence[tuple[Rule, Table]]) -> Iterator[Hits]:
        """The hits of each rule, in the order of `work`. A rule that fails is a result and not raised."""
        batches = [
            (table, [rule for rule, _ in own[start : start + self._batch]])
            for table, own in ((table, list(items)) for table, items in groupby(work, key=itemgetter(1)))
            for start in range(0, len(own), self._batch)
        ]
        pool = ThreadPoolExecutor(len(self._all))
        try:
            for hits in pool.map(lambda item: self._run_rules(*item), batches):
                yield from hits
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for cursor in self._all:
                cursor.interrupt()
            pool.shutdown(wait=True)

    def _run_rules(self, table: Table, rules: Sequence[Rule]) -> list[Hits]:
        started = time.perf_counter()
        error = None
        found = [array("q") for _ in rules]
        with self._cursor() as cursor:
            try:
                sql = " UNION ALL ".join(
                    f"SELECT {number} AS number, event_key FROM {table.name}"
                    f" WHERE {predicate_sql(rule.condition, table.columns)}"
                    for number, rule in enumerate(rules)
                )
                with deadline(cursor, self._timeout):
                    # Not as Arrow: that plans the query twice, and most rules find little.
                    rows = cursor.execute(f"{sql} ORDER BY ALL")
                    while some := rows.fetchmany(_ROWS):
                        for number, key in some:
                            found[number].append(key)
            except (RulesError, QueryTimeoutError) as failure:
                error = str(failure)
            except NOT_THE_RULES_FAULT:
                raise
            except duckdb.Error as failure:
                error = rule_error(failure)
        if error is not None and len(rules) > 1:
            return [hits for rule in rules for hits in self._run_rules(table, [rule])]
        seconds = (time.perf_counter() - started) / len(rules)
        return [
            Hits(rule, None if error else pa.array(keys, pa.int64()), error, seconds)
            for rule, keys in zip(rules, found, strict=True)
        ]

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._cursors.get()
        try:
            yield cursor
        finally:
            self._cursors.put(cursor)


def refused_rules(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> dict[str, str]:
    """rule_id of the rules that cannot be asked, and why: known beforehand, whatever events there are."""
    using: dict[str, set[str]] = {}
    found: dict[str, str] = {}
    for rule in rules:
        try:
            check_supported(rule.condition)
        except RulesError as error:
            found[rule.header.rule_id] = str(error)
        for leaf in leaves(rule.condition):
            if isinstance(leaf, Regex):
                using.setdefault(leaf.pattern, set()).add(rule.header.rule_id)
    return found | {rule_id: why for pattern, why in _refused(connection, list(using)) for rule_id in using[pattern]}


def _refused(connection: duckdb.DuckDBPyConnection, patterns: list[str]) -> list[tuple[str, str]]:
    """Those that are no expressions for RE2, and why. Few are, so many are tried at once."""
    try:
        tried = ", ".join(f"regexp_matches(text, {quote(pattern)})" for pattern in patterns)
        connection.execute(f"SELECT {tried or 'true'} FROM (VALUES ('')) AS v(text)")
    except duckdb.InvalidInputException as error:
        half = len(patterns) // 2
        if not half:
            return [(patterns[0], rule_error(error))]
        return _refused(connection, patterns[:half]) + _refused(connection, patterns[half:])
    return []


def rule_error(error: duckdb.Error) -> str:
    """What DuckDB says against a rule, in words about the rule. Its regular expressions are RE2's."""
    said = str(error).strip().splitlines()[0].partition(": ")[2]
    known = {
        "invalid perl operator": "its regular expression looks ahead or behind, which RE2 cannot do in bounded time",
        "invalid escape sequence": "its regular expression refers back, or has an escape that RE2 does not know",
        "invalid repetition size": "its regular expression repeats something more than 1,000 times, RE2's bound",
        "pattern too large": "its regular expression is too large for RE2",
    }
    return next((f"{text} ({said})" for start, text in known.items() if said.startswith(start)), said)
