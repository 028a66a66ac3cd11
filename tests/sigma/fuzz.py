"""One event for each rule, made of what the rule asks for, so that nearly all rules fire on the set."""

import ipaddress
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from re import _constants as parts  # type: ignore[attr-defined]  # how Python reads a pattern: only tests need it
from re import _parser as parser
from typing import Any

from evtxhunt.sigma.logsource import FieldForm, LogSources, Place
from evtxhunt.sigma.model import Rule
from evtxhunt.sigma.predicate import (
    All,
    Exists,
    Leaf,
    Network,
    Not,
    Null,
    Number,
    Predicate,
    Reference,
    Regex,
    Text,
    Wild,
)
from evtxhunt.sigma.predicate import Any as AnyOf
from tests.sigma.rules import event

# Stands before and after what rules look for: what JSON escapes, letters whose case is not ASCII's, marks of patterns.
_AROUND = ["", "x", 'say "it" ', "\\", "C:\\Tmp\\", "İΣé", "\t", "%_!", "ﬀK"]


def fuzz_events(rules: Sequence[Rule], sources: LogSources, seed: int) -> Iterator[dict[str, Any]]:
    """The events, in the order of the rules; those of rules whose source is not mapped are left out."""
    dice = random.Random(seed)
    for rule in rules:
        if places := sources.places_of(rule.source):
            yield _event(rule, dice.choice(places), dice)


def _event(rule: Rule, place: Place, dice: random.Random) -> dict[str, Any]:
    values: dict[str | None, str] = {}
    for leaf in _wanted(rule.condition, True, dice):
        _fulfil(leaf, values, dice)
    number = values.pop("EventID", None) or (dice.choice(place.event_ids) if place.event_ids else 1)
    data: dict[str, Any] = {}
    for name, allowed in place.where:
        data[name] = allowed[0]
    mapped = {name.lower(): forms for name, forms in place.fields}
    for field, value in values.items():
        if field == "Provider_Name":
            continue
        forms = mapped.get((field or "").lower())
        own, said = _unmapped(forms[0], value) if forms else (field or "Anything", value)
        if own is not None:
            data.setdefault(own, said)
    kind = {
        "channel": place.channels[0] if place.channels else "Security",
        "provider": values.get("Provider_Name", "P"),
    }
    return event(kind, int(number), data, computer="WS01.example.test")


def _unmapped(form: FieldForm, value: str) -> tuple[str | None, str]:
    """The event's own field and value that Sigma's value is made of; no field where that is not simple."""
    if len(form.names) != 1:
        return None, value
    if form.values is not None:
        value = next((old for old, new in form.values if new.lower() == value.lower()), value)
    for old, new in form.prefixes:
        if value.lower().startswith(new.lower()):
            value = old + value[len(new) :]
            break
    return form.names[0], value.removeprefix(form.parts[0]).removesuffix(form.parts[2])


def _wanted(predicate: Predicate, is_positive: bool, dice: random.Random) -> Iterator[Leaf]:
    """Leaves that together fulfil it, as far as leaves are independent."""
    match predicate:
        case Not(item):
            yield from _wanted(item, not is_positive, dice)
        case All(items) | AnyOf(items):
            every = isinstance(predicate, All) == is_positive
            for item in items if every else (dice.choice(items),):
                yield from _wanted(item, is_positive, dice)
        case Null(field) | Exists(field):
            if is_positive == isinstance(predicate, Exists):
                yield Text(field, (Wild.MANY, "something", Wild.MANY))
        case _:
            if is_positive:
                yield predicate


def _fulfil(leaf: Leaf, values: dict[str | None, str], dice: random.Random) -> None:
    """Adds to the field's value what the leaf asks for: several may ask for texts somewhere in one value."""
    before = values.get(leaf.field, "")
    match leaf:
        case Text(field, texts, is_cased):
            made = "".join(_part(text, is_cased, dice) for text in texts)
            if before and texts and texts[0] is Wild.MANY:
                values[field] = before + made
            elif before and texts and texts[-1] is Wild.MANY:
                values[field] = made + before
            else:
                values[field] = made
        case Regex(field, pattern):
            values[field] = before + _example(pattern)
        case Number(field, operator, number):
            values[field] = str({"=": number, "<=": number, ">=": number, "<": number - 1}.get(operator, number + 1))
        case Network(field, network):
            values[field] = str(ipaddress.ip_network(network)[-1])
        case Reference(field, other):
            values[field] = values[other] = values.get(other, "Same\\Value.exe")


def _part(part: str | Wild, is_cased: bool, dice: random.Random) -> str:
    if part is Wild.MANY:
        return dice.choice(_AROUND)
    if part is Wild.ONE:
        return "q"
    return part if is_cased else dice.choice([part, part.upper(), part.lower(), part.title()])


def _example(pattern: str) -> str:
    try:
        return "".join(_example_part(item) for item in parser.parse(pattern))
    except re.error:
        return ""


def _example_part(item: tuple[Any, Any]) -> str:
    kind, what = item
    if kind is parts.LITERAL:
        return chr(what)
    if kind in (parts.MAX_REPEAT, parts.MIN_REPEAT):
        least, _, inner = what
        return "".join(_example_part(part) for part in inner) * max(least, 1)
    if kind is parts.SUBPATTERN:
        return "".join(_example_part(part) for part in what[3])
    if kind is parts.BRANCH:
        return "".join(_example_part(part) for part in what[1][-1])
    if kind is parts.IN:
        return _of_class(what)
    if kind is parts.NOT_LITERAL:
        return "z" if chr(what) != "z" else "y"
    return "q" if kind is parts.ANY else ""


def _of_class(items: Sequence[tuple[Any, Any]]) -> str:
    kind, what = items[0]
    if kind is parts.NEGATE:
        return "~"
    known: Mapping[Any, str] = {parts.CATEGORY_DIGIT: "7", parts.CATEGORY_SPACE: " ", parts.CATEGORY_WORD: "w"}
    if kind is parts.RANGE:
        return chr(what[0])
    return chr(what) if kind is parts.LITERAL else known.get(what, "~")
