"""Events as Sigma's taxonomy has them, read from a case row by row: the other half of the independent evaluator.

After sigma-appendix-taxonomy.md of the Sigma specification, Sysmon's schema, and Microsoft's pages on 4688, 4689, 4657
and 5156; nothing here is read from queries/sigma_logsources.toml.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

SYSMON = "Microsoft-Windows-Sysmon/Operational"
_SYSMON_IDS: Mapping[str, set[int]] = {
    "process_creation": {1},
    "file_change": {2},
    "network_connection": {3},
    "sysmon_status": {4, 16},
    "process_termination": {5},
    "driver_load": {6},
    "image_load": {7},
    "create_remote_thread": {8},
    "raw_access_thread": {9},
    "process_access": {10},
    "file_event": {11},
    "registry_add": {12},
    "registry_delete": {12},
    "registry_set": {13},
    "registry_rename": {14},
    "registry_event": {12, 13, 14},
    "create_stream_hash": {15},
    "pipe_created": {17, 18},
    "wmi_event": {19, 20, 21},
    "dns_query": {22},
    "file_delete": {23, 26},
    "process_tampering": {25},
    "file_executable_detected": {29},
    "sysmon_error": {255},
}
_POWERSHELL = {"Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"}
_POWERSHELL_IDS: Mapping[str, tuple[set[str], int]] = {
    "ps_module": (_POWERSHELL, 4103),
    "ps_script": (_POWERSHELL, 4104),
    "ps_classic_start": ({"Windows PowerShell"}, 400),
    "ps_classic_provider_start": ({"Windows PowerShell"}, 600),
    "ps_classic_script": ({"Windows PowerShell"}, 800),
}
_AUDIT_IDS: Mapping[str, int] = {
    "process_creation": 4688,
    "process_termination": 4689,
    "network_connection": 5156,
    "registry_set": 4657,
    "registry_delete": 4657,
    "registry_event": 4657,
}
# Services whose logs are in the corpora; the channels of all others are told from their names in `is_of`.
_CHANNELS: Mapping[str, set[str]] = {
    "security": {"Security"},
    "system": {"System"},
    "application": {"Application"},
    "sysmon": {SYSMON},
    "powershell": _POWERSHELL,
    "powershell-classic": {"Windows PowerShell"},
    "taskscheduler": {"Microsoft-Windows-TaskScheduler/Operational"},
    "wmi": {"Microsoft-Windows-WMI-Activity/Operational"},
    "windefend": {"Microsoft-Windows-Windows Defender/Operational"},
    "bits-client": {"Microsoft-Windows-Bits-Client/Operational"},
    "applocker": {
        f"Microsoft-Windows-AppLocker/{name}"
        for name in ("EXE and DLL", "MSI and Script", "Packaged app-Deployment", "Packaged app-Execution")
    },
    "appxdeployment-server": {"Microsoft-Windows-AppXDeploymentServer/Operational"},
    "codeintegrity-operational": {"Microsoft-Windows-CodeIntegrity/Operational"},
    "firewall-as": {"Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"},
    "ntlm": {"Microsoft-Windows-NTLM/Operational"},
    "terminalservices-localsessionmanager": {"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"},
    "msexchange-management": {"MSExchange Management"},
    "smbclient-security": {"Microsoft-Windows-SmbClient/Security"},
    "shell-core": {"Microsoft-Windows-Shell-Core/Operational"},
    "openssh": {"OpenSSH/Operational"},
    "driver-framework": {"Microsoft-Windows-DriverFrameworks-UserMode/Operational"},
    "dns-server": {"DNS Server"},
    "dns-client": {"Microsoft-Windows-DNS Client Events/Operational", "Microsoft-Windows-DNS-Client/Operational"},
}
_SYSTEM_ACCOUNTS = {
    "S-1-5-18": "NT AUTHORITY\\SYSTEM",
    "S-1-5-19": "NT AUTHORITY\\LOCAL SERVICE",
    "S-1-5-20": "NT AUTHORITY\\NETWORK SERVICE",
}
_INTEGRITY = {
    "S-1-16-0": "Untrusted",
    "S-1-16-4096": "Low",
    "S-1-16-8192": "Medium",
    "S-1-16-8448": "MediumPlus",
    "S-1-16-12288": "High",
    "S-1-16-16384": "System",
}
_HIVES = (
    ("\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\", "HKLM\\System\\CurrentControlSet\\"),
    ("\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet002\\", "HKLM\\System\\CurrentControlSet\\"),
    ("\\REGISTRY\\MACHINE\\", "HKLM\\"),
    ("\\REGISTRY\\USER\\", "HKU\\"),
)


@dataclass
class _Found:
    """A name in the event's data: how it is written, how deep, and its values."""

    name: str
    depth: int
    values: list[str]


@dataclass
class Event:
    """A row of the case."""

    key: int
    channel: str
    event_id: int | None
    head: Mapping[str, str | None]
    found: Mapping[str, list[_Found]] = field(repr=False)  # by bare name
    texts: Sequence[str] = field(repr=False)

    def own(self, name: str) -> list[str]:
        """What the event calls so, as written before otherwise written, outer before inner."""
        for item in self._named(name):
            if item.values:
                return item.values
        value = self.head.get(bare(name))
        return [value] if value is not None else []

    def has(self, name: str) -> bool:
        """Whether it is there, whatever it holds."""
        return bool(self._named(name)) or self.head.get(bare(name)) is not None

    def one(self, name: str) -> str | None:
        """A value that says something."""
        return next((value for value in self.own(name) if value not in ("", "-")), None)

    def _named(self, name: str) -> list[_Found]:
        return sorted(self.found.get(bare(name), []), key=lambda item: (item.name != name, item.depth))


def bare(name: str) -> str:
    """Without case, blanks and punctuation."""
    return re.sub("[^a-z0-9]", "", name.lower())


class SeenEvent:
    """An event under the names that a log source gives to its fields."""

    def __init__(self, event: Event, renamed: Mapping[str, str | None], is_sysmon_like: bool) -> None:
        self.event = event
        self._known: dict[str, list[str]] = {}
        self._renamed = {bare(name): value for name, value in renamed.items()}
        # The head's process is who wrote the event: Sysmon itself, and no one whom a category asks about.
        self._hidden = {"processid", "threadid"} if is_sysmon_like else set()

    def values(self, name: str) -> list[str]:
        """The field's values."""
        if name not in self._known:
            self._known[name] = self._values(name)
        return self._known[name]

    def _values(self, name: str) -> list[str]:
        if name in ("EventID", "Provider_Name"):
            value = self.event.head["eventid" if name == "EventID" else "provider"]
            return [value] if value is not None else []
        if bare(name) in self._renamed:
            value = self._renamed[bare(name)]
            return [value] if value is not None else []
        if bare(name) in self._hidden and bare(name) not in self.event.found:
            return []
        return self.event.own(name)

    def exists(self, name: str) -> bool:
        """Whether the event has the field."""
        return bool(self.values(name)) or (bare(name) not in self._renamed and self.event.has(name))

    def everything(self) -> Sequence[str]:
        """All values of the event."""
        return self.event.texts


def seen_as(event: Event, logsource: Mapping[str, str]) -> SeenEvent | None:
    """The event for rules of a log source; None if it is none of theirs."""
    category, service = logsource.get("category"), logsource.get("service")
    if category is None:
        if service is not None and event.channel.lower() not in {name.lower() for name in _CHANNELS.get(service, ())}:
            return None
        return SeenEvent(event, {}, False)
    if event.channel == SYSMON and event.event_id in _SYSMON_IDS.get(category, ()):
        return SeenEvent(event, {}, True)
    channels, event_id = _POWERSHELL_IDS.get(category, (set(), 0))
    if event.channel in channels and event.event_id == event_id:
        return SeenEvent(event, {}, True)
    if event.channel == "Security" and event.event_id == _AUDIT_IDS.get(category):
        renamed = _AUDITS[event.event_id](event)
        if event.event_id == 4657:
            wanted = {"registry_set": {"SetValue"}, "registry_delete": {"DeleteValue"}}
            if renamed["EventType"] not in wanted.get(category, {"SetValue", "DeleteValue"}):
                return None
        return SeenEvent(event, renamed, True)
    return None


def _account(event: Event, whose: str) -> str | None:
    """DOMAIN\\user as Sysmon writes it."""
    if known := _SYSTEM_ACCOUNTS.get(event.one(f"{whose}UserSid") or ""):
        return known
    domain, user = event.one(f"{whose}DomainName"), event.one(f"{whose}UserName")
    return f"{domain}\\{user}" if domain and user else (user if whose == "Subject" else None)


def _process_creation(event: Event) -> dict[str, str | None]:
    target_logon = event.one("TargetLogonId")
    return {
        "Image": event.one("NewProcessName"),
        "ParentImage": event.one("ParentProcessName"),
        "ProcessId": event.one("NewProcessId"),
        "ParentProcessId": event.one("ProcessId"),
        "LogonId": target_logon if target_logon not in (None, "0x0") else event.one("SubjectLogonId"),
        "User": _account(event, "Target") or _account(event, "Subject"),
        "IntegrityLevel": _INTEGRITY.get(event.one("MandatoryLabel") or ""),
    }


def _process_termination(event: Event) -> dict[str, str | None]:
    return {"Image": event.one("ProcessName"), "User": _account(event, "Subject")}


def _network_connection(event: Event) -> dict[str, str | None]:
    return {
        "Image": event.one("Application"),
        "SourceIp": event.one("SourceAddress"),
        "DestinationIp": event.one("DestAddress"),
        "DestinationPort": event.one("DestPort"),
        "Initiated": {"%%14592": "false", "%%14593": "true"}.get(event.one("Direction") or ""),
        "Protocol": {"6": "tcp", "17": "udp"}.get(event.one("Protocol") or ""),
    }


def _registry(event: Event) -> dict[str, str | None]:
    key, value = event.one("ObjectName"), event.one("ObjectValueName")
    path = f"{key}\\{value}" if key and value else None
    for old, new in _HIVES:
        if path and path.lower().startswith(old.lower()):
            path = new + path[len(old) :]
            break
    kind = {"%%1904": "SetValue", "%%1905": "SetValue", "%%1906": "DeleteValue"}
    return {
        "Image": event.one("ProcessName"),
        "TargetObject": path,
        "Details": _registry_data(event.one("NewValueType"), event.one("NewValue")),
        "EventType": kind.get(event.one("OperationType") or ""),
    }


def _registry_data(kind: str | None, value: str | None) -> str | None:
    """As Sysmon's event 13 has it."""
    if kind == "%%1875":
        return "Binary Data"
    if value is not None and value.isdecimal():
        if kind == "%%1876":
            return f"DWORD (0x{int(value):08x})"
        if kind == "%%1883":
            return f"QWORD (0x{int(value) >> 32:08x}-0x{int(value) & 0xFFFFFFFF:08x})"
    return value


_AUDITS: Mapping[int, Callable[[Event], dict[str, str | None]]] = {
    4688: _process_creation,
    4689: _process_termination,
    5156: _network_connection,
    4657: _registry,
}


# Reading -----------------------------------------------------------------------------------------------------------


def read_events(connection: duckdb.DuckDBPyConnection) -> Iterator[Event]:
    """Every event that detections look at, in the order of event_key."""
    columns = (
        "event_key, channel, event_id, computer, provider, event_source_name, level, task, opcode, version, qualifiers,"
        " keywords, event_record_id, user_sid, process_id, thread_id, activity_id, related_activity_id,"
        " event_time::VARCHAR AS event_time, event_data, rendering_info"
    )
    rows = connection.execute(f"SELECT {columns} FROM event WHERE origin IN ('live', 'rescued') ORDER BY event_key")
    names = [item[0] for item in rows.description or ()]
    while batch := rows.fetchmany(1000):
        for row in batch:
            yield _event(dict(zip(names, row, strict=True)))


def _event(row: Mapping[str, Any]) -> Event:
    data = _json(row["event_data"])
    found: dict[str, list[_Found]] = {}
    texts: list[str] = []
    _walk(data, "", 0, found, texts)
    rendering = _json(row["rendering_info"])
    _walk(rendering, "", 0, {}, texts)
    texts += [row[name] for name in ("provider", "channel", "computer", "user_sid") if row[name] is not None]
    head = {
        "channel": row["channel"],
        "computer": row["computer"],
        "computername": row["computer"],
        "provider": row["provider"],
        "eventsourcename": row["event_source_name"],
        "userid": row["user_sid"],
        "securityuserid": row["user_sid"],
        "executionprocessid": row["process_id"],
        "executionthreadid": row["thread_id"],
        "processid": row["process_id"],
        "threadid": row["thread_id"],
        "correlationactivityid": row["activity_id"],
        "activityid": row["activity_id"],
        "relatedactivityid": row["related_activity_id"],
        "timecreated": row["event_time"],
        "systemtime": row["event_time"],
        "eventid": row["event_id"],
        "eventrecordid": row["event_record_id"],
        **{name: row[name] for name in ("level", "task", "opcode", "version", "qualifiers", "keywords")},
        "message": next((value for key, value in rendering or () if key == "Message"), None),
    }
    return Event(
        row["event_key"],
        row["channel"] or "",
        row["event_id"],
        {name: None if value is None else str(value) for name, value in head.items()},
        found,
        texts,
    )


def _json(text: str | None) -> Any:
    """Objects as pairs, because keys may come twice; numbers as they are written."""
    return json.loads(text, object_pairs_hook=tuple, parse_int=str, parse_float=str) if text else ()


def _walk(value: Any, name: str, depth: int, found: dict[str, list[_Found]], texts: list[str]) -> None:
    """Finds every value under the name that it has; #text has that of the element around it."""
    if isinstance(value, tuple):
        for key, inner in value:
            if not key.startswith("xmlns"):
                _walk(inner, name if key == "#text" and name else key, depth + 1, found, texts)
        return
    items = value if isinstance(value, list) else [value]
    own = [str(item).lower() if isinstance(item, bool) else item for item in items if isinstance(item, bool | str)]
    for item in items:
        if isinstance(item, tuple):
            _walk(item, "", depth, {}, texts)
    texts += own
    if name:
        found.setdefault(bare(name), []).append(_Found(name, depth, own))
