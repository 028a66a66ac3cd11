"""The ordinary morning around the demo's attack: staff, services, an administrator's remoting."""

import random
from datetime import datetime, timedelta

from samples.cast import ADM_OPS, MANAGEMENT_ADDRESS, STAFF
from samples.desks import Desk
from samples.logons import (
    Source,
    logoff,
    logon_failure,
    network_logon,
    service_logon,
)
from samples.powershell import new_engine, open_console, start_engine, stop_engine
from samples.processes import change_service, end_process, start_process
from samples.remoting import SYSTEM32, Client, Login, open_shell
from samples.scenario import MEDIUM, Event, Host, milliseconds
from samples.story import Story

_BEGIN = "07:58:00"
_SERVICES = (
    ("Windows Update", "wuauserv"),
    ("Windows Modules Installer", "TrustedInstaller"),
    ("Background Intelligent Transfer Service", "BITS"),
    ("Software Protection", "sppsvc"),
    ("WinHTTP Web Proxy Auto-Discovery Service", "WinHttpAutoProxySvc"),
)
_TASKS = (
    ("taskhostw.exe", "taskhostw.exe Install $(Arg0)"),
    ("svchost.exe", "C:\\Windows\\system32\\svchost.exe -k wsappx -p -s ClipSVC"),
    ("MpCmdRun.exe", '"C:\\Program Files\\Windows Defender\\MpCmdRun.exe" SignaturesUpdateService'),
    ("usoclient.exe", "C:\\Windows\\system32\\usoclient.exe StartScan"),
    ("dllhost.exe", "C:\\Windows\\system32\\DllHost.exe /Processid:{AB8902B4-09CA-4BB6-B78D-A8F59079A8D5}"),
)
_PROGRAMS = (
    "C:\\Program Files\\Microsoft Office\\root\\Office16\\OUTLOOK.EXE",
    "C:\\Program Files\\Microsoft Office\\root\\Office16\\EXCEL.EXE",
    "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
    "C:\\Windows\\System32\\notepad.exe",
)


class _Dice:
    """Repeatable chance. Only Random.random() is promised to stay the same in later Pythons."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)

    def moments(self, begin: datetime, end: datetime, mean_seconds: float) -> list[datetime]:
        """Times from `begin` to `end` with gaps of half to one and a half times the mean."""
        moments: list[datetime] = []
        at = begin
        while True:
            at += timedelta(microseconds=int(mean_seconds * (0.5 + self._random.random()) * 1_000_000))
            if at >= end:
                return moments
            moments.append(at)


def tell_morning(story: Story, desk: Desk) -> None:
    _serve_files(story, _Dice(7))
    _run_services(story, story.host("SRV02"), _Dice(11), 340)
    _run_services(story, story.host("WS07"), _Dice(13), 600)
    _use_programs(story, desk, _Dice(17))
    _mistype(story)
    _administer(story)
    _inventory(story)
    _administer_old_host(story)


def _serve_files(story: Story, dice: _Dice) -> None:
    """Staff use the shares of SRV02: short Kerberos logons, of people and of their computers."""
    for at in dice.moments(story.clock(_BEGIN), story.clock("10:06:00"), 62):
        number = dice.below(len(STAFF))
        source = Source(f"192.0.2.{40 + number}", 49200 + dice.below(12000))
        session, _ = network_logon(story.host("SRV02"), at, STAFF[number], source, label=MEDIUM)
        logoff(story.host("SRV02"), at + timedelta(seconds=10 + dice.below(40)), session, 3)


def _run_services(story: Story, host: Host, dice: _Dice, mean_seconds: float) -> None:
    """Service logons, scheduled programs of SYSTEM, and services that come and go."""
    for at in dice.moments(story.clock(_BEGIN), story.clock("10:05:00"), mean_seconds):
        service_logon(host, at)
        name, command = _TASKS[dice.below(len(_TASKS))]
        process, _ = start_process(host, at + timedelta(seconds=3), host.scheduler, f"{SYSTEM32}\\{name}", command)
        end_process(host, at + timedelta(seconds=5 + dice.below(90)), process)
        title, short = _SERVICES[dice.below(len(_SERVICES))]
        change_service(host, at + timedelta(seconds=1), title, short, is_running=True)
        change_service(host, at + timedelta(seconds=120 + dice.below(60)), title, short, is_running=False)


def _use_programs(story: Story, desk: Desk, dice: _Dice) -> None:
    for at in dice.moments(story.clock("08:03:10"), story.clock("10:04:00"), 520):
        image = _PROGRAMS[dice.below(len(_PROGRAMS))]
        process, _ = start_process(
            story.host("WS07"), at, desk.explorer, image, f'"{image}"', folder="C:\\Users\\jdoe\\"
        )
        end_process(story.host("WS07"), at + timedelta(seconds=60 + dice.below(400)), process)


def _mistype(story: Story) -> None:
    """Three wrong passwords in a row, then the right one: below every threshold."""
    at = story.clock("08:31:12.330")
    source = Source("192.0.2.43", 51877, "WS43")
    user = STAFF[3]
    events = [
        logon_failure(story.host("SRV02"), at + timedelta(seconds=6 * number), user.name, "CORP", source)
        for number in range(3)
    ]
    session, _ = network_logon(
        story.host("SRV02"), at + timedelta(seconds=25), user, source, package="NTLM", label=MEDIUM
    )
    logoff(story.host("SRV02"), at + timedelta(seconds=60), session, 3)
    story.near_miss("logon_failure_burst", story.host("SRV02"), "three typing errors of one user", events)


def _administer(story: Story) -> None:
    """An administrator's ordinary remoting from a Linux host: cmdlets only, no child process."""
    host, at = story.host("SRV02"), story.clock("08:25:40.120")
    shell = open_shell(story, at, Client(MANAGEMENT_ADDRESS), host, Login(ADM_OPS), text="ordinary administration")
    script = shell.script(at + timedelta(seconds=5), "Get-Service -Name LanmanServer, W32Time")
    shell.close(at + timedelta(seconds=96))
    story.tell(at, host, ADM_OPS, f"ordinary remoting from the management host {MANAGEMENT_ADDRESS}")
    story.near_miss(
        "remoting_child_process",
        host,
        "an administrator's session without child processes",
        (*shell.truth.witnesses["host_process"], *script),
    )


def _inventory(story: Story) -> None:
    """A scheduled script on WS07: PowerShell with arguments, none of them encoded."""
    host, at = story.host("WS07"), story.clock("08:40:00.510")
    image = f"{SYSTEM32}\\WindowsPowerShell\\v1.0\\powershell.exe"
    command = 'powershell.exe -NoProfile -ExecutionPolicy Bypass -File "C:\\Program Files\\Corp\\inventory.ps1"'
    process, started = start_process(host, at, host.scheduler, image, command)
    engine = new_engine(host, process)
    console: list[Event] = open_console(engine, at + milliseconds(280))
    start_engine(engine, at + milliseconds(350))
    stop_engine(engine, at + timedelta(seconds=11))
    end_process(host, at + timedelta(seconds=12), process)
    story.near_miss(
        "powershell_encoded_command",
        host,
        "a scheduled script with -ExecutionPolicy and -File",
        (*started, *console),
    )


def _administer_old_host(story: Story) -> None:
    """OLD01 still runs Windows Server 2008 R2, whose WinRM logs 169, 193 and 81 to 134."""
    for text in ("08:15:02.250", "09:00:03.906", "09:45:02.781"):
        at = story.clock(text)
        shell = open_shell(
            story,
            at,
            Client(MANAGEMENT_ADDRESS),
            story.host("OLD01"),
            Login(ADM_OPS),
            logon_count=1,
            text="a check of the old server every 45 minutes",
        )
        shell.close(at + timedelta(seconds=7))
    story.tell(
        story.clock("08:15:02.250"), story.host("OLD01"), ADM_OPS, "checks the old server by WinRM every 45 minutes"
    )
