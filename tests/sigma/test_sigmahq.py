"""SigmaHQ's rules and the logs that it tests them with."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from evtxhunt.case_file import connect_scratch
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.sigma.engine_sql import SqlEngine
from evtxhunt.sigma.load import load_rules
from evtxhunt.sigma.logsource import read_log_sources
from evtxhunt.sigma.model import RuleSet
from evtxhunt.sigma.run import RuleRunner
from tests.conftest import corpora_root
from tests.sigma.rules import LOG_SOURCES

SIGMA = corpora_root() / "sigma"
FOLDERS = [SIGMA / name for name in ("rules", "rules-emerging-threats", "rules-threat-hunting")]
MORE = tomllib.loads((Path(__file__).parent / "more_than_stated.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Stated:
    """What an info.yml says of a log: so many events that the rule finds; None: it does not say, so one is expected."""

    rule_id: str
    log: Path
    count: int | None


def stated() -> Iterator[Stated]:
    for path in sorted(SIGMA.glob("regression_data/**/info.yml")):
        info = yaml.safe_load(path.read_text(encoding="utf-8"))
        for test in info.get("regression_tests_info") or ():
            rule_id = info["rule_metadata"][0]["id"]
            yield Stated(rule_id, SIGMA / test["path"], test.get("match_count"))


ALL_STATED = list(stated())


@pytest.fixture(scope="session")
def sigmahq(shared_root: Path) -> RuleSet:
    """Every Windows rule, with the one placeholder that two of them need."""
    return load_rules(FOLDERS, {"known_cdcs": ("nosuch",)})


@pytest.mark.corpus
@pytest.mark.slow
def test_every_rule_is_read_and_only_those_that_need_placeholders_wait(shared_root: Path, sigmahq: RuleSet) -> None:
    assert (len(sigmahq.rules), sigmahq.problems, sigmahq.other_files) == (2858, (), 0)
    without = load_rules(FOLDERS, {})
    assert (len(without.rules), len(without.problems)) == (2856, 2)
    assert {(problem.state, problem.reason) for problem in without.problems} == {
        ("not applicable", "needs the placeholder known_cdcs: give it with --placeholders FILE")
    }


@pytest.mark.corpus
@pytest.mark.slow
def test_every_rule_runs_on_all_real_logs(shared_root: Path, sigmahq: RuleSet, tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    ingest([shared_root / "corpora", SIGMA / "regression_data"], case)
    with connect_scratch(case, "1GB") as connection:
        runner = RuleRunner(
            connection, sigmahq, read_log_sources(LOG_SOURCES), lambda scratch: SqlEngine(scratch, None)
        )
        found = sum(1 for _ in runner.findings())
        runs = runner.runs()
    assert [(item.where, item.reason) for item in runs if item.state == "failed"] == []
    assert sum(item.findings or 0 for item in runs) == found > 5_000


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.parametrize("item", ALL_STATED, ids=[f"{item.log.parent.name} {item.rule_id[:8]}" for item in ALL_STATED])
def test_a_rule_finds_what_its_log_holds(item: Stated, sigmahq: RuleSet, tmp_path: Path) -> None:
    ingest([item.log], tmp_path / "case.duckdb")
    rules = tuple(rule for rule in sigmahq.rules if rule.header.rule_id == item.rule_id)
    asked = RuleSet(rules, (), (), 1, 0, "")
    with connect_scratch(tmp_path / "case.duckdb", "1GB") as connection:
        runner = RuleRunner(connection, asked, read_log_sources(LOG_SOURCES), lambda scratch: SqlEngine(scratch, None))
        found = list(runner.findings())
    assert len(found) == MORE.get(item.rule_id, {}).get("found", item.count or 1)


@pytest.mark.corpus
def test_every_case_of_more_hits_is_needed_and_explained(shared_root: Path) -> None:
    stated_counts = {item.rule_id: item.count or 1 for item in ALL_STATED}
    for rule_id, entry in MORE.items():
        assert entry["found"] > stated_counts[rule_id]
        assert entry["why"].strip()


@pytest.mark.corpus
def test_every_log_is_one_that_a_rule_is_held_to(shared_root: Path) -> None:
    """99 info.yml, of which that of a Cisco rule has no log; each of the others is about one rule and one log."""
    assert {item.log for item in ALL_STATED} == set(SIGMA.glob("regression_data/**/*.evtx"))
    assert len({item.rule_id for item in ALL_STATED}) == len(ALL_STATED) == 98
    assert Counter(item.count for item in ALL_STATED) == {1: 86, None: 9, 4: 2, 2: 1}
