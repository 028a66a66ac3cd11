"""The commands as a responder calls them: results on stdout, talk on stderr, exit statuses, hostile values."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from tests.conftest import REPOSITORY
from tests.logs import make_log

runner = CliRunner()
HOSTILE = "\x1b]0;owned\x07=cmd|' /C calc'!A1<script>‮"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("case")
    (folder / "a.evtx").write_bytes(make_log(3, text=HOSTILE))
    ingest([folder], folder / "case.duckdb")
    return folder / "case.duckdb"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo"], path)
    return path


def sql(case: Path, *arguments: str) -> tuple[int, str, str]:
    result = runner.invoke(app, ["sql", "--case", str(case), *arguments])
    return result.exit_code, result.stdout, result.stderr


QUESTION = "SELECT event_record_id AS id, event_time, target_user_name FROM event ORDER BY id LIMIT 1"


def test_table_escapes_what_a_terminal_would_obey(case: Path) -> None:
    status, out, said = sql(case, QUESTION)
    assert status == 0
    assert "\x1b" not in out and "\x07" not in out and "\u202e" not in out
    assert "user1" in out and "2026-05-01T12:00:01" in out
    assert said == "(1 row)\n"


def test_csv_cannot_become_a_formula(case: Path) -> None:
    status, out, _ = sql(case, "SELECT '=1+1' AS a, '@x' AS b, '-5' AS c, -5 AS d, 'plain' AS e", "--format", "csv")
    assert status == 0
    assert list(csv.reader(io.StringIO(out))) == [["a", "b", "c", "d", "e"], ["'=1+1", "'@x", "'-5", "-5", "plain"]]


def test_json_is_one_array_and_jsonl_one_object_a_line(case: Path) -> None:
    expected = {"id": 1, "event_time": "2026-05-01T12:00:01.000000Z", "target_user_name": "user1" + HOSTILE}
    assert json.loads(sql(case, QUESTION, "--format", "json")[1]) == [expected]
    assert [json.loads(line) for line in sql(case, QUESTION, "--format", "jsonl")[1].splitlines()] == [expected]
    assert json.loads(sql(case, "SELECT 1 WHERE false", "--format", "json")[1]) == []


def test_parquet_goes_to_a_file_only(case: Path, tmp_path: Path) -> None:
    status, _, said = sql(case, QUESTION, "--format", "parquet")
    assert status == 2 and "give -o FILE" in said
    assert sql(case, QUESTION, "--format", "parquet", "-o", str(tmp_path / "r.parquet"))[0] == 0
    assert pq.read_table(tmp_path / "r.parquet").column("id").to_pylist() == [1]


def test_result_can_go_to_a_file(case: Path, tmp_path: Path) -> None:
    assert sql(case, "SELECT 1 AS a", "--format", "csv", "-o", str(tmp_path / "r.csv"))[:2] == (0, "")
    assert (tmp_path / "r.csv").read_bytes() == b"a\r\n1\r\n"
    status, _, said = sql(case, "SELECT 1", "-o", str(tmp_path / "no" / "r.csv"))
    assert status == 3 and said.count("\n") == 1 and "cannot be written" in said


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM event",
        "CREATE TABLE mine AS SELECT 1",
        "COPY (SELECT 1) TO '/tmp/evtxhunt-must-not-exist.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "ATTACH '/tmp/evtxhunt-must-not-exist.duckdb'",
        "INSTALL httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "EXPORT DATABASE '/tmp/evtxhunt-must-not-exist'",
    ],
)
def test_sql_can_neither_write_nor_reach_out(case: Path, statement: str) -> None:
    before = case.read_bytes()
    status, out, said = sql(case, statement)
    assert (status, out) == (3, "")
    assert said.startswith("error: ") and said.count("\n") == 1
    assert case.read_bytes() == before
    assert not list(Path("/tmp").glob("evtxhunt-must-not-exist*"))


def test_write_opts_in_to_changing_the_case_but_not_to_files(case: Path) -> None:
    assert sql(case, "CREATE TABLE mine AS SELECT 42 AS a", "--write")[0] == 0
    assert json.loads(sql(case, "FROM mine", "--format", "json")[1]) == [{"a": 42}]
    assert sql(case, "COPY mine TO '/tmp/evtxhunt-must-not-exist.csv'", "--write")[0] == 3
    assert sql(case, "DROP TABLE mine", "--write")[0] == 0


def test_endless_query_is_stopped_at_its_deadline(case: Path) -> None:
    started = time.monotonic()
    status, _, said = sql(case, "SELECT count(*) FROM range(10000000000) a, range(1000) b", "--timeout", "0.3")
    assert status == 3 and "stopped after 0.3 s; allow more with --timeout" in said
    assert time.monotonic() - started < 20


@pytest.mark.slow
def test_long_query_draws_nothing_into_its_result(case: Path) -> None:
    question = "SELECT count(*) AS n FROM range(150000) a, range(3000) b WHERE (a.range + b.range) % 7 = 0"
    command = [sys.executable, "-m", "evtxhunt", "sql", "--case", str(case), "--format", "csv", question]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stdout.splitlines()[0] == "n" and len(result.stdout.splitlines()) == 2
    assert result.stderr == ""


def test_sql_comes_from_a_file_or_stdin_too(case: Path, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("SELECT count(*) AS n FROM event;")
    assert json.loads(sql(case, "--file", str(tmp_path / "q.sql"), "--format", "json")[1]) == [{"n": 3}]
    result = runner.invoke(app, ["sql", "--case", str(case), "--format", "json"], input="SELECT 7 AS n")
    assert json.loads(result.stdout) == [{"n": 7}]
    assert sql(case, "SELECT 1", "--file", str(tmp_path / "q.sql"))[0] == 2
    assert sql(case, "--file", str(tmp_path / "none.sql"))[0] == 2


def test_wrong_sql_is_one_line_with_the_near_name(case: Path) -> None:
    status, _, said = sql(case, "SELECT * FROM evnt")
    assert status == 3 and said.count("\n") == 1 and 'Did you mean "event"' in said


def test_case_comes_from_the_environment(case: Path) -> None:
    result = runner.invoke(app, ["sql", "SELECT 1 AS a", "--format", "csv"], env={"EVTXHUNT_CASE": str(case)})
    assert result.stdout == "a\n1\n"


@pytest.mark.parametrize(
    "arguments", [["nope"], ["ingest"], ["sql", "--format", "xml", "SELECT 1"], ["report", "--tz", "X"]]
)
def test_wrong_usage_is_exit_status_2(arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2


def test_detect_shows_findings_and_fail_on_is_an_exit_status(demo: Path) -> None:
    result = runner.invoke(app, ["detect", "--case", str(demo), "--level", "high", "--format", "json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert "security_log_cleared" in {finding["detection_id"] for finding in found}
    assert {finding["level"] for finding in found} <= {"high", "critical"}
    assert runner.invoke(app, ["detect", "--case", str(demo), "--fail-on", "high"]).exit_code == 1
    assert runner.invoke(app, ["detect", "--case", str(demo), "--level", "worst"]).exit_code == 2


def test_detect_twice_stores_the_same_findings_once(demo: Path) -> None:
    def stored() -> str:
        assert runner.invoke(app, ["detect", "--case", str(demo)]).exit_code == 0
        return sql(
            demo,
            "SELECT f.*, e.event_key FROM finding f JOIN finding_evidence e USING (finding_id) ORDER BY ALL",
            "--format",
            "json",
        )[1]

    assert stored() == stored()


def test_failed_detection_is_named_and_the_others_are_kept(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "queries" / "detections"
    folder.mkdir(parents=True)
    keys = ('id = "{id}"', 'title = "t"', 'level = "low"', "attack = []", 'description = "d"', "requires = []")
    header = "".join(f"-- {line}\n" for line in ("---", *keys, "---"))
    columns = "event_time, host, computer, NULL AS user_name, 's' AS summary, [event_key] AS evidence"
    (folder / "good.sql").write_text(
        header.format(id="good") + f"SELECT {columns} FROM event ORDER BY event_key LIMIT 2"
    )
    (folder / "bad.sql").write_text(header.format(id="bad") + f"SELECT {columns}, error('broken') FROM event")
    result = runner.invoke(app, ["detect", "--case", str(demo), "--queries", str(tmp_path / "queries")])
    assert result.exit_code == 4
    assert "FAILED " in result.stderr and "bad.sql" in result.stderr and "broken" in result.stderr
    assert sql(demo, "SELECT detection_id, findings FROM detection_run ORDER BY ALL", "--format", "csv")[1] == (
        "detection_id,findings\nbad,\ngood,2\n"
    )


def test_query_lists_and_runs(demo: Path) -> None:
    listed = runner.invoke(app, ["query"])
    assert listed.exit_code == 0 and "security_log_cleared" in listed.stdout
    ran = runner.invoke(app, ["query", "security_log_cleared", "--case", str(demo), "--format", "json"])
    assert [row["computer"] for row in json.loads(ran.stdout)] == ["SRV02.corp.example.test"]
    wrong = runner.invoke(app, ["query", "security_log_clear", "--case", str(demo)])
    assert wrong.exit_code == 3 and "did you mean security_log_cleared" in wrong.stderr
    assert runner.invoke(app, ["query", "security_log_cleared", "--case", str(demo), "-p", "x=1"]).exit_code == 2


def test_info_shows_every_log_with_its_hash(demo: Path) -> None:
    result = runner.invoke(app, ["info", "--case", str(demo), "--format", "json"])
    logs = json.loads(result.stdout)
    assert len(logs) == 25
    assert all(len(log["sha256"]) == 64 and log["expected"] == log["parsed"] for log in logs)


def test_report_is_the_same_bytes_twice_and_keeps_to_its_window(demo: Path, tmp_path: Path) -> None:
    def report(*options: str) -> str:
        result = runner.invoke(app, ["report", "--case", str(demo), "-o", str(tmp_path / "r.html"), *options])
        assert result.exit_code == 0, result.stderr
        return (tmp_path / "r.html").read_text()

    assert report() == report()
    assert "Event log cleared" in report("--host", "SRV02", "--from", "2025-03-04T09:41:00Z")
    assert "The Security log was cleared" not in report("--to", "2025-03-04T09:00:00Z")
    assert "Europe/Vienna" in report("--tz", "Europe/Vienna")


def test_lint_is_clean_and_its_problems_are_an_exit_status(tmp_path: Path) -> None:
    assert runner.invoke(app, ["lint"]).exit_code == 0
    (tmp_path / "detections").mkdir()
    (tmp_path / "detections" / "x.sql").write_text("SELECT 1")
    result = runner.invoke(app, ["lint", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stdout == f"{tmp_path}/detections/x.sql:1: the file must begin with a line `-- ---`\n"


def test_prompt_answers_completes_and_leaves(case: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "evtxhunt", "sql", "--case", str(case)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
        close_fds=True,
    )
    os.close(follower)
    shown = read_until(leader, b"evtxhunt>")
    for line, expected in (
        (b"SELECT 40 + 2\r", b"..."),
        (b"AS answer;\r", b"42"),
        (b"SELECT nothing FROM nowhere;\r", b"error: "),
        (b".schema parse_failure\r", b"header_record_id"),
        (b".quit\r", b""),
    ):
        os.write(leader, line)
        shown += read_until(leader, expected)
    assert process.wait(timeout=30) == 0, shown
    os.close(leader)
    assert "SELECT 40 + 2" in (tmp_path / "evtxhunt" / "sql_history").read_text()


def read_until(descriptor: int, wanted: bytes, seconds: float = 30) -> bytes:
    import select

    data, end = b"", time.monotonic() + seconds
    while wanted not in data or not wanted:
        assert time.monotonic() < end, data
        if select.select([descriptor], [], [], 0.2)[0]:
            try:
                data += os.read(descriptor, 65536)
            except OSError:  # the other side has closed
                break
        elif not wanted:
            break
    return data


def test_detect_shows_its_steps_on_a_terminal_and_none_in_a_pipe(case: Path, tmp_path: Path) -> None:
    copy = tmp_path / "case.duckdb"
    copy.write_bytes(case.read_bytes())
    command = [sys.executable, "-m", "evtxhunt", "detect", "--case", str(copy)]
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower, close_fds=True)
    os.close(follower)
    shown = read_until(leader, b"no findings")
    assert process.wait(timeout=60) == 0
    os.close(leader)
    assert b"remoting_session" in shown, "a table"
    assert b"wsman_fan_out" in shown, "a detection"
    piped = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    assert [piped[0], piped[1].split(" ", 1)[1], len(piped)] == ["(0 rows)", "detections: no findings", 2]
