"""Redaction: what is a name and what is not, one pseudonym a name, and nothing of it left in any shape."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evtxhunt.names import is_distinctive, is_kept, is_ordinary, names_of_forms, names_of_value
from evtxhunt.pseudonyms import Pseudonyms, trie
from evtxhunt.redact import ENCODED, Redactor

_NAMES: list[tuple[Any, str]] = [
    ("user", "alice.baker"),
    ("user", "svc-backup"),
    ("user", "svc-backup2"),
    ("user", "admin"),
    ("user", "Jörg Müller"),
    ("user", "bob"),
    ("host", "SRV02"),
    ("host", "DC"),
    ("host", "LAPTOP-7Q2"),
    ("domain", "CORP"),
    ("domain", "corp.example.test"),
]
_ALL = frozenset({"user", "host", "domain", "sid", "address"})


@pytest.fixture
def pseudonyms() -> Pseudonyms:
    return Pseudonyms(_NAMES)


@pytest.fixture
def redactor(pseudonyms: Pseudonyms) -> Redactor:
    return Redactor(pseudonyms, _ALL, "/home/eve/cases/acme")


def filled(text: str, pseudonyms: Pseudonyms) -> str:
    """The text with {name} as the name's pseudonym."""
    for kind, name in pseudonyms.names.values():
        text = text.replace(f"{{{name}}}", str(pseudonyms.find(kind, name)))
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # domain accounts, realms, computers' accounts
        (r"CORP\alice.baker logged on", r"{CORP}\{alice.baker} logged on"),
        (r"corp\ALICE.BAKER", r"{CORP}\{alice.baker}"),
        ("alice.baker@CORP.EXAMPLE.TEST", "{alice.baker}@{corp.example.test}"),
        ("srv02$", "{SRV02}$"),
        ("DC$", "{DC}$"),
        # full and short names, the longest first
        ("Srv02.corp.example.test and srv02", "{SRV02}.{corp.example.test} and {SRV02}"),
        ("svc-backup2, svc-backup", "{svc-backup2}, {svc-backup}"),
        # commands, paths, scripts
        (r"net use \\SRV02\c$ /user:CORP\svc-backup pw", r"net use \\{SRV02}\c$ /user:{CORP}\{svc-backup} pw"),
        (r"C:\Users\alice.baker\x.ps1", r"C:\Users\{alice.baker}\x.ps1"),
        (r"C:\Users\alice.baker.CORP\x", r"C:\Users\{alice.baker}.{CORP}\x"),
        (r"copy x \\DC\SYSVOL", r"copy x \\{DC}\SYSVOL"),
        ("LDAP://DC=corp,DC=example,DC=test", "LDAP://DC={corp.example.test}"),
        ("-ComputerName LAPTOP-7Q2 -x", "-ComputerName {LAPTOP-7Q2} -x"),
        # inside longer words where the name is one that nothing else is, and behind escapes
        ("mysvc-backup3.zip", "my{svc-backup}3.zip"),
        (r"line\nbob", r"line\n{bob}"),
        ("a%20bob", "a%20{bob}"),
        # words that have a name in them stay
        ("bobbin and the corporation", "bobbin and the corporation"),
        ("the admin of a DC", "the admin of a DC"),
        # ordinary words where their form tells that they are names
        (r"CORP\admin and an admin tool", r"{CORP}\{admin} and an admin tool"),
        ("admin@corp.example.test", "{admin}@{corp.example.test}"),
        ("dc.corp.example.test", "{DC}.{corp.example.test}"),
        (r"C:\Users\admin\x", r"C:\Users\{admin}\x"),
        # what every Windows has stays
        (r"NT AUTHORITY\SYSTEM, \Administrator, \\localhost\c$, 127.0.0.1, ::1, S-1-5-18, S-1-5-32-544", None),
        (r"C:\Users\Public\x, HostVersion=5.1.0.0, version 10.1.2.3, ...\Update\1.3.36.32\x.exe", None),
        ("4f2c1a90-bob1-4abc-8def-0123456789ab", None),
        # the form of the letters, not the bytes
        ("jo\u0308rg mu\u0308ller", "{Jörg Müller}"),
        ("JÖRG MÜLLER", "{Jörg Müller}"),
        ("/home/eve/cases/acme/SRV02/Security.evtx", "EVIDENCE/{SRV02}/Security.evtx"),
        # what a summary cut through
        ("ran by svc-bac…", "ran by …"),
        ("…baker did", "… did"),
        ("a word…", "a word…"),
    ],
)
def test_names_go_and_words_stay(text: str, expected: str | None, redactor: Redactor, pseudonyms: Pseudonyms) -> None:
    assert redactor.text(text) == filled(text if expected is None else expected, pseudonyms)


def test_a_domain_is_told_by_what_it_leads(redactor: Redactor, pseudonyms: Pseudonyms) -> None:
    assert redactor.text(r"CORP\unheard.of") == filled(r"{CORP}\{unheard.of}", pseudonyms)
    assert redactor.text("new01.corp.example.test") == filled("{new01}.{corp.example.test}", pseudonyms)
    assert redactor.text(r"D:\SRV02\reports") == filled(r"D:\{SRV02}\reports", pseudonyms)
    assert redactor.text("https://cdn.evil.example/x") == "https://cdn.evil.example/x"


def test_addresses_and_sids(redactor: Redactor, pseudonyms: Pseudonyms) -> None:
    assert redactor.text("10.1.2.3 ::ffff:10.1.2.3 10.1.2.30") == "address-001 address-001 address-002"
    assert redactor.text("8.8.8.8, 2001:4860:4860::8888, FE80::1:2") == (
        "public-address-001, public-address-002, address-003"
    )
    assert redactor.text("fe80:0:0:0:0:0:1:2") == "address-003"
    assert redactor.text("[Convert]::FromBase64String([Add]::Add(1)) 12:34:56") == (
        "[Convert]::FromBase64String([Add]::Add(1)) 12:34:56"
    )
    assert redactor.text("S-1-5-21-1-2-3-1105 s-1-5-21-1-2-3-500 S-1-5-21-1-2-3") == "sid-001 sid-002-500 sid-002"
    assert redactor.text("S-1-5-21-1-2-3-11…, 10.1.2…") == "…, …"


def test_ordinary_words_are_names_where_their_own_item_says_so(redactor: Redactor, pseudonyms: Pseudonyms) -> None:
    @dataclass(frozen=True)
    class Row:
        user_name: str
        computer: str
        summary: str
        title: str

    old = Row(r"CORP\admin", "dc.corp.example.test", "admin opened a shell on DC, from SRV02", r"\Users\x of admin")
    new = redactor.redact(old)
    assert new == Row(
        filled(r"{CORP}\{admin}", pseudonyms),
        filled("{DC}.{corp.example.test}", pseudonyms),
        filled("{admin} opened a shell on {DC}, from {SRV02}", pseudonyms),
        filled(r"\Users\x of {admin}", pseudonyms),
    )
    # The next item has nothing to do with it.
    assert redactor.redact(Row("bob", "SRV02", "an admin share on a DC", "t")).summary == "an admin share on a DC"


def test_every_text_of_any_depth_is_covered(redactor: Redactor) -> None:
    """What is added to the report later needs no change here."""

    @dataclass(frozen=True)
    class Inner:
        whatever: str
        path: Path
        number: int

    @dataclass(frozen=True)
    class Outer:
        rows: tuple[Inner, ...]
        pairs: tuple[tuple[str, str, int], ...]
        mapping: dict[str, list[str]]
        nothing: str | None

    inner = Inner("by svc-backup", Path("/x/svc-backup"), 7)
    new = redactor.redact(Outer((inner,), (("svc-backup", "x", 3),), {"svc-backup": ["SVC-BACKUP"]}, None))
    assert "svc-backup" not in repr(new).lower()
    assert new.rows[0].number == 7 and isinstance(new.rows[0].path, Path) and new.nothing is None


def test_json_keeps_all_but_its_names(redactor: Redactor, pseudonyms: Pseudonyms) -> None:
    old = r'{"Data": "a\nbob",  "Data":"x", "n":18446744073709551615, "User":"admin", "X":"admin", "bob":[null, 1.50]}'
    new = redactor.text(old)
    bob, admin = str(pseudonyms.find("user", "bob")), str(pseudonyms.find("user", "admin"))
    assert new == old.replace("bob", bob).replace('"User":"admin"', f'"User":"{admin}"')
    assert json.loads(redactor.text(json.dumps({"t": "\\\\SRV02\\c$ \ud800 j\u00f6rg m\u00fcller"})))["t"] == filled(
        "\\\\{SRV02}\\c$ \ud800 {Jörg Müller}", pseudonyms
    )
    assert (
        redactor.text('{"FileVersion":"1.2.3.4","Ip":"1.2.3.4"}')
        == '{"FileVersion":"1.2.3.4","Ip":"public-address-001"}'
    )


@pytest.mark.parametrize(
    "broken", ["{bob", '{"bob', '{"a\\q bob"}', "[bob]", '{"bob":}', '["bob" bob "]', "{" * 5_000 + "bob}"]
)
def test_json_that_is_none_is_covered_too(broken: str, redactor: Redactor) -> None:
    assert "bob" not in redactor.text(broken)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_base64_and_hex_that_hold_a_name_are_withheld(encoding: str, redactor: Redactor) -> None:
    with_name = "Enter-PSSession -ComputerName srv02.corp.example.test".encode(encoding)
    without = "Get-ChildItem -Recurse -Force | Out-Null; Start-Sleep 10".encode(encoding)
    for encode in (lambda data: base64.b64encode(data).decode(), bytes.hex):
        assert redactor.text(f"powershell -enc {encode(with_name)} -x") == f"powershell -enc {ENCODED} -x"
        assert redactor.text(encode(without)) == encode(without)


def test_letters_with_nulls_between_are_read(redactor: Redactor) -> None:
    assert "b\0a\0c\0k\0u\0p" not in redactor.text("s\0v\0c\0-\0b\0a\0c\0k\0u\0p\0")


def test_hashes_and_guids_stay_whole() -> None:
    """Names that are hex digits: they must not be found in what only looks alike."""
    names = Pseudonyms([("user", "cafe"), ("host", "dc01"), ("user", "beefed")])
    redactor = Redactor(names, _ALL)
    for text in ("12cafe34" * 8, "0dbeefed" * 8, "4f2c1a90-cafe-dc01-8def-0123456789ab"):
        assert redactor.text(text) == text
    assert redactor.text("cafe on DC01") == f"{names.find('user', 'cafe')} on host-001"


def test_only_what_was_asked_for_goes(pseudonyms: Pseudonyms) -> None:
    text = r"CORP\bob from 10.1.2.3 on srv02.corp.example.test, C:\Users\bob, \\SRV02\x, S-1-5-21-1-2-3-1105"
    users = Redactor(pseudonyms, frozenset({"user", "domain", "sid"})).text(text)
    assert users == filled(
        r"{CORP}\{bob} from 10.1.2.3 on srv02.{corp.example.test}, C:\Users\{bob}, \\SRV02\x, sid-001", pseudonyms
    )
    hosts = Redactor(pseudonyms, frozenset({"host", "domain", "address"})).text(text)
    assert hosts == filled(
        r"{CORP}\bob from address-001 on {SRV02}.{corp.example.test}, C:\Users\bob, \\{SRV02}\x, S-1-5-21-1-2-3-1105",
        pseudonyms,
    )


def test_pseudonyms_do_not_depend_on_order_or_case() -> None:
    one, other = Pseudonyms(_NAMES), Pseudonyms([*reversed(_NAMES), ("user", "BOB"), ("user", "bob")])
    assert all(one.find(kind, name) == other.find(kind, name.upper()) for kind, name in _NAMES)
    assert [name for _, name in sorted(one.names.items())] != sorted(_NAMES)  # numbers do not tell the alphabet


def test_lower_case_of_a_redacted_text_is_the_redacted_lower_case(redactor: Redactor) -> None:
    """Pages look computers up by their names in lower case."""
    for name in ("SRV02.Corp.Example.Test", "CORP", "DC$", "Alice.Baker", r"CORP\Svc-Backup", "LAPTOP-7Q2"):
        assert redactor.text(name.lower(), "host") == redactor.text(name, "host").lower()


def test_a_key_is_gone_on_with() -> None:
    first = Pseudonyms(_NAMES[:4])
    second = Pseudonyms(_NAMES, first.names)
    assert all(second.find(kind, name) == first.find(kind, name) for kind, name in _NAMES[:4])
    assert len(set(second.names)) == len(second.names) == len(_NAMES)


def test_a_real_name_that_looks_like_a_pseudonym_is_replaced_once() -> None:
    names = Pseudonyms([("host", "host-001"), ("host", "host-002"), ("host", "srv02")])
    redactor = Redactor(names, _ALL)
    assert sorted(redactor.text("host-001 host-002 srv02").split()) == ["host-001", "host-002", "host-003"]


def test_kinds_of_names() -> None:
    assert all(
        map(
            is_kept,
            ("SYSTEM", "nt authority", "Domain Admins", "Administrator", "DWM-3", "-", "$", "localhost", "x" * 300),
        )
    )
    assert not any(map(is_kept, ("alice", "Administrateur2", "srv02", "admin")))
    assert all(map(is_ordinary, ("admin", "DC", "powershell", "Service", "1234")))
    assert not any(map(is_ordinary, ("alice", "srv02", "123456", "WS7")))
    assert is_distinctive("jsmith") and not is_distinctive("micros") and not is_distinctive("beefed")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("user", r"CORP\alice", [("domain", "CORP"), ("user", "alice")]),
        ("user", "alice@corp.test", [("domain", "corp.test"), ("user", "alice")]),
        ("user", "SRV02$", [("host", "SRV02")]),
        ("user", "host/srv02.corp.test", [("host", "srv02"), ("domain", "corp.test")]),
        ("user", "CN=Alice Baker,OU=x,DC=corp,DC=test", [("domain", "corp.test"), ("user", "Alice Baker")]),
        ("user", r"NT AUTHORITY\SYSTEM", []),
        ("user", "10.0.0.1", []),
        ("host", "http://srv02.corp.test:5985/wsman", [("host", "srv02"), ("domain", "corp.test")]),
        ("host", r"\\SRV02", [("host", "SRV02")]),
        ("host", "[10.0.2.16]:59407", []),
        ("domain", "-", []),
    ],
)
def test_names_of_a_field(kind: Any, value: str, expected: list[tuple[str, str]]) -> None:
    assert list(names_of_value(kind, value)) == expected


def test_forms_say_where_the_name_stands() -> None:
    text = r"\\srv02.corp.test\x C:\\Windows\\System32\\x \\?\C:\x \\.\pipe\y"
    assert [(kind, text[start:end]) for kind, _, start, end in names_of_forms(text)] == [
        ("host", "srv02"),
        ("domain", "corp.test"),
    ]


def test_the_pattern_finds_the_longest_of_many_words() -> None:
    import re

    words = ["a", "ab", "abc", "abd", "b.c", "xyz"]
    pattern = re.compile(trie(words))
    assert all(pattern.match(word + "!") and pattern.match(word + "!")[0] == word for word in words)  # type: ignore[index]
    assert re.compile(trie([])).search("anything") is None


@pytest.mark.parametrize(
    "text",
    [
        "w" * 300_000 + "…" + "w" * 300_000,
        "{" + '\\"' * 200_000 + "}",
        '{"' * 100_000 + "}",
        "\\" * 300_000,
        "\\Users" * 60_000,
        "a." * 200_000,
        "@corp.example.test" * 20_000,
        "bob " * 100_000,
        "s-1-5-21-" * 50_000,
        "1.2.3." * 80_000,
        "dead:" * 80_000,
        " " * 300_000 + "user = x",
        "QUJD" * 100_000,
        "ab " * 100_000,
        "version1.1" * 40_000,
        "x\0" * 200_000,
    ],
    ids=range(16),
)
def test_text_made_to_be_slow_is_not(text: str, redactor: Redactor) -> None:
    """With a step for each pair of characters, one of these would take hours."""
    redactor.text(text)
