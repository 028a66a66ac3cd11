"""Access to a share of another host over SMB: the logon there and 5140 and 5145."""

from datetime import datetime, timedelta

from samples import shapes
from samples.kerberos import grant_ticket, validate_ntlm
from samples.logons import Package, Source, logoff, network_logon, subject
from samples.scenario import HIGH, MEDIUM, Account, Event, Host, Session, milliseconds
from samples.shape import FieldInput
from samples.story import Story

_READ = 0x1
_WRITE = 0x2
_LOCAL_PATHS = {"IPC$": "", "ADMIN$": "\\??\\C:\\Windows", "C$": "\\??\\C:\\"}
# Access lists as 5140 and 5145 spell them: ReadData (or ListDirectory), WriteData (or AddFile).
_ACCESS_LIST = {_READ: "%%4416\r\n\t\t\t\t", _WRITE: "%%4417\r\n\t\t\t\t"}


def open_share(
    story: Story,
    at: datetime,
    source: Host,
    target: Host,
    account: Account,
    *,
    share: str = "dept",
    files: tuple[str, ...] = (),
    package: Package = "Kerberos",
    is_admin: bool = False,
    is_write: bool = False,
    ticket: str | None = None,
    transmitted: str = "-",
    seconds: float = 20,
) -> tuple[Session, list[Event]]:
    """`account` opens `share` on `target` from `source`; all events in order, the first 4769 or 4776 on the DC.

    `ticket` is the logon GUID of a ticket that was had before, by S4U2Proxy with `transmitted`.
    """
    dc, port = story.controller, source.new_port()
    guid = ticket
    events: list[Event] = []
    if dc is not None and package == "Kerberos" and ticket is None:
        guid, granted = grant_ticket(dc, at, account, target.account, source.address, port + 1)
        events.append(granted)
    elif dc is not None and package == "NTLM":
        events.append(validate_ntlm(dc, at + milliseconds(8), account.name, source.name))
    session, logon = network_logon(
        target,
        at + milliseconds(12),
        account,
        Source(source.address, port, source.name),
        label=HIGH if is_admin else MEDIUM,
        package=package,
        logon_guid=guid,
        transmitted=transmitted,
    )
    events += logon
    mask = _WRITE if is_write else _READ
    common: dict[str, FieldInput] = subject(account, session.logon_id) | {
        "ObjectType": "File",
        "IpAddress": source.address,
        "IpPort": str(port),
        "ShareName": f"\\\\*\\{share}",
        "ShareLocalPath": _LOCAL_PATHS.get(share, f"\\??\\D:\\{share}"),
    }
    events.append(
        target.log(
            shapes.SHARE_ACCESSED,
            at + milliseconds(20),
            by=target.kernel,
            fields=common | {"AccessMask": _READ, "AccessList": _ACCESS_LIST[_READ]},
        )
    )
    for number, name in enumerate(files):
        events.append(
            target.log(
                shapes.SHARE_FILE_ACCESSED,
                at + milliseconds(60 + 35 * number),
                by=target.kernel,
                fields=common
                | {
                    "RelativeTargetName": name,
                    "AccessMask": mask,
                    "AccessList": _ACCESS_LIST[mask],
                    "AccessReason": "-",
                },
            )
        )
    events.append(logoff(target, at + timedelta(seconds=seconds), session, 3))
    return session, events
