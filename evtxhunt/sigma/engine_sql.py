"""The plain way to run rules, and the measure for every other: one query a rule on the table of its log source."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

import duckdb
import pyarrow as pa

from evtxhunt.case_file import DISK_ERRORS, deadline
from evtxhunt.errors import QueryTimeoutError, RulesError
from evtxhunt.sigma.model import Rule
from evtxhunt.sigma.sql import predicate_sql
from evtxhunt.sigma.tables import Table


@dataclass(frozen=True, slots=True)
class Hits:
    """What one rule found in the current slice of its table; keys is an Arrow array of event_key, ascending."""

    rule: Rule
    keys: pa.Array | None
    error: str | None
    seconds: float


class SqlEngine:
    """Runs rules on tables that the connection's database has, with as many cursors as there are processors."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, timeout_seconds: float | None) -> None:
        self._cursors: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
        self._all = [connection.cursor() for _ in range(max(1, min(4, os.cpu_count() or 1)))]
        for cursor in self._all:
            self._cursors.put(cursor)
        self._timeout = timeout_seconds

    def run(self, work: Sequence[tuple[Rule, Table]]) -> Iterator[Hits]:
        """The hits of each rule, in the order of `work`. A rule that fails is a result and not raised."""
        pool = ThreadPoolExecutor(len(self._all))
        try:
            yield from pool.map(lambda item: self._run_rule(*item), work)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for cursor in self._all:
                cursor.interrupt()
            pool.shutdown(wait=True)

    def _run_rule(self, rule: Rule, table: Table) -> Hits:
        started = time.perf_counter()
        keys, error = None, None
        with self._cursor() as cursor:
            try:
                condition = predicate_sql(rule.condition, table.columns)
                sql = f"SELECT event_key FROM {table.name} WHERE {condition} ORDER BY event_key"
                with deadline(cursor, self._timeout):
                    # Not as Arrow: that plans the query twice, and most rules find little.
                    keys = pa.array([row[0] for row in cursor.execute(sql).fetchall()], pa.int64())
            except (RulesError, QueryTimeoutError) as failure:
                error = str(failure)
            except DISK_ERRORS:  # the disk's fault and not the rule's
                raise
            except duckdb.Error as failure:
                error = rule_error(failure)
        return Hits(rule, keys, error, time.perf_counter() - started)

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._cursors.get()
        try:
            yield cursor
        finally:
            self._cursors.put(cursor)


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
