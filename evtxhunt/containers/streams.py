"""Compressed data as a stream, told from what follows it."""

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable
from typing import BinaryIO, cast

from evtxhunt.containers.limits import READ_BYTES, XZ_MEMORY, MemberError
from evtxhunt.recognise import ContainerKind

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


_Decompressor = bz2.BZ2Decompressor | lzma.LZMADecompressor | zstd.ZstdDecompressor


def open_compressed(file: BinaryIO, kind: ContainerKind) -> BinaryIO:
    """What is unpacked of gzip, bzip2, xz or zstd, to be read forward. Reading raises what the libraries do."""
    opened: object
    match kind:
        case "gzip":
            opened = gzip.GzipFile(fileobj=file, mode="rb")
        case "zstd":
            opened = _Streams(file, zstd.ZstdDecompressor)
        case "bzip2":
            opened = _Streams(file, bz2.BZ2Decompressor)
        case _:
            opened = _Streams(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY))
    return cast("BinaryIO", opened)


class _Streams:
    """Streams one behind the other, and zeros after them.

    Unlike the libraries' own files it is not silent about anything else that follows (bz2, lzma), has a limit of memory
    (lzma), and gives what comes before damage.
    """

    def __init__(self, file: BinaryIO, new: Callable[[], _Decompressor]) -> None:
        self._file = file
        self._new = new
        self._stream = new()

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; empty at the end."""
        while True:
            block = b""
            if self._stream.eof:
                block = self._stream.unused_data.lstrip(b"\0")
                while not block:
                    if not (block := self._file.read(READ_BYTES)):
                        return b""
                    block = block.lstrip(b"\0")
                self._stream = self._new()
            elif self._stream.needs_input and not (block := self._file.read(READ_BYTES)):
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            try:
                data = self._stream.decompress(block, size)
            except lzma.LZMAError as error:
                if str(error) == "Memory usage limit exceeded":
                    raise MemberError(f"refused: takes more than {XZ_MEMORY >> 20} MiB of memory to unpack") from error
                raise
            if data:
                return data
