"""Second hop through JEA: the endpoint runs as a virtual account, which the network sees as the computer.

A member of the helpdesk, no administrator, connects to the endpoint Helpdesk on SRV02. WinRM executes the request
as a virtual account of SRV02 (193, S-1-5-94): 4103 has it under User and the helpdesk's name under Connected
User. What the session opens on the network is opened by SRV02$.
"""

from datetime import timedelta

from samples.cast import DOMAIN, STAFF
from samples.desks import open_powershell, sit_down
from samples.kerberos import grant_tgt
from samples.powershell import log_script
from samples.remoting import Client, Login, open_shell
from samples.scenario import Account, milliseconds
from samples.shares import open_share
from samples.story import Story

TITLE = "Second hop through a JEA virtual account"
_ENDPOINT = "http://schemas.microsoft.com/powershell/Helpdesk"


def tell(story: Story) -> None:
    dc01, ws07, srv02, web01 = (story.host(name) for name in ("DC01", "WS07", "SRV02", "WEB01"))
    user = STAFF[4]
    virtual = Account(f"WinRM VA_1_{DOMAIN.name}_{user.name}", "WinRM Virtual Users", "S-1-5-94-1")
    boot = grant_tgt(dc01, story.clock("06:31:02.100"), srv02.account, srv02.address, 49670)
    desk = sit_down(ws07, story.clock("08:12:31.207"), user, is_admin=False)
    console = open_powershell(desk, story.clock("10:40:02.330"), is_elevated=False)
    at = story.clock("10:41:12.730")
    log_script(console, at - milliseconds(70), "Enter-PSSession SRV02.corp.example.test -ConfigurationName Helpdesk")
    shell = open_shell(
        story,
        at,
        Client.of(console),
        srv02,
        Login(user, is_admin=False),
        endpoint=_ENDPOINT,
        virtual_account=virtual,
        text="JEA endpoint, virtual account",
    )
    story.tell(at, ws07, user, "connects to the endpoint Helpdesk of SRV02")
    command = shell.command(at + timedelta(seconds=21), "Restart-Service", {"Name": "Spooler"})
    witnesses = shell.truth.witnesses
    switch = [*witnesses["virtual_account"], *witnesses["run_as_logon"][:1], command]
    at = story.clock("10:44:09.120")
    command = shell.command(at - milliseconds(60), "Get-ChildItem", {"Path": "\\\\web01\\dept"})
    switch.append(command)
    story.expect(
        "remoting_identity_switch", srv02, "193, the virtual account's logon, Connected User", switch, is_benign=True
    )
    _, events = open_share(story, at, srv02, web01, srv02.account, files=("printers.csv",))
    story.tell(at, srv02, virtual, "reads the share of WEB01 as SRV02$")
    text = "the virtual account has the computer's credentials on the network: WEB01 sees SRV02$"
    story.hop("jea", at, shell.truth, web01, text, [*switch, command, *events], next_user=srv02.account)
    shell.close(story.clock("10:52:20.600"))
    story.near_miss("second_hop_credssp", dc01, "the computer's own TGT at boot", [boot])
