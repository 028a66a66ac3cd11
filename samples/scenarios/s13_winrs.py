"""winrs: a command shell over WinRM, without PowerShell.

jdoe runs `winrs -r:srv02 ...` at WS07 with svc-backup's password. On SRV02 the shell's URI ends in shell/cmd, its
host is winrshost.exe, and each command is a `cmd.exe /C` below it. The second shell leaves the poor form of 91: Windows
could not fill the event and wrote ProcessingErrorData, with the URI in hexadecimal.
"""

from datetime import datetime, timedelta

from samples.cast import JDOE, SVC_BACKUP
from samples.desks import seat
from samples.processes import end_process, start_process
from samples.remoting import SYSTEM32, Client, Login, Shell, open_shell
from samples.scenario import Event, milliseconds
from samples.story import Story

TITLE = "winrs"


def tell(story: Story) -> None:
    story.host("DC01")
    ws07, srv02 = story.host("WS07"), story.host("SRV02")
    console = seat(story, "WS07", JDOE, "08:02:31.207", "12:30:03.118")
    at = story.clock("12:31:10.640")
    commands: list[Event] = []
    programs: list[Event] = []
    for number, line in enumerate(("ipconfig /all", "net localgroup Administrators")):
        moment = at + timedelta(seconds=40 * number)
        arguments = f"winrs.exe -r:srv02.corp.example.test -u:corp\\svc-backup {line}"
        tool, _ = start_process(ws07, moment, console.process, f"{SYSTEM32}\\winrs.exe", arguments)
        client = Client(ws07.address, ws07, tool, ws07.name)
        login = Login(SVC_BACKUP, is_explicit=True)
        shell = open_shell(
            story,
            moment + milliseconds(60),
            client,
            srv02,
            login,
            kind="winrs",
            has_poor_shell=number == 1,
            text=line,
        )
        for found, started in zip(
            (commands, programs), _run(shell, moment + timedelta(seconds=1.6), line), strict=True
        ):
            found += started
        shell.close(moment + timedelta(seconds=4))
        end_process(ws07, moment + timedelta(seconds=4.1), tool)
        story.tell(moment, ws07, JDOE, f"winrs to SRV02: {line}")
    story.expect("remoting_child_process", srv02, "cmd.exe /C below winrshost.exe", commands, programs)
    story.expect("winrs_command", srv02, "two commands over winrs", commands, programs)
    poor = story.sessions[-1].witnesses["shell"]
    story.expect("winrm_shell_created", srv02, "a 91 whose URI stands in ProcessingErrorData", poor)


def _run(shell: Shell, at: datetime, line: str) -> tuple[list[Event], list[Event]]:
    """The starts of cmd.exe below winrshost.exe, and of the program below cmd.exe."""
    command, started = shell.run(at, "cmd.exe", f"/C {line}", seconds=1.2)
    program, _, arguments = line.partition(" ")
    _, inner = shell.run(at + milliseconds(60), f"{program}.exe", arguments, parent=command, seconds=0.8)
    return started, inner
