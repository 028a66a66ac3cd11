"""Allow-lists: what they fit is set aside with its reason and counted; nothing else, and nothing in silence."""

from datetime import date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evtxhunt.allow import Allowed
from evtxhunt.cli import app
from evtxhunt.model import Finding
from evtxhunt.pipeline.ingest import ingest
from tests.conftest import REPOSITORY
from tests.logs import rows

FINDING = Finding(
    "psexec_service",
    "t",
    "high",
    (),
    datetime(2026, 5, 1, 23, 59),
    "SRV02",
    "SRV02.example.test",
    "EX\\bob",
    "ran x.exe",
    (1,),
)


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        (Allowed("psexec_service", "r"), True),
        (Allowed("dcsync", "r"), False),
        (Allowed("psexec_service", "r", host="srv02"), True),
        (Allowed("psexec_service", "r", host="SRV02.EXAMPLE.TEST"), True),
        (Allowed("psexec_service", "r", host="srv0"), False),
        (Allowed("psexec_service", "r", user="BOB"), True),
        (Allowed("psexec_service", "r", user="ex\\bob"), True),
        (Allowed("psexec_service", "r", user="ob"), False),
        (Allowed("psexec_service", "r", summary_contains="X.EXE"), True),
        (Allowed("psexec_service", "r", host="srv02", user="eve"), False),
        (Allowed("psexec_service", "r", until=date(2026, 5, 1)), True),
        (Allowed("psexec_service", "r", until=date(2026, 4, 30)), False),
    ],
)
def test_an_entry_fits_what_it_says(entry: Allowed, fits: bool) -> None:
    assert entry.fits(FINDING) is fits


def detect(case: Path, allow: Path, text: str, *more: str) -> tuple[int, str, str]:
    allow.write_text(text)
    result = CliRunner().invoke(app, ["detect", "--case", str(case), "--allow", str(allow), *more])
    return result.exit_code, result.stdout, result.stderr


def test_what_is_allowed_is_set_aside_counted_and_kept(tmp_path: Path) -> None:
    case, allow = tmp_path / "case.duckdb", tmp_path / "allow.toml"
    ingest([REPOSITORY / "samples" / "demo"], case)
    CliRunner().invoke(app, ["detect", "--case", str(case)])
    ((every,),) = rows(case, "SELECT count(*) FROM finding")
    text = '[[allow]]\ndetection = "psexec_service"\nreason = "ticket 7 <script>"\n'
    status, shown, talk = detect(case, allow, text)
    assert status == 0
    assert "psexec_service" not in shown
    assert "set aside by the allow-list: 1 of psexec_service: ticket 7 <script>" in talk
    assert rows(case, "SELECT count(*), count(allowed_reason) FROM finding") == [(every, 1)]
    report = tmp_path / "report.html"
    assert CliRunner().invoke(app, ["report", "--case", str(case), "-o", str(report)]).exit_code == 0
    page = report.read_text()
    assert "set aside as known to be good" in page
    assert "ticket 7 &lt;script&gt;" in page
    assert "ticket 7 <script>" not in page
    assert "A PsExec-like tool ran on SRV02" not in page


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[allow]]\n", "detection and reason are needed"),
        ('[[allow]]\ndetection = "dcsync"\nreason = " "\n', "detection and reason are needed"),
        ('[[allow]]\ndetection = "dcsinc"\nreason = "r"\n', "did you mean dcsync"),
        ('[[allow]]\ndetection = "dcsync"\nreason = "r"\nhots = "x"\n', "unknown key hots"),
        ('[[allow]]\ndetection = "dcsync"\nreason = "r"\nuntil = "soon"\n', "until must be a date"),
        ("allow = 3\n", "holds [[allow]] tables"),
        ("[[allow\n", "cannot be read"),
    ],
)
def test_a_bad_allow_list_is_one_line(text: str, complaint: str, tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo" / "WS07"], case)
    status, _, talk = detect(case, tmp_path / "allow.toml", text)
    assert status == 3
    assert complaint in talk
    assert len(talk.strip().splitlines()) == 1


def test_a_detection_explains_itself_and_where_it_could_find_anything(tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo" / "WS07"], case)
    result = CliRunner().invoke(app, ["query", "lsass_memory_access", "--explain", "--case", str(case)])
    assert result.exit_code == 0
    for part in ("critical or medium; ATT&CK T1003.001", "What else looks like it:", "gap_minutes = 10", "ws07.corp"):
        assert part in result.stdout
    assert CliRunner().invoke(app, ["query", "--explain"]).exit_code == 2
