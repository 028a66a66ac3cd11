"""The progress bar of an ingest: files, records, speed, time left. Quiet where stderr is no terminal."""

from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from evtxhunt.render.terminal import escape_terminal


class IngestBar:
    """An `IngestProgress` for people; use it as a context manager."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._files = 0
        self._done_files = 0
        self._records = 0
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[files]} files"),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[records]:,} records"),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[name]}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("ingest", total=None, files="0/0", records=0, name="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

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
