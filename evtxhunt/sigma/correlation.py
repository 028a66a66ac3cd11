"""Correlation rules on a case: hits of their rules are kept with what the correlation reads, then put in windows."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import duckdb
import pyarrow as pa

from evtxhunt.model import Finding
from evtxhunt.sigma.findings import citation, excerpt, make_finding
from evtxhunt.sigma.model import Correlation, Rule
from evtxhunt.sigma.sql import Column
from evtxhunt.sigma.tables import Table
from evtxhunt.sigma.windows import Found, Hit, find_windows

_TABLE_SQL = """
CREATE OR REPLACE TABLE memory.sigma_hit (
    correlation INTEGER, rule_id VARCHAR, event_time TIMESTAMP, event_keys BIGINT[], groups VARCHAR[], value VARCHAR[],
    number DECIMAL(38, 9), host VARCHAR, computer VARCHAR, user_name VARCHAR
)
"""
_SHOWN_LENGTH = 80  # characters of a group's value in a summary


class CorrelationRunner:
    """Takes the hits of single rules while they are found, and gives the findings of correlations at the end."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, correlations: Sequence[Correlation]) -> None:
        self._connection = connection
        self._correlations = correlations
        self._readers: dict[str, list[int]] = {}
        for number, correlation in enumerate(correlations):
            for rule_id in dict.fromkeys(correlation.rules):
                self._readers.setdefault(rule_id, []).append(number)
        if correlations:
            connection.execute(_TABLE_SQL)

    def take(self, rule: Rule, table: Table, keys: pa.Array) -> None:
        """Keeps hits of a rule that some correlation reads; the table must still hold their slice."""
        for number in self._readers.get(rule.header.rule_id, ()):
            correlation = self._correlations[number]
            groups = [
                _text_sql(table, name) for name in _fields(correlation, rule.header.rule_id, correlation.group_by)
            ]
            values = [_text_sql(table, name) for name in _fields(correlation, rule.header.rule_id, correlation.fields)]
            value = f"[{', '.join(values)}]" if values else "NULL"
            self._connection.register("hit_keys", pa.table({"event_key": keys}))
            self._connection.execute(
                f"INSERT INTO memory.sigma_hit SELECT {number}, ?, event_time, [event_key],"
                f" [{', '.join(groups)}]::VARCHAR[],"
                f" {value}::VARCHAR[], {f'sigma_number({values[0]})' if len(values) == 1 else 'NULL'}, host, computer,"
                f" user_name FROM {table.name} JOIN hit_keys USING (event_key) WHERE event_time IS NOT NULL",
                [rule.header.rule_id],
            )
            self._connection.unregister("hit_keys")

    def findings(self, number: int) -> Iterator[Finding]:
        """Of one correlation, by groups and time; an event that lacks a field of group-by takes no part."""
        correlation = self._correlations[number]
        feeds = self._readers.get(correlation.header.rule_id, ())
        # A cursor of its own: findings are fed to later correlations while this one is read.
        rows = self._connection.cursor().execute(
            "SELECT list_transform(groups, lambda x: lower(x)) AS folded, groups, rule_id, event_time, event_keys,"
            " list_transform(value, lambda x: lower(x)), number, host, computer, user_name FROM memory.sigma_hit"
            " WHERE correlation = ? AND len(list_filter(groups, lambda x: x IS NULL)) = 0"
            " ORDER BY folded, event_time, event_keys, rule_id",
            [number],
        )
        for _, group in groupby(_rows(rows), key=lambda row: row[0]):
            for found in find_windows(correlation, map(_hit, group)):
                finding = _finding(correlation, found)
                self._feed(feeds, correlation, finding, found.hits[-1])
                yield finding

    def _feed(self, readers: Iterable[int], source: Correlation, finding: Finding, last: Hit) -> None:
        """Makes a finding a hit of the correlations that read its rule; it has the fields that it was grouped by."""
        fields = dict(zip(source.group_by, last.groups, strict=True))
        for number in readers:
            correlation = self._correlations[number]
            own = [fields.get(name) for name in _fields(correlation, source.header.rule_id, correlation.group_by)]
            values = [fields.get(name) for name in _fields(correlation, source.header.rule_id, correlation.fields)]
            self._connection.execute(
                "INSERT INTO memory.sigma_hit VALUES (?, ?, ?, ?, ?, ?, sigma_number(?), ?, ?, ?)",
                [
                    number,
                    source.header.rule_id,
                    last.time,
                    list(finding.evidence),
                    own,
                    values or None,
                    values[0] if len(values) == 1 else None,
                    finding.host,
                    finding.computer,
                    finding.user_name,
                ],
            )


def fields_read(correlations: Iterable[Correlation]) -> dict[str, set[str]]:
    """rule_id -> the fields of its events that correlations read besides those that the rule itself reads."""
    found: dict[str, set[str]] = {}
    for correlation in correlations:
        for rule_id in correlation.rules:
            names = _fields(correlation, rule_id, (*correlation.group_by, *correlation.fields))
            found.setdefault(rule_id, set()).update(names)
    return found


def _fields(correlation: Correlation, rule_id: str, names: Sequence[str]) -> list[str]:
    """What the rule's events call these fields."""
    aliases = {alias: dict(mapping) for alias, mapping in correlation.aliases}
    return [aliases.get(name, {}).get(rule_id, name) for name in names]


def _text_sql(table: Table, name: str) -> str:
    column: Column = table.columns[name]
    return f"array_to_string({column.original}, ' | ')" if column.is_list else column.original


def _rows(rows: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := rows.fetchmany(2048):
        yield from batch


def _hit(row: tuple[Any, ...]) -> Hit:
    _, groups, rule_id, time, keys, value, number, host, computer, user_name = row
    known = None if value is None or None in value else tuple(value)
    return Hit(rule_id, time, tuple(keys), known, number, tuple(groups), host, computer, user_name)


def _finding(correlation: Correlation, found: Found) -> Finding:
    first, last = found.hits[0], found.hits[-1]
    groups = dict(zip(correlation.group_by, last.groups, strict=True))
    measure = format(found.measure.normalize(), "f")
    number = f"{len(found.hits):,} hit{'' if len(found.hits) == 1 else 's'}"
    summary = (
        f"{correlation.header.title}: {number} from {_time(first)} to {_time(last)},"
        f" {correlation.kind} {measure} within {correlation.window_seconds} s"
    ) + "".join(f"; {name}: {excerpt(value, _SHOWN_LENGTH)}" for name, value in groups.items())
    return make_finding(
        correlation.header,
        citation(correlation.header),
        first.time,
        last.host,
        last.computer,
        last.user_name,
        groups | {correlation.kind: measure},
        tuple(sorted({key for hit in found.hits for key in hit.event_keys})),
        summary,
    )


def _time(hit: Hit) -> str:
    return f"{hit.time:%Y-%m-%d %H:%M:%S}Z"
