"""Chunks whose BinXML no Windows ever wrote: loops, depth, bombs, sizes and counts that lie.

Each record's body is made by a function of the offset at which it will stand in its chunk.
"""

import struct
from collections.abc import Callable, Iterator, Sequence

from evtxhunt.chunk import CHUNK_SIZE
from samples.evtx_writer import file_header, seal
from tests.logs import make_log

Body = Callable[[int], bytes]

_HEADER = b"\x0f\x01\x01\x00"
_STRING, _BINXML, _STRING_ARRAY = 0x01, 0x21, 0x81
_MOST_BODY = CHUNK_SIZE - 512 - 28


def log_of(*bodies: Body, ids: Sequence[int] = (), neighbour: bool = True) -> bytes:
    """A log of one chunk with these records, and a second chunk of five good ones unless not wanted."""
    chunk = bytearray(512)
    ids = ids or range(1, len(bodies) + 1)
    last = 512
    for body, record_id in zip(bodies, ids, strict=True):
        last = len(chunk)
        data = body(last + 24)
        data += bytes(-(len(data) + 4) % 8)
        size = 24 + len(data) + 4
        chunk += struct.pack("<IIQQ", 0x2A2A, size, record_id, 0x01DB8CE0AFEF8000) + data + struct.pack("<I", size)
    free = len(chunk)
    assert free <= CHUNK_SIZE, free
    header = (b"ElfChnk\0", 1, len(bodies), ids[0], ids[-1], 128, last, free, 0)
    struct.pack_into("<8s4Q4I", chunk, 0, *header)
    chunk += bytes(CHUNK_SIZE - free)
    seal(chunk)
    good = make_log(5)[4096:] if neighbour else b""
    return file_header(1 + len(good) // CHUNK_SIZE, ids[-1] + 1 & 2**64 - 1) + bytes(chunk) + good


def name(at: int, text: str = "Event") -> bytes:
    """A name that stands where it is used, at offset `at`."""
    units = text.encode("utf-16-le")
    return struct.pack("<IIHH", at + 4, 0, 0, len(text)) + units + b"\0\0"


def definition(at: int, fragment: bytes, *, size: int | None = None) -> bytes:
    """A template instance with its definition, up to its values; `at` is the offset of the token."""
    size = len(fragment) if size is None else size
    guid = struct.pack("<I", at) + bytes(12)
    return b"\x0c\x01" + guid[:4] + struct.pack("<II", at + 10, 0) + guid + struct.pack("<I", size) + fragment


def again(target: int) -> bytes:
    """A template instance that refers to the definition at offset `target`."""
    return b"\x0c\x01" + struct.pack("<II", target, target)


def element(at: int, content: bytes, text: str = "Event") -> bytes:
    """An element with `content` between its tags; `at` is its offset."""
    label = name(at + 7, text)
    return b"\x01" + struct.pack("<hI", -1, len(label) + len(content) + 2) + label + b"\x02" + content + b"\x04"


def element_size(text: str = "Event") -> int:
    """Bytes of an element before its content."""
    return len(element(0, b"", text)) - 1


def values(*items: tuple[int, bytes], count: int | None = None, sizes: Sequence[int] | None = None) -> bytes:
    """The values of a template instance; count and sizes may lie."""
    told = [len(data) for _, data in items] if sizes is None else sizes
    heads = b"".join(struct.pack("<HBx", size, kind) for size, (kind, _) in zip(told, items, strict=True))
    return struct.pack("<I", len(items) if count is None else count) + heads + b"".join(data for _, data in items)


def text(content: str) -> bytes:
    """A value that stands in the fragment itself."""
    return struct.pack("<BBH", 0x05, _STRING, len(content)) + content.encode("utf-16-le")


def substitution(index: int, kind: int = _STRING) -> bytes:
    return struct.pack("<BHB", 0x0D, index, kind)


def instance(at: int, content: Callable[[int], bytes], supplied: bytes) -> bytes:
    """A record of one template whose Event holds `content`, a function of its offset."""
    inside = at + 4 + 34 + 4
    fragment = _HEADER + element(inside, content(inside + element_size())) + b"\0"
    return _HEADER + definition(at + 4, fragment) + supplied + b"\0"


def _plain(at: int) -> bytes:
    return instance(at, lambda _: substitution(0), values((_STRING, "seven\0".encode("utf-16-le"))))


def _with(supplied: bytes, *, kind: int = _STRING) -> Body:
    return lambda at: instance(at, lambda _: substitution(0, kind), supplied)


def _content(content: Callable[[int], bytes]) -> Body:
    return lambda at: instance(at, content, values())


def _nested_elements(depth: int, *, close: bool) -> Body:
    def body(at: int) -> bytes:
        def content(inside: int) -> bytes:
            opening = b"\x01" + struct.pack("<hII", -1, 0, at + 4 + 34 + 4 + 11) + b"\x02"
            return opening * depth + (b"\x04" * depth if close else b"")

        return instance(at, content, values())

    return body


def _nested_values(depth: int) -> Body:
    """BinXML in a value in BinXML in a value: each level an instance of the same definition."""

    def body(at: int) -> bytes:
        outer = instance(at, lambda _: substitution(0, _BINXML), b"")[:-1]
        inner = b""
        for _ in range(depth):
            inner = _HEADER + again(at + 14) + values((_BINXML, inner)) + b"\0"
        return outer + values((_BINXML, inner)) + b"\0"

    return body


def _bomb(width: int, depth: int) -> Body:
    """A definition that shows its one value `width` times; the value is an instance of it, `depth` deep."""

    def body(at: int) -> bytes:
        outer = instance(at, lambda _: substitution(0, _BINXML) * width, b"")[:-1]
        # The definition's own name serves for the innermost element; outside of templates they have no dependency.
        named = at + 4 + 34 + 4 + 11
        inner = _HEADER + b"\x01" + struct.pack("<II", 0, named) + b"\x02" + text("x" * 100) + b"\x04\0"
        for _ in range(depth):
            inner = _HEADER + again(at + 14) + values((_BINXML, inner)) + b"\0"
        return outer + values((_BINXML, inner)) + b"\0"

    return body


def _loop(levels: int) -> Body:
    """A definition that holds `levels` instances of itself."""

    def body(at: int) -> bytes:
        def content(_: int) -> bytes:
            return (again(at + 14) + values()) * levels

        return instance(at, content, values())

    return body


def _loop_of_two(at: int) -> bytes:
    """Two definitions, each of which holds an instance of the other."""
    second = at + 4 + 34 + 4 + element_size()

    def content(inside: int) -> bytes:
        fragment = _HEADER + element(inside + 38, again(at + 14) + values()) + b"\0"
        return definition(inside, fragment) + values()

    assert second > at
    return instance(at, content, values())


def _repeated_value(times: int) -> Body:
    big = ("y" * 20_000).encode("utf-16-le")
    return lambda at: instance(at, lambda _: substitution(0) * times, values((_STRING, big)))


def _name_at(target: int) -> Body:
    """An element whose name is said to stand at `target`."""
    return _content(lambda _: b"\x01" + struct.pack("<hII", -1, 0, target) + b"\x03")


def _fill(at: int) -> bytes:
    """A record that fills its chunk to the last byte."""
    empty = instance(at, lambda _: substitution(0), values((_STRING, b"")))
    room = CHUNK_SIZE - at - 4 - len(empty)
    return instance(at, lambda _: substitution(0), values((_STRING, (b"z\0" * room)[: room // 2 * 2])))


def _seeds() -> Iterator[tuple[str, bytes]]:
    utf16 = "text".encode("utf-16-le")
    every_type = [kind | array for array in (0, 0x80) for kind in (*range(0x16), 0x20, 0x21, 0x22, 0x23)]
    yield "plain", log_of(_plain, _plain)
    yield "template holds itself", log_of(_plain, _loop(1), _plain)
    yield "template holds itself twice", log_of(_plain, _loop(2), _plain)
    yield "two templates hold each other", log_of(_plain, _loop_of_two, _plain)
    yield "elements 200 deep", log_of(_plain, _nested_elements(200, close=True), _plain)
    yield "elements 4900 deep", log_of(_nested_elements(4900, close=True), _plain)
    yield "elements 5300 deep, never closed", log_of(_nested_elements(5300, close=False), _plain)
    yield "values 100 deep", log_of(_plain, _nested_values(100), _plain)
    yield "values 2600 deep", log_of(_nested_values(2600))
    yield "one value 4000 times", log_of(_plain, _repeated_value(4000))
    for target in (0, 1, 128, 540, CHUNK_SIZE - 1, CHUNK_SIZE, 2**31, 2**32 - 1):
        yield f"name at {target}", log_of(_plain, _name_at(target), _plain)
    yield "no values for a place", log_of(_plain, _with(values()), _plain)
    yield "4 billion values", log_of(_plain, _with(values((_STRING, utf16), count=2**32 - 1)), _plain)
    yield "70,000 values", log_of(_plain, _with(values((_STRING, utf16), count=70_000)), _plain)
    yield "value longer than its record", log_of(_plain, _with(values((_STRING, utf16), sizes=[65535])), _plain)
    yield "odd string", log_of(_plain, _with(values((_STRING, utf16[:-1]))), _plain)
    yield "lone surrogates", log_of(_plain, _with(values((_STRING, b"\x00\xd8\x00\xdc\x00\xd8a\0"))), _plain)
    yield "control characters", log_of(_plain, _with(values((_STRING, bytes(range(32)) + b"\xff\xff\xfe\xff"))), _plain)
    yield "string array without ends", log_of(_plain, _with(values((_STRING_ARRAY, utf16 * 500)), kind=_STRING_ARRAY))
    yield "array of ends", log_of(_plain, _with(values((_STRING_ARRAY, bytes(20_000))), kind=_STRING_ARRAY), _plain)
    yield "text longer than its record", log_of(_plain, _content(lambda _: b"\x05\x01\xff\xff" + utf16), _plain)
    for number, filler in enumerate((b"\0", b"\xff", b"\x7f", b"\xf0\x7f", b"\0\0\xc0\x7f")):
        for length in (0, 1, 8, 16, 33):
            data = (filler * 40)[:length]
            bodies = [_with(values((kind, data)), kind=kind) for kind in every_type]
            yield f"every type, {length} bytes of {number}", log_of(*bodies)
    for token in (0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0F, 0x10, 0x41, 0x46, 0x7F, 0xFF):
        yield f"token {token:#x}", log_of(_plain, _content(lambda _, t=token: bytes([t]) * 9), _plain)
    yield "fills its chunk", log_of(_fill)
    yield "64-bit ids", log_of(_plain, _plain, _plain, ids=(2**63, 2**64 - 2, 2**64 - 1))


HOSTILE: dict[str, bytes] = dict(_seeds())
# A chunk of 64 KiB that says more text than there is memory.
BOMBS: dict[str, bytes] = {
    "2 to the 60th": log_of(_plain, _bomb(2, 60), _plain),
    "1000 cubed": log_of(_plain, _bomb(1000, 3), _plain),
}
