"""Logon events as Windows 10 and Server 2022 log them in the Security log."""

from dataclasses import dataclass
from datetime import datetime

from samples import shapes
from samples.scenario import (
    HIGH,
    MEDIUM,
    NOBODY,
    SYSTEM_LOGON_ID,
    ZERO_GUID,
    Account,
    Event,
    Host,
    Process,
    Session,
    milliseconds,
)
from samples.shape import FieldInput

_ELEVATED = {True: "%%1842", False: "%%1843"}
_ADMIN_PRIVILEGES = (
    "SeSecurityPrivilege",
    "SeBackupPrivilege",
    "SeRestorePrivilege",
    "SeTakeOwnershipPrivilege",
    "SeDebugPrivilege",
    "SeSystemEnvironmentPrivilege",
    "SeLoadDriverPrivilege",
    "SeImpersonatePrivilege",
    "SeDelegateSessionUserImpersonatePrivilege",
)
_SERVICE_PRIVILEGES = (
    "SeAssignPrimaryTokenPrivilege",
    "SeTcbPrivilege",
    "SeSecurityPrivilege",
    "SeTakeOwnershipPrivilege",
    "SeLoadDriverPrivilege",
    "SeBackupPrivilege",
    "SeRestorePrivilege",
    "SeDebugPrivilege",
    "SeAuditPrivilege",
    "SeSystemEnvironmentPrivilege",
    "SeImpersonatePrivilege",
    "SeDelegateSessionUserImpersonatePrivilege",
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network logon comes from."""

    address: str
    port: int
    workstation: str = "-"


def subject(account: Account, logon_id: int) -> dict[str, FieldInput]:
    return {
        "SubjectUserSid": account.sid,
        "SubjectUserName": account.name,
        "SubjectDomainName": account.domain,
        "SubjectLogonId": logon_id,
    }


def _host_subject(host: Host) -> dict[str, FieldInput]:
    """Services appear under the SID of SYSTEM and the name of the computer account."""
    return subject(Account(host.account.name, host.account.domain, "S-1-5-18"), SYSTEM_LOGON_ID)


def _log_on(host: Host, at: datetime, session: Session, fields: dict[str, FieldInput]) -> Event:
    defaults: dict[str, FieldInput] = {
        "TargetUserSid": session.account.sid,
        "TargetUserName": session.account.name,
        "TargetDomainName": session.account.domain,
        "TargetLogonId": session.logon_id,
        "WorkstationName": "-",
        "LogonGuid": ZERO_GUID,
        "TransmittedServices": "-",
        "LmPackageName": "-",
        "KeyLength": 0,
        "ProcessId": 0,
        "ProcessName": "-",
        "IpAddress": "-",
        "IpPort": "-",
        "ImpersonationLevel": "%%1833",
        "RestrictedAdminMode": "-",
        "TargetOutboundUserName": "-",
        "TargetOutboundDomainName": "-",
        "VirtualAccount": "%%1843",
        "TargetLinkedLogonId": 0,
        "ElevatedToken": _ELEVATED[session.label != MEDIUM],
    }
    return host.log(shapes.LOGON, at, by=host.lsass, fields=defaults | fields, activity_id=host.new_guid())


def special_logon(host: Host, at: datetime, session: Session) -> Event:
    """4672, which follows the logon of an administrator or a service."""
    is_service = session.logon_id == SYSTEM_LOGON_ID
    privileges = _SERVICE_PRIVILEGES if is_service else _ADMIN_PRIVILEGES
    return host.log(
        shapes.SPECIAL_LOGON,
        at,
        by=host.lsass,
        fields=subject(session.account, session.logon_id) | {"PrivilegeList": "\r\n\t\t\t".join(privileges)},
    )


def network_logon(
    host: Host, at: datetime, account: Account, source: Source, *, is_ntlm: bool = False, label: str
) -> tuple[Session, list[Event]]:
    """Type 3 with its 4672 if the token is elevated. Kerberos knows no workstation, NTLM no GUID."""
    session = host.new_session(account, at, label)
    fields: dict[str, FieldInput] = subject(NOBODY, 0) | {
        "LogonType": 3,
        "LogonProcessName": "NtLmSsp " if is_ntlm else "Kerberos",
        "AuthenticationPackageName": "NTLM" if is_ntlm else "Kerberos",
        "WorkstationName": source.workstation if is_ntlm else "-",
        "LogonGuid": ZERO_GUID if is_ntlm else host.new_guid(),
        "LmPackageName": "NTLM V2" if is_ntlm else "-",
        "KeyLength": 128 if is_ntlm else 0,
        "IpAddress": source.address,
        "IpPort": str(source.port),
    }
    events = [_log_on(host, at, session, fields)]
    if label == HIGH:
        events.append(special_logon(host, at + milliseconds(0.2), session))
    return session, events


def interactive_logon(host: Host, at: datetime, session: Session, linked_logon_id: int) -> Event:
    """Type 2 by Winlogon's svchost. An administrator gets two, linked to each other."""
    return _log_on(
        host,
        at,
        session,
        _host_subject(host)
        | {
            "LogonType": 2,
            "LogonProcessName": "User32 ",
            "AuthenticationPackageName": "Negotiate",
            "WorkstationName": host.name,
            "LogonGuid": host.new_guid(),
            "ProcessId": host.scheduler.pid,
            "ProcessName": host.scheduler.image,
            "IpAddress": "127.0.0.1",
            "IpPort": "0",
            "TargetLinkedLogonId": linked_logon_id,
        },
    )


def service_logon(host: Host, at: datetime) -> list[Event]:
    """Type 5 of SYSTEM, the most frequent logon of a quiet host, with its 4672."""
    logon = _log_on(
        host,
        at,
        host.system,
        _host_subject(host)
        | {
            "LogonType": 5,
            "LogonProcessName": "Advapi  ",
            "AuthenticationPackageName": "Negotiate",
            "ProcessId": host.services.pid,
            "ProcessName": host.services.image,
        },
    )
    return [logon, special_logon(host, at + milliseconds(0.2), host.system)]


def new_credentials_logon(
    host: Host, at: datetime, caller: Session, outbound: Account, by: Process
) -> tuple[Session, Event]:
    """Type 9: the caller's own token with other credentials for the network, as runas /netonly does.

    Pass-the-hash tools start their process this way and then overwrite the credentials.
    """
    session = host.new_session(caller.account, at, HIGH, caller.terminal)
    fields = subject(caller.account, caller.logon_id) | {
        "LogonType": 9,
        "LogonProcessName": "seclogo",
        "AuthenticationPackageName": "Negotiate",
        "ProcessId": by.pid,
        "ProcessName": "C:\\Windows\\System32\\svchost.exe",
        "IpAddress": "::1",
        "IpPort": "0",
        "TargetOutboundUserName": outbound.name,
        "TargetOutboundDomainName": outbound.domain,
    }
    return session, _log_on(host, at, session, fields)


def logoff(host: Host, at: datetime, session: Session, logon_type: int) -> Event:
    fields: dict[str, FieldInput] = {
        "TargetUserSid": session.account.sid,
        "TargetUserName": session.account.name,
        "TargetDomainName": session.account.domain,
        "TargetLogonId": session.logon_id,
        "LogonType": logon_type,
    }
    return host.log(shapes.LOGOFF, at, by=host.lsass, fields=fields)


def logon_failure(
    host: Host, at: datetime, user_name: str, domain: str, source: Source, *, is_unknown_user: bool = False
) -> Event:
    """4625 of a network logon by NTLM: a wrong password, or a name that does not exist."""
    fields = subject(NOBODY, 0) | {
        "TargetUserSid": NOBODY.sid,
        "TargetUserName": user_name,
        "TargetDomainName": domain,
        "Status": 0xC000006D,
        "FailureReason": "%%2313",
        "SubStatus": 0xC0000064 if is_unknown_user else 0xC000006A,
        "LogonType": 3,
        "LogonProcessName": "NtLmSsp ",
        "AuthenticationPackageName": "NTLM",
        "WorkstationName": source.workstation,
        "TransmittedServices": "-",
        "LmPackageName": "-",
        "KeyLength": 0,
        "ProcessId": 0,
        "ProcessName": "-",
        "IpAddress": source.address,
        "IpPort": str(source.port),
    }
    return host.log(shapes.LOGON_FAILURE, at, by=host.lsass, fields=fields, activity_id=host.new_guid())


def explicit_credential(
    host: Host, at: datetime, caller: Session, by: Process, target: Account, server: str, service: str
) -> Event:
    """4648 towards another host. The SPN `service/server` in TargetInfo is from memory for WinRM."""
    fields = subject(caller.account, caller.logon_id) | {
        "LogonGuid": ZERO_GUID,
        "TargetUserName": target.name,
        "TargetDomainName": target.domain,
        "TargetLogonGuid": ZERO_GUID,
        "TargetServerName": server,
        "TargetInfo": f"{service}/{server}",
        "ProcessId": by.pid,
        "ProcessName": by.image,
        "IpAddress": "-",
        "IpPort": "-",
    }
    return host.log(shapes.EXPLICIT_CREDENTIAL, at, by=host.lsass, fields=fields)
