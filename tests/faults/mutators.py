"""Ways to damage a log, by name. The same log, name and random numbers give the same bytes."""

import struct
from collections.abc import Callable, Iterator
from random import Random

from evtxhunt.chunk import CHUNK_MAGIC, CHUNK_SIZE, FILE_HEADER_SIZE, walk_chunk
from samples.evtx_writer import seal

_INTERESTING = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 512, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1)
_FILE_FIELDS = ((0, 8), (8, 8), (16, 8), (24, 8), (32, 4), (36, 2), (38, 2), (40, 2), (42, 2), (120, 4), (124, 4))
_CHUNK_FIELDS = ((0, 8), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 4), (52, 4), (120, 4), (124, 4))


def _put(log: bytearray, at: int, width: int, random: Random) -> None:
    """Writes an integer of `width` bytes over what stands at `at`: one that often breaks readers, or one near it."""
    before = int.from_bytes(log[at : at + width], "little")
    choices = (random.choice(_INTERESTING), before + random.choice((-8, -1, 1, 8)), random.getrandbits(8 * width))
    log[at : at + width] = (random.choice(choices) & (1 << 8 * width) - 1).to_bytes(width, "little")[: len(log) - at]


def _chunks(log: bytes) -> Iterator[int]:
    """Where the whole chunks of a log begin."""
    for base in range(FILE_HEADER_SIZE, len(log) - CHUNK_SIZE + 1, CHUNK_SIZE):
        if log[base : base + 8] == CHUNK_MAGIC:
            yield base


def _records(log: bytes) -> list[tuple[int, int]]:
    """Offset and size of all records."""
    found = []
    for base in _chunks(log):
        for offset in walk_chunk(bytes(log[base : base + CHUNK_SIZE])).offsets:
            found.append((base + offset, int.from_bytes(log[base + offset + 4 : base + offset + 8], "little")))
    return found


def _span(log: bytearray, random: Random) -> tuple[int, int]:
    start = random.randrange(len(log))
    return start, min(len(log), start + random.choice((1, 8, 64, 512, 4096, 65536)))


def flip_bits(log: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        log[random.randrange(len(log))] ^= 1 << random.randrange(8)


def flip_bits_of_a_record(log: bytearray, random: Random) -> None:
    at, size = random.choice(_records(log) or [(0, 128)])
    for _ in range(random.choice((1, 1, 2, 8))):
        log[min(at + random.randrange(size), len(log) - 1)] ^= 1 << random.randrange(8)


def truncate(log: bytearray, random: Random) -> None:
    del log[random.randrange(8, len(log)) :]


def truncate_in_a_record(log: bytearray, random: Random) -> None:
    at, size = random.choice(_records(log) or [(8, 8)])
    del log[at + random.randrange(size) :]


def zero(log: bytearray, random: Random) -> None:
    start, end = _span(log, random)
    log[start:end] = bytes(end - start)


def noise(log: bytearray, random: Random) -> None:
    start, end = _span(log, random)
    log[start:end] = random.randbytes(end - start)


def copy_within(log: bytearray, random: Random) -> None:
    start, end = _span(log, random)
    to = random.randrange(len(log))
    log[to : to + end - start] = log[start:end]


def insert(log: bytearray, random: Random) -> None:
    start, end = _span(log, random)
    log[start:start] = random.choice((log[start:end], random.randbytes(end - start), bytes(end - start)))


def delete(log: bytearray, random: Random) -> None:
    start, end = _span(log, random)
    del log[max(start, 8) : end]


def swap_records(log: bytearray, random: Random) -> None:
    records = _records(log)
    if len(records) < 2:
        return
    (one, size), (other, other_size) = random.sample(records, 2)
    size = min(size, other_size)
    log[one : one + size], log[other : other + size] = log[other : other + size], log[one : one + size]


def repeat_chunk(log: bytearray, random: Random) -> None:
    base = random.choice([*_chunks(log)] or [FILE_HEADER_SIZE])
    log[base:base] = log[base : base + CHUNK_SIZE]


def file_field(log: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 1, 3))):
        at, width = random.choice(_FILE_FIELDS[1:])  # what is no log by its first bytes is not read at all
        _put(log, at, width, random)


def chunk_field(log: bytearray, random: Random) -> None:
    base = random.choice([*_chunks(log)] or [0])
    for _ in range(random.choice((1, 1, 3))):
        at, width = random.choice(_CHUNK_FIELDS)
        _put(log, base + at, width, random)


def live_space(log: bytearray, random: Random) -> None:
    """The chunk header is wrong about where live space ends."""
    base = random.choice([*_chunks(log)] or [0])
    ends = [record[0] - base for record in _records(log) if base < record[0] < base + CHUNK_SIZE] or [0]
    lie = random.choice((0, 1, 512, 513, CHUNK_SIZE, CHUNK_SIZE + 1, random.choice(ends), random.randrange(CHUNK_SIZE)))
    struct.pack_into("<I", log, base + 48, lie)


def table_offset(log: bytearray, random: Random) -> None:
    """One of the 64 string and 32 template offsets of a chunk."""
    base = random.choice([*_chunks(log)] or [0])
    for _ in range(random.choice((1, 4, 32))):
        _put(log, base + 128 + 4 * random.randrange(96), 4, random)


def record_field(log: bytearray, random: Random) -> None:
    """Magic, size, id, time of a record, or the copy of its size."""
    at, size = random.choice(_records(log) or [(8, 128)])
    where, width = random.choice(((0, 4), (4, 4), (4, 4), (8, 8), (16, 8), (size - 4, 4)))
    _put(log, at + where, width, random)


def sizes_of_a_record(log: bytearray, random: Random) -> None:
    """The size and its copy, so that they agree: the record swallows what follows, or ends early."""
    at, size = random.choice(_records(log) or [(8, 128)])
    lie = max(28, size + 8 * random.choice((-4, -1, 1, 4, 30, 300)))
    struct.pack_into("<I", log, at + 4, lie)
    if at + lie <= len(log):
        struct.pack_into("<I", log, at + lie - 4, lie)


def template_field(log: bytearray, random: Random) -> None:
    """What a template instance says: its definition's offset, and there next offset, GUID, size; or its values."""
    at, _ = random.choice(_records(log) or [(8, 128)])
    where, width = random.choice(((28, 1), (30, 4), (34, 4), (38, 4), (42, 4), (58, 4), (62, 4), (46, 2), (48, 2)))
    _put(log, min(at + where, len(log) - 8), width, random)


def body_integer(log: bytearray, random: Random) -> None:
    """An integer of BinXML anywhere in a record: a size, an offset, a count, a type, or half of two of them."""
    at, size = random.choice(_records(log) or [(8, 128)])
    for _ in range(random.choice((1, 1, 4))):
        _put(log, min(at + 24 + random.randrange(size), len(log) - 8), random.choice((1, 2, 4)), random)


def body_token(log: bytearray, random: Random) -> None:
    """A BinXML token where another one, or something else, stood."""
    at, size = random.choice(_records(log) or [(8, 128)])
    token = random.choice((*range(0x11), 0x41, 0x45, 0x46, 0x47, 0x48, 0x49))
    tokens = [place for place in range(at + 24, min(at + size, len(log))) if log[place] in range(1, 0x10)]
    log[random.choice(tokens or [8])] = token


def template_to_another_place(log: bytearray, random: Random) -> None:
    """A template instance refers to the inside of another record."""
    records = _records(log)
    if records:
        (at, _), (other, _) = random.choice(records), random.choice(records)
        target = (other - FILE_HEADER_SIZE) % CHUNK_SIZE + random.choice((0, 24, 28, 34, 38, 62))
        struct.pack_into("<I", log, min(at + 34, len(log) - 4), target)


def name_to_another_place(log: bytearray, random: Random) -> None:
    """Whatever refers to a place in the chunk refers to another."""
    at, size = random.choice(_records(log) or [(8, 128)])
    inside = [
        place
        for place in range(at + 24, min(at + size, len(log)) - 4)
        if 512 <= int.from_bytes(log[place : place + 4], "little") < CHUNK_SIZE
    ]
    if inside:
        struct.pack_into("<I", log, random.choice(inside), random.randrange(CHUNK_SIZE + 8))


def huge_string(log: bytearray, random: Random) -> None:
    """A length that reaches as far as 16 bits do, and no end of string for a long way."""
    at, size = random.choice(_records(log) or [(8, 128)])
    place = min(at + 24 + random.randrange(size), len(log) - 2)
    log[place : place + 2] = random.choice((b"\xff\xff", b"\xfe\xff", b"\0\x80", b"\xff\x7f"))
    end = min(len(log), place + 2 + random.choice((64, 1024, 16384)))
    log[place + 2 : end] = b"A\0" * ((end - place - 2) // 2) + b"A" * ((end - place) % 2)


Mutator = Callable[[bytearray, Random], None]

MUTATORS: dict[str, Mutator] = {
    mutator.__name__: mutator
    for mutator in (
        flip_bits,
        flip_bits_of_a_record,
        truncate,
        truncate_in_a_record,
        zero,
        noise,
        copy_within,
        insert,
        delete,
        swap_records,
        repeat_chunk,
        file_field,
        chunk_field,
        live_space,
        table_offset,
        record_field,
        sizes_of_a_record,
        template_field,
        body_integer,
        body_token,
        template_to_another_place,
        name_to_another_place,
        huge_string,
    )
}


def mutate(log: bytes, mutator: str, seed: str) -> bytes:
    """The damaged log. Now and then others follow; in half of all the checksums of the chunks are made to fit again."""
    random = Random(seed)
    damaged = bytearray(log)
    MUTATORS[mutator](damaged, random)
    while len(damaged) > 256 and random.random() < 0.25:
        random.choice(list(MUTATORS.values()))(damaged, random)
    if random.random() < 0.5:
        for base in list(_chunks(damaged)):
            chunk = damaged[base : base + CHUNK_SIZE]
            if 512 <= int.from_bytes(chunk[48:52], "little") <= CHUNK_SIZE:
                seal(chunk)
                damaged[base : base + CHUNK_SIZE] = chunk
    return bytes(damaged)
