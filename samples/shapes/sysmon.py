"""Sysmon events, in the newest form of their version that real logs show; _OLD is an earlier one."""

from samples.shape import Shape, Witness, parse_fields
from samples.shapes.base import ATTACKS, DEEPBLUE, PARSER_SAMPLES, SIGMA, SYSMON, SYSMON_LOG


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


SYSMON_PROCESS_START = _sysmon(
    1,
    5,
    """RuleName UtcTime ProcessGuid:guid ProcessId:u32 Image FileVersion Description Product Company
    OriginalFileName CommandLine CurrentDirectory User LogonGuid:guid LogonId:hex64 TerminalSessionId:u32
    IntegrityLevel Hashes ParentProcessGuid:guid ParentProcessId:u32 ParentImage ParentCommandLine
    ParentUser""",
    Witness(
        f"{SIGMA}/process_creation/proc_creation_win_wmic_uninstall_security_products/"
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
    Witness(f"{DEEPBLUE}/metasploit-sysmon.evtx", 31),
)
SYSMON_PROCESS_END = _sysmon(
    5,
    3,
    "RuleName UtcTime ProcessGuid:guid ProcessId:u32 Image User",
    Witness(f"{DEEPBLUE}/sliver-sysmon.evtx", 24),
)
SYSMON_FILE_CREATED = _sysmon(
    11,
    2,
    "RuleName UtcTime ProcessGuid:guid ProcessId:u32 Image TargetFilename CreationUtcTime User",
    Witness(
        f"{SIGMA}/file/file_event/file_event_win_susp_right_to_left_override_extension_spoofing/"
        "979baf41-ca44-4540-9d0c-4fcef3b5a3a4.evtx",
        1,
    ),
)
SYSMON_PROCESS_START_OLD = _sysmon(
    1,
    5,
    """RuleName UtcTime ProcessGuid:guid ProcessId:u32 Image FileVersion Description Product Company
    CommandLine CurrentDirectory User LogonGuid:guid LogonId:hex64 TerminalSessionId:u32
    IntegrityLevel Hashes ParentProcessGuid:guid ParentProcessId:u32 ParentImage ParentCommandLine""",
    Witness(f"{ATTACKS}/AutomatedTestingTools/Malware/DE_timestomp_and_dll_sideloading_and_RunPersist.evtx", 3),
)
SYSMON_CONNECTION_OLD = _sysmon(
    3,
    5,
    """UtcTime ProcessGuid:guid ProcessId:u32 Image User Protocol Initiated:bool SourceIsIpv6:bool SourceIp
    SourceHostname SourcePort:u16 SourcePortName DestinationIsIpv6:bool DestinationIp
    DestinationHostname DestinationPort:u16 DestinationPortName""",
    Witness(f"{PARSER_SAMPLES}/sysmon.evtx", 2061),
)
SYSMON_IMAGE_LOADED = _sysmon(
    7,
    3,
    """RuleName UtcTime ProcessGuid:guid ProcessId:u32 Image ImageLoaded FileVersion Description Product
    Company OriginalFileName Hashes Signed Signature SignatureStatus User""",
    Witness(f"{ATTACKS}/Privilege Escalation/privesc_spoolfool_mahdihtm_sysmon_1_11_7_13.evtx", 4),
)
SYSMON_REMOTE_THREAD = _sysmon(
    8,
    2,
    """RuleName UtcTime SourceProcessGuid:guid SourceProcessId:u32 SourceImage TargetProcessGuid:guid
    TargetProcessId:u32 TargetImage NewThreadId:u32 StartAddress StartModule StartFunction
    SourceUser TargetUser""",
    Witness(f"{DEEPBLUE}/metasploit-sysmon.evtx", 38),
)
SYSMON_PROCESS_ACCESSED = _sysmon(
    10,
    3,
    """RuleName UtcTime SourceProcessGUID:guid SourceProcessId:u32 SourceThreadId:u32 SourceImage
    TargetProcessGUID:guid TargetProcessId:u32 TargetImage GrantedAccess:hex32 CallTrace SourceUser
    TargetUser""",
    Witness(f"{ATTACKS}/Credential Access/tutto_malseclogon.evtx", 6),
)
SYSMON_PROCESS_ACCESSED_OLD = _sysmon(
    10,
    3,
    """RuleName UtcTime SourceProcessGUID:guid SourceProcessId:u32 SourceThreadId:u32 SourceImage
    TargetProcessGUID:guid TargetProcessId:u32 TargetImage GrantedAccess:hex32 CallTrace""",
    Witness(f"{ATTACKS}/AutomatedTestingTools/Malware/DE_timestomp_and_dll_sideloading_and_RunPersist.evtx", 21),
)
SYSMON_REGISTRY_KEY = _sysmon(
    12,
    2,
    "RuleName EventType UtcTime ProcessGuid:guid ProcessId:u32 Image TargetObject User",
    Witness(
        f"{SIGMA}/registry/registry_delete/registry_delete_disable_credential_guard/d645ef86-2396-48a1-a2b6-b629ca3f57ff.evtx",
        1,
    ),
)
SYSMON_REGISTRY_VALUE = _sysmon(
    13,
    2,
    "RuleName EventType UtcTime ProcessGuid:guid ProcessId:u32 Image TargetObject Details User",
    Witness(f"{ATTACKS}/Privilege Escalation/privesc_spoolfool_mahdihtm_sysmon_1_11_7_13.evtx", 3),
)
SYSMON_PIPE_CREATED = _sysmon(
    17,
    1,
    "RuleName EventType UtcTime ProcessGuid:guid ProcessId:u32 PipeName Image",
    Witness(f"{ATTACKS}/Defense Evasion/DE_remote_eventlog_svc_crash_byt3bl33d3r_sysmon_17_1_3.evtx", 10),
)
SYSMON_PIPE_CONNECTED = _sysmon(
    18,
    1,
    "RuleName EventType UtcTime ProcessGuid:guid ProcessId:u32 PipeName Image",
    Witness(f"{ATTACKS}/Defense Evasion/DE_remote_eventlog_svc_crash_byt3bl33d3r_sysmon_17_1_3.evtx", 4),
)
SYSMON_WMI_FILTER = _sysmon(
    19,
    3,
    "RuleName EventType UtcTime Operation User EventNamespace Name Query",
    Witness(f"{ATTACKS}/AutomatedTestingTools/PanacheSysmon_vs_AtomicRedTeam01.evtx", 484),
)
SYSMON_WMI_CONSUMER = _sysmon(
    20,
    3,
    "RuleName EventType UtcTime Operation User Name Type Destination",
    Witness(f"{ATTACKS}/AutomatedTestingTools/PanacheSysmon_vs_AtomicRedTeam01.evtx", 485),
)
SYSMON_WMI_BINDING = _sysmon(
    21,
    3,
    "RuleName EventType UtcTime Operation User Consumer Filter",
    Witness(f"{ATTACKS}/AutomatedTestingTools/PanacheSysmon_vs_AtomicRedTeam01.evtx", 486),
)
SYSMON_DNS_QUERY = _sysmon(
    22,
    5,
    """RuleName UtcTime ProcessGuid:guid ProcessId:u32 QueryName QueryStatus QueryResults Image User""",
    Witness(f"{DEEPBLUE}/metasploit-sysmon.evtx", 30),
)
