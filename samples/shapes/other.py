"""WMI and Task Scheduler events."""

from samples.shape import Shape, Witness, parse_fields
from samples.shapes.base import DEEPBLUE, SIGMA, TASK_LOG, TASK_SCHEDULER, WMI, WMI_LOG

_WMI_NAMESPACE = "http://manifests.microsoft.com/win/2006/windows/WMI"
_WMI = f"{DEEPBLUE}/wmi-event-filter-persistance.evtx"


def _wmi(event_id: int, level: int, element: str, listing: str, header_record_id: int) -> Shape:
    return Shape(
        WMI,
        WMI_LOG,
        event_id,
        parse_fields(listing),
        level=level,
        keywords=0x4000000000000000,
        user_data=(element, _WMI_NAMESPACE),
        witness=Witness(_WMI, header_record_id),
    )


WMI_PROVIDER_STARTED = _wmi(
    5857,
    0,
    "Operation_StartedOperational",
    "ProviderName Code:hex32 HostProcess ProcessID:u32 ProviderPath",
    92,
)
WMI_OPERATION_FAILED = _wmi(
    5858,
    2,
    "Operation_ClientFailure",
    "Id ClientMachine User ClientProcessId:u32 Component Operation ResultCode:hex32 PossibleCause",
    1,
)
WMI_TEMPORARY_CONSUMER = _wmi(
    5860,
    0,
    "Operation_TemporaryEssStarted",
    "NamespaceName Query User Processid:u32 ClientMachine PossibleCause",
    98,
)
WMI_PERMANENT_CONSUMER = _wmi(5861, 0, "Operation_ESStoConsumerBinding", "Namespace ESS CONSUMER PossibleCause", 95)


def _task(event_id: int, name: str, listing: str, opcode: int = 0, witness: Witness | None = None) -> Shape:
    return Shape(
        TASK_SCHEDULER,
        TASK_LOG,
        event_id,
        parse_fields(listing),
        level=4,
        task=event_id,
        opcode=opcode,
        keywords=0x8000000000000000,
        data_name=name,
        witness=witness,
        basis="" if witness else "fields from public event maps; System block as the real 142; mem: names, opcodes",
    )


TASK_DISABLED = _task(
    142,
    "TaskDisabled",
    "TaskName UserName",
    witness=Witness(
        f"{SIGMA}/builtin/taskscheduler/win_taskscheduler_susp_schtasks_delete_or_disable/"
        "9e3cb244-bdb8-4632-8c90-6079c8f4f16d.evtx",
        1,
    ),
)
TASK_STARTED = _task(100, "TaskStartEvent", "TaskName UserContext InstanceId:guid", 1)
TASK_FINISHED = _task(102, "TaskSuccessEvent", "TaskName UserContext InstanceId:guid", 2)
TASK_REGISTERED = _task(106, "TaskRegisteredEvent", "TaskName UserContext")
TASK_PROCESS_CREATED = _task(129, "CreatedTaskProcess", "TaskName Path ProcessID:u32 Priority:u32")
TASK_REGISTRATION_UPDATED = _task(140, "TaskUpdated", "TaskName UserName")
TASK_REGISTRATION_DELETED = _task(141, "TaskDeleted", "TaskName UserName")
TASK_ACTION_STARTED = _task(200, "ActionStart", "TaskName ActionName TaskInstanceId:guid EnginePID:u32", 1)
TASK_ACTION_FINISHED = _task(
    201, "ActionSuccess", "TaskName TaskInstanceId:guid ActionName ResultCode:u32 EnginePID:u32", 2
)
