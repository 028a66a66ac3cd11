"""Delegation as a domain controller logs it: who may delegate (4741, 4742, 5136) and who does (4769)."""

from datetime import datetime

from samples import shapes
from samples.cast import DNS_DOMAIN, DOMAIN_SID
from samples.kerberos import PROXY_OPTIONS, SELF_OPTIONS, grant_ticket
from samples.logons import subject
from samples.scenario import Account, Event, Host, Session, milliseconds
from samples.shape import FieldInput

_NOT_SET = "%%1793"
_UNCHANGED: dict[str, FieldInput] = dict.fromkeys(
    (
        "PrivilegeList",
        "SamAccountName",
        "DisplayName",
        "UserPrincipalName",
        "HomeDirectory",
        "HomePath",
        "ScriptPath",
        "ProfilePath",
        "UserWorkstations",
        "PasswordLastSet",
        "AccountExpires",
        "PrimaryGroupId",
        "AllowedToDelegateTo",
        "OldUacValue",
        "NewUacValue",
        "UserAccountControl",
        "UserParameters",
        "SidHistory",
        "LogonHours",
        "DnsHostName",
        "ServicePrincipalNames",
    ),
    "-",
)
# 4742 shows SAM flags, 5136 the decimal LDAP value of the same change ([MS-SAMR] 2.2.1.12, [MS-ADTS] 2.2.16).
SAM_WORKSTATION = 0x80
SAM_TRUSTED_FOR_DELEGATION = 0x2000
SAM_TRUSTED_TO_AUTHENTICATE = 0x40000
LDAP_WORKSTATION = 0x1000
LDAP_TRUSTED_FOR_DELEGATION = 0x80000
LDAP_TRUSTED_TO_AUTHENTICATE = 0x1000000
_UAC_NAMES = {SAM_TRUSTED_FOR_DELEGATION: "%%2093", SAM_TRUSTED_TO_AUTHENTICATE: "%%2098"}
_ADDED, _REMOVED = "%%14674", "%%14675"
_INTEGER, _TEXT, _DESCRIPTOR = "2.5.5.9", "2.5.5.12", "2.5.5.15"


def change_computer(dc: Host, at: datetime, actor: Session, computer: Account, **changed: FieldInput) -> Event:
    """4742: `changed` are the fields that have new values, all others are `-`."""
    fields: dict[str, FieldInput] = {
        "ComputerAccountChange": "-",
        "TargetUserName": computer.name,
        "TargetDomainName": computer.domain,
        "TargetSid": computer.sid,
        **subject(actor.account, actor.logon_id),
        **_UNCHANGED,
        **changed,
    }
    return dc.log(shapes.COMPUTER_CHANGED, at, by=dc.lsass, fields=fields)


def trust_computer(dc: Host, at: datetime, actor: Session, computer: Account, flag: int, **more: FieldInput) -> Event:
    """4742 that sets one SAM flag of a workstation's or member server's account."""
    return change_computer(
        dc,
        at,
        actor,
        computer,
        OldUacValue=hex(SAM_WORKSTATION),
        NewUacValue=hex(SAM_WORKSTATION | flag),
        UserAccountControl=f"\r\n\t\t{_UAC_NAMES[flag]}",
        **more,
    )


def change_object(
    dc: Host, at: datetime, actor: Session, computer: Account, attribute: str, value: str, *, is_added: bool = True
) -> Event:
    """5136 of an attribute of a computer's object."""
    syntax = _INTEGER if value.isdigit() else _DESCRIPTOR if "Descriptor" in value else _TEXT
    parts = ",".join(f"DC={part}" for part in DNS_DOMAIN.split("."))
    fields: dict[str, FieldInput] = {
        "OpCorrelationID": dc.new_guid(),
        "AppCorrelationID": "-",
        **subject(actor.account, actor.logon_id),
        "DSName": DNS_DOMAIN,
        "DSType": "%%14676",
        "ObjectDN": f"CN={computer.name.rstrip('$')},OU=Servers,{parts}",
        "ObjectGUID": dc.new_guid(),
        "ObjectClass": "computer",
        "AttributeLDAPDisplayName": attribute,
        "AttributeSyntaxOID": syntax,
        "AttributeValue": value,
        "OperationType": _ADDED if is_added else _REMOVED,
    }
    return dc.log(shapes.OBJECT_CHANGED, at, by=dc.lsass, fields=fields)


def change_flags(dc: Host, at: datetime, actor: Session, computer: Account, flag: int) -> list[Event]:
    """The pair of 5136 of userAccountControl: the old value goes, the new one comes."""
    old, new = str(LDAP_WORKSTATION), str(LDAP_WORKSTATION | flag)
    return [
        change_object(dc, at, actor, computer, "userAccountControl", old, is_added=False),
        change_object(dc, at + milliseconds(1), actor, computer, "userAccountControl", new),
    ]


def create_computer(dc: Host, at: datetime, actor: Session, name: str, relative_id: int) -> tuple[Account, Event]:
    """4741: a new computer account; any user may make ten of them unless ms-DS-MachineAccountQuota forbids."""
    account = Account(f"{name}$", actor.account.domain, f"{DOMAIN_SID}-{relative_id}")
    fields: dict[str, FieldInput] = {
        "TargetUserName": account.name,
        "TargetDomainName": account.domain,
        "TargetSid": account.sid,
        **subject(actor.account, actor.logon_id),
        **_UNCHANGED,
        "SamAccountName": account.name,
        "DisplayName": _NOT_SET,
        "PasswordLastSet": f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S %p}",
        "AccountExpires": "%%1794",
        "PrimaryGroupId": "515",
        "OldUacValue": "0x0",
        "NewUacValue": hex(SAM_WORKSTATION),
        "UserAccountControl": "\r\n\t\t%%2087",
        "LogonHours": "%%1793",
        "DnsHostName": f"{name}.{DNS_DOMAIN}",
        "ServicePrincipalNames": f"\r\n\t\tHOST/{name}.{DNS_DOMAIN}\r\n\t\tHOST/{name}",
    }
    return account, dc.log(shapes.COMPUTER_CREATED, at, by=dc.lsass, fields=fields)


def impersonate(
    dc: Host, at: datetime, service: Account, user: Account, target: Account, address: str, port: int
) -> tuple[str, str, list[Event]]:
    """S4U2Self and S4U2Proxy: `service` gets a ticket for `target` in the name of `user`.

    The logon GUID and the transmitted services that the target's 4624 shows as well, and the two 4769. The
    request of S4U2Self is made by the service for itself: its account is both, as in the one real S4U2Self.
    From memory: that the account of S4U2Proxy's 4769 is the user's, and how TransmittedServices is spelled.
    """
    _, to_self = grant_ticket(dc, at, service, service, address, port, options=SELF_OPTIONS)
    transmitted = f"{service.name}@{DNS_DOMAIN.upper()}"
    guid, proxy = grant_ticket(
        dc, at + milliseconds(9), user, target, address, port + 1, options=PROXY_OPTIONS, transmitted=transmitted
    )
    return guid, transmitted, [to_self, proxy]
