"""Security events: logons, tickets, processes, accounts, shares, policy."""

from samples.events import Provider
from samples.shape import Shape, Witness, parse_fields
from samples.shapes.base import (
    ATTACKS,
    DEEPBLUE,
    EVENT_LOG,
    OLD_SECURITY,
    PARSER_SAMPLES,
    SECURITY,
    SECURITY_LOG,
)

LOG_NAMESPACE = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"
_AUDIT_SUCCESS = 0x8020000000000000
_AUDIT_FAILURE = 0x8010000000000000


def _security(
    event_id: int,
    task: int,
    listing: str,
    witness: Witness | None,
    *,
    version: int = 0,
    is_failure: bool = False,
    provider: Provider = SECURITY,
    basis: str = "",
) -> Shape:
    return Shape(
        provider,
        SECURITY_LOG,
        event_id,
        parse_fields(listing),
        version=version,
        task=task,
        keywords=_AUDIT_FAILURE if is_failure else _AUDIT_SUCCESS,
        witness=witness,
        basis=basis,
    )


_SLIVER = f"{DEEPBLUE}/sliver-security.evtx"
_OLD_LOG = f"{PARSER_SAMPLES}/security.evtx"

_SUBJECT = "SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:hex64"
_OWNER = "TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64"
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
    Witness(f"{PARSER_SAMPLES}/Security_short_selected.evtx", 4),
    is_failure=True,
)
LOGOFF = _security(
    4634,
    12545,
    "TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64 LogonType:u32",
    Witness(_OLD_LOG, 2255),
)
EXPLICIT_CREDENTIAL = _security(
    4648,
    12544,
    f"""{_SUBJECT} LogonGuid:guid TargetUserName TargetDomainName TargetLogonGuid:guid TargetServerName
    TargetInfo ProcessId:ptr ProcessName IpAddress IpPort""",
    Witness(_OLD_LOG, 2256),
)
SPECIAL_LOGON = _security(4672, 12548, f"{_SUBJECT} PrivilegeList", Witness(_OLD_LOG, 2261))
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
ACCOUNT_CREATED = _security(4720, 13824, f"{_TARGET} {_SUBJECT} PrivilegeList {_ACCOUNT}", Witness(_OLD_LOG, 182))
ACCOUNT_ENABLED = _security(4722, 13824, f"{_TARGET} {_SUBJECT}", Witness(_OLD_LOG, 183))
PASSWORD_RESET = _security(4724, 13824, f"{_TARGET} {_SUBJECT}", Witness(_OLD_LOG, 57))
ACCOUNT_CHANGED = _security(4738, 13824, f"Dummy {_TARGET} {_SUBJECT} PrivilegeList {_ACCOUNT}", Witness(_OLD_LOG, 187))
MEMBER_ADDED = _security(
    4732,
    13826,
    f"MemberName MemberSid:sid {_TARGET} {_SUBJECT} PrivilegeList",
    Witness(_OLD_LOG, 917),
)
SECURITY_LOG_CLEARED = Shape(
    EVENT_LOG,
    SECURITY_LOG,
    1102,
    parse_fields(_SUBJECT),
    level=4,
    task=104,
    keywords=0x4020000000000000,
    user_data=("LogFileCleared", LOG_NAMESPACE),
    witness=Witness(_SLIVER, 1),
)
LOGON_V0 = _security(
    4624,
    12544,
    f"""{_SUBJECT} {_OWNER} LogonType:u32 LogonProcessName AuthenticationPackageName WorkstationName
    LogonGuid:guid TransmittedServices LmPackageName KeyLength:u32 ProcessId:ptr ProcessName
    IpAddress IpPort""",
    Witness(f"{PARSER_SAMPLES}/post-Security.evtx", 2),
)
LOGON_V1 = _security(
    4624,
    12544,
    f"""{_SUBJECT} {_OWNER} LogonType:u32 LogonProcessName AuthenticationPackageName WorkstationName
    LogonGuid:guid TransmittedServices LmPackageName KeyLength:u32 ProcessId:ptr ProcessName
    IpAddress IpPort ImpersonationLevel""",
    Witness(f"{ATTACKS}/Discovery/dicovery_4661_net_group_domain_admins_target.evtx", 6),
    version=1,
)
USER_LOGOFF = _security(
    4647,
    12545,
    f"{_OWNER}",
    Witness(f"{PARSER_SAMPLES}/Security_with_size_t.evtx", 598),
    provider=OLD_SECURITY,
)
GROUP_MEMBERSHIP = _security(
    4627,
    12554,
    f"{_SUBJECT} {_OWNER} LogonType:u32 EventIdx:u32 EventCountTotal:u32 GroupMembership",
    Witness(f"{ATTACKS}/Credential Access/remote_sam_registry_access_via_backup_operator_priv.evtx", 3),
)
PROCESS_START_V1 = _security(
    4688,
    13312,
    f"{_SUBJECT} NewProcessId:ptr NewProcessName TokenElevationType ProcessId:ptr CommandLine",
    Witness(f"{ATTACKS}/Lateral Movement/LM_ScheduledTask_ATSVC_target_host.evtx", 15),
    version=1,
)
TGT_REQUEST = _security(
    4768,
    14339,
    f"""{_TARGET} ServiceName ServiceSid:sid TicketOptions:hex32 Status:hex32 TicketEncryptionType:hex32
    PreAuthType IpAddress IpPort CertIssuerName CertSerialNumber CertThumbprint""",
    Witness(f"{ATTACKS}/Credential Access/kerberos_pwd_spray_4771.evtx", 11),
)
SERVICE_TICKET = _security(
    4769,
    14337,
    """TargetUserName TargetDomainName ServiceName ServiceSid:sid TicketOptions:hex32
    TicketEncryptionType:hex32 IpAddress IpPort Status:hex32 LogonGuid:guid TransmittedServices""",
    Witness(
        f"{ATTACKS}/Privilege Escalation/samaccount_spoofing_CVE-2021-42287_CVE-2021-42278_DC_securitylogs.evtx", 3
    ),
)
PREAUTH_FAILURE = _security(
    4771,
    14339,
    """TargetUserName TargetSid:sid ServiceName TicketOptions:hex32 Status:hex32 PreAuthType IpAddress
    IpPort CertIssuerName CertSerialNumber CertThumbprint""",
    Witness(f"{ATTACKS}/Credential Access/kerberos_pwd_spray_4771.evtx", 9),
    is_failure=True,
)
NTLM_VALIDATION = _security(
    4776,
    14336,
    "PackageName TargetUserName Workstation Status:hex32",
    Witness(f"{ATTACKS}/Credential Access/remote_pwd_reset_rpc_mimikatz_postzerologon_target_DC.evtx", 2),
)
COMPUTER_CREATED = _security(
    4741,
    13825,
    f"{_TARGET} {_SUBJECT} PrivilegeList {_ACCOUNT} DnsHostName ServicePrincipalNames",
    Witness(
        f"{ATTACKS}/Privilege Escalation/samaccount_spoofing_CVE-2021-42287_CVE-2021-42278_DC_securitylogs.evtx", 5
    ),
)
COMPUTER_CHANGED = _security(
    4742,
    13825,
    f"""ComputerAccountChange {_TARGET} {_SUBJECT} PrivilegeList {_ACCOUNT} DnsHostName
    ServicePrincipalNames""",
    Witness(f"{ATTACKS}/Credential Access/ACL_ForcePwd_SPNAdd_User_Computer_Accounts.evtx", 55),
)
GLOBAL_MEMBER_ADDED = _security(
    4728,
    13826,
    f"MemberName MemberSid:sid {_TARGET} {_SUBJECT} PrivilegeList",
    Witness(f"{DEEPBLUE}/new-user-security.evtx", 1),
)
OBJECT_CHANGED = _security(
    5136,
    14081,
    f"""OpCorrelationID:guid AppCorrelationID {_SUBJECT} DSName DSType ObjectDN ObjectGUID:guid ObjectClass
    AttributeLDAPDisplayName AttributeSyntaxOID AttributeValue OperationType""",
    Witness(f"{ATTACKS}/Credential Access/ACL_ForcePwd_SPNAdd_User_Computer_Accounts.evtx", 4),
)
OBJECT_ACCESSED = _security(
    4662,
    14080,
    f"""{_SUBJECT} ObjectServer ObjectType ObjectName OperationType HandleId:ptr AccessList AccessMask:hex32
    Properties AdditionalInfo AdditionalInfo2""",
    Witness(f"{ATTACKS}/Credential Access/ACL_ForcePwd_SPNAdd_User_Computer_Accounts.evtx", 2),
)
SHARE_ACCESSED = _security(
    5140,
    12808,
    f"""{_SUBJECT} ObjectType IpAddress IpPort ShareName ShareLocalPath AccessMask:hex32 AccessList""",
    Witness(f"{ATTACKS}/Discovery/dicovery_4661_net_group_domain_admins_target.evtx", 10),
    version=1,
)
SHARE_FILE_ACCESSED = _security(
    5145,
    12811,
    f"""{_SUBJECT} ObjectType IpAddress IpPort ShareName ShareLocalPath RelativeTargetName AccessMask:hex32
    AccessList AccessReason""",
    Witness(f"{ATTACKS}/Credential Access/CA_protectedstorage_5145_rpc_masterkey.evtx", 1),
)
TASK_CREATED = _security(
    4698,
    12804,
    f"{_SUBJECT} TaskName TaskContent",
    Witness(f"{ATTACKS}/Execution/temp_scheduled_task_4698_4699.evtx", 1),
)
TASK_DELETED = _security(
    4699,
    12804,
    f"{_SUBJECT} TaskName TaskContent",
    Witness(f"{ATTACKS}/Execution/temp_scheduled_task_4698_4699.evtx", 2),
)
TASK_CHANGED = _security(
    4702,
    12804,
    f"{_SUBJECT} TaskName TaskContentNew",
    Witness(f"{ATTACKS}/Credential Access/ACL_ForcePwd_SPNAdd_User_Computer_Accounts.evtx", 36),
)
AUDIT_POLICY_CHANGED = _security(
    4719,
    13568,
    f"{_SUBJECT} CategoryId SubcategoryId SubcategoryGuid:guid AuditPolicyChanges",
    Witness(f"{ATTACKS}/Credential Access/ACL_ForcePwd_SPNAdd_User_Computer_Accounts.evtx", 15),
)
SYSTEM_STARTUP = _security(
    4608,
    12288,
    "",
    Witness(f"{PARSER_SAMPLES}/Security_with_size_t.evtx", 1),
    provider=OLD_SECURITY,
)
TIME_CHANGED = _security(
    4616,
    12288,
    f"{_SUBJECT} PreviousTime:time NewTime:time ProcessId:ptr ProcessName",
    Witness(f"{PARSER_SAMPLES}/security.evtx", 143),
    version=1,
)
CONNECTION_ALLOWED = _security(
    5156,
    12810,
    """ProcessID:u64 Application Direction SourceAddress SourcePort DestAddress DestPort Protocol:u32
    FilterRTID:u64 LayerName LayerRTID:u64 RemoteUserID:sid RemoteMachineID:sid""",
    Witness(f"{ATTACKS}/Command and Control/DE_RDP_Tunnel_5156.evtx", 2),
    version=1,
)
USER_GROUPS_ENUMERATED = _security(
    4798,
    13824,
    f"{_TARGET} {_SUBJECT} CallerProcessId:ptr CallerProcessName",
    Witness(f"{ATTACKS}/Discovery/discovery_local_user_or_group_windows_security_4799_4798.evtx", 1),
)
LOCAL_GROUP_ENUMERATED = _security(
    4799,
    13826,
    f"{_TARGET} {_SUBJECT} CallerProcessId:ptr CallerProcessName",
    Witness(f"{ATTACKS}/Discovery/4799_remote_local_groups_enumeration.evtx", 1),
)
TOKEN_ADJUSTED = _security(
    4703,
    13317,
    f"{_SUBJECT} {_OWNER} ProcessName ProcessId:ptr EnabledPrivilegeList DisabledPrivilegeList",
    Witness(f"{ATTACKS}/Credential Access/tutto_malseclogon.evtx", 3),
)
TICKET_RENEWAL = _security(
    4770,
    14337,
    """TargetUserName TargetDomainName ServiceName ServiceSid:sid TicketOptions:hex32 TicketEncryptionType:hex32
    IpAddress IpPort""",
    None,
    basis="doc: Microsoft Learn, event 4770",
)
# Windows 7 and Server 2008 R2 log no command line.
PROCESS_START_V0 = _security(
    4688,
    13312,
    f"{_SUBJECT} NewProcessId:ptr NewProcessName TokenElevationType ProcessId:ptr",
    None,
    basis="doc: Microsoft Learn, event 4688, versions",
)
SERVICE_AUDITED = _security(
    4697,
    12289,
    f"{_SUBJECT} ServiceName ServiceFileName ServiceType:hex32 ServiceStartType:u32 ServiceAccount",
    None,
    basis="doc: Microsoft Learn, event 4697",
)
REGISTRY_CHANGED = _security(
    4657,
    12801,
    f"""{_SUBJECT} ObjectName ObjectValueName HandleId:ptr OperationType OldValueType OldValue NewValueType
    NewValue ProcessId:ptr ProcessName""",
    None,
    basis="doc: Microsoft Learn, event 4657",
)
LOG_SERVICE_SHUTDOWN = Shape(
    EVENT_LOG,
    SECURITY_LOG,
    1100,
    level=4,
    task=103,
    keywords=0x4020000000000000,
    user_data=("ServiceShutdown", LOG_NAMESPACE),
    has_event_namespace=True,
    witness=Witness(f"{PARSER_SAMPLES}/Security_with_size_t.evtx", 30),
)
# An earlier Windows calls both GUIDs LogonGuid, so both get one value here.
EXPLICIT_CREDENTIAL_OLD = _security(
    4648,
    12544,
    f"""{_SUBJECT} LogonGuid:guid TargetUserName TargetDomainName LogonGuid:guid TargetServerName TargetInfo
    ProcessId:size ProcessName IpAddress IpPort""",
    Witness(f"{PARSER_SAMPLES}/Security_with_size_t.evtx", 4),
    provider=OLD_SECURITY,
)
