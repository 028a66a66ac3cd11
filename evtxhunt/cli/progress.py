"""Progress bars: of an ingest or verification, and of correlation and detection. Quiet where stderr is no terminal."""

from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from evtxhunt.pipeline.query import QuerySet, correlate
from evtxhunt.render.terminal import escape_terminal


class _Bar:
    """A bar on stderr that is gone in the end; use it as a context manager."""

    def __init__(self, *columns: ProgressColumn) -> None:
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class StepBar(_Bar):
    """A `StepProgress` for people."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.description}", markup=False),
        )
        self._task: TaskID | None = None
        self._begun = 0

    def start(self, steps: int) -> None:
        """So many views, tables and detections are to be computed."""
        self._task = self._progress.add_task("", total=steps)

    def step(self, name: str) -> None:
        """The one of this id comes next; the one before is done."""
        if self._task is not None:
            self._progress.update(self._task, completed=self._begun, description=escape_terminal(name), refresh=True)
            self._begun += 1


def correlate_with_bar(case: Path, query_set: QuerySet, memory_limit: str) -> None:
    """Makes the correlated tables of the case unless they are up to date."""
    with StepBar() as bar:
        correlate(case, query_set, memory_limit=memory_limit, progress=bar)


class IngestBar(_Bar):
    """An `IngestProgress` for people. Records are shown where they are read and not only hashed."""

    def __init__(self, *, has_records: bool = True) -> None:
        self._lock = Lock()
        self._files = 0
        self._done_files = 0
        self._records = 0
        super().__init__(
            TextColumn("{task.fields[files]} files"),
            BarColumn(),
            DownloadColumn(),
            *([TextColumn("{task.fields[records]:,} records")] if has_records else []),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[name]}", markup=False),
        )
        self._task = self._progress.add_task("ingest", total=None, files="0/0", records=0, name="")

    def start(self, files: int, size: int) -> None:
        """`files` logs of `size` bytes altogether were found."""
        self._files = files
        self._progress.update(self._task, total=size, files=f"0/{files}")

    def advance(self, path: str, size: int, records: int) -> None:
        """`size` more bytes and `records` more records of the log at `path` are done."""
        with self._lock:
            self._records += records
        name = escape_terminal(path.replace("\\", "/").rsplit("/", 1)[-1])[:40]
        self._progress.update(self._task, advance=size, records=self._records, name=name)

    def finish_file(self) -> None:
        """One more log is done."""
        with self._lock:
            self._done_files += 1
        self._progress.update(self._task, files=f"{self._done_files}/{self._files}")
