"""Events and rules made at random from what is hard to compare, so that every modifier finds something.

The same seed gives the same events and rules.
"""

import base64
import re
from collections.abc import Callable
from random import Random
from typing import Any

TEXT_FIELDS = ("Image", "CommandLine", "User", "ParentImage")
_STEMS = (
    "cmd.exe /c -enc x",
    "C:\\Windows\\System32\\",
    "\\\\host\\c$\\a*b?c",
    "100%_done!",
    "Straße ΣΊΣΥΦΟΣ İstanbul K",
    "a'b\"c`d;--",
    "line one\nline two\r\n",
    "ping -n 5 /all –x ―y",
    "😀 𝒳 é",
    "-",
    "0x1F4",
    "foo-bar /baz",
    "\\*\\?\\\\",
)
_WORDS = ("ping", "foobar", "é-ü", "ab", "C:\\\\x", "say ü", "b\\*c")
_ADDRESSES = ("10.1.2.3", "172.31.255.255", "172.32.0.1", "::ffff:10.9.9.9", "fe80::1%12", "FE80::ABCD", "::1")
_ADDRESSES += ("192.168.1.300", "10.0.0.1:80", "-", "", "2001:db8:0:1::2", "1.2.3", "0.0.0.0")
_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "fe80::/10", "::1/128", "0.0.0.0/0", "2001:db8::/32", "::/0", "10.1.2.3/32")
_NETWORKS += ("::ffff:10.0.0.0/104",)
_NUMBERS: tuple[Any, ...] = (
    4,
    "4",
    "0x4",
    500,
    "0x1f4",
    "0X1F4",
    "-3",
    "9.75",
    "",
    "four",
    0,
    "004",
    18446744073709551615,
    True,
)
_TIMES = (
    "2026-05-01 03:59:59.123",
    "2027-01-01 00:00:00",
    "2026-12-31T23:00:00",
    "3 o'clock",
    "",
    "2024-02-29 12:30:00",
)


def make_event_data(random: Random) -> dict[str, Any]:
    """The data of an event; fields may be missing, null, empty or have several values."""
    data: dict[str, Any] = {}
    for name in TEXT_FIELDS:
        match random.randrange(10):
            case 0:
                continue
            case 1:
                data[name] = None
            case 2:
                data[name] = ""
            case 3 | 4:
                data[name] = _encoded(random)
            case _:
                data[name] = _text(random)
    if random.random() < 0.5:
        data["CommandLine"] = _encoded(random)
    if random.random() < 0.2:
        data["IMAGE"] = _text(random)  # another field than Image, and found only where that has no value
    if random.random() < 0.3:
        data["ParentImage"] = _part(random, str(data.get("Image") or "x"))
    data["Listed"] = [_text(random) for _ in range(random.randrange(1, 4))] if random.random() < 0.5 else _text(random)
    data["DestinationIp"] = random.choice(_ADDRESSES)
    data["ProcessId"] = random.choice(_NUMBERS)
    data["UtcTime"] = random.choice(_TIMES)
    return data


def _text(random: Random) -> str:
    text = random.choice(_STEMS)
    if random.random() < 0.4:
        text += random.choice(_STEMS)
    return random.choice((text, text.upper(), text.lower(), text.swapcase()))


def _encoded(random: Random) -> str:
    word = random.choice(_WORDS)
    raw = word.replace("\\*", "*").encode(random.choice(("utf-8", "utf-8", "utf-16-le", "utf-16-be", "utf-16")))
    if random.random() < 0.6:
        raw = b"x" * random.randrange(3) + raw + b"yz"
    return f"p {base64.b64encode(raw).decode()} q"


def _part(random: Random, text: str) -> str:
    first = random.randrange(len(text) + 1)
    return text[first : random.randrange(first, len(text) + 1)]


def _escape(text: str) -> str:
    return re.sub(r"([\\*?])", r"\\\1", text)


def _wild(random: Random, text: str) -> str:
    """The text as a value of a rule, with some of it behind wildcards or as it stands, unescaped."""
    if random.random() < 0.3:
        return text
    first = random.randrange(len(text) + 1)
    behind = random.randrange(first, min(first + 4, len(text)) + 1)
    wildcard = random.choice(("*", "?", "?" * (behind - first), ""))
    return _escape(text[:first]) + wildcard + _escape(text[behind if wildcard else first :])


def _value(random: Random) -> str:
    return _wild(random, _text(random))


def _some(random: Random, make: Callable[[Random], Any]) -> Any:
    """One value or a list of them."""
    return make(random) if random.random() < 0.6 else [make(random) for _ in range(random.randrange(1, 4))]


def _with_part(random: Random) -> str:
    text = _text(random)
    return _wild(random, _part(random, text) or "e")


def _start(random: Random) -> str:
    return _wild(random, _text(random)[: random.randrange(1, 6)])


def _end(random: Random) -> str:
    return _wild(random, _text(random)[-random.randrange(1, 6) :])


def _pattern(random: Random) -> str:
    part = _part(random, _text(random)).replace("\n", "") or "e"
    return re.sub("[^A-Za-z0-9 ]", lambda found: "." if ord(found[0]) > 127 else "\\" + found[0], part)


def _flag(random: Random) -> str:
    return "".join(random.sample(("|i", "|m", "|s"), random.randrange(4)))


def _dashed(random: Random) -> str:
    return random.choice((" -enc", " /c", "-n 5", "/all -x", "/baz", "o-b", " -x ―y", "-", "/", " -n * /all", "–x"))


_MAY_BE_CASED = ("contains", "startswith", "endswith", "windash", "base64", "base64offset", "expand")


def make_line(random: Random, modifier: str) -> tuple[str, Any]:
    """Key and value of a line with this modifier, "" for none; "keyword" for one without a field."""
    key, value = _make_line(random, modifier)
    name, *others = key.split("|")
    if modifier in _MAY_BE_CASED and random.random() < 0.4:
        others.insert(random.choice((0, len(others))), "cased")
    return "|".join((name, *others)), value


def _make_line(random: Random, modifier: str) -> tuple[str, Any]:
    name = random.choice((*TEXT_FIELDS, *TEXT_FIELDS, "Listed", "parent image"))
    match modifier:
        case "":
            return name, _some(random, _value)
        case "null":
            return name, random.choice((None, [None, _value(random)], ""))
        case "keyword":
            return random.choice(("|all", "|cased")), _some(
                random, lambda _: _wild(random, _part(random, _text(random)) or "e")
            )
        case "contains":
            return f"{name}|contains{random.choice(('', '|all'))}", _some(random, _with_part)
        case "startswith":
            return f"{name}|startswith", _some(random, _start)
        case "endswith":
            return f"{name}|endswith", _some(random, _end)
        case "cased":
            return f"{name}|cased", _some(random, _value)
        case "neq":
            if random.random() < 0.5:
                return "ProcessId|neq", _some(random, lambda _: random.choice((4, "4", 500, 0)))
            return f"{name}|neq", _some(random, _value)
        case "re":
            return f"{name}|re{_flag(random)}", _some(random, _pattern)
        case "windash":
            order = random.choice(("windash|contains", "contains|windash", "contains|all|windash"))
            return f"{name}|{order}", _some(random, _dashed)
        case "base64" | "base64offset":
            width = random.choice(("", "", "wide|", "utf16le|", "utf16be|", "utf16|"))
            name = random.choice(("CommandLine", "CommandLine", name))
            return f"{name}|{width}{modifier}|contains", _some(random, lambda _: random.choice(_WORDS))
        case "fieldref":
            order = random.choice(("fieldref", "fieldref|startswith", "fieldref|endswith", "fieldref|contains"))
            return f"{name}|{order}", random.choice((*TEXT_FIELDS, "Listed", "Nothing"))
        case "exists":
            return f"{random.choice((name, 'Nothing'))}|exists", random.random() < 0.5
        case "cidr":
            return "DestinationIp|cidr", _some(random, lambda _: random.choice(_NETWORKS))
        case "number":
            return "ProcessId", _some(random, lambda _: random.choice((4, 500, "4", "0x4", 0, -3, True, "*", 9.75)))
        case "lt" | "lte" | "gt" | "gte":
            return f"ProcessId|{modifier}", random.choice((4, 5, 0, -3, 9.75, 500))
        case "expand":
            return f"{name}|expand{random.choice(('', '|contains'))}", random.choice(
                ("%words%", "%words% /c", "*%words%*")
            )
    part = {
        "minute": (59, 0, 30),
        "hour": (3, 23, 0),
        "day": (1, 31),
        "week": (53, 18, 9),
        "month": (5, 1),
        "year": (2026,),
    }
    return f"UtcTime|{modifier}", random.choice(part[modifier])


MODIFIERS = ("", "null", "keyword", "contains", "startswith", "endswith", "cased", "neq", "re", "windash", "base64")
MODIFIERS += ("base64offset", "fieldref", "exists", "cidr", "number", "lt", "lte", "gt", "gte", "expand")
MODIFIERS += ("minute", "hour", "day", "week", "month", "year")
PLACEHOLDERS = {"words": ("cmd.exe", "c:\\win*", "a?b")}


def make_rule(random: Random, number: int) -> tuple[str, dict[str, Any]]:
    """Its main modifier, and the rule: a selection of it, and others that the condition joins to it."""
    modifier = MODIFIERS[number % len(MODIFIERS)]
    key, value = make_line(random, modifier)
    detection: dict[str, Any] = {"s_main": {key: value}}
    condition = random.choice(("s_main", "s_main", "not s_main"))
    if random.random() < 0.4:
        others = [make_line(random, random.choice(MODIFIERS)) for _ in range(2)]
        detection["s_map"] = dict(others[:1])
        detection["s_list"] = [dict(others[1:]), {"User": _value(random)}]
        condition = random.choice(
            ("1 of s_*", "s_main and not s_map", "s_main and (s_map or not s_list)", "not 1 of s_*", "all of them")
        )
    return modifier, {
        "title": f"rule {number}",
        "id": f"00000000-0000-0000-0000-{number:012}",
        "logsource": {"product": "windows", "category": "process_creation"},
        "detection": {**detection, "condition": condition},
    }
