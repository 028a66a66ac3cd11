"""Writes query results as CSV, JSON, JSON Lines or an aligned table; one row at a time, the same bytes every time.

Rows hold the Python values that DuckDB gives. Naive datetimes are UTC and are written as ISO 8601 with Z and always
six decimals, so that they also sort as text.
"""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import TextIO

from rich.cells import cell_len, set_cell_size

from evtxhunt.render.terminal import escape_terminal
from evtxhunt.render.text import hidden_pattern

Row = Sequence[object]

_HIDDEN = re.compile(hidden_pattern())
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^$')
# What spreadsheets take for the beginning of a formula (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

# A table's widths come from so many rows; what follows is streamed in these widths.
_SAMPLED_ROWS = 1_000
_NARROWEST_CELL = 8
_GAP = "  "


def write_csv(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """RFC 4180: CRLF, a header, quotes where needed. NULL is an empty cell, the empty string is `""`.

    A text that begins with = + - @ tab or a line break gets an apostrophe in front, so that a spreadsheet shows it
    and does not evaluate it. On a terminal, and only there, hidden characters are escaped.
    """
    shown = escape_terminal if stream.isatty() else _encodable
    stream.write(",".join(_csv_text(name, shown) for name in columns) + "\r\n")
    for row in rows:
        stream.write(",".join(_csv_cell(value, shown) for value in row) + "\r\n")


def write_json(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """One array of objects, a row a line. See `json_text` for the values, `unique_names` for the keys."""
    separator = "[\n"
    for line in _json_objects(columns, rows):
        stream.write(separator + line)
        separator = ",\n"
    stream.write("[]\n" if separator == "[\n" else "\n]\n")


def write_jsonl(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """One object a line. See `json_text` for the values, `unique_names` for the keys."""
    for line in _json_objects(columns, rows):
        stream.write(line + "\n")


def write_json_sections(sections: Iterable[tuple[str, bool, Sequence[str], Iterable[Row]]], stream: TextIO) -> None:
    """One object with a key a section (name, whether it is one row, columns, rows): an object, or a list of them."""
    separator = "{\n"
    for name, is_one, columns, rows in sections:
        lines = _json_objects(columns, rows)
        stream.write(f"{separator}{_json_string(name)}: ")
        if is_one:
            stream.write(next(lines))
        else:
            opening = "[\n"
            for line in lines:
                stream.write(opening + line)
                opening = ",\n"
            stream.write("[]" if opening == "[\n" else "\n]")
        separator = ",\n"
    stream.write("\n}\n")


def write_table(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """Aligned columns below a header, hidden characters escaped.

    On a terminal, cells are cut with an ellipsis so that a row fits its width where that leaves room to read.
    Elsewhere nothing is cut; a cell longer than any of the first 1,000 rows then moves the rest of its row.
    """
    iterator = iter(rows)
    sample = list(islice(iterator, _SAMPLED_ROWS))
    is_number = [_is_numeric([row[index] for row in sample]) for index in range(len(columns))]
    header = [escape_terminal(name) for name in columns]
    cells = [[_table_cell(value) for value in row] for row in sample]
    widths = [max(map(cell_len, column)) for column in zip(header, *cells, strict=True)]
    is_terminal = stream.isatty()
    if is_terminal:
        widths = _fit(widths, shutil.get_terminal_size().columns - len(_GAP) * (len(widths) - 1))

    def write_line(line: Sequence[str]) -> None:
        aligned = (_align(*item, is_cut=is_terminal) for item in zip(line, widths, is_number, strict=True))
        stream.write(_GAP.join(aligned).rstrip() + "\n")

    write_line(header)
    write_line(["-" * width for width in widths])
    for line in chain(cells, ([_table_cell(value) for value in row] for row in iterator)):
        write_line(line)


def unique_names(columns: Sequence[str]) -> tuple[str, ...]:
    """The column names, later ones of the same name with _1, _2, ... so that each fits an object's key."""
    taken = set(columns)
    seen: set[str] = set()
    names: list[str] = []
    for column in columns:
        name, number = column, 0
        while name in seen or (number and name in taken):
            number += 1
            name = f"{column}_{number}"
        seen.add(name)
        names.append(name)
    return tuple(names)


def json_text(value: object) -> str:
    """The value as JSON on one line; exact, and plain ASCII where a character could not be seen.

    Numbers keep all their digits. Times, UUIDs and anything else unknown to JSON are strings; bytes are hex; NaN and
    the infinities are the strings "NaN", "Infinity" and "-Infinity", because null means unknown.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _json_string(value)
    if isinstance(value, (int, float, Decimal)):
        return _json_number(value)
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_json_string(plain_text(key))}: {json_text(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return _json_string(plain_text(value))


def plain_text(value: object) -> str:
    """The value as text; NULL is the empty text, times are ISO 8601, bytes are hex, lists and structs are JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case datetime():
            utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            return utc.isoformat(timespec="microseconds") + "Z"
        case date() | time():
            return value.isoformat()
        case timedelta():
            return f"{value.total_seconds():.6f} s"
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case dict() | list() | tuple():
            return json_text(value)
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def _json_objects(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    keys = [_json_string(name) for name in unique_names(columns)]
    for row in rows:
        yield "{" + ", ".join(f"{key}: {json_text(value)}" for key, value in zip(keys, row, strict=True)) + "}"


def _json_string(text: str) -> str:
    return _HIDDEN.sub(lambda match: json.dumps(match.group())[1:-1], json.dumps(text, ensure_ascii=False))


def _json_number(value: float | Decimal) -> str:
    if math.isfinite(value):
        return format(value, "f") if isinstance(value, Decimal) else repr(value)
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


def _csv_cell(value: object, shown: Callable[[str], str]) -> str:
    if isinstance(value, str):
        return _csv_text(value, shown)
    if value is None:
        return ""
    return _csv_quoted(shown(plain_text(value)))


def _csv_text(text: str, shown: Callable[[str], str]) -> str:
    return _csv_quoted(shown(f"'{text}" if text.startswith(_FORMULA_STARTS) else text))


def _csv_quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _encodable(text: str) -> str:
    """Lone surrogates, which UTF-8 cannot hold, as escapes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def _table_cell(value: object) -> str:
    return escape_terminal(plain_text(value))


def _is_numeric(values: Iterable[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) for value in known
    )


def _fit(widths: Sequence[int], room: int) -> list[int]:
    """The widths, the widest ones made equal and smaller until all fit the room; none below what can be read."""
    fitted = list(widths)
    limit = min(max(fitted, default=0), max(room, 0))
    fitted = [min(width, max(limit, _NARROWEST_CELL)) for width in fitted]
    while sum(fitted) > room and limit > _NARROWEST_CELL:
        limit -= 1
        fitted = [min(width, limit) for width in fitted]
    return fitted


def _align(text: str, width: int, is_number: bool, *, is_cut: bool) -> str:
    missing = width - cell_len(text)
    if missing >= 0:
        return " " * missing + text if is_number else text + " " * missing
    return set_cell_size(text, width - 1) + "…" if is_cut else text
