"""Reads one event log into Arrow batches, with an account of every record that its headers announce."""

import json
import os
from collections.abc import Iterator
from itertools import count
from typing import BinaryIO

import pyarrow as pa

from evtxhunt.chunk import CHUNK_MAGIC, CHUNK_SIZE, FILE_HEADER_SIZE, FileHeader, read_file_header, walk_chunk
from evtxhunt.chunk_reader import ChunkReader
from evtxhunt.fast_parser import FastParser
from evtxhunt.log_model import LogAccount
from evtxhunt.model import SourceFile
from evtxhunt.template_library import TemplateLibrary

# A batch of few, huge records ends after 4 MiB of log.
_BATCH_CHUNKS = 64


class LogReader:
    """Reads one log once: iterate `batches()` to its end, then take `account()`.

    The file is opened read-only and read chunk by chunk; memory is bounded by one batch. Slack is read if the accounts
    do not add up without, and always with `recover`; with `only_slack` nothing else is.
    """

    def __init__(
        self, source: SourceFile, parser: FastParser, *, recover: bool = False, only_slack: bool = False
    ) -> None:
        self._source = source
        self.position = 0  # bytes read so far
        self._recover = recover
        self._only_slack = only_slack
        self._has_slack_read = False
        self._header: FileHeader | None = None
        library = TemplateLibrary(self._all_chunks, parser.ansi_codec)
        content = "" if source.member is None else source.sha256
        self._reader = ChunkReader(source.place, parser, library, content)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields batches of RECORD_SCHEMA in file order, slack last. Damage and read errors are in the account."""
        reader = self._reader
        try:
            with self._source.open() as file:
                if not self._only_slack:
                    yield from self._read_log(file)
                if self._recover or self._only_slack or reader.failures or reader.recovered:
                    yield from self._read_slack(file)
                if self._source.member is not None:
                    if self._source.member.damage is not None and not self._only_slack:
                        reader.fail("file", None, self._source.size, None, self._source.member.damage)
                elif _has_changed(file, self._source):
                    reader.fail("file", None, None, None, "the file changed after it was hashed; ingest it again")
        except OSError as error:
            reader.fail("file", None, self.position, None, f"reading stopped here: {error.strerror}")
        if (batch := reader.take_batch()) is not None:
            yield batch

    def account(self) -> LogAccount:
        """What the log held; complete once `batches()` is exhausted."""
        header, reader = self._header, self._reader
        parsed, rescued = reader.counts["live"], reader.counts["rescued"]
        return LogAccount(
            is_dirty=header.is_dirty if header else None,
            is_full=header.is_full if header else None,
            is_header_crc_valid=header.is_crc_valid if header else None,
            next_header_record_id=header.next_record_id if header else None,
            chunks=reader.chunks,
            chunk_crc_mismatches=reader.crc_mismatches,
            first_header_record_id=reader.ids[0] if reader.ids else None,
            last_header_record_id=reader.ids[1] if reader.ids else None,
            expected=parsed + rescued + reader.failed,
            parsed=parsed,
            rescued=rescued,
            failed=reader.failed,
            slack=reader.counts["slack"] if self._has_slack_read else None,
            carved=None,
            failures=reader.failures,
            recovered=tuple(reader.recovered),
            chunk_accounts=tuple(reader.chunk_accounts),
        )

    def _read_log(self, file: BinaryIO) -> Iterator[pa.RecordBatch]:
        reader = self._reader
        block = file.read(FILE_HEADER_SIZE)
        self.position = len(block)
        self._header = read_file_header(block)
        if len(block) < FILE_HEADER_SIZE:
            reader.fail("file", None, len(block), None, f"file ends inside its header, after {len(block)} bytes")
            return
        is_without_checksums = self._header is not None and self._header.is_crc_valid is None
        due = 0
        for number, base, chunk in self._chunks(file):
            if number > due:
                zeros = f"{number - due} chunks of zeros before written ones: what was in them is gone"
                reader.fail("chunk", due, FILE_HEADER_SIZE + due * CHUNK_SIZE, None, zeros)
            due = number + 1
            self.position = base + len(chunk)
            reader.read_chunk(number, base, chunk, is_without_checksums=is_without_checksums)
            if reader.has_full_batch or (number + 1) % _BATCH_CHUNKS == 0:
                batch = reader.take_batch()
                if batch is not None:
                    yield batch

    def _read_slack(self, file: BinaryIO) -> Iterator[pa.RecordBatch]:
        self._has_slack_read = True
        for number, base, chunk in self._chunks(file):
            self._reader.read_slack(number, base, chunk)
            if self._reader.has_full_batch and (batch := self._reader.take_batch()) is not None:
                yield batch

    def _all_chunks(self) -> Iterator[bytes]:
        with self._source.open() as file:
            for _, _, chunk in self._chunks(file):
                yield chunk

    def _chunks(self, file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
        """Number, offset and bytes of every chunk that holds something; the last one may be cut off."""
        file.seek(FILE_HEADER_SIZE)
        for number in count():
            base = FILE_HEADER_SIZE + number * CHUNK_SIZE
            # What a running system has appended since is not what was hashed.
            chunk = file.read(max(0, min(CHUNK_SIZE, self._source.size - base)))
            if not chunk:
                return
            if chunk.startswith(CHUNK_MAGIC) or chunk.count(0) != len(chunk):  # else allocated ahead, never written
                yield number, base, chunk


def newest_computer(file: BinaryIO, path: str, parser: FastParser) -> str | None:
    """System/Computer of the last readable record in the chunk that was written last; None if there is none.

    `file` may be a stream. Raises what its read does.
    """
    header = read_file_header(file.read(FILE_HEADER_SIZE))
    newest = header.newest_chunk if header else 0
    first = file.read(CHUNK_SIZE)
    chunks = {newest: _read_chunk(file, newest)} if newest else {}
    chunks[0] = first
    for number, data in chunks.items():
        chunk = data.ljust(CHUNK_SIZE, b"\0")
        if not chunk.startswith(CHUNK_MAGIC):
            continue
        texts = parser.render(chunk, path, number, walk_chunk(chunk).live_end).texts
        if texts:
            return _computer(texts[-1])
    return None


def _read_chunk(file: BinaryIO, number: int) -> bytes:
    """A chunk after the first, which was read; empty if there is none."""
    if file.seekable():
        offset = FILE_HEADER_SIZE + number * CHUNK_SIZE
        if offset >= file.seek(0, os.SEEK_END):
            return b""
        file.seek(offset)
        return file.read(CHUNK_SIZE)
    for _ in range(number - 1):
        if not file.read(CHUNK_SIZE):
            return b""
    return file.read(CHUNK_SIZE)


def _has_changed(file: BinaryIO, source: SourceFile) -> bool:
    now = os.fstat(file.fileno())
    return (now.st_mtime_ns, now.st_size) != (source.modified_ns, source.size)


def _computer(text: str) -> str | None:
    """System/Computer, if the record has one; a forged one may lack System, or be no JSON at all."""
    try:
        computer = json.loads(text)["Event"]["System"]["Computer"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return computer if isinstance(computer, str) else None
