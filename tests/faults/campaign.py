"""Damages seeds by number and looks at what the reader makes of them: `python -m tests.faults.campaign NUMBER...`

A number names seed, mutator and random numbers. Seeds are the synthetic ones, then, where there are any, the real ones.
"""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.resident import peak_resident
from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE, walk_chunk
from evtxhunt.fast_parser import FastParser
from evtxhunt.log_model import LogAccount
from evtxhunt.model import SourceFile
from evtxhunt.parse import LogReader
from tests.faults.mutators import MUTATORS, mutate
from tests.faults.seeds import real_seeds, synthetic_seeds

COLUMNS = ["origin", "header_record_id", "written_filetime", "record_offset", "record_json"]
# The same, with offsets from the start of the chunk.
Row = tuple[int, int | None, int, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader gave of a log; rows of live space by chunk, those of unknown place under None."""

    rows: dict[int | None, list[Row]]
    slack: int
    account: LogAccount


@dataclass(frozen=True, slots=True)
class Seed:
    """A healthy or damaged log to damage further, and what is read of each of its chunks while it is as it is."""

    log: bytes
    rows: dict[bytes, list[Row]]
    records: list[tuple[int, int, int]]  # offset, size, header id


@cache
def seeds() -> dict[str, bytes]:
    return synthetic_seeds() | real_seeds()


def name_of(number: int) -> tuple[str, str]:
    """Seed and mutator of a number."""
    names, mutators = list(seeds()), list(MUTATORS)
    return names[number % len(names)], mutators[number // len(names) % len(mutators)]


def damaged(number: int) -> bytes:
    seed, mutator = name_of(number)
    return mutate(seeds()[seed], mutator, f"{seed}/{mutator}/{number}")


def read(log: bytes, path: Path) -> Reading:
    path.write_bytes(log)
    reader = LogReader(SourceFile(path, len(log), "", path.stat().st_mtime_ns, None, False), FastParser())
    rows: dict[int | None, list[Row]] = defaultdict(list)
    slack = 0
    for batch in reader.batches():
        for origin, record_id, filetime, offset, text in zip(
            *(column.to_pylist() for column in batch.select(COLUMNS).columns), strict=True
        ):
            if origin == "slack":
                slack += 1
                continue
            chunk, inside = (None, 0) if offset is None else divmod(offset - FILE_HEADER_SIZE, CHUNK_SIZE)
            rows[chunk].append((record_id, filetime, inside, text))
    return Reading(rows, slack, reader.account())


@cache
def seed(name: str, path: Path) -> Seed:
    log = seeds()[name]
    reading = read(log, path)
    rows = {_chunk(log, number): reading.rows.get(number, []) for number in range(_chunk_count(log))}
    records = []
    for number in range(_chunk_count(log)):
        chunk, base = _chunk(log, number), FILE_HEADER_SIZE + number * CHUNK_SIZE
        if len(chunk) == CHUNK_SIZE and chunk.startswith(b"ElfChnk\0"):
            walk = walk_chunk(chunk)
            for offset, record_id in zip(walk.offsets, walk.record_ids, strict=True):
                size = int.from_bytes(chunk[offset + 4 : offset + 8], "little")
                records.append((base + offset, size, record_id))
    return Seed(log, rows, records)


def problems(number: int, path: Path) -> list[str]:
    """What is wrong with the reading of a damaged log; empty if all is well."""
    original = seed(name_of(number)[0], path)
    log = damaged(number)
    reading = read(log, path)
    return [
        *_wrong_accounts(reading, len(log)),
        *_invented_records(log, reading),
        *_harmed_neighbours(original, log, reading),
        *_lost_records(original, log, reading),
    ]


def _wrong_accounts(reading: Reading, size: int) -> Iterable[str]:
    account = reading.account
    if account.expected != account.parsed + account.rescued + account.failed:
        parts = (account.parsed, account.rescued, account.failed)
        yield f"expected {account.expected} are not parsed + rescued + failed {parts}"
    found = sum(map(len, reading.rows.values()))
    if (found, reading.slack) != (account.parsed + account.rescued, account.slack or 0):
        parts = (account.parsed, account.rescued, account.slack)
        yield f"{found} rows and {reading.slack} from slack are not parsed + rescued and slack {parts}"
    listed = sum(failure.scope == "record" for failure in account.failures)
    if listed != account.failed:
        yield f"{listed} failures listed of {account.failed}"
    for failure in account.failures:
        if not failure.reason or (failure.file_offset is not None and not 0 <= failure.file_offset <= size):
            yield f"{failure} in a file of {size} bytes"
    places = [(chunk, row[2]) for chunk, rows in reading.rows.items() if chunk is not None for row in rows]
    failed = [
        divmod(failure.file_offset - FILE_HEADER_SIZE, CHUNK_SIZE)
        for failure in account.failures
        if failure.scope == "record" and failure.file_offset is not None
    ]
    if len({*places, *failed}) != len(places) + len(failed):
        yield "a record is there twice, or both read and failed"
    outside = [place for place in places if not 0 <= place[0] < _chunk_count(bytes(size))]
    if outside:
        yield f"rows of chunks that the file does not have: {outside}"


def _invented_records(log: bytes, reading: Reading) -> Iterable[str]:
    """Of a record that the file's end cuts, the missing part is not zeros."""
    for number, rows in reading.rows.items():
        for record_id, _, inside, _ in rows if number is not None else ():
            offset = FILE_HEADER_SIZE + (number or 0) * CHUNK_SIZE + inside
            if offset + int.from_bytes(log[offset + 4 : offset + 8], "little") > len(log):
                yield f"record {record_id} at {offset} is read, and the file of {len(log)} bytes ends in it"


def _harmed_neighbours(original: Seed, log: bytes, reading: Reading) -> Iterable[str]:
    """A chunk that is as it was must give what it gave, wherever it stands now."""
    for number in range(_chunk_count(log)):
        wanted = original.rows.get(_chunk(log, number))
        if wanted is not None and reading.rows.get(number, []) != wanted:
            yield f"chunk {number} is as it was, and its {len(wanted)} records are not"


def _lost_records(original: Seed, log: bytes, reading: Reading) -> Iterable[str]:
    """A record that is as it was must be read, or be named, or stand in a chunk of which damage is told.

    Unless the chunk, by checksums that fit, says itself that it stands behind the end of live space.
    """
    told = {
        number
        for failure in reading.account.failures
        if failure.scope != "record" and (number := failure.chunk) is not None
    }
    named = {(failure.chunk, failure.header_record_id) for failure in reading.account.failures}
    offsets = {failure.file_offset for failure in reading.account.failures}
    slack = {}
    for number in range(_chunk_count(log)):
        chunk = _chunk(log, number)
        walk = walk_chunk(chunk) if len(chunk) == CHUNK_SIZE else None
        slack[number] = walk.live_end if walk is not None and walk.is_crc_valid else CHUNK_SIZE
    for offset, size, record_id in original.records:
        number, inside = divmod(offset - FILE_HEADER_SIZE, CHUNK_SIZE)
        if log[offset : offset + size] != original.log[offset : offset + size] or number in told:
            continue
        if inside >= slack[number]:
            continue
        rows = [*reading.rows.get(number, ()), *reading.rows.get(None, ())]
        is_read = any(row[2] == inside or row[0] == record_id for row in rows)
        if not is_read and offset not in offsets and (number, record_id) not in named:
            yield f"record {record_id} at {offset} is as it was, and neither read nor named"


def _chunk_count(log: bytes) -> int:
    return max(0, -(-(len(log) - FILE_HEADER_SIZE) // CHUNK_SIZE))


def _chunk(log: bytes, number: int) -> bytes:
    base = FILE_HEADER_SIZE + number * CHUNK_SIZE
    return log[base : base + CHUNK_SIZE]


def work(numbers: Iterable[int], path: Path) -> None:
    """Says each number before it is read, then what was wrong with it; last the peak of resident memory in MiB."""

    def say(**said: Any) -> None:
        print(json.dumps(said), flush=True)

    for number in numbers:
        say(number=number)
        for problem in problems(number, path):
            say(problem=f"{number} ({' / '.join(name_of(number))}): {problem}")
    say(resident=peak_resident() // 2**20)


def main() -> None:
    first, stop, step = map(int, sys.argv[1].split(":")) if ":" in sys.argv[1] else (0, 0, 1)
    numbers = range(first, stop, step) if stop else map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        work(numbers, Path(folder, "damaged.evtx"))


if __name__ == "__main__":
    main()
