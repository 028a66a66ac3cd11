"""What an event of one kind looks like, and the way from plain values to typed ones."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from samples import values
from samples.events import Provider
from samples.values import Value

FieldInput = str | int | bool | bytes | datetime


def _text(value: FieldInput) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {value!r}")
    return value


def _number(value: FieldInput) -> int:
    if not isinstance(value, int):
        raise TypeError(f"number expected, not {value!r}")
    return value


def _data(value: FieldInput) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"bytes expected, not {value!r}")
    return value


def _moment(value: FieldInput) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"time expected, not {value!r}")
    return value


# How a field's type is called in the field lists below.
_ENCODERS: dict[str, Callable[[FieldInput], Value]] = {
    "str": lambda value: values.string(_text(value)),
    "u16": lambda value: values.uint16(_number(value)),
    "i32": lambda value: values.int32(_number(value)),
    "u64": lambda value: values.uint64(_number(value)),
    "bin": lambda value: values.binary(_data(value)),
    "time": lambda value: values.filetime(values.filetime_from(_moment(value))),
    "u32": lambda value: values.uint32(_number(value)),
    "bool": lambda value: values.boolean(bool(_number(value))),
    "guid": lambda value: values.guid(_text(value)),
    "ptr": lambda value: values.pointer(_number(value)),
    "size": lambda value: values.size(_number(value)),
    "sid": lambda value: values.sid(_text(value)),
    "hex32": lambda value: values.hex32(_number(value)),
    "hex64": lambda value: values.hex64(_number(value)),
}


@dataclass(frozen=True, slots=True)
class Witness:
    """A real record: path below the corpora folder, and the id in the record's header."""

    path: str
    header_record_id: int


@dataclass(frozen=True, slots=True)
class Shape:
    """An event of one version. `fields` holds (name, type) in the order of the real event.

    `user_data`: (element, namespace) if the fields stand in UserData. A classic shape has no fields: its
    strings are given with the event. `is_processing_error`: the fields are those of ProcessingErrorData.
    `has_event_namespace`: see UserElement.
    `data_name`: the Name of EventData itself.
    """

    provider: Provider
    channel: str
    event_id: int
    fields: tuple[tuple[str, str], ...] = ()
    version: int = 0
    level: int = 0
    task: int = 0
    opcode: int = 0
    keywords: int = 0
    qualifiers: int | None = None
    user_data: tuple[str, str] | None = None
    is_classic: bool = False
    is_processing_error: bool = False
    has_event_namespace: bool = False
    data_name: str | None = None
    witness: Witness | None = None
    basis: str = ""

    def encode(self, given: dict[str, FieldInput]) -> tuple[tuple[str, Value], ...]:
        """The fields with typed values. Fields left out or unknown are errors."""
        names = [name for name, _ in self.fields]
        if set(names) != set(given):
            missing, unknown = set(names) - set(given), set(given) - set(names)
            raise ValueError(f"event {self.event_id}: missing {sorted(missing)}, unknown {sorted(unknown)}")
        return tuple((name, _ENCODERS[kind](given[name])) for name, kind in self.fields)


def parse_fields(listing: str) -> tuple[tuple[str, str], ...]:
    """`Name` or `Name:type`, separated by blanks; the type is str where none is given."""
    pairs = (item.partition(":") for item in listing.split())
    return tuple((name, kind or "str") for name, _, kind in pairs)
