"""`report` as a responder calls it: formats, templates and redaction, and what it says when asked for nonsense."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo"], path)
    return path


def report(case: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["report", "--case", str(case), *options])


def test_markdown_goes_to_report_md_and_is_the_same_twice(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = []
    for _ in range(2):
        result = report(demo, "--format", "markdown")
        assert result.exit_code == 0 and result.stderr == "report written to report.md\n"
        written.append((tmp_path / "report.md").read_bytes())
    assert written[0] == written[1]
    text = written[0].decode()
    assert "- **Event log cleared** (`security_log_cleared`, `T1070.001`): 1 finding" in text
    assert "by `explicit_credentials`; `svc-backup` goes on as `adm-lee`" in text
    assert "Limited to** host `SRV03`" in written_with(demo, tmp_path, "--format", "markdown", "--host", "SRV03")


def written_with(case: Path, folder: Path, *options: str) -> str:
    result = report(case, "-o", str(folder / "written"), *options)
    assert result.exit_code == 0, result.stderr
    return (folder / "written").read_text(encoding="utf-8")


def test_own_templates_are_used_and_wrong_ones_told_at_once(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "style.css").write_text("h1 { color: red }", encoding="utf-8")
    page = written_with(demo, tmp_path, "--templates", str(folder))
    assert "<style>h1 { color: red }\n" in page and "--ground:" not in page.split("@media print")[0]
    (folder / "wrong.css").write_text("", encoding="utf-8")
    result = report(demo, "-o", str(tmp_path / "none.html"), "--templates", str(folder))
    assert result.exit_code == 3 and result.stderr.count("\n") == 1 and "is called wrong.css" in result.stderr
    assert not (tmp_path / "none.html").exists()
    assert report(demo, "--templates", str(folder), "--format", "markdown").exit_code == 2
