"""What the parts of the Sigma stage hand to one another."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from evtxhunt.model import Level, RuleState
from evtxhunt.sigma.predicate import Predicate

# https://github.com/SigmaHQ/Detection-Rule-License: whoever shows results names the author.
DRL_NOTE = "none stated; rules of SigmaHQ: Detection Rule License 1.1, which asks to name the author"


@dataclass(frozen=True, slots=True)
class LogSource:
    """What a rule says that it reads."""

    product: str | None
    category: str | None
    service: str | None

    def __str__(self) -> str:
        return " ".join(part for part in (self.product, self.category, self.service) if part)


@dataclass(frozen=True, slots=True)
class RuleHeader:
    """What a rule says of itself, and where it stands. `file` is its path below what was given, `path` all of it."""

    rule_id: str  # the UUID; else made from the file's name and the document's number in it
    name: str | None  # by which correlations may refer to it
    title: str
    level: Level
    status: str | None
    author: str | None
    licence: str
    description: str
    false_positives: tuple[str, ...]
    references: tuple[str, ...]
    tags: tuple[str, ...]
    attack: tuple[str, ...]  # technique ids
    file: str
    path: str
    line: int  # of the document, from 1
    sha256: str  # of the file
    text: str  # of the document


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that asks about single events."""

    header: RuleHeader
    source: LogSource
    condition: Predicate


Comparison: TypeAlias = Literal["lt", "lte", "gt", "gte", "eq", "neq"]
# A correlation's condition in words over names of rules: "a", ("and", "a", ("not", "b")), ("or", ...).
Expression: TypeAlias = str | tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rule about the hits of other rules."""

    header: RuleHeader
    kind: str  # "event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", ...
    rules: tuple[str, ...]  # rule_id, in the order of the correlation
    names: tuple[str, ...]  # how the correlation calls them
    group_by: tuple[str, ...]
    generates: bool  # whether the hits of its rules are findings, too
    window_seconds: int
    operator: Comparison
    count: int
    fields: tuple[str, ...]  # of value_count and the others that read a value
    percentile: int | None
    aliases: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # alias: (rule_id, field) of each rule
    expression: Expression | None = None  # of temporal kinds whose condition is in words


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """A rule that cannot run. What could not be parsed has little of a header: its file's name and hash."""

    header: RuleHeader
    is_parsed: bool
    where: str  # file:line
    reason: str
    state: RuleState = "failed"

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All that was read, in the order of files and of the documents in them."""

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]
    problems: tuple[RuleProblem, ...]
    files: int  # that hold rules
    other_files: int  # YAML that is no rule
    sha256: str  # over all files that hold rules

    @property
    def headers(self) -> tuple[RuleHeader, ...]:
        """Of all that was read, whether it can run or not."""
        items: tuple[Rule | Correlation | RuleProblem, ...] = (*self.rules, *self.correlations, *self.problems)
        return tuple(item.header for item in items)
