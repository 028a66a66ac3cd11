"""Values of BinXML as the fast parser writes them into JSON: numbers and booleans bare, the rest as text.

Types: MS-EVEN6 2.2.18; widths and byte orders: libyal's "Windows XML Event Log (EVTX) format".
"""

import math
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

DEFAULT_ANSI_CODEC = "windows-1252"  # of Windows in Western Europe and America, and the fast parser's own default

_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_WESTERN = {code: text for code in range(256) if (text := bytes([code]).decode("cp1252", "ignore"))}


@dataclass(frozen=True, slots=True)
class Value:
    """A value's text, escaped for JSON without quotes; bare: it needs none."""

    text: str
    is_bare: bool
    items: "tuple[Value, ...]" = ()  # of an array: an element that holds one is there once for each


# The fast parser writes the hex of control characters in capitals.
_ESCAPES = {code: f"\\u{code:04X}" for code in range(0x20)} | {
    ord(character): f"\\{name}" for character, name in zip('"\\\b\t\n\f\r', '"\\btnfr', strict=True)
}


def json_text(text: str) -> str:
    """Escaped for a JSON string, without its quotes."""
    return text.translate(_ESCAPES)


def decode_value(value_type: int, data: bytes, ansi_codec: str) -> Value:
    """One value of a template instance; real ones may be longer than their type needs.

    Raises ValueError, struct.error if there is no such type or it needs more bytes.
    """
    if not data:
        return Value("", False)
    if value_type & _ARRAY and value_type & ~_ARRAY in _DECODERS:
        items = _array(value_type & ~_ARRAY, data, ansi_codec)
        is_bare = value_type & ~_ARRAY in _BARE
        return Value(",".join(items), False, tuple(Value(item, is_bare) for item in items) if len(items) > 1 else ())
    if value_type == _ANSI:
        return Value(_ansi_text(data.replace(b"\0", b""), ansi_codec), False)
    if value_type not in _DECODERS:
        raise ValueError("no such type")
    return Value(_DECODERS[value_type](data), value_type in _BARE)


_STRING, _ANSI, _SID, _ARRAY = 0x01, 0x02, 0x13, 0x80
_BARE = frozenset((*range(0x03, 0x0B), 0x0D))
_WIDTHS = {0x03: 1, 0x04: 1, 0x05: 2, 0x06: 2, 0x07: 4, 0x08: 4, 0x09: 8, 0x0A: 8, 0x0B: 4, 0x0C: 8, 0x0D: 4, 0x0F: 16}
_WIDTHS |= {0x11: 8, 0x12: 16, 0x14: 4, 0x15: 8}


def _array(value_type: int, data: bytes, ansi_codec: str) -> list[str]:
    if value_type == _STRING:
        items = data.decode("utf-16-le", "ignore").split("\0")
        return [json_text(item) for item in (items[:-1] if items[-1] == "" else items)]
    if value_type == _ANSI:
        return [_ansi_text(item, ansi_codec) for item in data.removesuffix(b"\0").split(b"\0")]
    if value_type not in _WIDTHS:  # items of no fixed size: SIDs, bytes, pointers of two sizes
        raise ValueError("an array of items of no size")
    width = _WIDTHS[value_type]
    if len(data) % width:
        raise ValueError(f"{len(data)} bytes of items of {width} bytes")
    decode = _DECODERS[value_type]
    return [decode(data[start : start + width]) for start in range(0, len(data), width)]


def _ansi_text(data: bytes, codec: str) -> str:
    try:
        return json_text(data.decode(codec))
    except UnicodeDecodeError:
        if codec.lower() != DEFAULT_ANSI_CODEC:
            raise
        # The five bytes that Windows' own table leaves open are control characters, as the Encoding Standard has it.
        return json_text("".join(_WESTERN.get(byte) or chr(byte) for byte in data))


def _real(form: str, plain_exponents: range) -> Callable[[bytes], str]:
    """The shortest text that is read back as the same number, with an exponent where it has none of these."""
    layout = struct.Struct("<" + form)

    def is_same(text: str, data: bytes) -> bool:
        try:
            return layout.pack(float(text)) == data
        except OverflowError:  # the largest number, rounded up
            return False

    def decode(data: bytes) -> str:
        (number,) = layout.unpack_from(data)
        if not math.isfinite(number):
            return "NaN" if math.isnan(number) else str(number)
        width = layout.size
        digits = next(count for count in range(17) if is_same(f"{number:.{count}e}", data[:width]))
        shortest = f"{number:.{digits}e}"
        mantissa, exponent = shortest.split("e")
        if number and int(exponent) not in plain_exponents:
            return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"
        plain = f"{Decimal(shortest):f}"
        return plain if "." in plain else f"{plain}.0"

    return decode


def _number(form: str) -> Callable[[bytes], str]:
    layout = struct.Struct("<" + form)
    return lambda data: str(layout.unpack_from(data)[0])


def _boolean(data: bytes) -> str:
    (number,) = struct.unpack_from("<i", data)
    return {0: "false", 1: "true"}.get(number, str(number))


def _guid(data: bytes) -> str:
    return str(uuid.UUID(bytes_le=data[:16])).upper()


def _filetime(data: bytes) -> str:
    """100 ns since 1601-01-01 UTC."""
    (ticks,) = struct.unpack_from("<Q", data)
    try:
        return _iso(_FILETIME_EPOCH + timedelta(microseconds=ticks // 10))
    except OverflowError:
        return _hex(data)  # a time that no calendar has stays what it is


def _systemtime(data: bytes) -> str:
    if not any(data):
        return _iso(_FILETIME_EPOCH)
    year, month, _, day, hour, minute, second, millisecond = struct.unpack_from("<8H", data)
    try:
        return _iso(datetime(year, month, day, hour, minute, second, millisecond * 1000, UTC))
    except ValueError:
        return data.hex()


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


def _sid(data: bytes) -> str:
    revision, count = struct.unpack_from("<2B", data)
    parts = struct.unpack_from(f"<{count}I", data, 8)
    return "-".join(["S", str(revision), str(int.from_bytes(data[2:8], "big")), *map(str, parts)])


def _hex(data: bytes) -> str:
    return f"0x{int.from_bytes(data, 'little'):x}"


def _text(data: bytes) -> str:
    if len(data) % 2:
        raise ValueError(f"a text of {len(data)} bytes")
    return json_text(data.decode("utf-16-le", "ignore").split("\0", 1)[0])


_DECODERS: dict[int, Callable[[bytes], str]] = {
    0x00: lambda _: "",
    _STRING: _text,
    _ANSI: lambda _: "",
    0x03: _number("b"),
    0x04: _number("B"),
    0x05: _number("h"),
    0x06: _number("H"),
    0x07: _number("i"),
    0x08: _number("I"),
    0x09: _number("q"),
    0x0A: _number("Q"),
    0x0B: _real("f", range(-6, 13)),
    0x0C: _real("d", range(-5, 16)),
    0x0D: _boolean,
    0x0E: lambda data: data.hex().upper(),
    0x0F: _guid,
    0x10: _hex,
    0x11: _filetime,
    0x12: _systemtime,
    _SID: _sid,
    0x14: _hex,
    0x15: _hex,
}
