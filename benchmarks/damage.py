"""Small logs with one damage each and the truth about them: `python -m benchmarks.damage FOLDER` writes them.

The same bytes each time. Record n carries the user name `user%05d`, so that a reader's record can be told from a
wrong one.
"""

import argparse
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE
from samples import values
from samples.events import EventData, Provider, Record
from samples.evtx_writer import Chunk, build_chunks, build_log, file_header, leave_dirty, seal

_START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
_PROVIDER = Provider("Microsoft-Windows-Security-Auditing", "54849625-5478-4994-a5ba-3e3b0328c30d")
_FILLER = "filler " * 70  # 45 records or so fill a chunk
_RECORD_HEADER_SIZE = 24
_SECOND = FILE_HEADER_SIZE + CHUNK_SIZE  # offset of the second chunk
_LARGE_COUNT = 2**16 + 64  # chunks of 64 KiB


@dataclass(frozen=True, slots=True)
class DamagedLog:
    """One log: how to write it, and the numbers of the records of which header and values are in it, in slack too.

    `is_spoilt`: something was destroyed or changed, which no reader can bring back and a careful one tells.
    """

    name: str
    damage: str
    write: Callable[[Path], None]
    record_ids: frozenset[int]
    is_spoilt: bool
    is_large: bool = False


def damaged_logs() -> Iterator[DamagedLog]:
    """All of them, the undamaged one first."""
    chunks = list(build_chunks(_records(1, 200)))
    whole = build_log(_records(1, 200))
    every = frozenset(range(1, 201))
    second = chunks[1].record_ids
    middle = len(second) // 2
    victim, at = second[middle], _SECOND + chunks[1].headers[middle]
    ends = [*chunks[1].headers[1:], CHUNK_SIZE]

    def log(name: str, damage: str, content: bytes, record_ids: frozenset[int], is_spoilt: bool = True) -> DamagedLog:
        return DamagedLog(name, damage, lambda path: _write(path, content), record_ids, is_spoilt)

    yield log("whole", "none", whole, every, is_spoilt=False)
    cut = 30_000
    inside = {number for number, end in zip(second, ends, strict=True) if end <= cut}
    kept = frozenset(chunks[0].record_ids) | inside
    yield log("cut", "file cut off in its second chunk", whole[: _SECOND + cut], kept)
    yield log("chunk-magic", "magic of a chunk overwritten", _patched(whole, _SECOND, bytes(8)), every)
    yield log("chunk-zeroed", "a chunk is all zeros", _patched(whole, _SECOND, bytes(CHUNK_SIZE)), every - {*second})
    yield log("record-size-zero", "a record's size is zero", _patched(whole, at + 4, bytes(4)), every)
    no_header = _patched(whole, at, bytes(_RECORD_HEADER_SIZE))
    yield log("record-header-zeroed", "a record's header is zeros", no_header, every - {victim})
    no_body = _patched(whole, at + _RECORD_HEADER_SIZE, b"\xff" * 64)
    yield log("record-body", "a record's body overwritten", no_body, every - {victim})
    # The first record of a chunk holds the template that all others in it refer to.
    first = chunks[1].headers[0] + _RECORD_HEADER_SIZE
    no_template = _patched(whole, _SECOND + first, b"\xff" * (chunks[1].headers[1] - first - 4))
    yield log("template", "the template of a chunk's records overwritten", no_template, every - {second[0]})
    place = whole.index("filler".encode("utf-16-le"), at)
    changed = _patched(whole, place, "killer".encode("utf-16-le"))
    yield log("changed", "a value changed, so that checksums do not fit", changed, every)
    yield log("no-file-header", "file header all zeros", _patched(whole, 0, bytes(FILE_HEADER_SIZE)), every)
    dirty = leave_dirty(whole, unknown_chunks=2)
    yield log("dirty", "dirty, two chunks unknown to the file header", dirty, every, is_spoilt=False)
    content, ids = _slack_log()
    yield log("slack", "older records in the free space of a chunk", content, ids, is_spoilt=False)
    large = frozenset(range(1, _LARGE_COUNT + 1))
    yield DamagedLog("large", "none, but over 4 GiB", _write_large, large, is_spoilt=False, is_large=True)


def write_logs(folder: Path, *, is_small_only: bool = False) -> dict[Path, DamagedLog]:
    """Writes the logs into `folder`, which is made; the large one takes 300 MB of disk, as a sparse file."""
    folder.mkdir(parents=True, exist_ok=True)
    logs = {folder / f"{log.name}.evtx": log for log in damaged_logs() if not (is_small_only and log.is_large)}
    for path, log in logs.items():
        log.write(path)
    return logs


def _records(first: int, last: int, text: str = _FILLER) -> list[Record]:
    """Security 4624 records a second apart."""
    return [
        Record(
            provider=_PROVIDER,
            event_id=4624,
            version=0,
            level=0,
            task=12544,
            opcode=0,
            keywords=0x8020000000000000,
            time=values.filetime_from(_START + timedelta(seconds=number)),
            record_id=number,
            channel="Security",
            computer="WS01.example.test",
            process_id=4,
            thread_id=8,
            payload=EventData((("TargetUserName", values.string(f"user{number:05d}")), ("Text", values.string(text)))),
        )
        for number in range(first, last + 1)
    ]


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _patched(content: bytes, offset: int, value: bytes) -> bytes:
    return content[:offset] + value + content[offset + len(value) :]


def _slack_log() -> tuple[bytes, frozenset[int]]:
    """Ten records in a chunk that held forty before: those that the new ones do not cover are still there."""
    remains = _records(1, 40)
    live = _records(1001, 1010)
    (old,), (new,) = build_chunks(remains), build_chunks(live)
    (free,) = struct.unpack_from("<I", new.data, 48)
    left = {number for number, offset in zip(old.record_ids, old.headers, strict=True) if offset >= free}
    return build_log(live, remains=remains), frozenset({*new.record_ids, *left})


def _write_large(path: Path) -> None:
    count = _LARGE_COUNT
    (pattern,) = build_chunks(_records(1, 1, ""))
    (free,) = struct.unpack_from("<I", pattern.data, 48)
    with path.open("wb") as file:
        # 16 bits hold the number of chunks.
        header = bytearray(file_header(64, count + 1))
        struct.pack_into("<Q", header, 16, count - 1)
        file.write(_sealed_header(header))
        for number in range(1, count + 1):
            file.seek(FILE_HEADER_SIZE + (number - 1) * CHUNK_SIZE)
            file.write(_numbered(pattern, number)[:free])
        file.truncate(FILE_HEADER_SIZE + count * CHUNK_SIZE)


def _sealed_header(header: bytearray) -> bytes:
    struct.pack_into("<I", header, 124, zlib.crc32(header[:120]))
    return bytes(header)


def _numbered(chunk: Chunk, number: int) -> bytes:
    """The chunk with one record as that of record `number`."""
    data = bytearray(chunk.data)
    struct.pack_into("<4Q", data, 8, number, number, number, number)
    struct.pack_into("<Q", data, chunk.headers[0] + 8, number)
    struct.pack_into("<Q", data, chunk.event_record_ids[0], number)
    name = data.index("user00001".encode("utf-16-le"))
    data[name : name + 18] = f"user{number:05d}".encode("utf-16-le")
    seal(data)
    return bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="leave out the log of over 4 GiB")
    options = parser.parse_args()
    for path, log in write_logs(options.folder, is_small_only=options.small).items():
        print(f"{path}: {log.damage}")


if __name__ == "__main__":
    main()
