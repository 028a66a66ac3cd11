"""sessions, hops, coverage and the Python API, on the demo: three sessions from WS07 to DC01 in a row."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import evtxhunt
from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from tests.conftest import REPOSITORY
from tests.logs import rows

runner = CliRunner()


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sessions") / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo"], path)
    return path


def lines(*arguments: str) -> list[dict[str, object]]:
    result = runner.invoke(app, [*arguments, "--format", "jsonl"])
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_sessions_are_correlated_on_first_use_and_then_kept(case: Path) -> None:
    found = lines("sessions", "--case", str(case))
    assert len(found) == 7
    assert {"session_id", "source_computer", "target_computer", "confidence", "reason"} <= found[0].keys()
    state = rows(case, "SELECT * FROM correlation_state")
    assert lines("sessions", "--case", str(case)) == found
    assert rows(case, "SELECT * FROM correlation_state") == state


def test_a_host_and_an_account_can_be_asked_for(case: Path) -> None:
    of_srv03 = lines("sessions", "--case", str(case), "--host", "SRV03")
    assert [(row["user_name"], row["end_reason"]) for row in of_srv03] == [("adm-lee", "closed"), ("adm-lee", "closed")]
    by_address = lines("sessions", "--case", str(case), "--host", "192.0.2.17")
    assert [row["user_name"] for row in by_address] == ["svc-backup"]
    assert lines("sessions", "--case", str(case), "--user", "nobody") == []


def test_hops_show_method_and_change_of_account(case: Path) -> None:
    found = lines("hops", "--case", str(case))
    assert [(row["via_computer"], row["method"], row["next_user_name"]) for row in found] == [
        ("srv02.corp.example.test", "explicit_credentials", "adm-lee"),
        ("srv03.corp.example.test", "explicit_credentials", "adm-lee"),
    ]


def test_a_table_fits_a_terminal(case: Path) -> None:
    for command in ("sessions", "hops", "coverage"):
        result = runner.invoke(app, [command, "--case", str(case)])
        assert result.exit_code == 0
        assert result.stdout.count("\n") > 2
        assert "event_keys" not in result.stdout


def test_coverage_names_the_log_that_was_cleared(case: Path) -> None:
    notes = {
        str(row["channel"]): str(row["notes"]) for row in lines("coverage", "--case", str(case), "--host", "srv02")
    }
    assert "cleared at 2025-03-04T09:41:37Z" in notes["Security"]
    assert "record ids within it are in no file" in notes["Security"]


def test_new_evidence_makes_the_tables_anew(tmp_path: Path) -> None:
    path = tmp_path / "case.duckdb"
    demo = REPOSITORY / "samples" / "demo"
    ingest([demo / "SRV02"], path)
    assert len(lines("hops", "--case", str(path))) < 2
    ingest([demo], path)
    assert len(lines("hops", "--case", str(path))) == 2


def test_python_gets_arrow_tables(case: Path) -> None:
    opened = evtxhunt.Case(case)  # type: ignore[attr-defined]
    assert opened.sessions(host="dc01").num_rows == 1
    assert opened.hops().column("method").to_pylist() == ["explicit_credentials"] * 2
    assert opened.coverage(host="ws07").num_rows > 3
    assert opened.sql("SELECT count(*) AS n FROM remoting_witness WHERE role = 'shell'").to_pylist()[0]["n"] > 3


def test_tables_explain_themselves(case: Path) -> None:
    lines("sessions", "--case", str(case))
    documented = rows(
        case,
        "SELECT table_name, count(*) FILTER (comment IS NULL) FROM duckdb_columns() WHERE table_name IN"
        " ('remoting_session', 'remoting_witness', 'hop', 'hop_path', 'logon_session') GROUP BY ALL",
    )
    assert sorted(documented) == [
        ("hop", 0),
        ("hop_path", 0),
        ("logon_session", 0),
        ("remoting_session", 0),
        ("remoting_witness", 0),
    ]


def test_a_broken_table_file_is_named_and_the_old_tables_stay(case: Path, tmp_path: Path) -> None:
    lines("sessions", "--case", str(case))
    queries = tmp_path / "queries" / "correlate"
    queries.mkdir(parents=True)
    for path in (REPOSITORY / "queries" / "correlate").glob("*.sql"):
        (queries / path.name).write_text(path.read_text())
    hop = queries / "hop.sql"
    hop.write_text(hop.read_text().replace("FROM judged", "FROM judgde"))
    result = runner.invoke(app, ["hops", "--case", str(case), "--queries", str(tmp_path / "queries")])
    assert result.exit_code == 3
    assert "hop.sql" in result.stderr
    assert rows(case, "SELECT count(*) FROM hop") == [(2,)]
    detected = runner.invoke(app, ["detect", "--case", str(case), "--queries", str(tmp_path / "queries")])
    assert detected.exit_code == 4, "the detections ran all the same"
    assert "FAILED" in detected.stderr and "hop.sql" in detected.stderr
    assert rows(case, "SELECT count(*) > 20, count(error) FROM detection_run") == [(True, 1)]


def test_sql_makes_the_tables_it_asks_for_and_shows_what_their_columns_hold(tmp_path: Path) -> None:
    path = tmp_path / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo" / "SRV02"], path)
    result = runner.invoke(
        app, ["sql", "SELECT count(*) FROM remoting_session", "--case", str(path), "--format", "csv"]
    )
    # Two that it served, and its own to SRV03, whose logs are not in this case.
    assert result.stdout.splitlines()[1:] == ["3"]
    shown = runner.invoke(app, ["sql", ".schema remoting_session", "--case", str(path), "--format", "jsonl"])
    columns = {row["column_name"]: row["comment"] for row in map(json.loads, shown.stdout.splitlines())}
    assert columns["host_process_id"] == "wsmprovhost.exe or winrshost.exe on the target"
    assert all(columns.values())


def test_the_timeline_tells_a_session_with_its_records(case: Path) -> None:
    found = lines("timeline", "--case", str(case), "--session", "1")
    texts = [str(row["text"]) for row in found]
    assert "PowerShell session 1 of" in texts[0]
    assert all(row["event_keys"] and row["records"] for row in found)
    # A record is cited by one line of the story; findings and hops stand beside it.
    told = [key for row in found if row["kind"] not in ("finding", "hop") for key in row["event_keys"]]  # type: ignore[attr-defined]
    assert len(told) == len(set(told))
    witnesses = {row[0] for row in rows(case, "SELECT event_key FROM remoting_witness WHERE session_id = 1")}
    assert witnesses <= set(told)


def test_the_timeline_is_cut_by_time_host_and_account(case: Path) -> None:
    whole = lines("timeline", "--case", str(case), "--routine")
    assert len(whole) > len(lines("timeline", "--case", str(case)))
    middle = str(whole[len(whole) // 2]["event_time"])[:19]
    before = lines("timeline", "--case", str(case), "--routine", "--to", middle)
    after = lines("timeline", "--case", str(case), "--routine", "--from", middle)
    assert before + after == whole
    assert all("srv03" in json.dumps(row) for row in lines("timeline", "--case", str(case), "--host", "SRV03"))
    assert lines("timeline", "--case", str(case), "--user", "nobody") == []


def test_a_bad_time_is_one_line(case: Path) -> None:
    result = runner.invoke(app, ["timeline", "--case", str(case), "--from", "yesterday"])
    assert result.exit_code == 2
    assert "yesterday" in result.stderr


def test_what_was_reached_from_a_host_and_by_an_account(case: Path) -> None:
    from_desk = lines("query", "reachable", "--case", str(case), "-p", "host=WS07")
    assert [str(row["way"]).count(">") for row in from_desk if "dc01" in str(row["computer"])] == [3]
    by_account = lines("query", "reachable", "--case", str(case), "-p", "user=svc-backup")
    assert {str(row["computer"]).split(".")[0] for row in by_account} >= {"srv02", "srv03", "dc01"}
    assert lines("query", "reachable", "--case", str(case)) == []


def test_each_detection_says_whether_it_could_have_fired(case: Path) -> None:
    found = lines("coverage", "--detections", "--case", str(case), "--host", "SRV02")
    by_id = {row["detection_id"]: row for row in found}
    assert by_id["dcsync"]["is_possible"] is False
    assert "Security 4662" in str(by_id["dcsync"]["missing"])
    assert by_id["remoting_child_process"]["is_possible"] is True


def test_the_story_is_an_arrow_table_too(case: Path) -> None:
    story = evtxhunt.Case(case).timeline()
    assert story.column_names == [
        *("event_time", "computer", "kind", "text", "records", "session_id", "event_keys", "user_name"),
    ]
    assert evtxhunt.Case(case).detection_coverage(host="DC01").num_rows > 20
