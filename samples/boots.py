"""A reboot: the events that end one boot session and begin the next."""

import struct
from datetime import datetime, timedelta

from samples import shapes, values
from samples.logons import subject
from samples.scenario import NOBODY, SYSTEM, ZERO_GUID, Account, Event, Host, milliseconds

_OLD_VERSIONS = {7601: (6, 1), 9600: (6, 3)}


def reboot(host: Host, at: datetime, *, seconds: float = 48, is_clean: bool = True) -> list[Event]:
    """The host goes down at `at` and is up after `seconds`; from then on its logon ids begin anew.

    A clean shutdown leaves 1100, 6006 and 13; after a power cut the next start writes 6008.
    """
    events: list[Event] = []
    if is_clean:
        stopped = at + milliseconds(2200)
        events = [
            host.log(shapes.LOG_SERVICE_SHUTDOWN, at, by=host.event_log),
            host.log(shapes.LOG_SERVICE_STOPPED, at + milliseconds(40), by=0, binary=struct.pack("<Q", 1)),
            host.log(shapes.KERNEL_STOPPED, stopped, by=host.kernel, fields={"StopTime": host.shown(stopped)}),
        ]
    start = at + timedelta(seconds=seconds)
    host.start_again(start)
    return events + _start_up(host, start, None if is_clean else at)


def _start_up(host: Host, start: datetime, lost_power_at: datetime | None) -> list[Event]:
    """12, 6009, 6005, 4608, the system's own logon of type 0, and the WinRM service on a server."""
    major, minor = _OLD_VERSIONS.get(host.build, (10, 0))
    log_start = start + timedelta(seconds=6)
    shown = values.systemtime(host.shown(log_start)).data + bytes(8)
    events = [
        host.log(
            shapes.KERNEL_STARTED,
            start,
            by=host.kernel,
            fields={
                "MajorVersion": major,
                "MinorVersion": minor,
                "BuildVersion": host.build,
                "QfeVersion": 1,
                "ServiceVersion": 0,
                "BootMode": 0,
                "StartTime": host.shown(start),
            },
        ),
        host.log(
            shapes.OS_VERSION,
            log_start,
            by=0,
            strings=(f"{major}.{minor:02}.", str(host.build), "", "Multiprocessor Free", "0"),
        ),
        host.log(shapes.LOG_SERVICE_STARTED, log_start + milliseconds(1), by=0, binary=shown),
    ]
    if lost_power_at is not None:
        lost = host.shown(lost_power_at)
        strings = (f"{lost:%I:%M:%S %p}".lstrip("0"), f"{lost.month}/{lost.day}/{lost.year}", "", "", "81920", "", "")
        events.append(
            host.log(shapes.UNEXPECTED_SHUTDOWN, log_start + milliseconds(2), by=0, strings=strings, binary=shown)
        )
    events.append(host.log(shapes.SYSTEM_STARTUP, start + timedelta(seconds=8), by=host.lsass))
    events.append(_system_logon(host, start + timedelta(seconds=8.02)))
    if host.build in (20348, 9600):
        # Remoting is on by default on servers since 2012 (about_Remote_Requirements, Microsoft Learn).
        events.append(
            host.log(
                shapes.WINRM_LISTENING,
                start + timedelta(seconds=21),
                by=0,
                strings=("HTTP://+:5985/wsman/", "HTTP://+:47001/wsman/"),
            )
        )
    return events


def _system_logon(host: Host, at: datetime) -> Event:
    """4624 of type 0: only SYSTEM, only at start."""
    nobody = Account("-", "-", NOBODY.sid)
    known = subject(nobody, 0) | {
        "TargetUserSid": SYSTEM.sid,
        "TargetUserName": SYSTEM.name,
        "TargetDomainName": SYSTEM.domain,
        "TargetLogonId": host.system.logon_id,
        "LogonType": 0,
        "LogonProcessName": "-",
        "AuthenticationPackageName": "-",
        "WorkstationName": "-",
        "LogonGuid": ZERO_GUID,
        "TransmittedServices": "-",
        "LmPackageName": "-",
        "KeyLength": 0,
        "ProcessId": 4,
        "ProcessName": "",
        "IpAddress": "-",
        "IpPort": "-",
        "ImpersonationLevel": "-",
        "RestrictedAdminMode": "-",
        "TargetOutboundUserName": "-",
        "TargetOutboundDomainName": "-",
        "VirtualAccount": "%%1843",
        "TargetLinkedLogonId": 0,
        "ElevatedToken": "%%1842",
    }
    shape = shapes.LOGON_V0 if host.is_windows_7 else shapes.LOGON if host.is_windows_10 else shapes.LOGON_V1
    return host.log(shape, at, by=host.lsass, fields={name: known[name] for name, _ in shape.fields})
