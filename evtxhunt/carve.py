"""Finds chunks of event logs in anything: raw images, memory, page files, logs whose header is destroyed."""

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa

from evtxhunt.chunk import CHUNK_MAGIC, CHUNK_SIZE, is_chunk_header, walk_chunk
from evtxhunt.chunk_reader import ChunkReader
from evtxhunt.fast_parser import FastParser
from evtxhunt.log_model import LogAccount
from evtxhunt.model import SourceFile
from evtxhunt.record_rows import RECORD_SCHEMA
from evtxhunt.template_library import TemplateLibrary

_BLOCK_SIZE = 4 << 20
_NO_ROWS = pa.RecordBatch.from_pylist([], schema=RECORD_SCHEMA)


class BlobReader:
    """Reads one blob once, as `LogReader` does a log: every record in it is a carved one.

    Chunks may stand at any offset and end early, where another one begins or the blob does. Memory is bounded by one
    block and one batch. Records whose chunk header is gone are not found: nothing else tells where their names are.
    """

    def __init__(self, source: SourceFile, parser: FastParser) -> None:
        self._source = source
        self.position = 0  # bytes read so far
        self._reader = ChunkReader(source.place, parser, TemplateLibrary(self._all_chunks, parser.ansi_codec))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields batches of RECORD_SCHEMA in the order of offsets, and an empty one for each block without a chunk."""
        reader = self._reader
        try:
            with self._source.path.open("rb") as file:
                for found in self._chunks(file, self._fail_mark):
                    if found is None:
                        yield _NO_ROWS
                        continue
                    base, chunk = found
                    reader.read_chunk(reader.chunks, base, chunk, is_carved=True)
                    reader.read_slack(reader.chunks - 1, base, chunk, is_carved=True)
                    if reader.has_full_batch and (batch := reader.take_batch()) is not None:
                        yield batch
                now = os.fstat(file.fileno())
                if now.st_mtime_ns != self._source.modified_ns:
                    reader.fail("file", None, None, None, "the file changed after it was hashed; carve it again")
        except OSError as error:
            reader.fail("file", None, self.position, None, f"reading stopped here: {error.strerror}")
        if (batch := reader.take_batch()) is not None:
            yield batch

    def account(self) -> LogAccount:
        """What the blob held; complete once `batches()` is exhausted. Only records that failed were expected."""
        reader = self._reader
        return LogAccount(
            is_dirty=None,
            is_full=None,
            is_header_crc_valid=None,
            next_header_record_id=None,
            chunks=reader.chunks,
            chunk_crc_mismatches=reader.crc_mismatches,
            first_header_record_id=reader.ids[0] if reader.ids else None,
            last_header_record_id=reader.ids[1] if reader.ids else None,
            expected=reader.failed,
            parsed=0,
            rescued=0,
            failed=reader.failed,
            slack=None,
            carved=reader.counts["carved"],
            failures=reader.failures,
            recovered=tuple(reader.recovered),
            chunk_accounts=tuple(reader.chunk_accounts),
        )

    def _fail_mark(self, offset: int) -> None:
        self._reader.fail("chunk", None, offset, None, "the mark ElfChnk without the header of a chunk behind it")

    def _all_chunks(self) -> Iterator[bytes]:
        with self._source.path.open("rb") as file:
            for found in self._chunks(file, lambda _: None):
                if found is not None:
                    yield found[1]

    def _chunks(self, file: BinaryIO, on_mark_alone: Callable[[int], None]) -> Iterator[tuple[int, bytes] | None]:
        """Offset and bytes of each chunk, shorter than CHUNK_SIZE where it is cut off; None after each block.

        `on_mark_alone` hears the offsets of marks that begin no chunk.
        """
        window, base, at, is_end = b"", 0, 0, False
        while True:
            found = window.find(CHUNK_MAGIC, at)
            if found != -1 and (is_end or len(window) - found >= 2 * CHUNK_SIZE):
                chunk = _chunk_at(window, found)
                if chunk:
                    yield base + found, chunk
                else:
                    on_mark_alone(base + found)
                at = found + max(len(chunk), 1)
                continue
            if is_end:
                return
            keep = found if found != -1 else max(at, len(window) - len(CHUNK_MAGIC) + 1)
            block = file.read(_BLOCK_SIZE)
            window, base, at, is_end = window[keep:] + block, base + keep, 0, not block
            self.position = max(self.position, base + len(window))
            yield None


def _chunk_at(window: bytes, start: int) -> bytes:
    """The chunk at `start`, up to where another one begins that is not part of its content; empty if it is none."""
    chunk = window[start : start + CHUNK_SIZE]
    if not is_chunk_header(chunk):
        return b""
    walk = walk_chunk(chunk) if len(chunk) == CHUNK_SIZE else None
    live_end = walk.live_end if walk is not None and walk.is_crc_valid else 1
    following = window.find(CHUNK_MAGIC, start + live_end, start + CHUNK_SIZE)
    while following != -1 and not is_chunk_header(window[following : following + CHUNK_SIZE]):
        following = window.find(CHUNK_MAGIC, following + 1, start + CHUNK_SIZE)
    return chunk if following == -1 else window[start:following]
