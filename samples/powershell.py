"""PowerShell and WinRM events of Windows PowerShell 5.1 on Windows 10 and Server 2022."""

import base64
from dataclasses import dataclass
from datetime import datetime

from samples import shapes
from samples.scenario import Event, Host, Process, milliseconds

_PROVIDERS = ("Registry", "Alias", "Environment", "FileSystem", "Function", "Variable")
# PowerShell cuts script blocks above this many characters into parts of 10,000 to 20,000.
_LONGEST_WHOLE_SCRIPT = 20_000


def encode_command(text: str) -> str:
    """What `-EncodedCommand` takes: base64 of UTF-16LE."""
    return base64.b64encode(text.encode("utf-16-le")).decode("ascii")


@dataclass(frozen=True, slots=True)
class Engine:
    """A PowerShell engine: one runspace in one process."""

    host: Host
    process: Process
    host_name: str
    host_version: str
    version: str
    host_id: str
    runspace_id: str

    @property
    def is_remote(self) -> bool:
        return self.host_name == "ServerRemoteHost"


def new_engine(host: Host, process: Process, version: str, *, is_remote: bool = False) -> Engine:
    """The engine of a console, or of a remoting session: that one shows host version 1.0.0.0."""
    return Engine(
        host,
        process,
        "ServerRemoteHost" if is_remote else "ConsoleHost",
        "1.0.0.0" if is_remote else version,
        version,
        host.new_guid(),
        host.new_guid(),
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
    """40961, 53504 and 40962 of a starting console; a remoting host logs 53504 only."""
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
    """4104 of one script block, in parts if it is long. PowerShell flags suspicious ones with level 3."""
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
    account = engine.process.session.account.full_name
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
        "Connected User": account if engine.is_remote else "",
        "Shell ID": "Microsoft.PowerShell",
    }
    bindings = "".join(
        f'ParameterBinding({name}): name="{key}"; value="{value}"\r\n' for key, value in parameters.items()
    )
    return engine.host.log(
        shapes.MODULE_LOG,
        at,
        by=engine.process,
        fields={
            "ContextInfo": "".join(f"        {key} = {value}\r\n" for key, value in context.items()),
            "UserData": "",
            "Payload": f'CommandInvocation({name}): "{name}"\r\n{bindings}',
        },
        activity_id=engine.host.new_guid(),
        user_sid=engine.process.session.account.sid,
    )


def open_wsman_session(host: Host, at: datetime, process: Process, target: Host, version: str) -> Event:
    """WinRM 6 on the client: who connects is the local user, not the one whose credentials are used."""
    return host.log(
        shapes.WSMAN_SESSION,
        at,
        by=process,
        fields={"connection": f"{target.computer}/wsman?PSVersion={version}"},
        activity_id=host.new_guid(),
        user_sid=process.session.account.sid,
    )


def create_shell(host: Host, at: datetime, process: Process, client_address: str) -> Event:
    """WinRM 91 on the server, with the client address that recent builds add."""
    account = process.session.account
    uri = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
    return host.log(
        shapes.WSMAN_SHELL,
        at,
        by=host.winrm,
        fields={"resourceUri": f"{uri} ({account.full_name} clientIP: {client_address})"},
        activity_id=host.new_guid(),
        user_sid=account.sid,
    )
