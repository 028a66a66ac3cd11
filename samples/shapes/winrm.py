"""WinRM events. Fields, tasks, opcodes and keywords are those of the provider's manifests, of Windows 7
(build 7600) and of Windows 10 (10240), unless a `basis` says otherwise.
"""

from samples.shape import Shape, Witness, parse_fields
from samples.shapes.base import ATTACKS, WINRM, WINRM_LOG, WINRM_POOR

_REMOTING = f"{ATTACKS}/Lateral Movement/RemotePowerShell_MS_Windows-Remote_Management_EventID_169.evtx"
_CLIENT = 0x4000000000000002
_SERVER = 0x4000000000000004
_SECURITY = 0x8
_TRANSFER = 0x26
_START, _STOP = 1, 2
_ERROR = 2
_MANIFEST = "doc: provider manifest of Windows 10 (10240)"
_OLD_MANIFEST = "doc: provider manifest of Windows 7 (7600)"


def _winrm(
    event_id: int,
    task: int,
    opcode: int,
    keywords: int,
    listing: str = "",
    witness: Witness | None = None,
    basis: str = _MANIFEST,
    *,
    level: int = 4,
) -> Shape:
    return Shape(
        WINRM,
        WINRM_LOG,
        event_id,
        parse_fields(listing),
        level=level,
        task=task,
        opcode=opcode,
        keywords=keywords,
        witness=witness,
        basis="" if witness else basis,
    )


WSMAN_API_STARTED = _winrm(2, 1, _START, _CLIENT)
WSMAN_API_STOPPED = _winrm(4, 2, _START, _CLIENT)
WSMAN_SESSION = _winrm(6, 3, _START, _CLIENT, "connection")
WSMAN_SESSION_CLOSING = _winrm(8, 4, _START, _CLIENT)
SHELL_CREATING = _winrm(11, 5, _START, _CLIENT, "resourceUri shellId")
SHELL_CREATING_OLD = _winrm(11, 5, _START, _CLIENT, "resourceUri", None, _OLD_MANIFEST)
COMMAND_CREATING = _winrm(13, 5, _START, _CLIENT, "commandId")
COMMAND_CLOSING = _winrm(15, 5, _START, _CLIENT)
SHELL_CLOSING = _winrm(16, 5, _START, _CLIENT)
WSMAN_API_READY = _winrm(29, 1, _STOP, _CLIENT)
WSMAN_API_CLOSED = _winrm(30, 2, _STOP, _CLIENT)
SESSION_CREATED = _winrm(31, 3, _STOP, _CLIENT)
SESSION_CLOSED = _winrm(33, 4, _STOP, _CLIENT)
OPERATION_SUCCEEDED = _winrm(132, 10, _STOP, _CLIENT, "operationName")
RESPONSE_ERROR = _winrm(138, 10, 0, _CLIENT, level=_ERROR)
OPERATION_FAILED = _winrm(142, 10, _STOP, _CLIENT, "operationName errorCode:u32", level=_ERROR)
OPERATION_STARTED = _winrm(145, 5, _START, _CLIENT, "operationName resourceUri")
AUTHENTICATION_ERROR = _winrm(161, 7, 0, _CLIENT | _SECURITY, "authFailureMessage", level=_ERROR)
ACCESS_DENIED = _winrm(162, 7, 0, _CLIENT | _SECURITY, level=_ERROR)
AUTHORIZATION_FAILED = _winrm(192, 8, 0, _SERVER | _SECURITY, "errorCode:u32")
SERVICE_STARTING = _winrm(208, 11, _START, _SERVER)
SERVICE_STARTED = _winrm(209, 11, 0, _SERVER)
WINRM_ACTIVITY_TRANSFER = _winrm(254, 0, 0, 0x4000000000000000 | _TRANSFER)

# A shell is created on the server. Recent builds append user and client address to the URI; that the real
# 91 without a shellId became an error record shows that the item belongs to the event.
WSMAN_SHELL = _winrm(
    91,
    9,
    0,
    _SERVER,
    "resourceUri shellId",
    None,
    "doc: manifest; System block of the only real 91; the clientIP suffix from a vendor's sample text",
)
WSMAN_SHELL_POOR = Shape(
    WINRM_POOR,
    WINRM_LOG,
    91,
    parse_fields("ErrorCode:u32 DataItemName EventPayload:bin"),
    level=4,
    task=9,
    keywords=_SERVER,
    is_processing_error=True,
    witness=Witness(f"{ATTACKS}/Lateral Movement/LM_winrm_target_wrmlogs_91_wsmanShellStarted_poorLog.evtx", 1),
)
VIRTUAL_ACCOUNT = _winrm(
    193,
    8,
    0,
    _SERVER | _SECURITY,
    "userName userSid virtualAccountName virtualAccountSid",
    None,
    "doc: message text of Windows 10 1709 and later (user, SID, virtual account, SID); mem: the fields' names",
)

# Windows 7 to 2012 R2 only.
REQUEST_RECEIVED = _winrm(81, 9, 0, _SERVER, "operationName", None, _OLD_MANIFEST)
REQUEST_SENT_TO_PLUGIN = _winrm(82, 9, 0, _SERVER, "operation resourceURI", None, _OLD_MANIFEST)
RESPONSE_SENT = _winrm(134, 10, 0, _SERVER, "operationName", None, _OLD_MANIFEST)
WINRM_AUTHENTICATED = _winrm(169, 7, 0, _SERVER | _SECURITY, "username authenticationMechanism", Witness(_REMOTING, 5))
WINRM_AUTHORIZED = _winrm(193, 8, 0, _SERVER | _SECURITY, "", Witness(_REMOTING, 6))
