"""What logs cannot tell: one day, six sessions, and a reason why each of them is seen in part only.

SRV02's Security log is cleared in mid-session; WEB01's PowerShell log has rolled over; R2S05 logs neither scripts nor
processes; SRV03 logs processes without command lines and has its audit policy weakened in mid-session; of
OLD01 the Security log was not collected. Each session is real and was made the same way.
"""

from datetime import datetime, timedelta

from samples import shapes
from samples.cast import ADM_LEE, ADM_OPS
from samples.desks import seat
from samples.logons import subject
from samples.powershell import Engine
from samples.processes import start_process
from samples.remoting import SYSTEM32, Client, Login, Shell, open_shell
from samples.scenario import Event, Host, Session, milliseconds
from samples.story import Fate, Story

TITLE = "Coverage: cleared, rolled over, not logged, not collected"
_LOGON_SUBCATEGORY = "0cce9215-69ae-11d9-bed3-505054503030"
_PROCESS_SUBCATEGORY = "0cce922b-69ae-11d9-bed3-505054503030"


def tell(story: Story) -> None:
    story.host("DC01")
    console = seat(story, "WS12", ADM_OPS, "08:01:12.441", "09:00:03.118")
    _clear_in_mid_session(story, console)
    _roll_over(story, console)
    _log_little(story, console)
    _weaken_in_mid_session(story, console)
    _leave_out(story, console)


def _visit(story: Story, console: Engine, host: Host, text: str, minutes: float = 12) -> Shell:
    """An ordinary session with a script and a program; it closes after `minutes`."""
    at = story.clock(text)
    shell = open_shell(story, at, Client.of(console), host, Login(ADM_OPS), text=f"an ordinary session to {host.name}")
    story.tell(at, story.host("WS12"), ADM_OPS, f"opens a session to {host.name}")
    shell.script(at + timedelta(seconds=20), "Get-Process | Sort-Object CPU")
    shell.run(at + timedelta(seconds=50), "ipconfig.exe", "/all")
    shell.close(at + timedelta(minutes=minutes))
    return shell


def _clear_in_mid_session(story: Story, console: Engine) -> None:
    host = story.host("SRV02")
    shell = _visit(story, console, host, "09:10:02.250")
    at = story.clock("09:16:40.802")
    _, started = shell.run(at - milliseconds(90), "wevtutil.exe", "cl Security")
    cleared = host.log(
        shapes.SECURITY_LOG_CLEARED, at, by=host.event_log, fields=subject(shell.logon.account, shell.logon.logon_id)
    )
    story.cut(host, shapes.SECURITY_LOG, at, Fate.CLEARED)
    story.gap(host, shapes.SECURITY_LOG, "cleared", "by the session itself: logon and process starts before are gone")
    story.tell(at, host, ADM_OPS, "clears the Security log from inside the session")
    sysmon = [event for event in started if event.channel == shapes.SYSMON_LOG]
    story.expect("security_log_cleared", host, "1102 and wevtutil", [cleared], sysmon)
    in_sysmon = [event for event in shell.truth.witnesses["child_process"] if event.channel == shapes.SYSMON_LOG]
    story.expect("remoting_child_process", host, "ipconfig and wevtutil, as Sysmon saw them", in_sysmon)


def _roll_over(story: Story, console: Engine) -> None:
    host = story.host("WEB01")
    _visit(story, console, host, "10:02:11.900").expect_programs(is_benign=True)
    late = _visit(story, console, host, "15:30:20.100")
    late.expect_programs(is_benign=True)
    at = story.clock("15:20:00.000")
    for channel in (shapes.POWERSHELL_LOG, shapes.CLASSIC_POWERSHELL_LOG):
        story.cut(host, channel, at, Fate.OVERWRITTEN)
        story.gap(host, channel, "overwritten", "begins after the first session of the day")


def _log_little(story: Story, console: Engine) -> None:
    host = story.host("R2S05")
    host.mute(shapes.SYSMON_LOG, shapes.POWERSHELL_LOG, shapes.PROCESS_START_V1, shapes.PROCESS_END)
    for channel, text in (
        (shapes.SYSMON_LOG, "Sysmon is not installed"),
        (shapes.POWERSHELL_LOG, "PowerShell 4.0 with neither module nor script block logging"),
        (shapes.SECURITY_LOG, "process creation is not audited"),
    ):
        story.gap(host, channel, "not_logged", text)
    _visit(story, console, host, "11:05:40.330")


def _weaken_in_mid_session(story: Story, console: Engine) -> None:
    host = story.host("SRV03")
    host.mute(shapes.SYSMON_LOG)
    host.has_command_lines = False
    story.gap(host, shapes.SECURITY_LOG, "no_command_line", "the policy for command lines in 4688 is not set")
    story.gap(host, shapes.SYSMON_LOG, "not_logged", "Sysmon is not installed")
    at = story.clock("13:44:10.020")
    # From then on nothing of these kinds is logged; said first, since muting acts on what is logged later.
    host.mute(shapes.PROCESS_START, shapes.LOGOFF, since=at + milliseconds(1))
    shell = _visit(story, console, host, "13:40:31.640")
    _, program = shell.run(at - milliseconds(300), "auditpol.exe", "/set /subcategory:... /success:disable")
    weakened = [_weaken(host, at + milliseconds(number), shell.logon, number) for number in range(2)]
    shell.run(at + timedelta(minutes=2), "whoami.exe", "/all")
    story.tell(at, host, ADM_OPS, "switches the audit of process creation and logoff off")
    story.gap(host, shapes.SECURITY_LOG, "not_logged", "no process creation, no logoff after 13:44:10")
    story.expect("logging_weakened", host, "4719 removes success auditing", weakened, program)
    seen = [event for event in shell.truth.witnesses["child_process"] if event.is_logged]
    story.expect("remoting_child_process", host, "before the audit ended", seen)


def _weaken(host: Host, at: datetime, actor: Session, number: int) -> Event:
    """4719: success is removed (%%8448) from process creation and from logoff."""
    guid, subcategory, category = (
        (_PROCESS_SUBCATEGORY, "%%13312", "%%8276"),
        (_LOGON_SUBCATEGORY, "%%12545", "%%8273"),
    )[number]
    fields = subject(actor.account, actor.logon_id) | {
        "CategoryId": category,
        "SubcategoryId": subcategory,
        "SubcategoryGuid": guid,
        "AuditPolicyChanges": "%%8448",
    }
    return host.log(shapes.AUDIT_POLICY_CHANGED, at, by=host.lsass, fields=fields)


def _leave_out(story: Story, console: Engine) -> None:
    host = story.host("OLD01")
    host.mute(shapes.SYSMON_LOG)
    story.gap(host, shapes.SYSMON_LOG, "not_logged", "Sysmon is not installed")
    _visit(story, console, host, "14:20:12.500")
    story.cut(host, shapes.SECURITY_LOG, None, Fate.NOT_COLLECTED)
    story.gap(host, shapes.SECURITY_LOG, "not_collected", "the collection holds no Security log of OLD01")
    # A process of the domain controller that is no child of any session.
    dc01 = story.host("DC01")
    _, started = start_process(
        dc01, story.clock("14:21:00.100"), dc01.services, f"{SYSTEM32}\\svchost.exe", "svchost.exe -k netsvcs"
    )
    story.near_miss("remoting_child_process", dc01, "a service's process", started)
    story.tell(story.clock("18:00:00.000"), story.host("WS12"), ADM_LEE, "collects the logs")
