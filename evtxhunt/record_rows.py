"""The batches that records are handed over in."""

from array import array
from collections.abc import Sequence

import pyarrow as pa

from evtxhunt.log_model import Origin

RECORD_SCHEMA = pa.schema(
    [
        ("origin", pa.string()),
        ("header_record_id", pa.uint64()),
        ("written_filetime", pa.uint64()),  # 100 ns since 1601-01-01 UTC
        ("record_offset", pa.int64()),  # bytes from the start of the file; null: the walk did not meet it
        ("record_json", pa.string()),
    ]
)


def _numbers(code: str, values: Sequence[int | None], number_type: pa.DataType) -> pa.Array:
    """What pa.array makes of them, in a third of the time where none is missing."""
    try:
        buffer = pa.py_buffer(array(code, values))  # type: ignore[type-var]  # None is the TypeError below
    except TypeError:
        return pa.array(values, number_type)
    return pa.Array.from_buffers(number_type, len(values), [None, buffer])


class RecordRows:
    """The rows of the next batch."""

    def __init__(self) -> None:
        self.origins: list[tuple[Origin, int]] = []  # of so many rows one after the other
        self.record_ids: list[int] = []
        self.filetimes: list[int | None] = []
        self.offsets: list[int | None] = []
        self.texts: list[str] = []
        self.characters = 0

    def add(
        self,
        origin: Origin,
        record_ids: Sequence[int],
        filetimes: Sequence[int | None],
        offsets: Sequence[int | None],
        texts: Sequence[str],
    ) -> None:
        """Adds rows of one origin; filetimes and offsets as in RECORD_SCHEMA."""
        self.origins.append((origin, len(texts)))
        self.record_ids += record_ids
        self.filetimes += filetimes
        self.offsets += offsets
        self.texts += texts
        self.characters += sum(map(len, texts))

    def batch(self) -> pa.RecordBatch:
        """All of them, of RECORD_SCHEMA."""
        arrays = [
            _numbers("Q", self.record_ids, pa.uint64()),
            _numbers("Q", self.filetimes, pa.uint64()),
            _numbers("q", self.offsets, pa.int64()),
            pa.array(self.texts, pa.string()),
        ]
        if len({origin for origin, _ in self.origins}) == 1:  # nearly always, and as a list it would cost time
            origins = pa.repeat(pa.scalar(self.origins[0][0], pa.string()), len(self.texts))
        else:
            origins = pa.array([origin for origin, count in self.origins for _ in range(count)], pa.string())
        return pa.record_batch([origins, *arrays], schema=RECORD_SCHEMA)
