"""What a domain controller logs of tickets and of NTLM: 4768, 4769, 4771 and 4776, as version 0 of each."""

from datetime import datetime

from samples import shapes
from samples.cast import DOMAIN_SID, REALM
from samples.scenario import Account, Event, Host

# Options of an ordinary request (forwardable, renewable, canonicalize), of a forwarded TGT as an unconstrained
# delegation asks for it, and of S4U2Proxy (cname-in-addl-tkt); RFC 4120 5.4.1 and [MS-SFU] 2.2.
ORDINARY_OPTIONS = 0x40810000
FORWARDED_OPTIONS = 0x60810010
PROXY_OPTIONS = 0x40830000
SELF_OPTIONS = 0x40800018
AES256 = 0x12
RC4 = 0x17


def _shown_address(address: str, dc: Host) -> str:
    """Domain controllers write IPv4 clients as mapped IPv6 addresses, themselves as ::1."""
    return "::1" if address == dc.address else f"::ffff:{address}"


def grant_tgt(
    dc: Host, at: datetime, account: Account, address: str, port: int, *, encryption: int = AES256, preauth: int = 2
) -> Event:
    """4768: `account` proved its password from `address` (`preauth` 0: without having to)."""
    return dc.log(
        shapes.TGT_REQUEST,
        at,
        by=dc.lsass,
        fields={
            "TargetUserName": account.name,
            "TargetDomainName": account.domain,
            "TargetSid": account.sid,
            "ServiceName": "krbtgt",
            "ServiceSid": f"{DOMAIN_SID}-502",
            "TicketOptions": 0x40810010,
            "Status": 0,
            "TicketEncryptionType": encryption,
            "PreAuthType": str(preauth),
            "IpAddress": _shown_address(address, dc),
            "IpPort": str(port),
            "CertIssuerName": "",
            "CertSerialNumber": "",
            "CertThumbprint": "",
        },
    )


def grant_ticket(
    dc: Host,
    at: datetime,
    account: Account,
    service: Account,
    address: str,
    port: int,
    *,
    options: int = ORDINARY_OPTIONS,
    transmitted: str = "-",
    encryption: int = AES256,
) -> tuple[str, Event]:
    """4769: a ticket for `service`, the account the service runs as. Its logon GUID comes first."""
    logon_guid = dc.new_guid()
    event = dc.log(
        shapes.SERVICE_TICKET,
        at,
        by=dc.lsass,
        fields={
            "TargetUserName": f"{account.name}@{REALM}",
            "TargetDomainName": REALM,
            "ServiceName": service.name,
            "ServiceSid": service.sid,
            "TicketOptions": options,
            "TicketEncryptionType": encryption,
            "IpAddress": _shown_address(address, dc),
            "IpPort": str(port),
            "Status": 0,
            "LogonGuid": logon_guid,
            "TransmittedServices": transmitted,
        },
    )
    return logon_guid, event


def refuse_preauth(dc: Host, at: datetime, account: Account, address: str, port: int) -> Event:
    """4771 with status 0x18: a wrong password."""
    return dc.log(
        shapes.PREAUTH_FAILURE,
        at,
        by=dc.lsass,
        fields={
            "TargetUserName": account.name,
            "TargetSid": account.sid,
            "ServiceName": f"krbtgt/{account.domain}",
            "TicketOptions": 0x40810010,
            "Status": 0x18,
            "PreAuthType": "2",
            "IpAddress": _shown_address(address, dc),
            "IpPort": str(port),
            "CertIssuerName": "",
            "CertSerialNumber": "",
            "CertThumbprint": "",
        },
    )


def validate_ntlm(host: Host, at: datetime, user_name: str, workstation: str, *, status: int = 0) -> Event:
    """4776 where the password is known: the domain controller, or the server for a local account."""
    return host.log(
        shapes.NTLM_VALIDATION,
        at,
        by=host.lsass,
        fields={
            "PackageName": "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0",
            "TargetUserName": user_name,
            "Workstation": workstation,
            "Status": status,
        },
    )
