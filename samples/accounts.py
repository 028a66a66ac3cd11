"""Account management events of the Security log: a new local account and a new group member."""

from datetime import datetime

from samples import shapes
from samples.logons import subject
from samples.scenario import Account, Event, Host, Session, milliseconds
from samples.shape import FieldInput

_NOT_SET = "%%1793"
_NEVER = "%%1794"
_ATTRIBUTES: dict[str, FieldInput] = {
    "DisplayName": _NOT_SET,
    "UserPrincipalName": "-",
    "HomeDirectory": _NOT_SET,
    "HomePath": _NOT_SET,
    "ScriptPath": _NOT_SET,
    "ProfilePath": _NOT_SET,
    "UserWorkstations": _NOT_SET,
    "PasswordLastSet": _NEVER,
    "AccountExpires": _NEVER,
    "PrimaryGroupId": "513",
    "AllowedToDelegateTo": "-",
    "UserParameters": _NOT_SET,
    "SidHistory": "-",
    "LogonHours": "%%1797",
}


def create_account(host: Host, at: datetime, actor: Session, account: Account) -> list[Event]:
    """4720, 4722, 4738 and 4724: what `net user /add` leaves, all within milliseconds."""
    common: dict[str, FieldInput] = {
        "TargetUserName": account.name,
        "TargetDomainName": account.domain,
        "TargetSid": account.sid,
        **subject(actor.account, actor.logon_id),
    }
    described = {**common, **_ATTRIBUTES, "PrivilegeList": "-", "SamAccountName": account.name}
    created = described | {
        "OldUacValue": "0x0",
        "NewUacValue": "0x15",
        "UserAccountControl": "\r\n\t\t%%2080\r\n\t\t%%2082\r\n\t\t%%2084",
    }
    changed = described | {
        "Dummy": "-",
        "PasswordLastSet": f"{at.month}/{at.day}/{at.year} {at:%I:%M:%S %p}".replace(" 0", " "),
        "OldUacValue": "0x15",
        "NewUacValue": "0x10",
        "UserAccountControl": "\r\n\t\t%%2048\r\n\t\t%%2050",
    }
    steps = (
        (shapes.ACCOUNT_CREATED, created),
        (shapes.ACCOUNT_ENABLED, common),
        (shapes.ACCOUNT_CHANGED, changed),
        (shapes.PASSWORD_RESET, common),
    )
    return [
        host.log(shape, at + milliseconds(number), by=host.lsass, fields=fields)
        for number, (shape, fields) in enumerate(steps)
    ]


def add_administrator(host: Host, at: datetime, actor: Session, member: Account) -> Event:
    """4732 into the local group Administrators."""
    fields: dict[str, FieldInput] = {
        "MemberName": "-",
        "MemberSid": member.sid,
        "TargetUserName": "Administrators",
        "TargetDomainName": "Builtin",
        "TargetSid": "S-1-5-32-544",
        **subject(actor.account, actor.logon_id),
        "PrivilegeList": "-",
    }
    return host.log(shapes.MEMBER_ADDED, at, by=host.lsass, fields=fields)
