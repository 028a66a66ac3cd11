"""EVTX files: records into 64 KiB chunks, chunks below one file header.

The same records always give the same bytes.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from samples.binxml import CHUNK_HEADER_SIZE, CHUNK_SIZE, Memory
from samples.events import Record, build_instance

FILE_HEADER_SIZE = 4096
_RECORD_MAGIC = 0x00002A2A
_RECORD_HEADER_SIZE = 24
_FORMAT_VERSION = (3, 1)
_CHUNK_FLAGS = 1  # as in nearly all real chunks


def write_log(path: Path, records: Iterable[Record], *, file_flags: int = 0) -> None:
    """Write `records` in their order to a new log. See `build_log`."""
    path.write_bytes(build_log(records, file_flags=file_flags))


def build_log(records: Iterable[Record], *, file_flags: int = 0) -> bytes:
    """The bytes of a log. `file_flags`: 1 dirty, 2 full.

    ValueError if there are no records, or one is too large for a chunk.
    """
    chunks: list[_Chunk] = []
    last_id = 0
    number = 0
    for number, record in enumerate(records, start=1):
        if not chunks or not chunks[-1].add(record):
            chunks.append(_Chunk(first_number=number))
            if not chunks[-1].add(record):
                raise ValueError(f"record {record.record_id} does not fit into a chunk")
        last_id = _header_id(record)
    if not chunks:
        raise ValueError("a log without records has no chunk to write")
    return _file_header(len(chunks), last_id + 1, file_flags) + b"".join(chunk.close() for chunk in chunks)


def renumber_as_export(records: Iterable[Record]) -> list[Record]:
    """Give the record headers ids from 1 on, as a filtered export does; EventRecordID stays."""
    return [replace(record, header_record_id=number) for number, record in enumerate(records, start=1)]


def _header_id(record: Record) -> int:
    return record.record_id if record.header_record_id is None else record.header_record_id


class _Chunk:
    """A chunk being filled. Record numbers count within the file, ids are those of the record headers."""

    def __init__(self, first_number: int) -> None:
        self._memory = Memory()
        self._first_number = first_number
        self._ids: list[int] = []
        self._last_offset = 0

    def add(self, record: Record) -> bool:
        """Append a record; False, and nothing changed, if it does not fit."""
        mark = self._memory.mark()
        data = self._memory.data
        data += bytes(_RECORD_HEADER_SIZE)
        try:
            self._memory.write_instance(build_instance(record))
        except ValueError as error:
            raise ValueError(f"record {record.record_id}: {error}") from error
        # Windows pads so that the next record begins at a multiple of 8.
        data += bytes(-(len(data) + 4) % 8)
        size = len(data) + 4 - mark.size
        data += struct.pack("<I", size)
        if len(data) > CHUNK_SIZE:
            self._memory.rollback(mark)
            return False
        written = record.time if record.written_time is None else record.written_time
        struct.pack_into("<IIQQ", data, mark.size, _RECORD_MAGIC, size, _header_id(record), written)
        self._ids.append(_header_id(record))
        self._last_offset = mark.size
        return True

    def close(self) -> bytes:
        """All 64 KiB of the chunk with header, tables and checksums."""
        data = self._memory.data
        free = len(data)
        struct.pack_into(
            "<8sQQQQIIII",
            data,
            0,
            b"ElfChnk\0",
            self._first_number,
            self._first_number + len(self._ids) - 1,
            self._ids[0],
            self._ids[-1],
            128,
            self._last_offset,
            free,
            zlib.crc32(data[CHUNK_HEADER_SIZE:free]),
        )
        struct.pack_into("<I", data, 120, _CHUNK_FLAGS)
        struct.pack_into("<64I", data, 128, *self._memory.name_heads)
        struct.pack_into("<32I", data, 384, *self._memory.template_heads)
        struct.pack_into("<I", data, 124, zlib.crc32(data[:120] + data[128:CHUNK_HEADER_SIZE]))
        return bytes(data) + bytes(CHUNK_SIZE - free)


def _file_header(chunk_count: int, next_record_id: int, flags: int) -> bytes:
    header = struct.pack(
        "<8sQQQIHHHH76xI",
        b"ElfFile\0",
        0,
        chunk_count - 1,
        next_record_id,
        128,
        _FORMAT_VERSION[1],
        _FORMAT_VERSION[0],
        FILE_HEADER_SIZE,
        chunk_count,
        flags,
    )
    # The checksum covers the first 120 bytes: not the flags, which Windows changes while a log is open.
    header += struct.pack("<I", zlib.crc32(header[:120]))
    return header.ljust(FILE_HEADER_SIZE, b"\0")
