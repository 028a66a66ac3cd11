"""The case database: only owner of its DDL and of what is written to it."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pyarrow as pa

from evtxhunt.errors import CaseError
from evtxhunt.model import ChannelCount, DetectionRun, LogAccount, ParseFailure, SkippedFile, SourceFile
from evtxhunt.resources import schema_sql

SCHEMA_VERSION = 1

# What `append_events` takes: the parser's columns and what the pipeline knows beside them.
EVENT_STREAM_SCHEMA = pa.schema(
    [
        ("event_key", pa.int64()),
        ("source_file_id", pa.int32()),
        ("host", pa.string()),
        ("header_record_id", pa.uint64()),
        ("written_filetime", pa.uint64()),
        ("record_offset", pa.int64()),
        ("record_json", pa.string()),
    ]
)

# A record's JSON as the parser writes it, as far as it becomes columns. Read as one structure because taking sixty
# paths out one by one costs half as much again (measured: 0.92 s against 0.69 s for 201 MB of logs).
_ATTRIBUTES = "#attributes"
_RECORD_STRUCTURE = {
    "Event": {
        "System": {
            "Provider": {_ATTRIBUTES: {"Name": "VARCHAR", "Guid": "VARCHAR", "EventSourceName": "VARCHAR"}},
            "EventID": "JSON",
            "Version": "INTEGER",
            "Level": "INTEGER",
            "Task": "INTEGER",
            "Opcode": "INTEGER",
            "Keywords": "VARCHAR",
            "TimeCreated": {_ATTRIBUTES: {"SystemTime": "VARCHAR"}},
            "EventRecordID": "UBIGINT",
            "Correlation": {_ATTRIBUTES: {"ActivityID": "VARCHAR", "RelatedActivityID": "VARCHAR"}},
            # All that the event schema allows: https://learn.microsoft.com/windows/win32/wes/eventschema-executiontype
            "Execution": {
                _ATTRIBUTES: {
                    "ProcessID": "UBIGINT",
                    "ThreadID": "UBIGINT",
                    "ProcessorID": "UBIGINT",
                    "SessionID": "UBIGINT",
                    "KernelTime": "UBIGINT",
                    "UserTime": "UBIGINT",
                    "ProcessorTime": "UBIGINT",
                }
            },
            "Channel": "VARCHAR",
            "Computer": "VARCHAR",
            "Security": {_ATTRIBUTES: {"UserID": "VARCHAR"}},
        },
        "EventData": "JSON",
        "UserData": "JSON",
        "RenderingInfo": "JSON",
    }
}

_GUID = "lower(replace(replace({}, '{{', ''), '}}', ''))"  # less than half the time of trim
_TEXT, _INTEGER, _HEX = "{}", "TRY_CAST({} AS INTEGER)", "TRY_CAST({} AS BIGINT)"


def _attribute(element: str, name: str) -> str:
    return f'system."{element}"."{_ATTRIBUTES}"."{name}"'


_EXECUTION = f'system."Execution"."{_ATTRIBUTES}"'

# event column -> SQL over `system`, `record` and the stream's columns.
_COLUMNS: dict[str, str] = {
    "event_key": "event_key",
    "source_file_id": "source_file_id",
    "event_record_id": 'system."EventRecordID"',
    "header_record_id": "header_record_id",
    "record_offset": "record_offset",
    "event_time": f"TRY_CAST({_attribute('TimeCreated', 'SystemTime')} AS TIMESTAMP)",
    # FILETIME counts 100 ns from 1601-01-01; 11,644,473,600 s lie before 1970.
    "written_time": "make_timestamp((written_filetime // 10)::BIGINT - 11644473600000000)",
    "origin": "'live'",
    "host": 'coalesce(host, system."Computer")',
    "computer": 'system."Computer"',
    "channel": 'system."Channel"',
    "provider": _attribute("Provider", "Name"),
    "provider_guid": _GUID.format(_attribute("Provider", "Guid")),
    "event_source_name": _attribute("Provider", "EventSourceName"),
    # A classic log's EventID has an attribute and then is an object: {"#attributes":{"Qualifiers":..},"#text":7036}.
    "event_id": """coalesce(TRY_CAST(system."EventID"::VARCHAR AS INTEGER),
        TRY_CAST(system."EventID"->>'$."#text"' AS INTEGER))""",
    "qualifiers": """CASE WHEN TRY_CAST(system."EventID"::VARCHAR AS INTEGER) IS NULL
        THEN TRY_CAST(system."EventID"->>'$."#attributes".Qualifiers' AS INTEGER) END""",
    "version": 'system."Version"',
    "level": 'system."Level"',
    "task": 'system."Task"',
    "opcode": 'system."Opcode"',
    "keywords": 'system."Keywords"',
    "user_sid": _attribute("Security", "UserID"),
    "process_id": f'{_EXECUTION}."ProcessID"',
    "thread_id": f'{_EXECUTION}."ThreadID"',
    # Two attributes are the rule and have their columns; kernel providers add the others.
    "execution_data": f"""CASE WHEN coalesce({_EXECUTION}."ProcessorID", {_EXECUTION}."SessionID",
            {_EXECUTION}."KernelTime", {_EXECUTION}."UserTime", {_EXECUTION}."ProcessorTime") IS NOT NULL
        THEN json_merge_patch('{{}}', to_json({_EXECUTION}))::VARCHAR END""",
    "activity_id": _GUID.format(_attribute("Correlation", "ActivityID")),
    "related_activity_id": _GUID.format(_attribute("Correlation", "RelatedActivityID")),
    # Records with neither keep their other children, such as WinRM 91's ProcessingErrorData.
    "event_data": """coalesce(record."EventData"::VARCHAR, record."UserData"::VARCHAR,
        CASE WHEN record."EventData" IS NULL AND record."UserData" IS NULL THEN nullif(json_merge_patch(
            json_extract(record_json, '$.Event'),
            '{"#attributes":null,"System":null,"EventData":null,"UserData":null,"RenderingInfo":null}'
        )::VARCHAR, '{}') END)""",
    "rendering_info": 'record."RenderingInfo"::VARCHAR',
}

# event column -> (EventData field, SQL over its text); the choice is explained in schema.sql.
_HOT_FIELDS: dict[str, tuple[str, str]] = {
    "target_user_name": ("TargetUserName", _TEXT),
    "target_domain_name": ("TargetDomainName", _TEXT),
    "target_user_sid": ("TargetUserSid", _TEXT),
    "target_logon_id": ("TargetLogonId", _HEX),
    "subject_user_name": ("SubjectUserName", _TEXT),
    "subject_domain_name": ("SubjectDomainName", _TEXT),
    "subject_logon_id": ("SubjectLogonId", _HEX),
    "logon_type": ("LogonType", _INTEGER),
    "ip_address": ("IpAddress", _TEXT),
    "workstation_name": ("WorkstationName", _TEXT),
    "authentication_package_name": ("AuthenticationPackageName", _TEXT),
    "status": ("Status", _TEXT),
    "service_name": ("ServiceName", _TEXT),
    "image": ("Image", _TEXT),
    "command_line": ("CommandLine", _TEXT),
    "original_file_name": ("OriginalFileName", _TEXT),
    "parent_image": ("ParentImage", _TEXT),
    "parent_command_line": ("ParentCommandLine", _TEXT),
    "new_process_name": ("NewProcessName", _TEXT),
    "parent_process_name": ("ParentProcessName", _TEXT),
    "process_name": ("ProcessName", _TEXT),
    "logon_id": ("LogonId", _HEX),
    "process_guid": ("ProcessGuid", _GUID),
    "parent_process_guid": ("ParentProcessGuid", _GUID),
    "target_object": ("TargetObject", _TEXT),
    "details": ("Details", _TEXT),
    "target_filename": ("TargetFilename", _TEXT),
    "image_loaded": ("ImageLoaded", _TEXT),
    "source_image": ("SourceImage", _TEXT),
    "target_image": ("TargetImage", _TEXT),
}


def _insert_events_sql() -> str:
    selected = _COLUMNS | {column: sql.format(f'data."{field}"') for column, (field, sql) in _HOT_FIELDS.items()}
    hot_structure = json.dumps({field: "VARCHAR" for field, _ in _HOT_FIELDS.values()})
    return f"""
        INSERT INTO event BY NAME
        SELECT {", ".join(f"{sql} AS {column}" for column, sql in selected.items())}
        FROM (
            SELECT *, record."System" AS system, json_transform(record."EventData", '{hot_structure}') AS data
            FROM (SELECT *, json_transform(record_json, '{json.dumps(_RECORD_STRUCTURE)}')."Event" AS record
                  FROM event_stream)
        )
    """


@contextmanager
def open_store(path: Path, memory_limit: str, version: str) -> Iterator["CaseStore"]:
    """The case at `path` opened for writing, or made; closed at the end whatever happens.

    Raises CaseError if it is foreign, locked or newer, or if the disk gives out.
    """
    store = CaseStore(path, memory_limit, version)
    try:
        yield store
    except duckdb.Error as error:
        raise CaseError(f"{path}: cannot be written: {first_line(error)}") from error
    finally:
        # A full disk fails once more here; what was committed is safe, and the first error is the one to tell.
        with suppress(duckdb.Error):
            store.close()


class CaseStore:
    """A case opened for writing. Every method that writes is one transaction or part of `transaction()`."""

    def __init__(self, path: Path, memory_limit: str, version: str) -> None:
        """Opens the case at `path`, or makes it. Raises CaseError if it is foreign, locked or newer."""
        is_new = not path.exists()
        self.path = path
        self.connection = _attach(path, memory_limit)
        # Twice the speed of an ingest; every query of ours that shows rows orders them.
        self.connection.execute("SET preserve_insertion_order = false")
        if is_new:
            with self.transaction():
                self.connection.execute(schema_sql())
                self.connection.execute("INSERT INTO case_info VALUES (?, ?)", [SCHEMA_VERSION, version])
        try:
            check_schema(self.connection, path)
        except CaseError:
            self.connection.close()
            raise

    def close(self) -> None:
        """Writes everything into the one file of the case and closes it."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside is there as a whole or, after any exception, not at all."""
        self.connection.begin()
        try:
            yield
            self.connection.commit()
        except BaseException:
            # An interrupted or full database may have rolled back by itself; what matters is the first error.
            with suppress(duckdb.Error):
                self.connection.rollback()
            raise

    def begin_run(self, command: str, arguments: Mapping[str, object], versions: Mapping[str, str]) -> int:
        """Notes in the manifest that a command begins; returns its run_id."""
        row = self.connection.execute(
            "INSERT INTO run SELECT coalesce(max(run_id), 0) + 1, ?, ?, ?, NULL, ?, NULL FROM run RETURNING run_id",
            [command, json.dumps(dict(arguments), sort_keys=True), json.dumps(dict(versions), sort_keys=True), _now()],
        ).fetchone()
        assert row is not None  # RETURNING of one inserted row
        return int(row[0])

    def end_run(self, run_id: int, rule_set_sha256: str | None = None) -> None:
        """Notes in the manifest that a command came to its end."""
        self.connection.execute(
            "UPDATE run SET ended_at = ?, rule_set_sha256 = ? WHERE run_id = ?", [_now(), rule_set_sha256, run_id]
        )

    def known_contents(self) -> dict[str, int]:
        """SHA-256 of each ingested content -> its source_file_id."""
        rows = self.connection.execute("SELECT sha256, source_file_id FROM source_file WHERE copy_of IS NULL")
        return {sha256: int(source_file_id) for sha256, source_file_id in rows.fetchall()}

    def paths(self) -> dict[int, str]:
        """source_file_id -> path of every log of the case."""
        return dict(self.connection.execute("SELECT source_file_id, path FROM source_file").fetchall())

    def known_paths(self) -> set[tuple[str, str]]:
        """(path, SHA-256) of every log of the case, copies included."""
        return set(self.connection.execute("SELECT path, sha256 FROM source_file").fetchall())

    def next_ids(self) -> tuple[int, int]:
        """The next free source_file_id and event_key, both from 1."""
        row = self.connection.execute(
            "SELECT (SELECT coalesce(max(source_file_id), 0) + 1 FROM source_file),"
            " (SELECT coalesce(max(event_key), 0) + 1 FROM event)"
        ).fetchone()
        assert row is not None  # scalar subqueries always give one row
        return int(row[0]), int(row[1])

    def append_events(self, batches: Iterator[pa.RecordBatch]) -> None:
        """Inserts a stream of EVENT_STREAM_SCHEMA batches; part of the caller's transaction.

        What the stream raises is raised here as it was; Ctrl-C as KeyboardInterrupt.
        """
        stream = _RaisingStream(batches)
        self.connection.register("event_stream", pa.RecordBatchReader.from_batches(EVENT_STREAM_SCHEMA, stream))
        try:
            with _interrupting(stream):
                self.connection.execute(_insert_events_sql())
        except duckdb.Error as error:
            if stream.raised is not None:
                raise stream.raised from error
            raise
        self.connection.unregister("event_stream")

    def add_source_file(
        self, source_file_id: int, source: SourceFile, shown_path: str, account: LogAccount, parser_version: str
    ) -> None:
        """Adds a log that was read, with its accounts and failures. Part of the caller's transaction."""
        status = "damaged" if account.failures else "complete"
        self.connection.execute(
            "INSERT INTO source_file BY NAME SELECT ? AS source_file_id, ? AS path, ? AS sha256, ? AS size,"
            " ? AS status, ? AS host, ? AS is_hidden, ? AS is_dirty, ? AS is_full, ? AS is_header_crc_valid,"
            " ? AS chunk_crc_mismatches, ? AS chunks, ? AS first_header_record_id, ? AS last_header_record_id,"
            " ? AS next_header_record_id, ? AS parser_version, ? AS expected, ? AS parsed, 0 AS rescued, ? AS failed",
            [
                source_file_id,
                shown_path,
                source.sha256,
                source.size,
                status,
                source.host,
                source.is_hidden,
                account.is_dirty,
                account.is_full,
                account.is_header_crc_valid,
                account.chunk_crc_mismatches,
                account.chunks,
                account.first_header_record_id,
                account.last_header_record_id,
                account.next_header_record_id,
                parser_version,
                account.expected,
                account.parsed,
                account.failed,
            ],
        )
        self._add_failures(source_file_id, account.failures)

    def add_copy(self, source_file_id: int, source: SourceFile, shown_path: str, copy_of: int) -> None:
        """Remembers a log whose content is already there, and that each of its records was seen again."""
        self.connection.execute(
            "INSERT INTO source_file BY NAME SELECT * REPLACE (? AS source_file_id, ? AS path, 'copy' AS status,"
            " ? AS copy_of, ? AS host, ? AS is_hidden) FROM source_file WHERE source_file_id = ?",
            [source_file_id, shown_path, copy_of, source.host, source.is_hidden, copy_of],
        )
        self.connection.execute(
            "INSERT INTO event_copy SELECT event_key, ?, header_record_id FROM event WHERE source_file_id = ?"
            " ORDER BY event_key",
            [source_file_id, copy_of],
        )

    def name_channels(self, source_file_ids: Sequence[int]) -> None:
        """Fills channel and computer of freshly read logs with the most frequent ones of their events."""
        self.connection.execute(
            "UPDATE source_file SET channel = found.channel, computer = found.computer FROM ("
            " SELECT source_file_id, mode(channel ORDER BY channel) AS channel, mode(computer ORDER BY computer)"
            " AS computer FROM event WHERE source_file_id BETWEEN ? AND ? GROUP BY source_file_id) AS found"
            " WHERE source_file.source_file_id = found.source_file_id AND source_file.copy_of IS NULL",
            [min(source_file_ids), max(source_file_ids)],
        )

    def replace_skipped(self, skipped: Iterable[tuple[SkippedFile, str]], ingested_paths: Iterable[str]) -> None:
        """Remembers files that were not ingested; a file that has become readable is forgotten here."""
        self.connection.execute(
            "DELETE FROM skipped_file WHERE path IN (SELECT unnest(?::VARCHAR[]))", [list(ingested_paths)]
        )
        for item, path in skipped:
            self.connection.execute(
                "INSERT OR REPLACE INTO skipped_file VALUES (?, ?, ?)", [path, item.reason, item.size]
            )

    def channel_counts(self) -> tuple[ChannelCount, ...]:
        """Events by host and channel, in that order."""
        rows = self.connection.execute(
            "SELECT host, channel, count(*), min(event_time), max(event_time) FROM event"
            " GROUP BY ALL ORDER BY host NULLS LAST, channel NULLS LAST"
        ).fetchall()
        return tuple(ChannelCount(*row) for row in rows)

    def replace_findings(self, runs: Sequence[DetectionRun]) -> None:
        """Puts the findings of these runs in place of all earlier ones of origin 'query', in one transaction."""
        found = sorted(
            (finding for run in runs for finding in run.findings or ()),
            key=lambda finding: (finding.event_time or datetime.max, finding.detection_id, finding.evidence),
        )
        with self.transaction():
            for table in ("finding_evidence", "finding", "detection_run"):
                self.connection.execute(f"DELETE FROM {table}")
            self._insert_arrow("finding", _finding_table(found))
            self._insert_arrow("finding_evidence", _evidence_table(found))
            self.connection.executemany(
                "INSERT INTO detection_run VALUES (?, ?, ?, ?, ?, ?)",
                [
                    [
                        run.query.id,
                        run.query.title,
                        run.query.level,
                        run.query.sha256,
                        None if run.findings is None else len(run.findings),
                        run.error,
                    ]
                    for run in runs
                ],
            )

    def _insert_arrow(self, table: str, rows: pa.Table) -> None:
        self.connection.register("rows_to_insert", rows)
        self.connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM rows_to_insert")
        self.connection.unregister("rows_to_insert")

    def _add_failures(self, source_file_id: int, failures: tuple[ParseFailure, ...]) -> None:
        if failures:
            self._insert_arrow(
                "parse_failure",
                pa.table(
                    {
                        "source_file_id": pa.array([source_file_id] * len(failures), pa.int32()),
                        "scope": pa.array([failure.scope for failure in failures], pa.string()),
                        "chunk": pa.array([failure.chunk for failure in failures], pa.int32()),
                        "file_offset": pa.array([failure.file_offset for failure in failures], pa.int64()),
                        "header_record_id": pa.array([failure.header_record_id for failure in failures], pa.uint64()),
                        "reason": pa.array([failure.reason for failure in failures], pa.string()),
                    }
                ),
            )


class _RaisingStream:
    """Remembers what a batch iterator raised: on its way through Arrow and DuckDB an exception loses its type."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.raised: BaseException | None = None
        self.is_interrupted = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        try:
            if self.is_interrupted:
                raise KeyboardInterrupt
            return next(self._batches)
        except StopIteration:
            raise
        except BaseException as error:
            self.raised = error
            raise


@contextmanager
def _interrupting(stream: _RaisingStream) -> Iterator[None]:
    """Makes Ctrl-C end the stream: raised anywhere else below DuckDB, it comes out as other errors or not at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end_stream(_number: int, _frame: FrameType | None) -> None:
        stream.is_interrupted = True

    before = signal.signal(signal.SIGINT, end_stream)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if stream.is_interrupted:
        raise KeyboardInterrupt


def connect_case(path: Path, memory_limit: str, *, write: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection on which SQL cannot reach files, the network or settings, nor, unless `write`, change the case.

    Temporary views and macros can be made on it. Raises CaseError if the case is missing, foreign, locked or newer.
    """
    if not path.exists():
        raise CaseError(f"{path}: no such case; make it with: evtxhunt ingest EVIDENCE --case {path}")
    config = {"memory_limit": memory_limit, "enable_external_access": "false"}
    connection = _connect(path, read_only=not write, config=config)
    try:
        check_schema(connection, path)
    except CaseError:
        connection.close()
        raise
    connection.execute("SET lock_configuration = true")
    return connection


def check_schema(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raises CaseError unless the database is a case of the schema version that this evtxhunt knows."""
    try:
        row = connection.execute("SELECT schema_version, created_by FROM case_info").fetchone()
    except duckdb.CatalogException as error:
        raise CaseError(f"{path}: a DuckDB database but no evtxhunt case; give --case another path") from error
    if row is None or row[0] != SCHEMA_VERSION:
        found, made_by = row if row else ("none", "unknown")
        raise CaseError(
            f"{path}: the case has schema version {found} (evtxhunt {made_by}), this evtxhunt knows"
            f" {SCHEMA_VERSION}; use that version or ingest into a new case"
        )


# Rows that a thread gathers before it compresses and writes them; DuckDB's default is 122,880. Fewer keep both threads
# of a small machine busy to the end of a load and halve the memory that huge records take (measured: 14,000-character
# script blocks, 970 MB resident with the default, 490 MB with this), at 4 % more database and equal query times.
_ROW_GROUP_SIZE = 8192


# DuckDB draws one on stdout after two seconds, in the middle of results.
_NO_PROGRESS_BAR = "SET enable_progress_bar = false"


def _attach(path: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """A connection whose default database is the case; only ATTACH takes a row group size."""
    with _case_errors(path):
        connection = duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": f"{path}.tmp"})
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS evtxhunt_case (ROW_GROUP_SIZE {_ROW_GROUP_SIZE})")
        connection.execute("USE evtxhunt_case")
        connection.execute(_NO_PROGRESS_BAR)
        return connection


def _connect(path: Path, *, read_only: bool, config: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    with _case_errors(path):
        connection = duckdb.connect(str(path), read_only=read_only, config=config)
        connection.execute(_NO_PROGRESS_BAR)
        return connection


@contextmanager
def _case_errors(path: Path) -> Iterator[None]:
    """Turns what can go wrong when a case is opened into a CaseError with the cause."""
    if path.exists():
        _check_magic(path)
    try:
        yield
    except duckdb.IOException as error:
        if path.exists() and _is_locked(path):
            raise CaseError(f"{path}: another process works on this case; wait for it or use another --case") from error
        raise CaseError(f"{path}: the case cannot be opened: {first_line(error)}") from error
    except duckdb.InvalidInputException as error:  # a memory limit that DuckDB cannot read
        raise CaseError(f"{path}: the case cannot be opened: {first_line(error)}") from error


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise CaseError(f"{path}: the case cannot be opened: {error.strerror}") from error
    # A DuckDB file carries DUCK after an 8-byte checksum: https://duckdb.org/docs/stable/internals/storage
    if head[8:12] != b"DUCK":
        raise CaseError(f"{path}: not an evtxhunt case (no DuckDB database); give --case another path")


def _is_locked(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    import fcntl

    # DuckDB holds a POSIX record lock; asking for a shared one tells, and closing gives it back.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def first_line(error: BaseException) -> str:
    """The first line of a DuckDB error, which says what; the rest quotes the SQL."""
    return str(error).strip().splitlines()[0]


def _finding_table(found: Sequence[Any]) -> pa.Table:
    return pa.table(
        {
            "finding_id": pa.array(range(1, len(found) + 1), pa.int64()),
            "origin": pa.array(["query"] * len(found), pa.string()),
            "detection_id": pa.array([item.detection_id for item in found], pa.string()),
            "title": pa.array([item.title for item in found], pa.string()),
            "level": pa.array([item.level for item in found], pa.string()),
            "attack": pa.array([list(item.attack) for item in found], pa.list_(pa.string())),
            "event_time": pa.array([item.event_time for item in found], pa.timestamp("us")),
            "host": pa.array([item.host for item in found], pa.string()),
            "computer": pa.array([item.computer for item in found], pa.string()),
            "user_name": pa.array([item.user_name for item in found], pa.string()),
            "summary": pa.array([item.summary for item in found], pa.string()),
            "details": pa.array(
                [json.dumps(item.details, sort_keys=True, default=str) if item.details else None for item in found],
                pa.string(),
            ),
        }
    )


def _evidence_table(found: Sequence[Any]) -> pa.Table:
    pairs = [(number, key) for number, item in enumerate(found, start=1) for key in item.evidence]
    return pa.table(
        {
            "finding_id": pa.array([number for number, _ in pairs], pa.int64()),
            "event_key": pa.array([key for _, key in pairs], pa.int64()),
        }
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
