"""What every run is recorded with, the manifest of a case, and the limits that all commands share."""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import duckdb

from evtxhunt.case_file import closing_case, connect_case
from evtxhunt.detect import ask

# Enough for DuckDB's sorts and joins on millions of events; beyond it DuckDB spills to disk beside the case.
DEFAULT_MEMORY_LIMIT = "1GB"
# An ingest streams: more memory makes it no faster (measured from 400 MB to 1 GB).
INGEST_MEMORY_LIMIT = "512MB"


def versions() -> dict[str, str]:
    """Of everything that shapes a result."""
    names = ("evtxhunt", "evtx", "duckdb", "pyarrow")
    return {name: version(name) for name in names} | {"python": platform.python_version()}


# The sections of a manifest in their order: name, SQL in a fixed order, whether it is one object and no list of them.
_SECTIONS = (
    (
        "case",
        "SELECT schema_version, created_by,"
        " (SELECT arg_max(rule_set_sha256, run_id) FROM run WHERE rule_set_sha256 IS NOT NULL) AS rule_set_sha256"
        " FROM case_info",
        True,
    ),
    (
        "counts",
        """
        WITH counted(what, state, number) AS (
            SELECT 'logs', status, count(*) FROM source_file GROUP BY ALL
            UNION ALL SELECT 'events', origin, count(*) FROM event GROUP BY ALL
            UNION ALL SELECT 'parse_failures', scope, count(*) FROM parse_failure GROUP BY ALL
            -- Without what differs from file to file: 'unreadable: ...', 'the same file as ...'.
            UNION ALL SELECT 'skipped_files', regexp_replace(reason, '(: | as ).*', '', 's'), count(*)
                FROM skipped_file GROUP BY ALL
            UNION ALL SELECT 'findings', level, count(*) FROM finding GROUP BY ALL
            UNION ALL SELECT 'records', unnest(['expected', 'parsed', 'rescued', 'failed', 'duplicate']),
                unnest([sum(expected), sum(parsed), sum(rescued), sum(failed), sum(duplicate)])
                FROM source_file WHERE copy_of IS NULL
        )
        SELECT coalesce(COLUMNS(* EXCLUDE (one)), MAP {}) FROM (
            SELECT 1 AS one, what, map(list(state ORDER BY state), list(number ORDER BY state)) AS states
            FROM (SELECT what, state, number::BIGINT AS number FROM counted) GROUP BY what
        ) PIVOT (
            any_value(states) FOR what IN ('events', 'findings', 'logs', 'parse_failures', 'records', 'skipped_files')
        )
        """,
        True,
    ),
    (
        "inputs",
        "SELECT source_file_id, * EXCLUDE (source_file_id) FROM source_file ORDER BY path, source_file_id",
        False,
    ),
    ("skipped", "SELECT path, reason, size FROM skipped_file ORDER BY path", False),
    (
        "runs",
        "SELECT run_id, command, arguments, versions, rule_set_sha256, ended_at IS NOT NULL AS is_finished"
        " FROM run ORDER BY run_id",
        False,
    ),
    ("wall_clock_of_runs", "SELECT run_id, started_at, ended_at FROM run ORDER BY run_id", False),
)
_JSON_COLUMNS = ("arguments", "versions")  # texts of table run

Section = tuple[str, bool, tuple[str, ...], Iterator[tuple[object, ...]]]


@contextmanager
def open_manifest(case: Path, *, memory_limit: str = DEFAULT_MEMORY_LIMIT) -> Iterator[Iterator[Section]]:
    """What the case was made from and by, as sections to be read one after the other.

    Each has a name, whether it is one row by nature, columns, and rows in a fixed order. All wall-clock times are in
    the last one: they are what table run stored, so that the same case gives the same. Raises CaseError, QueryError.
    """
    connection = connect_case(case, memory_limit)
    with closing_case(connection, case, "read"):
        yield _sections(connection)


def _sections(connection: duckdb.DuckDBPyConnection) -> Iterator[Section]:
    for name, sql, is_one in _SECTIONS:
        with ask(connection, sql, None, None) as rows:
            columns = rows.columns
            texts = [index for index, column in enumerate(columns) if column in _JSON_COLUMNS]
            yield name, is_one, columns, (_with_json(row, texts) for row in rows)


def _with_json(row: tuple[object, ...], texts: list[int]) -> tuple[object, ...]:
    return tuple(json.loads(str(value)) if index in texts else value for index, value in enumerate(row))
