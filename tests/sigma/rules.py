"""Sigma rules written in a test -> what they find on a case of events written in the same test."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evtxhunt.case_file import connect_scratch
from evtxhunt.model import Finding, RuleRun
from evtxhunt.sigma.engine_sql import SqlEngine
from evtxhunt.sigma.load import load_rules
from evtxhunt.sigma.logsource import read_log_sources
from evtxhunt.sigma.run import SLICE_EVENTS, RuleRunner
from evtxhunt.store import CaseStore
from tests.conftest import REPOSITORY
from tests.queries.synthetic import replace_events

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SYSMON = {"channel": "Microsoft-Windows-Sysmon/Operational", "provider": "Microsoft-Windows-Sysmon"}
SECURITY = {"channel": "Security", "provider": "Microsoft-Windows-Security-Auditing"}
LOG_SOURCES = REPOSITORY / "queries" / "sigma_logsources.toml"


def event(kind: Mapping[str, str], event_id: int, event_data: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """An event at START, of WS01 unless `others` say otherwise."""
    base = {"time": START, "computer": "WS01.example.test", "event_id": event_id, "event_data": dict(event_data)}
    return {**base, **kind, **others}


def rule(detection: str, source: str = "category: process_creation", title: str = "T", further: str = "") -> str:
    """The YAML of a rule; `detection` is what stands below that key, or a list of values for `selection`."""
    lines = detection.strip("\n").splitlines()
    indented = "\n".join(f"    {line}" for line in lines)
    condition = "" if any(line.startswith("condition:") for line in lines) else "\n    condition: selection"
    head = f"title: {title}\nlogsource:\n    product: windows\n    {source}\n"
    return f"{head}detection:\n{indented}{condition}\n{further}"


def make_case(path: Path, events: Sequence[Mapping[str, Any]]) -> Path:
    """A case of just these events; event_key counts them from 1."""
    store = CaseStore(path, "1GB", "test")
    replace_events(store, events)
    store.close()
    return path


def run(
    case: Path,
    rules: Path | Sequence[Path],
    slice_events: int = SLICE_EVENTS,
    left_out: frozenset[str] = frozenset(),
    **placeholders: tuple[str, ...],
) -> tuple[list[Finding], dict[str, RuleRun]]:
    """The findings of the rules at these paths, and how each rule ended by its title."""
    rule_set = load_rules([rules] if isinstance(rules, Path) else rules, placeholders)
    with connect_scratch(case, "1GB") as connection:
        runner = RuleRunner(
            connection,
            rule_set,
            read_log_sources(LOG_SOURCES),
            lambda scratch: SqlEngine(scratch, None),
            left_out,
            slice_events,
        )
        findings = list(runner.findings())
        return findings, {item.title: item for item in runner.runs()}


def hits(case: Path, text: str, folder: Path) -> list[int]:
    """The event_key of each finding of one rule, ascending; the rule must run."""
    path = folder / "rule.yml"
    path.write_text(text, encoding="utf-8")
    findings, runs = run(case, path)
    [only] = runs.values()
    assert only.state == "ran", only
    return sorted(key for finding in findings for key in finding.evidence)
