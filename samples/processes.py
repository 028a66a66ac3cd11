"""Process and service events: Security 4688 and 4689, Sysmon 1, 3, 5 and 11, System 7036 and 7045."""

import hashlib
from datetime import datetime
from ntpath import basename

from samples import shapes
from samples.logons import subject
from samples.scenario import HIGH, LABELS, MEDIUM, NOBODY, Event, Host, Process, Session, milliseconds
from samples.shape import FieldInput, Shape

_SYSTEM_PROCESS = 4
_SYSMON_SID = "S-1-5-18"
_WINDOWS = "Microsoft® Windows® Operating System"
_MICROSOFT = "Microsoft Corporation"
# What an image's version resource says: description, product, company. Others show "-".
_VERSIONS = {
    "powershell.exe": ("Windows PowerShell", _WINDOWS, _MICROSOFT),
    "cmd.exe": ("Windows Command Processor", _WINDOWS, _MICROSOFT),
    "whoami.exe": ("whoami - displays logged on user information", _WINDOWS, _MICROSOFT),
    "ipconfig.exe": ("IP Configuration Utility", _WINDOWS, _MICROSOFT),
    "net.exe": ("Net Command", _WINDOWS, _MICROSOFT),
    "net1.exe": ("Net Command", _WINDOWS, _MICROSOFT),
    "nltest.exe": ("Microsoft® Logon Server Test Utility", _WINDOWS, _MICROSOFT),
    "systeminfo.exe": ("Displays system information", _WINDOWS, _MICROSOFT),
    "wevtutil.exe": ("Eventing Command Line Utility", _WINDOWS, _MICROSOFT),
    "wsmprovhost.exe": ("Host process for WinRM plug-ins", _WINDOWS, _MICROSOFT),
    "svchost.exe": ("Host Process for Windows Services", _WINDOWS, _MICROSOFT),
    "taskhostw.exe": ("Host Process for Windows Tasks", _WINDOWS, _MICROSOFT),
    "PSEXESVC.exe": ("PsExec Service", "Sysinternals PsExec", "Sysinternals"),
    "PsExec64.exe": ("Execute processes remotely", "Sysinternals PsExec", "Sysinternals"),
}


def sysmon_time(host: Host, at: datetime) -> str:
    shown = host.shown(at)
    return f"{shown:%Y-%m-%d %H:%M:%S}.{shown.microsecond // 1000:03d}"


def _file_version(host: Host, company: str) -> str:
    system = "6.1" if host.is_windows_7 else "10.0" if host.is_windows_10 else "6.3"
    windows = f"{system}.{host.build}.1 (WinBuild.160101.0800)"
    return {_MICROSOFT: windows, "Sysinternals": "2.43"}.get(company, "-")


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper()


def _hashes(image: str) -> str:
    """Hashes of the image's name, not of any file: the logs are synthetic and must match nothing."""
    seed = f"synthetic {image.lower()}".encode()
    imphash = _md5(seed + b" imports")
    return f"MD5={_md5(seed)},SHA256={hashlib.sha256(seed).hexdigest().upper()},IMPHASH={imphash}"


def start_process(
    host: Host,
    at: datetime,
    parent: Process,
    image: str,
    command_line: str,
    *,
    session: Session | None = None,
    folder: str = "C:\\Windows\\system32\\",
    has_audit: bool = True,
) -> tuple[Process, list[Event]]:
    """A new process: Sysmon 1, and 4688 with the command line if `has_audit`.

    If it runs in another session than its creator, 4688 names the creator as subject and the session as
    target; otherwise the target is nobody.
    """
    owner = session or parent.session
    pid = host.new_pid()
    process = Process(pid, host.sysmon_guid(at, pid), image, command_line, owner)
    events = []
    if has_audit:
        events.append(_audit_start(host, at, process, parent))
    name = basename(image)
    description, product, company = _VERSIONS.get(name, ("-", "-", "-"))
    fields: dict[str, FieldInput] = {
        "RuleName": "-",
        "UtcTime": sysmon_time(host, at),
        "ProcessGuid": process.guid,
        "ProcessId": pid,
        "Image": image,
        "FileVersion": _file_version(host, company),
        "Description": description,
        "Product": product,
        "Company": company,
        "OriginalFileName": "-" if description == "-" else name,
        "CommandLine": command_line,
        "CurrentDirectory": folder,
        "User": owner.account.full_name,
        "LogonGuid": host.sysmon_guid(owner.start, owner.logon_id),
        "LogonId": owner.logon_id,
        "TerminalSessionId": owner.terminal,
        "IntegrityLevel": LABELS[owner.label],
        "Hashes": _hashes(image),
        "ParentProcessGuid": parent.guid,
        "ParentProcessId": parent.pid,
        "ParentImage": parent.image,
        "ParentCommandLine": parent.command_line,
        "ParentUser": parent.session.account.full_name,
    }
    events.append(
        host.log(
            shapes.SYSMON_PROCESS_START,
            at + milliseconds(3),
            by=host.sysmon,
            fields=fields,
            user_sid=_SYSMON_SID,
        )
    )
    return process, events


def _audit_start(host: Host, at: datetime, process: Process, parent: Process) -> Event:
    owner, creator = process.session, parent.session
    is_handed_over = owner.logon_id != creator.logon_id
    target = owner.account if is_handed_over else NOBODY
    known: dict[str, FieldInput] = _subject_of(host, creator) | {
        "NewProcessId": process.pid,
        "NewProcessName": process.image,
        "TokenElevationType": _elevation_type(owner),
        "ProcessId": parent.pid,
        "CommandLine": process.command_line if host.has_command_lines else "",
        "TargetUserSid": target.sid,
        "TargetUserName": target.name,
        "TargetDomainName": target.domain,
        "TargetLogonId": owner.logon_id if is_handed_over else 0,
        "ParentProcessName": parent.image,
        "MandatoryLabel": owner.label,
    }
    shape = _start_shape(host)
    fields = {name: known[name] for name, _ in shape.fields}
    return host.log(shape, at, by=_SYSTEM_PROCESS, fields=fields)


def _start_shape(host: Host) -> Shape:
    """Version 0 up to Windows 7 and Server 2008 R2, 1 with the command line on 8.1 and 2012 R2, 2 from 10 on."""
    if host.is_windows_7:
        return shapes.PROCESS_START_V0
    return shapes.PROCESS_START if host.is_windows_10 else shapes.PROCESS_START_V1


def _elevation_type(session: Session) -> str:
    """Full or limited for the halves of an interactive logon; a token that was not split is default."""
    is_split = session.terminal != 0
    return {MEDIUM: "%%1938", HIGH: "%%1937"}[session.label] if is_split else "%%1936"


def _subject_of(host: Host, session: Session) -> dict[str, FieldInput]:
    """SYSTEM is named by the computer account in these events."""
    if session is not host.system:
        return subject(session.account, session.logon_id)
    return subject(session.account, session.logon_id) | {
        "SubjectUserName": host.account.name,
        "SubjectDomainName": host.account.domain,
    }


def end_process(host: Host, at: datetime, process: Process, *, has_audit: bool = True) -> list[Event]:
    """Sysmon 5, and 4689 if `has_audit`."""
    events = []
    if has_audit:
        fields: dict[str, FieldInput] = _subject_of(host, process.session) | {
            "Status": 0,
            "ProcessId": process.pid,
            "ProcessName": process.image,
        }
        events.append(host.log(shapes.PROCESS_END, at, by=_SYSTEM_PROCESS, fields=fields))
    ended: dict[str, FieldInput] = {
        "RuleName": "-",
        "UtcTime": sysmon_time(host, at),
        "ProcessGuid": process.guid,
        "ProcessId": process.pid,
        "Image": process.image,
        "User": process.session.account.full_name,
    }
    events.append(
        host.log(
            shapes.SYSMON_PROCESS_END,
            at + milliseconds(2),
            by=host.sysmon,
            fields=ended,
            user_sid=_SYSMON_SID,
        )
    )
    return events


def connect(host: Host, at: datetime, process: Process, port: int, target: Host, target_port: int) -> Event:
    """Sysmon 3 of an outgoing TCP connection."""
    fields: dict[str, FieldInput] = {
        "RuleName": "-",
        "UtcTime": sysmon_time(host, at),
        "ProcessGuid": process.guid,
        "ProcessId": process.pid,
        "Image": process.image,
        "User": process.session.account.full_name,
        "Protocol": "tcp",
        "Initiated": True,
        "SourceIsIpv6": False,
        "SourceIp": host.address,
        "SourceHostname": host.computer,
        "SourcePort": port,
        "SourcePortName": "-",
        "DestinationIsIpv6": False,
        "DestinationIp": target.address,
        "DestinationHostname": target.computer,
        "DestinationPort": target_port,
        "DestinationPortName": "-",
    }
    # Sysmon reports a connection about a second after it was made.
    return host.log(
        shapes.SYSMON_CONNECTION, at + milliseconds(1100), by=host.sysmon, fields=fields, user_sid=_SYSMON_SID
    )


def create_file(host: Host, at: datetime, process: Process, path: str) -> Event:
    fields: dict[str, FieldInput] = {
        "RuleName": "-",
        "UtcTime": sysmon_time(host, at),
        "ProcessGuid": process.guid,
        "ProcessId": process.pid,
        "Image": process.image,
        "TargetFilename": path,
        "CreationUtcTime": sysmon_time(host, at),
        "User": process.session.account.full_name,
    }
    return host.log(shapes.SYSMON_FILE_CREATED, at, by=host.sysmon, fields=fields, user_sid=_SYSMON_SID)


def install_service(
    host: Host, at: datetime, name: str, image_path: str, installer_sid: str, account: str = "LocalSystem"
) -> Event:
    fields: dict[str, FieldInput] = {
        "ServiceName": name,
        "ImagePath": image_path,
        "ServiceType": "user mode service",
        "StartType": "demand start",
        "AccountName": account,
    }
    return host.log(shapes.SERVICE_INSTALLED, at, by=host.services, fields=fields, user_sid=installer_sid)


def change_service(host: Host, at: datetime, title: str, name: str, *, is_running: bool) -> Event:
    """7036; its Binary holds the service's short name and state."""
    state = "running" if is_running else "stopped"
    binary = f"{name}/{4 if is_running else 1}\0".encode("utf-16-le")
    return host.log(
        shapes.SERVICE_STATE,
        at,
        by=host.services,
        fields={"param1": title, "param2": state},
        binary=binary,
    )


def set_registry(host: Host, at: datetime, process: Process, key: str, details: str) -> Event:
    """Sysmon 13 of a registry value; `key` is the whole path with the value's name."""
    fields: dict[str, FieldInput] = {
        "RuleName": "-",
        "EventType": "SetValue",
        "UtcTime": sysmon_time(host, at),
        "ProcessGuid": process.guid,
        "ProcessId": process.pid,
        "Image": process.image,
        "TargetObject": key,
        "Details": details,
        "User": process.session.account.full_name,
    }
    return host.log(shapes.SYSMON_REGISTRY_VALUE, at, by=host.sysmon, fields=fields, user_sid=_SYSMON_SID)


def use_pipe(host: Host, at: datetime, process: Process, pipe: str, *, is_new: bool) -> Event:
    """Sysmon 17 of a pipe that is created, 18 of one that is connected to."""
    fields: dict[str, FieldInput] = {
        "RuleName": "-",
        "EventType": "CreatePipe" if is_new else "ConnectPipe",
        "UtcTime": sysmon_time(host, at),
        "ProcessGuid": process.guid,
        "ProcessId": process.pid,
        "PipeName": pipe,
        "Image": process.image,
    }
    shape = shapes.SYSMON_PIPE_CREATED if is_new else shapes.SYSMON_PIPE_CONNECTED
    return host.log(shape, at, by=host.sysmon, fields=fields, user_sid=_SYSMON_SID)
