"""`info --manifest`: all that a case was made from and by, the same bytes every time."""

import json
import re
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from tests.logs import make_log

runner = CliRunner()
HOSTILE = '\x1b]0;owned\x07"},{"a\n\u202e.evtx'


@pytest.fixture
def case(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "b.evtx").write_bytes(make_log(5))
    (folder / "c.evtx").write_bytes(make_log(5))
    (folder / "cut.evtx").write_bytes(make_log(100, "WS02")[: 4096 + 5000])
    (folder / HOSTILE).write_bytes(make_log(2, HOSTILE))
    (folder / "notes.txt").write_text("no log")
    (folder / "same.evtx").symlink_to(folder / "b.evtx")
    ingest([folder], tmp_path / "case.duckdb", host="SRV01")
    return tmp_path / "case.duckdb"


def manifest(case: Path, *options: str) -> str:
    result = runner.invoke(app, ["info", "--manifest", "--case", str(case), *options])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_manifest_tells_inputs_runs_and_counts(case: Path) -> None:
    found = json.loads(manifest(case))
    assert list(found) == ["case", "counts", "inputs", "skipped", "runs", "wall_clock_of_runs"]
    assert found["case"] == {"schema_version": 3, "created_by": "0.1.0", "rule_set_sha256": None}
    assert found["counts"] == {
        "events": {"live": 17},
        "findings": {},
        "logs": {"complete": 2, "copy": 1, "damaged": 1},
        "parse_failures": {"chunk": 1, "record": 90},
        "records": {"duplicate": 0, "expected": 107, "failed": 90, "parsed": 17, "rescued": 0},
        "skipped_files": {"not an event log": 1, "the same file": 1},
    }
    folder = case.parent / "evidence"
    assert [item["path"] for item in found["inputs"]] == sorted(
        str(folder / name) for name in ("b.evtx", "c.evtx", "cut.evtx", HOSTILE)
    )
    cut = next(item for item in found["inputs"] if item["path"].endswith("cut.evtx"))
    content = (folder / "cut.evtx").read_bytes()
    assert (cut["sha256"], cut["size"], cut["status"]) == (sha256(content).hexdigest(), 9096, "damaged")
    assert (cut["expected"], cut["parsed"], cut["rescued"], cut["failed"], cut["slack"]) == (100, 10, 0, 90, 0)
    assert [(item["path"], item["reason"]) for item in found["skipped"]] == [
        (str(folder / "notes.txt"), "not an event log"),
        (str(folder / "same.evtx"), f"the same file as {folder / 'b.evtx'}"),
    ]
    (run,) = found["runs"]
    assert (run["command"], run["arguments"]) == (
        "ingest",
        {"paths": [str(folder)], "host": "SRV01", "recover": False, "carve": [], "ansi_codec": "windows-1252"},
    )
    assert {"evtxhunt", "evtx", "duckdb", "python"} <= set(run["versions"]) and run["is_finished"] is True


def test_the_same_case_gives_the_same_bytes_and_no_clock_but_the_stored_one(case: Path, tmp_path: Path) -> None:
    before = case.read_bytes()
    first = manifest(case)
    assert manifest(case, "-o", str(tmp_path / "manifest.json")) == ""
    assert (tmp_path / "manifest.json").read_text(encoding="utf-8") == first
    assert case.read_bytes() == before
    with duckdb.connect(case) as connection:
        connection.execute("UPDATE run SET started_at = '2001-02-03 04:05:06', ended_at = NULL")
    body, clock = manifest(case).split('"wall_clock_of_runs"')
    assert json.loads("{" + clock.removeprefix(": [\n{").split("}")[0] + "}") == {
        "run_id": 1,
        "started_at": "2001-02-03T04:05:06.000000Z",
        "ended_at": None,
    }
    assert body == first.split('"wall_clock_of_runs"')[0].replace('"is_finished": true', '"is_finished": false')
    assert not re.search(r"\d{4}-\d{2}-\d{2}T", body)


def test_rows_of_a_table_in_any_order_give_the_same_bytes(case: Path) -> None:
    before = manifest(case)
    with duckdb.connect(case) as connection:
        for table in ("source_file", "skipped_file", "parse_failure"):
            connection.execute(f"CREATE TEMP TABLE turned AS FROM {table} ORDER BY rowid DESC")
            connection.execute(f"DELETE FROM {table}")
            connection.execute(f"INSERT INTO {table} FROM turned")
            connection.execute("DROP TABLE turned")
    assert manifest(case) == before


def test_detect_adds_its_run_and_the_hash_of_the_rules(case: Path) -> None:
    assert runner.invoke(app, ["detect", "--case", str(case)]).exit_code == 0
    found = json.loads(manifest(case))
    assert [run["command"] for run in found["runs"]] == ["ingest", "detect"]
    assert found["case"]["rule_set_sha256"] == found["runs"][1]["rule_set_sha256"]
    assert re.fullmatch("[0-9a-f]{64}", found["case"]["rule_set_sha256"])


def test_hostile_names_are_escaped_and_come_back_as_they_were(case: Path) -> None:
    text = manifest(case)
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    hostile = [item for item in json.loads(text)["inputs"] if item["path"].endswith(HOSTILE)]
    assert [item["computer"] for item in hostile] == [HOSTILE]


def test_manifest_is_json_and_nothing_else(case: Path) -> None:
    result = runner.invoke(app, ["info", "--manifest", "--case", str(case), "--format", "csv"])
    assert result.exit_code == 2 and "always JSON" in result.stderr
    assert json.loads(manifest(case, "--format", "json"))
