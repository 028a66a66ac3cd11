"""What a report tells of findings and of the detections behind them."""

import json
from collections.abc import Iterator, Mapping

import duckdb

from evtxhunt.model import Level, ReportDetection, ReportFinding
from evtxhunt.pipeline.query import QuerySet
from evtxhunt.pipeline.report_records import LONGEST_NAME, MOST_RECORDS_EACH, RecordPicker, cut_sql

# A report is one file that a browser must open: it shows at most so much and says what it leaves out.
MOST_FINDINGS = 10_000
_LONGEST_SUMMARY = 4_000  # characters
_LONGEST_DETAILS = 8_000


def in_scope(alias: str) -> str:
    """The SQL condition for what $start, $end and $only_host leave of a table with event_time and host."""
    return (
        f"($start IS NULL OR {alias}.event_time >= $start) AND ($end IS NULL OR {alias}.event_time < $end)"
        f" AND ($only_host IS NULL OR lower({alias}.host) = lower($only_host))"
    )


class Findings:
    """The findings in scope, worst levels first if there are too many; before and after their records are read."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, limits: Mapping[str, object]) -> None:
        shown = f"{in_scope('f')} AND f.allowed_reason IS NULL"
        row = connection.execute(f"SELECT count(*) FROM finding AS f WHERE {shown}", limits).fetchone()
        assert row is not None  # aggregates always give one row
        self.count: int = row[0]
        chosen = f"""
            SELECT f.* FROM finding AS f WHERE {shown}
            ORDER BY list_position(['critical', 'high', 'medium', 'low', 'informational'], f.level), f.finding_id
            LIMIT {MOST_FINDINGS}
        """
        self._evidence: dict[int, tuple[list[int], int]] = {}
        evidence = connection.execute(
            f"""
            WITH ranked AS (
                SELECT finding_id, event_key, count(*) OVER (PARTITION BY finding_id) AS record_count,
                    row_number() OVER (PARTITION BY finding_id ORDER BY event_key) AS place
                FROM finding_evidence WHERE finding_id IN (SELECT finding_id FROM ({chosen}))
            )
            SELECT finding_id, record_count, event_key FROM ranked WHERE place <= {MOST_RECORDS_EACH}
            ORDER BY event_key, finding_id
            """,
            limits,
        ).fetchall()
        for finding_id, record_count, key in evidence:
            self._evidence.setdefault(finding_id, ([], record_count))[0].append(key)
        self._rows = connection.execute(
            "SELECT finding_id, detection_id, title, level, attack, event_time, host, computer,"
            f" {cut_sql('user_name', LONGEST_NAME)}, {cut_sql('summary', _LONGEST_SUMMARY)},"
            f" {cut_sql('details', _LONGEST_DETAILS)} FROM ({chosen}) ORDER BY finding_id",
            limits,
        ).fetchall()

    def want(self, picker: RecordPicker) -> None:
        """Asks for the records behind the findings."""
        for keys, _ in self._evidence.values():
            picker.want(keys, 0)

    def make(self, picker: RecordPicker) -> tuple[ReportFinding, ...]:
        """The findings in the order of their ids, which is that of time."""
        made = []
        for row in self._rows:
            keys, count = self._evidence.get(row[0], ([], 0))
            made.append(ReportFinding(*(*row[:4], tuple(row[4]), *row[5:], picker.place(keys), count)))
        return tuple(made)


def detections_of(connection: duckdb.DuckDBPyConnection, query_set: QuerySet) -> tuple[ReportDetection, ...]:
    """Every detection with how it ended in the last `detect`, then the Sigma rules that found something or failed."""
    results = {
        detection_id: (findings, error)
        for detection_id, findings, error in connection.execute(
            "SELECT detection_id, findings, error FROM detection_run WHERE origin = 'query'"
        ).fetchall()
    }
    shown = []
    for query in query_set.of_kind("detection"):
        findings, error = results.get(query.id, (None, "did not run"))
        level: Level = query.level or "informational"
        shown.append(
            ReportDetection(
                query.id,
                query.title,
                level,
                query.description,
                query.attack,
                query.false_positives,
                query.references,
                findings,
                error,
                query.sql,
            )
        )
    return (*shown, *_rules_of(connection))


def _rules_of(connection: duckdb.DuckDBPyConnection) -> Iterator[ReportDetection]:
    rows = connection.execute(
        "SELECT detection_id, title, level, findings, error, about FROM detection_run"
        " WHERE origin = 'sigma' AND (findings > 0 OR error IS NOT NULL) ORDER BY detection_id"
    ).fetchall()
    for detection_id, title, level, findings, error, about_json in rows:
        about = json.loads(about_json)
        cited = [
            f"{name}: {about[name]}" for name in ("author", "licence", "status", "file", "sha256") if about.get(name)
        ]
        yield ReportDetection(
            detection_id,
            title,
            level,
            "\n".join(text for text in (about.get("description"), f"Sigma rule. {'; '.join(cited)}") if text),
            tuple(about.get("attack", ())),
            tuple(about.get("false_positives", ())),
            tuple(about.get("references", ())),
            findings,
            error,
            about.get("text", ""),
            "Sigma",
        )


def rule_counts_of(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, int], ...]:
    """Sigma rules of the last `detect` by how they ended; those that ran by whether they found something."""
    return tuple(
        connection.execute(
            "SELECT CASE WHEN findings = 0 THEN 'silent' ELSE state END AS how, count(*) FROM detection_run"
            " WHERE origin = 'sigma' GROUP BY how ORDER BY how"
        ).fetchall()
    )
