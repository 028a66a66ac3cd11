"""Events of Windows PowerShell: 5.1 on Windows 10 and later, 4.0 on Server 2012 R2, 2.0 on Windows 7."""

import base64
from dataclasses import dataclass
from datetime import datetime

from samples import shapes
from samples.scenario import Account, Event, Host, Process, milliseconds
from samples.shape import Shape

_PROVIDERS = ("Registry", "Alias", "Environment", "FileSystem", "Function", "Variable")
_VERSIONS = {7601: "2.0", 9600: "4.0", 19041: "5.1.19041.3803", 20348: "5.1.20348.1"}
# PowerShell cuts script blocks above this many characters into parts of 10,000 to 20,000.
_LONGEST_WHOLE_SCRIPT = 20_000


def encode_command(text: str) -> str:
    """What `-EncodedCommand` takes: base64 of UTF-16LE."""
    return base64.b64encode(text.encode("utf-16-le")).decode("ascii")


@dataclass(frozen=True, slots=True)
class Engine:
    """A PowerShell engine: one runspace in one process.

    `connected_user` is who was authenticated, where the session runs as someone else.
    """

    host: Host
    process: Process
    host_name: str
    host_version: str
    version: str
    host_id: str
    runspace_id: str
    connected_user: Account | None = None

    @property
    def is_remote(self) -> bool:
        return self.host_name == "ServerRemoteHost"

    @property
    def logs_code(self) -> bool:
        """Module logging came with PowerShell 3.0, script block logging with 5.0; 2.0 has neither."""
        return not self.version.startswith(("2.", "4."))


def powershell_version(host: Host) -> str:
    """The version that came with the host's Windows."""
    return _VERSIONS[host.build]


def new_engine(
    host: Host,
    process: Process,
    version: str | None = None,
    *,
    is_remote: bool = False,
    connected_user: Account | None = None,
) -> Engine:
    """The engine of a console, or of a remoting session: that one shows host version 1.0.0.0."""
    version = version or powershell_version(host)
    return Engine(
        host,
        process,
        "ServerRemoteHost" if is_remote else "ConsoleHost",
        "1.0.0.0" if is_remote else version,
        version,
        host.new_guid(),
        host.new_guid(),
        connected_user,
    )


def _context(engine: Engine, sequence: int, *, has_runspace: bool) -> str:
    """The block of `key=value` lines that ends the events 400, 403 and 600."""
    known = {
        "HostName": engine.host_name,
        "HostVersion": engine.host_version,
        "HostId": engine.host_id,
        "HostApplication": engine.process.command_line,
        "EngineVersion": engine.version if has_runspace else "",
        "RunspaceId": engine.runspace_id if has_runspace else "",
    }
    if engine.version.startswith("2."):
        del known["HostApplication"]  # PowerShell 2.0 does not write the line, as real 400 of 2.0 show
    empty = ("PipelineId", "CommandName", "CommandType", "ScriptName", "CommandPath", "CommandLine")
    lines = [f"{key}={value}" for key, value in known.items()] + [f"{key}=" for key in empty]
    return "".join(f"\r\n\t{line}" for line in [f"SequenceNumber={sequence}\r\n", *lines])


def start_engine(engine: Engine, at: datetime) -> list[Event]:
    """600 for each provider while the engine has no runspace yet, then 400.

    Classic sources log neither process nor user.
    """
    host = engine.host
    providers = (*_PROVIDERS, "WSMan") if engine.is_remote else _PROVIDERS
    events = []
    for number, name in enumerate(providers):
        context = _context(engine, 2 * number + 1, has_runspace=False)
        text = f"\tProviderName={name}\r\n\tNewProviderState=Started\r\n{context}"
        events.append(
            host.log(
                shapes.PROVIDER_STARTED,
                at + milliseconds(8 * number),
                by=0,
                strings=(name, "Started", text),
            )
        )
    events.append(_engine_event(engine, at + milliseconds(90), "Available", "None", 13))
    return events


def stop_engine(engine: Engine, at: datetime) -> Event:
    return _engine_event(engine, at, "Stopped", "Available", 21)


def _engine_event(engine: Engine, at: datetime, state: str, previous: str, sequence: int) -> Event:
    shape = shapes.ENGINE_AVAILABLE if state == "Available" else shapes.ENGINE_STOPPED
    context = _context(engine, sequence, has_runspace=True)
    text = f"\tNewEngineState={state}\r\n\tPreviousEngineState={previous}\r\n{context}"
    return engine.host.log(shape, at, by=0, strings=(state, previous, text))


def open_console(engine: Engine, at: datetime) -> list[Event]:
    """40961, 53504 and 40962 of a starting console; a remoting host logs 53504 only. 5.0 and later."""
    if not engine.logs_code:
        return []
    host, process = engine.host, engine.process
    sid = process.session.account.sid
    activity = host.new_guid()
    listening = host.log(
        shapes.IPC_LISTENING,
        at + milliseconds(40),
        by=process,
        fields={"param1": str(process.pid), "param2": "DefaultAppDomain"},
        activity_id=activity,
        user_sid=sid,
    )
    if engine.is_remote:
        return [listening]
    starting = host.log(shapes.CONSOLE_STARTING, at, by=process, activity_id=activity, user_sid=sid)
    ready = host.log(shapes.CONSOLE_READY, at + milliseconds(95), by=process, activity_id=activity, user_sid=sid)
    return [starting, listening, ready]


def log_script(
    engine: Engine, at: datetime, text: str, *, part_size: int = 12_345, is_warning: bool = False
) -> list[Event]:
    """4104 of one script block, in parts if it is long. PowerShell flags suspicious ones with level 3.

    Nothing from engines that cannot log code.
    """
    if not engine.logs_code:
        return []
    step = len(text) if len(text) < _LONGEST_WHOLE_SCRIPT else part_size
    parts = [text[start : start + step] for start in range(0, len(text), step)]
    block_id, activity = engine.host.new_guid(), engine.host.new_guid()
    return [
        engine.host.log(
            shapes.SCRIPT_BLOCK,
            at + milliseconds(2 * number),
            by=engine.process,
            fields={
                "MessageNumber": number,
                "MessageTotal": len(parts),
                "ScriptBlockText": part,
                "ScriptBlockId": block_id,
                "Path": "",
            },
            level=3 if is_warning else None,
            activity_id=activity,
            user_sid=engine.process.session.account.sid,
        )
        for number, part in enumerate(parts, start=1)
    ]


def log_command(engine: Engine, at: datetime, name: str, parameters: dict[str, str], sequence: int) -> Event:
    """4103: one cmdlet with its parameters, as module logging writes it."""
    bindings = "".join(
        f'ParameterBinding({name}): name="{key}"; value="{value}"\r\n' for key, value in parameters.items()
    )
    return _log_with_context(
        engine, at, shapes.MODULE_LOG, f'CommandInvocation({name}): "{name}"\r\n{bindings}', name, sequence
    )


def log_error(engine: Engine, at: datetime, message: str, identifier: str, name: str, sequence: int) -> Event:
    """4100: a command failed. `identifier` is the fully qualified error id."""
    payload = f"Error Message = {message}\r\nFully Qualified Error ID = {identifier}\r\n"
    return _log_with_context(engine, at, shapes.COMMAND_ERROR, payload, name, sequence)


def _log_with_context(engine: Engine, at: datetime, shape: Shape, payload: str, name: str, sequence: int) -> Event:
    account = engine.process.session.account.full_name
    connected = engine.connected_user.full_name if engine.connected_user else account
    context = {
        "Severity": "Informational",
        "Host Name": engine.host_name,
        "Host Version": engine.host_version,
        "Host ID": engine.host_id,
        "Host Application": engine.process.command_line,
        "Engine Version": engine.version,
        "Runspace ID": engine.runspace_id,
        "Pipeline ID": "3",
        "Command Name": name,
        "Command Type": "Cmdlet",
        "Script Name": "",
        "Command Path": "",
        "Sequence Number": str(sequence),
        "User": account,
        "Connected User": connected if engine.is_remote else "",
        "Shell ID": "Microsoft.PowerShell",
    }
    return engine.host.log(
        shape,
        at,
        by=engine.process,
        fields={
            "ContextInfo": "".join(f"        {key} = {value}\r\n" for key, value in context.items()),
            "UserData": "",
            "Payload": payload,
        },
        activity_id=engine.host.new_guid(),
        user_sid=engine.process.session.account.sid,
    )
