"""Sigma rules on events one by one, in plain Python: slow, obvious, and without a line of evtxhunt.sigma or pySigma.

Written from the Sigma specification 2.1 (sigma-rules-specification.md, sigma-appendix-modifiers.md): a second opinion
on what rules mean. Which events a log source means, and what their fields are called, is in tests/sigma/taxonomy.py.
"""

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Protocol


class Fields(Protocol):
    """An event as a rule sees it: the names of fields are Sigma's."""

    def values(self, name: str) -> Sequence[str]:
        """The field's values as texts; none if it is missing or holds nothing."""

    def exists(self, name: str) -> bool:
        """Whether the event has it, whatever it holds."""

    def everything(self) -> Sequence[str]:
        """All values of the event, for keywords."""


Test = Callable[[Fields], bool]
Placeholders = Mapping[str, Sequence[str]]

_DASHES = "-/\u2013\u2014\u2015"
_TIME_PARTS = ("minute", "hour", "day", "week", "month", "year")
_COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "lt": lambda have, limit: have < limit,
    "lte": lambda have, limit: have <= limit,
    "gt": lambda have, limit: have > limit,
    "gte": lambda have, limit: have >= limit,
}
_REGEX_FLAGS = {
    "i": re.IGNORECASE,
    "ignorecase": re.IGNORECASE,
    "m": re.MULTILINE,
    "multiline": re.MULTILINE,
    "s": re.DOTALL,
    "dotall": re.DOTALL,
}
# What the value is, not how it is written.
_KINDS = {"re", "cidr", "exists", "fieldref", *_TIME_PARTS, *_COMPARISONS}
_KNOWN = {
    *_KINDS,
    *_REGEX_FLAGS,
    *("all", "neq", "cased", "contains", "startswith", "endswith", "windash", "expand"),
    *("base64", "base64offset", "wide", "utf16le", "utf16be", "utf16"),
}


# A rule's conditions -----------------------------------------------------------------------------------------------


def rule_test(document: Mapping[str, Any], placeholders: Placeholders) -> Test:
    """What a rule, as YAML gives it, says of an event; several conditions are alternatives."""
    detection = dict(document["detection"])
    conditions = detection.pop("condition")
    parts = {name: _search(content, placeholders) for name, content in detection.items()}
    tests = [_Condition(text, parts).test() for text in (conditions if isinstance(conditions, list) else [conditions])]
    return _any(tests)


class _Condition:
    """From the least to the most binding: or, and, not, `x of`, brackets."""

    def __init__(self, text: str, parts: Mapping[str, Test]) -> None:
        self._words = re.findall(r"[()]|[^\s()]+", text)
        self._parts = parts

    def test(self) -> Test:
        found = self._either()
        assert not self._words, f"left over: {self._words}"
        return found

    def _next(self) -> str:
        return self._words[0].lower() if self._words else ""

    def _either(self) -> Test:
        tests = [self._both()]
        while self._next() == "or":
            self._words.pop(0)
            tests.append(self._both())
        return _any(tests)

    def _both(self) -> Test:
        tests = [self._negated()]
        while self._next() == "and":
            self._words.pop(0)
            tests.append(self._negated())
        return _all(tests)

    def _negated(self) -> Test:
        if self._next() == "not":
            self._words.pop(0)
            return _not(self._negated())
        return self._atom()

    def _atom(self) -> Test:
        word = self._words.pop(0)
        if word == "(":
            found = self._either()
            assert self._words.pop(0) == ")"
            return found
        if self._next() == "of":
            self._words.pop(0)
            chosen = [self._parts[name] for name in self._names(self._words.pop(0))]
            return _all(chosen) if word.lower() == "all" else _any(chosen)
        return self._parts[word]

    def _names(self, pattern: str) -> list[str]:
        """Those that begin with an underscore are left out unless the pattern does, too."""
        wanted = re.compile(".*".join(re.escape(part) for part in ("*" if pattern == "them" else pattern).split("*")))
        hidden = not pattern.startswith("_")
        return [name for name in self._parts if wanted.fullmatch(name) and not (hidden and name.startswith("_"))]


def _any(tests: Sequence[Test]) -> Test:
    return lambda event: any(test(event) for test in tests)


def _all(tests: Sequence[Test]) -> Test:
    return lambda event: all(test(event) for test in tests)


def _not(test: Test) -> Test:
    return lambda event: not test(event)


def _search(content: Any, placeholders: Placeholders) -> Test:
    """A search identifier: a map means all of its lines, a list means any of its maps or keywords."""
    if isinstance(content, Mapping):
        return _all([_line(key, value, placeholders) for key, value in content.items()])
    if isinstance(content, list):
        return _any([_search(item, placeholders) for item in content])
    return _line("", content, placeholders)


# A line: field|modifiers: values -----------------------------------------------------------------------------------


def _line(key: str, content: Any, placeholders: Placeholders) -> Test:
    name, *modifiers = key.split("|")
    assert set(modifiers) <= _KNOWN, f"unknown modifier in {key}"
    given = content if isinstance(content, list) else [content]
    tests = [_value_test(name, modifiers, value, placeholders) for value in given]
    found = _all(tests) if "all" in modifiers else _any(tests)
    return _not(found) if "neq" in modifiers else found


def _value_test(name: str, modifiers: Sequence[str], value: Any, placeholders: Placeholders) -> Test:
    kind = next((modifier for modifier in modifiers if modifier in _KINDS), None)
    if kind == "exists":
        return (lambda event: event.exists(name)) if value else (lambda event: not event.exists(name))
    if kind == "fieldref":
        return _reference_test(name, modifiers, value)
    if value is None:
        return lambda event: not any(event.values(name))  # no value, or none but empty ones
    if kind == "re":
        return _on_values(name, _regex_test(modifiers, value, placeholders))
    if kind == "cidr":
        network = ipaddress.ip_network(value)
        return _on_values(name, lambda text: _is_within(text, network))
    if kind in _TIME_PARTS:
        return _on_values(name, lambda text: _time_part(text, str(kind)) == value)
    if kind in _COMPARISONS:
        compare, limit = _COMPARISONS[kind], Decimal(str(value))
        return _on_values(name, lambda text: (have := _number(text)) is not None and compare(have, limit))
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, int | float):
        if name and not set(modifiers) & {"contains", "startswith", "endswith"}:
            wanted = Decimal(str(value))
            return _on_values(name, lambda text: _number(text) == wanted)
        value = str(value)
    return _text_test(name, modifiers, value, placeholders)


def _on_values(name: str, test: Callable[[str], bool]) -> Test:
    """Of a field with several values one must do; without a field any value of the event."""
    if not name:
        return lambda event: any(test(text) for text in event.everything())
    return lambda event: any(test(text) for text in event.values(name))


@lru_cache(100_000)
def fold(text: str) -> str:
    """Letter by letter, so that no text changes its length."""
    return text.lower() if text.isascii() else "".join(letter.lower()[0] for letter in text)


def _reference_test(name: str, modifiers: Sequence[str], other: str) -> Test:
    begins, ends = (bool({way, "contains"} & set(modifiers)) for way in ("startswith", "endswith"))

    def fits(mine: str, theirs: str) -> bool:
        if begins and ends:
            return theirs in mine
        if begins:
            return mine.startswith(theirs)
        return mine.endswith(theirs) if ends else mine == theirs

    return lambda event: any(
        fits(fold(mine), fold(theirs)) for mine in event.values(name) for theirs in event.values(other)
    )


def _regex_test(modifiers: Sequence[str], value: str, placeholders: Placeholders) -> Callable[[str], bool]:
    flags = re.ASCII  # \w, \d and \s as PCRE has them
    for modifier in modifiers:
        flags |= _REGEX_FLAGS.get(modifier, re.NOFLAG)
    patterns = [value]
    if "expand" in modifiers:
        patterns = ["".join(parts) for parts in _filled(value, placeholders, re.escape)]
    found = [re.compile(pattern, flags) for pattern in patterns]
    return lambda text: any(pattern.search(text) for pattern in found)


def _is_within(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """An address of version 4 inside of one of version 6 is the former, on either side."""
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return False
    ends = [_unmapped(end) for end in (network[0], network[-1])]
    own = _unmapped(address)
    return own.version == ends[0].version == ends[1].version and int(ends[0]) <= int(own) <= int(ends[1])


def _unmapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return getattr(address, "ipv4_mapped", None) or address


def _time_part(text: str, part: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.isocalendar().week if part == "week" else int(getattr(moment, part))


def _number(text: str) -> Decimal | None:
    try:
        if re.fullmatch("0[xX][0-9a-fA-F]+", text):
            return Decimal(int(text, 16))
        return Decimal(text) if re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII) else None
    except InvalidOperation:
        return None


# Texts -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Text:
    """Letters, `ANY` and `ONE`, and sets of letters that are as good as each other."""

    tokens: tuple[str | frozenset[str], ...]
    raw: bytes | None = field(default=None)  # what an encoding made of it


ANY, ONE = "<any>", "<one>"


def _text_test(name: str, modifiers: Sequence[str], value: str, placeholders: Placeholders) -> Test:
    texts = [_Text(tuple(_tokens(value)))]
    if "expand" in modifiers:
        texts = [
            _Text(tuple(token for part in parts for token in part))
            for parts in _filled(value, placeholders, lambda text: tuple(_tokens(text)))
        ]
    for modifier in modifiers:
        texts = [made for text in texts for made in _modified(text, modifier)]
    is_cased = "cased" in modifiers
    patterns = [_pattern(text, is_cased, is_keyword=not name) for text in texts]
    return _on_values(
        name, lambda text: any(pattern.search(text if is_cased else fold(text)) is not None for pattern in patterns)
    )


def _tokens(value: str) -> Iterator[str]:
    """Letters and wildcards; a backslash escapes wildcards and itself, before anything else it is a letter."""
    position = 0
    while position < len(value):
        letter, following = value[position], value[position + 1 : position + 2]
        if letter == "\\" and following and following in "\\*?":
            yield following
            position += 2
            continue
        yield {"*": ANY, "?": ONE}.get(letter, letter)
        position += 1


def _filled(value: str, placeholders: Placeholders, literal: Callable[[str], Any]) -> list[list[Any]]:
    """The parts of a value for every way to fill its placeholders."""
    ways: list[list[Any]] = [[]]
    for number, part in enumerate(re.split("%([^%]+)%", value)):
        choices = [literal(text) for text in placeholders[part]] if number % 2 else [literal(part)]
        ways = [[*way, choice] for way in ways for choice in choices]
    return ways


def _modified(text: _Text, modifier: str) -> list[_Text]:
    tokens = text.tokens
    match modifier:
        case "contains":
            return [replace(text, tokens=(ANY, *tokens, ANY))]
        case "startswith":
            return [replace(text, tokens=(*tokens, ANY))]
        case "endswith":
            return [replace(text, tokens=(ANY, *tokens))]
        case "windash":
            return [replace(text, tokens=_with_dashes(tokens))]
        case "wide" | "utf16le" | "utf16be" | "utf16":
            raw = _plain(text).decode("utf-8").encode("utf-16be" if modifier == "utf16be" else "utf-16le")
            raw = b"\xff\xfe" + raw if modifier == "utf16" else raw
            return [_Text(tuple(raw.decode("latin-1")), raw)]
        case "base64":
            return [_Text(tuple(base64.b64encode(_plain(text)).decode()))]
        case "base64offset":
            return [_Text(tuple(_base64_at(_plain(text), offset))) for offset in range(3)]
    return [text]


def _plain(text: _Text) -> bytes:
    assert all(isinstance(token, str) and token not in (ANY, ONE) for token in text.tokens)
    return text.raw if text.raw is not None else "".join(str(token) for token in text.tokens).encode()


def _base64_at(raw: bytes, offset: int) -> str:
    """What of the Base64 text is the same whatever stands before and after; `offset` bytes stand before."""
    alike = [
        base64.b64encode(filling * offset + raw + filling * after).decode().rstrip("=")
        for filling in (b"\x00", b"\xff")
        for after in range(4)
    ]
    first = -(-offset * 8 // 6)  # the first letter that has no bit of what stands before
    last = (offset + len(raw)) * 8 // 6
    [found] = {letters[first:last] for letters in alike}
    return found


def _with_dashes(tokens: tuple[str | frozenset[str], ...]) -> tuple[str | frozenset[str], ...]:
    """A dash or slash that begins a word may be any of them."""

    def is_word(position: int) -> bool:
        token = tokens[position] if 0 <= position < len(tokens) else ""
        return isinstance(token, str) and len(token) == 1 and bool(re.match(r"\w", token))

    return tuple(
        frozenset(_DASHES) if token in ("-", "/") and is_word(place + 1) and not is_word(place - 1) else token
        for place, token in enumerate(tokens)
    )


def _pattern(text: _Text, is_cased: bool, is_keyword: bool) -> re.Pattern[str]:
    tokens = (ANY, *text.tokens, ANY) if is_keyword else text.tokens
    open_start, open_end = (bool(tokens) and tokens[end] == ANY for end in (0, -1))
    pieces = []
    for token in tokens:
        if token == ANY:
            pieces.append(".*")
        elif token == ONE:
            pieces.append(".")
        elif isinstance(token, frozenset):
            pieces.append("[" + re.escape("".join(sorted(token))) + "]")
        else:
            pieces.append(re.escape(str(token) if is_cased else fold(str(token))))
    while pieces and open_start and pieces[0] == ".*":
        pieces.pop(0)
    while pieces and open_end and pieces[-1] == ".*":
        pieces.pop()
    return re.compile(("" if open_start else r"\A") + "".join(pieces) + ("" if open_end else r"\Z"), re.DOTALL)
