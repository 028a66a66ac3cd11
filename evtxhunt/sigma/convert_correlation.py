"""pySigma's parsed correlation rule -> Correlation."""

from collections.abc import Mapping

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaCorrelationRuleError

from evtxhunt.sigma.model import Comparison, Correlation, Expression, RuleHeader

_COMPARISONS: dict[SigmaCorrelationConditionOperator, Comparison] = {
    SigmaCorrelationConditionOperator.LT: "lt",
    SigmaCorrelationConditionOperator.LTE: "lte",
    SigmaCorrelationConditionOperator.GT: "gt",
    SigmaCorrelationConditionOperator.GTE: "gte",
    SigmaCorrelationConditionOperator.EQ: "eq",
    SigmaCorrelationConditionOperator.NEQ: "neq",
}
_WORDS = {CorrelationConditionAND: "and", CorrelationConditionOR: "or", CorrelationConditionNOT: "not"}


def correlation_of(rule: SigmaCorrelationRule, header: RuleHeader, known: Mapping[str, str]) -> Correlation:
    """The correlation with its rules found in `known`, by id or name -> rule_id.

    Raises LookupError if one is not there, SigmaError if it makes no sense.
    """
    expression = None
    operator: Comparison = "gte"
    count = 0
    fields: tuple[str, ...] = ()
    percentile = None
    condition = rule.condition
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        names = tuple(condition.get_referenced_rules()) if rule.rules is None else _names(rule.rules)
        expression = _expression(condition.parsed)
    elif isinstance(condition, SigmaCorrelationCondition):
        names = _names(rule.rules or [])
        operator, count, percentile = _COMPARISONS[condition.op], condition.count, condition.percentile
        if condition.fieldref is not None:
            fields = (condition.fieldref,) if isinstance(condition.fieldref, str) else tuple(condition.fieldref)
    if rule.type.name == "TEMPORAL_ORDERED" and not _is_sequence(expression):
        raise SigmaCorrelationRuleError("temporal_ordered can only join rules by `and`")
    if not names:
        raise SigmaCorrelationRuleError("it names no rules")
    if rule.type.name == "VALUE_PERCENTILE" and (percentile is None or not 0 <= percentile <= 100):
        raise SigmaCorrelationRuleError("value_percentile needs percentile, from 0 to 100")
    aliases = tuple(
        (alias.alias, tuple((_find(known, item.reference), field) for item, field in alias.mapping.items()))
        for alias in rule.aliases
    )
    return Correlation(
        header=header,
        kind=rule.type.name.lower(),
        rules=tuple(_find(known, name) for name in names),
        names=names,
        group_by=tuple(rule.group_by or ()),
        generates=rule.generate,
        window_seconds=rule.timespan.seconds,
        operator=operator,
        count=count,
        fields=fields,
        percentile=percentile,
        aliases=aliases,
        expression=expression,
    )


def _names(references: list[SigmaRuleReference]) -> tuple[str, ...]:
    return tuple(item.reference for item in references)


def _find(known: Mapping[str, str], reference: str) -> str:
    found = known.get(reference) or known.get(reference.lower())
    if found is None:
        raise LookupError(reference)
    return found


def _expression(node: object) -> Expression:
    if isinstance(node, SigmaRuleReference):
        return node.reference
    for kind, word in _WORDS.items():
        if isinstance(node, kind):
            return (word, *(_expression(item) for item in node.args))
    raise SigmaCorrelationRuleError("its condition cannot be read")


def _is_sequence(expression: Expression | None) -> bool:
    return (
        expression is None
        or isinstance(expression, str)
        or (expression[0] == "and" and all(_is_sequence(item) for item in expression[1:]))
    )
