"""EVTX files: records into 64 KiB chunks, chunks below one file header.

The same records always give the same bytes.
"""

import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from samples.binxml import CHUNK_HEADER_SIZE, CHUNK_SIZE, Memory
from samples.events import Record, build_instance
from samples.values import ValueType

FILE_HEADER_SIZE = 4096
_RECORD_MAGIC = 0x00002A2A
_RECORD_HEADER_SIZE = 24
_FORMAT_VERSION = (3, 1)
_CHUNK_FLAGS = 1  # as in nearly all real chunks


@dataclass(frozen=True, slots=True)
class Chunk:
    """A finished chunk, and where in it stands what a copy of it with other times and ids has to change.

    All are offsets: of the record headers, of the EventRecordID values, and of the values of these types,
    System's and the payload's.
    """

    data: bytes
    record_ids: tuple[int, ...]
    headers: tuple[int, ...]
    event_record_ids: tuple[int, ...]
    filetimes: tuple[int, ...]
    guids: tuple[int, ...]


def write_log(path: Path, records: Iterable[Record], *, file_flags: int = 0) -> None:
    """Write `records` in their order to a new log. See `build_log`."""
    path.write_bytes(build_log(records, file_flags=file_flags))


def build_log(records: Iterable[Record], *, file_flags: int = 0, remains: Iterable[Record] = ()) -> bytes:
    """The bytes of a log. `file_flags`: 1 dirty, 2 full.

    `remains` stood in the last chunk before Windows began it anew: what the new records do not cover is still
    there, behind the end of live space. ValueError if there are no records, or one is too large for a chunk.
    """
    chunks = list(build_chunks(records))
    if not chunks:
        raise ValueError("a log without records has no chunk to write")
    contents = [chunk.data for chunk in chunks]
    for before in build_chunks(remains):
        (free,) = struct.unpack_from("<I", contents[-1], 48)
        contents[-1] = contents[-1][:free] + before.data[free:]
        break
    return file_header(len(chunks), chunks[-1].record_ids[-1] + 1, file_flags) + b"".join(contents)


def leave_dirty(log: bytes, *, unknown_chunks: int = 1) -> bytes:
    """The log as a running system leaves it: marked dirty, the last chunks not yet known to the file header."""
    chunk_count = (len(log) - FILE_HEADER_SIZE) // CHUNK_SIZE - unknown_chunks
    if chunk_count < 1:
        raise ValueError(f"a log of {chunk_count + unknown_chunks} chunks cannot have {unknown_chunks} unknown ones")
    (last_id,) = struct.unpack_from("<Q", log, FILE_HEADER_SIZE + (chunk_count - 1) * CHUNK_SIZE + 32)
    return file_header(chunk_count, last_id + 1, flags=1) + log[FILE_HEADER_SIZE:]


def build_chunks(records: Iterable[Record]) -> Iterator[Chunk]:
    """The chunks of a log, each when it is full. ValueError if a record is too large for any."""
    builder: _ChunkBuilder | None = None
    for number, record in enumerate(records, start=1):
        if builder is not None and builder.add(record):
            continue
        if builder is not None:
            yield builder.close()
        builder = _ChunkBuilder(first_number=number)
        if not builder.add(record):
            raise ValueError(f"record {record.record_id} does not fit into a chunk")
    if builder is not None:
        yield builder.close()


def seal(chunk: bytearray) -> None:
    """Compute both checksums of a chunk anew."""
    (free,) = struct.unpack_from("<I", chunk, 48)
    struct.pack_into("<I", chunk, 52, zlib.crc32(memoryview(chunk)[CHUNK_HEADER_SIZE:free]))
    head = zlib.crc32(memoryview(chunk)[128:CHUNK_HEADER_SIZE], zlib.crc32(memoryview(chunk)[:120]))
    struct.pack_into("<I", chunk, 124, head)


def renumber_as_export(records: Iterable[Record]) -> list[Record]:
    """Give the record headers ids from 1 on, as a filtered export does; EventRecordID stays."""
    return [replace(record, header_record_id=number) for number, record in enumerate(records, start=1)]


def _header_id(record: Record) -> int:
    return record.record_id if record.header_record_id is None else record.header_record_id


class _ChunkBuilder:
    """A chunk being filled. Record numbers count within the file, ids are those of the record headers."""

    def __init__(self, first_number: int) -> None:
        self._memory = Memory()
        self._first_number = first_number
        self._ids: list[int] = []
        self._offsets: list[int] = []

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
        self._offsets.append(mark.size)
        return True

    def close(self) -> Chunk:
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
            self._offsets[-1],
            free,
            0,
        )
        struct.pack_into("<I", data, 120, _CHUNK_FLAGS)
        struct.pack_into("<64I", data, 128, *self._memory.name_heads)
        struct.pack_into("<32I", data, 384, *self._memory.template_heads)
        data += bytes(CHUNK_SIZE - free)
        seal(data)
        places = self._memory.places
        numbers = [offset for kind, offset in places if kind is ValueType.UINT64]
        return Chunk(
            bytes(data),
            tuple(self._ids),
            tuple(self._offsets),
            # The System block comes before the payload, and its only number of this type is the EventRecordID.
            tuple(numbers[bisect_left(numbers, offset)] for offset in self._offsets),
            tuple(offset for kind, offset in places if kind is ValueType.FILETIME),
            tuple(offset for kind, offset in places if kind is ValueType.GUID),
        )


def file_header(chunk_count: int, next_record_id: int, flags: int = 0) -> bytes:
    """The first 4 KiB of a log; flags as in `build_log`."""
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
