"""Events whose fields hold nonsense, in every place that correlation reads."""

from samples import shapes, values
from samples.events import ClassicData, EventData, Provider, Record, UserData, UserElement
from samples.evtx_writer import build_log
from samples.values import Value

_NONSENSE = (
    "",
    "-",
    "'; DROP TABLE event; --",
    "0xffffffffffffffffffff",
    "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz",
    "%%9999",
    "\u202e\x1b[31m",
    "a" * 500,
)
# fmt: off
_FIELDS = (
    "TargetUserName", "TargetUserSid", "TargetLogonId", "LogonType", "IpAddress", "LogonGuid", "ImpersonationLevel",
    "VirtualAccount", "SubjectLogonId", "TargetServerName", "NewProcessId", "NewProcessName", "ProcessId",
    "ParentProcessName", "CommandLine", "Image", "LogonId", "ProcessGuid", "ParentProcessGuid", "ParentImage",
    "User", "connection", "resourceUri", "shellId", "operationName", "errorCode", "ScriptBlockId", "MessageNumber",
    "MessageTotal", "ContextInfo", "TransmittedServices", "ObjectDN", "AttributeLDAPDisplayName",
    "AuditPolicyChanges", "DestinationPort", "SourceIp", "DestinationIp", "DestinationHostname", "Initiated",
)
# fmt: on
_EVENTS: tuple[tuple[Provider, str, tuple[int, ...]], ...] = (
    (
        shapes.SECURITY,
        shapes.SECURITY_LOG,
        (4608, 4624, 4634, 4648, 4672, 4688, 4689, 4719, 4768, 4769, 5136, 5140, 5156),
    ),
    (shapes.SYSMON, shapes.SYSMON_LOG, (1, 3, 5)),
    (shapes.WINRM, shapes.WINRM_LOG, (6, 8, 11, 16, 31, 33, 81, 82, 91, 134, 142, 161, 169, 193)),
    (shapes.POWERSHELL, shapes.POWERSHELL_LOG, (4103, 4104, 53504)),
)


def hostile_log() -> bytes:
    """A log of one computer; its record ids are as far apart as they can be, its times at both ends of FILETIME."""
    records = [
        _record(provider, channel, event_id, EventData(_fields(text)), number)
        for number, text in enumerate(_NONSENSE)
        for provider, channel, event_ids in _EVENTS
        for event_id in event_ids
    ]
    for number, text in enumerate(_NONSENSE):
        classic = ClassicData((text, text, f"HostName=ServerRemoteHost\r\n\tHostId={text}\r\n\tEngineVersion={text}"))
        records.append(_record(shapes.CLASSIC_POWERSHELL, shapes.CLASSIC_POWERSHELL_LOG, 400, classic, number))
        cleared = UserData(UserElement("LogFileCleared", (UserElement("Channel", values.string(text)),)))
        records.append(_record(shapes.EVENT_LOG, shapes.SYSTEM_LOG, 104, cleared, number))
    return build_log(records)


def _fields(text: str) -> tuple[tuple[str, Value], ...]:
    return tuple((name, values.string(text)) for name in _FIELDS)


def _record(
    provider: Provider, channel: str, event_id: int, payload: EventData | ClassicData | UserData, number: int
) -> Record:
    return Record(
        provider=provider,
        channel=channel,
        computer="HOSTILE'; --.example.test",
        record_id=2**64 - 2 - number if event_id == 4624 else 1 + number,
        time=(0, 1, 2**63 - 1, 0x01DB8CE0AFEF8000)[number % 4],
        event_id=event_id,
        version=0,
        level=4,
        task=0,
        opcode=0,
        keywords=0,
        process_id=2**32 - 1,
        thread_id=0,
        payload=payload,
        activity_id="12345678-9abc-def0-1122-334455667788",
        user_sid="S-1-5-21-1-2-3-4",
    )
