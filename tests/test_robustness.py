"""Correlation with witnesses missing: nothing false appears, and README says what is still found."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.robustness import (
    DROPPED,
    SEEDS,
    Score,
    dropped_condition,
    make_case,
    random_condition,
    render_random,
    render_table,
    score,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    return make_case(tmp_path_factory.mktemp("robustness"))


@pytest.fixture(scope="module")
def scores(made: tuple[Path, dict[str, list[dict[str, Any]]]]) -> dict[str, Score]:
    case, truth = made
    return {name: score(case, truth, dropped_condition(kinds)) for name, kinds in DROPPED.items()}


def test_all_scenarios_in_one_case_are_found_as_in_their_own(scores: dict[str, Score], made: tuple[Path, Any]) -> None:
    truth = made[1]
    whole = scores["nothing"]
    assert (whole.sessions, whole.users, whole.sources) == (len(truth["session"]),) * 3
    assert (whole.hops, whole.methods) == (len(truth["hop"]),) * 2


def test_nothing_false_appears_when_a_kind_of_event_is_missing(scores: dict[str, Score]) -> None:
    assert {name: (item.false_sessions, item.false_hops) for name, item in scores.items()} == dict.fromkeys(
        scores, (0, 0)
    )


def test_confidence_never_rises_when_witnesses_are_missing(scores: dict[str, Score]) -> None:
    assert all(item.high <= scores["nothing"].high for item in scores.values())


def test_the_readme_shows_what_is_still_found(scores: dict[str, Score], made: tuple[Path, Any]) -> None:
    text = (REPOSITORY / "README.md").read_text()
    table = render_table(scores, made[1])
    assert table in text, table


def test_nothing_false_appears_when_a_tenth_of_all_events_is_missing(made: tuple[Path, Any]) -> None:
    case, truth = made
    found = [score(case, truth, random_condition(seed)) for seed in range(SEEDS)]
    assert [(item.false_sessions, item.false_hops) for item in found] == [(0, 0)] * SEEDS
    line = render_random(found)
    assert line in (REPOSITORY / "README.md").read_text().replace("\n", " "), line
