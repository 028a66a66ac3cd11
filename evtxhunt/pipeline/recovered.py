"""How results tell records from slack and carved ones, where they are counted, from those of the logs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import duckdb
import pyarrow as pa

from evtxhunt.case_file import RECOVERED
from evtxhunt.model import DetectionRun, Finding

# Columns in which a result has its records, the first of them that there is.
_KEY_COLUMNS = {"event_keys": "event_keys", "evidence": "evidence", "event_key": "[event_key]"}
_NUMBER = '"number of the row"'  # no column of a query is called so


def origins_sql(keys: str) -> str:
    """SQL for a subselect: the origins of these records as one text, such as 'live, slack'. NULL: of none.

    `keys` is a SELECT whose column event_key has them.
    """
    return f"(SELECT string_agg(DISTINCT origin, ', ' ORDER BY origin) FROM ({keys}) JOIN event USING (event_key))"


def with_origins(sql: str, columns: Sequence[str], shown: str = "*") -> str:
    """What is shown of a SELECT of these columns, and a last one `origin` unless they have it or name no records."""
    keys = next((_KEY_COLUMNS[name] for name in _KEY_COLUMNS if name in columns), None)
    if keys is None or "origin" in columns:
        return sql if shown == "*" else f"SELECT {shown} FROM ({sql})"
    shown = shown if shown != "*" else f"asked.* EXCLUDE ({_NUMBER})"
    return f"""
        WITH asked AS MATERIALIZED (SELECT row_number() OVER () AS {_NUMBER}, * FROM ({sql})),
        told AS (
            SELECT {_NUMBER}, string_agg(DISTINCT origin, ', ' ORDER BY origin) AS origin
            FROM (SELECT {_NUMBER}, unnest({keys}) AS event_key FROM asked) JOIN event USING (event_key) GROUP BY ALL
        )
        SELECT {shown}, origin FROM asked LEFT JOIN told USING ({_NUMBER}) ORDER BY {_NUMBER}
    """


def mark_findings(connection: duckdb.DuckDBPyConnection, runs: Sequence[DetectionRun]) -> list[DetectionRun]:
    """The runs with summaries that end by saying how many of a finding's records are from slack or carved."""
    found = [finding for run in runs for finding in run.findings or ()]
    marked = iter(marked_findings(connection, found))
    return [replace(run, findings=tuple(islice(marked, len(run.findings)))) if run.findings else run for run in runs]


def marked_findings(connection: duckdb.DuckDBPyConnection, findings: Sequence[Finding]) -> list[Finding]:
    """The findings with summaries that say so, in the same order."""
    keys = pa.array({key for finding in findings for key in finding.evidence}, pa.int64())
    connection.register("cited_record", pa.table({"event_key": keys}))
    origins: dict[int, str] = dict(
        connection.execute(
            f"SELECT event_key, origin FROM event SEMI JOIN cited_record USING (event_key) WHERE {RECOVERED}"
        ).fetchall()
    )
    connection.unregister("cited_record")
    return [_marked(finding, origins) for finding in findings]


def _marked(finding: Finding, origins: dict[int, str]) -> Finding:
    counts = Counter(origins[key] for key in finding.evidence if key in origins)
    if not counts:
        return finding
    words = {"slack": "from slack", "carved": "carved"}
    told = ", ".join(f"{counts[origin]} {words[origin]}" for origin in sorted(counts))
    return replace(finding, summary=f"{finding.summary}; of the records it rests on ({len(finding.evidence)}): {told}")


def counts_by_origin(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Events of the case by origin, in alphabetical order."""
    return dict(connection.execute("SELECT origin, count(*) FROM event GROUP BY origin ORDER BY origin").fetchall())
