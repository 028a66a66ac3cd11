"""What `gather_report` takes from the demo's case: lines, sessions with their details, coverage, what was run."""

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from evtxhunt.model import Report
from evtxhunt.pipeline import report as report_stage
from evtxhunt.pipeline import report_lines, report_records, report_sessions
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import detect, load_query_set, open_case
from evtxhunt.pipeline.report import ReportOptions, gather_report, write_report
from samples.evtx_writer import build_log, renumber_as_export
from tests.conftest import REPOSITORY
from tests.logs import make_log, make_records


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gather") / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo"], path)
    detect(path, load_query_set())
    return path


@pytest.fixture(scope="module")
def report(case: Path) -> Report:
    return gather_report(case, load_query_set(), ReportOptions())


def test_lines_are_the_story_with_the_findings_between_in_order_of_time(report: Report) -> None:
    times = [line.event_time for line in report.lines if line.event_time is not None]
    assert times == sorted(times)
    found = [line for line in report.lines if line.kind == "finding"]
    assert {line.finding_id for line in found} == {finding.finding_id for finding in report.findings}
    assert sum(count for _, count in report.line_kinds) + len(report.findings) == len(report.lines)
    spray = next(line for line in found if "Password spraying" in line.text)
    assert (spray.host, spray.computer) == ("SRV02", "srv02.corp.example.test")
    whoami = next(line for line in report.lines if line.kind == "script block" and "whoami" in line.text)
    assert (whoami.session_id, whoami.user_name) == (4, "CORP\\svc-backup")
    record = report.records[whoami.records[0]]
    assert (record.event_id, whoami.channel) == (4104, "Microsoft-Windows-PowerShell/Operational")


def test_every_line_session_and_hop_cites_records_that_are_there(report: Report) -> None:
    assert all(line.records for line in report.lines)
    assert all(session.detail.witnesses for session in report.sessions)
    assert all(hop.evidence for hop in report.hops)
    cited = {place for line in report.lines for place in line.records}
    cited |= {witness.record for session in report.sessions for witness in session.detail.witnesses}
    assert max(cited) < len(report.records)
    assert len({record.event_key for record in report.records}) == len(report.records)


def test_session_details_hold_code_processes_and_gaps(report: Report) -> None:
    detail = next(session.detail for session in report.sessions if session.session_id == 4)
    assert (detail.source_ip, detail.source_user_name, detail.logon_type, detail.host_process_id) == (
        "192.0.2.17",
        "jdoe",
        3,
        8012,
    )
    assert [command.text.split("\n")[0][:30] for command in detail.commands[:3]] == [
        "whoami /all",
        "ipconfig /all",
        'net group "Domain Admins" /dom',
    ]
    joined = detail.commands[-1]
    assert joined.parts_total > 1 and joined.parts_found == joined.parts_total == joined.record_count
    root, *children = detail.processes
    assert root.program == "wsmprovhost.exe" and root.parent_key is None
    assert {child.parent_key for child in children} == {root.process_key}
    assert {gap.role for gap in detail.gaps} >= {"shell", "logon", "script_block"}


def test_scope_holds_for_lines_and_sessions_alike(case: Path) -> None:
    query_set = load_query_set()
    late = gather_report(case, query_set, ReportOptions(start=datetime(2025, 3, 4, 9, 40)))
    assert min(line.event_time for line in late.lines if line.event_time) >= datetime(2025, 3, 4, 9, 40)
    one = gather_report(case, query_set, ReportOptions(host="SRV03"))
    assert {line.host for line in one.lines} == {"SRV03"}
    assert {row.host for row in one.coverage} == {"SRV03"}


def test_what_does_not_fit_is_left_out_by_weight_and_counted(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query_set = load_query_set()
    monkeypatch.setattr(report_lines, "MOST_LINES", 80)
    few = gather_report(case, query_set, ReportOptions())
    assert len(few.lines) == 80
    kinds = {line.kind for line in few.lines}
    assert {"finding", "session", "hop", "log cleared"} <= kinds and "logon" not in kinds
    html = write_report(case, query_set, ReportOptions())
    total = sum(count for _, count in few.line_kinds)
    assert f"<strong>{total - 80 + len(few.findings)} lines left out</strong> of {total}" in html
    assert "evtxhunt timeline --format csv -o timeline.csv" in html


def test_event_data_beyond_the_budget_is_left_out_and_said_so(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gather_report(case, load_query_set(), ReportOptions())
    monkeypatch.setattr(report_records, "_MOST_EVENT_DATA", 5_000)
    report = gather_report(case, load_query_set(), ReportOptions())
    kept = [record for record in report.records if record.event_data is not None]
    assert 0 < sum(len(record.event_data or "") for record in kept) <= 5_000
    assert [record.event_key for record in report.records] == [record.event_key for record in whole.records]
    for part, full in zip(report.records, whole.records, strict=True):
        assert part.is_data_left_out == (full.event_data is not None and part.event_data is None)
        assert not full.is_data_left_out
    cited = {place for finding in report.findings for place in finding.records}
    cited |= {place for hop in report.hops for place in hop.evidence}
    assert {report.records.index(record) for record in kept} <= cited  # what findings and hops rest on comes first


def test_texts_of_sessions_keep_to_their_budget(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_sessions, "_MOST_TEXT", 600)
    report = gather_report(case, load_query_set(), ReportOptions())
    commands = [command for session in report.sessions for command in session.detail.commands]
    assert all(len(command.text) <= 600 for command in commands)
    cut = [command for command in commands if len(command.text) < command.length]
    assert cut and all(len(command.text) == 500 for command in cut)


def test_manifest_has_no_wall_clock_and_the_same_case_gives_the_same_bytes(case: Path) -> None:
    query_set = load_query_set()
    report = gather_report(case, query_set, ReportOptions())
    assert [run.command for run in report.runs] == ["ingest", "detect"]
    assert report.runs[1].rule_set_sha256
    first = write_report(case, query_set, ReportOptions())
    detect(case, query_set)  # another run of the same rules is no other result
    assert write_report(case, query_set, ReportOptions()) == first


def test_texts_that_are_absurdly_long_are_cut_and_say_how_long_they_are(tmp_path: Path) -> None:
    path = tmp_path / "case.duckdb"
    (tmp_path / "Security.evtx").write_bytes(make_log(2, computer="C" * 3_000))
    ingest([tmp_path / "Security.evtx"], path)
    with duckdb.connect(str(path)) as connection:
        sql = f"SELECT {report_records.cut_sql('computer', 10)}, {report_records.cut_sql('channel', 500)} FROM event"
        assert connection.execute(sql).fetchone() == ("CCCCCCCCCC… (10 of 3000 characters)", "Security")
    detect(path, load_query_set())
    report = gather_report(path, load_query_set(), ReportOptions())
    assert all(len(record.computer or "") < 600 for record in report.records)


def test_a_record_names_the_other_logs_that_hold_it(tmp_path: Path) -> None:
    records = make_records(3)
    logs = {"a": make_records(3), "b": make_records(2), "c": renumber_as_export(records[1:]), "d": make_records(3)}
    for name, content in logs.items():
        (tmp_path / f"{name}.evtx").write_bytes(build_log(content))
    case = tmp_path / "case.duckdb"
    ingest([tmp_path], case)
    picker = report_records.RecordPicker()
    picker.want([1, 2], 0)
    with open_case(case, load_query_set()) as connection:
        found = picker.read(connection, {1: 0, 2: 1, 3: 2, 4: 3})
        sources = report_stage._sources(connection)
    assert [(record.source, record.copies, record.copy_count) for record in found] == [
        (0, ((1, "1"), (3, "1")), 2),
        (0, ((1, "2"), (2, "1"), (3, "2")), 3),
    ]
    assert [(source.parsed, source.duplicate, source.last_time) for source in sources] == [
        (3, 0, datetime(2026, 5, 1, 12, 0, 3)),
        (2, 2, datetime(2026, 5, 1, 12, 0, 2)),
        (2, 2, datetime(2026, 5, 1, 12, 0, 3)),
        (3, 3, datetime(2026, 5, 1, 12, 0, 3)),
    ]
