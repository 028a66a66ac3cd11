"""Our own parser of single records writes what the fast parser writes, and knows what it cannot know."""

import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evtxhunt.binxml import RecordRenderer
from evtxhunt.binxml_nodes import StaleRecordError, UnreadableRecordError
from evtxhunt.binxml_values import DEFAULT_ANSI_CODEC
from evtxhunt.chunk import CHUNK_MAGIC, CHUNK_SIZE, FILE_HEADER_SIZE, walk_chunk
from evtxhunt.fast_parser import FastParser, RenderedChunk
from samples import values as v
from samples.events import ClassicData, ErrorData, EventData, Payload, UserData, UserElement
from samples.evtx_writer import build_log
from samples.values import Value, ValueType
from tests.logs import make_log, make_records


def raw(value_type: int, data: bytes) -> Value:
    return Value(ValueType(value_type), data, ValueType(value_type))


def fields(*values: Value) -> EventData:
    return EventData(tuple((f"field{number}", value) for number, value in enumerate(values)))


def chunk_with(payload: Payload) -> bytes:
    return build_log([replace(make_records(1)[0], payload=payload)])[FILE_HEADER_SIZE:]


def render_alone(chunk: bytes, index: int = 0, ansi_codec: str = DEFAULT_ANSI_CODEC) -> str:
    header = walk_chunk(chunk).headers(chunk)[index]
    return RecordRenderer(chunk, ansi_codec).render(header.offset, header.size).text


def render_fast(chunk: bytes, ansi_codec: str = DEFAULT_ANSI_CODEC) -> RenderedChunk:
    return FastParser(ansi_codec).render(chunk, "", 0, walk_chunk(chunk).live_end)


PAYLOADS: dict[str, Payload] = {
    "no fields": EventData(),
    "text": fields(*map(v.string, ("", "a", "a\0b", "\0", ' \t\r\n"\\/\b\f\x01\x1f\x7f\x80\u2028é漢😀', "\ufeffx"))),
    "surrogates without their half": fields(*(raw(1, d) for d in (b"\0\xd8a\0", b"a\0\0\xdc", b"\x3d\xd8"))),
    "ANSI text": fields(v.ansi_string('Ä€ "\\ab'), raw(2, b"a\0b\0"), raw(2, b"\x81\x9d")),
    "integers": fields(
        v.int8(-5), v.uint8(250), v.int16(-300), v.uint16(65535), v.int32(-(2**31)), v.uint32(2**32 - 1)
    ),
    "long integers": fields(v.int64(-(2**63)), v.uint64(2**64 - 1)),
    "float": fields(*map(v.real32, (0.0, 1.0, 0.1, 1e10, 1e15, 1e16, 1e20, 1e-5, 1e-6, 1e-10, -2.5, 3.4e38, 1 / 3))),
    "largest float": fields(v.real32(3.4028234663852886e38), v.real64(sys.float_info.max)),
    "double": fields(*map(v.real64, (0.0, -0.0, 0.1, 1e15, 1e16, 9.99e15, 1e22, 1e-5, 9.9e-6, 1e-7, 1.5e300, 5e-324))),
    "no numbers": fields(*map(v.real64, (float("nan"), float("inf"), float("-inf")))),
    "booleans": fields(v.boolean(True), v.boolean(False), raw(13, struct.pack("<i", 7)), raw(13, b"\xff" * 4)),
    "bytes": fields(v.binary(b""), v.binary(b"\0\xff\xab")),
    "GUID": fields(v.guid("54849625-5478-4994-a5ba-3e3b0328c30d")),
    "pointers": fields(v.size(0), v.size(77), v.pointer(2**40), raw(0x10, struct.pack("<Q", 2**33))),
    "hex": fields(raw(0x14, b"\0" * 4), raw(0x14, struct.pack("<I", 0xABC)), raw(0x15, b"\xff" * 8)),
    "FILETIME": fields(*(raw(0x11, struct.pack("<Q", t)) for t in (0, 1, 10, 15, 132223104001234567))),
    "SYSTEMTIME": fields(raw(0x12, struct.pack("<8H", 2020, 2, 6, 29, 23, 59, 58, 7)), raw(0x12, bytes(16))),
    "SID": fields(
        raw(0x13, b"\1\5\0\0\0\0\0\5" + struct.pack("<5I", 21, 1, 2, 3, 500)), raw(0x13, b"\1\0\0\0\0\0\0\0")
    ),
    "arrays": fields(
        v.string_array(("a", "b", "")), v.string_array(("a",)), v.string_array(()), v.uint32_array((1, 2))
    ),
    "array of empty texts": fields(v.string_array(("", "b", "")), v.string_array(("",)), v.uint32_array((7,))),
    "longer than needed": fields(raw(0x06, b"\1\2\3\4"), raw(0x13, b"\1\0\0\0\0\0\0\0" + bytes(4))),
    "nothing": fields(v.null(ValueType.STRING)),
    "unnamed values": ClassicData(("one", "", "three"), b"\1\2"),
    "one unnamed value": ClassicData(("one",)),
    "named data": EventData((("a", v.string("b")),), name="Task"),
    "user data": UserData(
        UserElement("Outer", (UserElement("In", v.string("x")), UserElement("In", v.uint32(2))), "n:s")
    ),
    "processing error": ErrorData((("ErrorCode", v.uint32(15005)), ("DataItemName", v.string("shellId")))),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_both_parsers_write_the_same(payload: Payload) -> None:
    chunk = chunk_with(payload)
    assert [render_alone(chunk)] == render_fast(chunk).texts


def test_both_parsers_read_ansi_text_by_the_code_page_that_was_asked_for() -> None:
    chunk = chunk_with(fields(raw(2, "Пароль".encode("windows-1251"))))
    assert '"field0":"Пароль"' in render_alone(chunk, ansi_codec="windows-1251")
    assert [render_alone(chunk, ansi_codec="windows-1251")] == render_fast(chunk, "windows-1251").texts


# Sizes too small for the type: the fast parser takes what it lacks from the bytes behind the value.
IMPOSSIBLE = {
    "an integer of two bytes": raw(0x08, b"\1\2"),
    "a SID without its end": raw(0x13, b"\1\5\0\0\0\0\0\5" + b"\x15\0\0\0"),
    "a text of three bytes": raw(0x01, b"abc"),
}


@pytest.mark.parametrize("value", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_value_of_an_impossible_size_is_not_guessed(value: Value) -> None:
    with pytest.raises(UnreadableRecordError, match="the value of type 0x"):
        render_alone(chunk_with(fields(value)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(raw(0x11, b"\xff" * 8), "0xffffffffffffffff", id="FILETIME"),
        pytest.param(raw(0x12, struct.pack("<8H", 2020, 13, *[0] * 6)), "e4070d00" + "00" * 12, id="SYSTEMTIME"),
    ],
)
def test_time_that_no_calendar_has_does_not_cost_the_record(value: Value, shown: str) -> None:
    chunk = chunk_with(fields(value))
    assert render_fast(chunk).texts == []
    assert f'"field0":"{shown}"' in render_alone(chunk)


def definition(chunk: bytearray) -> int:
    """Where the template of the first record stands: right behind the reference to it."""
    (offset,) = struct.unpack_from("<I", chunk, 512 + 24 + 4 + 6)
    return int(offset)


def test_template_that_is_overwritten_makes_its_records_stale() -> None:
    chunk = bytearray(make_log(3)[FILE_HEADER_SIZE:])
    chunk[definition(chunk) + 4] ^= 0xFF
    with pytest.raises(StaleRecordError, match="another one's id stands there"):
        render_alone(bytes(chunk), 2)


def test_name_that_is_overwritten_makes_its_records_stale() -> None:
    chunk = bytearray(make_log(3)[FILE_HEADER_SIZE:])
    chunk[chunk.index("Computer".encode("utf-16-le"))] = ord("K")
    with pytest.raises(StaleRecordError, match="is overwritten: the hash there does not fit"):
        render_alone(bytes(chunk), 2)


def test_template_that_holds_itself_is_refused() -> None:
    chunk = bytearray(make_log(1)[FILE_HEADER_SIZE:])
    start = definition(chunk)
    # Behind the fragment header: an instance of this very template.
    chunk[start + 28 : start + 38] = b"\x0c\x01" + chunk[start + 4 : start + 8] + struct.pack("<I", start)
    with pytest.raises(UnreadableRecordError, match="holds itself"):
        render_alone(bytes(chunk))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"\x0f\1\1\0" * 5000, "0 elements at its top", id="fragment headers only"),
        pytest.param(b"\xff", "token 0xff", id="no token"),
        pytest.param(b"\x0c\1\0\0\0\0\xff\xff\xff\xff", "outside of the chunk", id="template outside"),
        pytest.param(b"\x01\0\0\0\0\xff\xff\xff\xff", "outside of the chunk", id="name outside"),
        pytest.param(b"\x0f\1\1", "0 elements", id="cut"),
    ],
)
def test_content_that_is_none_is_refused(body: bytes, reason: str) -> None:
    size = 24 + len(body) + 4
    record = struct.pack("<IIQQ", 0x2A2A, size, 1, 0) + body + struct.pack("<I", size)
    chunk = (bytes(512) + record).ljust(CHUNK_SIZE, b"\0")
    with pytest.raises(UnreadableRecordError, match=reason):
        RecordRenderer(chunk).render(512, size)


def chunk_of(body: bytes, parts: dict[int, bytes]) -> tuple[bytes, int]:
    """A chunk of one record with `body`, other `parts` by offset, and the record's size."""
    chunk = bytearray(CHUNK_SIZE)
    size = 24 + len(body) + 4
    record = struct.pack("<IIQQ", 0x2A2A, size, 1, 0) + body + struct.pack("<I", size)
    for offset, data in ({512: record} | parts).items():
        assert not any(chunk[offset : offset + len(data)])
        chunk[offset : offset + len(data)] = data
    assert len(chunk) == CHUNK_SIZE
    return bytes(chunk), size


def template(tokens: bytes) -> bytes:
    return struct.pack("<II12xI", 0, 7, len(tokens)) + tokens


def name(text: str) -> bytes:
    hashed = 0
    for character in text:
        hashed = (hashed * 65599 + ord(character)) & 0xFFFFFFFF
    return struct.pack("<IHH", 0, hashed & 0xFFFF, len(text)) + text.encode("utf-16-le") + b"\0\0"


def instance(definition_offset: int, *items: tuple[int, bytes]) -> bytes:
    heads = b"".join(struct.pack("<HBx", len(data), kind) for kind, data in items)
    return (
        b"\x0c\1" + struct.pack("<III", 7, definition_offset, len(items)) + heads + b"".join(data for _, data in items)
    )


@pytest.mark.parametrize("tokens", [b"\x05", b"\x05\1", b"\x0d", b"\x08", b"\x01", b"\x06", b"\x0c"])
def test_template_that_ends_with_its_chunk_in_the_midst_of_a_token_is_refused(tokens: bytes) -> None:
    place = CHUNK_SIZE - len(template(tokens))
    chunk, size = chunk_of(instance(place) + b"\0", {place: template(tokens)})
    renderer = RecordRenderer(chunk)
    with pytest.raises(UnreadableRecordError):
        renderer.render(512, size)
    with pytest.raises(UnreadableRecordError):
        renderer.read_definition(place)


def nested(levels: int) -> tuple[bytes, int]:
    """Values in values, each of 38 elements in one another."""
    element = b"\1" + struct.pack("<HII", 0xFFFF, 0, 50_000) + b"\2"
    body = b"\0"
    for _ in range(levels):
        body = instance(40_000, (0x21, body))
    tokens = element * 38 + b"\x0d\0\0\x21" + b"\4" * 38 + b"\0"
    return chunk_of(body + b"\0", {40_000: template(tokens), 50_000: name("E")})


def test_elements_in_values_in_values_are_not_written_without_end() -> None:
    chunk, size = nested(5)
    assert RecordRenderer(chunk).render(512, size).text == '{"E":' * 190 + "null" + "}" * 190
    chunk, size = nested(20)
    with pytest.raises(UnreadableRecordError, match="nested too deeply"):
        RecordRenderer(chunk).render(512, size)


def test_value_that_is_shown_often_counts_each_time() -> None:
    body = b"\x08A\0" * 150
    for _ in range(3):
        body = instance(40_000, (0x21, body + b"\0"))
    chunk, size = chunk_of(body + b"\0", {40_000: template(b"\x0d\0\0\x21" * 150 + b"\0")})
    renderer = RecordRenderer(chunk)
    with pytest.raises(UnreadableRecordError, match="more than 20000 nodes"):
        renderer.render(512, size)
    assert renderer.work < 21_000


@pytest.mark.parametrize("length", [2_000, 22_000])
def test_long_name_counts_by_its_length_and_once(length: int) -> None:
    attribute = b"\x46" + struct.pack("<I", 20_000)
    tokens = b"\x41" + struct.pack("<III", 0, 20_000, 0) + attribute * 1000 + b"\3\0"
    chunk, size = chunk_of(tokens, {20_000: name("a" * length)})
    renderer = RecordRenderer(chunk)
    assert renderer.render(512, size).text == '{"' + "a" * length + '":null}'
    assert renderer.work == 1003 + length // 8


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(instance(59_000, (0x01, b"a\0" * 8000)), id="text"),
        pytest.param(instance(59_000, (0x83, b"a" * 2000)), id="array"),
        pytest.param(b"\5\1" + struct.pack("<H", 8000) + b"a\0" * 8000, id="literal"),
    ],
)
def test_long_value_counts_by_its_length_each_time(value: bytes) -> None:
    parts = {40_000: template(value + b"\0"), 59_000: template(b"\0")}
    chunk, size = chunk_of(instance(40_000) * 1000 + b"\0", parts)
    renderer = RecordRenderer(chunk)
    with pytest.raises(UnreadableRecordError, match="more than 20000 nodes"):
        renderer.render(512, size)


def test_elements_that_are_shown_often_are_not_looked_through_without_end() -> None:
    # One element of 2,000 empty texts, 5,000 times.
    element = b"\1" + struct.pack("<II", 0, 50_000) + b"\2" + b"\5\1\0\0" * 2000 + b"\4\0"
    tokens = b"\1" + struct.pack("<HII", 0xFFFF, 0, 50_000) + b"\2" + b"\x0d\0\0\x21" * 5000 + b"\4\0"
    chunk, size = chunk_of(instance(20_000, (0x21, element)) + b"\0", {20_000: template(tokens), 50_000: name("E")})
    with pytest.raises(UnreadableRecordError, match="it renders to more than"):
        RecordRenderer(chunk).render(512, size)


# The fast parser leaves the second element of a record's content out (RenderingInfo), and makes an empty element of
# zeros where EventData was not written.
KNOWN_DIFFERENCES = {
    ("E_Windows_system32_winevt_logs_Microsoft-Windows-Shell-Core%4Operational.evtx", 161),
    ("E_Windows_system32_winevt_logs_Microsoft-Windows-Shell-Core%4Operational.evtx", 968),
    ("Microsoft-Windows-LanguagePackSetup%4Operational.evtx", 17),
}


@pytest.mark.slow
@pytest.mark.corpus
def test_both_parsers_write_the_same_of_every_real_record(corpora: Path) -> None:
    compared, different = 0, set()
    for path in sorted(corpora.rglob("*.evtx")):
        content = path.read_bytes()
        for start in range(FILE_HEADER_SIZE, len(content) - CHUNK_SIZE + 1, CHUNK_SIZE):
            chunk = content[start : start + CHUNK_SIZE]
            if not chunk.startswith(CHUNK_MAGIC):
                continue
            rendered = render_fast(chunk)
            texts = dict(zip(rendered.record_ids, rendered.texts, strict=True))
            renderer = RecordRenderer(chunk)
            for header in walk_chunk(chunk).headers(chunk):
                if header.record_id in texts:
                    compared += 1
                    if renderer.render(header.offset, header.size).text != texts[header.record_id]:
                        different.add((path.name, header.record_id))
    assert (compared, different) == (34747, KNOWN_DIFFERENCES)
