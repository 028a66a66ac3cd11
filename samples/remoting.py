"""A remoting session as client, server and domain controller log it: PowerShell Remoting and winrs.

Order and distances in time are ours: no public log holds a whole session. Which events there are on which
Windows comes from the provider's manifests: 81, 82, 134 and 169 are in that of Windows 7 and gone by
Windows 10, 91 came after Windows 7.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from samples.cast import DOMAIN_SID
from samples.kerberos import FORWARDED_OPTIONS, grant_tgt, grant_ticket, validate_ntlm
from samples.logons import (
    Package,
    Source,
    explicit_credential,
    logoff,
    network_logon,
    run_as_logon,
    virtual_logon,
)
from samples.powershell import (
    Engine,
    log_command,
    log_script,
    new_engine,
    open_console,
    powershell_version,
    start_engine,
    stop_engine,
)
from samples.processes import connect, end_process, start_process
from samples.scenario import HIGH, MEDIUM, Account, Event, Host, Process, Session, milliseconds
from samples.story import RemoteSession, Story
from samples.wsman import (
    log_client_close,
    log_client_open,
    log_old_authentication,
    log_old_shell,
    log_poor_shell,
    log_shell,
    log_virtual_account,
)

POWERSHELL_URI = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
CMD_URI = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
SYSTEM32 = "C:\\Windows\\System32"


@dataclass(frozen=True, slots=True)
class Client:
    """Where a session comes from: a process of a Windows host, or an address and no more."""

    address: str
    host: Host | None = None
    process: Process | None = None
    workstation: str = "-"

    @classmethod
    def of(cls, engine: Engine) -> "Client":
        host = engine.host
        return cls(host.address, host, engine.process, host.name)


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs on and how. `is_explicit`: with typed credentials, not those of the caller's session.

    `is_delegated`: the client forwards its TGT, since the server is trusted for unconstrained delegation.
    """

    user: Account
    package: Package = "Kerberos"
    is_explicit: bool = False
    is_admin: bool = True
    is_delegated: bool = False


@dataclass(slots=True)
class Shell:
    """An open session. `logon` is what its processes run as, `process` is wsmprovhost.exe or winrshost.exe."""

    story: Story
    truth: RemoteSession
    client: Client
    logon: Session
    logons: list[tuple[Session, int]]
    process: Process
    engine: Engine | None
    activity_id: str
    client_activity_id: str | None
    _sequence: int = field(default=15)

    @property
    def host(self) -> Host:
        return self.truth.target

    @property
    def as_client(self) -> Client:
        """The session as the place from which the next hop starts."""
        return Client(self.host.address, self.host, self.process, self.host.name)

    @property
    def folder(self) -> str:
        return f"C:\\Users\\{self.logon.account.name}\\Documents\\"

    def run(
        self, at: datetime, program: str, arguments: str = "", *, parent: Process | None = None, seconds: float = 0.45
    ) -> tuple[Process, list[Event]]:
        """A program of System32 below the session's process, which ends after `seconds`."""
        image = program if "\\" in program else f"{SYSTEM32}\\{program}"
        command = f'"{image.replace("System32", "system32")}" {arguments}'.strip()
        process, started = start_process(
            self.host, at, parent or self.process, image, command, session=self.logon, folder=self.folder
        )
        ended = end_process(self.host, at + timedelta(seconds=seconds), process)
        self.truth.witness("child_process", started)
        self.truth.witness("child_process_end", ended)
        return process, started

    def script(self, at: datetime, text: str, *, is_warning: bool = False) -> list[Event]:
        """Script text that is run in the session: 4104, in parts if it is long."""
        assert self.engine is not None, "winrs runs no script"
        events = log_script(self.engine, at, text, is_warning=is_warning)
        self.truth.witness("script_block", events)
        return events

    def command(self, at: datetime, name: str, parameters: dict[str, str]) -> Event:
        """A cmdlet that is run in the session: 4103."""
        assert self.engine is not None, "winrs runs no cmdlet"
        self._sequence += 2
        event = log_command(self.engine, at, name, parameters, self._sequence)
        self.truth.witness("module_log", event)
        return event

    def expect_programs(self, *, is_benign: bool = False) -> None:
        """The detection of programs below the session's process must cite all that ran so far."""
        events = self.truth.witnesses["child_process"]
        text = f"programs of {self.logon.account.name}'s session on {self.host.name}"
        self.story.expect("remoting_child_process", self.host, text, events, is_benign=is_benign)

    def _close_client(self, at: datetime) -> None:
        host, process = self.client.host, self.client.process
        if host is not None and process is not None and self.client_activity_id is not None:
            self.truth.witness("client_close", log_client_close(host, at, process, self.client_activity_id))

    def close(self, at: datetime, reason: Literal["closed", "killed", "unknown"] = "closed") -> None:
        """The session ends; if its process is killed there is no 403, if nobody knows there is nothing."""
        truth, host = self.truth, self.host
        truth.end, truth.end_reason = at, reason
        if reason == "unknown":
            return
        if reason == "closed":
            self._close_client(at)
            if self.engine is not None:
                truth.witness("engine_stop", stop_engine(self.engine, at + milliseconds(40)))
            if not host.is_windows_10:
                ended = log_old_shell(host, at, truth.user, truth.resource_uri, self.activity_id, is_end=True)
                truth.witness("shell_end", ended)
        truth.witness("host_process_end", end_process(host, at + milliseconds(80), self.process))
        for session, logon_type in self.logons:
            truth.witness("logoff", logoff(host, at + milliseconds(130), session, logon_type))


def open_shell(
    story: Story,
    at: datetime,
    client: Client,
    target: Host,
    login: Login,
    *,
    kind: Literal["powershell", "winrs"] = "powershell",
    name: str | None = None,
    endpoint: str | None = None,
    virtual_account: Account | None = None,
    run_as: Account | None = None,
    has_client_ip: bool = True,
    shown_address: str | None = None,
    logon_count: int = 3,
    has_special: bool = True,
    has_poor_shell: bool = False,
    text: str = "",
) -> Shell:
    """The client connects to `target` at `at`, and the session's process runs a second later.

    `name` is what the user typed (the FQDN unless given; an address means NTLM in real life), `endpoint` the
    resource URI if it is not the usual one. `shown_address` is how 4624 writes the client's address. Without
    `has_special` the 4672 of an administrator is missing; with `has_poor_shell` 91 is the one without EventData.
    """
    user = login.user
    uri = endpoint or (CMD_URI if kind == "winrs" else POWERSHELL_URI)
    truth = RemoteSession(
        kind=kind,
        source=client.host,
        source_address=client.address,
        source_user=client.process.session.account if client.process else None,
        target=target,
        user=user,
        package=login.package,
        logon=target.system,
        resource_uri=uri,
        start=at,
        text=text,
    )
    story.sessions.append(truth)
    ticket, port = _authenticate(story, truth, at, client, target, login, name or target.computer)
    # From memory: client and server name the shell by one id, which the client chose.
    shell_id = target.new_guid().upper()
    client_activity_id = _open_client(truth, at, client, shell_id, name or target.computer)
    logons = _log_on(truth, at, client, target, login, ticket, port, shown_address, logon_count, has_special)
    logon = logons[-1][0]
    begin = at + milliseconds(1240)
    if virtual_account is not None:
        logon, events = virtual_logon(target, begin - milliseconds(60), virtual_account)
        truth.witness("run_as_logon", events)
        logons.append((logon, 5))
    elif run_as is not None:
        logon, events = run_as_logon(target, begin - milliseconds(60), run_as)
        truth.witness("run_as_logon", events)
        logons.append((logon, 4))
    truth.logon = logon
    activity_id = target.new_guid()
    if not target.is_windows_10:
        asked = log_old_shell(target, begin - milliseconds(190), user, uri, activity_id, is_end=False)
        truth.witness("shell_request", asked)
    if has_poor_shell:
        truth.witness("shell", log_poor_shell(target, begin - milliseconds(120), user, uri, activity_id))
    elif not target.is_windows_7:
        address = client.address if has_client_ip else None
        truth.witness("shell", log_shell(target, begin - milliseconds(120), user, uri, shell_id, address, activity_id))
    if virtual_account is not None:
        truth.witness("virtual_account", log_virtual_account(target, begin, user, virtual_account, activity_id))
    executable = "wsmprovhost.exe" if kind == "powershell" else "winrshost.exe"
    process, started = start_process(
        target,
        begin,
        target.dcom,
        f"{SYSTEM32}\\{executable}",
        f"C:\\Windows\\system32\\{executable} -Embedding",
        session=logon,
    )
    truth.host_process_id = process.pid
    truth.witness("host_process", started)
    engine = None
    if kind == "powershell":
        engine = new_engine(target, process, is_remote=True, connected_user=user)
        truth.witness("console", open_console(engine, begin + milliseconds(200)))
        *providers, available = start_engine(engine, begin + milliseconds(410))
        truth.witness("provider", providers)
        truth.witness("engine_start", available)
    return Shell(story, truth, client, logon, logons, process, engine, activity_id, client_activity_id)


def _authenticate(
    story: Story, truth: RemoteSession, at: datetime, client: Client, target: Host, login: Login, name: str
) -> tuple[str | None, int]:
    """4648 on the client, tickets or validation on the domain controller. The ticket's GUID and the port."""
    user, host, process = login.user, client.host, client.process
    port = host.new_port() if host else 41000 + 2 * len(story.sessions)
    dc = story.controller
    is_local_account = user.domain == target.name
    guid: str | None = None
    if dc is not None and not is_local_account and login.package in ("Kerberos", "CredSSP"):
        if login.is_explicit or host is None:
            truth.witness("tgt", grant_tgt(dc, at + milliseconds(52), user, client.address, port + 1))
        guid, granted = grant_ticket(dc, at + milliseconds(58), user, target.account, client.address, port + 2)
        truth.witness("ticket", granted)
        if login.is_delegated:
            krbtgt = Account("krbtgt", user.domain, f"{DOMAIN_SID}-502")
            _, forwarded = grant_ticket(
                dc, at + milliseconds(61), user, krbtgt, client.address, port + 3, options=FORWARDED_OPTIONS
            )
            truth.witness("forwarded_tgt", forwarded)
    if host is not None and process is not None:
        if login.is_explicit:
            truth.witness(
                "explicit_credential",
                explicit_credential(
                    host,
                    at + milliseconds(50),
                    process.session,
                    process,
                    user,
                    name,
                    f"HTTP/{name}",
                    **({"target_logon_guid": guid} if guid else {}),
                ),
            )
        truth.witness("connection", connect(host, at + milliseconds(45), process, port, target, 5985))
    if login.package == "NTLM":
        authority = target if is_local_account else dc
        if authority is not None:
            for number in range(2):
                validated = validate_ntlm(
                    authority, at + milliseconds(80 + 300 * number), user.name, client.workstation
                )
                truth.witness("ntlm_validation", validated)
    return guid, port


def _log_on(
    truth: RemoteSession,
    at: datetime,
    client: Client,
    target: Host,
    login: Login,
    ticket: str | None,
    port: int,
    shown_address: str | None,
    count: int,
    has_special: bool,
) -> list[tuple[Session, int]]:
    """WinRM authenticates each connection, so one session leaves several logons; the last one stays."""
    label = HIGH if login.is_admin else MEDIUM
    workstation = client.workstation if login.package == "NTLM" else "-"
    kept: list[tuple[Session, int]] = []
    for number in range(count):
        begin = at + milliseconds(90 + 310 * number)
        session, events = network_logon(
            target,
            begin,
            login.user,
            Source(shown_address or client.address, port + number, workstation),
            label=label,
            package=login.package,
            logon_guid=ticket,
            impersonation="%%1840" if login.is_delegated else "%%1833",
            has_special=has_special,
            key_length=128 if number else 0,  # both occur in real NTLM V2 logons
        )
        truth.witness("logon", events[0])
        truth.witness("special_logon", events[1:])
        if not target.is_windows_10:
            authenticated = log_old_authentication(target, begin, login.user, login.package)
            truth.witness("winrm_authentication", authenticated)
        logon_type = 8 if login.package in ("CredSSP", "Basic") else 3
        if number < count - 1:
            truth.witness("logoff", logoff(target, begin + timedelta(seconds=12), session, logon_type))
        else:
            kept.append((session, logon_type))
    return kept


def _open_client(truth: RemoteSession, at: datetime, client: Client, shell_id: str, name: str) -> str | None:
    """The client's side, if it is a Windows host; its activity id."""
    host, process = client.host, client.process
    if host is None or process is None:
        return None
    activity_id = host.new_guid()
    suffix = f"?PSVersion={powershell_version(host)}" if truth.kind == "powershell" else ""
    opened, shell = log_client_open(
        host, at, process, f"{name}/wsman{suffix}", truth.resource_uri, shell_id, activity_id
    )
    truth.witness("client_session", opened)
    truth.witness("client_shell", shell)
    return activity_id
