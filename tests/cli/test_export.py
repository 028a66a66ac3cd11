"""export: one shape for findings and the story's lines, in the formats of the tools next door."""

import csv
import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.render.navigator import TechniqueCount, render_navigator
from tests.conftest import REPOSITORY
from tests.logs import rows

_ALL = "csv,jsonl,parquet,timesketch,navigator"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo"], path)
    return path


@pytest.fixture(scope="module")
def exported(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    result = export(demo, "--to", _ALL, "-o", str(folder))
    assert result.exit_code == 0, result.stderr
    return folder


def export(case: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["export", "--case", str(case), *options])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_same_case_gives_the_same_bytes(demo: Path, exported: Path, tmp_path: Path) -> None:
    assert export(demo, "--to", _ALL, "-o", str(tmp_path)).exit_code == 0
    names = sorted(path.name for path in exported.iterdir())
    assert names == ["evtxhunt.csv", "evtxhunt.jsonl", "evtxhunt.parquet", "navigator.json", "timesketch.jsonl"]
    assert [(tmp_path / name).read_bytes() for name in names] == [(exported / name).read_bytes() for name in names]


def test_every_finding_and_line_is_there_once_with_its_records(demo: Path, exported: Path) -> None:
    found = lines(exported / "evtxhunt.jsonl")
    findings = [row for row in found if row["kind"] == "finding"]
    assert len(findings) == rows(demo, "SELECT count(*) FROM finding")[0][0] > 15
    told = json.loads(CliRunner().invoke(app, ["timeline", "--case", str(demo), "--format", "json"]).stdout)
    assert [row["text"] for row in found if row["kind"] != "finding"] == [
        line["text"] for line in told if line["kind"] != "finding"
    ]
    assert [row["event_time"] for row in found] == sorted(row["event_time"] for row in found)
    cleared = next(row for row in findings if row["detection_id"] == "security_log_cleared")
    assert (cleared["level"], cleared["attack"], cleared["host"]) == ("high", ["T1070.001"], "SRV02")
    logs = dict(rows(demo, "SELECT sha256, channel FROM source_file"))
    assert {"Security"} < {record["channel"] for record in cleared["evidence"]}
    assert all(logs[record["source_sha256"]] == record["channel"] for record in cleared["evidence"])
    assert cleared["evidence_count"] == len(cleared["evidence"]) == 5


def test_a_line_names_its_account(exported: Path) -> None:
    kinds = {row["kind"] for row in lines(exported / "evtxhunt.jsonl") if row["user_name"] == "CORP\\adm-lee"}
    assert {"finding", "session", "process", "logon"} <= kinds


def test_csv_jsonl_and_parquet_hold_the_same(exported: Path) -> None:
    expected = lines(exported / "evtxhunt.jsonl")
    with (exported / "evtxhunt.csv").open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["event_time"] for row in table] == [row["event_time"] for row in expected]
    assert [json.loads(row["evidence"]) for row in table] == [row["evidence"] for row in expected]
    columns = pq.read_table(exported / "evtxhunt.parquet")
    assert columns.column_names == list(expected[0])
    assert columns.column("text").to_pylist() == [row["text"] for row in expected]


def test_timesketch_has_what_it_needs_in_every_row(exported: Path) -> None:
    found = lines(exported / "timesketch.jsonl")
    assert len(found) == len(lines(exported / "evtxhunt.jsonl"))
    for row in found:
        moment = datetime.fromisoformat(row["datetime"])
        assert moment.utcoffset() is not None and round(moment.timestamp() * 1_000_000) == row["timestamp"]
        assert row["message"] and row["timestamp_desc"] and isinstance(row["tag"], list)
        assert not any(isinstance(value, dict) for value in row.values())
    cleared = next(row for row in found if "security_log_cleared" in row["tag"])
    assert cleared["message"].startswith("HIGH: Event log cleared: ")
    assert cleared["tag"] == ["high", "security_log_cleared", "T1070.001"]
    assert re.fullmatch(r"Security 1102 #\d+ sha256:[0-9a-f]{64}", cleared["evidence"][2])


def test_what_timesketch_cannot_hold_is_counted(demo: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    case.write_bytes(demo.read_bytes())
    with duckdb.connect(case) as connection:
        connection.execute("UPDATE finding SET event_time = NULL WHERE finding_id <= 2")
    result = export(case, "--to", "timesketch", "-o", str(tmp_path / "t"))
    assert result.exit_code == 0 and "2 findings without a time left out" in result.stderr
    assert export(case, "--to", "jsonl", "-o", str(tmp_path / "j")).exit_code == 0
    assert len(lines(tmp_path / "t")) == len(lines(tmp_path / "j")) - 2
    assert [row["event_time"] for row in lines(tmp_path / "j")][-2:] == [None, None]


def test_navigator_scores_by_findings(demo: Path, exported: Path) -> None:
    layer = json.loads((exported / "navigator.json").read_text())
    assert layer["versions"]["layer"] == "4.5" and layer["domain"] == "enterprise-attack"
    assert layer["gradient"]["maxValue"] > layer["gradient"]["minValue"]
    scores = {entry["techniqueID"]: entry["score"] for entry in layer["techniques"]}
    counted = rows(demo, "SELECT t, count(*) FROM (SELECT unnest(list_distinct(attack)) AS t FROM finding) GROUP BY t")
    assert scores == dict(counted) and len(scores) > 15 and max(scores, key=lambda name: scores[name]) == "T1021.006"
    entry = next(entry for entry in layer["techniques"] if entry["techniqueID"] == "T1070.001")
    assert entry["comment"] == "high: Event log cleared (security_log_cleared): 1"


def test_hostile_titles_and_ids_stay_text_in_a_layer() -> None:
    hostile = "\u202e</script>\x1b[2J" + "x" * 10_000
    counts = [
        TechniqueCount("T1110", "low", hostile[:40], hostile, 2),
        TechniqueCount("javascript:alert(1)", "high", "a", "b", 3),
        TechniqueCount("T1110\n", "high", "a", "b", 3),
    ]
    layer = json.loads(render_navigator(hostile, counts))
    assert [entry["techniqueID"] for entry in layer["techniques"]] == ["T1110"]
    assert "\u202e" not in json.dumps(layer, ensure_ascii=False) and len(layer["techniques"][0]["comment"]) < 500
    assert json.loads(render_navigator("x", []))["gradient"] == {**layer["gradient"], "maxValue": 1}


def test_formulas_are_neutralised_and_set_aside_findings_left_out(demo: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    case.write_bytes(demo.read_bytes())
    with duckdb.connect(case) as connection:
        connection.execute("UPDATE finding SET user_name = '=cmd|x', summary = '@SUM(1)' WHERE finding_id = 1")
        connection.execute("UPDATE finding SET allowed_reason = 'known' WHERE finding_id = 2")
    assert export(case, "--to", "csv", "-o", str(tmp_path / "e.csv")).exit_code == 0
    table = list(csv.DictReader(io.StringIO((tmp_path / "e.csv").read_text(encoding="utf-8"), newline="")))
    findings = [row for row in table if row["kind"] == "finding"]
    assert len(findings) == rows(demo, "SELECT count(*) - 1 FROM finding")[0][0]
    assert [(row["user_name"], row["text"]) for row in findings if "SUM" in row["text"]] == [("'=cmd|x", "'@SUM(1)")]


def test_one_host_can_be_asked_for_and_routine_added(demo: Path, exported: Path, tmp_path: Path) -> None:
    def texts(*options: str) -> list[str]:
        assert export(demo, "--to", "jsonl", "-o", str(tmp_path / "x"), *options).exit_code == 0
        return [row["text"] for row in lines(tmp_path / "x")]

    whole = [row["text"] for row in lines(exported / "evtxhunt.jsonl")]
    assert 0 < len(texts("--host", "srv03")) < len(whole)
    assert all(row["host"] == "SRV03" for row in lines(tmp_path / "x") if row["kind"] == "finding")
    assert len(texts("--routine")) > len(whole)


@pytest.mark.parametrize("to", ["", "xml", "csv,xml", ","])
def test_wrong_formats_are_exit_status_2(demo: Path, tmp_path: Path, to: str) -> None:
    result = export(demo, "--to", to, "-o", str(tmp_path / "x"))
    assert result.exit_code == 2 and "timesketch" in result.stderr and not (tmp_path / "x").exists()


def test_one_format_has_a_name_of_its_own(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = export(demo, "--to", "navigator")
    assert result.exit_code == 0 and result.stderr == "navigator written to navigator.json\n"
    (tmp_path / "file").write_text("")
    result = export(demo, "--to", "csv,jsonl", "-o", "file")
    assert result.exit_code == 3 and "cannot be written" in result.stderr
