"""pySigma's parsed rule -> predicate. With load.py and modifiers.py the only importer of pySigma, when it is needed."""

import re
from collections.abc import Iterator, Mapping
from itertools import product

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaConditionError, SigmaError, SigmaValueError
from sigma.modifiers import SigmaCaseSensitiveModifier
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from evtxhunt.sigma.predicate import (
    PARTS,
    All,
    Any,
    Exists,
    Network,
    Not,
    Null,
    Number,
    Operator,
    Predicate,
    Reference,
    Regex,
    Text,
    TimePart,
    Wild,
)

Placeholders = Mapping[str, tuple[str, ...]]

_OPERATORS: dict[CompareOperators, Operator] = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
}
_WILD = {SpecialChars.WILDCARD_MULTI: Wild.MANY, SpecialChars.WILDCARD_SINGLE: Wild.ONE}
_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
# Several placeholders in one value, or one with many values, multiply: past this it is a mistake or an attack.
_MOST_EXPANSIONS = 10_000


class MissingPlaceholderError(SigmaError):
    """A value needs a placeholder that no one gave."""


def predicate_of(rule: SigmaRule, placeholders: Placeholders) -> Predicate:
    """What the rule asks; several conditions are alternatives. Raises SigmaError."""
    for detection in rule.detection.detections.values():
        for item in _items(detection):
            _mend_cased(item)
    converted = tuple(_convert(condition.parsed, placeholders) for condition in rule.detection.parsed_condition)
    return converted[0] if len(converted) == 1 else Any(converted)


def _items(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _items(item)
        else:
            yield item


def _mend_cased(item: SigmaDetectionItem) -> None:
    """Makes every text of a `cased` item so: pySigma's windash and expand give plain texts (1.5.1)."""
    if SigmaCaseSensitiveModifier in item.modifiers:
        item.value = [_cased(value) for value in item.value]


def _cased(value: SigmaType) -> SigmaType:
    if isinstance(value, SigmaExpansion):
        return SigmaExpansion([_cased(item) for item in value.values])
    return SigmaCasedString.from_sigma_string(value) if type(value) is SigmaString else value


def _convert(node: object, placeholders: Placeholders) -> Predicate:
    match node:
        case ConditionAND() | ConditionOR():
            items = tuple(_convert(item, placeholders) for item in node.args)
            return All(items) if isinstance(node, ConditionAND) else Any(items)
        case ConditionNOT():
            if not node.args:
                raise SigmaConditionError("the condition negates nothing")
            return Not(_convert(node.args[0], placeholders))
        case ConditionFieldEqualsValueExpression():
            return _value(node.field, node.value, placeholders)
        case ConditionValueExpression():
            return _value(None, node.value, placeholders)
    raise SigmaConditionError("the condition names no detection that the rule has")


def _value(field: str | None, value: SigmaType, placeholders: Placeholders) -> Predicate:
    match value:
        case SigmaExpansion():
            return _any(_value(field, item, placeholders) for item in value.values)
        case SigmaString():
            return _any(
                _text(field, parts, isinstance(value, SigmaCasedString)) for parts in _expanded(value, placeholders)
            )
        case SigmaRegularExpression():
            return _any(Regex(field, pattern) for pattern in _patterns(value, placeholders))
        case SigmaCIDRExpression():
            return Network(field, str(value.network))
        case SigmaBool():
            return _text(field, (str(value).lower(),), False)
    if field is None:
        if type(value) is SigmaNumber:
            return _text(None, (str(value),), False)
        raise SigmaValueError("this value or modifier needs a field")
    match value:
        case SigmaTimestampPart():
            part = next((part for part in PARTS if part == value.timestamp_part.name.lower()), None)
            if part is None:
                raise SigmaValueError(f"evtxhunt knows no part of a time called {value.timestamp_part.name.lower()}")
            return TimePart(field, part, int(value.number))
        case SigmaNumber():
            return Number(field, "=", value.number)
        case SigmaCompareExpression() if value.op in _OPERATORS:
            return Number(field, _OPERATORS[value.op], value.number.number)
        case SigmaNull():
            return Null(field)
        case SigmaExists():
            return Exists(field) if value.exists else Not(Exists(field))
        case SigmaFieldReference():
            return Reference(field, value.field, value.starts_with, value.ends_with)
    raise SigmaValueError(f"evtxhunt knows no value of this type: {type(value).__name__}")


def _any(items: Iterator[Predicate]) -> Predicate:
    found = tuple(items)
    return found[0] if len(found) == 1 else Any(found)


def _text(field: str | None, parts: tuple[str | Wild, ...], is_cased: bool) -> Text:
    if field is None:  # a keyword may stand anywhere in a value
        parts = (Wild.MANY, *parts, Wild.MANY)
    tidy: list[str | Wild] = []
    for part in parts:
        if part is Wild.MANY and tidy and tidy[-1] is Wild.MANY:
            continue
        if isinstance(part, str) and tidy and isinstance(tidy[-1], str):
            tidy[-1] += part
        else:
            tidy.append(part)
    return Text(field, tuple(tidy), is_cased)


def _expanded(value: SigmaString, placeholders: Placeholders) -> Iterator[tuple[str | Wild, ...]]:
    """The text's parts, once for each way to fill its placeholders; what fills them may have wildcards."""
    choices: list[list[tuple[str | Wild, ...]]] = []
    for part in value.s:
        match part:
            case Placeholder():
                choices.append([_parts(SigmaString(text)) for text in _filling(part, placeholders)])
            case SpecialChars():
                choices.append([(_WILD[part],)])
            case str():
                choices.append([(part,)])
    _check_number(choices)
    for chosen in product(*choices):
        yield tuple(part for parts in chosen for part in parts)


def _parts(value: SigmaString) -> tuple[str | Wild, ...]:
    return tuple(_WILD[part] if isinstance(part, SpecialChars) else str(part) for part in value.s)


def _patterns(value: SigmaRegularExpression, placeholders: Placeholders) -> Iterator[str]:
    """The pattern with its flags, once for each way to fill its placeholders; what fills them is literal text."""
    choices: list[list[str]] = []
    for part in value.regexp.s:
        match part:
            case Placeholder():
                choices.append([re.escape(text) for text in _filling(part, placeholders)])
            case SpecialChars():
                choices.append([_WILD[part].value])
            case str():
                choices.append([part])
    _check_number(choices)
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    for chosen in product(*choices):
        yield (f"(?{flags})" if flags else "") + "".join(chosen)


def _filling(placeholder: Placeholder, placeholders: Placeholders) -> tuple[str, ...]:
    if placeholder.name not in placeholders:
        raise MissingPlaceholderError(f"needs the placeholder {placeholder.name}: give it with --placeholders FILE")
    return placeholders[placeholder.name]


def _check_number(choices: list[list[object]] | list[list[str]] | list[list[tuple[str | Wild, ...]]]) -> None:
    number = 1
    for choice in choices:
        number *= len(choice)
    if number > _MOST_EXPANSIONS:
        raise SigmaValueError(f"its placeholders make {number} values, more than {_MOST_EXPANSIONS}")
