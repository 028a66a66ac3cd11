"""The README's commands work as they stand there."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.damage import write_logs
from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from tests.conftest import REPOSITORY
from tests.detection_table import detection_table, shown_table
from tests.logs import make_log

SIGMA_RULE = """title: Log cleared
logsource: {product: windows, service: security}
detection: {selection: {EventID: 1102}, condition: selection}
"""
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
# Indented lines are commands; what follows two spaces and # is a comment.
COMMANDS = [re.sub(r"\s{2,}#.*", "", line).strip() for line in re.findall(r"^ {4}(evtxhunt .*)$", README, re.MULTILINE)]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("readme") / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo"], path)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_readme_works(command: str, case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVTXHUNT_CASE", str(case))
    if " damaged " in command:
        write_logs(tmp_path / "damaged", is_small_only=True)
    if "memory.raw" in command:
        (tmp_path / "memory.raw").write_bytes(bytes(1000) + make_log(3)[4096:])
    with zipfile.ZipFile(tmp_path / "sigma_all_rules.zip", "w") as archive:  # in place of SigmaHQ's
        archive.writestr("rules/windows/rule.yml", SIGMA_RULE)
    arguments = shlex.split(command.replace("/evidence", str(REPOSITORY / "samples" / "demo")))[1:]
    # In a process of its own, as there: `ingest` and `triage` fork, which a process with threads should not.
    # `sql` without SQL reads it from stdin where there is no terminal.
    result = subprocess.run(
        [sys.executable, "-m", "evtxhunt", *arguments],
        input="SELECT 1" if arguments == ["sql"] else "",
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_readme_has_commands_and_links_that_exist() -> None:
    assert len(COMMANDS) >= 8
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (REPOSITORY / target).exists(), target


@pytest.mark.parametrize(
    "command",
    [
        "ingest",
        "report",
        "detect",
        "query",
        "sql",
        "info",
        "verify",
        "lint",
        "demo",
        "sessions",
        "hops",
        "coverage",
        "timeline",
        "export",
        "triage",
        "rules",
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_the_table_of_detections_is_that_of_the_files() -> None:
    assert shown_table() == detection_table(), "renew it: python -m tests.detection_table"
