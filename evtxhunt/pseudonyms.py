"""The pseudonyms of a case's names, and the pattern that finds those names in text."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from ipaddress import ip_address
from itertools import groupby, islice, takewhile

from evtxhunt.names import Kind, fold, is_distinctive, is_kept, is_ordinary


class Pseudonyms:
    """One pseudonym for each name, whatever its case. Numbers say nothing of the alphabet: a hash orders them.

    Pseudonyms are in lower case, so that what is looked up by names in lower case is still found.
    """

    def __init__(self, names: Iterable[tuple[Kind, str]], known: Mapping[str, tuple[Kind, str]] | None = None) -> None:
        """`known` are pseudonyms of a key, which stay as they are; the names are numbered on from there."""
        self.names: dict[str, tuple[Kind, str]] = dict(known or {})
        self._by_name = {(kind, fold(name)): pseudonym for pseudonym, (kind, name) in self.names.items()}
        self._numbers: dict[str, int] = {}
        for pseudonym in self.names:
            prefix, _, number = pseudonym.rpartition("-")
            self._numbers[prefix] = max(self._numbers.get(prefix, 0), int(number))
        written: dict[tuple[Kind, str], str] = {}
        for kind, name in names:
            key = (kind, fold(name))
            written[key] = min(name, written.get(key, name))
        for kind, name in sorted(
            written, key=lambda key: sha256("\0".join(key).encode("utf-8", "surrogatepass")).digest()
        ):
            self.of(kind, written[kind, name])

    def of(self, kind: Kind, name: str) -> str:
        """The pseudonym of a name, a new one if it has none yet."""
        key = (kind, fold(name))
        if key not in self._by_name:
            # Whether an address is inside or outside is what a reader needs.
            is_public = kind == "address" and ip_address(name).is_global
            prefix = f"public-{kind}" if is_public else kind
            self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
            self._by_name[key] = f"{prefix}-{self._numbers[prefix]:03}"
            self.names[self._by_name[key]] = (kind, name)
        return self._by_name[key]

    def find(self, kind: Kind, name: str) -> str | None:
        """The pseudonym of a name, if it has one."""
        return self._by_name.get((kind, fold(name)))


@dataclass(frozen=True)
class Dictionary:
    """The names of the case in the shapes in which text has them, folded, each with what replaces it."""

    anywhere: dict[str, tuple[Kind, str]] = field(default_factory=dict)
    as_word: dict[str, tuple[Kind, str]] = field(default_factory=dict)
    where_told: dict[str, tuple[Kind, str]] = field(default_factory=dict)

    def add(self, kind: Kind, name: str, pseudonym: str) -> None:
        chosen = self.where_told if is_ordinary(name) else self.anywhere if is_distinctive(name) else self.as_word
        for form in {
            lower(name),
            lower(unicodedata.normalize("NFC", name)),
            lower(unicodedata.normalize("NFD", name)),
        }:
            chosen.setdefault(form, (kind, pseudonym))
        if kind == "domain" and "." in name:  # as a directory writes it
            self.as_word.setdefault(
                ",".join(f"dc={lower(label)}" for label in name.split(".")), (kind, f"DC={pseudonym}")
            )

    @cached_property
    def computers(self) -> list[str]:
        """Ordinary names that a $ behind them tells to be a computer's account. admin$ and c$ are shares."""
        return [name for name, (kind, _) in self.where_told.items() if kind == "host" and not is_kept(f"{name}$")]

    @cached_property
    def leading(self) -> list[str]:
        r"""Ordinary names that a backslash behind them tells, as in CORP\alice."""
        return [name for name, (kind, _) in self.where_told.items() if kind in ("host", "domain")]

    @cached_property
    def all(self) -> dict[str, tuple[Kind, str]]:
        return {**self.where_told, **self.as_word, **self.anywhere}

    def is_cut(self, part: str, *, at_end: bool) -> bool:
        """Whether a folded text is the beginning of a name that was cut, or, with `at_end` false, the end of one."""
        if len(part) < 3:
            return False
        words, part = (self._ordered, part) if at_end else (self._reversed, part[::-1])
        similar = takewhile(lambda word: word.startswith(part), islice(words, bisect_left(words, part), None))
        return any(len(part) < len(word) < 3 * len(part) for word in similar)  # less tells little and fits too much

    @cached_property
    def _ordered(self) -> list[str]:
        return sorted({**self.as_word, **self.anywhere})

    @cached_property
    def _reversed(self) -> list[str]:
        return sorted(name[::-1] for name in self._ordered)


def lower(text: str) -> str:
    """Lower case of the same length, so that places in it are places in the text."""
    short = text.lower()
    return short if len(short) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def trie(words: Iterable[str]) -> str:
    """A pattern for the longest of the words, by common beginnings: its time does not grow with their number."""
    ordered = sorted(set(words))
    return _branch(ordered) if ordered else "(?!)"


def _branch(words: list[str]) -> str:
    parts = []
    for _, group in groupby((word for word in words if word), key=lambda word: word[0]):
        own = list(group)
        length = _common(own[0], own[-1])
        rest = [word[length:] for word in own]
        parts.append(re.escape(own[0][:length]) + (_branch(rest) if rest != [""] else ""))
    body = parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
    return f"(?:{body})?" if "" in words else body


def _common(first: str, last: str) -> int:
    """How many characters the first and last of sorted words share, and so all between them."""
    return next(
        (place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
