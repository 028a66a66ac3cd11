"""Hits -> findings: which fields of the event made a rule fire, with their values."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import duckdb
import pyarrow as pa

from evtxhunt.model import Finding
from evtxhunt.sigma.model import Rule, RuleHeader
from evtxhunt.sigma.predicate import Any, Exists, Leaf, Null, Reference, leaves
from evtxhunt.sigma.sql import Column, is_folded, predicate_sql, quote, value_sql
from evtxhunt.sigma.tables import Table

_BATCH_ROWS = 2048
FEW_HITS = 100  # named in the query itself, which a third of its time goes to otherwise
_LONGEST_VALUE = 1_000  # characters of a value in `details`; the event has all of it
_LONGEST_SHOWN = 160  # in a summary
_MOST_SHOWN = 4  # fields in a summary
_ALL_VALUES = "any value"  # stands for the field of keywords


def findings_of(
    connection: duckdb.DuckDBPyConnection, table: Table, found: Sequence[tuple[Rule, pa.Array]]
) -> Iterator[Finding]:
    """A finding for each of the rules' hits, in their order; the table must still hold their slice.

    A rule with more than FEW_HITS is to be the only one.
    """
    matched = [
        {field or _ALL_VALUES: sql for field, sql in _matched_sql(rule, table.columns).items()} for rule, _ in found
    ]
    large = next((keys for _, keys in found if len(keys) > FEW_HITS), None)  # then it is the only one
    if large is not None:
        connection.register("hit_keys", pa.table({"event_key": large}))
    sql = " UNION ALL ".join(
        f"SELECT {number} AS number, event_key, event_time, host, computer, user_name,"
        f" [{', '.join(values.values())}]::VARCHAR[] FROM {table.name}"
        f" WHERE event_key IN ({'FROM hit_keys' if large is not None else ', '.join(map(str, keys.to_pylist()))})"
        for number, (values, (_, keys)) in enumerate(zip(matched, found, strict=True))
    )
    cited = [citation(rule.header) for rule, _ in found]
    try:
        rows = connection.execute(f"{sql} ORDER BY number, event_key")
        while batch := rows.fetchmany(_BATCH_ROWS):
            for number, event_key, event_time, host, computer, user_name, values in batch:
                shown = {name: value for name, value in zip(matched[number], values, strict=True) if value is not None}
                yield make_finding(
                    found[number][0].header, cited[number], event_time, host, computer, user_name, shown, (event_key,)
                )
    finally:
        if large is not None:
            connection.unregister("hit_keys")


def make_finding(
    header: RuleHeader,
    cited: dict[str, object],
    event_time: datetime | None,
    host: str | None,
    computer: str | None,
    user_name: str | None,
    matched: Mapping[str, str],
    evidence: tuple[int, ...],
    summary: str | None = None,
) -> Finding:
    """A finding that cites its rule (`citation`); without a summary it is made of what matched."""
    return Finding(
        detection_id=header.rule_id,
        title=header.title,
        level=header.level,
        attack=header.attack,
        event_time=event_time,
        host=host,
        computer=computer,
        user_name=user_name,
        summary=summary or _summary(header, matched),
        evidence=evidence,
        details={"matched": dict(matched), "rule": cited},
    )


def citation(header: RuleHeader) -> dict[str, object]:
    """What to name when the rule's result is shown."""
    return {
        "file": header.file,
        "sha256": header.sha256,
        "author": header.author,
        "status": header.status,
        "licence": header.licence,
    }


def _summary(header: RuleHeader, matched: Mapping[str, str]) -> str:
    shown = [f"{name}: {excerpt(value, _LONGEST_SHOWN)}" for name, value in matched.items()]
    more = f"; and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
    said = "; ".join(shown[:_MOST_SHOWN]) + more
    return f"{header.title}: {said}" if said else f"{header.title}: by what the event lacks"


def excerpt(text: str, length: int) -> str:
    """Log text in one line, cut at so many characters."""
    line = " ".join(text[: length + 1].split())
    return line if len(text) <= length else line[:length] + "…"


def _matched_sql(rule: Rule, columns: Mapping[str | None, Column]) -> dict[str | None, str]:
    """Field -> SQL of its value where it fulfils something that the rule asks for, else NULL; in the rule's order."""
    by_field: dict[str | None, list[Leaf]] = {}
    for leaf in leaves(rule.condition, positive_only=True):
        by_field.setdefault(leaf.field, []).append(leaf)
    return {field: _value_sql(columns[field], own, columns) for field, own in by_field.items()}


def _value_sql(column: Column, own: list[Leaf], columns: Mapping[str | None, Column]) -> str:
    if column.is_list:
        about_values = [
            value_sql(leaf, "lower(x)" if is_folded(leaf) else "x") for leaf in own if _is_about_value(leaf)
        ]
        if not about_values:
            return "NULL"
        found = f"list_filter({column.original}, lambda x: {' OR '.join(f'({sql})' for sql in about_values)})"
        return f"nullif(left(array_to_string({found}, {quote(' | ')}), {_LONGEST_VALUE}), '')"
    return f"CASE WHEN {predicate_sql(Any(tuple(own)), columns)} THEN left({column.original}, {_LONGEST_VALUE}) END"


def _is_about_value(leaf: Leaf) -> bool:
    return not isinstance(leaf, Reference | Null | Exists)


def about(header: RuleHeader) -> dict[str, object]:
    """What a reader needs to judge the rule, as JSON holds it."""
    return citation(header) | {
        "description": header.description,
        "false_positives": list(header.false_positives),
        "references": list(header.references),
        "attack": list(header.attack),
        "text": header.text,
    }
