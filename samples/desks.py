"""People at their computers: an interactive logon, the desktop, a PowerShell console."""

from dataclasses import dataclass
from datetime import datetime

from samples.logons import interactive_logon, special_logon
from samples.powershell import Engine, new_engine, open_console, start_engine
from samples.processes import start_process
from samples.scenario import HIGH, Account, Host, Process, Session, milliseconds
from samples.story import Story

CONSOLE = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"


@dataclass(frozen=True, slots=True)
class Desk:
    """Who sits at a host: the session, its elevated half if an administrator's, and the desktop."""

    host: Host
    session: Session
    elevated: Session
    explorer: Process


def sit_down(host: Host, at: datetime, account: Account, *, is_admin: bool = True, terminal: int = 1) -> Desk:
    """An interactive logon. An administrator's token is split in two sessions, linked to each other."""
    session = host.new_session(account, at, terminal=terminal)
    elevated = host.new_session(account, at, HIGH, terminal=terminal) if is_admin else session
    if is_admin:
        interactive_logon(host, at, elevated, session.logon_id)
        special_logon(host, at + milliseconds(0.3), elevated)
    interactive_logon(host, at + milliseconds(0.1), session, elevated.logon_id if is_admin else 0)
    pid = host.new_pid()
    explorer = Process(
        pid, host.sysmon_guid(at, pid), "C:\\Windows\\explorer.exe", "C:\\Windows\\Explorer.EXE", session
    )
    return Desk(host, session, elevated, explorer)


def open_powershell(desk: Desk, at: datetime, command: str = f'"{CONSOLE}"', *, is_elevated: bool = True) -> Engine:
    """A PowerShell console started from the desktop."""
    host = desk.host
    session = desk.elevated if is_elevated else desk.session
    folder = f"C:\\Users\\{session.account.name}\\"
    process, _ = start_process(host, at, desk.explorer, CONSOLE, command, session=session, folder=folder)
    engine = new_engine(host, process)
    open_console(engine, at + milliseconds(300))
    start_engine(engine, at + milliseconds(350))
    return engine


def seat(story: Story, name: str, account: Account, sits: str, opens: str) -> Engine:
    """`account` logs on at the host `name` and opens an elevated PowerShell there; clock times of the day."""
    host = story.host(name)
    desk = sit_down(host, story.clock(sits), account)
    story.tell(desk.session.start, host, account, f"logs on at {name}")
    return open_powershell(desk, story.clock(opens))
