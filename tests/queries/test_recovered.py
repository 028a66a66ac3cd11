"""Records from slack and carved ones: left out of all that counts, counted when asked for, shown as what they are."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from evtxhunt import Case
from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.lint import lint
from evtxhunt.pipeline.query import QuerySet, correlate, load_query_set
from evtxhunt.pipeline.report import ReportOptions, gather_report
from evtxhunt.store import CaseStore
from tests.conftest import REPOSITORY
from tests.logs import make_log, rows
from tests.queries.synthetic import replace_events

QUERIES = REPOSITORY / "queries"
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SWITCH = "--include-recovered"
BURST = "logon_failure_burst"
ORIGINS = ["live", "slack", "live", "slack", "carved", "live", "slack", "rescued", "slack", "live"]
# What selects or counts events reads counted_event; these read table event, each for its reason.
READERS_OF_EVENT = {
    "citation": "words for a record by its key, whatever its origin",
    "around_event": "the event in the middle, by its key; what is around it comes from counted_event",
    "recovered_record": "what was recovered is its subject",
    "log_integrity": "speaks of the logs as they stand: live and rescued records, whatever is asked for",
    "record_hole": "likewise: a record in slack fills no hole of the log",
    "log_numbering": "likewise",
    "file_record": "has all records of each file, with their origin",
    "record_conflict": "compares two records by their keys, whatever their origin",
    "recovered_number": "compares records of slack with those of the logs",
}


@pytest.fixture
def guessed(tmp_path: Path) -> Path:
    """A case of ten wrong passwords in five minutes, of which four are from slack and one is carved."""
    path = tmp_path / "case.duckdb"
    failure = {
        "channel": "Security",
        "provider": "Microsoft-Windows-Security-Auditing",
        "event_id": 4625,
        "computer": "SRV01.example.test",
        "event_data": {
            "TargetUserName": "alice",
            "Status": "0xc000006d",
            "SubStatus": "0xc000006a",
            "LogonType": 3,
            "IpAddress": "192.0.2.7",
        },
    }
    events = [
        {**failure, "time": NOON + timedelta(seconds=30 * number), "origin": origin}
        for number, origin in enumerate(ORIGINS)
    ]
    store = CaseStore(path, "1GB", "test")
    replace_events(store, events)
    store.connection.execute(
        "INSERT INTO source_file BY NAME SELECT 1 AS source_file_id, '/evidence/Security.evtx' AS path, 'ab' AS sha256,"
        " 69632 AS size, 'complete' AS status, 'Security' AS channel, 'SRV01.example.test' AS computer,"
        " false AS is_hidden, '0' AS parser_version, 5 AS expected, 4 AS parsed, 1 AS rescued, 0 AS failed,"
        " 5 AS slack, 1 AS carved, 1 AS duplicate"
    )
    # Not the carved one, which the fast parser read.
    store.connection.execute(
        "INSERT INTO recovered_record BY NAME SELECT source_file_id, origin, 0 AS chunk, record_offset AS file_offset,"
        " 500 AS size, header_record_id, written_time, 'whole' AS state, event_key"
        " FROM event WHERE origin IN ('rescued', 'slack')"
    )
    # Slack also holds what the log still has, and what nobody can read.
    store.connection.execute(
        "INSERT INTO event_copy BY NAME SELECT 1 AS event_key, 1 AS source_file_id, 1 AS header_record_id,"
        " 60000 AS record_offset, 'slack' AS origin"
    )
    store.connection.execute(
        "INSERT INTO recovered_record BY NAME SELECT 1 AS source_file_id, 'slack' AS origin, 500 AS size, *"
        " FROM (VALUES (60000, 1, 'whole', NULL, 1), (61000, 7, 'stale', 'its template is overwritten', NULL))"
        " AS record(file_offset, header_record_id, state, reason, event_key)"
    )
    store.close()
    return path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, of which all that witnesses one session is from slack: that from which the first hop goes on."""
    path = tmp_path_factory.mktemp("demo") / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo"], path)
    correlate(path, load_query_set())
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "UPDATE event SET origin = 'slack' WHERE event_key IN (SELECT event_key FROM remoting_witness"
            " WHERE session_id = (SELECT from_session_id FROM hop WHERE hop_id = 1))"
        )
        connection.execute("DROP TABLE correlation_state")
    return path


def run(case: Path, command: str, *arguments: str) -> Result:
    result = CliRunner().invoke(app, [command, "--case", str(case), *arguments])
    assert result.exit_code == 0, result.stderr
    return result


def answer(case: Path, command: str, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(case, command, *arguments, "--format", "json").stdout)
    return found


def summaries(case: Path, *options: str) -> list[str]:
    return [row["summary"] for row in answer(case, "detect", *options) if row["detection_id"] == BURST]


def test_a_detection_needs_its_threshold_in_records_that_count(guessed: Path) -> None:
    assert summaries(guessed) == []
    (summary,) = summaries(guessed, SWITCH)
    assert summary.startswith("10 failed logons on SRV01.example.test as alice from 192.0.2.7 between 2026-05-01")
    assert summary.endswith("; of the records it rests on (10): 1 carved, 4 from slack")
    assert summaries(guessed) == []
    runs = rows(guessed, "SELECT arguments FROM run WHERE command = 'detect' ORDER BY run_id")
    assert runs == [("{}",), ('{"include_recovered": true}',), ("{}",)]


def test_rescued_records_count_like_live_ones(guessed: Path) -> None:
    with duckdb.connect(str(guessed)) as connection:
        connection.execute("UPDATE event SET origin = 'rescued' WHERE origin IN ('slack', 'carved')")
    (summary,) = summaries(guessed)
    assert summary.startswith("10 failed logons") and "rests on" not in summary


@pytest.mark.parametrize(
    ("sql", "counted", "all_of_them"),
    [
        ("SELECT count(*) AS n FROM counted_event", 5, 10),
        ("SELECT count(*) AS n FROM logon_failure", 5, 10),
        ("SELECT sum(events) AS n FROM event_kind", 5, 10),
        ("SELECT records AS n FROM log_coverage WHERE channel = 'Security'", 5, 10),
        ("SELECT count(*) AS n FROM event WHERE origin = 'slack'", 4, 4),  # the table itself stays whole
    ],
)
def test_views_and_tables_count_what_is_asked_for(guessed: Path, sql: str, counted: int, all_of_them: int) -> None:
    assert answer(guessed, "sql", sql) == [{"n": counted}]
    assert answer(guessed, "sql", sql, SWITCH) == [{"n": all_of_them}]
    assert answer(guessed, "sql", sql) == [{"n": counted}]


def test_recovered_records_cover_no_time_and_are_no_log(guessed: Path) -> None:
    with duckdb.connect(str(guessed)) as connection:
        connection.execute(
            "UPDATE event SET event_time = event_time - INTERVAL 30 DAY, channel = 'System' WHERE event_key = 2"
        )
        connection.execute("UPDATE event SET event_time = event_time - INTERVAL 30 DAY WHERE event_key = 4")
    rows_of = {row["channel"]: row for row in answer(guessed, "coverage", SWITCH)}
    security, system = rows_of["Security"], rows_of["System"]
    assert (security["records"], security["first_time"]) == (9, "2026-05-01T12:00:00.000000Z")
    assert (system["records"], system["first_time"], system["is_absent"]) == (1, None, True)
    assert system["notes"].startswith("nothing of this log is in the case but 1 record from slack or carved: not coll")


class Steps:
    """Hears what is computed."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def start(self, steps: int) -> None:
        self.names.append(f"{steps} steps")

    def step(self, name: str) -> None:
        self.names.append(name)


def test_tables_are_made_anew_for_the_other_choice_and_only_then(guessed: Path) -> None:
    def made(case: Path, include_recovered: bool) -> bool:
        steps = Steps()
        correlate(case, load_query_set(include_recovered=include_recovered), progress=steps)
        return "remoting_session" in steps.names

    assert [made(guessed, choice) for choice in (False, False, True, True, False)] == [True, False, True, False, True]
    with duckdb.connect(str(guessed)) as connection:
        connection.execute("UPDATE event SET origin = 'live'")
    assert [made(guessed, choice) for choice in (False, True)] == [False, False]


def test_stored_findings_of_the_other_choice_are_not_shown_in_silence(guessed: Path) -> None:
    run(guessed, "detect", SWITCH)
    note = "the stored findings were made with records from slack and carved ones; `evtxhunt detect` makes them anew\n"
    for command in (["sql", "FROM finding"], ["timeline"], ["query", "timeline"]):
        assert note in run(guessed, *command).stderr
        assert "the stored findings" not in run(guessed, *command, SWITCH).stderr
    assert "the stored findings" not in run(guessed, "sql", "FROM event").stderr
    run(guessed, "detect")
    assert "`evtxhunt detect --include-recovered` makes them anew" in run(guessed, "timeline", SWITCH).stderr


def test_a_prompt_says_which_choice_its_tables_were_made_by(guessed: Path) -> None:
    run(guessed, "sessions", SWITCH)
    runner = CliRunner()
    said = runner.invoke(app, ["sql", "--case", str(guessed), ".tables"]).stderr
    assert "correlated tables" not in said
    from evtxhunt.pipeline.stale import stale_notes

    assert stale_notes(guessed, load_query_set(), "1GB", None) == [
        "sessions, hops and the other correlated tables were made with records from slack and carved ones;"
        " `evtxhunt sessions` makes them anew"
    ]
    assert stale_notes(guessed, load_query_set(include_recovered=True), "1GB", None) == []


def test_citations_say_that_a_record_is_from_slack_or_carved(guessed: Path) -> None:
    words = [row["words"] for row in answer(guessed, "sql", "SELECT words FROM citation ORDER BY event_key LIMIT 8")]
    assert words[:2] == ["Security 4625 #1", "Security 4625 #2 (slack)"]
    assert (words[4], words[7]) == ("Security 4625 #5 (carved)", "Security 4625 #8")


def test_rows_of_hunts_and_the_timeline_tell_their_origin(guessed: Path) -> None:
    arguments = ("query", "user_activity", "-p", "user=alice")
    assert [row["event_key"] for row in answer(guessed, *arguments)] == [1, 3, 6, 8, 10]
    assert "origin" not in answer(guessed, *arguments)[0]
    found = answer(guessed, *arguments, SWITCH)
    assert [(row["event_key"], row["origin"]) for row in found] == list(enumerate(ORIGINS, start=1))
    told = answer(guessed, "timeline", SWITCH)
    assert [row["origin"] for row in told] == ORIGINS
    assert told[1]["records"] == "Security 4625 #2 (slack)"
    assert "slack" in run(guessed, "timeline", SWITCH).stdout
    assert Case(guessed, include_recovered=True).timeline()["origin"].to_pylist() == ORIGINS


def test_sessions_and_hops_that_rest_on_slack_say_so(demo: Path) -> None:
    counted, everything = answer(demo, "sessions"), answer(demo, "sessions", SWITCH)
    hop, *_ = answer(demo, "hops", SWITCH)
    of_session = {row["session_id"]: row["origin"] for row in everything}
    assert "origin" not in counted[0] and len(counted) < len(everything)
    assert (hop["hop_id"], hop["origin"], of_session[hop["from_session_id"]]) == (1, "live, slack", "slack")
    assert Case(demo).sessions().num_rows == len(counted)
    assert Case(demo, include_recovered=True).sessions()["origin"].to_pylist() == [row["origin"] for row in everything]


def test_the_report_says_what_it_leaves_out_and_marks_what_it_counts(guessed: Path, tmp_path: Path) -> None:
    left_out = "4 records from slack and 1 carved are in the case and not counted here; --include-recovered counts them"
    counted = "4 records from slack and 1 carved are in the case and counted here, since --include-recovered was given"
    page, text = tmp_path / "report.html", tmp_path / "report.md"
    for options, said, other in (((), left_out, counted), ((SWITCH,), counted, left_out)):
        run(guessed, "report", "-o", str(page), *options)
        run(guessed, "report", "--format", "markdown", "-o", str(text), *options)
        assert said in page.read_text() and other not in page.read_text()
        assert f"- **Recovered** {said}\n" in text.read_text()
    assert "and 5 from slack" in page.read_text() and "and 1 rescued" in page.read_text()
    assert "4 of 5 records, 1 rescued, 5 from slack, 1 carved (1 as copies), SHA-256" in text.read_text()
    assert "EventRecordID 2 in source 1 (slack)" in text.read_text()
    report = gather_report(guessed, load_query_set(include_recovered=True), ReportOptions())
    assert (report.event_count, [record.origin for record in report.records]) == (10, ORIGINS)
    assert rows(guessed, f"SELECT count(*) FROM finding WHERE detection_id = '{BURST}'") == [(1,)]
    run(guessed, "report", "-o", str(page))  # makes the findings anew
    assert rows(guessed, f"SELECT count(*) FROM finding WHERE detection_id = '{BURST}'") == [(0,)]
    report = gather_report(guessed, load_query_set(), ReportOptions())
    assert (report.event_count, {record.origin for record in report.records}) == (5, {"live", "rescued"})


def test_a_case_without_recovered_records_says_nothing_of_them(tmp_path: Path) -> None:
    (tmp_path / "Security.evtx").write_bytes(make_log(3))
    ingest([tmp_path / "Security.evtx"], tmp_path / "case.duckdb")
    run(tmp_path / "case.duckdb", "report", "-o", str(tmp_path / "a.html"))
    run(tmp_path / "case.duckdb", "report", "-o", str(tmp_path / "b.html"), SWITCH)
    assert "include-recovered" not in (tmp_path / "a.html").read_text()
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert "by origin" not in run(tmp_path / "case.duckdb", "info").stderr


def test_exports_leave_recovered_records_out_and_else_name_their_origin(guessed: Path, tmp_path: Path) -> None:
    def exported(*options: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        run(guessed, "export", "--to", "csv,jsonl,timesketch,parquet", "-o", str(tmp_path), *options)
        with (tmp_path / "evtxhunt.csv").open(newline="") as stream:
            table = list(csv.DictReader(stream))
        lines = [json.loads(line) for line in (tmp_path / "timesketch.jsonl").read_text().splitlines()]
        columns = duckdb.sql(f"SELECT origin FROM '{tmp_path}/evtxhunt.parquet'").fetchall()
        assert [row["origin"] for row in table] == [origin for (origin,) in columns]
        return table, lines

    table, lines = exported()
    told = [row["origin"] for row in table if row["kind"] == "logon failure"]
    assert told == ["live", "live", "live", "rescued", "live"]
    assert BURST not in {row["detection_id"] for row in table}
    assert [line["origin"] for line in lines] == [row["origin"] for row in table]
    table, lines = exported(SWITCH)
    assert [row["origin"] for row in table if row["kind"] == "logon failure"] == ORIGINS
    assert [row["origin"] for row in table if row["detection_id"] == BURST] == ["carved, live, rescued, slack"]
    told = [line["evidence"] for line in lines if line["origin"] == "slack"]
    assert told[0] == ["Security 4625 #2 sha256:ab (slack)"]
    same = [json.loads(line) for line in (tmp_path / "evtxhunt.jsonl").read_text().splitlines()]
    assert [line["evidence"][0]["origin"] for line in same if line["origin"] == "slack"] == ["slack"] * 4


def test_recovered_records_are_listed_with_what_no_log_has_first(guessed: Path) -> None:
    found = answer(guessed, "query", "recovered_record")
    assert [(row["kind"], row["origin"], row["file_offset"]) for row in found] == [
        *(("only here", ORIGINS[key - 1], 4096 + 512 * key) for key in (2, 4, 5, 7, 9)),
        ("copy of a live record", "slack", 60000),
        ("live record", "rescued", 4096 + 512 * 8),
        ("unreadable", "slack", 61000),
    ]
    first, last = found[0], found[-1]
    assert (first["citation"], first["computer"], first["event_id"]) == (
        "Security 4625 #2 (slack)",
        "SRV01.example.test",
        4625,
    )
    assert '"TargetUserName":"alice"' in first["text"].replace(" ", "")
    assert (last["state"], last["reason"], last["event_key"]) == ("stale", "its template is overwritten", None)
    only = answer(guessed, "query", "recovered_record", "-p", "only_here=true", "-p", "origin=slack")
    assert [row["event_key"] for row in only] == [2, 4, 7, 9]


def test_info_counts_by_origin(guessed: Path) -> None:
    said = run(guessed, "info").stderr
    assert said.startswith("5 events of 1 hosts in 1 logs, 2026-05-01 12:00:00Z to 2026-05-01 12:04:30Z (UTC)")
    assert "events by origin: 1 carved, 4 live, 1 rescued, 4 slack\n" in said
    (log,) = answer(guessed, "info")
    assert [log[name] for name in ("expected", "parsed", "rescued", "failed", "slack", "carved")] == [5, 4, 1, 0, 5, 1]


def test_what_is_left_in_slack_says_nothing_about_the_log(tmp_path: Path, query_set: QuerySet) -> None:
    """An old record in slack is no step back in time, and fills no hole."""
    path = tmp_path / "case.duckdb"
    (tmp_path / "Security.evtx").write_bytes(make_log(9))
    ingest([tmp_path / "Security.evtx"], path)
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "UPDATE event SET origin = 'slack', event_time = event_time - INTERVAL 30 DAY WHERE event_record_id = 5"
        )
    both = [answer(path, "sql", "SELECT reason, meaning FROM log_integrity", *extra) for extra in ((), (SWITCH,))]
    assert both[0] == both[1]
    ((reason, meaning),) = (row.values() for row in both[0])
    assert (reason, meaning.partition("), in ")[2]) == (
        "records_missing",
        "1 hole, is in no file of the case; slack or carved chunks have 1 of the numbers in between",
    )
    (finding,) = (row for row in answer(path, "detect") if row["detection_id"] == "records_missing")
    assert finding["summary"].endswith("Z); slack or carved chunks have 1 of the numbers in between")


def test_queries_of_ones_own_that_read_event_get_every_record(guessed: Path, tmp_path: Path) -> None:
    (tmp_path / "queries" / "hunts").mkdir(parents=True)
    (tmp_path / "queries" / "hunts" / "mine.sql").write_text(
        '-- ---\n-- id = "mine"\n-- title = "Mine"\n-- ---\nSELECT count(*) AS n FROM event\n'
    )
    assert lint(tmp_path / "queries") == (1, [])
    assert answer(guessed, "query", "mine", "--queries", str(tmp_path / "queries")) == [{"n": 10}]


def test_no_file_may_take_the_name_of_the_events_that_count(tmp_path: Path) -> None:
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "counted_event.sql").write_text(
        '-- ---\n-- id = "counted_event"\n-- title = "Mine"\n-- ---\nSELECT * FROM event\n'
    )
    _, (problem,) = lint(tmp_path)
    assert 'id "counted_event" is taken by the events that count' in problem.text


def tables_of(tree: Any) -> Iterator[str]:
    """Names of tables in what DuckDB's parser makes of SQL."""
    if isinstance(tree, dict):
        if tree.get("type") == "BASE_TABLE":
            yield tree["table_name"]
        yield from (name for item in tree.values() for name in tables_of(item))
    elif isinstance(tree, list):
        yield from (name for item in tree for name in tables_of(item))


def test_shipped_queries_take_events_from_counted_event(query_set: QuerySet) -> None:
    named = {}
    for query in query_set.queries:
        (text,) = duckdb.execute("SELECT json_serialize_sql(?)", [query.sql]).fetchone() or ("",)
        named[query.id] = set(tables_of(json.loads(text)))
    assert "counted_event" in named["logon"] and "logon" in named["activity"]  # the parser's names are understood
    assert {query for query, tables in named.items() if "event" in tables} == set(READERS_OF_EVENT)
