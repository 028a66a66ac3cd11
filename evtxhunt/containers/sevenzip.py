"""7z archives: py7zr hands its members out in a thread of its own, from which they are taken as streams."""

import io
import posixpath
from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import BinaryIO, cast

import py7zr
from py7zr.exceptions import ArchiveError
from py7zr.io import Py7zIO, WriterFactory

from evtxhunt.containers.limits import MemberError, UnreadableError, reason_of

_BLOCKS = 4  # that wait to be taken, of at most 1 MiB
_BLOCK_BYTES = 1 << 20
_Item = tuple[str, object]  # "file", its name; "data", bytes; "end", None or an exception


def seven_zip_members(file: BinaryIO, password: bytes | None) -> Iterator[tuple[str, BinaryIO | None, str]]:
    """Path and stream of each file in stored order, each to be read before the next is taken; or None and a reason.

    Raises MemberError.
    """
    try:
        with py7zr.SevenZipFile(file, password=password.decode() if password is not None else None) as archive:
            if archive.password_protected and password is None:
                raise MemberError("encrypted: give its --password")
            targets = []
            for info in archive.files:
                # py7zr would give the whole archive up for one of these.
                if posixpath.isabs(info.filename) or ".." in info.filename.replace("\\", "/").split("/"):
                    yield info.filename, None, "refused: a path that leaves the archive, which py7zr does not read"
                elif info.is_symlink or info.is_junction:
                    if info.filename.lower().endswith(".evtx"):
                        yield info.filename, None, "a link, not followed"
                elif not info.is_directory and not info.is_socket:
                    targets.append(info.filename)
            yield from _Handover(archive, targets).members()
    except py7zr.PasswordRequired as error:
        raise MemberError("encrypted: give its --password") from error
    except ArchiveError as error:
        raise MemberError(reason_of(error)) from error


class _Handover:
    """Makes a stream to be read of what py7zr writes."""

    def __init__(self, archive: py7zr.SevenZipFile, targets: list[str]) -> None:
        self._archive = archive
        self._targets = targets
        self._queue: Queue[_Item] = Queue(_BLOCKS)
        self._is_over = Event()
        self._next: _Item | None = None

    def members(self) -> Iterator[tuple[str, BinaryIO | None, str]]:
        thread = Thread(target=self._run, daemon=True)
        thread.start()
        try:
            while (item := self.take())[0] != "end":
                if item[0] == "file":
                    yield str(item[1]), cast("BinaryIO", _Member(self)), ""
            if isinstance(item[1], Exception):
                raise MemberError(reason_of(item[1]))
        finally:
            self._is_over.set()
            thread.join()

    def take(self) -> _Item:
        """The next item."""
        item, self._next = self._next, None
        return item or self._queue.get()

    def take_data(self) -> bytes:
        """More bytes of the member; empty at its end."""
        item = self.take()
        if item[0] == "data":
            return cast("bytes", item[1])
        self._next = item
        if isinstance(item[1], Exception):
            raise UnreadableError(reason_of(item[1]))
        return b""

    def put(self, kind: str, value: object) -> None:
        """Waits for room. Raises _StoppedError if nobody takes anything any more."""
        while True:
            if self._is_over.is_set():
                raise _StoppedError
            try:
                self._queue.put((kind, value), timeout=0.1)
                return
            except Full:
                continue

    def _run(self) -> None:
        error: Exception | None = None
        try:
            self._archive.extract(targets=self._targets, factory=_Factory(self))
        except _StoppedError:
            return
        except Exception as raised:  # noqa: BLE001  # whatever it is, it is told in the other thread
            error = raised
        try:
            self.put("end", error)
        except _StoppedError:
            return


class _StoppedError(Exception):
    """The archive is not read to its end."""


class _Member(io.RawIOBase):
    """The member that py7zr is at."""

    def __init__(self, handover: _Handover) -> None:
        super().__init__()
        self._handover = handover
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; empty at the end."""
        if not self._rest:
            self._rest = self._handover.take_data()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class _Writer(Py7zIO):
    """What py7zr writes one member to."""

    def __init__(self, handover: _Handover) -> None:
        self._handover = handover
        self._size = 0

    def write(self, s: bytes | bytearray) -> int:
        """Hands the bytes over in blocks."""
        self._size += len(s)
        for at in range(0, len(s), _BLOCK_BYTES):
            self._handover.put("data", bytes(s[at : at + _BLOCK_BYTES]))
        return len(s)

    def read(self, size: int | None = None) -> bytes:
        """Nothing: py7zr reads only the target of links."""
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Nothing."""
        return 0

    def flush(self) -> None:
        """Nothing."""

    def size(self) -> int:
        """Bytes so far."""
        return self._size


class _Factory(WriterFactory):
    """Says which member comes."""

    def __init__(self, handover: _Handover) -> None:
        self._handover = handover

    def create(self, filename: str) -> Py7zIO:
        """A writer for the member of this name."""
        self._handover.put("file", filename)
        return _Writer(self._handover)
