"""The second hop that fails, as it does by default: the session holds a Kerberos ticket and no password.

From the session on SRV02 the user tries SRV03 twice: Invoke-Command ends in 0x8009030e, no credentials (WinRM 142 and
161, PowerShell 4100 and 32784), and a share is opened as ANONYMOUS LOGON and refused. The domain controller
grants nothing for SRV03 at SRV02's address. There is no session on SRV03.
"""

from datetime import timedelta

from samples import shapes
from samples.cast import ADM_OPS
from samples.desks import seat
from samples.logons import Source, anonymous_logon, logoff
from samples.powershell import log_error, log_script
from samples.remoting import Client, Login, Shell, open_shell
from samples.scenario import Event, Host, milliseconds
from samples.shape import FieldInput, Shape
from samples.story import Story

TITLE = "Second hop that fails"
_NO_CREDENTIALS = 0x8009030E  # SEC_E_NO_CREDENTIALS, winerror.h


def tell(story: Story) -> None:
    story.host("DC01")
    ws12, srv02, srv03 = (story.host(name) for name in ("WS12", "SRV02", "SRV03"))
    console = seat(story, "WS12", ADM_OPS, "08:01:12.441", "16:20:03.118")
    at = story.clock("16:21:40.250")
    log_script(console, at - milliseconds(70), "Enter-PSSession srv02.corp.example.test")
    shell = open_shell(story, at, Client.of(console), srv02, Login(ADM_OPS), text="an ordinary Kerberos session")
    story.tell(at, ws12, ADM_OPS, "opens a session to SRV02")
    at = story.clock("16:23:05.610")
    tried = _try_remoting(shell, srv03)
    story.tell(at, srv02, ADM_OPS, "tries Invoke-Command to SRV03: refused")
    text = "no credentials to delegate: 142 and 161 by wsmprovhost, 4100, 32784"
    story.hop("none", at, shell.truth, srv03, text, tried, is_failed=True)
    story.expect("second_hop_failed", srv02, text, tried[2:4], tried, is_benign=True)
    at = story.clock("16:24:30.120")
    script = shell.script(at - milliseconds(60), "Get-ChildItem \\\\srv03\\dept")
    session, anonymous = anonymous_logon(srv03, at, Source(srv02.address, srv02.new_port(), srv02.name))
    ended = logoff(srv03, at + timedelta(seconds=10), session, 3)
    story.tell(at, srv02, ADM_OPS, "tries a share of SRV03: anonymous, refused")
    text = "SRV03 sees ANONYMOUS LOGON from SRV02's address"
    story.hop("none", at, shell.truth, srv03, text, [*script, anonymous, ended], is_failed=True)
    story.expect("second_hop_failed", srv03, text, [anonymous], [*script, ended], is_benign=True)
    shell.close(story.clock("16:27:20.600"))


def _try_remoting(shell: Shell, target: Host) -> list[Event]:
    """6 and 145 by wsmprovhost.exe as for any session, then the failure; all with one activity id."""
    assert shell.engine is not None
    host, at = shell.host, shell.story.clock("16:23:05.610")
    events = shell.script(at - milliseconds(80), f"Invoke-Command -ComputerName {target.computer} {{ hostname }}")
    activity, sid = host.new_guid(), shell.logon.account.sid
    message = (
        "WinRM cannot process the request. The following error with errorcode 0x8009030e occurred while using Kerberos "
        "authentication: A specified logon session does not exist. It may already have been terminated."
    )
    steps: tuple[tuple[int, Shape, dict[str, FieldInput]], ...] = (
        (0, shapes.WSMAN_SESSION, {"connection": f"{target.computer}/wsman?PSVersion=5.1.20348.1"}),
        (61, shapes.OPERATION_FAILED, {"operationName": "CreateShell", "errorCode": _NO_CREDENTIALS}),
        (55, shapes.AUTHENTICATION_ERROR, {"authFailureMessage": message}),
        (
            30,
            shapes.OPERATION_STARTED,
            {"operationName": "CreateShell", "resourceUri": "http://schemas.microsoft.com/powershell"},
        ),
    )
    for offset, shape, fields in steps:
        events.append(
            host.log(
                shape,
                at + milliseconds(offset),
                by=shell.process,
                fields=fields,
                activity_id=activity,
                user_sid=sid,
            )
        )
    failure = host.log(
        shapes.REMOTE_ERROR,
        at + milliseconds(70),
        by=shell.process,
        fields={
            "SessionId": host.new_guid(),
            "PipelineId": "00000000-0000-0000-0000-000000000000",
            "ErrorCode": str(_NO_CREDENTIALS),
            "ErrorMessage": f"Connecting to remote server {target.computer} failed with the following error message : "
            f"{message}",
            "StackTrace": "",
        },
        user_sid=sid,
    )
    error = log_error(
        shell.engine,
        at + milliseconds(90),
        f"Connecting to remote server {target.computer} failed",
        "2150858770,PSSessionStateBroken",
        "Invoke-Command",
        23,
    )
    return [*events, failure, error]
