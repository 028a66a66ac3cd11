"""Evidence to case: discover, parse, store."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from evtxhunt import __version__
from evtxhunt.discover import discover_files, hash_file, name_hosts, shown_path, top_folder
from evtxhunt.event_columns import EVENT_STREAM_SCHEMA
from evtxhunt.model import IngestSummary, LogAccount, LogCandidate, SkippedFile, SourceFile
from evtxhunt.parse import PARSER_VERSION, LogReader, newest_computer
from evtxhunt.pipeline.manifest import INGEST_MEMORY_LIMIT, versions
from evtxhunt.store import CaseStore, json_reader, open_store
from evtxhunt.watch import ParserWatch

# One transaction takes whole files up to this much: a killed ingest loses no more, and small files share one.
_LOAD_BYTES = 256 * 2**20
_LOAD_FILES = 256


class IngestProgress(Protocol):
    """Hears how an ingest gets on; called from the threads that read and that hash."""

    def start(self, files: int, size: int) -> None:
        """`files` logs of `size` bytes altogether were found."""

    def advance(self, path: str, size: int, records: int) -> None:
        """`size` more bytes and `records` more records of the log at `path` are done."""

    def finish_file(self) -> None:
        """One more log is done."""


class SilentProgress:
    """Says nothing."""

    def start(self, files: int, size: int) -> None:
        """Nothing."""

    def advance(self, path: str, size: int, records: int) -> None:
        """Nothing."""

    def finish_file(self) -> None:
        """Nothing."""


@dataclass(slots=True)
class _Ingest:
    """What one ingest has met so far; becomes its IngestSummary."""

    read_files: int = 0
    read_bytes: int = 0
    events: int = 0
    damaged: list[tuple[str, LogAccount]] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Work:
    """A log of one load: to be read under its id, or remembered as a copy of another."""

    source_file_id: int
    source: SourceFile
    copy_of: int | None


def ingest(
    paths: Sequence[Path],
    case: Path,
    *,
    host: str | None = None,
    memory_limit: str = INGEST_MEMORY_LIMIT,
    progress: IngestProgress | None = None,
    watch: ParserWatch | None = None,
) -> IngestSummary:
    """Parses every event log at or below `paths` into the case, which is made if it does not exist.

    Content that the case has already is not read again. Damage is data (see `IngestSummary.damaged`). An
    interruption leaves a case of whole files; the next ingest of the same paths completes it to the same rows.
    Forged records can make the parser run away: `watch` is for a process that can stop this one. Raises EvtxhuntError.
    """
    progress = progress or SilentProgress()
    candidates, skipped = discover_files(paths)
    state = _Ingest(skipped=skipped)
    hosts = {} if host else _folder_hosts(candidates, watch)
    with open_store(case, memory_limit, __version__) as store:
        arguments = {"paths": [shown_path(path.absolute()) for path in paths], "host": host}
        run_id = store.begin_run("ingest", arguments, versions())
        progress.start(len(candidates), sum(candidate.size for candidate in candidates))
        labelled = ((candidate, host or hosts.get(candidate.path)) for candidate in candidates)
        for load in _one_ahead(_loads(labelled, store, state, progress)):
            _load(store, load, state, progress, watch)
        taken = {shown_path(candidate.path) for candidate in candidates}
        unread = [(item, shown_path(item.path)) for item in state.skipped]
        store.replace_skipped(unread, taken - {path for _, path in unread})
        store.end_run(run_id)
        channels = store.channel_counts()
    return IngestSummary(
        read_files=state.read_files,
        read_bytes=state.read_bytes,
        events=state.events,
        damaged=tuple(state.damaged),
        copies=tuple(state.copies),
        known=tuple(state.known),
        hidden=tuple(state.hidden),
        skipped=tuple(state.skipped),
        channels=channels,
    )


def _folder_hosts(candidates: Iterable[LogCandidate], watch: ParserWatch | None) -> dict[Path, str]:
    computers: list[tuple[LogCandidate, str | None]] = []
    for candidate in candidates:
        computer = None
        if top_folder(candidate) is not None:
            try:
                with candidate.path.open("rb") as file:
                    computer = newest_computer(file, str(candidate.path), watch)
            except OSError:
                computer = None  # named as unreadable when it is its turn to be read
        computers.append((candidate, computer))
    return dict(name_hosts(computers))


def _loads(
    candidates: Iterable[tuple[LogCandidate, str | None]],
    store: CaseStore,
    state: _Ingest,
    progress: IngestProgress,
) -> Iterator[list[_Work]]:
    """Hashes the candidates in order and groups those that are new to the case into loads."""
    contents = store.known_contents()
    paths = store.known_paths()
    next_id, _ = store.next_ids()
    load: list[_Work] = []
    size = 0
    for candidate, host in candidates:
        path = shown_path(candidate.path)
        if candidate.is_hidden:
            state.hidden.append(path)
        try:
            modified_ns = candidate.path.stat().st_mtime_ns
            sha256, size_now = hash_file(candidate.path)
        except OSError as error:
            state.skipped.append(SkippedFile(candidate.path, f"unreadable: {error.strerror}", candidate.size))
            continue
        if (path, sha256) in paths:
            state.known.append(path)
            progress.advance(path, candidate.size, 0)
            progress.finish_file()
            continue
        source = SourceFile(candidate.path, size_now, sha256, modified_ns, host, candidate.is_hidden)
        load.append(_Work(next_id, source, contents.get(sha256)))
        contents.setdefault(sha256, next_id)
        next_id += 1
        size += candidate.size
        if size >= _LOAD_BYTES or len(load) >= _LOAD_FILES:
            yield load
            load, size = [], 0
    if load:
        yield load


def _one_ahead(loads: Iterator[list[_Work]]) -> Iterator[list[_Work]]:
    """Hashes the next load while the one before it is inserted, which leaves a core idle now and then."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        following = pool.submit(next, loads, None)
        while (load := following.result()) is not None:
            following = pool.submit(next, loads, None)
            yield load


def _load(
    store: CaseStore, load: Sequence[_Work], state: _Ingest, progress: IngestProgress, watch: ParserWatch | None
) -> None:
    """Reads one load of logs into the case in one transaction."""
    try:
        accounts = _insert(store, load, progress, None, watch)
    except duckdb.InvalidInputException:
        # Of a forged record the parser can make text that is no JSON. To look for it costs, and nearly no log has any.
        with json_reader() as are_readable:
            accounts = _insert(store, load, SilentProgress(), are_readable, watch)
    paths = store.paths()
    for work in load:
        path = shown_path(work.source.path)
        if work.copy_of is not None:
            state.copies.append((path, paths[work.copy_of]))
            continue
        account = accounts[work.source_file_id]
        state.read_files += 1
        state.read_bytes += work.source.size
        state.events += account.parsed
        if account.failures:
            state.damaged.append((path, account))


def _insert(
    store: CaseStore,
    load: Sequence[_Work],
    progress: IngestProgress,
    are_readable: Callable[[list[str]], list[bool]] | None,
    watch: ParserWatch | None,
) -> dict[int, LogAccount]:
    accounts: dict[int, LogAccount] = {}
    fresh = [work for work in load if work.copy_of is None]
    _, first_key = store.next_ids()
    with store.transaction():
        if fresh:
            store.append_events(_event_stream(fresh, first_key, accounts, progress, are_readable, watch))
        for work in load:
            path = shown_path(work.source.path)
            if work.copy_of is None:
                store.add_source_file(
                    work.source_file_id, work.source, path, accounts[work.source_file_id], PARSER_VERSION
                )
            else:
                store.add_copy(work.source_file_id, work.source, path, work.copy_of)
                progress.advance(path, work.source.size, 0)
                progress.finish_file()
        if fresh:
            store.name_channels([work.source_file_id for work in fresh])
    return accounts


def _event_stream(
    works: Sequence[_Work],
    first_key: int,
    accounts: dict[int, LogAccount],
    progress: IngestProgress,
    are_readable: Callable[[list[str]], list[bool]] | None,
    watch: ParserWatch | None,
) -> Iterator[pa.RecordBatch]:
    """Reads logs one after another and numbers their records; fills `accounts` by source_file_id on the way."""
    key = first_key
    for work in works:
        path = shown_path(work.source.path)
        reader = LogReader(work.source, are_readable, watch)
        done = 0
        for batch in reader.batches():
            rows = len(batch)
            yield pa.record_batch(
                [
                    pa.array(range(key, key + rows), pa.int64()),
                    pa.array([work.source_file_id] * rows, pa.int32()),
                    pa.array([work.source.host] * rows, pa.string()),
                    pa.array(["live"] * rows, pa.string()),
                    *batch.columns,
                ],
                schema=EVENT_STREAM_SCHEMA,
            )
            key += rows
            progress.advance(path, reader.position - done, rows)
            done = reader.position
        accounts[work.source_file_id] = reader.account()
        progress.advance(path, work.source.size - done, 0)
        progress.finish_file()
