"""Reads the structure of EVTX files: file header, chunk headers, record headers. Renders nothing.

Layout: libyal's "Windows XML Event Log (EVTX) format", checked against the real logs named in the tests.
Integers are little-endian.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

FILE_MAGIC = b"ElfFile\0"
CHUNK_MAGIC = b"ElfChnk\0"
RECORD_MAGIC = b"\x2a\x2a\0\0"
FILE_HEADER_SIZE = 4096
CHUNK_SIZE = 65536
_FREE_SPACE = slice(48, 52)  # of a chunk header: the offset where live space ends
_TABLES_START = 128
_TEMPLATES_START = 384
_SMALLEST_DEFINITION = 28  # link, GUID, size and an empty fragment
_MOST_DEFINITIONS = 1000  # of a chunk; real ones have some dozens
_RECORDS_START = 512  # chunk header of 128 bytes, 64 string and 32 template offsets
_CHUNK_HEADER_SIZE = 128  # what every chunk header says of its own size
_SMALLEST_RECORD = 28  # header of 24 bytes and the copy of the size
RECORD_HEADER_SIZE = 24
MOST_RECORDS = (CHUNK_SIZE - _RECORDS_START) // _SMALLEST_RECORD

_FILE_HEADER = struct.Struct("<8s3Q I 4H 76x 2I")
_CHUNK_HEADER = struct.Struct("<8s4Q 4I")
_RECORD_HEADER = struct.Struct("<IIQQ")
_TEMPLATE_TABLE = struct.Struct("<32I")
_RECORD_MAGIC_NUMBER = 0x2A2A
# Of the flags in file and chunk headers: checksums are zero and mean nothing (libyal; Application_no_crc32.evtx).
_NO_CHECKSUMS = 4


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What the first 128 bytes of a log say; none of it is needed to read the chunks."""

    newest_chunk: int
    next_record_id: int
    is_dirty: bool
    is_full: bool
    is_crc_valid: bool | None  # None: it says that the file has no checksums, and has none itself


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """A record's place in its chunk and what its own header says of it; FILETIME as in ChunkWalk."""

    offset: int
    size: int
    record_id: int
    written_filetime: int


@dataclass(frozen=True, slots=True)
class ChunkWalk:
    """What the headers of one chunk announce, all record headers in live space as three parallel lists.

    `written_filetimes` are in 100 ns since 1601-01-01 UTC; `missing_ids` are records that a sound chunk header
    counts but whose own header is gone; `damaged_at` is where the walk first met bytes that are no record header.
    `live_end` is where live space ends: as the chunk header has it, or where the last record ends if that is wrong.
    """

    offsets: list[int]
    record_ids: list[int]
    written_filetimes: list[int]
    missing_ids: tuple[int, ...]
    damaged_at: int | None
    live_end: int
    is_live_end_told: bool  # False: the chunk header is wrong about it
    is_crc_valid: bool | None  # None: it says that it has no checksums, and has none

    def headers(self, chunk: bytes) -> list[RecordHeader]:
        """The same as one object a record."""
        return [_header_at(chunk, offset) for offset in self.offsets]


def read_file_header(block: bytes) -> FileHeader | None:
    """The file header in `block` (the first 4,096 bytes or fewer); None if it is cut off."""
    if len(block) < _FILE_HEADER.size:
        return None
    fields = _FILE_HEADER.unpack_from(block)
    newest_chunk, next_record_id, flags, checksum = fields[2], fields[3], fields[9], fields[10]
    return FileHeader(
        newest_chunk=newest_chunk,
        next_record_id=next_record_id,
        is_dirty=bool(flags & 1),
        is_full=bool(flags & 2),
        is_crc_valid=None if flags & _NO_CHECKSUMS and not checksum else zlib.crc32(block[:120]) == checksum,
    )


def synthetic_file_header() -> bytes:
    """A valid header for a log of one chunk, so that a parser reads a chunk whatever its own file's header says."""
    head = _FILE_HEADER.pack(FILE_MAGIC, 0, 0, 1, 128, 1, 3, FILE_HEADER_SIZE, 1, 0, 0)
    return (head[:124] + struct.pack("<I", zlib.crc32(head[:120]))).ljust(FILE_HEADER_SIZE, b"\0")


def with_live_end(chunk: bytes, live_end: int) -> bytes:
    """The chunk with that end of live space in its header."""
    told = live_end.to_bytes(4, "little")
    return chunk if chunk[_FREE_SPACE] == told else chunk[: _FREE_SPACE.start] + told + chunk[_FREE_SPACE.stop :]


def without_tables(chunk: bytes) -> bytes:
    """The chunk without the offsets of strings and templates in its header, which only save a parser some work."""
    return chunk[:_TABLES_START] + bytes(_RECORDS_START - _TABLES_START) + chunk[_RECORDS_START:]


def walk_chunk(chunk: bytes) -> ChunkWalk:
    """Lists the records of a chunk of CHUNK_SIZE bytes from its headers alone; offsets count from its start.

    After damage it goes on at the next header that is credible: magic, a size that stays inside the chunk, the
    same size again at the record's end. Of records that begin inside of another one it lists those alone that no
    value of that one can be: see `hidden_headers` for the others.
    """
    header = _CHUNK_HEADER.unpack_from(chunk)
    first_number, last_number, first_id, last_id = header[1:5]
    free_space, data_checksum = header[7:9]
    is_possible = _RECORDS_START <= free_space <= CHUNK_SIZE
    end = free_space if is_possible else CHUNK_SIZE
    has_checksums = not _uint32(chunk, 120) & _NO_CHECKSUMS or data_checksum != 0 or _uint32(chunk, 124) != 0
    has_sound_header = zlib.crc32(chunk[_TABLES_START:_RECORDS_START], zlib.crc32(chunk[:120])) == _uint32(chunk, 124)
    is_sound = has_sound_header or not has_checksums
    has_sound_data = zlib.crc32(memoryview(chunk)[_RECORDS_START:end]) == data_checksum
    # Record numbers count from the log's start, ids are what the records carry: both must span the same
    # range before the header is believed, and a chunk cannot hold more than MOST_RECORDS.
    span = last_id - first_id
    is_counted = is_sound and span == last_number - first_number and 0 <= span < MOST_RECORDS

    found = _walk_records(chunk, end, has_sound_data)
    if found.damaged_at is not None:
        is_believed = is_possible and is_sound
    elif found.end != end:
        is_believed = False
    elif found.record_ids:
        is_believed = has_sound_data or found.record_ids[-1] == last_id
    else:
        is_believed = is_sound and not is_counted  # nothing has been written to this chunk yet
    if not is_believed:
        # A wrong end would hide records from this walk and from the parser alike.
        found = _walk_records(chunk, CHUNK_SIZE, has_sound_data)
        end = found.end
        if found.damaged_at is not None and found.damaged_at >= end:
            found.damaged_at = None

    missing: tuple[int, ...] = ()
    if is_counted:
        missing = tuple(sorted(set(range(first_id, last_id + 1)).difference(found.record_ids)))
    return ChunkWalk(
        offsets=found.offsets,
        record_ids=found.record_ids,
        written_filetimes=found.written_filetimes,
        missing_ids=missing,
        damaged_at=found.damaged_at,
        live_end=end,
        is_live_end_told=end == free_space,
        is_crc_valid=has_sound_header and has_sound_data if has_checksums else None,
    )


class _Records:
    """Plain lists: an object a record would halve the speed of an ingest."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.record_ids: list[int] = []
        self.written_filetimes: list[int] = []
        self.damaged_at: int | None = None
        self.end = _RECORDS_START  # of the last record


def _walk_records(chunk: bytes, end: int, is_sound: bool) -> _Records:
    found = _Records()
    offsets, record_ids, written_filetimes = found.offsets, found.record_ids, found.written_filetimes
    offset = last_end = _RECORDS_START
    unpack, last = _RECORD_HEADER.unpack_from, end - RECORD_HEADER_SIZE
    while offset <= last:
        magic, size, record_id, filetime = unpack(chunk, offset)
        if magic != _RECORD_MAGIC_NUMBER or size < _SMALLEST_RECORD or offset + size > CHUNK_SIZE:
            if found.damaged_at is None:
                found.damaged_at = offset
            overlapping = _first_overlapping(chunk, offsets[-1], offset, end) if offset == last_end and offsets else -1
            offset = overlapping if overlapping != -1 else _next_credible_record(chunk, offset + 1, end)
            continue
        offsets.append(offset)
        record_ids.append(record_id)
        written_filetimes.append(filetime)
        last_end = offset + size
        offset = last_end if is_sound or _has_copy(chunk, offset, size) else _first_swallowed(chunk, offset, last_end)
    found.end = last_end
    return found


def _first_swallowed(chunk: bytes, start: int, end: int) -> int:
    """Where the first of the records begins that the size of the one at `start` hides; `end` if it hides none.

    `start` must have no copy of its size at its end. They are believed if one follows the other, each with its own
    copy, to the very end: before the end of a value there is the end of its record.
    """
    dead: set[int] = set()  # from there no chain reaches the end
    for first in _magics(chunk, start + RECORD_HEADER_SIZE, end):
        offset = first
        while offset not in dead and _is_credible(chunk, offset, end):
            dead.add(offset)
            offset += _uint32(chunk, offset + 4)
        if offset == end:
            return first
    return end


def _first_overlapping(chunk: bytes, start: int, end: int, live_end: int) -> int:
    """Where in what is left of the record from `start` to `end` the first of those begins that overwrite its end.

    -1 if there are none. They are believed if one follows the other across `end` to a credible one or the end of live
    space, and nothing else begins at `end`: no value crosses the end of its record.
    """
    dead: set[int] = set()
    for first in _magics(chunk, start + RECORD_HEADER_SIZE, end):
        offset = first
        while offset < end and offset not in dead and _is_credible(chunk, offset, CHUNK_SIZE):
            dead.add(offset)
            offset += _uint32(chunk, offset + 4)
        if offset > end and (offset == live_end or _is_credible(chunk, offset, CHUNK_SIZE)):
            return first
    return -1


def is_chunk_header(data: bytes) -> bool:
    """Whether `data` begins with a chunk header whose fields can be, be its checksum right or wrong."""
    if len(data) < _RECORDS_START or not data.startswith(CHUNK_MAGIC):
        return False
    header = _CHUNK_HEADER.unpack_from(data)
    return bool(header[5] == _CHUNK_HEADER_SIZE and _RECORDS_START <= header[7] <= CHUNK_SIZE)


def template_offsets(chunk: bytes) -> Iterator[int]:
    """Where the chunk header says that template definitions begin, and the definitions that the next one does."""
    seen: set[int] = set()
    for offset in _TEMPLATE_TABLE.unpack_from(chunk, _TEMPLATES_START):
        while offset not in seen and _RECORDS_START <= offset <= CHUNK_SIZE - _SMALLEST_DEFINITION:
            seen.add(offset)
            yield offset
            if len(seen) == _MOST_DEFINITIONS:
                return
            offset = _uint32(chunk, offset)


def headers_between(chunk: bytes, start: int, end: int) -> Iterator[RecordHeader]:
    """Credible record headers, wherever they begin from `start` to before `end`, one after the end of the other."""
    offset = _next_credible_record(chunk, start, CHUNK_SIZE)
    while offset < end:
        header = _header_at(chunk, offset)
        yield header
        offset = _next_credible_record(chunk, offset + header.size, CHUNK_SIZE)


def hidden_headers(chunk: bytes, walk: ChunkWalk) -> Iterator[tuple[int, list[RecordHeader]]]:
    """Offsets of records in which credible record headers are that the walk does not list, and these headers.

    They may be records, or bytes that somebody had logged. Where checksums prove a whole record nothing is looked for.
    """
    headers = walk.headers(chunk)
    ends = [*walk.offsets[1:], walk.live_end]
    for outer, following in zip(headers, ends, strict=False):
        if not walk.is_crc_valid or not has_end(chunk, outer):
            end = min(outer.offset + outer.size, following, walk.live_end)
            if hidden := list(headers_between(chunk, outer.offset + 1, end)):
                yield outer.offset, hidden


def has_end(chunk: bytes, header: RecordHeader) -> bool:
    """Whether the copy of a record's size, with which every record ends, is where it is due."""
    return _has_copy(chunk, header.offset, header.size)


def _has_copy(chunk: bytes, offset: int, size: int) -> bool:
    return _uint32(chunk, offset + size - 4) == size


def _header_at(chunk: bytes, offset: int) -> RecordHeader:
    _, size, record_id, filetime = _RECORD_HEADER.unpack_from(chunk, offset)
    return RecordHeader(offset, size, record_id, filetime)


def _next_credible_record(chunk: bytes, start: int, end: int) -> int:
    for offset in _magics(chunk, start, end):
        if offset + _SMALLEST_RECORD <= end and _is_credible(chunk, offset, CHUNK_SIZE):
            return offset
    return end


def _magics(chunk: bytes, start: int, end: int) -> Iterator[int]:
    offset = chunk.find(RECORD_MAGIC, start, end)
    while offset != -1:
        yield offset
        offset = chunk.find(RECORD_MAGIC, offset + 1, end)


def _is_credible(chunk: bytes, offset: int, end: int) -> bool:
    """Whether a record begins at `offset` that ends before `end` and with the copy of its size."""
    if not chunk.startswith(RECORD_MAGIC, offset):
        return False
    size = _uint32(chunk, offset + 4)
    return _SMALLEST_RECORD <= size <= end - offset and _has_copy(chunk, offset, size)


def _uint32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")
