"""The SQL engine against an evaluator that shares no code with it: on real logs with SigmaHQ's rules, and on events and
rules made to be hard."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
import yaml

from evtxhunt.pipeline.ingest import ingest
from evtxhunt.sigma.load import load_rules
from tests.conftest import corpora_root
from tests.sigma.evaluator import Placeholders, rule_test
from tests.sigma.generated import MODIFIERS, PLACEHOLDERS, make_event_data, make_rule
from tests.sigma.rules import SYSMON, event, make_case, run
from tests.sigma.taxonomy import read_events, seen_as

SIGMA = corpora_root() / "sigma"
FOLDERS = [SIGMA / name for name in ("rules", "rules-emerging-threats", "rules-threat-hunting")]
KNOWN_CDCS = {"known_cdcs": ("nosuch",)}
Hits = dict[str, set[int]]


def evaluated(case: Path, rules: Sequence[Mapping[str, Any]], placeholders: Placeholders) -> Hits:
    """What the evaluator finds: rule id -> event_key."""
    found: Hits = defaultdict(set)
    by_source: dict[tuple[tuple[str, str], ...], list[Mapping[str, Any]]] = defaultdict(list)
    for rule in rules:
        source = {key: value for key, value in rule["logsource"].items() if key != "definition"}
        by_source[tuple(sorted(source.items()))].append(rule)
    with duckdb.connect(str(case), read_only=True) as connection:
        events = list(read_events(connection))
    for logsource, own in by_source.items():
        seen = [item for item in (seen_as(event, dict(logsource)) for event in events) if item]
        for rule in own:
            test = rule_test(rule, placeholders)
            if keys := {item.event.key for item in seen if test(item)}:
                found[rule["id"]] = keys
    return dict(found)


def differences(ours: Hits, theirs: Hits) -> dict[str, tuple[list[int], list[int]]]:
    """Rule id -> what only the engine and what only the evaluator finds."""
    return {
        rule_id: (sorted(mine - other), sorted(other - mine))
        for rule_id in sorted(ours.keys() | theirs.keys())
        if (mine := ours.get(rule_id, set())) != (other := theirs.get(rule_id, set()))
    }


def sql_hits(case: Path, rules: Sequence[Path], placeholders: Mapping[str, tuple[str, ...]]) -> Hits:
    findings, runs = run(case, rules, **placeholders)
    assert [(item.where, item.reason) for item in runs.values() if item.state == "failed"] == []
    found: Hits = defaultdict(set)
    for finding in findings:
        found[finding.detection_id].update(finding.evidence)
    return dict(found)


def _is_rare(rule: Mapping[str, Any]) -> bool:
    """It has a modifier that few rules have."""
    text = yaml.safe_dump(rule["detection"])
    rare = ("|base64", "|cidr", "|wide", "|fieldref", "|expand", "|i:", "|windash|all", "|all|windash", "null")
    return any(name in text for name in rare)


@pytest.mark.corpus
@pytest.mark.slow
def test_on_real_logs_every_rule_finds_event_by_event_what_the_evaluator_finds(
    shared_root: Path, tmp_path: Path
) -> None:
    """Of 2,858 rules all that fire, all with a rare modifier, and 200 of the rest."""
    case = tmp_path / "case.duckdb"
    ingest([shared_root / "corpora", SIGMA / "regression_data"], case)
    ours = sql_hits(case, FOLDERS, KNOWN_CDCS)
    paths = sorted(path for folder in FOLDERS for path in folder.rglob("*.yml"))
    rules = [yaml.load(path.read_bytes(), yaml.CSafeLoader) for path in paths]
    silent = [rule for rule in rules if rule["id"] not in ours]
    chosen = [rule for rule in rules if rule["id"] in ours or _is_rare(rule)]
    chosen += Random(2026).sample([rule for rule in silent if not _is_rare(rule)], 200)
    assert differences(ours, evaluated(case, chosen, KNOWN_CDCS)) == {}
    assert (len(ours), sum(map(len, ours.values())), len(chosen)) == (518, 5868, 811)


@pytest.mark.parametrize("seed", range(4))
def test_on_hard_values_every_modifier_finds_what_the_evaluator_finds(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, make_event_data(random)) for _ in range(150)])
    made = [make_rule(random, number) for number in range(8 * len(MODIFIERS))]
    rules = [rule for _, rule in made]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump_all(rules, allow_unicode=True, sort_keys=False), "utf-8")
    assert load_rules([tmp_path / "rules.yml"], PLACEHOLDERS).problems == ()
    ours = sql_hits(case, [tmp_path / "rules.yml"], PLACEHOLDERS)
    theirs = evaluated(case, rules, PLACEHOLDERS)
    shown = {rule["id"]: rule["detection"] for rule in rules}
    assert [(shown[rule_id], keys) for rule_id, keys in differences(ours, theirs).items()] == []
    # Neither side may agree by finding nothing, or everything.
    telling = Counter(modifier for modifier, rule in made if 0 < len(ours.get(rule["id"], ())) < 150)
    assert [modifier for modifier in MODIFIERS if not telling[modifier]] == []
