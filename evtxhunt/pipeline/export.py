"""Findings and the story's lines in one shape, for the tools next door."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from evtxhunt.pipeline.manifest import DEFAULT_MEMORY_LIMIT
from evtxhunt.pipeline.query import QuerySet, RowStream, correlate, find_query, open_case, run_query
from evtxhunt.pipeline.report import ensure_detected
from evtxhunt.render.navigator import TechniqueCount

_MOST_EVIDENCE = 100  # of one row; evidence_count has the number of all

_SHOWN = """
    allowed_reason IS NULL AND ($host = '' OR lower($host) IN (lower(host), lower(computer), short_host(computer)))
"""
# One row a finding or line of the hunt timeline; its own lines of findings say less than the finding.
_ROWS = f"""
    WITH said AS (
        SELECT event_time, 'finding' AS kind, level, detection_id, title, attack, host, computer, user_name,
            summary AS text, NULL::BIGINT AS session_id, finding_id, event_keys
        FROM finding JOIN (
            SELECT finding_id, list(event_key ORDER BY event_key) AS event_keys
            FROM finding_evidence GROUP BY finding_id
        ) USING (finding_id)
        WHERE {_SHOWN}
        UNION ALL
        SELECT event_time, kind, NULL, NULL, NULL, [], place.host, computer, line.user_name, text, session_id, NULL,
            event_keys
        FROM ({{timeline}}) AS line LEFT JOIN computer_name AS place USING (computer) WHERE kind <> 'finding'
    ),
    numbered AS (
        SELECT *,
            row_number() OVER (ORDER BY event_time, kind <> 'finding', finding_id, kind, text, event_keys) AS number
        FROM said
    ),
    -- Of all records, where `evidence` has the first ones.
    told AS (
        SELECT number, string_agg(DISTINCT origin, ', ' ORDER BY origin) AS origin
        FROM (SELECT number, unnest(event_keys) AS event_key FROM numbered) JOIN event USING (event_key)
        GROUP BY number
    ),
    cited AS (
        SELECT number, list(struct_pack(channel := event.channel, event_id := event_id,
            event_record_id := event_record_id, source_sha256 := source_file.sha256, origin := event.origin)
            ORDER BY event_key) AS evidence
        FROM (SELECT number, unnest(event_keys[1:{_MOST_EVIDENCE}]) AS event_key FROM numbered)
        JOIN event USING (event_key) JOIN source_file USING (source_file_id) GROUP BY number
    )
"""
_SHAPES = {
    "rows": """
        SELECT event_time, kind, level, detection_id, title, attack, host, computer, user_name, text, session_id,
            evidence, len(event_keys) AS evidence_count, origin
        FROM numbered LEFT JOIN cited USING (number) LEFT JOIN told USING (number) ORDER BY number
    """,
    # Timesketch needs message, datetime and timestamp_desc of every row: docs/guides/user/import-from-json-csv.md.
    "timesketch": """
        SELECT CASE WHEN level IS NULL THEN text ELSE upper(level) || ': ' || title || ': ' || text END AS message,
            strftime(event_time, '%Y-%m-%dT%H:%M:%S.%f+00:00') AS datetime, epoch_us(event_time) AS timestamp,
            CASE WHEN kind = 'finding' THEN 'Detection' ELSE 'Event: ' || kind END AS timestamp_desc,
            'evtxhunt:' || replace(kind, ' ', '_') AS data_type,
            list_concat(CASE WHEN level IS NULL THEN [] ELSE [level, detection_id] END, attack) AS tag,
            host, computer, user_name, session_id,
            list_transform(evidence, lambda record: concat_ws(' ', record.channel, record.event_id,
                '#' || record.event_record_id, 'sha256:' || record.source_sha256,
                CASE WHEN record.origin <> 'live' THEN '(' || record.origin || ')' END)) AS evidence,
            len(event_keys) AS evidence_count, origin
        FROM numbered LEFT JOIN cited USING (number) LEFT JOIN told USING (number)
        WHERE event_time IS NOT NULL ORDER BY number
    """,
}
_TECHNIQUES = f"""
    SELECT technique, level, detection_id, title, count(*)
    FROM (SELECT unnest(list_distinct(attack)) AS technique, * FROM finding WHERE {_SHOWN})
    GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Export:
    """A case of which findings and lines can be asked for; `prepare` has brought it up to date."""

    case: Path
    query_set: QuerySet
    host: str = ""  # only what this computer takes part in
    is_routine_shown: bool = False
    memory_limit: str = DEFAULT_MEMORY_LIMIT

    def prepare(self) -> None:
        """Runs detections and correlation where they are not up to date. Raises CaseError, QueryError."""
        ensure_detected(self.case, self.query_set, memory_limit=self.memory_limit)
        correlate(self.case, self.query_set, memory_limit=self.memory_limit)

    @contextmanager
    def rows(self, shape: str = "rows") -> Iterator[RowStream]:
        """Findings and lines in the order of time, unknown times last; of 'timesketch', those with a time only."""
        timeline = find_query(self.query_set.queries, "timeline")
        query = replace(timeline, sql=_ROWS.format(timeline=timeline.sql) + _SHAPES[shape])
        values: dict[str, object] = {"routine": self.is_routine_shown, "host": self.host}
        with (
            open_case(self.case, self.query_set, memory_limit=self.memory_limit) as connection,
            run_query(connection, query, values, None) as stream,
        ):
            yield stream

    def without_time(self) -> int:
        """How many findings 'timesketch' leaves out, since they have no time."""
        with open_case(self.case, self.query_set, memory_limit=self.memory_limit) as connection:
            row = connection.execute(
                f"SELECT count(*) FROM finding WHERE event_time IS NULL AND {_SHOWN}", {"host": self.host}
            ).fetchone()
        return int(row[0]) if row else 0

    def techniques(self) -> list[TechniqueCount]:
        """Findings by technique, level and detection, in that order."""
        with open_case(self.case, self.query_set, memory_limit=self.memory_limit) as connection:
            rows = connection.execute(_TECHNIQUES, {"host": self.host}).fetchall()
        return [TechniqueCount(*row) for row in rows]
