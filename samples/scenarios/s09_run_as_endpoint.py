"""Second hop through an endpoint with stored credentials (RunAs): who connects and who acts are two accounts.

An administrator registers the endpoint Deploy on SRV02 to run as svc-deploy. jdoe connects to it: 91 has jdoe, the
session's process runs as svc-deploy, whose stored password SRV02 uses (4648 by NETWORK SERVICE, a TGT at
SRV02's address). From there svc-deploy opens a session on SRV03.
"""

from datetime import timedelta

from samples.cast import ADM_OPS, JDOE, SVC_DEPLOY
from samples.desks import seat
from samples.kerberos import grant_tgt
from samples.powershell import log_script
from samples.remoting import Client, Login, open_shell
from samples.scenario import milliseconds
from samples.story import Story

TITLE = "Second hop through a RunAs endpoint"
_ENDPOINT = "http://schemas.microsoft.com/powershell/Deploy"


def tell(story: Story) -> None:
    dc01, ws07, srv02, srv03 = (story.host(name) for name in ("DC01", "WS07", "SRV02", "SRV03"))
    admin = seat(story, "WS12", ADM_OPS, "08:01:12.441", "08:50:03.118")
    at = story.clock("08:51:10.300")
    setup = open_shell(story, at, Client.of(admin), srv02, Login(ADM_OPS), text="to register the endpoint")
    registered = setup.script(
        at + timedelta(seconds=25),
        "Register-PSSessionConfiguration -Name Deploy -RunAsCredential CORP\\svc-deploy -Force",
    )
    setup.close(at + timedelta(minutes=2))
    story.tell(at, srv02, ADM_OPS, "registers the endpoint Deploy, which runs as svc-deploy")
    story.expect(
        "remoting_enabled", srv02, "Register-PSSessionConfiguration with RunAsCredential", registered, is_benign=True
    )
    console = seat(story, "WS07", JDOE, "08:02:31.207", "11:10:03.118")
    at = story.clock("11:11:40.520")
    log_script(console, at - milliseconds(70), "Enter-PSSession SRV02.corp.example.test -ConfigurationName Deploy")
    tgt = grant_tgt(dc01, at + timedelta(seconds=1.15), SVC_DEPLOY, srv02.address, srv02.new_port())
    login = Login(JDOE, is_admin=False)
    shell = open_shell(
        story, at, Client.of(console), srv02, login, endpoint=_ENDPOINT, run_as=SVC_DEPLOY, text="runs as svc-deploy"
    )
    story.tell(at, ws07, JDOE, "connects to the endpoint Deploy of SRV02")
    command = shell.command(at + timedelta(seconds=14), "Get-Location", {})
    witnesses = shell.truth.witnesses
    switch = [*witnesses["shell"], *witnesses["run_as_logon"], tgt, command, *witnesses["host_process"]]
    story.expect(
        "remoting_identity_switch",
        srv02,
        "91 by jdoe, the session's process by svc-deploy; the endpoint was registered that morning",
        [command],
        [*switch, *registered],
    )
    at = story.clock("11:14:20.910")
    scripts = shell.script(at - milliseconds(90), "Invoke-Command SRV03.corp.example.test { Get-Service }")
    inner = open_shell(story, at, shell.as_client, srv03, Login(SVC_DEPLOY), text="svc-deploy goes on")
    inner.script(at + timedelta(seconds=3), "Get-Service")
    witnesses = inner.truth.witnesses
    related = [event for role in ("client_session", "ticket", "logon", "shell") for event in witnesses.get(role, [])]
    story.expect(
        "second_hop_chained_sessions", srv03, "WS07 to SRV02 to SRV03, as svc-deploy", witnesses["shell"], related
    )
    inner.close(at + timedelta(seconds=44))
    story.tell(at, srv02, SVC_DEPLOY, "goes on to SRV03")
    further = inner.truth.witnesses
    evidence = [*switch, *scripts, *(further[role][0] for role in ("client_session", "logon", "shell"))]
    text = "the endpoint's stored password serves on SRV03 as well"
    story.hop("run_as", at, shell.truth, srv03, text, evidence, next_user=SVC_DEPLOY, outbound=inner.truth)
    shell.close(story.clock("11:21:20.600"))
    story.near_miss("remoting_identity_switch", srv03, "91 and process are of one account", further["host_process"])
