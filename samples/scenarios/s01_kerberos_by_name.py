"""An administrator at WS12 opens an interactive session on SRV02 by name: Kerberos, nothing unusual.

In it: programs, cmdlets, and an inventory script so long that PowerShell logs it in three parts. Client,
server and domain controller have all their logs. This is what a whole session looks like.
"""

from datetime import timedelta

from samples.cast import ADM_OPS
from samples.desks import open_powershell, sit_down
from samples.powershell import log_script
from samples.remoting import Client, Login, open_shell
from samples.scenario import milliseconds
from samples.scripts import INVENTORY
from samples.story import Story

TITLE = "PowerShell Remoting by name with Kerberos"


def tell(story: Story) -> None:
    dc01, ws12, srv02 = story.host("DC01"), story.host("WS12"), story.host("SRV02")
    assert story.controller is dc01
    clock = story.clock
    desk = sit_down(ws12, clock("08:01:12.441"), ADM_OPS)
    story.tell(desk.session.start, ws12, ADM_OPS, "logs on at the own workstation WS12")
    console = open_powershell(desk, clock("09:12:03.118"))
    at = clock("09:12:41.730")
    log_script(console, at - milliseconds(70), "Enter-PSSession -ComputerName srv02.corp.example.test")
    shell = open_shell(story, at, Client.of(console), srv02, Login(ADM_OPS), text="interactive, by FQDN, Kerberos")
    story.tell(at, ws12, ADM_OPS, "Enter-PSSession to SRV02 by its name")
    start = clock("09:13:10.020")
    shell.script(start, "hostname")
    shell.run(start + milliseconds(80), "HOSTNAME.EXE")
    shell.script(start + timedelta(seconds=21), "Get-Service -Name LanmanServer, W32Time")
    shell.command(start + timedelta(seconds=21.1), "Get-Service", {"Name": "LanmanServer, W32Time"})
    shell.script(start + timedelta(seconds=64), INVENTORY)
    story.tell(start + timedelta(seconds=64), srv02, ADM_OPS, "runs an inventory script, logged in three parts")
    shell.script(start + timedelta(seconds=131), "ipconfig /all")
    shell.run(start + timedelta(seconds=131.1), "ipconfig.exe", "/all")
    end = clock("09:21:15.600")
    shell.close(end)
    story.tell(end, ws12, ADM_OPS, "leaves the session")
    shell.expect_programs(is_benign=True)
