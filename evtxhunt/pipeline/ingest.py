"""Evidence to case: discover, parse, store."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from evtxhunt import __version__
from evtxhunt.binxml_values import DEFAULT_ANSI_CODEC
from evtxhunt.carve import BlobReader
from evtxhunt.chunk_reader import is_known_codec
from evtxhunt.discover import discover_blobs, discover_files, hash_file, shown_path
from evtxhunt.errors import EvtxhuntError
from evtxhunt.event_columns import EVENT_STREAM_SCHEMA
from evtxhunt.fast_parser import PARSER_VERSION, FastParser
from evtxhunt.log_model import LogAccount
from evtxhunt.model import IngestSummary, LogCandidate, SeenBefore, SkippedFile, SourceFile, place_in
from evtxhunt.parse import LogReader
from evtxhunt.pipeline.contained import Containers, Hosts
from evtxhunt.pipeline.manifest import INGEST_MEMORY_LIMIT, versions
from evtxhunt.pipeline.staged import Stage, StagedLog, StagedReader
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

    recover: bool
    parser: FastParser
    progress: IngestProgress
    read_files: int = 0
    read_bytes: int = 0
    events: int = 0
    damaged: list[tuple[str, LogAccount]] = field(default_factory=list)
    recovered: list[tuple[str, LogAccount]] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    seen_before: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)
    conflicts: int = 0
    known: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)

    def advance(self, source: SourceFile, size: int, records: int) -> None:
        """Tells the progress; what counts of a container is its own size, when it is read through."""
        self.progress.advance(_shown(source), 0 if source.member else size, records)

    def finish(self, source: SourceFile, size: int) -> None:
        """Tells that the last `size` bytes of a log are done."""
        self.advance(source, size, 0)
        if source.member is None:
            self.progress.finish_file()


@dataclass(frozen=True, slots=True)
class _Work:
    """A log of one load: to be read under its id, or remembered as a copy of another."""

    source_file_id: int
    source: SourceFile
    copy_of: int | None
    only_slack: bool = False  # the case has all of it but that
    staged: StagedLog | None = None  # it was read before
    is_finished: bool = False  # the progress was told so by another work of the same log


def ingest(
    paths: Sequence[Path],
    case: Path,
    *,
    host: str | None = None,
    recover: bool = False,
    carve: Sequence[Path] = (),
    ansi_codec: str = DEFAULT_ANSI_CODEC,
    password: str | None = None,
    memory_limit: str = INGEST_MEMORY_LIMIT,
    progress: IngestProgress | None = None,
    watch: ParserWatch | None = None,
    is_host_from_folders: bool = True,
    opener: Callable[[Path, str, str], AbstractContextManager[CaseStore]] = open_store,
) -> IngestSummary:
    """Parses every event log at or below `paths` into the case, which is made if it does not exist.

    So are those in archives and disk images there; `password` opens encrypted archives. Their logs are read by way
    of memory and of unnamed files in the folder of the case.

    Records that the fast parser leaves out are rescued by ours where it can. The free space of chunks is searched in
    logs whose accounts do not add up and, with `recover`, in all, those too that the case has already. Chunks of logs
    are carved from the files `carve`. `ansi_codec` is the code page of text that is not UTF-16.

    Content that the case has already is not read again. Damage is data (see `IngestSummary.damaged`). An
    interruption leaves a case of whole files; the next ingest of the same paths completes it to the same rows.
    Forged records can make the parser run away: `watch` is for a process that can stop this one. Without
    `is_host_from_folders` the host of an event is its Computer unless `host` is given. Raises EvtxhuntError.
    """
    progress = progress or SilentProgress()
    if not is_known_codec(ansi_codec):
        raise EvtxhuntError(f"{ansi_codec}: no code page that is known; give --ansi-codec one such as windows-1251")
    candidates, skipped = discover_files(paths)
    candidates += discover_blobs(carve)
    parser = FastParser(ansi_codec, watch)
    state = _Ingest(recover, parser, progress, skipped=skipped)
    containers = Containers(case.absolute().parent, password)
    hosts = Hosts()
    if host is None and is_host_from_folders:
        hosts.name(candidates, containers, parser)
    with opener(case, memory_limit, __version__) as store:
        arguments = {
            "paths": [shown_path(path.absolute()) for path in paths],
            "host": host,
            "recover": recover,
            "carve": [shown_path(path.absolute()) for path in carve],
            "ansi_codec": ansi_codec,
        }
        run_id = store.begin_run("ingest", arguments, versions())
        progress.start(len(candidates), sum(candidate.size for candidate in candidates))
        sources = _sources(candidates, host, hosts, containers, state)
        for load in _one_ahead(_in_loads(_works(sources, store, state))):
            _load(store, load, state)
            for work in load:
                _release(work.source)
        taken = {shown_path(candidate.path) for candidate in candidates if candidate.kind is None}
        unread = [(item, shown_path(item.path)) for item in state.skipped]
        opened = [shown_path(candidate.path) for candidate in candidates if candidate.kind is not None]
        store.replace_skipped(unread, taken - {path for _, path in unread}, opened)
        store.end_run(run_id)
        channels = store.channel_counts()
    return IngestSummary(
        read_files=state.read_files,
        read_bytes=state.read_bytes,
        events=state.events,
        damaged=tuple(state.damaged),
        recovered=tuple(state.recovered),
        copies=tuple(state.copies),
        seen_before=tuple(state.seen_before),
        conflicts=state.conflicts,
        known=tuple(state.known),
        hidden=tuple(state.hidden),
        skipped=tuple(state.skipped),
        channels=channels,
    )


def add_staged(store: CaseStore, stages: Sequence[Stage]) -> None:
    """Takes collections that were read into `open_staging` into the case, in their order, as `ingest` of each would.

    Logs that the case has already are left out. Raises duckdb.InvalidInputException if a text is no JSON; the case then
    is as it was.
    """
    state = _Ingest(False, FastParser(), SilentProgress())
    with store.transaction():
        for load in _one_ahead(_in_loads(_staged_works(store, stages))):
            _insert(store, load, state)
        for stage in stages:
            run_id = store.begin_run("ingest", stage.arguments, stage.versions)
            store.replace_skipped(stage.skipped, stage.ingested_paths, stage.opened_paths)
            store.end_run(run_id)


def _staged_works(store: CaseStore, stages: Iterable[Stage]) -> Iterator[_Work]:
    contents, paths, without_slack = store.known_contents(), store.known_paths(), store.logs_without_slack()
    next_id, _ = store.next_ids()
    for staged in (log for stage in stages for log in stage.logs):
        source, content = staged.source, (staged.source.sha256, staged.source.is_blob)
        if staged.has_slack and (read := without_slack.pop(source.sha256, None)) is not None:
            yield _slack_work(*read, source, staged)
        if (*_stored(source), *content) not in paths:
            yield _Work(next_id, source, contents.get(content), staged=staged)
            contents.setdefault(content, next_id)
            next_id += 1


def _sources(
    candidates: Iterable[LogCandidate], host: str | None, hosts: Hosts, containers: Containers, state: _Ingest
) -> Iterator[SourceFile]:
    """The logs of all candidates in order, hashed."""
    for candidate in candidates:
        if candidate.kind is not None:
            for found in containers.sources(candidate, host, hosts):
                if isinstance(found, SourceFile):
                    yield found
                else:
                    state.skipped.append(found)
            state.progress.advance(shown_path(candidate.path), candidate.size, 0)
            state.progress.finish_file()
            continue
        try:
            modified_ns = candidate.path.stat().st_mtime_ns
            sha256, size = hash_file(candidate.path)
        except OSError as error:
            state.skipped.append(SkippedFile(candidate.path, f"unreadable: {error.strerror}", candidate.size))
            continue
        label = host or hosts.of(candidate)
        yield SourceFile(candidate.path, size, sha256, modified_ns, label, candidate.is_hidden, candidate.is_blob)


def _works(sources: Iterable[SourceFile], store: CaseStore, state: _Ingest) -> Iterator[_Work]:
    """What is to be done with each log, unless the case has it."""
    contents, paths = store.known_contents(), store.known_paths()
    without_slack = store.logs_without_slack() if state.recover else {}
    next_id, _ = store.next_ids()
    for source in sources:
        if source.is_hidden:
            state.hidden.append(_shown(source))
        content = (source.sha256, source.is_blob)
        if read := None if source.is_blob else without_slack.pop(source.sha256, None):
            yield _slack_work(*read, source)
        if (*_stored(source), *content) not in paths:
            yield _Work(next_id, source, contents.get(content), is_finished=read is not None)
            contents.setdefault(content, next_id)
            next_id += 1
            continue
        state.known.append(_shown(source))
        if read is None:
            state.finish(source, source.size)
            _release(source)


def _slack_work(source_file_id: int, host: str | None, source: SourceFile, staged: StagedLog | None = None) -> _Work:
    """To search the free space of a log that the case has without, be it there by this path or by another."""
    return _Work(source_file_id, replace(source, host=host), None, only_slack=True, staged=staged)


def _in_loads(works: Iterable[_Work]) -> Iterator[list[_Work]]:
    load: list[_Work] = []
    size = 0
    for work in works:
        load.append(work)
        size += work.source.size
        if size >= _LOAD_BYTES or len(load) >= _LOAD_FILES:
            yield load
            load, size = [], 0
    if load:
        yield load


def _stored(source: SourceFile) -> tuple[str | None, str]:
    """Container and path as the case has them."""
    return (source.member.container, source.member.path) if source.member else (None, shown_path(source.path))


def _shown(source: SourceFile) -> str:
    return place_in(*_stored(source))


def _release(source: SourceFile) -> None:
    if source.member is not None:
        source.member.content.close()


def _one_ahead(loads: Iterator[list[_Work]]) -> Iterator[list[_Work]]:
    """Hashes the next load while the one before it is inserted, which leaves a core idle now and then."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        following = pool.submit(next, loads, None)
        while (load := following.result()) is not None:
            following = pool.submit(next, loads, None)
            yield load


def _load(store: CaseStore, load: Sequence[_Work], state: _Ingest) -> None:
    """Reads one load of logs into the case in one transaction."""
    try:
        loaded = _insert(store, load, state)
    except duckdb.InvalidInputException:
        # Of a forged record the parser can make text that is no JSON. To look for it costs, and nearly no log has any.
        with json_reader() as are_readable, state.parser.checking(are_readable):
            loaded = _insert(store, load, replace(state, progress=SilentProgress()))
    paths = store.paths()
    for item in loaded.seen_before:
        state.seen_before.append(
            (paths[item.source_file_id], item.records, tuple(paths[other] for other in item.other_ids))
        )
        state.events -= item.counted_records
    state.conflicts += loaded.conflicts
    for work in load:
        path = paths[work.source_file_id] if work.only_slack else _shown(work.source)
        if work.copy_of is not None:
            state.copies.append((path, paths[work.copy_of]))
            continue
        account = loaded.accounts[work.source_file_id]
        if not work.only_slack:
            state.read_files += 1
            state.read_bytes += work.source.size
        state.events += account.parsed + account.rescued
        if account.failures:
            state.damaged.append((path, account))
        if account.recovered or account.carved:
            state.recovered.append((path, account))


@dataclass(slots=True)
class _Loaded:
    """What one load brought; by source_file_id where it is of single logs."""

    accounts: dict[int, LogAccount] = field(default_factory=dict)
    first_keys: dict[int, int] = field(default_factory=dict)
    seen_before: tuple[SeenBefore, ...] = ()
    conflicts: int = 0


def _insert(store: CaseStore, load: Sequence[_Work], state: _Ingest) -> _Loaded:
    loaded = _Loaded()
    fresh = [work for work in load if work.copy_of is None]
    _, first_key = store.next_ids()
    with store.transaction():
        if fresh:
            store.append_events(_event_stream(fresh, first_key, loaded, state))
            for work in fresh:
                account, key = loaded.accounts[work.source_file_id], loaded.first_keys[work.source_file_id]
                if work.only_slack:
                    store.add_slack(work.source_file_id, account, key)
                else:
                    path = _stored(work.source)[1]
                    store.add_source_file(work.source_file_id, work.source, path, account, PARSER_VERSION, key)
            fresh_ids = [work.source_file_id for work in fresh]
            store.name_channels(fresh_ids)
            loaded.seen_before, loaded.conflicts = store.merge_duplicates(fresh_ids)
            store.renew_copies([work.source_file_id for work in fresh if work.only_slack])
        # After the merge, so that the records of the original that are copies themselves are known.
        for work in load:
            if work.copy_of is not None:
                store.add_copy(work.source_file_id, work.source, _stored(work.source)[1], work.copy_of)
                if not work.is_finished:
                    state.finish(work.source, work.source.size)
    return loaded


def _reader(work: _Work, state: _Ingest) -> LogReader | BlobReader | StagedReader:
    if work.staged is not None:
        return StagedReader(work.staged, only_slack=work.only_slack)
    if work.source.is_blob:
        return BlobReader(work.source, state.parser)
    return LogReader(work.source, state.parser, recover=state.recover, only_slack=work.only_slack)


def _event_stream(
    works: Sequence[_Work],
    first_key: int,
    loaded: _Loaded,
    state: _Ingest,
) -> Iterator[pa.RecordBatch]:
    """Reads logs one after another and numbers their records; fills in accounts and first keys on the way."""
    key = first_key
    for work in works:
        reader = _reader(work, state)
        loaded.first_keys[work.source_file_id] = key
        done = 0
        for batch in reader.batches():
            rows = len(batch)
            yield pa.record_batch(
                [
                    pa.array(range(key, key + rows), pa.int64()),
                    pa.repeat(pa.scalar(work.source_file_id, pa.int32()), rows),
                    pa.repeat(pa.scalar(work.source.host, pa.string()), rows),
                    *batch.columns,
                ],
                schema=EVENT_STREAM_SCHEMA,
            )
            key += rows
            state.advance(work.source, reader.position - done, rows)
            done = reader.position
        loaded.accounts[work.source_file_id] = reader.account()
        state.finish(work.source, work.source.size - done)
