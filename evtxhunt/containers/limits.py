"""What a container may cost, so that a hostile one cannot fill memory, disk or days."""

import io
from dataclasses import dataclass
from typing import BinaryIO

DEPTH = 3  # archives within one another
MEMBERS = 1_000_000  # of one archive, those of archives inside it included
LOG_BYTES = 64 << 30
# Beyond so many bytes a ratio of unpacked to packed counts that no log has; a log of zeros has 1,030 by deflate.
_RATIO = 1000
_RATIO_BYTES = 256 << 20
DIRECTORY_BYTES = 64 << 20  # of a zip's list of members, which is held in memory several times over
READ_BYTES = 64 << 10  # at a time: what a library loses with an error
ZIP_READ_BYTES = 4 << 10  # which gives no last block if a checksum is wrong
XZ_MEMORY = 128 << 20  # to unpack it; as xz -9 makes it, it takes 65
SPOOL_MEMORY = 32 << 20
SPOOL_BYTES = 128 << 30


class MemberError(Exception):
    """A member, or the rest of a container, is not read; the text says why, as a row of skipped_file has it."""


class UnreadableError(MemberError):
    """Damage: what came out before it is evidence all the same."""


@dataclass(slots=True)
class Ratio:
    """Watches how much comes out of how much; `packed` is told or counted on the way, None if nothing is packed."""

    packed: int | None
    most: int | None = None  # bytes that may come out at all
    unpacked: int = 0

    def add(self, size: int) -> None:
        """`size` more bytes came out. Raises MemberError if that is more than honest data makes."""
        self.unpacked += size
        if self.packed is not None and self.unpacked > max(_RATIO_BYTES, _RATIO * self.packed):
            raise MemberError(f"refused: unpacks to more than {_RATIO:,} times its size")
        if self.most is not None and self.unpacked > self.most:
            raise MemberError(f"refused: larger than {self.most >> 30} GiB")


class Forward(io.RawIOBase):
    """A stream that is read once from its start, and raises MemberError when it cannot be or must not be."""

    def __init__(
        self, file: BinaryIO, errors: tuple[type[Exception], ...] = (), *ratios: Ratio, step: int = READ_BYTES
    ) -> None:
        super().__init__()
        self._file = file
        self._errors = errors
        self._ratios = ratios
        self._step = step  # bytes to be asked for at a time
        self._kept = b""
        self._error: MemberError | None = None

    def peek_head(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end only; they are read again afterwards."""
        while len(self._kept) < size and (block := self._take(size - len(self._kept))):
            self._kept += block
        return self._kept[:size]

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes, fewer at the end only; empty at the end."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        data, self._kept = self._kept[:size], self._kept[size:]
        blocks = [data]
        missing = size - len(data)
        try:
            while missing and (block := self._take(missing)):
                blocks.append(block)
                missing -= len(block)
        except MemberError as error:
            if missing == size:
                raise
            self._error = error  # of the next read: what came before is given first
        return b"".join(blocks)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # Buffer is a type of Python 3.12
        """As of `io.RawIOBase`."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _take(self, size: int) -> bytes:
        if self._error is not None:
            raise self._error
        try:
            block = self._file.read(min(size, self._step))
        except MemberError:
            raise
        except self._errors as error:
            raise UnreadableError(reason_of(error)) from error
        for ratio in self._ratios:
            ratio.add(len(block))
        return block


class Counting:
    """A file that counts what is read of it, as the packed side of a `Ratio`."""

    def __init__(self, file: BinaryIO, ratio: Ratio) -> None:
        self._file = file
        self._ratio = ratio

    def read(self, size: int = -1) -> bytes:
        """As of the file."""
        block = self._file.read(size)
        self._ratio.packed = (self._ratio.packed or 0) + len(block)
        return block


def reason_of(error: Exception) -> str:
    """What went wrong with a container, as one line for skipped_file."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return f"unreadable: {' '.join(text.split())}"
