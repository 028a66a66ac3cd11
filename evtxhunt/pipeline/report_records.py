"""The records that a report cites, each once, with its event data as far as the report's size allows."""

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import pyarrow as pa

from evtxhunt.model import ReportRecord

# A browser must hold the report: event data in characters, for the most important records first. A record has at most
# 64 KiB, so that a case full of the largest ones must not fill the page.
_MOST_EVENT_DATA = 100_000_000
MOST_RECORDS_EACH = 25
# Names have tens of characters; a forged record may claim tens of thousands, in each of 100,000 records.
LONGEST_NAME = 500
# A log may be in dozens of shadow copies; all of them are in event_copy.
_MOST_COPIES = 10


def cut_sql(column: str, length: int) -> str:
    """SQL for a text of at most so many characters; one that is longer ends by saying how long it is in the case."""
    return (
        f"CASE WHEN len({column}) > {length} THEN left({column}, {length})"
        f" || '… ({length} of ' || len({column}) || ' characters)' ELSE {column} END"
    )


_NAMES = ", ".join(cut_sql(name, LONGEST_NAME) for name in ("host", "computer", "channel", "provider"))


class RecordPicker:
    """Gathers the event keys that the report will cite, then reads them in one go; `place` gives their index."""

    def __init__(self) -> None:
        self._rank: dict[int, int] = {}
        self._place: dict[int, int] = {}

    def want(self, event_keys: Iterable[int], rank: int) -> None:
        """Cite these. A lower rank gets its event data first."""
        for key in event_keys:
            self._rank[key] = min(rank, self._rank.get(key, rank))

    def read(self, connection: duckdb.DuckDBPyConnection, source_index: Mapping[int, int]) -> tuple[ReportRecord, ...]:
        """All wanted records in the order of their event keys."""
        wanted = pa.table(
            {"event_key": pa.array(self._rank.keys(), pa.int64()), "rank": pa.array(self._rank.values(), pa.int8())}
        )
        connection.register("wanted_record", wanted)
        rows = connection.execute(
            f"""
            WITH sized AS (
                SELECT event.*,
                    sum(coalesce(len(event_data), 0)) OVER (ORDER BY rank, event_key) <= {_MOST_EVENT_DATA} AS fits
                FROM event JOIN wanted_record USING (event_key)
            ),
            copied AS (
                SELECT event_key, count(*) AS copy_count,
                    list([source_file_id::VARCHAR, coalesce(event_copy.header_record_id::VARCHAR, '?')]
                        ORDER BY source_file_id, record_offset)[:{_MOST_COPIES}] AS copies
                FROM event_copy JOIN wanted_record USING (event_key) GROUP BY event_key
            )
            SELECT event_key, event_time, {_NAMES}, event_id, event_record_id, {cut_sql("user_sid", LONGEST_NAME)},
                CASE WHEN fits THEN event_data END, source_file_id, record_offset, event_data IS NOT NULL AND NOT fits,
                coalesce(copies, []), coalesce(copy_count, 0), origin
            FROM sized LEFT JOIN copied USING (event_key) ORDER BY event_key
            """
        ).fetchall()
        connection.unregister("wanted_record")
        self._place = {row[0]: index for index, row in enumerate(rows)}
        return tuple(
            ReportRecord(*(*row[:10], source_index[row[10]], *row[11:13], _places(row[13], source_index), *row[14:16]))
            for row in rows
        )

    def place(self, event_keys: Sequence[int]) -> tuple[int, ...]:
        """Indexes of those that were read."""
        return tuple(self._place[key] for key in event_keys if key in self._place)


def _places(copies: Sequence[tuple[str, str]], source_index: Mapping[int, int]) -> tuple[tuple[int, str], ...]:
    return tuple((source_index[int(source_file_id)], number) for source_file_id, number in copies)
