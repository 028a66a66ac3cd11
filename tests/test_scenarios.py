"""The detections on every scenario: what the truth expects is found, and nothing else."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evtxhunt.cli import app
from evtxhunt.model import LEVELS
from samples.build import build_scenario, write_files
from samples.scenarios import scenarios
from tests.conftest import REPOSITORY
from tests.logs import rows

SCENARIOS = {scenario.name: scenario for scenario in scenarios()}
AVAILABLE = {path.stem for path in (REPOSITORY / "queries" / "detections").glob("*.sql")}


@pytest.fixture(scope="module", params=SCENARIOS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """(scenario, folder) with its logs ingested and all detections run."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    write_files(build_scenario(SCENARIOS[name]), folder / name)
    for arguments in (["ingest", str(folder / name)], ["detect"]):
        result = CliRunner().invoke(app, [*arguments, "--case", str(folder / "case.duckdb")])
        assert result.exit_code == 0, result.stderr
    return name, folder


def truth(case: tuple[str, Path]) -> dict[str, Any]:
    name, folder = case
    return tomllib.loads((folder / name / "truth.toml").read_text())


def findings(case: tuple[str, Path], least: str = "low") -> dict[tuple[str, str, str], set[tuple[str, int]]]:
    """(finding, detection, host) -> records, as file and EventRecordID."""
    levels = ", ".join(f"'{level}'" for level in LEVELS[LEVELS.index(least) :])
    name, folder = case
    found: dict[tuple[str, str, str], set[tuple[str, int]]] = {}
    for finding, detection, host, path, number in rows(
        folder / "case.duckdb",
        "SELECT finding_id, detection_id, f.host, s.path, e.event_record_id FROM finding AS f"
        " JOIN finding_evidence USING (finding_id) JOIN event AS e USING (event_key)"
        f" JOIN source_file AS s USING (source_file_id) WHERE f.level IN ({levels})",
    ):
        file = Path(str(path)).relative_to(folder / name).as_posix()
        found.setdefault((str(finding), str(detection), str(host).partition(".")[0]), set()).add(
            (file, int(str(number)))
        )
    return found


def named(entry: dict[str, Any], key: str) -> set[tuple[str, int]]:
    return {(record["file"], record["event_record_id"]) for record in entry.get(key, [])}


def test_every_record_is_ingested(case: tuple[str, Path]) -> None:
    ((expected, parsed, failed, events),) = rows(
        case[1] / "case.duckdb",
        "SELECT sum(expected), sum(parsed), sum(failed), (SELECT count(*) FROM event) FROM source_file",
    )
    assert expected == parsed == events
    assert failed == 0


def test_what_is_expected_is_found(case: tuple[str, Path]) -> None:
    found = findings(case, "informational")
    for entry in truth(case).get("expected", []):
        cited = {
            record
            for (_, detection, host), records in found.items()
            if (detection, host) == (entry["detection"], entry["host"])
            for record in records
        }
        assert named(entry, "records") <= cited, (entry["detection"], entry["text"])


def test_nothing_else_is_found(case: tuple[str, Path]) -> None:
    entries = truth(case).get("expected", [])
    for (_, detection, host), records in findings(case).items():
        allowed = {
            record
            for entry in entries
            if entry["detection"] == detection
            for record in named(entry, "records") | named(entry, "related")
        }
        assert records <= allowed, (detection, host, sorted(records - allowed))


def test_near_misses_are_not_cited(case: tuple[str, Path]) -> None:
    found = findings(case)
    for entry in truth(case).get("near_miss", []):
        for (_, detection, _), records in found.items():
            if detection == entry["detection"]:
                assert not records & named(entry, "records"), entry["text"]


def test_named_detections_exist() -> None:
    detections: set[str] = set()
    for path in (REPOSITORY / "samples" / "truth").glob("*/truth.toml"):
        told = tomllib.loads(path.read_text())
        detections |= {entry["detection"] for entry in (*told.get("expected", []), *told.get("near_miss", []))}
    assert detections <= AVAILABLE
