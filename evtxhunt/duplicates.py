"""One record in several files is one event; one number for different records is a conflict."""

from collections.abc import Sequence

import duckdb

from evtxhunt.event_columns import content_sql
from evtxhunt.model import SeenBefore

# The rules.
#
# A copy has the same computer (in any case: one log may write it in several ways), channel, EventRecordID, time and
# content. Windows counts EventRecordID up within a log: all three agree only if it is one record. Without
# number, computer or channel nothing says which record it is: such are never merged, even if all is equal.
# Record headers are no part of it, since exports and forwarded logs write them anew. But within one file two equal
# records are copies only if their headers have one number, as in a chunk that is there twice: else Windows wrote both.
#
# The event is the copy with the best origin (a live record stands where its log has it; one from slack or a blob may be
# in part overwritten), then the one met first. So it does not matter in which loads the files came.
#
# A conflict has the same computer, channel and EventRecordID, and another time or content. One log does not give one
# number twice: it was cleared or made anew and counted from 1 again, the computer was put back to an earlier state or
# set up anew under its name, or a record was changed. All are kept, for nothing here tells which is the true one. Each
# is paired with the first of its time, the first of a time with the first of all, and not each with each: a forged log
# must not cost the square of its records.

_RANK = "list_position(['live', 'rescued', 'slack', 'carved'], origin)"

# Ordinary hosts have one file a log: then this is all the work there is. There are copies only if slack alone is new.
_ADD_SPANS = """
    INSERT INTO record_span
    SELECT source_file_id, computer, channel, min(event_record_id), max(event_record_id), count(*),
        count(DISTINCT event_record_id)
    FROM (
        SELECT source_file_id, computer, channel, event_record_id FROM event WHERE source_file_id IN ({new})
        UNION ALL
        SELECT event_copy.source_file_id, computer, channel, event_record_id
        FROM event_copy JOIN event USING (event_key) WHERE event_copy.source_file_id IN ({new})
    ) WHERE event_record_id > 0 AND computer IS NOT NULL AND channel IS NOT NULL
    GROUP BY ALL
"""
_SPANS_TO_LOOK_AT = """
    CREATE OR REPLACE TEMP TABLE looked_at AS
    WITH span AS (
        SELECT *, lower(computer) AS place, source_file_id IN ({new}) AS is_new FROM record_span
    )
    SELECT source_file_id, computer, channel, place, is_new FROM span
    WHERE is_new AND records > numbers OR EXISTS (
        FROM span AS other
        WHERE other.place = span.place AND other.channel = span.channel AND (other.is_new OR span.is_new)
            AND other.first_number <= span.last_number AND other.last_number >= span.first_number
            AND (other.source_file_id, other.computer) <> (span.source_file_id, span.computer)
    )
"""
# All events of each number that more than one record has, one of them new. `number` stands for computer, channel and
# EventRecordID.
_CANDIDATES = """
    CREATE OR REPLACE TEMP TABLE candidate AS
    WITH numbered AS (
        SELECT event_key, place, event.channel, event_record_id, is_new
        FROM event JOIN looked_at USING (source_file_id, computer, channel)
        WHERE source_file_id IN ({files}) AND event_record_id > 0
    ),
    shared AS (
        SELECT place, channel, event_record_id, row_number() OVER () AS number FROM numbered
        GROUP BY ALL HAVING count(*) > 1 AND bool_or(is_new)
    ),
    wanted AS (SELECT event_key, number FROM numbered JOIN shared USING (place, channel, event_record_id))
    SELECT event_key, number, source_file_id, header_record_id, event_time, {rank} AS rank, {content} AS content
    FROM event JOIN wanted USING (event_key) WHERE source_file_id IN ({files})
"""
_COPIES = """
    CREATE OR REPLACE TEMP TABLE moved AS
    SELECT copy_key, source_file_id, event_key FROM (
        SELECT event_key AS copy_key, source_file_id, CASE source_file_id
                WHEN first_value(source_file_id) OVER equal THEN first_value(event_key) OVER twice
                ELSE first_value(event_key) OVER equal END AS event_key
        FROM candidate
        WINDOW equal AS (PARTITION BY number, content ORDER BY rank, event_key),
            twice AS (PARTITION BY number, content, source_file_id, header_record_id ORDER BY rank, event_key)
    ) WHERE event_key <> copy_key
"""
_MOVE = (
    *(
        f"UPDATE {table} SET event_key = moved.event_key FROM moved WHERE {table}.event_key = copy_key"
        for table in ("event_copy", "recovered_record", "finding_evidence", "decoded_text")
    ),
    """
    INSERT INTO event_copy
    SELECT moved.event_key, event.source_file_id, header_record_id, record_offset, origin, rendering_info
    FROM event JOIN moved ON event.event_key = copy_key WHERE event.source_file_id IN ({files})
    """,
    "DELETE FROM event USING moved WHERE event.event_key = copy_key AND event.source_file_id IN ({files})",
    """
    UPDATE source_file SET duplicate = duplicate + copies
    FROM (SELECT source_file_id, count(*) AS copies FROM moved GROUP BY ALL) AS found
    WHERE found.source_file_id = source_file.source_file_id
    """,
)
# Made anew for every number that is looked at: which is the first may be another now.
_FORGET_CONFLICTS = """
    DELETE FROM event_conflict WHERE event_key IN (SELECT event_key FROM candidate)
        OR other_event_key IN (SELECT event_key FROM candidate)
"""
_ADD_CONFLICTS = """
    INSERT INTO event_conflict
    SELECT CASE event_key WHEN of_time_key THEN first_key ELSE of_time_key END, event_key FROM (
        SELECT event_key, content, first_value(event_key) OVER of_number AS first_key,
            first_value(event_key) OVER of_time AS of_time_key, first_value(content) OVER of_time AS of_time_content
        FROM candidate ANTI JOIN moved ON copy_key = candidate.event_key
        WINDOW of_number AS (PARTITION BY number ORDER BY event_key),
            of_time AS (PARTITION BY number, event_time ORDER BY event_key)
    ) WHERE event_key <> first_key AND (event_key = of_time_key OR content <> of_time_content)
"""
_SEEN_BEFORE = """
    SELECT moved.source_file_id, count(*), count(*) FILTER (candidate.rank <= 2),
        list_sort(list(DISTINCT event.source_file_id))
    FROM moved JOIN event USING (event_key) JOIN candidate ON candidate.event_key = copy_key GROUP BY ALL ORDER BY 1
"""


def merge_duplicates(
    connection: duckdb.DuckDBPyConnection, source_file_ids: Sequence[int]
) -> tuple[tuple[SeenBefore, ...], int]:
    """Moves copies from `event` to `event_copy`, of freshly read logs and between them and older ones.

    `source_file_ids` are all since the last call. Fills record_span and event_conflict. Returns what became a copy, in
    the order of the logs (older ones too: a live record takes the place of one from slack), and how many conflicts
    there are now more. Part of the caller's transaction.
    """
    # Ids stand as numbers in the text: DuckDB then leaves out what lies outside without reading it.
    new = ", ".join(str(source_file_id) for source_file_id in source_file_ids)
    connection.execute(f"DELETE FROM record_span WHERE source_file_id IN ({new})")  # there, if only slack is new
    connection.execute(_ADD_SPANS.format(new=new))
    connection.execute(_SPANS_TO_LOOK_AT.format(new=new))
    rows = connection.execute("SELECT DISTINCT source_file_id FROM looked_at ORDER BY ALL").fetchall()
    if not rows:
        return (), 0
    parts = {"files": ", ".join(str(row[0]) for row in rows), "rank": _RANK, "content": content_sql()}
    connection.execute(_CANDIDATES.format_map(parts))
    connection.execute(_COPIES)
    found = connection.execute(_SEEN_BEFORE).fetchall()
    seen = tuple(SeenBefore(log, records, counted, tuple(others)) for log, records, counted, others in found)
    before = _count_conflicts(connection)
    connection.execute(_FORGET_CONFLICTS)
    connection.execute(_ADD_CONFLICTS)
    if seen:
        for statement in _MOVE:
            connection.execute(statement.format_map(parts))
    connection.execute("DROP TABLE candidate")
    connection.execute("DROP TABLE moved")
    return seen, _count_conflicts(connection) - before


def _count_conflicts(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT count(*) FROM event_conflict").fetchone()
    assert row is not None  # an aggregate always gives one row
    return int(row[0])
