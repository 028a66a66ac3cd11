"""Case against evidence: hashes every log again, counts the case again, and names what differs."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from evtxhunt.case_file import DISK_ERRORS, closing_case, connect_case, damaged_case
from evtxhunt.chunk_reader import MOST_LISTED
from evtxhunt.detect import RowStream, ask
from evtxhunt.discover import is_content, path_of
from evtxhunt.pipeline.contained import Containers
from evtxhunt.pipeline.ingest import IngestProgress, SilentProgress
from evtxhunt.pipeline.manifest import DEFAULT_MEMORY_LIMIT
from evtxhunt.pipeline.verify_members import StoredMember, compare_members

_BLOCK_BYTES = 2**20
_LOGS_SQL = """
    SELECT container, path, size, sha256 FROM source_file ORDER BY container NULLS FIRST, path, source_file_id
"""
_COUNTS_SQL = """
    SELECT (SELECT count(*) FROM event),
        (SELECT coalesce(sum(failed), 0)::BIGINT FROM source_file WHERE copy_of IS NULL),
        (SELECT count(*) FROM finding), (SELECT count(*) FROM finding_evidence)
"""
# Each gives (what, file, stored, now) where the case does not agree with itself. What is said of one log comes from
# its accounts, as events or, where another log has the event, as rows of event_copy; a copy has its original's
# accounts, and all its records are rows of event_copy.
_CHECKS_SQL = f"""
WITH held AS (
    SELECT source_file_id, count(*) AS events FROM event GROUP BY ALL
),
failing AS (
    SELECT source_file_id, count(*) AS failures, count(*) FILTER (scope = 'record') AS records
    FROM parse_failure GROUP BY ALL
),
copied AS (SELECT source_file_id, count(*) AS events FROM event_copy GROUP BY ALL),
log AS (
    SELECT source_file.* REPLACE (concat_ws('!', container, path) AS path),
        parsed + rescued + coalesce(slack, 0) + coalesce(carved, 0) AS rendered,
        coalesce(held.events, 0) AS events, coalesce(failures, 0) AS failures,
        coalesce(records, 0) AS failed_records, coalesce(copied.events, 0) AS copied_events
    FROM source_file LEFT JOIN held USING (source_file_id) LEFT JOIN failing USING (source_file_id)
    LEFT JOIN copied USING (source_file_id)
),
original AS (FROM log WHERE copy_of IS NULL),
twin AS (
    SELECT log.*, original.source_file_id AS original_id, original.rendered AS original_rendered,
        original.sha256 AS original_sha256, original.size AS original_size,
        concat_ws(' + ', original.parsed, original.rescued, original.failed) AS original_accounts
    FROM log LEFT JOIN original ON original.source_file_id = log.copy_of WHERE log.copy_of IS NOT NULL
)
SELECT 'records: expected against parsed + rescued + failed' AS what, path AS file, expected::VARCHAR AS stored,
    (parsed + rescued + failed)::VARCHAR AS now
FROM original WHERE expected IS DISTINCT FROM parsed + rescued + failed
UNION ALL
SELECT 'records: rendered against events + copies', path, rendered::VARCHAR, concat_ws(' + ', events, copied_events)
FROM original WHERE rendered IS DISTINCT FROM events + copied_events
UNION ALL
SELECT 'records: duplicate against event_copy', path, duplicate::VARCHAR, copied_events::VARCHAR
FROM original WHERE duplicate IS DISTINCT FROM copied_events
UNION ALL
SELECT 'records: failed against those listed in parse_failure', path, least(failed, {MOST_LISTED})::VARCHAR,
    failed_records::VARCHAR
FROM original WHERE least(failed, {MOST_LISTED}) IS DISTINCT FROM failed_records
UNION ALL
SELECT 'status against parse_failure', path, status, CASE WHEN failures = 0 THEN 'complete' ELSE 'damaged' END
FROM original WHERE status IS DISTINCT FROM CASE WHEN failures = 0 THEN 'complete' ELSE 'damaged' END
UNION ALL
SELECT 'copy: its original is not there', path, copy_of::VARCHAR, NULL FROM twin WHERE original_id IS NULL
UNION ALL
SELECT 'copy: SHA-256 and size against its original', path, concat_ws(' ', sha256, size),
    concat_ws(' ', original_sha256, original_size)
FROM twin WHERE original_id IS NOT NULL AND (sha256, size) IS DISTINCT FROM (original_sha256, original_size)
UNION ALL
SELECT 'copy: accounts against its original', path, concat_ws(' + ', parsed, rescued, failed), original_accounts
FROM twin WHERE original_id IS NOT NULL AND concat_ws(' + ', parsed, rescued, failed) <> original_accounts
UNION ALL
SELECT 'copy: records of its original against event_copy', path, original_rendered::VARCHAR, copied_events::VARCHAR
FROM twin WHERE original_id IS NOT NULL AND original_rendered <> copied_events
UNION ALL
SELECT 'findings of ' || detection_run.detection_id, NULL, findings::VARCHAR, count(finding_id)::VARCHAR
FROM detection_run LEFT JOIN finding USING (detection_id)
WHERE findings IS NOT NULL GROUP BY ALL HAVING findings <> count(finding_id)
UNION ALL
SELECT 'event_key: rows of event against different keys', NULL, count(*)::VARCHAR, count(DISTINCT event_key)::VARCHAR
FROM event HAVING count(*) <> count(DISTINCT event_key)
"""
# Rows that must point to rows of another table: table, column, that table, its column.
_REFERENCES = (
    ("event", "source_file_id", "source_file", "source_file_id"),
    ("parse_failure", "source_file_id", "source_file", "source_file_id"),
    ("event_copy", "source_file_id", "source_file", "source_file_id"),
    ("event_copy", "event_key", "event", "event_key"),
    ("event_conflict", "event_key", "event", "event_key"),
    ("event_conflict", "other_event_key", "event", "event_key"),
    ("recovered_record", "event_key", "event", "event_key"),
    ("recovered_record", "source_file_id", "source_file", "source_file_id"),
    ("record_span", "source_file_id", "source_file", "source_file_id"),
    ("finding_evidence", "event_key", "event", "event_key"),
    ("finding_evidence", "finding_id", "finding", "finding_id"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as the case has it. `file` None: it concerns the case as a whole; `now` None: there is none."""

    what: str
    file: str | None
    stored: str | None
    now: str | None


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, and every difference: those of the evidence by path, then those inside the case."""

    logs: int
    size: int  # bytes, as stored
    events: int
    failed: int
    findings: int
    evidence: int
    differences: tuple[Difference, ...]


def verify(
    case: Path,
    *,
    password: str | None = None,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
    progress: IngestProgress | None = None,
) -> Verification:
    """Hashes every log of the case again, reads the case through and counts its rows again. Changes neither.

    Logs in containers are unpacked again for it; `password` opens encrypted archives.
    Events are counted, not parsed again: an unchanged SHA-256 says that what they were parsed from is the same.
    Raises CaseError, QueryError.
    """
    progress = progress or SilentProgress()
    differences: list[Difference] = []
    connection = connect_case(case, memory_limit)
    with closing_case(connection, case, "read"):
        _read_through(connection, case)
        with ask(connection, "SELECT count(*), coalesce(sum(size), 0)::BIGINT FROM source_file", None, None) as rows:
            logs, size = _numbers(rows)
        progress.start(logs, size)
        with ask(connection, _LOGS_SQL, None, None) as rows:
            members: list[StoredMember] = []
            for container, path, stored_size, sha256 in rows:
                if container is not None:
                    members.append(StoredMember(str(container), str(path), int(str(stored_size)), str(sha256)))
                    continue
                differences += _compare_file(str(path), int(str(stored_size)), str(sha256), progress)
                progress.finish_file()
        containers = Containers(case.absolute().parent, password)
        differences += [Difference(*item) for item in compare_members(members, containers, progress)]
        with ask(connection, f"FROM ({_CHECKS_SQL}) ORDER BY file NULLS LAST, what", None, None) as rows:
            differences += [_difference(row) for row in rows]
        for reference in _REFERENCES:
            with ask(connection, _dangling_sql(*reference), None, None) as rows:
                differences += [_difference(row) for row in rows]
        with ask(connection, _COUNTS_SQL, None, None) as rows:
            events, failed, findings, evidence = _numbers(rows)
    return Verification(logs, size, events, failed, findings, evidence, tuple(differences))


@contextmanager
def difference_rows(differences: Sequence[Difference]) -> Iterator[RowStream]:
    """The differences as a result to write: what, file, stored, now."""
    columns = ("what", "file", "stored", "now")
    table = pa.table({name: pa.array([getattr(item, name) for item in differences], pa.string()) for name in columns})
    with duckdb.connect() as connection:
        connection.register("difference", table)
        with ask(connection, "FROM difference", None, None) as rows:
            yield rows


def _read_through(connection: duckdb.DuckDBPyConnection, case: Path) -> None:
    """Reads every value of the case, so that DuckDB holds each block that has one against its checksum.

    Raises CaseError.
    """
    try:
        for (table,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY ALL").fetchall():
            quoted = table.replace('"', '""')
            connection.execute(f'SELECT bit_xor(hash(COLUMNS(*))) FROM "{quoted}"').fetchall()
    except (*DISK_ERRORS, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error as error:
        raise damaged_case(case, error) from error


def _compare_file(shown: str, size: int, sha256: str, progress: IngestProgress) -> list[Difference]:
    try:
        path = path_of(shown)
        if not is_content(path.stat().st_mode):
            return [Difference("file: cannot be read", shown, sha256, "not a regular file")]
        digest, found_size = _hash(path, shown, progress)
    except FileNotFoundError as error:
        return [Difference("file: gone", shown, sha256, error.strerror)]
    except OSError as error:
        return [Difference("file: cannot be read", shown, sha256, error.strerror)]
    found = []
    if found_size != size:
        found.append(Difference("file: size", shown, str(size), str(found_size)))
    if digest != sha256:
        found.append(Difference("file: SHA-256", shown, sha256, digest))
    return found


def _hash(path: Path, shown: str, progress: IngestProgress) -> tuple[str, int]:
    """SHA-256 in lower-case hex, and bytes read. Raises OSError."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            progress.advance(shown, len(block), 0)
    return digest.hexdigest(), size


def _dangling_sql(table: str, column: str, other: str, other_column: str) -> str:
    return f"""
        SELECT '{table}.{column}: rows against those whose {other} exists', NULL, any_value(total)::VARCHAR,
            (any_value(total) - count(*))::VARCHAR
        FROM (SELECT {column} AS wanted FROM {table} WHERE {column} IS NOT NULL)
            ANTI JOIN {other} ON {other}.{other_column} = wanted, (SELECT count({column}) AS total FROM {table})
        HAVING count(*) > 0
    """


def _difference(row: tuple[object, ...]) -> Difference:
    return Difference(*(None if value is None else str(value) for value in row))  # type: ignore[arg-type]  # `what` is never NULL


def _numbers(rows: RowStream) -> tuple[int, ...]:
    return tuple(int(str(value)) for value in next(iter(rows)))
