"""Remoting by IP address: Kerberos has no name to work with, so NTLM it is.

An administrator at WS12 first adds the server's address to TrustedHosts, without which PowerShell refuses NTLM
over HTTP, then opens the session with typed credentials. The domain controller sees 4776, the server
NTLM V2 with key lengths 0 and 128; nothing proves to the client that the server is who it says.
"""

from datetime import timedelta

from samples.cast import ADM_OPS
from samples.desks import seat
from samples.kerberos import grant_tgt
from samples.powershell import log_command, log_script
from samples.processes import set_registry
from samples.remoting import Client, Login, open_shell
from samples.scenario import milliseconds
from samples.story import Story

TITLE = "PowerShell Remoting by IP address with NTLM"
_TRUSTED_HOSTS = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WSMAN\\Client\\trusted_hosts"


def tell(story: Story) -> None:
    dc01, ws12, srv03 = story.host("DC01"), story.host("WS12"), story.host("SRV03")
    console = seat(story, "WS12", ADM_OPS, "08:04:40.120", "10:20:11.400")
    at = story.clock("10:20:40.300")
    value = f"Set-Item WSMan:\\localhost\\Client\\TrustedHosts -Value {srv03.address} -Force"
    trusted = [
        *log_script(console, at, value),
        log_command(
            console, at + milliseconds(20), "Set-Item", {"Path": "WSMan:\\localhost\\Client\\TrustedHosts"}, 21
        ),
        # From memory: the path of the value; svchost of WinRM writes it.
        set_registry(ws12, at + milliseconds(60), ws12.winrm, _TRUSTED_HOSTS, srv03.address),
    ]
    story.tell(at, ws12, ADM_OPS, "adds the address of SRV03 to TrustedHosts")
    story.expect("winrm_configuration_tampered", ws12, "TrustedHosts is extended", trusted[2:], trusted, is_benign=True)
    at = story.clock("10:21:15.870")
    log_script(console, at - milliseconds(80), f"Enter-PSSession -ComputerName {srv03.address} -Credential $c")
    login = Login(ADM_OPS, "NTLM", is_explicit=True)
    shell = open_shell(story, at, Client.of(console), srv03, login, name=srv03.address, text="by address, NTLM")
    story.tell(at, ws12, ADM_OPS, "Enter-PSSession to the address of SRV03, with credentials")
    shell.script(at + timedelta(seconds=9), "Get-WinEvent -LogName System -MaxEvents 20")
    shell.run(at + timedelta(seconds=40), "systeminfo.exe")
    shell.close(at + timedelta(minutes=6))
    shell.expect_programs(is_benign=True)
    witnesses = shell.truth.witnesses
    story.expect(
        "ntlm_remoting_between_domain_hosts",
        srv03,
        "a domain account by NTLM to a member of the domain",
        witnesses["logon"][-1:],
        [*witnesses["logon"], *witnesses["shell"]],
        is_benign=True,
    )
    ticket = grant_tgt(dc01, story.clock("08:04:39.900"), ADM_OPS, ws12.address, 49811)
    story.near_miss("kerberos_user_enumeration", dc01, "the logon of the morning", [ticket])
