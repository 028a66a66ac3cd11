"""Sliding windows of correlation rules, one group's hits at a time."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from evtxhunt.sigma.model import Correlation, Expression, RuleHeader
from evtxhunt.sigma.windows import Hit, find_windows

START = datetime(2026, 5, 1, 12, 0)
HEADER = RuleHeader("id", None, "T", "high", None, None, "", "", (), (), (), (), "a.yml", "a.yml", 1, "", "")


def correlation(
    kind: str,
    operator: str = "gte",
    count: int = 1,
    seconds: int = 60,
    rules: tuple[str, ...] = ("a",),
    percentile: int | None = None,
    expression: Expression | None = None,
) -> Correlation:
    return Correlation(
        HEADER, kind, rules, rules, (), False, seconds, operator, count, ("f",), percentile, (), expression
    )


def found(asked: Correlation, *hits: tuple[int, object]) -> list[tuple[list[int], str]]:
    """For hits (second, rule or value) the seconds of each finding and what was measured."""
    made = []
    for number, (second, what) in enumerate(hits):
        is_rule = asked.kind in ("event_count", "temporal", "temporal_ordered")
        made.append(
            Hit(
                rule_id=str(what) if is_rule else "a",
                time=START + timedelta(seconds=second),
                event_keys=(number,),
                value=None if is_rule or what is None else (str(what),),
                number=Decimal(str(what)) if not is_rule and isinstance(what, int | float) else None,
            )
        )
    return [
        ([int((hit.time - START).total_seconds()) for hit in item.hits], format(item.measure.normalize(), "f"))
        for item in find_windows(asked, made)
    ]


def test_events_are_counted_in_a_window_that_slides() -> None:
    asked = correlation("event_count", count=3)
    # A fixed minute from 0 would see 2 and 2.
    assert found(asked, (50, "a"), (58, "a"), (62, "a"), (75, "a")) == [([50, 58, 62, 75], "4")]


def test_both_ends_of_a_window_count_and_one_second_more_does_not() -> None:
    asked = correlation("event_count", count=2)
    assert found(asked, (0, "a"), (60, "a")) == [([0, 60], "2")]
    assert found(asked, (0, "a"), (61, "a")) == []


def test_windows_that_overlap_are_one_finding_and_others_their_own() -> None:
    asked = correlation("event_count", count=3)
    hits = [(0, "a"), (30, "a"), (60, "a"), (90, "a"), (119, "a"), (500, "a"), (501, "a"), (502, "a")]
    assert found(asked, *hits) == [([0, 30, 60, 90, 119], "3"), ([500, 501, 502], "3")]


def test_what_lies_between_windows_that_share_hits_is_part_of_the_finding() -> None:
    asked = correlation("event_count", count=3, seconds=10)
    # 0, 5, 10 and 10, 12, 20 are full; 5 to 12 was full already, 12 to 22 is not.
    assert found(asked, (0, "a"), (5, "a"), (10, "a"), (12, "a"), (20, "a")) == [([0, 5, 10, 12, 20], "3")]


def test_more_than() -> None:
    assert found(correlation("event_count", "gt", 2), (0, "a"), (1, "a")) == []
    assert found(correlation("event_count", "gt", 2), (0, "a"), (1, "a"), (2, "a")) == [([0, 1, 2], "3")]


@pytest.mark.parametrize(
    ("operator", "count", "expected"),
    [
        ("lt", 2, [([100], "1")]),
        ("lte", 2, [([0, 10], "2"), ([100], "1")]),
        ("eq", 2, [([0, 10], "2")]),
        ("neq", 2, [([100], "1")]),
    ],
)
def test_what_more_hits_could_undo_is_asked_of_windows_one_after_another(
    operator: str, count: int, expected: list[tuple[list[int], str]]
) -> None:
    assert found(correlation("event_count", operator, count), (0, "a"), (10, "a"), (100, "a")) == expected


def test_different_values_are_counted_and_values_that_left_the_window_are_not() -> None:
    asked = correlation("value_count", count=3)
    assert found(asked, (0, "x"), (10, "y"), (20, "x"), (30, "z")) == [([0, 10, 20, 30], "3")]
    assert found(asked, (0, "x"), (10, "y"), (70, "x"), (71, "z")) == []
    assert found(asked, (0, "x"), (10, "y"), (20, None), (30, "z")) == [([0, 10, 30], "3")]


def test_sum_average_median_and_percentile() -> None:
    assert found(correlation("value_sum", count=100), (0, 60), (10, 50)) == [([0, 10], "110")]
    assert found(correlation("value_sum", count=100), (0, 60), (61, 50)) == []
    assert found(correlation("value_sum", count=100), (0, 60.5), (10, "many"), (20, 50.25)) == [([0, 20], "110.75")]
    assert found(correlation("value_avg", count=10), (0, 5), (1, 15)) == [([0, 1], "10")]
    assert found(correlation("value_median", count=10), (0, 1), (1, 2), (2, 100), (3, 100)) == [([0, 1, 2, 3], "51")]
    assert found(correlation("value_percentile", count=90, percentile=90), (0, 0), (1, 100)) == [([0, 1], "90")]
    assert found(correlation("value_percentile", count=91, percentile=90), (0, 0), (1, 100)) == []
    assert found(correlation("value_percentile", count=5, percentile=0), (0, 5), (1, 100)) == [([0, 1], "5")]


def test_temporal_needs_every_rule_in_any_order() -> None:
    asked = correlation("temporal", count=2, rules=("a", "b"))
    assert found(asked, (0, "b"), (30, "a")) == [([0, 30], "2")]
    assert found(asked, (0, "a"), (30, "a")) == []
    assert found(asked, (0, "b"), (61, "a")) == []


def test_ordered_needs_every_rule_in_its_order() -> None:
    asked = correlation("temporal_ordered", rules=("a", "b", "c"))
    assert found(asked, (0, "a"), (10, "b"), (20, "c")) == [([0, 10, 20], "3")]
    assert found(asked, (0, "a"), (10, "c"), (20, "b")) == []
    assert found(asked, (0, "b"), (10, "a"), (20, "c")) == []


def test_ordered_takes_the_latest_beginning() -> None:
    asked = correlation("temporal_ordered", rules=("a", "b"))
    # 0 is too early for 65; 30 is not.
    assert found(asked, (0, "a"), (30, "a"), (65, "b")) == [([30, 65], "2")]


def test_ordered_does_not_take_a_chain_whose_middle_came_before_its_beginning() -> None:
    asked = correlation("temporal_ordered", rules=("a", "b", "c"))
    # b follows the first a only, which is too old when c comes.
    assert found(asked, (0, "a"), (10, "b"), (50, "a"), (65, "c")) == []


def test_ordered_with_a_rule_named_twice_needs_two_hits() -> None:
    asked = correlation("temporal_ordered", rules=("a", "a"))
    assert found(asked, (0, "a")) == []
    assert found(asked, (0, "a"), (1, "a")) == [([0, 1], "2")]


@pytest.mark.parametrize(
    ("expression", "hits", "expected"),
    [
        (("and", "a", ("or", "b", "c")), [(0, "a"), (1, "c")], [[0, 1]]),
        (("and", "a", ("or", "b", "c")), [(0, "b"), (1, "c")], []),
        (("and", "a", ("not", "b")), [(0, "a"), (10, "b")], []),
        (("and", "a", ("not", "b")), [(0, "a"), (61, "b")], [[0]]),
        (("and", "a", ("not", "b")), [(0, "b"), (61, "a")], [[61]]),
    ],
)
def test_conditions_in_words(expression: Expression, hits: list[tuple[int, str]], expected: list[list[int]]) -> None:
    asked = correlation("temporal", rules=("a", "b", "c"), expression=expression)
    assert [seconds for seconds, _ in found(asked, *hits)] == expected


@pytest.mark.parametrize("kind", ["event_count", "value_count", "value_sum", "value_median", "temporal"])
def test_sliding_windows_are_those_of_a_plain_search(kind: str) -> None:
    """The same hits, found by looking at the window of every hit anew."""
    rules = ("a", "b", "c")
    seconds = [number * number % 997 for number in range(300)]
    hits = sorted((second, (rules[second % 3] if kind == "temporal" else second % 7)) for second in seconds)
    asked = correlation(kind, count={"event_count": 20, "value_sum": 60, "value_median": 4}.get(kind, 3), rules=rules)
    covered: set[int] = set()
    for last, (end, _) in enumerate(hits):
        window = [index for index in range(last + 1) if hits[index][0] >= end - 60]
        values = [hits[index][1] for index in window]
        numbers = sorted(value for value in values if isinstance(value, int))
        measure = {
            "event_count": len(values),
            "value_count": len(set(values)),
            "temporal": len(set(values)),
            "value_sum": sum(numbers),
            "value_median": (numbers[(len(numbers) - 1) // 2] + numbers[len(numbers) // 2]) / 2 if numbers else 0,
        }[kind]
        if measure >= asked.count:
            covered.update(range(window[0], last + 1))
    assert covered
    assert sum(len(seconds) for seconds, _ in found(asked, *hits)) == len(covered)
