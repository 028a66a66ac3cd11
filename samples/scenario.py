"""Hosts, accounts and sessions of a scenario, and the events they log, before record ids are known."""

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5
from zlib import crc32

from samples import values
from samples.events import ClassicData, ErrorData, EventData, Payload, Record, UserData, UserElement
from samples.shape import FieldInput, Shape

SCENARIO_NAMESPACE = UUID("2c1d2a4e-6d8e-5b0a-9f3c-0e7a5d1b4c68")

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
SYSTEM_LOGON_ID = 0x3E7
NETWORK_SERVICE_LOGON_ID = 0x3E4

_EVER: Final = datetime(1601, 1, 1, tzinfo=UTC)
# Builds where the shape of events changes: Windows 8.1 / 2012 R2 and Windows 10 / 2016.
_BUILD_2012_R2: Final = 9600
_BUILD_TEN: Final = 10240

LABELS = {"S-1-16-8192": "Medium", "S-1-16-12288": "High", "S-1-16-16384": "System"}
MEDIUM, HIGH, SYSTEM_LEVEL = LABELS


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    domain: str
    sid: str

    @property
    def full_name(self) -> str:
        return f"{self.domain}\\{self.name}"


NOBODY = Account("-", "-", "S-1-0-0")
SYSTEM = Account("SYSTEM", "NT AUTHORITY", "S-1-5-18")
NETWORK_SERVICE = Account("NETWORK SERVICE", "NT AUTHORITY", "S-1-5-20")


@dataclass(frozen=True, slots=True)
class Session:
    """A logon session. `label` is the SID of the integrity level its processes run at."""

    account: Account
    logon_id: int
    start: datetime
    label: str = MEDIUM
    terminal: int = 0


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    guid: str
    image: str
    command_line: str
    session: Session


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """An event that has happened. Its record id depends on all others of its log, so it comes later.

    `is_logged` is false for what Windows would have written had the host's settings asked for it.
    """

    host: str
    is_logged: bool
    shape: Shape
    channel: str
    time: int
    payload: Payload = field(repr=False)
    level: int
    process_id: int
    thread_id: int
    activity_id: str | None
    user_sid: str | None


class Host:
    """A computer that logs. `boot` is when the sessions of its services began; `build` is of Windows.

    `skew` is what its clock shows beyond the true time that all functions here are given. All GUIDs it makes
    begin with `guid_token`, if there is one.
    """

    def __init__(
        self,
        name: str,
        domain: Account,
        dns_domain: str,
        address: str,
        boot: datetime,
        build: int = 20348,
        *,
        skew: timedelta = timedelta(0),
        seed: str = "",
        guid_token: str = "",
    ) -> None:
        self.name = name
        self.computer = f"{name}.{dns_domain}"
        self.address = address
        self.build = build
        self.skew = skew
        self.domain = domain
        self.account = Account(f"{name}$", domain.domain, domain.sid)
        self.has_command_lines = True
        self.events: list[Event] = []
        self._muted: dict[str | tuple[str, int], datetime] = {}
        self._seed = seed
        self._guid_token = guid_token
        self._count = 0
        self._next_pid: int | None = None
        self._next_logon_id: int | None = None
        self._start_services(boot)

    @property
    def is_windows_7(self) -> bool:
        """Windows 7 or Server 2008 R2: PowerShell 2.0, WinRM 2.0, events of version 0."""
        return self.build < _BUILD_2012_R2

    @property
    def is_windows_10(self) -> bool:
        return self.build >= _BUILD_TEN

    def _start_services(self, boot: datetime) -> None:
        self._boot = boot
        self.system = Session(SYSTEM, SYSTEM_LOGON_ID, boot, SYSTEM_LEVEL)
        self.network_service = Session(NETWORK_SERVICE, NETWORK_SERVICE_LOGON_ID, boot, SYSTEM_LEVEL)
        self.kernel = Process(4, self.sysmon_guid(boot, 4), "System", "", self.system)
        self.services = self._boot_process(672, "services.exe", "C:\\Windows\\system32\\services.exe")
        self.lsass = self._boot_process(684, "lsass.exe", "C:\\Windows\\system32\\lsass.exe")
        self.dcom = self._boot_process(876, "svchost.exe", "C:\\Windows\\system32\\svchost.exe -k DcomLaunch -p")
        self.scheduler = self._boot_process(
            1204, "svchost.exe", "C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s Schedule"
        )
        self.event_log = self._boot_process(
            1256,
            "svchost.exe",
            "C:\\Windows\\System32\\svchost.exe -k LocalServiceNetworkRestricted -p -s EventLog",
        )
        self.winrm = self._boot_process(
            1320, "svchost.exe", "C:\\Windows\\System32\\svchost.exe -k NetworkService -p -s WinRM"
        )
        self.wmi = self._boot_process(
            1408, "svchost.exe", "C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s Winmgmt"
        )
        self.sysmon = self._boot_process(2852, "Sysmon64.exe", "C:\\Windows\\Sysmon64.exe")

    def start_again(self, boot: datetime) -> None:
        """After a reboot logon ids begin anew, so that ids of before return; the events are `boots.reboot`'s."""
        self._start_services(boot)

    def mute(self, *what: Shape | str, since: datetime = _EVER) -> None:
        """From `since` on (true time) the host logs no event of these shapes or channels: a policy, or no Sysmon."""
        for item in what:
            key = item if isinstance(item, str) else (item.channel, item.event_id)
            self._muted[key] = since

    def _is_logged(self, shape: Shape, at: datetime) -> bool:
        keys: tuple[str | tuple[str, int], ...] = (shape.channel, (shape.channel, shape.event_id))
        return not any(key in self._muted and at >= self._muted[key] for key in keys)

    def shown(self, at: datetime) -> datetime:
        """The true time `at` as this host's clock shows it."""
        return at + self.skew

    def _boot_process(self, pid: int, name: str, command_line: str) -> Process:
        folder = "C:\\Windows" if name == "Sysmon64.exe" else "C:\\Windows\\System32"
        guid = self.sysmon_guid(self._boot, pid)
        return Process(pid, guid, f"{folder}\\{name}", command_line, self.system)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def reuse(self, *, pid: int | None = None, logon_id: int | None = None) -> None:
        """The next process, the next session gets this id, which another one had before."""
        self._next_pid, self._next_logon_id = pid, logon_id

    def new_pid(self) -> int:
        """Unique on the host unless `reuse` was called; Windows gives multiples of 4."""
        if self._next_pid is not None:
            pid, self._next_pid = self._next_pid, None
            return pid
        return 4096 + 4 * self._next()

    def new_port(self) -> int:
        """A client port of the dynamic range; the next few stay free for further connections."""
        return 49_700 + 8 * self._next() % 15_000

    def new_guid(self) -> str:
        made = str(uuid5(SCENARIO_NAMESPACE, f"{self._seed}{self.name} {self._next()}"))
        return self._guid_token + made[len(self._guid_token) :]

    def new_session(self, account: Account, at: datetime, label: str = MEDIUM, terminal: int = 0) -> Session:
        """A session whose logon id, as on Windows, grows with time from boot on."""
        if self._next_logon_id is not None:
            logon_id, self._next_logon_id = self._next_logon_id, None
            return Session(account, logon_id, at, label, terminal)
        elapsed = (at - self._boot) // timedelta(milliseconds=1)
        return Session(account, 0x10000 + elapsed // 5 + 3 * self._next(), at, label, terminal)

    def sysmon_guid(self, at: datetime, number: int) -> str:
        """Sysmon's GUIDs hold a machine part, the second and, for a logon, the logon id."""
        second = int(self.shown(at).timestamp())
        tail = struct.pack("<Q", number).hex()
        machine = crc32(self.name.encode())
        return f"{machine:08x}-{second & 0xFFFF:04x}-{second >> 16:04x}-{tail[:4]}-{tail[4:]}"

    def log(
        self,
        shape: Shape,
        at: datetime,
        *,
        by: Process | int,
        fields: dict[str, FieldInput] | None = None,
        strings: tuple[str, ...] = (),
        binary: bytes | None = None,
        level: int | None = None,
        activity_id: str | None = None,
        user_sid: str | None = None,
    ) -> Event:
        """Write an event at `at`, true time; `by` is the process whose id stands in System/Execution."""
        pid = by if isinstance(by, int) else by.pid
        number = self._next()
        encoded = shape.encode(fields or {})
        payload: Payload
        if shape.is_classic:
            payload = ClassicData(strings, binary)
        elif shape.is_processing_error:
            payload = ErrorData(encoded)
        elif shape.user_data is not None:
            name, namespace = shape.user_data
            content = tuple(UserElement(key, value) for key, value in encoded)
            payload = UserData(UserElement(name, content, namespace, shape.has_event_namespace))
        else:
            payload = EventData(encoded, binary, shape.data_name)
        event = Event(
            self.name,
            self._is_logged(shape, at),
            shape,
            shape.channel,
            # Windows counts in 100 ns; the last digit is for tests of that precision.
            values.filetime_from(self.shown(at)) + number % 10,
            payload,
            shape.level if level is None else level,
            pid,
            # Classic sources log no process; the others get a thread that looks like one.
            0 if pid == 0 else 4 * (200 + number * 7 % 2300),
            activity_id,
            user_sid,
        )
        self.events.append(event)
        return event

    def record(self, event: Event, record_id: int) -> Record:
        shape = event.shape
        return Record(
            provider=shape.provider,
            channel=event.channel,
            computer=self.computer,
            record_id=record_id,
            time=event.time,
            event_id=shape.event_id,
            version=shape.version,
            level=event.level,
            task=shape.task,
            opcode=shape.opcode,
            keywords=shape.keywords,
            process_id=event.process_id,
            thread_id=event.thread_id,
            payload=event.payload,
            qualifiers=shape.qualifiers,
            activity_id=event.activity_id,
            user_sid=event.user_sid,
        )


def utc(day: datetime, clock: str) -> datetime:
    """`HH:MM:SS` or `HH:MM:SS.ffffff` on `day`, UTC."""
    hour, minute, second = clock.split(":")
    offset = timedelta(hours=int(hour), minutes=int(minute), seconds=float(second))
    return day.astimezone(UTC) + offset


def milliseconds(number: float) -> timedelta:
    return timedelta(milliseconds=number)
