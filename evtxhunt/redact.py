"""A report without the names in it: accounts, computers, domains, addresses and SIDs become stable pseudonyms.

The report is walked generically, so that what is added to it later is covered: every text, the strings inside JSON, and
paths. Names are told as `names` says; one compiled pattern finds those that the case knows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from json import dumps, loads
from pathlib import Path
from typing import Any, Literal, TypeVar

from evtxhunt.decode import decoded_layers
from evtxhunt.model import Report
from evtxhunt.names import (
    ADDRESS,
    SID,
    Kind,
    clean_address,
    is_kept,
    is_ordinary,
    kind_of_field,
    names_of_forms,
    own_sid,
)
from evtxhunt.pseudonyms import Dictionary, Pseudonyms, lower, trie

What = Literal["users", "hosts"]
_KINDS: Mapping[What, tuple[Kind, ...]] = {"users": ("user", "domain", "sid"), "hosts": ("host", "domain", "address")}
ENCODED = "(encoded text that holds names)"

# Never names: values that the page works with, and hashes.
_UNTOUCHED = frozenset({"time_zone", "version", "sha256", "level", "origin", "redaction"})
# Ours or a rule's author's: names of the case are replaced there, but nothing is taken for a name by its form.
_RULE_TEXT = frozenset({"sql", "title", "description", "false_positives", "references", "statement", "attack"})

_T = TypeVar("_T")
_Span = tuple[int, int, str]
_JSON_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)(\s*+:)?', re.DOTALL)  # to the end if it never closes
_NOT_JSON_TEXT = re.compile(r"[\s,:\[\]{}0-9eE.+\-truefalsn]*+")
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{16,}+={0,2}|(?<![0-9a-fA-F])(?:[0-9a-fA-F]{2}[ ,-]?){6,}+")
_VERSION = re.compile(r".*version[\d.]+", re.IGNORECASE)
_WIDE = re.compile(r"(?:[^\0]\0){3,}+")
_CUT_NUMBER = re.compile(r"(?:s-1-5-21-[\d-]*|(?<![\w.])\d{1,3}(?:\.\d{1,3}){1,2}\.?)$")
_NO_NAME, _EDGE = re.compile(r"[^\w.$@-]"), re.compile(r"[^\w]|_")
_CUT_REACH = 64  # how much of a name is looked at on either side of an ellipsis
# A letter or digit before a name means that it is part of a longer word, unless it belongs to an escape.
_BEGIN = (
    r"(?:(?<![^\W_])|(?<=%[0-9a-f]{2})|(?<=\\[abfnrtv0])|(?<=\\u[0-9a-f]{4})|(?<=`[abfnrtv0])|(?<=_x[0-9a-f]{4}_))"
    r"(?<!#)"  # as record numbers are cited
)
_END = r"(?![^\W_])"
_ACCOUNT_AFTER = re.compile(r"\\{1,2}([^\s\\/:*?\"<>|,;()\[\]'…]{1,64})")
_NAME_BEFORE = re.compile(r"(?<![\w-])([^\W_](?:[\w+-]|\.(?=[^@]*@))*)([@.])$")
_GUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"


class Redactor:
    """Replaces names in texts; `kinds` are those that are to go."""

    def __init__(self, pseudonyms: Pseudonyms, kinds: frozenset[Kind], folder: str = "") -> None:
        """`folder` is where the evidence lay, which may name a client; it becomes EVIDENCE."""
        self._pseudonyms = pseudonyms
        self._kinds = kinds
        self._dictionary = Dictionary()
        # What is a host and an account at once reads as the host.
        order: tuple[Kind, ...] = ("host", "domain", "user")
        for wanted in order:
            for pseudonym, (kind, name) in pseudonyms.names.items():
                if kind == wanted and kind in kinds and not is_kept(name):
                    self._dictionary.add(kind, name, pseudonym)
        if len(folder) > len("C:/"):
            self._dictionary.anywhere[lower(folder)] = ("domain", "EVIDENCE")
        self._loose = self._pattern()
        self._strict = self._pattern(self._dictionary.where_told)
        self._extra: dict[frozenset[str], re.Pattern[str]] = {}
        self._seen: dict[tuple[str, Kind | None, frozenset[str], bool], str] = {}
        self._encoded: dict[str, bool] = {}

    def _pattern(self, words: Iterable[str] = ()) -> re.Pattern[str]:
        known = self._dictionary
        parts = [
            rf"(?P<kept>{_GUID}|version\W{{0,4}}\d+(?:\.\d+)+)",
            rf"(?P<sid>{SID.lower()})",
            f"(?P<address>{ADDRESS})",
            f"(?P<name>{trie(known.anywhere)}"
            f"|{_BEGIN}{trie([*known.as_word, *words])}{_END}"
            rf"|{_BEGIN}{trie(known.computers)}(?=\$(?!\w))"
            rf"|{_BEGIN}(?<![\\/]){trie(known.leading)}(?=\\{{1,2}}[^\\])"
            rf"|(?<=@){trie(known.leading)}{_END})",
        ]
        return re.compile("|".join(parts))

    def redact(self, item: _T) -> _T:
        """A copy of a dataclass, tuple, list, dict, path or text without the names in it."""
        result: _T = self._walk(item)
        return result

    def _walk(
        self, value: Any, kind: Kind | None = None, extra: frozenset[str] = frozenset(), *, is_rule: bool = False
    ) -> Any:
        if isinstance(value, str):
            return self.text(value, kind, extra, is_rule=is_rule)
        if isinstance(value, Path):
            return Path(self.text(str(value), kind, extra))
        if isinstance(value, (tuple, list)):
            return type(value)(self._walk(item, kind, extra, is_rule=is_rule) for item in value)
        if isinstance(value, dict):
            return {self._walk(key): self._walk(item, kind_of_field(str(key)), extra) for key, item in value.items()}
        if not is_dataclass(value) or isinstance(value, type):
            return value
        # What an item names as its account or host is a name in its other texts too, ordinary word or not.
        own = {name: getattr(value, name) for name in (item.name for item in fields(value)) if name not in _UNTOUCHED}
        texts = [item for name, item in own.items() if isinstance(item, str) and kind_of_field(name)]
        extra = frozenset(found for text in texts for found in self._told_names(text)) or extra
        return replace(
            value,
            **{
                name: self._walk(item, kind_of_field(name), extra, is_rule=name in _RULE_TEXT)
                for name, item in own.items()
            },
        )

    def _told_names(self, text: str) -> Iterator[str]:
        for match in self._strict.finditer(lower(text)):
            if match.lastgroup == "name" and match["name"] in self._dictionary.where_told:
                yield match["name"]

    def text(
        self, text: str, kind: Kind | None = None, extra: frozenset[str] = frozenset(), *, is_rule: bool = False
    ) -> str:
        """The text without names. `kind` is what its field holds, `extra` are ordinary words that are names here."""
        key = (text, kind, extra, is_rule)
        if key in self._seen:
            return self._seen[key]
        if text[:1] in "{[" and text[-1:] in "}]" and text:
            result = self._json(text, extra)
        else:
            result = self._plain(text, kind, extra, is_rule)
        if len(text) < 500:
            self._seen[key] = result
        return result

    def _json(self, text: str, extra: frozenset[str]) -> str:
        """JSON, or what looks like it: only strings change, so that repeated keys and long numbers stay as they are."""
        pieces, position = [], 0
        key, kind = "", None
        for match in _JSON_STRING.finditer(text):
            between = text[position : match.start()]
            pieces.append(between if _NOT_JSON_TEXT.fullmatch(between) else self._plain(between, None, extra, False))
            try:
                old = loads(match[0][: match.end(1) - match.start() + 1], strict=False)
            except ValueError:
                old = match[1]
            if match[2]:
                key, kind = old, kind_of_field(old)
                new = self._plain(old, None, extra, False)
            else:
                new = old if _VERSION.fullmatch(key + old) else self.text(old, kind, extra)
            pieces.append(match[0] if new == old else dumps(new) + (match[2] or ""))
            position = match.end()
        rest = text[position:]
        pieces.append(rest if _NOT_JSON_TEXT.fullmatch(rest) else self._plain(rest, None, extra, False))
        return "".join(pieces)

    def _plain(self, text: str, kind: Kind | None, extra: frozenset[str], is_rule: bool) -> str:
        if "\0" in text:
            text = _WIDE.sub(self._narrow, text)
        spans = self._dictionary_spans(text, kind, extra)
        if not is_rule:
            spans += self._form_spans(text)
            spans += self._cut_spans(text)
        spans += [(match.start(), match.end(), ENCODED) for match in _ENCODED.finditer(text) if self._hides(match[0])]
        if not spans:
            return text
        pieces, position = [], 0
        for start, end, new in sorted(spans, key=lambda span: (span[0], -span[1])):
            if start >= position:
                pieces += [text[position:start], new]
                position = end
        return "".join(pieces) + text[position:]

    def _dictionary_spans(self, text: str, kind: Kind | None, extra: frozenset[str]) -> list[_Span]:
        pattern = self._loose if kind is None else self._strict
        spans: list[_Span] = []
        for match in pattern.finditer(lower(text)):
            start, end = match.span()
            if match["name"]:
                own_kind, new = self._dictionary.all[match["name"]]
                if kind is not None and own_kind != kind and kind in self._kinds:
                    new = self._pseudonyms.find(kind, match["name"]) or new
                spans.append((start, end, new))
                spans += self._neighbours(text, start, end, own_kind)
            elif match["sid"] and "sid" in self._kinds:
                own, rest = own_sid(match["sid"])
                spans.append((start, end, self._pseudonyms.of("sid", own) + rest))
            elif match["address"] and "address" in self._kinds and (address := clean_address(match["address"])):
                spans.append((start, end, self._pseudonyms.of("address", address)))
        if extra:
            if extra not in self._extra:
                self._extra[extra] = re.compile(f"{_BEGIN}{trie(extra)}{_END}")
            words = self._extra[extra].finditer(lower(text))
            spans += [(*word.span(), self._dictionary.where_told[word[0]][1]) for word in words]
        return spans

    def _neighbours(self, text: str, start: int, end: int, kind: Kind) -> Iterator[_Span]:
        r"""What a known domain or host beside it makes a name: CORP\name, name@corp.example, name.corp.example."""
        found: list[tuple[Kind, str, int]] = []
        if (
            kind in ("domain", "host")
            and text[end : end + 1] == "\\"
            and text[start - 1 : start] not in ("\\", "/", ".")
        ):
            if after := _ACCOUNT_AFTER.match(text, end):
                found.append(("user", after[1], after.start(1)))
        elif kind == "domain" and start and text[start - 1] in "@.":
            first = max(0, start - 65)
            if before := _NAME_BEFORE.search(text[first:start]):
                found.append(("user" if before[2] == "@" else "host", before[1], first + before.start(1)))
        for own_kind, name, first in found:
            name = name.rstrip(".")
            if own_kind == "user" and name.endswith("$"):
                own_kind, name = "host", name[:-1]
            if own_kind in self._kinds and not is_kept(name):
                yield first, first + len(name), self._pseudonyms.of(own_kind, name)

    def _form_spans(self, text: str) -> list[_Span]:
        spans = []
        for kind, name, start, end in names_of_forms(text):
            if kind not in self._kinds or text[end : end + 1] == "…":
                continue
            known = self._dictionary_spans(text[start:end], kind, frozenset())
            covered = {place for first, last, _ in known for place in range(first, last)}
            if all(place in covered or not character.isalnum() for place, character in enumerate(name)):
                spans += [(start + first, start + last, new) for first, last, new in known]
            else:
                spans.append((start, end, self._pseudonyms.of(kind, name)))
        return spans

    def _cut_spans(self, text: str) -> Iterator[_Span]:
        """Summaries are cut: what is left of a name before or after the ellipsis goes."""
        for ellipsis in re.finditer("…", text):
            first, last = max(0, ellipsis.start() - _CUT_REACH), ellipsis.end() + _CUT_REACH
            before, after = lower(text[first : ellipsis.start()]), lower(text[ellipsis.end() : last])
            number = _CUT_NUMBER.search(before)
            if number and ("sid" if number[0].startswith("s") else "address") in self._kinds:
                yield first + number.start(), ellipsis.start(), ""
                continue
            begun, ended = _NO_NAME.split(before)[-1], _NO_NAME.split(after)[0]
            # The longest first: a name may have an edge of words in it.
            for start in (0, *(edge.end() for edge in _EDGE.finditer(begun))):
                if self._dictionary.is_cut(begun[start:], at_end=True):
                    yield ellipsis.start() - len(begun) + start, ellipsis.start(), ""
                    break
            for end in (len(ended), *(edge.start() for edge in reversed([*_EDGE.finditer(ended)]))):
                if self._dictionary.is_cut(ended[:end], at_end=False):
                    yield ellipsis.end(), ellipsis.end() + end, ""
                    break

    def _narrow(self, match: re.Match[str]) -> str:
        narrow = match[0].replace("\0", "")
        return narrow if self._has_name(narrow) else match[0]

    def _hides(self, run: str) -> bool:
        """Whether base64 or hex holds a name, as UTF-8 or UTF-16."""
        if run not in self._encoded:
            texts = [layer.text for layer in decoded_layers(run)]
            digits = re.sub(r"[ ,-]", "", run)
            if re.fullmatch(r"(?:[0-9a-fA-F]{2}){6,}", digits):
                texts.append(bytes.fromhex(digits).replace(b"\0", b"").decode("latin-1"))
            texts = [text for text in texts if sum(map(str.isprintable, text)) > 0.9 * len(text)]
            self._encoded[run] = any(self._has_name(text) for text in texts)
        return self._encoded[run]

    def _has_name(self, text: str) -> bool:
        return any(
            match.lastgroup in ("name", "sid") or (match.lastgroup == "address" and clean_address(match[0]))
            for match in self._loose.finditer(lower(text))
            if len(match[0]) > 3
        )


def redact_report(report: Report, what: frozenset[What], pseudonyms: Pseudonyms) -> Report:
    """The report without the names of `what`, and with words in its scope about what that cannot hide.

    `pseudonyms` has the names of the whole case, so that each report on it calls them the same; names that only a form
    in this report gives away are added to it. The same report and names give the same result.
    """
    kinds = frozenset(kind for wanted in what for kind in _KINDS[wanted])
    paths = [source.path for source in report.sources] + [str(skipped.path) for skipped in report.skipped]
    redactor = Redactor(pseudonyms, kinds, _common_folder(paths))
    return replace(redactor.redact(report), redaction=_words(what, kinds, pseudonyms))


def _words(what: frozenset[What], kinds: frozenset[Kind], pseudonyms: Pseudonyms) -> tuple[str, ...]:
    named = [(kind, name) for kind, name in pseudonyms.names.values() if kind in kinds]
    words = {"user": "accounts", "host": "hosts", "domain": "domains", "sid": "SIDs", "address": "addresses"}
    counts = ", ".join(
        f"{sum(kind == own for own, _ in named):,} {word}" for kind, word in words.items() if kind in kinds
    )
    ordinary = sum(is_ordinary(name) for _, name in named)
    told = (
        f" Those that are ordinary words or very short ({ordinary:,}) are replaced only where a field, or a form such"
        r" as DOMAIN\name, \\host\share or a home folder, tells that they are names."
    )
    parts = " and ".join(sorted(what, reverse=True)).capitalize()
    return (
        f"{parts} are replaced by pseudonyms, the same throughout the case: {counts}.{told if ordinary else ''}",
        "Kept are accounts that every Windows has (SYSTEM, Administrator, Domain Admins), relative ids below 1,000,"
        " localhost, and hosts of other domains. Record numbers and hashes lead whoever has the logs to the names.",
        "Redaction cannot see names in text that is encoded, compressed, encrypted, split or misspelt; base64 and hex"
        " are withheld where they decode to a name. It does not know real names of people or companies, passwords,"
        " hardware addresses, or what the title, which is the case's file name, and names of files and services give"
        " away. Read the report before you hand it on.",
    )


def _common_folder(paths: Sequence[str]) -> str:
    """The deepest folder that all the paths lie in; empty if there is none."""
    if not paths:
        return ""
    folders = [re.split(r"[\\/]", path)[:-1] for path in paths]
    levels = enumerate(zip(*folders, strict=False))
    shared = next((level for level, names in levels if len(set(names)) > 1), min(map(len, folders)))
    return paths[0][: sum(len(name) + 1 for name in folders[0][:shared]) - 1] if shared else ""
