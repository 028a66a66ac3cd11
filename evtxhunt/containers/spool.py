"""Holds the logs of a container while they are read, for a reader seeks and a stream cannot."""

import errno
import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import IO, BinaryIO, cast

from evtxhunt.containers.limits import SPOOL_BYTES, SPOOL_MEMORY, MemberError, UnreadableError
from evtxhunt.errors import CaseError

_BLOCK_BYTES = 1 << 20


class Spool:
    """Contents of which SPOOL_MEMORY bytes altogether are in memory, the rest in files without a name in `folder`.

    A file without a name is gone when it is closed, and when this process is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._in_memory = 0
        self._held = 0

    def take(self, stream: BinaryIO, *, partly: bool = False) -> "Spooled":
        """All that comes out of `stream`, hashed on the way; with `partly` what comes before it is damaged, too.

        Raises MemberError, and CaseError if the disk is full.
        """
        content = Spooled(self)
        try:
            while block := stream.read(_BLOCK_BYTES):
                content.append(block)
        except UnreadableError as error:
            if not (partly and content.size):
                content.close()
                raise
            content.damage = str(error)
        except BaseException:
            content.close()
            raise
        return content

    def reserve(self, size: int, *, memory: bool) -> bool:
        """Whether `size` more bytes can be held there. Raises MemberError if nowhere."""
        with self._lock:
            if self._held + size > SPOOL_BYTES:
                raise MemberError(f"refused: more than {SPOOL_BYTES >> 30} GiB would have to be held at a time")
            if memory and self._in_memory + size > SPOOL_MEMORY:
                return False
            self._in_memory += size if memory else 0
            self._held += size
            return True

    def free(self, size: int, *, memory: bool) -> None:
        """Gives back what was reserved."""
        with self._lock:
            self._in_memory -= size if memory else 0
            self._held -= size

    def move_to_disk(self, size: int) -> None:
        """What was reserved in memory is so on the disk."""
        with self._lock:
            self._in_memory -= size

    def new_file(self) -> IO[bytes]:
        """Raises OSError."""
        return tempfile.TemporaryFile(dir=self._folder, prefix=".evtxhunt-")  # closed by its Spooled

    def full(self, error: OSError) -> CaseError:
        """What to raise when the folder takes no more."""
        return CaseError(
            f"{self._folder}: cannot hold what is read from a container: {error.strerror}; make room there, or give"
            " --case a path elsewhere"
        )


class Spooled:
    """One content: its hash, size and bytes, until it is closed."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._file: IO[bytes] = io.BytesIO()
        self._is_in_memory = True
        self._digest = hashlib.sha256()
        self.size = 0
        self.damage: str | None = None  # why there is no more of it

    @property
    def sha256(self) -> str:
        """Of all bytes, lower-case hex."""
        return self._digest.hexdigest()

    def append(self, block: bytes) -> None:
        """Adds bytes at the end. Raises MemberError, CaseError."""
        if self._is_in_memory and not self._spool.reserve(len(block), memory=True):
            self._move_to_disk()
        if not self._is_in_memory:
            self._spool.reserve(len(block), memory=False)
        self.size += len(block)
        self._digest.update(block)
        try:
            self._file.write(block)
            self._file.flush()  # whoever reads it could not say that the disk is full
        except OSError as error:
            raise self._spool.full(error) from error

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes from the start, for one of several readers of one thread."""
        yield cast("BinaryIO", _View(self._file, self.size))

    def close(self) -> None:
        """Forgets the bytes."""
        if not self._file.closed:
            with suppress(OSError):  # of what a full disk did not take
                self._file.close()
            self._spool.free(self.size, memory=self._is_in_memory)

    def _move_to_disk(self) -> None:
        try:
            file = self._spool.new_file()
            try:
                with cast("io.BytesIO", self._file).getbuffer() as held:
                    file.write(held)
                file.flush()
            except OSError:
                with suppress(OSError):
                    file.close()
                raise
        except OSError as error:
            raise self._spool.full(error) from error
        self._spool.move_to_disk(self.size)
        self._file, self._is_in_memory = file, False


class _View(io.RawIOBase):
    """A place of its own in a file that has several readers."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__()
        self._file = file
        self._size = size
        self._at = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """As of io.RawIOBase, but never less than there is."""
        self._file.seek(self._at)
        block = self._file.read(-1 if size is None else size)
        self._at += len(block)
        return block

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # Buffer is a type of Python 3.12
        """As of io.RawIOBase."""
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As of io.RawIOBase."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "before the start of the file")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """As of io.RawIOBase."""
        return self._at

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True
