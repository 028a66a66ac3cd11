"""Reads many collections at once, each in a process of its own, and puts them into one case in their order."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import duckdb

from evtxhunt import __version__
from evtxhunt.discover import shown_path
from evtxhunt.errors import CaseError, EvtxhuntError, OutputError
from evtxhunt.pipeline.forks import Child, Isolate, Message, Tell, wait_any
from evtxhunt.pipeline.ingest import SilentProgress, add_staged, ingest
from evtxhunt.pipeline.manifest import INGEST_MEMORY_LIMIT
from evtxhunt.pipeline.staged import open_staging, read_stage
from evtxhunt.pipeline.triage_facts import COLLECTIONS_SQL
from evtxhunt.store import open_store
from evtxhunt.watch import current_watch

_LOOK_SECONDS = 0.2
_TELL_SECONDS = 0.2
# Collections that were read and wait, for each process: one that takes long holds up those after it, and the disk is
# not to fill meanwhile.
_MOST_WAITING = 16

State = Literal["waiting", "reading", "read", "in the case", "failed"]


@dataclass(slots=True)
class Progress:
    """How one collection gets on; `reason` and `what_to_do` of one that failed."""

    number: int
    path: Path
    name: str
    state: State = "waiting"
    size: int = 0  # bytes of its logs, as far as known
    done: int = 0
    records: int = 0
    reason: str = ""
    what_to_do: str = ""
    is_checked: bool = False  # each text is to be checked to be JSON


class FleetProgress(Protocol):
    """Hears how a triage gets on; called by the process that started all others."""

    def show(self, collections: Sequence[Progress], step: str) -> None:
        """Where each collection is, and what is done beside."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one collection's process; None: none. Bytes of resident memory, where it can be seen."""

    jobs: int
    seconds: float | None = None
    memory: int | None = None
    recover: bool = False
    isolate: Isolate | None = None
    password: str | None = field(default=None, repr=False)  # of encrypted archives


class _Told(SilentProgress):
    """An IngestProgress that tells another process now and then."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._size = self._done = self._records = 0
        self._last = 0.0

    def start(self, files: int, size: int) -> None:  # noqa: ARG002 - as the protocol has it
        self._size = size

    def advance(self, path: str, size: int, records: int) -> None:  # noqa: ARG002
        self._done += size
        self._records += records
        if time.monotonic() - self._last > _TELL_SECONDS:
            self._last = time.monotonic()
            self.now()

    def now(self) -> None:
        self._tell({"size": self._size, "done": self._done, "records": self._records})


@dataclass(slots=True)
class Fleet:
    """Collections on their way into the case of a triage's folder."""

    folder: Path
    limits: Limits
    progress: FleetProgress
    _workers: dict[Child, Progress] = field(default_factory=dict)

    @property
    def case(self) -> Path:
        """The case that they go into."""
        return self.folder / "case.duckdb"

    @property
    def _stages(self) -> Path:
        return self.folder / "parts"

    def read(self, paths: Sequence[Path], again: Collection[Path] = ()) -> list[Progress]:
        """Reads the collections that the case does not have and puts them into it. One that fails stops no other.

        Those in `again` are read though the case has them, and what is new in them is added. Each is in the case whole
        or, if it failed, as it was before. Raises EvtxhuntError if the folder cannot be written.
        """
        fleet = [Progress(number, path, shown_path(path)) for number, path in enumerate(paths)]
        with self._writer() as writer:
            known = set(writer.ready())
            for item in fleet:
                if item.name in known and item.path not in again:
                    item.state = "in the case"
            shutil.rmtree(self._stages, ignore_errors=True)  # of a run that was killed
            try:
                self._read_all(fleet, writer)
            finally:
                for worker in self._workers:
                    worker.kill()
                self._workers.clear()
            writer.end()
        shutil.rmtree(self._stages, ignore_errors=True)
        return fleet

    def _read_all(self, fleet: Sequence[Progress], writer: "_Writer") -> None:
        while any(item.state in ("waiting", "reading", "read") for item in fleet):
            self._start_workers(fleet)
            if not writer.taken and (ready := _next_ready(fleet)):
                writer.take(ready, [self._stage(item) for item in ready])
            self.progress.show(fleet, "")
            wait_any([*self._workers, writer.child], _LOOK_SECONDS)
            self._look_after_workers()
            for item in writer.look():
                shutil.rmtree(self._stage(item), ignore_errors=True)
        self.progress.show(fleet, "")

    def _stage(self, item: Progress) -> Path:
        return self._stages / str(item.number)  # a collection's own name may be anything

    def _start_workers(self, fleet: Sequence[Progress]) -> None:
        for item in fleet:
            if len(self._workers) >= self.limits.jobs:
                return
            waiting = sum(other.state == "read" for other in fleet)
            # One that the database refused is read again however many wait: they wait for it.
            if item.state == "waiting" and (item.is_checked or waiting < _MOST_WAITING * self.limits.jobs):
                item.state = "reading"
                work = partial(_read, item.path, self._stage(item), item.is_checked, self.limits)
                self._workers[Child(work, isolate=self.limits.isolate)] = item

    def _look_after_workers(self) -> None:
        limits = self.limits
        for worker, item in list(self._workers.items()):
            error = ""
            for message in worker.messages():
                error = _error_of(message) or error
                item.size, item.done = message.get("size", item.size), message.get("done", item.done)
                item.records = message.get("records", item.records)
            if worker.status is None:
                if limits.seconds is not None and worker.seconds() > limits.seconds:
                    reason = f"not read within {limits.seconds:g} s"
                    self._fail(worker, item, reason, "allow more with --time-limit")
                elif limits.memory is not None and worker.resident() > limits.memory:
                    reason = f"needs more than {limits.memory / 2**20:,.0f} MiB of memory"
                    self._fail(worker, item, reason, "allow more with --memory")
                continue
            del self._workers[worker]
            if worker.status == 0:
                item.state = "read"
            elif worker.status < 0:
                name = signal.Signals(-worker.status).name
                self._fail(
                    worker, item, f"its process was ended by {name}", "run triage again; see that there is memory"
                )
            else:
                self._fail(worker, item, error or f"its process ended with {worker.status}", "ingest it by itself")

    def _fail(self, worker: Child, item: Progress, reason: str, what_to_do: str) -> None:
        worker.kill()
        self._workers.pop(worker, None)
        shutil.rmtree(self._stage(item), ignore_errors=True)
        item.state, item.reason, item.what_to_do = "failed", reason, what_to_do

    @contextmanager
    def _writer(self) -> Iterator["_Writer"]:
        writer = _Writer(self.case)
        try:
            yield writer
        finally:
            writer.child.kill()
            writer.close()


def _next_ready(fleet: Sequence[Progress]) -> list[Progress]:
    """Those that are next in their order: one that is not read yet holds up all after it.

    One that was checked goes alone: what an unchecked one beside it has is not to be held against it.
    """
    ready: list[Progress] = []
    for item in fleet:
        if item.state in ("waiting", "reading") or (ready and item.state == "read" and item.is_checked):
            break
        if item.state == "read":
            ready.append(item)
            if item.is_checked:
                break
    return ready


def _error_of(message: Message) -> str:
    """What ended a child, in one line; empty if nothing did. Raises OutputError if it could not write."""
    if "output" in message:
        raise OutputError(message["output"])
    if "bug" in message:
        return str(message["bug"]).strip().splitlines()[-1]
    return str(message.get("error", ""))


def _read(collection: Path, stage: Path, is_checked: bool, limits: Limits, tell: Tell) -> None:
    told = _Told(tell)
    try:
        ingest(
            [collection],
            stage,
            recover=limits.recover,
            password=limits.password,
            progress=told,
            watch=current_watch(),
            is_host_from_folders=False,
            opener=partial(open_staging, is_checked=is_checked),
        )
    except OutputError as error:  # the triage's folder is at fault, and no collection
        tell({"output": str(error)})
        raise
    told.now()


class _Writer:
    """The one process that has the case open."""

    def __init__(self, case: Path) -> None:
        reading, self._commands = os.pipe()
        self.child = Child(partial(_write_case, case, reading, self._commands))
        os.close(reading)
        self.taken: list[Progress] = []
        self._told: list[Message] = []

    def ready(self) -> list[str]:
        """Paths of the collections that the case has. Raises EvtxhuntError if it cannot be opened."""
        while not self._told:
            self._hear(1)
        return list(self._told.pop(0)["known"])

    def take(self, items: list[Progress], stages: list[Path]) -> None:
        """Puts these into the case; `look` tells when it is done."""
        self.taken = items
        self._say({"stages": [str(stage) for stage in stages]})

    def look(self) -> list[Progress]:
        """Those whose stages are no longer needed, with their new states."""
        self._hear(0)
        if not self._told:
            return []
        answer, items = self._told.pop(0), self.taken
        self.taken = []
        for item in items:
            if answer["is_taken"]:
                item.state = "in the case"
            elif item.is_checked:
                item.state, item.reason = "failed", "the database does not take its records"
                item.what_to_do = "ingest it by itself"
            else:  # rarely is a text no JSON, and to look costs
                item.state, item.is_checked = "waiting", True
        return items

    def end(self) -> None:
        """Closes the case."""
        self._say({"stages": []})
        while self.child.status is None:
            self._hear(1)

    def close(self) -> None:
        """Gives back what the process was told by."""
        os.close(self._commands)

    def _say(self, message: Message) -> None:
        line = json.dumps(message).encode() + b"\n"
        while line:
            line = line[os.write(self._commands, line) :]

    def _hear(self, seconds: float) -> None:
        if self.child.status is None:
            wait_any([self.child], seconds)
        for message in self.child.messages():
            if "bug" in message:
                raise RuntimeError(message["bug"])
            if "error" in message:
                raise CaseError(message["error"])
            self._told.append(message)
        if self.child.status not in (None, 0):
            raise CaseError("the process that writes the case was ended; run the same command again to go on")


def _write_case(case: Path, reading: int, commands: int, tell: Tell) -> None:
    os.close(commands)
    with os.fdopen(reading) as lines, open_store(case, INGEST_MEMORY_LIMIT, __version__) as store:
        store.forget_unfinished_runs()
        tell({"known": [path for (path,) in store.connection.execute(COLLECTIONS_SQL).fetchall()]})
        for line in lines:
            folders = json.loads(line)["stages"]
            if not folders:
                return
            try:
                add_staged(store, [read_stage(Path(folder)) for folder in folders])
                is_taken = True
            except duckdb.InvalidInputException:
                is_taken = False
            tell({"is_taken": is_taken})


def run_children(
    works: Sequence[Callable[[Tell], object]], progress: FleetProgress, fleet: Sequence[Progress], step: str
) -> list[Message]:
    """Runs each in a fork of this process and gives what they told. Raises EvtxhuntError as it is raised there."""
    told: list[Message] = []
    children = [Child(work) for work in works]
    try:
        while waiting := [child for child in children if child.status is None]:
            progress.show(fleet, step)
            wait_any(waiting, _LOOK_SECONDS)
            for child in waiting:
                for message in child.messages():
                    if "bug" in message:
                        raise RuntimeError(message["bug"])
                    if "error" in message:
                        raise EvtxhuntError(message["error"])
                    step = message.get("step", step)
                    told.append(message)
        if any(child.status for child in children):
            raise EvtxhuntError("a process of the triage was ended; run the same command again to go on")
    finally:
        for child in children:
            with suppress(ProcessLookupError):
                child.kill()
    return told
