"""A collection that was read and waits for its turn to get into the case: Arrow files, and what is known of its logs.

Several processes read collections at once; one alone can write a case, and takes them in their order. So the case has
the same rows however many processes there are and whichever of them is first.
"""

import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from evtxhunt.errors import OutputError
from evtxhunt.event_columns import EVENT_STREAM_SCHEMA
from evtxhunt.log_model import LogAccount
from evtxhunt.model import ChannelCount, SeenBefore, SkippedFile, SourceFile
from evtxhunt.store import CaseStore, json_reader

_INDEX = "index"
# A third of the disk for a twentieth of the time.
_WRITE_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")
# What a record has by itself: its key, log and host come with its place in the case.
_SCHEMA = pa.schema(list(EVENT_STREAM_SCHEMA)[3:])


@dataclass(frozen=True, slots=True)
class StagedLog:
    """A log as it was read; of a copy of one before it in the same collection there is no account."""

    source: SourceFile
    account: LogAccount | None
    records: Path | None  # Arrow stream; None: no records

    @property
    def has_slack(self) -> bool:
        """Whether its free space was searched."""
        return self.account is not None and self.account.slack is not None


@dataclass(slots=True)
class Stage:
    """A collection that was read."""

    arguments: dict[str, object] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    logs: list[StagedLog] = field(default_factory=list)
    skipped: list[tuple[SkippedFile, str]] = field(default_factory=list)
    ingested_paths: list[str] = field(default_factory=list)
    opened_paths: list[str] = field(default_factory=list)  # of containers


def read_stage(folder: Path) -> Stage:
    """What `open_staging` wrote there. To be used on a folder that this very run has made: it is unpickled."""
    with (folder / _INDEX).open("rb") as file:
        stage = pickle.load(file)
    assert isinstance(stage, Stage)
    return stage


class StagedReader:
    """Reads a staged log as `LogReader` does a real one, with `only_slack` too."""

    def __init__(self, staged: StagedLog, *, only_slack: bool = False) -> None:
        self._staged = staged
        self._only_slack = only_slack
        self.position = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches of RECORD_SCHEMA."""
        if self._staged.records is not None:
            with pa.OSFile(str(self._staged.records)) as file, pa.ipc.open_stream(file) as reader:
                for batch in reader:
                    yield batch.filter(pc.equal(batch["origin"], "slack")) if self._only_slack else batch

    def account(self) -> LogAccount:
        """As it was when the log was read; with `only_slack` what in it is of free space."""
        account, member = self._staged.account, self._staged.source.member
        assert account is not None  # of a copy nobody reads records
        if not self._only_slack:
            return account
        return replace(
            account,
            # What the case has of the log is not said again: of its records, and that its archive is damaged.
            failures=tuple(
                item
                for item in account.failures
                if item.scope == "file" and not (member and item.reason == member.damage)
            ),
            recovered=tuple(
                replace(item, row=None if item.row is None else item.row - account.parsed - account.rescued)
                for item in account.recovered
                if item.origin == "slack"
            ),
        )


@contextmanager
def open_staging(folder: Path, _memory_limit: str, _version: str, *, is_checked: bool = False) -> Iterator[CaseStore]:
    """In place of `open_store`: an ingest then writes into the folder `folder`, which is made anew, and no case.

    `is_checked`: texts are checked to be JSON, as DuckDB does when it takes them. Raises OutputError.
    """
    with ExitStack() as stack:
        are_readable = stack.enter_context(json_reader()) if is_checked else None
        # Of a first attempt, at whose end the parser was stopped.
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made: {error.strerror}; give -o another path") from error
        yield _StagingStore(folder, are_readable)


class _StagingStore(CaseStore):
    """Takes what an ingest gives to a case, in an empty one's stead; has no connection."""

    def __init__(self, folder: Path, are_readable: Callable[[list[str]], list[bool]] | None) -> None:
        self._folder = folder
        self._are_readable = are_readable
        self._stage = Stage()
        self._logs: dict[int, StagedLog] = {}
        self._paths: dict[int, str] = {}
        self._records: dict[int, Path] = {}

    def close(self) -> None:
        pass

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._records = {}  # what was written is written anew, if it is done again
        yield

    def begin_run(self, command: str, arguments: Mapping[str, object], versions: Mapping[str, str]) -> int:
        self._stage.arguments, self._stage.versions = dict(arguments), dict(versions)
        return 1

    def end_run(self, run_id: int, rule_set_sha256: str | None = None) -> None:
        # Copies of a load come after its other logs, but have their numbers in the order of paths.
        self._stage.logs = [self._logs[source_file_id] for source_file_id in sorted(self._logs)]
        with _writing(self._folder), (self._folder / _INDEX).open("wb") as file:
            pickle.dump(self._stage, file)

    def known_contents(self) -> dict[tuple[str, bool], int]:
        return {}

    def logs_without_slack(self) -> dict[str, tuple[int, str | None]]:
        return {}

    def known_paths(self) -> set[tuple[str | None, str, str, bool]]:
        return set()

    def paths(self) -> dict[int, str]:
        return self._paths

    def next_ids(self) -> tuple[int, int]:
        return len(self._paths) + 1, 1

    def append_events(self, batches: Iterator[pa.RecordBatch]) -> None:
        current: int | None = None
        with _writing(self._folder), ExitStack() as stack:
            for batch in batches:
                self._check(batch)
                source_file_id = batch.column("source_file_id")[0].as_py()  # one batch is of one log
                if source_file_id != current:
                    stack.close()
                    current = source_file_id
                    path = self._records[source_file_id] = self._folder / str(source_file_id)
                    file = stack.enter_context(pa.OSFile(str(path), "wb"))
                    writer = stack.enter_context(pa.ipc.new_stream(file, _SCHEMA, options=_WRITE_OPTIONS))
                writer.write_batch(batch.select(_SCHEMA.names))

    def _check(self, batch: pa.RecordBatch) -> None:
        if self._are_readable and not all(self._are_readable(batch.column("record_json").to_pylist())):
            raise duckdb.InvalidInputException("no JSON")  # which is what DuckDB would say

    def add_source_file(
        self,
        source_file_id: int,
        source: SourceFile,
        shown_path: str,
        account: LogAccount,
        parser_version: str,
        first_key: int,
    ) -> None:
        self._paths[source_file_id] = shown_path
        self._logs[source_file_id] = StagedLog(_read(source), account, self._records.get(source_file_id))

    def add_copy(self, source_file_id: int, source: SourceFile, shown_path: str, copy_of: int) -> None:
        self._paths[source_file_id] = shown_path
        self._logs[source_file_id] = StagedLog(_read(source), None, None)

    def renew_copies(self, original_ids: Sequence[int]) -> None:
        pass

    def name_channels(self, source_file_ids: Sequence[int]) -> None:
        pass

    def merge_duplicates(self, source_file_ids: Sequence[int]) -> tuple[tuple[SeenBefore, ...], int]:
        return (), 0

    def replace_skipped(
        self, skipped: Iterable[tuple[SkippedFile, str]], ingested_paths: Iterable[str], containers: Iterable[str]
    ) -> None:
        self._stage.skipped, self._stage.ingested_paths = list(skipped), sorted(ingested_paths)
        self._stage.opened_paths = list(containers)

    def channel_counts(self) -> tuple[ChannelCount, ...]:
        return ()


class _Read:
    """In place of the bytes of a member, which nobody needs once they are read."""

    def open(self) -> AbstractContextManager[BinaryIO]:
        raise OSError("the content of a staged log is not kept")

    def close(self) -> None:
        pass


def _read(source: SourceFile) -> SourceFile:
    return source if source.member is None else replace(source, member=replace(source.member, content=_Read()))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}; give -o another path") from error
