"""Rule files -> rules: YAML read with bounds, parsed by pySigma, converted; what fails is a problem with its line."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import (
    SigmaConditionError,
    SigmaCorrelationRuleError,
    SigmaError,
    SigmaFilterError,
    SigmaIdentifierError,
    SigmaLevelError,
    SigmaLogsourceError,
    SigmaStatusError,
    SigmaTagError,
    SigmaTitleError,
)
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule, SigmaRuleBase
from sigma.rule.base import SigmaYAMLLoader

from evtxhunt.model import LEVELS, Level
from evtxhunt.sigma.convert import MissingPlaceholderError, Placeholders, predicate_of
from evtxhunt.sigma.convert_correlation import correlation_of
from evtxhunt.sigma.files import RuleFile, rule_files
from evtxhunt.sigma.model import DRL_NOTE, Correlation, LogSource, Rule, RuleHeader, RuleProblem, RuleSet
from evtxhunt.sigma.modifiers import mend_modifiers

# A YAML file that has none of these is something else: a workflow, a test's data.
_RULE_KEYS = {"detection", "correlation", "filter", "logsource", "action"}
# SigmaHQ's largest rule has 4,475 nodes. Aliases can make a small file endless: this is with all of them resolved.
_MOST_NODES = 100_000
_DEEPEST = 50
_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
# What pySigma raises on rules that are no rules: it trusts what is inside of them.
_PARSER_ERRORS = (
    SigmaError,
    yaml.YAMLError,
    AttributeError,
    TypeError,
    LookupError,
    ValueError,
    NameError,
    RecursionError,
)
# Which line an error is about.
_KEY_OF_ERROR: tuple[tuple[type[Exception], str], ...] = (
    (SigmaConditionError, "condition"),
    (SigmaCorrelationRuleError, "correlation"),
    (SigmaFilterError, "filter"),
    (SigmaIdentifierError, "id"),
    (SigmaLevelError, "level"),
    (SigmaLogsourceError, "logsource"),
    (SigmaStatusError, "status"),
    (SigmaTagError, "tags"),
    (SigmaTitleError, "title"),
    (Exception, "detection|correlation|filter"),
)


@dataclass(frozen=True, slots=True)
class _Document:
    """A rule as pySigma has it, and where it stands."""

    file: RuleFile
    sha256: str
    number: int  # in the file, from 1
    line: int
    text: str
    parsed: SigmaRuleBase | None
    error: Exception | None = None


def load_rules(paths: Sequence[Path], placeholders: Placeholders) -> RuleSet:
    """Reads every rule below the paths. Raises RulesError if a path cannot be read at all."""
    return read_rules(rule_files(paths), placeholders)


def read_rules(given: Iterable[RuleFile], placeholders: Placeholders) -> RuleSet:
    """The rules in the files. What is wrong with single rules is among the result's problems."""
    mend_modifiers()
    documents: list[_Document] = []
    hashes = hashlib.sha256()
    files = other_files = 0
    for file in given:
        sha256 = hashlib.sha256(file.content or b"").hexdigest()
        found = list(_documents(file, sha256))
        if found:
            files += 1
            hashes.update(f"{file.name} {sha256}\n".encode())
            documents += found
        else:
            other_files += 1
    for name, values in sorted(placeholders.items()):
        hashes.update(f"{name} {values}\n".encode())
    headed = list(_headers(documents))
    filters = [
        document for document, _ in headed if isinstance(document.parsed, SigmaFilter) and document.error is None
    ]
    rules: list[Rule] = []
    problems: list[RuleProblem] = []
    correlated: list[tuple[_Document, RuleHeader]] = []
    for document, header in headed:
        try:
            if document.error:
                raise document.error
            if isinstance(document.parsed, SigmaCorrelationRule):
                correlated.append((document, header))
            elif isinstance(document.parsed, SigmaRule):
                rules.append(_rule(document, header, filters, placeholders))
        except _PARSER_ERRORS as error:
            problems.append(_problem(document, header, error))
    correlations = _correlations(correlated, rules, problems)
    return RuleSet(
        rules=tuple(rules),
        correlations=tuple(correlations),
        problems=tuple(problems),
        files=files,
        other_files=other_files,
        sha256=hashes.hexdigest(),
    )


def _documents(file: RuleFile, sha256: str) -> Iterator[_Document]:
    """The rules of a file; a file that breaks YAML's or our rules is one document with the error."""
    if file.content is None:
        yield _Document(file, sha256, 1, 1, "", None, ValueError(file.problem))
        return
    found: list[tuple[int, dict[str, Any]]] = []
    text, line = "", 1
    try:
        text = file.content.decode("utf-8-sig")
        for line, content in _yaml_documents(text):
            if isinstance(content, dict) and _RULE_KEYS & content.keys():
                found.append((line, content))
    except _PARSER_ERRORS as error:  # UnicodeDecodeError is a ValueError
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else line
        said = getattr(error, "problem", None) or " ".join(str(error).split())
        yield _Document(file, sha256, 1, line, text, None, yaml.YAMLError(f"not readable as YAML: {said}"))
        return
    # Only `action` (of old collections) makes a document mean something to the next ones.
    has_actions = any("action" in content for _, content in found)
    groups = [found] if has_actions else [[item] for item in found]
    lines = [line for line, _ in found] + [len(text.splitlines()) + 1]
    number = 0
    for group in groups:
        try:
            parsed: list[tuple[int, SigmaRuleBase]] = _parse(group)
        except _PARSER_ERRORS as error:
            number += 1
            yield _Document(file, sha256, number, group[0][0], _between(text, group[0][0], lines), None, error)
            continue
        for line, rule in parsed:
            number += 1
            first = rule.errors[0] if rule.errors else None
            yield _Document(file, sha256, number, line, _between(text, line, lines), rule, first)


def _parse(group: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, SigmaRuleBase]]:
    """The rules of documents that belong together, with their lines."""
    lines = [line for line, content in group if content.get("action") not in ("global", "reset")]
    collection = SigmaCollection.from_dicts(
        [content for _, content in group], collect_errors=True, collect_filters=True, resolve_references=False
    )
    parsed: list[SigmaRuleBase] = [*collection.rules, *collection.filters]
    if len(parsed) != len(lines):
        raise collection.errors[0] if collection.errors else SigmaError("its documents and actions do not fit together")
    return list(zip(lines, parsed, strict=True))


def _yaml_documents(text: str) -> Iterator[tuple[int, object]]:
    """Each document with its first line. Raises YAMLError, also for what would grow without bound."""
    loader = SigmaYAMLLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None  # check_node said so
            if "&" in text:
                _expanded_size(node, {}, 0)
            yield node.start_mark.line + 1, loader.construct_document(node)
    finally:
        loader.dispose()


def _expanded_size(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """How many nodes there are once every alias is resolved. Raises YAMLError beyond a bound, and for endless ones."""
    if depth > _DEEPEST:
        raise yaml.YAMLError(f"nested deeper than {_DEEPEST}, or an alias inside of what it stands for")
    if id(node) not in known:
        size = 1
        if isinstance(node, yaml.SequenceNode):
            size += sum(_expanded_size(child, known, depth + 1) for child in node.value)
        elif isinstance(node, yaml.MappingNode):
            size += sum(_expanded_size(child, known, depth + 1) for pair in node.value for child in pair)
        if size > _MOST_NODES:
            raise yaml.YAMLError(f"its aliases make more than {_MOST_NODES} nodes")
        known[id(node)] = size
    return known[id(node)]


def _between(text: str, line: int, lines: Sequence[int]) -> str:
    """The text of the document that begins there."""
    end = min((other for other in lines if other > line), default=line)
    return "\n".join(text.splitlines()[line - 1 : end - 1]).removesuffix("\n---").strip() + "\n"


def _headers(documents: Sequence[_Document]) -> Iterator[tuple[_Document, RuleHeader]]:
    """Each with an id of its own: the rule's UUID, where it has none or shares it one made from its file."""
    taken: dict[str, str] = {}
    names: Counter[str] = Counter()
    for document in documents:
        header = _file_header(document)
        names[header.rule_id] += 1
        if names[header.rule_id] > 1:  # below another folder that was given
            header = replace(header, rule_id=f"{header.rule_id}~{names[header.rule_id]}")
        where = f"{document.file.shown}:{document.line}"
        rule = document.parsed
        if rule is not None and rule.id is not None and document.error is None:
            first = taken.setdefault(str(rule.id), where)
            if first != where:
                yield replace(document, error=SigmaIdentifierError(f"id {rule.id} is taken by {first}")), header
                continue
            header = replace(header, rule_id=str(rule.id))
        yield document, header


def _file_header(document: _Document) -> RuleHeader:
    """What the rule says of itself, under an id made from its file."""
    rule = document.parsed
    suffix = f"#{document.number}" if document.number > 1 else ""
    tags = tuple(str(tag) for tag in rule.tags) if rule and isinstance(rule.tags, list) else ()
    level = str(rule.level).lower() if rule and rule.level else ""
    return RuleHeader(
        rule_id=f"{document.file.name}{suffix}",
        name=rule.name if rule else None,
        title=str(rule.title) if rule and rule.title else document.file.name,
        level=_level(level),
        status=str(rule.status).lower() if rule and rule.status else None,
        author=_said(rule, "author"),
        licence=_said(rule, "license") or DRL_NOTE,
        description=(_said(rule, "description") or "").strip(),
        false_positives=_texts(rule, "falsepositives"),
        references=_texts(rule, "references"),
        tags=tags,
        attack=tuple(sorted({found[1].upper() for tag in tags if (found := _TECHNIQUE.fullmatch(tag))})),
        file=document.file.name,
        path=document.file.shown,
        line=document.line,
        sha256=document.sha256,
        text=document.text,
    )


def _level(text: str) -> Level:
    # A rule need not have one.
    return next((level for level in LEVELS if level == text), "informational")


def _said(rule: SigmaRuleBase | None, name: str) -> str | None:
    value = getattr(rule, name, None)
    return value if isinstance(value, str) else None


def _texts(rule: SigmaRuleBase | None, name: str) -> tuple[str, ...]:
    value = getattr(rule, name, None)
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _rule(document: _Document, header: RuleHeader, filters: Sequence[_Document], placeholders: Placeholders) -> Rule:
    rule = document.parsed
    assert isinstance(rule, SigmaRule)  # the caller's choice
    for item in filters:
        if item.error is None and isinstance(item.parsed, SigmaFilter):
            item.parsed.apply_on_rule(rule)
    source = rule.logsource
    return Rule(header, LogSource(source.product, source.category, source.service), predicate_of(rule, placeholders))


def _correlations(
    correlated: Sequence[tuple[_Document, RuleHeader]], rules: Sequence[Rule], problems: list[RuleProblem]
) -> list[Correlation]:
    """Those whose rules are all there, each after those that it reads."""
    known = {reference: rule.header.rule_id for rule in rules for reference in _references(rule.header)}
    made: list[Correlation] = []
    waiting = list(correlated)
    while waiting:
        left = []
        for document, header in waiting:
            rule = document.parsed
            assert isinstance(rule, SigmaCorrelationRule)  # the caller's choice
            try:
                made.append(correlation_of(rule, header, known))
            except LookupError:
                left.append((document, header))
                continue
            except _PARSER_ERRORS as error:
                problems.append(_problem(document, header, error))
                continue
            known |= dict.fromkeys(_references(header), header.rule_id)
        if len(left) == len(waiting):
            for document, header in left:
                missing = SigmaCorrelationRuleError(
                    "a rule that it names is not here, cannot run, or names this one in turn"
                )
                problems.append(_problem(document, header, missing))
            break
        waiting = left
    return made


def _references(header: RuleHeader) -> tuple[str, ...]:
    return (header.rule_id, header.name) if header.name else (header.rule_id,)


def _problem(document: _Document, header: RuleHeader, error: Exception) -> RuleProblem:
    key = next(key for kind, key in _KEY_OF_ERROR if isinstance(error, kind))
    line = document.line if isinstance(error, yaml.YAMLError) else _line_of(document, key)
    # pySigma gives the parts of filters random names.
    reason = re.sub(r"_filt_[a-z]{10}_?", "", " ".join(str(error).split())) or type(error).__name__
    if isinstance(error, RecursionError):
        reason = "nested too deeply to be read"
    elif not isinstance(error, (SigmaError, yaml.YAMLError)) and document.file.content is not None:
        reason = f"not built like a Sigma rule: {reason}"
    return RuleProblem(
        header=header,
        is_parsed=document.parsed is not None,
        where=f"{document.file.shown}:{line}",
        reason=reason,
        state="not applicable" if isinstance(error, MissingPlaceholderError) else "failed",
    )


def _line_of(document: _Document, key: str) -> int:
    wanted = re.compile(rf"\s*(?:{key})\s*:")
    lines = enumerate(document.text.splitlines(), document.line)
    return next((number for number, line in lines if wanted.match(line)), document.line)
