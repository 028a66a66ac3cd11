"""Shapes of real Windows events: System constants, field names, their order and their types.

A shape with a `witness` is copied from that real record, and a test compares the two; the others say in
`basis` what they rest on: doc = documentation or a public map, mem = memory.
"""

from samples.events import Provider
from samples.shape import Shape, Witness, parse_fields

SECURITY = Provider("Microsoft-Windows-Security-Auditing", "54849625-5478-4994-a5ba-3e3b0328c30d")
SYSMON = Provider("Microsoft-Windows-Sysmon", "5770385f-c22a-43e0-bf4c-06f5698ffbd9")
POWERSHELL = Provider("Microsoft-Windows-PowerShell", "a0c1853b-5c40-4b15-8766-3cf1c58f985a")
CLASSIC_POWERSHELL = Provider("PowerShell", has_own_template=True)
WINRM = Provider("Microsoft-Windows-WinRM", "a7975c8f-ac13-49f1-87da-5a984a4ab417")
EVENT_LOG = Provider("Microsoft-Windows-Eventlog", "fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148", has_own_template=True)
SERVICE_CONTROL = Provider(
    "Service Control Manager",
    "555908d1-a6d7-4695-8e1e-26931d2012f4",
    "Service Control Manager",
    has_own_template=True,
)

SECURITY_LOG = "Security"
SYSTEM_LOG = "System"
SYSMON_LOG = "Microsoft-Windows-Sysmon/Operational"
POWERSHELL_LOG = "Microsoft-Windows-PowerShell/Operational"
CLASSIC_POWERSHELL_LOG = "Windows PowerShell"
WINRM_LOG = "Microsoft-Windows-WinRM/Operational"

_LOG_CLEARED = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"

_AUDIT_SUCCESS = 0x8020000000000000
_AUDIT_FAILURE = 0x8010000000000000


def _security(
    event_id: int, task: int, listing: str, witness: Witness, *, version: int = 0, is_failure: bool = False
) -> Shape:
    return Shape(
        SECURITY,
        SECURITY_LOG,
        event_id,
        parse_fields(listing),
        version=version,
        task=task,
        keywords=_AUDIT_FAILURE if is_failure else _AUDIT_SUCCESS,
        witness=witness,
    )


def _sysmon(event_id: int, version: int, listing: str, witness: Witness) -> Shape:
    return Shape(
        SYSMON,
        SYSMON_LOG,
        event_id,
        parse_fields(listing),
        version=version,
        level=4,
        task=event_id,
        keywords=0x8000000000000000,
        witness=witness,
    )


_SLIVER = "corpora/deepblue/sliver-security.evtx"
_OLD_SECURITY = "corpora/parser-samples/security.evtx"
_SYSTEM = "corpora/parser-samples/system.evtx"
_POWERSHELL = "corpora/attack-samples/Credential Access/Powershell_4104_MiniDumpWriteDump_Lsass.evtx"
_REMOTING = "corpora/attack-samples/Lateral Movement/RemotePowerShell_MS_Windows-Remote_Management_EventID_169.evtx"
_SIGMA = "sigma/regression_data/rules/windows"

_SUBJECT = "SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:hex64"
_TARGET = "TargetUserName TargetDomainName TargetSid:sid"
_ACCOUNT = """SamAccountName DisplayName UserPrincipalName HomeDirectory HomePath ScriptPath ProfilePath
    UserWorkstations PasswordLastSet AccountExpires PrimaryGroupId AllowedToDelegateTo OldUacValue
    NewUacValue UserAccountControl UserParameters SidHistory LogonHours"""

LOGON = _security(
    4624,
    12544,
    f"""{_SUBJECT} TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64 LogonType:u32
    LogonProcessName AuthenticationPackageName WorkstationName LogonGuid:guid TransmittedServices
    LmPackageName KeyLength:u32 ProcessId:ptr ProcessName IpAddress IpPort ImpersonationLevel
    RestrictedAdminMode TargetOutboundUserName TargetOutboundDomainName VirtualAccount
    TargetLinkedLogonId:hex64 ElevatedToken""",
    Witness(_SLIVER, 470),
    version=2,
)
LOGON_FAILURE = _security(
    4625,
    12544,
    f"""{_SUBJECT} TargetUserSid:sid TargetUserName TargetDomainName Status:hex32 FailureReason
    SubStatus:hex32 LogonType:u32 LogonProcessName AuthenticationPackageName WorkstationName
    TransmittedServices LmPackageName KeyLength:u32 ProcessId:ptr ProcessName IpAddress IpPort""",
    Witness("corpora/parser-samples/Security_short_selected.evtx", 4),
    is_failure=True,
)
LOGOFF = _security(
    4634,
    12545,
    "TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64 LogonType:u32",
    Witness(_OLD_SECURITY, 2255),
)
EXPLICIT_CREDENTIAL = _security(
    4648,
    12544,
    f"""{_SUBJECT} LogonGuid:guid TargetUserName TargetDomainName TargetLogonGuid:guid TargetServerName
    TargetInfo ProcessId:ptr ProcessName IpAddress IpPort""",
    Witness(_OLD_SECURITY, 2256),
)
SPECIAL_LOGON = _security(4672, 12548, f"{_SUBJECT} PrivilegeList", Witness(_OLD_SECURITY, 2261))
PROCESS_START = _security(
    4688,
    13312,
    f"""{_SUBJECT} NewProcessId:ptr NewProcessName TokenElevationType ProcessId:ptr CommandLine
    TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64 ParentProcessName
    MandatoryLabel:sid""",
    Witness(_SLIVER, 460),
    version=2,
)
PROCESS_END = _security(4689, 13313, f"{_SUBJECT} Status:hex32 ProcessId:ptr ProcessName", Witness(_SLIVER, 466))
ACCOUNT_CREATED = _security(4720, 13824, f"{_TARGET} {_SUBJECT} PrivilegeList {_ACCOUNT}", Witness(_OLD_SECURITY, 182))
ACCOUNT_ENABLED = _security(4722, 13824, f"{_TARGET} {_SUBJECT}", Witness(_OLD_SECURITY, 183))
PASSWORD_RESET = _security(4724, 13824, f"{_TARGET} {_SUBJECT}", Witness(_OLD_SECURITY, 57))
ACCOUNT_CHANGED = _security(
    4738, 13824, f"Dummy {_TARGET} {_SUBJECT} PrivilegeList {_ACCOUNT}", Witness(_OLD_SECURITY, 187)
)
MEMBER_ADDED = _security(
    4732,
    13826,
    f"MemberName MemberSid:sid {_TARGET} {_SUBJECT} PrivilegeList",
    Witness(_OLD_SECURITY, 917),
)
SECURITY_LOG_CLEARED = Shape(
    EVENT_LOG,
    SECURITY_LOG,
    1102,
    parse_fields(_SUBJECT),
    level=4,
    task=104,
    keywords=0x4020000000000000,
    user_data=("LogFileCleared", _LOG_CLEARED),
    witness=Witness(_SLIVER, 1),
)
LOG_CLEARED = Shape(
    EVENT_LOG,
    SYSTEM_LOG,
    104,
    parse_fields("SubjectUserName SubjectDomainName Channel BackupPath"),
    level=4,
    task=104,
    keywords=0x8000000000000000,
    user_data=("LogFileCleared", _LOG_CLEARED),
    witness=Witness(_SYSTEM, 1848),
)
SERVICE_STATE = Shape(
    SERVICE_CONTROL,
    SYSTEM_LOG,
    7036,
    parse_fields("param1 param2"),
    level=4,
    keywords=0x8080000000000000,
    qualifiers=16384,
    witness=Witness("corpora/deepblue/metasploit-psexec-native-target-system.evtx", 5),
)
SERVICE_INSTALLED = Shape(
    SERVICE_CONTROL,
    SYSTEM_LOG,
    7045,
    parse_fields("ServiceName ImagePath ServiceType StartType AccountName"),
    level=4,
    keywords=0x8080000000000000,
    qualifiers=16384,
    witness=Witness(_SYSTEM, 1852),
)
SYSMON_PROCESS_START = _sysmon(
    1,
    5,
    """RuleName UtcTime ProcessGuid:guid ProcessId:u32 Image FileVersion Description Product Company
    OriginalFileName CommandLine CurrentDirectory User LogonGuid:guid LogonId:hex64 TerminalSessionId:u32
    IntegrityLevel Hashes ParentProcessGuid:guid ParentProcessId:u32 ParentImage ParentCommandLine
    ParentUser""",
    Witness(
        f"{_SIGMA}/process_creation/proc_creation_win_wmic_uninstall_security_products/"
        "847d5ff3-8a31-4737-a970-aeae8fe21765.evtx",
        1,
    ),
)
SYSMON_CONNECTION = _sysmon(
    3,
    5,
    """RuleName UtcTime ProcessGuid:guid ProcessId:u32 Image User Protocol Initiated:bool
    SourceIsIpv6:bool SourceIp SourceHostname SourcePort:u16 SourcePortName DestinationIsIpv6:bool
    DestinationIp DestinationHostname DestinationPort:u16 DestinationPortName""",
    Witness("corpora/deepblue/metasploit-sysmon.evtx", 31),
)
SYSMON_PROCESS_END = _sysmon(
    5,
    3,
    "RuleName UtcTime ProcessGuid:guid ProcessId:u32 Image User",
    Witness("corpora/deepblue/sliver-sysmon.evtx", 24),
)
SYSMON_FILE_CREATED = _sysmon(
    11,
    2,
    "RuleName UtcTime ProcessGuid:guid ProcessId:u32 Image TargetFilename CreationUtcTime User",
    Witness(
        f"{_SIGMA}/file/file_event/file_event_win_susp_right_to_left_override_extension_spoofing/"
        "979baf41-ca44-4540-9d0c-4fcef3b5a3a4.evtx",
        1,
    ),
)


def _powershell(
    event_id: int, level: int, task: int, opcode: int, listing: str, witness: Witness | None, basis: str = ""
) -> Shape:
    return Shape(
        POWERSHELL,
        POWERSHELL_LOG,
        event_id,
        parse_fields(listing),
        version=1,
        level=level,
        task=task,
        opcode=opcode,
        witness=witness,
        basis=basis,
    )


CONSOLE_STARTING = _powershell(40961, 4, 4, 1, "", Witness(_POWERSHELL, 1))
CONSOLE_READY = _powershell(40962, 4, 4, 2, "", Witness(_POWERSHELL, 3))
IPC_LISTENING = _powershell(53504, 4, 111, 10, "param1 param2", Witness(_POWERSHELL, 2))
SCRIPT_BLOCK = _powershell(
    4104,
    5,
    2,
    15,
    "MessageNumber:i32 MessageTotal:i32 ScriptBlockText ScriptBlockId Path",
    Witness("corpora/deepblue/Powershell-Invoke-Obfuscation-string-menu.evtx", 4),
)
MODULE_LOG = _powershell(
    4103, 4, 106, 20, "ContextInfo UserData Payload", None, "doc: XML of real events in public write-ups"
)


def _engine(event_id: int, task: int, basis: str) -> Shape:
    return Shape(
        CLASSIC_POWERSHELL,
        CLASSIC_POWERSHELL_LOG,
        event_id,
        level=4,
        task=task,
        keywords=0x80000000000000,
        qualifiers=0,
        is_classic=True,
        basis=basis,
    )


_ENGINE_BASIS = (
    "structure of a real 800 of the same source; strings as in real events of these ids; "
    "mem: task 4 and 6, HostName=ServerRemoteHost with this HostApplication is doc"
)
ENGINE_AVAILABLE = _engine(400, 4, _ENGINE_BASIS)
ENGINE_STOPPED = _engine(403, 4, _ENGINE_BASIS)
PROVIDER_STARTED = _engine(600, 6, _ENGINE_BASIS)


def _winrm(
    event_id: int,
    task: int,
    opcode: int,
    keywords: int,
    listing: str,
    witness: Witness | None,
    basis: str = "",
) -> Shape:
    return Shape(
        WINRM,
        WINRM_LOG,
        event_id,
        parse_fields(listing),
        level=4,
        task=task,
        opcode=opcode,
        keywords=keywords,
        witness=witness,
        basis=basis,
    )


WSMAN_SESSION = _winrm(
    6,
    3,
    1,
    0x4000000000000002,
    "connection",
    None,
    "field from the public event map; mem: task, opcode, keywords",
)
WSMAN_SHELL = _winrm(
    91,
    9,
    0,
    0x4000000000000004,
    "resourceUri",
    None,
    "System block of the only real 91, which carries ProcessingErrorData; field and the clientIP suffix of "
    "recent builds from the public event map and a vendor's sample text",
)
# Windows 7 to 2012 R2 only.
WINRM_AUTHENTICATED = _winrm(169, 7, 0, 0x400000000000000C, "username authenticationMechanism", Witness(_REMOTING, 5))
WINRM_AUTHORIZED = _winrm(193, 8, 0, 0x400000000000000C, "", Witness(_REMOTING, 6))
