"""PowerShell events: the operational log and the classic one."""

from samples.shape import Shape, Witness, parse_fields
from samples.shapes.base import (
    ATTACKS,
    CLASSIC_POWERSHELL,
    CLASSIC_POWERSHELL_LOG,
    DEEPBLUE,
    POWERSHELL,
    POWERSHELL_LOG,
)

_POWERSHELL = f"{ATTACKS}/Credential Access/Powershell_4104_MiniDumpWriteDump_Lsass.evtx"


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
    Witness(f"{DEEPBLUE}/Powershell-Invoke-Obfuscation-string-menu.evtx", 4),
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
# 4100 and 32784 are how a failed second hop shows on the host in the middle.
COMMAND_ERROR = _powershell(4100, 3, 106, 19, "ContextInfo UserData Payload", None, "doc: event map; mem: task, opcode")
REMOTE_ERROR = _powershell(
    32784,
    2,
    0,
    10,
    "SessionId PipelineId ErrorCode ErrorMessage StackTrace",
    None,
    "fields doc: provider manifest; mem: version, task, opcode",
)
RUNSPACE_POOL_CREATING = _powershell(
    8194, 4, 1, 10, "InstanceId MaxRunspaces MinRunspaces", None, "fields doc: manifest; mem: version, task, opcode"
)
RUNSPACE_STATE_CHANGED = _powershell(8197, 4, 1, 10, "param1", None, "fields doc: manifest; mem: version, task, opcode")
PIPELINE_DETAILS = Shape(
    CLASSIC_POWERSHELL,
    CLASSIC_POWERSHELL_LOG,
    800,
    level=4,
    task=8,
    keywords=0x80000000000000,
    qualifiers=0,
    is_classic=True,
    witness=Witness(f"{ATTACKS}/Other/emotet/exec_emotet_ps_800_get-item.evtx", 1),
)
