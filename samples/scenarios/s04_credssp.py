"""Second hop by CredSSP: the client hands its password to the server, which can then go anywhere.

CredSSP is switched on at WS12 (client, with a wildcard) and SRV02 (server). The session on SRV02 is a
type 8 logon; afterwards the domain controller grants a TGT to the user at SRV02's address, where nobody sits:
the password is there. From SRV02 on to SRV03 by WinRM and to a share of WEB01.
"""

from datetime import datetime, timedelta

from samples.cast import ADM_LEE
from samples.desks import seat
from samples.kerberos import grant_tgt
from samples.powershell import log_command, log_script
from samples.processes import set_registry
from samples.remoting import Client, Login, Shell, open_shell
from samples.scenario import Event, Host, milliseconds
from samples.shares import open_share
from samples.story import Story

TITLE = "Second hop by CredSSP"
# "Multi-hop support in WinRM", Microsoft Learn, for the policy; from memory: the WSMAN values.
_POLICY = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\CredentialsDelegation"
_WSMAN = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WSMAN"


def tell(story: Story) -> None:
    dc01, ws12, srv02 = story.host("DC01"), story.host("WS12"), story.host("SRV02")
    console = seat(story, "WS12", ADM_LEE, "08:01:12.441", "09:40:03.118")
    at = story.clock("09:41:20.650")
    text = "Enable-WSManCredSSP -Role Client -DelegateComputer *.corp.example.test -Force"
    configured = [
        *log_script(console, at, text),
        log_command(console, at + milliseconds(15), "Enable-WSManCredSSP", {"Role": "Client"}, 19),
        *_set(
            ws12,
            at,
            {
                f"{_POLICY}\\AllowFreshCredentials": "DWORD (0x00000001)",
                f"{_POLICY}\\AllowFreshCredentials\\1": "wsman/*.corp.example.test",
                f"{_WSMAN}\\Client\\auth_credssp": "DWORD (0x00000001)",
            },
        ),
    ]
    story.tell(at, ws12, ADM_LEE, "lets WS12 delegate fresh credentials to every host of the domain")
    story.expect("credssp_configured", ws12, "policy, WSMAN value and the command", configured[2:], configured)
    at = story.clock("09:43:02.205")
    shell = open_shell(story, at, Client.of(console), srv02, Login(ADM_LEE), text="an ordinary session, to configure")
    configured = shell.script(at + timedelta(seconds=20), "Enable-WSManCredSSP -Role Server -Force")
    configured += _set(srv02, at + timedelta(seconds=20), {f"{_WSMAN}\\Service\\auth_credssp": "DWORD (0x00000001)"})
    shell.close(at + timedelta(seconds=70))
    story.expect("credssp_configured", srv02, "the server's side", configured[1:], configured)
    at = story.clock("09:50:31.010")
    log_script(
        console, at - milliseconds(70), "Enter-PSSession SRV02.corp.example.test -Authentication CredSSP -Credential $c"
    )
    login = Login(ADM_LEE, "CredSSP", is_explicit=True)
    shell = open_shell(story, at, Client.of(console), srv02, login, text="with CredSSP: the password goes along")
    story.tell(at, ws12, ADM_LEE, "opens a session to SRV02 with CredSSP")
    logons = shell.truth.witnesses["logon"]
    tgt = grant_tgt(dc01, at + timedelta(seconds=61), ADM_LEE, srv02.address, 52011)
    story.expect("second_hop_credssp", srv02, "type 8 for a remoting session, then a TGT at SRV02", logons, [tgt])
    _go_on(story, shell, tgt)
    shell.close(at + timedelta(minutes=14))
    other = grant_tgt(dc01, story.clock("08:01:12.100"), ADM_LEE, ws12.address, 49702)
    story.near_miss("second_hop_credssp", dc01, "a TGT where the user sits", [other])


def _set(host: Host, at: datetime, values: dict[str, str]) -> list[Event]:
    """The registry values that the cmdlet has WinRM's service write."""
    return [
        set_registry(host, at + milliseconds(40 + 5 * number), host.winrm, key, value)
        for number, (key, value) in enumerate(values.items())
    ]


def _go_on(story: Story, shell: Shell, tgt: Event) -> None:
    """The second hop needs no further credentials: SRV02 has the password."""
    srv02, srv03, web01 = story.host("SRV02"), story.host("SRV03"), story.host("WEB01")
    at = story.clock("09:51:33.800")
    scripts = shell.script(
        at - milliseconds(90), "Invoke-Command -ComputerName SRV03.corp.example.test { Get-Process }"
    )
    inner = open_shell(story, at, shell.as_client, srv03, Login(ADM_LEE), text="from inside the CredSSP session")
    inner.script(at + timedelta(seconds=3), "Get-Process")
    inner.close(at + timedelta(seconds=31))
    inner.truth.witness("tgt", tgt)
    witnesses = inner.truth.witnesses
    evidence = [tgt, *scripts, *(witnesses[role][0] for role in ("client_session", "ticket", "logon", "shell"))]
    text = "the same user goes on from SRV02, whose CredSSP session holds the password"
    story.hop("credssp", at, shell.truth, srv03, text, evidence, outbound=inner.truth)
    at = story.clock("09:58:10.340")
    shell.script(at - milliseconds(60), "Copy-Item \\\\WEB01\\dept\\plan.txt C:\\Users\\Public")
    _, events = open_share(story, at, srv02, web01, ADM_LEE, files=("plan.txt",), is_admin=True)
    story.hop("credssp", at, shell.truth, web01, "a file of a share of WEB01", [tgt, *events])
    story.tell(at, srv02, ADM_LEE, "reads a file of WEB01 from inside the session")
    related = [*evidence, *witnesses["logon"]]
    story.expect("second_hop_chained_sessions", srv03, "WS12 to SRV02 to SRV03, one user", evidence[-2:], related)
