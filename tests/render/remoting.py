"""Sessions, hops, story lines, coverage and notes for the reports of the tests: WS07 → SRV-FILE → DC1."""

from dataclasses import replace
from datetime import timedelta

from evtxhunt.model import Report, ReportHop, ReportSession
from evtxhunt.report_model import (
    ReportCommand,
    ReportCoverage,
    ReportGap,
    ReportLayer,
    ReportLine,
    ReportNote,
    ReportPath,
    ReportProcess,
    ReportRun,
    ReportSkew,
    ReportWitness,
    SessionDetail,
)

DOMAIN = "corp.example"
_SECURITY = "Security"
_WINRM = "Microsoft-Windows-WinRM/Operational"


def with_remoting(report: Report) -> Report:
    """The report with two sessions, a hop between them, and a line for each finding and some more."""
    start = report.findings[0].event_time
    assert start is not None
    places = tuple(sorted((f"{host.lower()}.{DOMAIN}", host) for host in ("DC1", "SRV-FILE", "WS07")))
    records = len(report.records)

    def layer(text: str) -> ReportLayer:
        return ReportLayer("base64", 1, text, len(text))

    detail = SessionDetail(
        source_ip="10.1.2.77",
        source_user_name="j.wrig",
        user_sid="S-1-5-21-1-2-3-1104",
        logon_type=3,
        target_logon_id=0x3E7A1,
        resource_uri="http://schemas.microsoft.com/powershell/Microsoft.PowerShell",
        host_process_id=8012,
        witnesses=tuple(
            ReportWitness(role, "activity id", place % records)
            for place, role in enumerate(("client_session", "logon", "shell", "host_process", "script_block", "logoff"))
        ),
        witness_count=9,
        gaps=(
            ReportGap("logon", f"srv-file.{DOMAIN}", _SECURITY, True, None),
            ReportGap("engine_start", f"srv-file.{DOMAIN}", "Windows PowerShell", False, "the log was cleared"),
        ),
        commands=(
            ReportCommand(
                "script block",
                start + timedelta(minutes=33),
                "IEX ([Text.Encoding]::Unicode.GetString([Convert]::FromBase64String('dwBoAG8AYQBtAGkA')))",
                87,
                None,
                True,
                2,
                3,
                (layer("whoami"),),
                (4, 5),
                2,
            ),
            ReportCommand(
                "command", start + timedelta(minutes=34), "Get-ChildItem", 13, "C:\\a.ps1", False, 1, 1, (), (6,), 1
            ),
        ),
        command_count=3,
        processes=(
            ReportProcess(1, None, 8012, "wsmprovhost.exe", None, "CORP\\da-smith", start, None, (), (7,), 1),
            ReportProcess(
                2, 1, 8100, "whoami.exe", "whoami.exe /all", "CORP\\da-smith", start, start, (layer("x"),), (8, 9), 2
            ),
        ),
        process_count=2,
    )
    first = ReportSession(
        session_id=1,
        kind="powershell",
        start_time=start + timedelta(minutes=31),
        end_time=start + timedelta(minutes=50),
        end_reason="closed",
        source=f"ws07.{DOMAIN}",
        target=f"srv-file.{DOMAIN}",
        user_name="CORP\\da-smith",
        run_as_user_name=None,
        authentication_package="NTLM",
        script_blocks=2,
        commands=1,
        child_processes=1,
        confidence="high",
        reason="shell, process, logon; client linked by shell id",
        records="WinRM 91 #70012",
        record_count=9,
        missing="engine start: the log was cleared",
        detail=detail,
    )
    second = replace(
        first,
        session_id=2,
        start_time=start + timedelta(minutes=40),
        end_time=None,
        end_reason="unknown",
        source=f"srv-file.{DOMAIN}",
        target=f"dc1.{DOMAIN}",
        run_as_user_name="WinRM VA_1",
        confidence="low",
        detail=SessionDetail(gaps=detail.gaps),
    )
    hop = ReportHop(
        hop_id=1,
        event_time=start + timedelta(minutes=40),
        from_session_id=1,
        to_session_id=2,
        source=f"ws07.{DOMAIN}",
        via=f"srv-file.{DOMAIN}",
        target=f"dc1.{DOMAIN}",
        method="explicit_credentials",
        user_name="CORP\\da-smith",
        next_user_name="CORP\\adm-lee",
        is_failed=False,
        confidence="high",
        reason="4648 within the session's logon",
        records="Security 4648 #70013",
        evidence=(3, 4),
    )
    refused = replace(hop, hop_id=2, to_session_id=None, target="backup9", is_failed=True, method="none", evidence=(5,))
    logons = tuple(
        ReportLine(
            start + timedelta(seconds=30 * number),
            f"dc1.{DOMAIN}",
            "DC1",
            _SECURITY,
            "logon",
            f"CORP\\user{number:02}",
            f"CORP\\user{number:02} logged on (network, Kerberos) from 10.1.2.{number}",
            None,
            None,
            (number % records,),
            1,
        )
        for number in range(200)
    )
    lines = [*logons, *(_finding_line(report, position) for position in range(len(report.findings)))]
    coverage = ReportCoverage(
        f"srv-file.{DOMAIN}",
        "SRV-FILE",
        _SECURITY,
        900,
        start + timedelta(minutes=51),
        start + timedelta(hours=2),
        0,
        start + timedelta(minutes=50.9),
        False,
        "cleared: what was in it before is gone unless it was archived",
    )
    return replace(
        report,
        places=places,
        sessions=(first, second),
        session_count=2,
        hops=(hop, refused),
        hop_count=2,
        lines=tuple(sorted(lines, key=lambda line: (line.event_time is None, line.event_time))),
        line_kinds=(("logon", 1_200),),
        coverage=(
            coverage,
            replace(
                coverage, channel=_WINRM, records=0, first_time=None, last_time=None, cleared_time=None, is_absent=True
            ),
        ),
        skews=(
            ReportSkew(f"dc1.{DOMAIN}", f"srv-file.{DOMAIN}", 0.1, 0.0, 0.2, 5, "ticket", False),
            ReportSkew(f"dc1.{DOMAIN}", f"ws07.{DOMAIN}", 90.0, 89.5, 90.5, 3, "ticket", True),
        ),
        paths=(
            ReportPath(
                1,
                1,
                (1,),
                (f"ws07.{DOMAIN}", f"srv-file.{DOMAIN}", f"dc1.{DOMAIN}"),
                ("da-smith", "adm-lee"),
                ("explicit_credentials",),
                False,
            ),
        ),
        runs=(
            ReportRun("ingest", '{"paths": ["/evidence"]}', '{"evtxhunt": "0.1.0"}', None),
            ReportRun("detect", "{}", '{"evtxhunt": "0.1.0"}', "ab" * 32),
        ),
        notes=(ReportNote("finding/none/0", True, False, "a note that fits nothing here"),),
    )


def _finding_line(report: Report, position: int) -> ReportLine:
    finding = report.findings[position]
    return ReportLine(
        finding.event_time,
        finding.computer.lower() if finding.computer else None,
        finding.host,
        report.records[finding.records[0]].channel,
        "finding",
        finding.user_name,
        f"{finding.title}: {finding.summary}",
        None,
        finding.finding_id,
        finding.records,
        finding.record_count,
    )
