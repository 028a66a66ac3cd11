"""Logon events of the Security log, in the version that the host's Windows writes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from samples import shapes
from samples.scenario import (
    HIGH,
    MEDIUM,
    NETWORK_SERVICE,
    NETWORK_SERVICE_LOGON_ID,
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
from samples.shape import FieldInput, Shape

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


Package = Literal["Kerberos", "NTLM", "CredSSP", "Basic"]
ANONYMOUS = Account("ANONYMOUS LOGON", "NT AUTHORITY", "S-1-5-7")


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


def _logon_shape(host: Host) -> Shape:
    """Version 0 up to Windows 7 and Server 2008 R2, 1 on 8.1 and 2012 R2, 2 from 10 and 2016 on."""
    if host.is_windows_7:
        return shapes.LOGON_V0
    return shapes.LOGON if host.is_windows_10 else shapes.LOGON_V1


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
    shape = _logon_shape(host)
    known = defaults | fields
    return host.log(
        shape,
        at,
        by=host.lsass,
        fields={name: known[name] for name, _ in shape.fields},
        activity_id=host.new_guid(),
    )


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
    host: Host,
    at: datetime,
    account: Account,
    source: Source,
    *,
    label: str,
    package: Package = "Kerberos",
    logon_guid: str | None = None,
    impersonation: str = "%%1833",
    transmitted: str = "-",
    key_length: int = 128,
    session: Session | None = None,
    has_special: bool = True,
) -> tuple[Session, list[Event]]:
    """The logon a server sees, with its 4672 if the token is elevated.

    Kerberos knows no workstation, NTLM no GUID. A Kerberos logon has the GUID that the domain controller
    wrote in the 4769 of its ticket: `logon_guid`. CredSSP gives the server the password: type 8,
    NetworkCleartext ("Administrative tools and logon types", Microsoft Learn; from memory: process and
    package of that one). `impersonation` %%1840 is a delegated token, `transmitted` the services of S4U2Proxy.
    """
    session = session or host.new_session(account, at, label)
    is_ntlm = package == "NTLM"
    fields: dict[str, FieldInput] = subject(NOBODY, 0) | {
        "LogonType": 3,
        "LogonProcessName": "NtLmSsp " if is_ntlm else "Kerberos",
        "AuthenticationPackageName": "NTLM" if is_ntlm else "Kerberos",
        "WorkstationName": source.workstation if is_ntlm else "-",
        "LogonGuid": ZERO_GUID if is_ntlm else logon_guid or host.new_guid(),
        "TransmittedServices": transmitted,
        "LmPackageName": "NTLM V2" if is_ntlm else "-",
        "KeyLength": key_length if is_ntlm else 0,
        "IpAddress": source.address,
        "IpPort": str(source.port),
        "ImpersonationLevel": impersonation,
    }
    if package in ("CredSSP", "Basic"):
        fields |= subject(NETWORK_SERVICE, NETWORK_SERVICE_LOGON_ID) | {
            "LogonType": 8,
            "LogonProcessName": "Advapi  ",
            "AuthenticationPackageName": "Negotiate",
            "ProcessId": host.winrm.pid,
            "ProcessName": host.winrm.image,
        }
    events = [_log_on(host, at, session, fields)]
    if label == HIGH and has_special:
        events.append(special_logon(host, at + milliseconds(0.2), session))
    return session, events


def virtual_logon(host: Host, at: datetime, account: Account) -> tuple[Session, list[Event]]:
    """The logon of a WinRM virtual account, which JEA runs as: an administrator's token of its own.

    From memory: type and process; the SID S-1-5-94-* and VirtualAccount %%1842 are documented.
    """
    session = host.new_session(account, at, HIGH)
    fields = subject(NETWORK_SERVICE, NETWORK_SERVICE_LOGON_ID) | {
        "LogonType": 5,
        "LogonProcessName": "Advapi  ",
        "AuthenticationPackageName": "Negotiate",
        "ProcessId": host.winrm.pid,
        "ProcessName": host.winrm.image,
        "VirtualAccount": "%%1842",
    }
    return session, [_log_on(host, at, session, fields), special_logon(host, at + milliseconds(0.2), session)]


def run_as_logon(host: Host, at: datetime, account: Account) -> tuple[Session, list[Event]]:
    """WinRM logs on the account of a RunAs endpoint with its stored password. From memory: type 4 and the 4648."""
    session = host.new_session(account, at, HIGH)
    service = host.network_service
    explicit = explicit_credential(host, at, service, host.winrm, account, "localhost", "localhost")
    fields = subject(service.account, service.logon_id) | {
        "LogonType": 4,
        "LogonProcessName": "Advapi  ",
        "AuthenticationPackageName": "Negotiate",
        "ProcessId": host.winrm.pid,
        "ProcessName": host.winrm.image,
    }
    logon = _log_on(host, at + milliseconds(1), session, fields)
    return session, [explicit, logon, special_logon(host, at + milliseconds(1.2), session)]


def group_membership(host: Host, at: datetime, session: Session, groups: tuple[str, ...]) -> Event:
    """4627: the groups, as SIDs, in the token of a network logon. Windows 10 and 2016 on, if audited."""
    fields = subject(NOBODY, 0) | {
        "TargetUserSid": session.account.sid,
        "TargetUserName": session.account.name,
        "TargetDomainName": session.account.domain,
        "TargetLogonId": session.logon_id,
        "LogonType": 3,
        "EventIdx": 1,
        "EventCountTotal": 1,
        "GroupMembership": "".join(f"\r\n\t\t%{{{sid}}}" for sid in groups),
    }
    return host.log(shapes.GROUP_MEMBERSHIP, at, by=host.lsass, fields=fields)


def anonymous_logon(host: Host, at: datetime, source: Source) -> tuple[Session, Event]:
    """What a server sees of a session that has no credentials to pass on: ANONYMOUS LOGON by NTLM."""
    session, (event,) = network_logon(host, at, ANONYMOUS, source, package="NTLM", label=MEDIUM)
    return session, event


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
    host: Host,
    at: datetime,
    caller: Session,
    by: Process,
    target: Account,
    server: str,
    target_info: str,
    *,
    target_logon_guid: str = ZERO_GUID,
) -> Event:
    """4648: `target`'s credentials are used towards `server`.

    `target_info` is the SPN; `HTTP/server` for WinRM is from memory. `target_logon_guid` equals the GUID of
    the logon on the server if the ticket was had by Kerberos (Microsoft Learn, event 4648).
    """
    fields = subject(caller.account, caller.logon_id) | {
        "LogonGuid": ZERO_GUID,
        "TargetUserName": target.name,
        "TargetDomainName": target.domain,
        "TargetLogonGuid": target_logon_guid,
        "TargetServerName": server,
        "TargetInfo": target_info,
        "ProcessId": by.pid,
        "ProcessName": by.image,
        "IpAddress": "-",
        "IpPort": "-",
    }
    return host.log(shapes.EXPLICIT_CREDENTIAL, at, by=host.lsass, fields=fields)
