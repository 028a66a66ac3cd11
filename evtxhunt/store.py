"""The case database: only owner of its DDL and of what is written to it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from evtxhunt.case_file import COUNTED, SCHEMA_VERSION, attach_case, check_schema, closing_case
from evtxhunt.duplicates import merge_duplicates
from evtxhunt.errors import CaseError
from evtxhunt.event_columns import EVENT_STREAM_SCHEMA, insert_events_sql, written_time_sql
from evtxhunt.finding_rows import finding_batch, run_table
from evtxhunt.log_model import ChunkAccount, LogAccount, ParseFailure, RecoveredRecord
from evtxhunt.model import ChannelCount, DetectionRun, RuleRun, SeenBefore, SkippedFile, SourceFile
from evtxhunt.raising_stream import RaisingStream, interrupting
from evtxhunt.resources import schema_sql

_RENDERED = "(parsed + rescued + coalesce(slack, 0) + coalesce(carved, 0))"

_SKIPPED_SCHEMA = pa.schema([("path", pa.string()), ("reason", pa.string()), ("size", pa.int64())])


@contextmanager
def open_store(path: Path, memory_limit: str, version: str) -> Iterator["CaseStore"]:
    """The case at `path` opened for writing, or made; closed at the end whatever happens.

    Raises CaseError if it is foreign, locked or newer, or if the disk gives out.
    """
    store = CaseStore(path, memory_limit, version)
    with closing_case(store.connection, path, "written"):
        yield store


@contextmanager
def json_reader() -> Iterator[Callable[[list[str]], list[bool]]]:
    """Says of texts whether DuckDB reads them as JSON: a single one that it cannot read ends `append_events`."""
    with duckdb.connect() as connection:
        yield lambda texts: [
            bool(is_valid)
            for (is_valid,) in connection.execute("SELECT json_valid(unnest(?::VARCHAR[]))", [texts]).fetchall()
        ]


class CaseStore:
    """A case opened for writing. Every method that writes is one transaction or part of `transaction()`."""

    def __init__(self, path: Path, memory_limit: str, version: str) -> None:
        """Opens the case at `path`, or makes it. Raises CaseError if it is foreign, locked or newer."""
        self.path = path
        self._is_in_transaction = False
        self.connection = attach_case(path, memory_limit)
        # Twice the speed of an ingest; every query of ours that shows rows orders them.
        self.connection.execute("SET preserve_insertion_order = false")
        # No tables: made just now, or by an ingest that was killed before it had made them.
        if not self.connection.execute("SHOW TABLES").fetchall():
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
        """What is written inside is there as a whole or, after any exception, not at all.

        One within another is a part of that.
        """
        if self._is_in_transaction:
            yield
            return
        self.connection.begin()
        self._is_in_transaction = True
        try:
            yield
            self.connection.commit()
        except BaseException:
            # An interrupted or full database may have rolled back by itself; what matters is the first error.
            with suppress(duckdb.Error):
                self.connection.rollback()
            raise
        finally:
            self._is_in_transaction = False

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

    def forget_unfinished_runs(self) -> None:
        """Takes out of the manifest what was killed, so that doing it again leaves what an undisturbed run leaves."""
        self.connection.execute("DELETE FROM run WHERE ended_at IS NULL")

    def known_contents(self) -> dict[tuple[str, bool], int]:
        """SHA-256 of each ingested content and whether it was carved -> its source_file_id."""
        rows = self.connection.execute(
            "SELECT sha256, carved IS NOT NULL, source_file_id FROM source_file WHERE copy_of IS NULL"
        )
        return {(sha256, is_blob): int(source_file_id) for sha256, is_blob, source_file_id in rows.fetchall()}

    def logs_without_slack(self) -> dict[str, tuple[int, str | None]]:
        """SHA-256 -> source_file_id and host of the logs whose free space nobody has looked at."""
        rows = self.connection.execute(
            "SELECT sha256, source_file_id, host FROM source_file"
            " WHERE copy_of IS NULL AND slack IS NULL AND carved IS NULL"
        )
        return {sha256: (int(source_file_id), host) for sha256, source_file_id, host in rows.fetchall()}

    def paths(self) -> dict[int, str]:
        """source_file_id -> path of every log of the case, as `place_in` has it."""
        places = self.connection.execute("SELECT source_file_id, concat_ws('!', container, path) FROM source_file")
        return dict(places.fetchall())

    def known_paths(self) -> set[tuple[str | None, str, str, bool]]:
        """(container, path, SHA-256, whether it was carved) of every log of the case, copies included."""
        return set(
            self.connection.execute("SELECT container, path, sha256, carved IS NOT NULL FROM source_file").fetchall()
        )

    def next_ids(self) -> tuple[int, int]:
        """The next free source_file_id and event_key, both from 1."""
        ((next_id, next_key),) = self.connection.execute(
            # Each rendered record took a key; those that became copies are no longer in `event`.
            "SELECT coalesce(max(source_file_id), 0) + 1,"
            f" coalesce(sum({_RENDERED}) FILTER (copy_of IS NULL), 0)::BIGINT + 1 FROM source_file"
        ).fetchall()
        return int(next_id), int(next_key)

    def append_events(self, batches: Iterator[pa.RecordBatch]) -> None:
        """Inserts a stream of EVENT_STREAM_SCHEMA batches; part of the caller's transaction.

        What the stream raises is raised here as it was; Ctrl-C as KeyboardInterrupt.
        """
        stream = RaisingStream(batches)
        self.connection.register("event_stream", pa.RecordBatchReader.from_batches(EVENT_STREAM_SCHEMA, stream))
        try:
            with interrupting(stream):
                self.connection.execute(insert_events_sql())
        except duckdb.Error as error:
            if stream.raised is not None:
                raise stream.raised from error
            raise
        self.connection.unregister("event_stream")

    def add_source_file(
        self,
        source_file_id: int,
        source: SourceFile,
        shown_path: str,
        account: LogAccount,
        parser_version: str,
        first_key: int,
    ) -> None:
        """Adds a log that was read, with its accounts and failures. Part of the caller's transaction.

        `first_key` is the event_key of its first record.
        """
        status = "damaged" if account.failures else "complete"
        self.connection.execute(
            "INSERT INTO source_file BY NAME SELECT ? AS source_file_id, ? AS path, ? AS container, ? AS sha256,"
            " ? AS size, ? AS status, ? AS host, ? AS is_hidden, ? AS is_dirty, ? AS is_full, ? AS is_header_crc_valid,"
            " ? AS chunk_crc_mismatches, ? AS chunks, ? AS first_header_record_id, ? AS last_header_record_id,"
            " ? AS next_header_record_id, ? AS parser_version, ? AS expected, ? AS parsed, ? AS rescued, ? AS failed,"
            " ? AS slack, ? AS carved, 0 AS duplicate",
            [
                source_file_id,
                shown_path,
                source.member and source.member.container,
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
                account.rescued,
                account.failed,
                account.slack,
                account.carved,
            ],
        )
        self._add_failures(source_file_id, account.failures)
        self._add_chunk_accounts(source_file_id, account.chunk_accounts)
        self._add_recovered(source_file_id, account.recovered, first_key)

    def add_slack(self, source_file_id: int, account: LogAccount, first_key: int) -> None:
        """Adds what was found in the free space of a log that is there already. Part of the caller's transaction."""
        self.connection.execute(
            "UPDATE source_file SET slack = ? WHERE coalesce(copy_of, source_file_id) = ?",
            [account.slack, source_file_id],
        )
        if account.failures:
            self._add_failures(source_file_id, account.failures)
            self.connection.execute(
                "UPDATE source_file SET status = 'damaged' WHERE source_file_id = ?", [source_file_id]
            )
        self._add_recovered(source_file_id, account.recovered, first_key)

    def add_copy(self, source_file_id: int, source: SourceFile, shown_path: str, copy_of: int) -> None:
        """Remembers a log whose content is already there, and that each of its records was seen again."""
        self.connection.execute(
            "INSERT INTO source_file BY NAME SELECT * REPLACE (? AS source_file_id, ? AS path, ? AS container,"
            f" 'copy' AS status, ? AS copy_of, ? AS host, ? AS is_hidden, {_RENDERED} AS duplicate) FROM source_file"
            " WHERE source_file_id = ?",
            [
                source_file_id,
                shown_path,
                source.member and source.member.container,
                copy_of,
                source.host,
                source.is_hidden,
                copy_of,
            ],
        )
        self._copy_records(source_file_id, copy_of)

    def renew_copies(self, original_ids: Sequence[int]) -> None:
        """Remembers of each copy of these logs what has come to its original. Part of the caller's transaction."""
        copies = self.connection.execute(
            "SELECT source_file_id, copy_of FROM source_file WHERE list_contains(?::INTEGER[], copy_of) ORDER BY ALL",
            [list(original_ids)],
        ).fetchall()
        for copy_id, original_id in copies:
            self.connection.execute("DELETE FROM event_copy WHERE source_file_id = ?", [copy_id])
            self.connection.execute(
                f"UPDATE source_file SET duplicate = {_RENDERED} WHERE source_file_id = ?", [copy_id]
            )
            self._copy_records(copy_id, original_id)

    def _copy_records(self, copy_id: int, original_id: int) -> None:
        self.connection.execute(
            "INSERT INTO event_copy SELECT event_key, $new AS source_file_id, header_record_id, record_offset, origin,"
            " rendering_info FROM event WHERE source_file_id = $original UNION ALL BY NAME"
            " SELECT * REPLACE ($new AS source_file_id) FROM event_copy WHERE source_file_id = $original",
            {"new": copy_id, "original": original_id},
        )

    def merge_duplicates(self, source_file_ids: Sequence[int]) -> tuple[tuple[SeenBefore, ...], int]:
        """See `duplicates.merge_duplicates`. Part of the caller's transaction, after add_source_file of these logs."""
        return merge_duplicates(self.connection, source_file_ids)

    def name_channels(self, source_file_ids: Sequence[int]) -> None:
        """Fills channel and computer of freshly read logs with the most frequent ones; before copies are moved away.

        Slack counts if there is nothing else. Those of a log that was there, whose slack alone is new, stay.
        """
        new = ", ".join(map(str, source_file_ids))  # as text, so that nothing else is read
        channel, computer = (
            f"coalesce(mode({name} ORDER BY {name}) FILTER (origin <> 'slack'), mode({name} ORDER BY {name})) AS {name}"
            for name in ("channel", "computer")
        )
        self.connection.execute(
            "UPDATE source_file SET channel = found.channel, computer = found.computer FROM ("
            f" SELECT source_file_id, {channel}, {computer} FROM event WHERE source_file_id IN ({new}) GROUP BY ALL"
            ") AS found WHERE coalesce(copy_of, source_file.source_file_id) = found.source_file_id"
            " AND source_file.channel IS NULL AND source_file.computer IS NULL"
        )

    def replace_skipped(
        self, skipped: Iterable[tuple[SkippedFile, str]], ingested_paths: Iterable[str], containers: Iterable[str]
    ) -> None:
        """Remembers files that were not ingested; a file that has become readable is forgotten here.

        So is all that was said of these containers and of what is in them.
        """
        rows = {path: item for item, path in skipped}
        with self.transaction():
            self.connection.execute(
                "DELETE FROM skipped_file USING (SELECT unnest(?::VARCHAR[]) AS place) AS container"
                " WHERE path = place OR starts_with(path, place || '!')",
                [list(containers)],
            )
            self.connection.execute(
                "DELETE FROM skipped_file WHERE path IN (SELECT unnest(?::VARCHAR[]))", [[*ingested_paths, *rows]]
            )
            table = {
                "path": list(rows),
                # What a library says of a damaged archive may quote bytes that are no text.
                "reason": [item.reason.encode(errors="backslashreplace").decode() for item in rows.values()],
                "size": [item.size for item in rows.values()],
            }
            self._insert_arrow("skipped_file", pa.table(table, schema=_SKIPPED_SCHEMA))

    def channel_counts(self) -> tuple[ChannelCount, ...]:
        """Events that count, by host and channel, in that order."""
        rows = self.connection.execute(
            f"SELECT host, channel, count(*), min(event_time), max(event_time) FROM event WHERE {COUNTED}"
            " GROUP BY ALL ORDER BY host NULLS LAST, channel NULLS LAST"
        ).fetchall()
        return tuple(ChannelCount(*row) for row in rows)

    def replace_findings(
        self,
        runs: Sequence[DetectionRun],
        rule_runs: Sequence[RuleRun] = (),
        rule_findings: Iterable[pa.RecordBatch] = (),
    ) -> None:
        """Puts these findings in place of all earlier ones, in one transaction.

        `rule_findings` are batches of FINDING_SCHEMA; those of rules that failed are left out.
        """
        failed = [run.detection_id for run in rule_runs if run.state == "failed"]
        self.connection.execute("CREATE OR REPLACE TEMP TABLE found AS SELECT *, 0 AS place FROM finding LIMIT 0")
        self.connection.execute("ALTER TABLE found ADD COLUMN evidence BIGINT[]")
        found = (finding for run in runs for finding in run.findings or ())
        for batch in chain((finding_batch(list(found), "query"),), rule_findings):
            self.connection.register("rows_to_insert", batch)
            # Of findings that tie in all that orders them, the one made first comes first.
            self.connection.execute(
                "INSERT INTO found BY NAME SELECT *, 0 AS finding_id, (SELECT count(*) FROM found)"
                " + row_number() OVER () AS place FROM rows_to_insert WHERE NOT list_contains(?, detection_id)",
                [failed],
            )
            self.connection.unregister("rows_to_insert")
        with self.transaction():
            for table in ("finding_evidence", "finding", "detection_run"):
                self.connection.execute(f"DELETE FROM {table}")
            self.connection.execute(
                "CREATE OR REPLACE TEMP TABLE numbered AS SELECT * REPLACE (row_number() OVER"
                " (ORDER BY event_time NULLS LAST, detection_id, evidence, place) AS finding_id) FROM found"
            )
            self.connection.execute(
                "INSERT INTO finding SELECT * EXCLUDE (place, evidence) FROM numbered ORDER BY finding_id"
            )
            self.connection.execute(
                "INSERT INTO finding_evidence SELECT finding_id, unnest(evidence) AS event_key FROM numbered"
                " ORDER BY finding_id, event_key"
            )
            self._insert_arrow("detection_run", run_table(runs, rule_runs))
        self.connection.execute("DROP TABLE found")
        self.connection.execute("DROP TABLE numbered")

    def _insert_arrow(self, table: str, rows: pa.Table) -> None:
        self.connection.register("rows_to_insert", rows)
        self.connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM rows_to_insert")
        self.connection.unregister("rows_to_insert")

    def _add_failures(self, source_file_id: int, failures: tuple[ParseFailure, ...]) -> None:
        self._insert_items("parse_failure", source_file_id, failures)

    def _add_chunk_accounts(self, source_file_id: int, accounts: tuple[ChunkAccount, ...]) -> None:
        self._insert_items("chunk_account", source_file_id, accounts, "*, parsed + rescued + failed AS expected")

    def _add_recovered(self, source_file_id: int, recovered: tuple[RecoveredRecord, ...], first_key: int) -> None:
        columns = (
            "* EXCLUDE (written_filetime, row),"
            f" {written_time_sql('written_filetime')} AS written_time, {first_key} + row AS event_key"
        )
        self._insert_items("recovered_record", source_file_id, recovered, columns)

    def _insert_items(self, table: str, source_file_id: int, items: Sequence[Any], columns: str = "*") -> None:
        """Inserts dataclasses of one kind, `columns` of their fields."""
        if not items:
            return
        names = [item.name for item in fields(items[0])]
        rows = {name: [getattr(item, name) for item in items] for name in names}
        types = {name: pa.uint64() for name in names if name.endswith(("record_id", "filetime"))}
        arrays = {name: pa.array(values, types.get(name)) for name, values in rows.items()}
        self.connection.register("rows_to_insert", pa.table(arrays))
        self.connection.execute(
            f"INSERT INTO {table} BY NAME SELECT {source_file_id} AS source_file_id, {columns} FROM rows_to_insert"
        )
        self.connection.unregister("rows_to_insert")


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
