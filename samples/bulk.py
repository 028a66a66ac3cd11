"""The quiet week at any size: `python -m samples.bulk OUT_DIR [--hosts N] (--events M | --bytes SIZE)`.

One week of one cell, a domain controller, a server and two workstations, is written as chunks. Every further
week, and every further cell, is a copy of these chunks in which names, addresses, times, record ids and GUIDs
are changed in place: all have equal lengths, so that no size or offset moves. Whole weeks of whole cells are
written, until there are at least as many events or bytes as asked for.
"""

import argparse
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

from samples.collection import collect
from samples.evtx_writer import FILE_HEADER_SIZE, Chunk, build_chunks, file_header, seal
from samples.scenarios.s18_quiet_week import live_a_week
from samples.story import Story

HOSTS_A_CELL = 4
# Cells differ in two octets of 198.18.0.0/15, the range for benchmarks (RFC 2544).
MOST_CELLS = 2 * 156
LARGEST_LOG = 2**30
_MONDAY = datetime(2024, 1, 8, tzinfo=UTC)
_TOKEN = "5eed0000"
_NETWORK = "198.18.100."
_TICKS_A_WEEK = 7 * 86_400 * 10_000_000
_SECONDS_A_WEEK = 7 * 86_400
# Made names are as long as those they stand for.
_NAMES = {"DC01": "D{:03}", "SRV02": "S{:04}", "WS07": "W{:03}", "WS12": "A{:03}"}


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A chunk and the places in it of the texts that change: offset, and number of the text in `_texts`."""

    chunk: Chunk
    texts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Log:
    """A host's log of the week: its chunks, and how many records they have."""

    host: str
    channel: str
    chunks: tuple[_Prepared, ...]
    record_count: int


@dataclass(slots=True)
class Written:
    """What was written, in events, bytes and logs."""

    events: int = 0
    size: int = 0
    logs: int = 0


@dataclass(slots=True)
class _Open:
    """A log being written, week after week: its number among those of one channel, and what it has so far."""

    number: int = 0
    chunks: int = 0
    records: int = 0
    next_id: int = 1


def write_weeks(folder: Path, hosts: int, *, events: int = 0, size: int = 0) -> Written:
    """Write until `events` events and `size` bytes are there, `<host>/<channel>.evtx`; equal bytes each time.

    ValueError if there are more hosts than addresses for them.
    """
    cells = -(-hosts // HOSTS_A_CELL)
    if not 0 < cells <= MOST_CELLS:
        raise ValueError(f"{hosts} hosts: from 1 to {MOST_CELLS * HOSTS_A_CELL} can be made")
    logs = _live_one_week()
    written = Written()
    states: dict[tuple[int, int], _Open] = {}
    week = 0
    while week == 0 or written.events < events or written.size < size:
        for cell in range(cells):
            for position, log in enumerate(logs):
                host = _NAMES[log.host].format(cell)
                state = states.setdefault((cell, position), _Open())
                _append(folder / host, log, state, cell, week, written)
        week += 1
    return written


def _live_one_week() -> tuple[_Log, ...]:
    story = Story("bulk", "The quiet week", _MONDAY, guid_token=_TOKEN)
    boot = _MONDAY - timedelta(hours=20)
    for number, name in enumerate(sorted(_NAMES)):
        story.host(name, boot=boot).address = f"{_NETWORK}{10 + number}"
    live_a_week(story, _MONDAY)
    collection = collect(story)
    logs = []
    for entries in (collection.files[path] for path in sorted(collection.files)):
        host, channel = entries[0][0], entries[0][1].channel
        records = (host.record(event, number) for number, (host, event, _) in enumerate(entries, start=1))
        chunks = tuple(_prepare(chunk) for chunk in build_chunks(records))
        logs.append(_Log(host.name, channel, chunks, len(entries)))
    return tuple(logs)


def _prepare(chunk: Chunk) -> _Prepared:
    """Searching a chunk costs far more than changing it, so it is done once."""
    numbers = {old: number for number, old in enumerate(_OLD_TEXTS)}
    pattern = re.compile(b"|".join(map(re.escape, _OLD_TEXTS)))
    return _Prepared(chunk, tuple((found.start(), numbers[found[0]]) for found in pattern.finditer(chunk.data)))


def _append(folder: Path, log: _Log, state: _Open, cell: int, week: int, written: Written) -> None:
    """Add a week to a log; a full one is left as an archive, as Windows does when told to."""
    if FILE_HEADER_SIZE + (state.chunks + len(log.chunks)) * 65536 > LARGEST_LOG:
        number, next_id = state.number + 1, state.next_id
        name = log.channel.replace("/", "%4")
        (folder / f"{name}.evtx").rename(folder / f"Archive-{name}-{number:03}.evtx")
        state.number, state.chunks, state.records, state.next_id = number, 0, 0, next_id
    path = folder / f"{log.channel.replace('/', '%4')}.evtx"
    texts = _texts(cell, week)
    shift = state.next_id - 1
    content = bytearray()
    for prepared in log.chunks:
        content += _patched(prepared, texts, log.host, cell, week, shift, state.records)
    if state.chunks == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(FILE_HEADER_SIZE))
        written.logs += 1
        written.size += FILE_HEADER_SIZE
    state.chunks += len(log.chunks)
    state.records += log.record_count
    state.next_id += log.record_count
    with path.open("r+b") as file:
        file.write(file_header(state.chunks, state.next_id))
        file.seek(0, 2)
        file.write(content)
    written.events += log.record_count
    written.size += len(content)


_DAYS = [_MONDAY + timedelta(days=number) for number in range(8)]
# What is replaced wherever it stands as text: names, the network, the GUIDs' token in both cases, dates.
_OLD_TEXTS = [
    text.encode("utf-16-le")
    for text in (*_NAMES, _NETWORK, _TOKEN, _TOKEN.upper(), *(f"{day:%Y-%m-%d}" for day in _DAYS))
]


def _texts(cell: int, week: int) -> list[bytes]:
    """What comes in place of `_OLD_TEXTS`, each as long as the old one."""
    token = _token(cell, week)
    dates = [f"{day + timedelta(weeks=week):%Y-%m-%d}" for day in _DAYS]
    names = [form.format(cell) for form in _NAMES.values()]
    network = f"198.{18 + cell // 156}.{100 + cell % 156}."
    texts = [text.encode("utf-16-le") for text in (*names, network, f"{token:08x}", f"{token:08X}", *dates)]
    assert [len(text) for text in texts] == [len(old) for old in _OLD_TEXTS]
    return texts


def _token(cell: int, week: int) -> int:
    """The first 32 bits of a GUID of this cell and week."""
    return 0x5EED0000 + (cell << 12) + week


def _patched(
    prepared: _Prepared,
    texts: list[bytes],
    host: str,
    cell: int,
    week: int,
    shift: int,
    records_before: int,
) -> bytearray:
    """A copy of the chunk for another cell and week; record ids are `shift` higher."""
    chunk = prepared.chunk
    copy = bytearray(chunk.data)
    for offset, number in prepared.texts:
        copy[offset : offset + len(texts[number])] = texts[number]
    unpack, pack = struct.unpack_from, struct.pack_into
    # Record numbers count within the file, record ids within the log's whole life.
    first, last = unpack("<QQ", copy, 8)
    pack("<QQQQ", copy, 8, first + records_before, last + records_before, first + shift, last + shift)
    ticks, seconds = week * _TICKS_A_WEEK, week * _SECONDS_A_WEEK
    for header, place, record_id in zip(chunk.headers, chunk.event_record_ids, chunk.record_ids, strict=True):
        pack("<QQ", copy, header + 8, record_id + shift, unpack("<Q", copy, header + 16)[0] + ticks)
        pack("<Q", copy, place, record_id + shift)
    for offset in chunk.filetimes:
        pack("<Q", copy, offset, unpack("<Q", copy, offset)[0] + ticks)
    old_token, old_machine = int(_TOKEN, 16), crc32(host.encode())
    new_token, new_machine = _token(cell, week), crc32(_NAMES[host].format(cell).encode())
    for offset in chunk.guids:
        head, second = unpack("<II", copy, offset)
        if head == old_token:
            pack("<I", copy, offset, new_token)
        elif head == old_machine:
            pack("<II", copy, offset, new_machine, second + seconds)
    seal(copy)
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--hosts", type=int, default=HOSTS_A_CELL, metavar="N")
    parser.add_argument("--events", type=int, default=0, metavar="M")
    parser.add_argument("--bytes", type=int, default=0, metavar="SIZE")
    options = parser.parse_args()
    written = write_weeks(options.folder, options.hosts, events=options.events, size=options.bytes)
    print(f"{written.events:,} events, {written.size:,} bytes, {written.logs} logs below {options.folder}")


if __name__ == "__main__":
    main()
