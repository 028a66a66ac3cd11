"""The report's section on remoting, made from the demo: sessions, hops, and the security page."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from evtxhunt.pipeline import report_remoting
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import load_query_set
from evtxhunt.pipeline.report import ReportOptions, gather_report, write_report
from tests.conftest import REPOSITORY
from tests.logs import make_log


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("remoting") / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo"], path)
    return path


def section(case: Path, **options: object) -> str:
    page = write_report(case, load_query_set(), ReportOptions(**options))  # type: ignore[arg-type]
    found = re.findall(r'<section id="(?:sessions|hops)".*?</section>', page, re.DOTALL)
    assert len(found) == 2
    return re.sub(r"<[^>]+>", "", "".join(found))


def test_sessions_hops_and_statements_are_shown_with_their_records(case: Path) -> None:
    text = re.sub(r"\s+", " ", section(case))
    assert "CORP\\svc-backup (powershell, Kerberos)" in text
    assert "ws07.corp.example.test → srv02.corp.example.test → srv03.corp.example.test (session 4 to 5)" in text
    assert "svc-backup → adm-lee" in text
    assert re.search(r"Security 4648 #\d+, WinRM 6 #\d+", text)
    assert "The second hop is impossible by default violated" in text


def test_the_section_keeps_to_the_scope(case: Path) -> None:
    query_set = load_query_set()
    whole = gather_report(case, query_set, ReportOptions())
    assert (len(whole.sessions), len(whole.hops), len(whole.review)) == (7, 2, 19)
    one_host = gather_report(case, query_set, ReportOptions(host="SRV03"))
    assert [session.target for session in one_host.sessions] == ["srv03.corp.example.test"]
    assert [hop.via for hop in one_host.hops] == ["srv03.corp.example.test"]
    late = gather_report(case, query_set, ReportOptions(start=datetime(2025, 3, 4, 9, 40)))
    assert [session.start_time.hour for session in late.sessions] == [9]


def test_a_case_without_remoting_says_so(tmp_path: Path) -> None:
    path = tmp_path / "case.duckdb"
    (tmp_path / "Security.evtx").write_bytes(make_log(3))
    ingest([tmp_path / "Security.evtx"], path)
    text = section(path)
    assert "No remoting session is witnessed by these logs." in text
    assert "No second hop is witnessed by these logs." in text


def test_what_does_not_fit_is_counted_and_told_where_to_find(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = gather_report(case, load_query_set(), ReportOptions())
    assert (report.session_count, report.hop_count) == (len(report.sessions), len(report.hops))
    assert "left out" not in section(case)
    monkeypatch.setattr(report_remoting, "MOST_SESSIONS", 1)
    text = re.sub(r"\s+", " ", section(case))
    assert f"{report.session_count - 1} sessions left out of {report.session_count}, the latest ones." in text
    assert f"{report.hop_count - 1} second hop" in text and "evtxhunt hops" in text
