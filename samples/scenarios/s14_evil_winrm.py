"""An attacker's WinRM shell from a Linux host, with a local account's password: evil-winrm and its like.

Nothing of the client is in any log but its address. SRV03 validates its own Administrator by NTLM (4776 there, not
at the domain controller). The tool asks for its prompt with `(get-location).path` before every command, uploads a
file as base64 in several script blocks, and ends by being killed: no 403.
"""

from datetime import timedelta

from samples.cast import ATTACKER_ADDRESS, local
from samples.remoting import Client, Login, open_shell
from samples.scenario import Event, milliseconds
from samples.story import Story

TITLE = "An evil-winrm-like shell over NTLM with a local account"
_UPLOAD = "# synthetic upload, decodes to zeros\r\n$b64 = '" + "A" * 24_000 + "'\r\n$null = $b64.Length"


def tell(story: Story) -> None:
    srv03 = story.host("SRV03")
    administrator = local("SRV03", "Administrator", 500)
    at = story.clock("02:14:03.870")
    client = Client(ATTACKER_ADDRESS, workstation="")
    shell = open_shell(story, at, client, srv03, Login(administrator, "NTLM"), text="from a Linux host, local account")
    story.tell(at, srv03, administrator, f"a session from {ATTACKER_ADDRESS} as the local Administrator")
    prompts: list[Event] = []
    children: list[Event] = []
    for number, (line, program, arguments) in enumerate(
        (("whoami /priv", "whoami.exe", "/priv"), ("menu", None, ""), ("net user", "net.exe", "user"))
    ):
        moment = at + timedelta(seconds=20 + 31 * number)
        prompts.append(
            shell.command(moment - milliseconds(300), "Invoke-Expression", {"Command": "(get-location).path"})
        )
        prompts += shell.script(moment - milliseconds(290), "(get-location).path")
        shell.script(moment - milliseconds(80), line)
        if program is not None:
            children += shell.run(moment, program, arguments)[1]
    menu = shell.script(
        at + timedelta(seconds=51.1), "# the tool's menu: Bypass-4MSI, Donut-Loader, Invoke-Binary, menu"
    )
    upload = shell.script(at + timedelta(minutes=2), _UPLOAD)
    assert len(upload) > 1, "an upload is logged in parts"
    story.tell(
        at + timedelta(minutes=2), srv03, administrator, "uploads a file as base64 in a script block of several parts"
    )
    shell.close(at + timedelta(minutes=7), "killed")
    story.expect("remoting_child_process", srv03, "whoami and net below wsmprovhost.exe", children)
    story.expect(
        "evil_winrm", srv03, "the prompt's (get-location).path and the menu's names", [*prompts, *menu], upload
    )
    story.expect(
        "suspicious_ntlm_logon",
        srv03,
        "the local Administrator by NTLM from outside",
        shell.truth.witnesses["logon"],
        shell.truth.witnesses["special_logon"],
    )
