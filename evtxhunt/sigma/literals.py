"""Texts that an event must hold for a rule to fire: what to look for in all events at once, before a rule is asked.

A text is searched in an event's JSON in lower case. So it has no quotes and control characters, which JSON writes in
its own ways; a backslash is there twice, or once where a value is itself JSON. Texts here are ASCII in lower case, or
not folded yet, since only DuckDB knows what its lower() makes of other letters.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from evtxhunt.sigma.predicate import All, Any, Predicate, Regex, Text

# Bytes: shorter ones are everywhere. Characters: of longer ones the end tells as much.
_SHORTEST, _LONGEST = 2, 48


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of these is there."""

    items: tuple["Need", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these is there."""

    items: tuple["Need", ...]


Need: TypeAlias = str | AllOf | AnyOf


def need_of(predicate: Predicate, is_searched: Callable[[str | None], bool]) -> Need | None:
    """What every event that fulfils it holds; None if nothing is known. Fields that are not searched are no help."""
    match predicate:
        case All(items):
            return _all([need_of(item, is_searched) for item in items])
        case Any(items):
            return _any([need_of(item, is_searched) for item in items])
        case Text(field, parts) if is_searched(field):
            return _all([_text_need(part) for part in parts if isinstance(part, str)])
        case Regex(field, pattern) if is_searched(field):
            return _all([_text_need(text) for text in regex_texts(pattern)])
    return None


def _all(needs: list[Need | None]) -> Need | None:
    known = [need for need in needs if need is not None]
    return (known[0] if len(known) == 1 else AllOf(tuple(known))) if known else None


def _any(needs: list[Need | None]) -> Need | None:
    if not needs or any(need is None for need in needs):
        return None
    return AnyOf(tuple(need for need in needs if need is not None))


def _text_need(text: str) -> Need | None:
    return _all([_piece_need(piece) for piece in re.findall(r'[^\x00-\x1f\x7f"]+', text)])


@cache
def _piece_need(piece: str) -> Need | None:
    piece = (piece.lower() if piece.isascii() else piece)[-_LONGEST:]
    if len(piece.encode()) < _SHORTEST:
        return None
    # Written twice or once, a backslash at an end is found as one; the others are not.
    inner = piece.strip("\\")
    doubled = piece.replace(inner, inner.replace("\\", "\\\\")) if inner else piece
    return piece if doubled == piece else AnyOf((doubled, piece))


def regex_texts(pattern: str) -> list[str]:
    """Texts that every match of the pattern (RE2) holds, whatever their case; those inside of groups are left out."""
    flags = re.match(r"\(\?([ims]+)\)", pattern)
    body = pattern[flags.end() :] if flags else pattern
    texts, current, depth, position = [], "", 0, 0
    # A quantifier behind flags inside is about what is before them: not worth reading.
    if re.search(r"\(\?[A-Za-z-]+\)", body):
        return []
    # RE2 folds k and s with letters beyond ASCII, which lower() leaves as they are.
    breaks = "ksKS" if "(?" in pattern else ""
    while position < len(body):
        char = body[position]
        step, literal = 1, None
        if char == "\\":
            step = 2
            following = body[position + 1 : position + 2]
            if following in ("Q", "E", "x", "p", "P") or following.isdigit():
                return []  # of several characters, or means something else: not worth reading
            if following and not following.isalnum():
                literal = following
        elif char == "[":
            end = _class_end(body, position)
            if end is None:
                return []
            step = end - position
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "|":
            if depth == 0:
                return []
        elif char == "{":
            # Else it is a brace like any other character; what is in it is read on.
            repetition = re.match(r"\{\d+(,\d*)?\}", body[position:])
            step = len(repetition[0]) if repetition else 1
        elif char not in ".^$*+?}":
            literal = char
        if literal is not None and depth == 0 and literal not in breaks and (literal.isascii() or not breaks):
            # What may be left out is no part of the text; what is repeated ends it.
            after = body[position + step : position + step + 1]
            if after and after in "*?{":
                texts.append(current)
                current = ""
            else:
                current += literal
                if after == "+":
                    texts.append(current)
                    current = ""
        else:
            texts.append(current)
            current = ""
        position += step
    return [text for text in [*texts, current] if text]


def _class_end(pattern: str, start: int) -> int | None:
    """Where a character class that begins at `start` ends; None for what is not simple."""
    position = start + 1
    if pattern[position : position + 1] == "^":
        position += 1
    if pattern[position : position + 1] == "]":
        position += 1
    while position < len(pattern):
        if pattern[position] == "\\":
            position += 2
        elif pattern[position] == "[":
            return None  # perhaps [[:alpha:]]
        elif pattern[position] == "]":
            return position + 1
        else:
            position += 1
    return None


def texts_of(need: Need) -> set[str]:
    """All texts in it."""
    return {need} if isinstance(need, str) else {text for item in need.items for text in texts_of(item)}


def rarest(need: Need, count_of: Callable[[str], int]) -> tuple[int, frozenset[str]]:
    """Texts of which every event with the need has one, so that the fewest events have them; how many, at most."""
    match need:
        case AllOf(items):
            return min((rarest(item, count_of) for item in items), key=lambda found: (found[0], sorted(found[1])))
        case AnyOf(items):
            found = [rarest(item, count_of) for item in items]
            return sum(count for count, _ in found), frozenset().union(*(texts for _, texts in found))
    return count_of(need), frozenset((need,))
