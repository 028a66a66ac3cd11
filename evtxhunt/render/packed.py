"""The page's data, small: rows as columns, repeated texts once, all of it compressed.

A page may not fetch anything, so 100,000 lines with their records travel inside it. Columns of numbers and dictionaries
of texts compress far better than rows; the script unpacks them with the browser's own DecompressionStream.
"""

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from markupsafe import Markup

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST_EXACT = 2**53  # of a JavaScript number
# Event data is unpacked when a record is opened: blocks small enough to be quick, large enough to compress well.
_BLOCK_RECORDS = 1_000
_BLOCK_CHARACTERS = 2_000_000


def microseconds(time: datetime | None) -> int | str | None:
    """Microseconds since 1970, UTC; as text where a JavaScript number would not be exact (before 1684, after 2255)."""
    if time is None:
        return None
    number = (time - _EPOCH) // _MICROSECOND
    return number if abs(number) < _LARGEST_EXACT else time.isoformat(sep=" ", timespec="microseconds") + "Z"


def pack_table(rows: Sequence[object], fields: Sequence[str]) -> dict[str, object]:
    """{"n": rows, "c": {field: column}}: a column is {"v": values}, or {"d": texts, "v": places in it}.

    A column of times is {"t": microseconds}, each but the first as the difference to the one before.
    """
    return {
        "n": len(rows),
        "c": {field: _pack_column(field, [getattr(row, field) for row in rows]) for field in fields},
    }


def _pack_column(field: str, values: list[object]) -> dict[str, object]:
    if field.endswith("_time"):
        return {"t": list(_differences(values))}
    if any(isinstance(value, str) for value in values):
        places: dict[object, int] = {}
        numbers = [-1 if value is None else places.setdefault(value, len(places)) for value in values]
        return {"d": list(places), "v": numbers}
    return {"v": [exact(value) for value in values]}


def exact(value: object) -> object:
    """The value itself; an integer that a JavaScript number would change as text."""
    return str(value) if isinstance(value, int) and abs(value) >= _LARGEST_EXACT else value


def _differences(values: list[object]) -> Iterator[int | str | None]:
    before = 0
    for value in values:
        assert value is None or isinstance(value, datetime)
        number = microseconds(value)
        if isinstance(number, int):
            yield number - before
            before = number
        else:
            yield number


def compress(value: object) -> Markup:
    """JSON, deflated, as base64: nothing in it could end its element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate, which UTF-8 cannot hold, becomes \udXXX: an escape that JSON knows.
    content = text.encode("utf-8", "backslashreplace")
    return Markup(base64.b64encode(zlib.compress(content, 9)).decode("ascii"))  # letters, digits, + / =


def pack_blocks(texts: Sequence[str | None]) -> tuple[list[int], list[Markup]]:
    """The texts in compressed blocks, in order, and the place of each block's first text."""
    starts: list[int] = []
    blocks: list[Markup] = []
    first = size = 0
    for place, text in enumerate(texts):
        if place > first and (place - first >= _BLOCK_RECORDS or size > _BLOCK_CHARACTERS):
            starts.append(first)
            blocks.append(compress(texts[first:place]))
            first, size = place, 0
        size += len(text or "")
    if texts:
        starts.append(first)
        blocks.append(compress(texts[first:]))
    return starts, blocks
