"""The ordinary morning around the demo's attack: staff, services, an administrator's remoting."""

from datetime import timedelta

from samples.cast import ADM_OPS, MANAGEMENT_ADDRESS, STAFF
from samples.desks import Desk
from samples.logons import Source
from samples.powershell import new_engine, open_console, start_engine, stop_engine
from samples.processes import end_process, start_process
from samples.quiet import Dice, mistype, run_services, serve_files, use_programs
from samples.remoting import SYSTEM32, Client, Login, open_shell
from samples.scenario import Event, milliseconds
from samples.story import Story


def tell_morning(story: Story, desk: Desk) -> None:
    ws07, srv02 = story.host("WS07"), story.host("SRV02")
    begin, end = story.clock("07:58:00"), story.clock("10:05:00")
    serve_files(srv02, begin, end, Dice(7), 62)
    run_services(srv02, begin, end, Dice(11), 340)
    run_services(ws07, begin, end, Dice(13), 600)
    use_programs(desk, story.clock("08:03:10"), end, Dice(17), 520)
    typed = mistype(srv02, story.clock("08:31:12.330"), STAFF[3], Source("192.0.2.43", 51877, "WS43"))
    story.near_miss("logon_failure_burst", srv02, "three typing errors of one user", typed)
    _administer(story)
    _inventory(story)
    _administer_old_host(story)


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
