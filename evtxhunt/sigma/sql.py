"""A predicate as SQL over the columns of a table. Values of rules become literals here and nowhere else."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evtxhunt.errors import RulesError
from evtxhunt.sigma.predicate import (
    All,
    Any,
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
    TimePart,
    Wild,
)

# A number as Windows writes it, decimal or 0x; NULL for other text. DuckDB's own casts take 1_000 and 1e3 as well.
# Numbers of the registry as Sysmon writes them: DWORD (0x00000001), QWORD (0x00000000-0x00000001).
# An address as text that sorts as the address does, "4" and four numbers of three digits, or "6" and 32 hex digits.
MACROS_SQL = r"""
CREATE MACRO sigma_number(value) AS CASE
    WHEN regexp_full_match(value, '[+-]?[0-9]{1,28}([.][0-9]{1,9})?') THEN TRY_CAST(value AS DECIMAL(38, 9))
    WHEN regexp_full_match(value, '0[xX][0-9a-fA-F]{1,16}') THEN value::UBIGINT::DECIMAL(38, 9) END;

CREATE MACRO sigma_dword(value) AS CASE WHEN sigma_number(value) BETWEEN 0 AND 4294967295
    THEN 'DWORD (0x' || lpad(lower(to_hex(sigma_number(value)::UBIGINT)), 8, '0') || ')' END;

CREATE MACRO sigma_qword(value) AS CASE WHEN sigma_number(value) BETWEEN 0 AND 18446744073709551615
    THEN regexp_replace(
        lpad(lower(to_hex(sigma_number(value)::UBIGINT)), 16, '0'), '(.{8})(.{8})', 'QWORD (0x\1-0x\2)') END;

CREATE MACRO sigma_ipv4(value) AS CASE
    WHEN regexp_full_match(value, '[0-9]{1,3}([.][0-9]{1,3}){3}')
        AND len(list_filter(string_split(value, '.'), lambda part: part::INTEGER > 255)) = 0
    THEN '4' || array_to_string(list_transform(string_split(value, '.'), lambda part: lpad(part, 3, '0')), '') END;

CREATE MACRO sigma_groups(value) AS array_to_string(list_transform(
    list_filter(string_split(value, ':'), lambda part: part <> ''), lambda part: lpad(part, 4, '0')), '');

CREATE MACRO sigma_ipv6(value) AS CASE
    WHEN regexp_full_match(value, '[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}') THEN '6' || sigma_groups(value)
    WHEN regexp_full_match(value, '([0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6})?::([0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6})?')
        AND len(sigma_groups(value)) <= 28
    THEN '6' || rpad(sigma_groups(split_part(value, '::', 1)),
        32 - len(sigma_groups(split_part(value, '::', 2)))::INTEGER, '0')
        || sigma_groups(split_part(value, '::', 2)) END;

CREATE MACRO sigma_plain_ip(value) AS
    regexp_replace(regexp_replace(lower(trim(value)), '%.*$', ''), '^::ffff:([0-9.]+)$', '\1');

CREATE MACRO sigma_ip(value) AS CASE WHEN contains(value, '.') OR contains(value, ':')
    THEN coalesce(sigma_ipv4(sigma_plain_ip(value)), sigma_ipv6(sigma_plain_ip(value))) END;
"""
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
# Past this DuckDB refuses the expression anyway, and Python's stack is not asked.
_DEEPEST = 200
_MANY_TEXTS = 200


@dataclass(frozen=True, slots=True)
class Column:
    """A field in a table: SQL of its text as written, and in lower case; both of lists have several values."""

    original: str
    lowered: str
    exists: str
    is_list: bool = False
    integer: str | None = None  # where the same is there as a number
    address: str | None = None  # where the same is there as sigma_ip() writes it


class UnsupportedRuleError(RulesError):
    """A rule asks what cannot be asked here; the message says what."""


def quote(text: str) -> str:
    """A text as an SQL literal. A NUL would end the statement."""
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in text.split("\0")]
    return pieces[0] if len(pieces) == 1 else "(" + " || chr(0) || ".join(pieces) + ")"


def check_supported(predicate: Predicate) -> None:
    """Raises UnsupportedRuleError for what predicate_sql() cannot say."""
    waiting: list[tuple[Predicate, int]] = [(predicate, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > _DEEPEST:
            raise UnsupportedRuleError(f"its condition is nested deeper than {_DEEPEST}")
        match item:
            case All(items) | Any(items):
                waiting += [(child, depth + 1) for child in items]
            case Not(child):
                waiting.append((child, depth + 1))
            case Number(_, _, number) if not abs(number) < 10**28:  # nor is NaN
                raise UnsupportedRuleError(f"the number {number} is larger than any that a log holds")


def predicate_sql(predicate: Predicate, columns: Mapping[str | None, Column]) -> str:
    """The condition, which check_supported() has accepted; its value may be NULL, which is no hit.

    `columns` has what fields_of() names.
    """
    match predicate:
        case All(items):
            return "(" + " AND ".join(predicate_sql(item, columns) for item in items) + ")"
        case Any(items):
            lists, others = _lists(items, columns)
            return "(" + " OR ".join([*lists, *(predicate_sql(item, columns) for item in others)]) + ")"
        case Not(item):
            return f"({predicate_sql(item, columns)} IS NOT TRUE)"
        case _:
            return leaf_sql(predicate, columns)


def leaf_sql(leaf: Leaf, columns: Mapping[str | None, Column]) -> str:
    """The condition of one leaf. Raises UnsupportedRuleError."""
    column = columns[leaf.field]
    match leaf:
        case Null():
            empty = (
                f"len(list_filter({column.original}, lambda x: x <> '')) = 0"
                if column.is_list
                else f"{column.original} = ''"
            )
            return f"({column.original} IS NULL OR {empty})"
        case Exists():
            return column.exists
        case Number(_, "=", number) if column.integer and isinstance(number, int):
            return f"{column.integer} = {number}"
        case Network(_, network) if column.address:
            return _within(column.address, network)
        case Reference(_, other, starts_with, ends_with):
            to = columns[other]
            compare = _comparison(starts_with, ends_with)
            if to.is_list:
                return _some(to, True, lambda it: _some(column, True, lambda own: compare(own, it), "y"))
            return _some(column, True, lambda own: compare(own, to.lowered))
    return _some(column, is_folded(leaf), lambda value: value_sql(leaf, value))


def is_folded(leaf: Leaf) -> bool:
    """Whether it is about values in lower case."""
    return isinstance(leaf, Text) and not leaf.is_cased


def value_sql(leaf: Leaf, value: str) -> str:
    """The condition of a leaf about one value: SQL of it in lower case if is_folded(). Raises UnsupportedRuleError."""
    match leaf:
        case Text(_, parts, is_cased):
            return _text_sql(value, parts, is_folded=not is_cased)
        case Regex(_, pattern):
            # RE2 takes seconds for it on long texts; only a value that long can have it, and mostly in one line.
            if length := re.fullmatch(r"\.\{(\d+),\}", pattern):
                return (
                    f"(len({value}) >= {length[1]} AND (NOT contains({value}, chr(10))"
                    f" OR regexp_matches({value}, {quote(pattern)})))"
                )
            return f"regexp_matches({value}, {quote(pattern)})"
        case Number(_, operator, number):
            return f"sigma_number({value}) {operator} {_number(number)}"
        case Network(_, network):
            return _within(f"sigma_ip({value})", network)
        case TimePart(_, part, number):
            return f"date_part('{part}', TRY_CAST({value} AS TIMESTAMP)) = {number}"
    raise UnsupportedRuleError(f"{type(leaf).__name__} is no question about one value")


def _some(column: Column, folded: bool, condition: Callable[[str], str], name: str = "x") -> str:
    """The condition on the value, or on some value of a list; in lower case if `folded`."""
    value = column.lowered if folded else column.original
    if not column.is_list:
        return condition(value)
    return f"len(list_filter({value}, lambda {name}: {condition(name)})) > 0"


def _comparison(starts_with: bool, ends_with: bool) -> Callable[[str, str], str]:
    if starts_with and ends_with:
        return lambda value, other: f"contains({value}, {other})"
    if starts_with:
        return lambda value, other: f"starts_with({value}, {other})"
    if ends_with:
        return lambda value, other: f"suffix({value}, {other})"
    return lambda value, other: f"{value} = {other}"


def _lists(items: Sequence[Predicate], columns: Mapping[str | None, Column]) -> tuple[list[str], list[Predicate]]:
    """Alternatives about one column as one expression; and the rest.

    Plain values are `column IN (...)`, which is one look-up. Hundreds of texts, such as the hashes of bad drivers, are
    one literal: as expressions of their own they take longer to plan than to find.
    """
    values: dict[str, list[str]] = {}
    parts: dict[str, list[str]] = {}
    others: list[Predicate] = []
    are_many = len(items) >= _MANY_TEXTS
    for item in items:
        match item:
            case Text(field, (Wild.MANY, str(text), Wild.MANY), False) if (
                are_many and text.isascii() and text.isprintable() and not columns[field].is_list
            ):
                parts.setdefault(columns[field].lowered, []).append(text.lower())
            case Text(field, (str(text),), is_cased) if field is not None and not columns[field].is_list:
                column = columns[field]
                key = column.original if is_cased else column.lowered
                values.setdefault(key, []).append(quote(text) if is_cased else _folded(text))
            case Number(field, "=", int(number)) if columns[field].integer:
                values.setdefault(str(columns[field].integer), []).append(str(number))
            case _:
                others.append(item)
    found = [f"{key} IN ({', '.join(listed)})" for key, listed in values.items()]
    found += [
        f"len(list_filter(string_split({quote(chr(10).join(texts))}, chr(10)), lambda part: contains({key}, part))) > 0"
        for key, texts in parts.items()
    ]
    return found, others


def _folded(text: str) -> str:
    """The literal in lower case as DuckDB has it, which differs from Python's beyond ASCII."""
    return quote(text.lower()) if text.isascii() else f"lower({quote(text)})"


def _text_sql(value: str, parts: tuple[str | Wild, ...], *, is_folded: bool) -> str:
    literal = _folded if is_folded else quote
    match parts:
        case ():
            return f"{value} = ''"
        case (Wild.MANY,):
            return f"{value} IS NOT NULL"
        case (str(text),):
            return f"{value} = {literal(text)}"
        case (Wild.MANY, str(text), Wild.MANY):
            return f"contains({value}, {literal(text)})"
        case (str(text), Wild.MANY):
            return f"starts_with({value}, {literal(text)})"
        case (Wild.MANY, str(text)):
            return f"suffix({value}, {literal(text)})"
    # LIKE without ESCAPE is faster, and most texts have neither % nor _.
    escapes = any(isinstance(part, str) and re.search("[%_]", part) for part in parts)
    pattern = "".join(
        {Wild.MANY: "%", Wild.ONE: "_"}[part]
        if isinstance(part, Wild)
        else (re.sub("([!%_])", r"!\1", part) if escapes else part)
        for part in parts
    )
    return f"{value} LIKE {literal(pattern)}" + (" ESCAPE '!'" if escapes else "")


def _number(number: int | float) -> str:
    return format(Decimal(str(number)), "f")


def _within(address: str, network: str) -> str:
    first, last = _range(network)
    return f"({address} BETWEEN '{first}' AND '{last}')"


def _range(network: str) -> tuple[str, str]:
    """First and last address as sigma_ip() writes them, which takes ::ffff:10.0.0.1 for 10.0.0.1 and no other."""
    parsed = ipaddress.ip_network(network)
    if isinstance(parsed, ipaddress.IPv6Network) and parsed.subnet_of(_MAPPED):
        first, last = (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) for address in (parsed[0], parsed[-1]))
        return _sortable(first), _sortable(last)
    return _sortable(parsed[0]), _sortable(parsed[-1])


def _sortable(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return "4" + "".join(f"{part:03d}" for part in address.packed)
    return "6" + address.packed.hex()
