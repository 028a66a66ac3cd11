"""Second hop by unconstrained delegation: WEB01 is trusted with the tickets of whoever visits it.

An administrator sets the flag on WEB01's account. From then on a visitor's computer asks for a forwarded
TGT (4769 for krbtgt, options 0x60810010), WEB01 logs the visitor with impersonation level %%1840 (delegation),
and reaches the share of SRV02 as that user, without a 4768 at WEB01's address. WinRM itself takes no such ticket.
"""

from datetime import timedelta

from samples.cast import ADM_LEE, ADM_OPS
from samples.delegation import LDAP_TRUSTED_FOR_DELEGATION, SAM_TRUSTED_FOR_DELEGATION, change_flags, trust_computer
from samples.desks import seat, sit_down
from samples.kerberos import grant_ticket
from samples.logons import Source, network_logon
from samples.powershell import log_script
from samples.remoting import Client, Login, open_shell
from samples.scenario import HIGH, milliseconds
from samples.shares import open_share
from samples.story import Story

TITLE = "Second hop by unconstrained delegation"


def tell(story: Story) -> None:
    dc01, ws12, web01, srv02 = (story.host(name) for name in ("DC01", "WS12", "WEB01", "SRV02"))
    at = story.clock("08:20:05.120")
    admin = sit_down(dc01, at, ADM_OPS).elevated
    flag = trust_computer(dc01, at + timedelta(minutes=4), admin, web01.account, SAM_TRUSTED_FOR_DELEGATION)
    attribute = change_flags(
        dc01, at + timedelta(minutes=4, seconds=0.01), admin, web01.account, LDAP_TRUSTED_FOR_DELEGATION
    )
    story.tell(at + timedelta(minutes=4), dc01, ADM_OPS, "trusts WEB01 for delegation to any service")
    story.expect("delegation_configured", dc01, "4742 with 0x2000 and 5136 of userAccountControl", [flag, *attribute])
    console = seat(story, "WS12", ADM_LEE, "08:31:12.441", "09:15:03.118")
    at = story.clock("09:16:41.730")
    login = Login(ADM_LEE, is_delegated=True)
    shell = open_shell(story, at, Client.of(console), web01, login, text="the TGT is forwarded to WEB01")
    log_script(console, at - milliseconds(70), "Enter-PSSession -ComputerName web01.corp.example.test")
    story.tell(at, ws12, ADM_LEE, "opens a session to WEB01; her TGT goes along")
    witnesses = shell.truth.witnesses
    story.expect(
        "delegated_token_on_member",
        web01,
        "4624 with %%1840 on a member server, after a forwarded TGT",
        witnesses["logon"],
        witnesses["forwarded_tgt"],
    )
    at = story.clock("09:18:10.250")
    shell.script(at - milliseconds(60), "Get-ChildItem \\\\srv02\\dept")
    _, events = open_share(story, at, web01, srv02, ADM_LEE, files=("budget.xlsx", "plan.docx"))
    story.tell(at, web01, ADM_LEE, "reads the share of SRV02 from inside the session")
    text = "SMB with the forwarded ticket; no TGT was granted at WEB01"
    story.hop(
        "unconstrained", at, shell.truth, srv02, text, [*witnesses["forwarded_tgt"], witnesses["logon"][-1], *events]
    )
    shell.close(story.clock("09:25:00.310"))
    # On a domain controller every logon is with delegation: the controllers are trusted with it.
    guid, _ = grant_ticket(dc01, story.clock("08:31:14.000"), ADM_LEE, dc01.account, ws12.address, 49790)
    _, ordinary = network_logon(
        dc01,
        story.clock("08:31:14.020"),
        ADM_LEE,
        Source(ws12.address, 49791),
        label=HIGH,
        logon_guid=guid,
        impersonation="%%1840",
    )
    story.near_miss("delegated_token_on_member", dc01, "%%1840 on the domain controller itself", ordinary[:1])
