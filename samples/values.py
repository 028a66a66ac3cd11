"""Typed values of a BinXML substitution array, in the bytes Windows writes."""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from uuid import UUID

_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ValueType(IntEnum):
    """Type byte of a substitution, as in [MS-EVEN6] 2.2.12.1."""

    NULL = 0x00
    STRING = 0x01
    ANSI_STRING = 0x02
    INT8 = 0x03
    UINT8 = 0x04
    INT16 = 0x05
    UINT16 = 0x06
    INT32 = 0x07
    UINT32 = 0x08
    INT64 = 0x09
    UINT64 = 0x0A
    REAL32 = 0x0B
    REAL64 = 0x0C
    BOOLEAN = 0x0D
    BINARY = 0x0E
    GUID = 0x0F
    SIZE = 0x10
    FILETIME = 0x11
    SYSTEMTIME = 0x12
    SID = 0x13
    HEX32 = 0x14
    HEX64 = 0x15
    BINXML = 0x21
    STRING_ARRAY = 0x81
    UINT32_ARRAY = 0x88


@dataclass(frozen=True, slots=True)
class Value:
    """One substitution value.

    `type` is what the substitution array says and `declared` what the template says; they differ for
    null values and for pointers, which templates declare as SIZE and records carry as HEX64.
    """

    type: ValueType
    data: bytes
    declared: ValueType


def _value(kind: ValueType, data: bytes) -> Value:
    return Value(kind, data, kind)


def filetime_from(moment: datetime) -> int:
    """FILETIME of an aware datetime: 100 ns ticks since 1601-01-01 UTC, exact."""
    return (moment - _FILETIME_EPOCH) // _MICROSECOND * 10


def null(declared: ValueType) -> Value:
    """No value: only for optional substitutions, since libevtx refuses a record with it elsewhere."""
    return Value(ValueType.NULL, b"", declared)


def string(text: str) -> Value:
    """UTF-16LE without a terminator, as providers of Windows 10 and later write it."""
    return _value(ValueType.STRING, text.encode("utf-16-le"))


def ansi_string(text: str) -> Value:
    """One byte a character, in the code page 1252."""
    return _value(ValueType.ANSI_STRING, text.encode("cp1252"))


def string_array(texts: tuple[str, ...]) -> Value:
    return _value(ValueType.STRING_ARRAY, "".join(f"{text}\0" for text in texts).encode("utf-16-le"))


def uint32_array(numbers: tuple[int, ...]) -> Value:
    """An array's items stand one after the other without separators."""
    return _value(ValueType.UINT32_ARRAY, struct.pack(f"<{len(numbers)}I", *numbers))


def int8(number: int) -> Value:
    return _value(ValueType.INT8, struct.pack("<b", number))


def uint8(number: int) -> Value:
    return _value(ValueType.UINT8, struct.pack("<B", number))


def int16(number: int) -> Value:
    return _value(ValueType.INT16, struct.pack("<h", number))


def uint16(number: int) -> Value:
    return _value(ValueType.UINT16, struct.pack("<H", number))


def int32(number: int) -> Value:
    return _value(ValueType.INT32, struct.pack("<i", number))


def uint32(number: int) -> Value:
    return _value(ValueType.UINT32, struct.pack("<I", number))


def int64(number: int) -> Value:
    return _value(ValueType.INT64, struct.pack("<q", number))


def uint64(number: int) -> Value:
    return _value(ValueType.UINT64, struct.pack("<Q", number))


def real32(number: float) -> Value:
    return _value(ValueType.REAL32, struct.pack("<f", number))


def real64(number: float) -> Value:
    return _value(ValueType.REAL64, struct.pack("<d", number))


def boolean(is_true: bool) -> Value:
    return _value(ValueType.BOOLEAN, struct.pack("<I", is_true))


def binary(data: bytes) -> Value:
    return _value(ValueType.BINARY, data)


def guid(text: str) -> Value:
    return _value(ValueType.GUID, UUID(text).bytes_le)


def pointer(number: int) -> Value:
    """A pointer or process id of a 64-bit Windows."""
    return Value(ValueType.HEX64, struct.pack("<Q", number), ValueType.SIZE)


def size(number: int) -> Value:
    """A pointer as Vista's records carry it: under its declared type, 32 bits of it."""
    return _value(ValueType.SIZE, struct.pack("<I", number))


def hex32(number: int) -> Value:
    return _value(ValueType.HEX32, struct.pack("<I", number))


def hex64(number: int) -> Value:
    return _value(ValueType.HEX64, struct.pack("<Q", number))


def filetime(ticks: int) -> Value:
    return _value(ValueType.FILETIME, struct.pack("<Q", ticks))


def systemtime(moment: datetime) -> Value:
    """SYSTEMTIME keeps milliseconds; its weekday counts from Sunday = 0."""
    return _value(
        ValueType.SYSTEMTIME,
        struct.pack(
            "<8H",
            moment.year,
            moment.month,
            moment.isoweekday() % 7,
            moment.day,
            moment.hour,
            moment.minute,
            moment.second,
            moment.microsecond // 1000,
        ),
    )


def sid(text: str) -> Value:
    """Binary SID of the `S-1-5-21-...` form."""
    prefix, revision, authority, *parts = text.split("-")
    if prefix != "S":
        raise ValueError(f"not a SID: {text!r}")
    head = struct.pack("<BB", int(revision), len(parts)) + int(authority).to_bytes(6, "big")
    return _value(ValueType.SID, head + struct.pack(f"<{len(parts)}I", *map(int, parts)))
