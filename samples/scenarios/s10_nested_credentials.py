"""Second hop with credentials inside Invoke-Command: the simplest way, and the most used.

In the session on SRV02 a second Invoke-Command carries another account's credentials ($Using:cred) to SRV03. SRV02
logs a 4648 whose subject is the session's logon, and a WSMan session by wsmprovhost.exe; the domain controller
a TGT for that account at SRV02's address; SRV03 a 91 whose client is SRV02.
"""

from datetime import timedelta

from samples.cast import ADM_LEE, SVC_BACKUP
from samples.desks import seat
from samples.logons import explicit_credential
from samples.powershell import log_script
from samples.remoting import Client, Login, open_shell
from samples.scenario import milliseconds
from samples.story import Story

TITLE = "Second hop with credentials inside Invoke-Command"


def tell(story: Story) -> None:
    story.host("DC01")
    ws12, srv02, srv03 = (story.host(name) for name in ("WS12", "SRV02", "SRV03"))
    console = seat(story, "WS12", ADM_LEE, "08:01:12.441", "15:00:03.118")
    at = story.clock("15:01:40.250")
    line = "Invoke-Command srv02 { Invoke-Command srv03 { hostname; Get-Date } -Credential $Using:cred }"
    log_script(console, at - milliseconds(70), line)
    shell = open_shell(story, at, Client.of(console), srv02, Login(ADM_LEE), name="srv02", text="by its short name")
    story.tell(at, ws12, ADM_LEE, "runs a nested Invoke-Command on SRV02")
    at += timedelta(seconds=3.1)
    scripts = shell.script(at - milliseconds(90), "Invoke-Command srv03 { hostname; Get-Date } -Credential $Using:cred")
    login = Login(SVC_BACKUP, is_explicit=True)
    inner = open_shell(story, at, shell.as_client, srv03, login, name="srv03", text="with svc-backup's credentials")
    inner.script(at + timedelta(seconds=2), "hostname; Get-Date")
    inner.run(at + timedelta(seconds=2.1), "HOSTNAME.EXE")
    inner.close(at + timedelta(seconds=5))
    inner.expect_programs()
    story.tell(at, srv02, ADM_LEE, "goes on to SRV03 as svc-backup")
    witnesses = inner.truth.witnesses
    roles = ("explicit_credential", "tgt", "client_session", "connection", "logon", "shell")
    evidence = [*scripts, *(witnesses[role][0] for role in roles)]
    text = "4648 towards SRV03 inside the session on SRV02"
    story.hop(
        "explicit_credentials", at, shell.truth, srv03, text, evidence, next_user=SVC_BACKUP, outbound=inner.truth
    )
    story.expect("second_hop_explicit_credentials", srv02, text, witnesses["explicit_credential"], evidence)
    shell.close(at + timedelta(seconds=8))
    local = explicit_credential(
        srv02, story.clock("07:30:00.120"), srv02.system, srv02.scheduler, SVC_BACKUP, "localhost", "localhost"
    )
    story.near_miss("second_hop_explicit_credentials", srv02, "a scheduled task's own account, on this host", [local])
