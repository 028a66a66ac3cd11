"""System events: boots, services, logs."""

from samples.shape import Shape, Witness, parse_fields
from samples.shapes.base import (
    CLASSIC_EVENT_LOG,
    DEEPBLUE,
    EVENT_LOG,
    KERNEL_GENERAL,
    PARSER_SAMPLES,
    SERVICE_CONTROL,
    SYSTEM_LOG,
    WINRM,
)
from samples.shapes.security import LOG_NAMESPACE

_SYSTEM = f"{PARSER_SAMPLES}/system.evtx"
_BOOTS = f"{PARSER_SAMPLES}/2-vss_7-System.evtx"

LOG_CLEARED = Shape(
    EVENT_LOG,
    SYSTEM_LOG,
    104,
    parse_fields("SubjectUserName SubjectDomainName Channel BackupPath"),
    level=4,
    task=104,
    keywords=0x8000000000000000,
    user_data=("LogFileCleared", LOG_NAMESPACE),
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
    witness=Witness(f"{DEEPBLUE}/metasploit-psexec-native-target-system.evtx", 5),
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
SERVICE_START_TYPE = Shape(
    SERVICE_CONTROL,
    SYSTEM_LOG,
    7040,
    parse_fields("param1 param2 param3 param4"),
    level=4,
    keywords=0x8080000000000000,
    qualifiers=16384,
    witness=Witness(f"{DEEPBLUE}/disablestop-eventlog.evtx", 2),
)


def _kernel(event_id: int, task: int, listing: str, header_record_id: int) -> Shape:
    return Shape(
        KERNEL_GENERAL,
        SYSTEM_LOG,
        event_id,
        parse_fields(listing),
        level=4,
        task=task,
        keywords=0x8000000000000080,
        witness=Witness(_BOOTS, header_record_id),
    )


KERNEL_STARTED = _kernel(
    12,
    1,
    """MajorVersion:u32 MinorVersion:u32 BuildVersion:u32 QfeVersion:u32 ServiceVersion:u16 BootMode:u32
    StartTime:time""",
    1,
)
KERNEL_STOPPED = _kernel(13, 2, "StopTime:time", 70)
TIME_SERVICE_CHANGE = Shape(
    KERNEL_GENERAL,
    SYSTEM_LOG,
    1,
    parse_fields("NewTime:time OldTime:time Reason:u32"),
    version=1,
    level=4,
    task=5,
    keywords=0x8000000000000010,
    witness=Witness(f"{DEEPBLUE}/disablestop-eventlog.evtx", 13),
)


def _event_log(event_id: int, level: int, witness: Witness | None, basis: str = "") -> Shape:
    return Shape(
        CLASSIC_EVENT_LOG,
        SYSTEM_LOG,
        event_id,
        level=level,
        keywords=0x80000000000000,
        qualifiers=32768,
        is_classic=True,
        witness=witness,
        basis=basis,
    )


LOG_SERVICE_STARTED = _event_log(6005, 4, Witness(_BOOTS, 3))
LOG_SERVICE_STOPPED = _event_log(6006, 4, Witness(_BOOTS, 59))
UNEXPECTED_SHUTDOWN = _event_log(
    6008,
    2,
    None,
    "structure of the real 6005 of the same source; doc: its strings begin with time and date; mem: their number",
)
OS_VERSION = _event_log(6009, 4, Witness(_BOOTS, 2))
UPTIME = _event_log(6013, 4, Witness(_BOOTS, 68))


def _winrm(event_id: int) -> Shape:
    return Shape(
        WINRM,
        SYSTEM_LOG,
        event_id,
        level=4,
        keywords=0x80000000000000,
        is_classic=True,
        qualifiers=4,
        basis="doc: event map (10148: the service listens, 10149: it no longer does); mem: the System constants",
    )


WINRM_LISTENING = _winrm(10148)
WINRM_NOT_LISTENING = _winrm(10149)
