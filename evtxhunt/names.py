r"""Tells names of accounts and computers from other text: by the field that holds them, and by the form they stand in.

Forms are what Windows and its tools write: DOMAIN\user, user@realm, \\host\share, C:\Users\user, host.domain, an
address, a SID. Which names are kept, because they say nothing about whose network this is, is decided here too.
"""

import ipaddress
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Literal

from evtxhunt.resources import shipped_folder

Kind = Literal["user", "host", "domain", "sid", "address"]
_LONGEST = 256  # a longer "name" is something that a log was stuffed with

# The same on every Windows: to hide them would hide what matters and protect nobody. Administrator is the role that
# RID 500 has by default and no person; a renamed one is somebody's choice of a name and is replaced.
_KEPT = frozenset(
    re.split(
        r"\s*\|\s*",
        """
        system | local system | localsystem | local service | localservice | network service | networkservice |
        anonymous logon | anonymous | administrator | administrators | guest | guests | krbtgt | defaultaccount |
        wdagutilityaccount | default | default user | all users | public | defaultuser0 | defaultapppool | users |
        everyone | authenticated users | interactive | network | batch | service | iusr | nobody | iis_iusrs |
        domain admins | domain users | domain computers | domain controllers | domain guests | enterprise admins |
        schema admins | group policy creator owners | power users | account operators | server operators |
        print operators | backup operators | replicator | remote desktop users | remote management users |
        network configuration operators | performance monitor users | performance log users | distributed com users |
        event log readers | cryptographic operators | certificate service dcom access | rds remote access servers |
        rds endpoint servers | rds management servers | hyper-v administrators | access control assistance operators |
        storage replica administrators | key admins | enterprise key admins | protected users | dnsadmins |
        dnsupdateproxy | cert publishers | ras and ias servers | allowed rodc password replication group |
        denied rodc password replication group | read-only domain controllers |
        enterprise read-only domain controllers | cloneable domain controllers | trustedinstaller | owner rights |
        creator owner | nt authority | nt service | nt virtual machine | window manager | font driver host | builtin |
        iis apppool | workgroup | mshome | winrm virtual users | azuread | microsoftaccount | nt-autorität |
        autorite nt | microsoft | consolehost | serverremotehost | localhost | localdomain | local | home | lan |
        unknown | null | none | true | false | not available | n/a | rundll32 | defaulthost | winrmremotewmiusers__ |
        windows | system32 | syswow64 | device | registry | systemroot | admin$ | ipc$ | print$
        """.strip(),
    )
)
_KEPT_PATTERN = re.compile(r"(?:dwm|umfd)-\d+|[a-z]\$|asp\.net v[\d.]+|\.net v[\d.]+.*|s-1-.*|%%?\d+|%\{.*|0x[0-9a-f]+")
# Ordinary words beyond those of our own queries. A name among them is replaced only where field or form tells of it.
_ORDINARY = frozenset(
    """
    admin admins adm test tests testing tester user root backup backups server servers client clients host
    domain pdc bdc srv web www mail smtp imap sql db file files print printer proxy vpn office work lab demo dev
    prod production stage support helpdesk help info sales finance account accounts accounting manager
    management operator scan scanner student students teacher windows win linux remote desktop laptop
    workstation computer machine pc temp tmp data app apps application security audit monitor monitoring health
    update updates tool tools install setup config http https ftp ssh rdp smb ldap dns dhcp ntp x86 x64 amd64
    win32 win64 win7 win10 win11 base64 sha1 sha256 sha512 md5 utf8 utf16 ipv4 ipv6 v1 v2 v3 v4 net35 version
    install exchange sharepoint hyper docker cloud azure internal external private shared share master slave
    main primary secondary old new example sample power shell micro soft cmd exe dll sys bat ps1 log logs the
    and for not with from that this are was all any one two end run set get out job jobs agent node core
    """.split()  # noqa: SIM905 - a list would take a line a word
)
_PARTS_OF_KEPT = re.compile(r"[^\W_]+")

# Keys of EventData, and fields of our own rows, whose value is an account or a computer.
_USER_FIELD = re.compile(
    r"(?:.*[ _]|target|parent|source|subject|client|caller|mapped|logon|connected|run_?as_?|next_?)?users?"
    r"|.*(?:user|sam|account|principal|member) ?_?name|.*owner|.*accounts?",
    re.IGNORECASE,
)
_HOST_FIELD = re.compile(
    r"(?-i:source|target|via|lane)"  # of our own rows only: in EventData these are anything
    r"|(?:.*_)?hosts?|(?:source|destination|dest|client|dns|remote|target|only_?)host ?(?:name)?"
    r"|.*(?:workstation|computer|machine)(?:s|name)?|(?!object).*server(?:name)?|clientname|dcname|targetinfo|connection",
    re.IGNORECASE,
)
# Hosts out on the internet are named here too: what is known of them is evidence and no secret of the case.
MAY_BE_FOREIGN = re.compile(r"dest(?:ination)?_?host ?name|source_?host ?name", re.IGNORECASE)
_DOMAIN_FIELD = re.compile(r".*domain ?_?(?:name)?|.*realm|dsname", re.IGNORECASE)

_FILE = re.compile(r"\.(?:exe|dll|sys|tmp|ps1|bat|cmd|vbs|txt|log|ini|lnk|zip|dat)$", re.IGNORECASE)
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_FORMS = re.compile(
    # a home folder, of Windows in its several spellings and of others
    r"[\\/](?:users|home|documents and settings)[\\/]+(?P<user>[^\\/:*?\"<>|\r\n;,'…]{1,64})"
    # \\host\share, but neither \\?\ and \\.\ nor the doubled backslash of a path in a string
    rf"|(?<![\w:)%\\.$}}])\\\\(?:\\\\)?(?P<host>{_LABEL}(?:\.{_LABEL})*)(?=[\\@])"
    # User = CORP\alice, UserId=CORP\alice of PowerShell's logs
    r"|(?m:^)[ \t]*(?:connected user|runas user|user|userid) ?= ?(?P<account>[^\r\n]{1,120}+)"
    # /user:CORP\alice, net user alice, -ComputerName srv02, /node:srv02
    r"|(?<!\w)(?:/user:|/u:|-u(?:sername)? |net1? user )[\"']?(?P<given>[^\s\"'/;|&]{1,120})"
    r"|(?<![\w/])(?:-computername |-cn |/node:|/s |-dnshostname |wsman/|https?://(?=[^/]{1,120}/wsman))[\"']?"
    rf"(?P<computer>{_LABEL}(?:\.{_LABEL})*)",
    re.IGNORECASE,
)
SID = r"S-1-5-21-\d{1,10}-\d{1,10}-\d{1,10}(?:-\d{1,10})?(?![\d…]|-\d)"
ADDRESS = (
    # A folder of that form, as in ...\Update\1.3.36.32\, is a version.
    r"(?<![\w.])(?<!(?<!\\)\\)(?:(?<!:)::ffff:)?(?:\d{1,3}\.){3}\d{1,3}(?![\w…]|\.\d)|"
    r"(?<![\w:])[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])"
)


def fold(text: str) -> str:
    """How names are compared: without case, as Windows does."""
    return text.casefold().replace("ı", "i").replace("i\u0307", "i")


def is_kept(name: str) -> bool:
    """Whether a name is the same on every Windows, or is no name at all."""
    folded = fold(name.strip())
    return (
        not any(character.isalnum() for character in folded)
        or len(folded) > _LONGEST
        or folded in _KEPT
        or _KEPT_PATTERN.fullmatch(folded) is not None
    )


@cache
def _vocabulary() -> frozenset[str]:
    """The words of our queries; not those of a user's own, which may name hosts. None has a digit: names often have."""
    words: set[str] = set()
    for path in sorted(shipped_folder("queries").rglob("*.sql")):
        words.update(map(fold, re.findall(r"[^\W\d_]+", path.read_text(encoding="utf-8"))))
    # Examples of names in our own texts are no ordinary words.
    return frozenset(words - {"corp", "alice", "bob"}) | _ORDINARY


@cache
def _all_words() -> str:
    return "\n".join(sorted(_vocabulary()))


def is_ordinary(name: str) -> bool:
    """Whether the name is too short or too common to be told from other words in running text."""
    folded = fold(name)
    return len(folded) < 3 or folded in _vocabulary() or (folded.isdigit() and len(folded) < 5)


def is_distinctive(name: str) -> bool:
    """Whether the name can be looked for even inside longer words, such as jsmith in jsmith2 or LAPTOPJSMITH."""
    folded = fold(name)
    return (
        len(folded) >= 6
        and re.search(r"[^0-9a-f.:-]", folded) is not None
        and folded not in _all_words()
        and not is_ordinary(folded)
    )


@lru_cache(maxsize=4096)
def kind_of_field(name: str) -> Kind | None:
    """What a field or EventData key of this name holds; None: other text."""
    if _DOMAIN_FIELD.fullmatch(name):
        return "domain"
    if _USER_FIELD.fullmatch(name):
        return "user"
    return "host" if _HOST_FIELD.fullmatch(name) else None


def clean_address(text: str) -> str | None:
    """The address in its one canonical form; None if it is none, or one that every computer has."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    text = str(address)
    is_shared = address.is_loopback or address.is_unspecified or address.is_multicast or text == "255.255.255.255"
    return None if is_shared or text.endswith(".0.0.0") else text  # 1.0.0.0 is a version


def names_of_value(kind: Kind, value: str) -> Iterator[tuple[Kind, str]]:
    r"""The names in a field's value: DOMAIN\user, user@realm, a distinguished name, an SPN, NAME$, host.domain."""
    value = value.strip().strip("\"'")
    if is_kept(value) or clean_address(value.strip("[]")):
        return
    if re.match(r"(?:CN|OU|DC)=", value, re.IGNORECASE):
        labels = re.findall(r"(?:^|,)DC=([^,]+)", value, re.IGNORECASE)
        if labels:
            yield "domain", ".".join(labels)
        common = re.match(r"CN=((?:[^,\\]|\\.)+)", value, re.IGNORECASE)
        if common and kind == "user" and not is_kept(common[1]):
            yield "user", common[1]
        return
    if kind == "domain":
        yield "domain", value
        return
    if kind == "host":
        value = re.sub(r"^\w+://|^\w+/(?=\w)|^\\\\", "", value)
        value = re.split(r"[/\\]|:\d+\b", value)[0]
        yield from _host_names(value)
        return
    before, backslash, after = value.rpartition("\\")
    if backslash and before:
        yield from names_of_value("domain", before.strip("\\"))
    account, at, realm = after.partition("@")
    if at and realm:
        yield from names_of_value("domain", realm)
    account = account.strip()
    if re.fullmatch(r"\w+/.+", account):  # a service principal: host/srv02.corp.example
        yield from _host_names(account.split("/")[1])
    elif not is_kept(account) and not clean_address(account):
        # A computer's account, a group-managed service's, or one that was made to be hidden: whoever knows, tells.
        yield ("host", account[:-1]) if account.endswith("$") and len(account) > 1 else ("user", account)


def _host_names(value: str) -> Iterator[tuple[Kind, str]]:
    value = value.strip().strip("$.")
    if is_kept(value) or re.fullmatch(r"\[?[0-9a-f:.%]*[:.][0-9a-f:.%]*\]?(?::\d+)?", value, re.IGNORECASE):
        return
    label, _, domain = value.partition(".")
    if not is_kept(label):
        yield "host", label
    if domain and not is_kept(domain):
        yield "domain", domain


def addresses_in(text: str) -> Iterator[str]:
    """The addresses in a text, each in its canonical form."""
    for match in re.finditer(ADDRESS, text, re.IGNORECASE):
        if address := clean_address(match[0]):
            yield address


def sids_in(text: str) -> Iterator[str]:
    """The SIDs of domains and computers, and of their accounts beyond those that each of them has."""
    for match in re.finditer(SID, text, re.IGNORECASE):
        yield own_sid(match[0])[0]


def own_sid(sid: str) -> tuple[str, str]:
    """What of a SID is somebody's own, and the rest: relative ids below 1,000 tell what an account is, not who."""
    sid = sid.upper()
    domain, _, relative = sid.rpartition("-")
    return (domain, f"-{relative}") if sid.count("-") == 7 and int(relative) < 1_000 else (sid, "")


def names_of_forms(text: str) -> Iterator[tuple[Kind, str, int, int]]:
    """The names that the form of a text gives away, with the whole span that the form says is a name."""
    for match in _FORMS.finditer(text):
        for group, kind in _FORM_KINDS.items():
            value = match[group]
            if value is None:
                continue
            value = value.rstrip(" .")
            if group == "user" and _FILE.search(value):
                continue
            start = match.start(group)
            # A number stands behind the second home folder of one name: alice.000
            for own_kind, name in names_of_value(kind, re.sub(r"\.\d{3}$", "", value)):
                place = value.find(name)
                if place >= 0:
                    yield own_kind, name, start + place, start + place + len(name)


_FORM_KINDS: dict[str, Kind] = {"user": "user", "host": "host", "account": "user", "given": "user", "computer": "host"}
