"""The demo finds what its story holds."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evtxhunt.cli import app
from tests.conftest import REPOSITORY
from tests.logs import rows

DEMO = REPOSITORY / "samples" / "demo"
TRUTH = tomllib.loads((DEMO / "truth.toml").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo")
    result = CliRunner().invoke(app, ["demo", str(path)])
    assert result.exit_code == 0, result.stderr
    return path


def cited(folder: Path, detection: str, host: str | None = None) -> set[tuple[str, int]]:
    """(file below samples/demo, EventRecordID) of all evidence of a detection's findings."""
    where = f" AND f.host = '{host}'" if host else ""
    found = rows(
        folder / "demo.duckdb",
        "SELECT s.path, e.event_record_id FROM finding AS f JOIN finding_evidence USING (finding_id)"
        " JOIN event AS e USING (event_key) JOIN source_file AS s USING (source_file_id)"
        f" WHERE detection_id = '{detection}'{where}",
    )
    return {(Path(str(path)).relative_to(DEMO).as_posix(), int(str(number))) for path, number in found}


def named(records: list[dict[str, object]]) -> set[tuple[str, int]]:
    return {(str(record["file"]), int(str(record["event_record_id"]))) for record in records}


@pytest.mark.parametrize("expected", TRUTH["expected"], ids=lambda item: f"{item['detection']}-{item['text']}")
def test_expected_finding_cites_its_records_and_no_others(expected: dict[str, object], folder: Path) -> None:
    detection = str(expected["detection"])
    found = cited(folder, detection, str(expected["host"]))
    assert named(expected["records"]) <= found  # type: ignore[arg-type]
    allowed = set()
    for item in TRUTH["expected"]:
        if item["detection"] == detection:
            allowed |= named(item["records"]) | named(item.get("related", []))
    assert cited(folder, detection) <= allowed


@pytest.mark.parametrize("near_miss", TRUTH["near_miss"], ids=lambda item: f"{item['detection']}-{item['text']}")
def test_near_miss_is_not_cited(near_miss: dict[str, object], folder: Path) -> None:
    assert not cited(folder, str(near_miss["detection"])) & named(near_miss["records"])  # type: ignore[arg-type]


def test_demo_writes_a_case_and_a_report_and_names_them(folder: Path) -> None:
    assert "evtxhunt" in (folder / "report.html").read_text()
    result = CliRunner().invoke(app, ["demo", str(folder)])
    assert f"report: {folder}/report.html" in result.stderr


def test_demo_is_the_same_bytes_twice(folder: Path, tmp_path: Path) -> None:
    CliRunner().invoke(app, ["demo", str(tmp_path)])
    assert (tmp_path / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_every_record_of_the_demo_is_accounted_for(folder: Path) -> None:
    assert rows(
        folder / "demo.duckdb",
        "SELECT sum(expected), sum(parsed), sum(failed), (SELECT count(*) FROM event) FROM source_file",
    ) == [(912, 912, 0, 912)]


def test_findings_are_json_that_machines_can_read(folder: Path) -> None:
    result = CliRunner().invoke(app, ["detect", "--case", str(folder / "demo.duckdb"), "--format", "jsonl"])
    assert result.exit_code == 0
    assert {"security_log_cleared", "remoting_child_process"} <= {
        json.loads(line)["detection_id"] for line in result.stdout.splitlines()
    }
