"""Reports for tests: a realistic one, one with a burst of findings, an empty one."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from remoting import with_remoting

from evtxhunt.model import (
    ChannelCount,
    Level,
    Report,
    ReportDetection,
    ReportFailure,
    ReportFinding,
    ReportRecord,
    ReportSource,
    SkippedFile,
)

DC, WS, SRV = "DC1", "WS07", "SRV-FILE"
DOMAIN = "corp.example"

_SECURITY = ("Security", "Microsoft-Windows-Security-Auditing")
_EVENTLOG = ("Security", "Microsoft-Windows-Eventlog")
_WINRM = ("Microsoft-Windows-WinRM/Operational", "Microsoft-Windows-WinRM")
_SYSMON = ("Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon")
_SYSTEM = ("System", "Service Control Manager")

# id: title, level, ATT&CK, (channel, provider), event id
_DETECTIONS: dict[str, tuple[str, Level, tuple[str, ...], tuple[str, str], int]] = {
    "logon_failure_burst": ("Burst of failed logons from one source", "medium", ("T1110.001",), _SECURITY, 4625),
    "password_spray": ("One source tries many accounts", "high", ("T1110.003",), _SECURITY, 4648),
    "winrm_authentication": ("User authenticated to WinRM", "informational", ("T1021.006",), _WINRM, 169),
    "remoting_host_child": (
        "Program started inside a remoting session",
        "high",
        ("T1021.006", "T1059.001"),
        _SYSMON,
        1,
    ),
    "encoded_command_line": ("Encoded or hidden command line", "high", ("T1027.010", "T1059.001"), _SECURITY, 4688),
    "pass_the_hash_source": (
        "Logon with other network credentials (type 9, seclogo)",
        "critical",
        ("T1550.002",),
        _SECURITY,
        4624,
    ),
    "suspicious_service_installed": (
        "Service that runs a shell or a temporary file",
        "high",
        ("T1543.003", "T1569.002"),
        _SYSTEM,
        7045,
    ),
    "security_log_cleared": ("Security log cleared", "critical", ("T1070.001",), _EVENTLOG, 1102),
    "explicit_credential_use": (
        "Another account's password used towards a server",
        "low",
        ("T1078",),
        _SECURITY,
        4648,
    ),
}

# minutes after 01:00, detection, host, user, summary, event data
_EVENTS: tuple[tuple[float, str, str, str | None, str, dict[str, Any]], ...] = (
    *(
        (
            2.0 + number * 0.4,
            "logon_failure_burst",
            DC,
            "administrator",
            f"{12 + number} failed logons of administrator from 10.1.2.77 within 5 minutes",
            {
                "TargetUserName": "administrator",
                "IpAddress": "10.1.2.77",
                "Status": "0xc000006d",
                "SubStatus": "0xc000006a",
            },
        )
        for number in range(9)
    ),
    (
        9.1,
        "password_spray",
        DC,
        "j.wrig",
        "10.1.2.77 tried 41 accounts in 5 minutes 15 seconds",
        {"TargetUserName": "a.kent", "IpAddress": "10.1.2.77"},
    ),
    *(
        (
            14.0 + number * 3.1,
            "explicit_credential_use",
            WS,
            "j.wrig",
            f"CORP\\j.wrig used the password of CORP\\svc-backup towards {SRV}",
            {
                "SubjectUserName": "j.wrig",
                "TargetUserName": "svc-backup",
                "TargetServerName": SRV,
                "ProcessName": "C:\\Windows\\System32\\svchost.exe",
            },
        )
        for number in range(6)
    ),
    (
        21.0,
        "encoded_command_line",
        WS,
        "j.wrig",
        "powershell.exe -NoP -sta -NonI -W Hidden -Enc WwBSAEUARgBdAC4AQQBTAFMARQBNAEIATAB5AC4ARwBFAFQAVABZAFAAZQAoA",
        {
            "NewProcessName": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
            "CommandLine": "powershell.exe -NoP -sta -NonI -W Hidden -Enc WwBSAEUARgBdAC4AQQBTAFMARQBNAEIATAB5AC4A",
            "TokenElevationType": "%%1937",
        },
    ),
    (
        23.5,
        "pass_the_hash_source",
        WS,
        "j.wrig",
        "Logon type 9 by seclogo: j.wrig now acts on the network as CORP\\da-smith",
        {
            "TargetUserName": "j.wrig",
            "LogonType": 9,
            "LogonProcessName": "seclogo",
            "TargetOutboundUserName": "da-smith",
        },
    ),
    *(
        (
            31.0 + number * 1.7,
            "winrm_authentication",
            SRV,
            "CORP\\da-smith",
            "CORP\\da-smith authenticated with NTLM",
            {"username": "CORP\\da-smith", "authenticationMechanism": "NTLM"},
        )
        for number in range(12)
    ),
    *(
        (
            32.2 + number * 2.3,
            "remoting_host_child",
            SRV,
            "CORP\\da-smith",
            f"wsmprovhost.exe started {program}",
            {
                "Image": f"C:\\Windows\\System32\\{program.split()[0]}",
                "CommandLine": program,
                "ParentImage": "C:\\Windows\\System32\\wsmprovhost.exe",
                "User": "CORP\\da-smith",
            },
        )
        for number, program in enumerate(
            (
                "whoami.exe /all",
                'net.exe group "Domain Admins" /domain',
                "reg.exe save HKLM\\SAM C:\\Windows\\Temp\\s",
                "vssadmin.exe create shadow /for=C:",
            )
        )
    ),
    (
        44.0,
        "suspicious_service_installed",
        DC,
        "LocalSystem",
        "Service updsvc runs %COMSPEC% /c echo kfrq > \\\\.\\pipe\\kfrq",
        {
            "ServiceName": "updsvc",
            "ImagePath": "%COMSPEC% /c echo kfrq > \\\\.\\pipe\\kfrq",
            "StartType": "demand start",
        },
    ),
    (
        44.6,
        "suspicious_service_installed",
        DC,
        "LocalSystem",
        "Service PSEXESVC runs %SystemRoot%\\PSEXESVC.exe",
        {"ServiceName": "PSEXESVC", "ImagePath": "%SystemRoot%\\PSEXESVC.exe"},
    ),
    (
        51.2,
        "security_log_cleared",
        DC,
        "da-smith",
        "CORP\\da-smith cleared the Security log",
        {"LogFileCleared": {"SubjectUserName": "da-smith", "SubjectDomainName": "CORP"}},
    ),
    (
        52.9,
        "security_log_cleared",
        SRV,
        "da-smith",
        "CORP\\da-smith cleared the Security log",
        {"LogFileCleared": {"SubjectUserName": "da-smith", "SubjectDomainName": "CORP"}},
    ),
)

_ERROR = "Binder Error: column targt_user_name does not exist"
_START = datetime(2026, 3, 14, 1, 0, 0, 123456)


def realistic_report(**changes: Any) -> Report:
    """Three hosts, about forty findings over an hour, a damaged log, a failed detection and skipped files."""
    channels = sorted({(host, _DETECTIONS[detection][3][0]) for _, detection, host, *_ in _EVENTS})
    sources = tuple(
        ReportSource(
            source_file_id=number,
            path=f"/evidence/{host}/C/Windows/System32/winevt/Logs/{channel.replace('/', '%4')}.evtx",
            sha256=hashlib.sha256(f"{host}{channel}".encode()).hexdigest(),
            size=1_118_208 + 4_194_304 * number,
            status="damaged" if number == 2 else "complete",
            copy_of=None,
            host=host,
            computer=f"{host}.{DOMAIN}",
            channel=channel,
            expected=2_261 + 5_000 * number,
            parsed=2_261 + 5_000 * number - (3 if number == 2 else 0),
            failed=3 if number == 2 else 0,
            duplicate=40 if number == 3 else 0,
            first_time=_START - timedelta(hours=5 + number),
            last_time=_START + timedelta(hours=2),
        )
        for number, (host, channel) in enumerate(channels, start=1)
    )
    sources += (
        replace(
            sources[0],
            source_file_id=len(sources) + 1,
            path="/evidence/DC1/copy/System.evtx",
            status="copy",
            copy_of=1,
            expected=None,
            parsed=None,
            failed=None,
            duplicate=None,
        ),
    )
    place = {(source.host, source.channel): index for index, source in enumerate(sources[:-1])}
    findings, records = [], []
    for minutes, detection_id, host, user, summary, event_data in _EVENTS:
        title, level, attack, (channel, provider), event_id = _DETECTIONS[detection_id]
        time = _START + timedelta(minutes=minutes)
        own = 3 if detection_id == "logon_failure_burst" else 1
        first = len(records)
        for number in range(own):
            records.append(
                ReportRecord(
                    event_key=4_000 + len(records),
                    event_time=time + timedelta(seconds=number),
                    host=host,
                    computer=f"{host}.{DOMAIN}",
                    channel=channel,
                    provider=provider,
                    event_id=event_id,
                    event_record_id=70_000 + len(records),
                    user_sid="S-1-5-18",
                    event_data=json.dumps(event_data),
                    source=place[host, channel],
                    record_offset=0x2200 + 640 * len(records),
                    copies=((len(sources) - 1, str(12 + len(records))),) if host == "DC1" else (),
                    copy_count=12 if host == "DC1" else 0,
                )
            )
        findings.append(
            ReportFinding(
                finding_id=len(findings) + 1,
                detection_id=detection_id,
                title=title,
                level=level,
                attack=attack,
                event_time=time,
                host=host,
                computer=f"{host}.{DOMAIN}",
                user_name=user,
                summary=summary,
                details=json.dumps({"failures": 12, "source_ip": "10.1.2.77"}) if own > 1 else None,
                records=tuple(range(first, first + own)),
                record_count=15 if own > 1 else own,
            )
        )
    ran = [
        ReportDetection(
            detection_id=detection_id,
            title=title,
            level=level,
            description="What the log says when this happens, and why it matters to an investigation.",
            attack=attack,
            false_positives=("An administrator doing this by hand",),
            references=("https://attack.mitre.org/techniques/T1110/001", "Microsoft, Windows security auditing"),
            findings=sum(finding.detection_id == detection_id for finding in findings),
            error=None,
            sql=f"SELECT event_time, host, computer\nFROM event\nWHERE channel = '{channel}' AND event_id = {event_id}",
        )
        for detection_id, (title, level, attack, (channel, _), event_id) in sorted(_DETECTIONS.items())
    ]
    silent = replace(ran[0], detection_id="golden_ticket", title="Kerberos ticket without its request", findings=0)
    failed = replace(ran[0], detection_id="own_rule", title="A rule of our own", findings=None, error=_ERROR)
    report = Report(
        title="ACME 2026-03: intrusion at the Graz site",
        version="0.1.0",
        time_zone="UTC",
        window=(None, None),
        only_host=None,
        event_count=148_202,
        first_time=_START - timedelta(hours=12),
        last_time=_START + timedelta(hours=2),
        channels=tuple(
            ChannelCount(
                host,
                channel,
                16_000,
                _START - timedelta(minutes=40 if host == WS else 700),
                _START + timedelta(minutes=45 if host == WS else 120),
            )
            for host, channel in channels
        ),
        findings=tuple(findings),
        finding_count=len(findings),
        records=tuple(records),
        sources=sources,
        failures=tuple(
            ReportFailure(
                1,
                "record",
                12 + number,
                790_528 + 65_536 * number,
                3_050 + number,
                "the record's size field is larger than its chunk",
            )
            for number in range(3)
        ),
        failure_count=3,
        skipped=(
            SkippedFile(Path("/evidence/DC1/notes.txt"), "not an event log", 1_204),
            SkippedFile(Path("/evidence/WS07/Application.evtx"), "empty", 0),
        ),
        detections=(*ran, silent, failed),
    )
    return replace(with_remoting(report), **changes)


def burst_report(number: int, *, seconds: float = 1.0) -> Report:
    """So many findings of one host and level, spread over `seconds`, each with one record."""
    base = realistic_report()
    findings = tuple(
        replace(
            base.findings[0],
            finding_id=index + 1,
            event_time=_START + timedelta(seconds=seconds * index / number),
            summary=f"failed logon number {index}",
            records=(index,),
            record_count=1,
        )
        for index in range(number)
    )
    records = tuple(replace(base.records[0], event_key=index, event_record_id=index) for index in range(number))
    return replace(
        base, findings=findings, finding_count=number, records=records, sessions=(), hops=(), paths=(), lines=()
    )


def empty_report() -> Report:
    """A case without logs and without anything known."""
    return Report("empty", "0.1.0", "UTC", (None, None), None, 0, None, None, (), (), 0, (), (), (), 0, (), ())
