"""The fast way to run rules proposes every event that SQL finds, and so finds the same."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ahocorasick_rs
import duckdb
import pyarrow as pa
import pytest

from evtxhunt.case_file import connect_scratch
from evtxhunt.model import RuleRun
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.sigma import candidates, literals
from evtxhunt.sigma.candidates import CANDIDATES, Proposer
from evtxhunt.sigma.catalogue import choose_events, read_catalogue
from evtxhunt.sigma.engine_sql import BATCH_RULES, SqlEngine
from evtxhunt.sigma.literals import AllOf, AnyOf, need_of, rarest, regex_texts
from evtxhunt.sigma.load import load_rules
from evtxhunt.sigma.logsource import read_log_sources
from evtxhunt.sigma.model import Rule, RuleSet
from evtxhunt.sigma.predicate import All, Not, Number, Predicate, Regex, Text, Wild
from evtxhunt.sigma.predicate import Any as AnyPredicate
from evtxhunt.sigma.run import RuleRunner
from evtxhunt.sigma.sql import MACROS_SQL
from tests.sigma.fuzz import fuzz_events
from tests.sigma.rules import LOG_SOURCES, SECURITY, SYSMON, event, make_case, rule
from tests.sigma.test_sigmahq import SIGMA, sigmahq  # noqa: F401

MANY, ONE = Wild.MANY, Wild.ONE
Hit = tuple[str, int]


@pytest.mark.parametrize(
    ("predicate", "need"),
    [
        (Text("F", ("C:\\Windows",)), AnyOf(("c:\\\\windows", "c:\\windows"))),
        (Text("F", (MANY, "\\Net.EXE")), "\\net.exe"),
        (Text("F", ("a", ONE, "bcd")), "bcd"),
        (Text("F", ('say "Yes" now',)), AllOf(("say ", "yes", " now"))),
        (Text("F", ("É", MANY)), "É"),
        (Text("F", (MANY,)), None),
        (Text("F", ()), None),
        (Text("Unsearched", ("abc",)), None),
        (Number("F", "=", 4688), None),
        (Not(Text("F", ("abc",))), None),
        (All((Text("F", ("abc",)), Not(Text("F", ("def",))), Number("F", "=", 1))), "abc"),
        (AnyPredicate((Text("F", ("abc",)), Text("F", ("def",)))), AnyOf(("abc", "def"))),
        (AnyPredicate((Text("F", ("abc",)), Number("F", "=", 1))), None),
        (Regex("F", "(?i)Power.*Shell"), AllOf(("power", "hell"))),
    ],
)
def test_what_every_hit_holds_is_read_from_the_condition(predicate: Predicate, need: object) -> None:
    assert need_of(predicate, lambda field: field != "Unsearched") == need


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("abc", ["abc"]),
        ("ab?c", ["a", "c"]),
        ("ab*c{2}d+e", ["a", "d", "e"]),
        ("ab|cd", []),
        ("x(ab|cd)y", ["x", "y"]),
        (r"a\.b\d+c\\d", ["a.b", "c\\d"]),
        ("a[b|c]d[]x]e[^]y]f", ["a", "d", "e", "f"]),
        ("a[[:alpha:]]b", []),
        (r"\Qa.b\E", []),
        (r"a\x41b", []),
        ("(?i)Kiss me", ["i", " me"]),
        ("^start$", ["start"]),
        ("a{x}y{z", ["x", "z"]),
        ("ab{2}cd{3,}ef{4,5}g", ["a", "c", "e", "g"]),
        ("foo{bar|baz}qux", []),  # a brace like any other
        ("[$]{[^}]ndi:x", ["ndi:x"]),
        (".ab(?s)?[ab]", []),  # RE2 takes "b" for what may be left out
    ],
)
def test_texts_of_a_pattern_are_those_that_no_match_lacks(pattern: str, texts: list[str]) -> None:
    assert regex_texts(pattern) == texts


def test_of_several_needs_the_one_that_the_fewest_events_have_is_chosen() -> None:
    need = AllOf(("common", AnyOf(("rare", "unseen")), "seldom"))
    assert rarest(need, Counter(common=90, rare=2, seldom=5).__getitem__) == (2, frozenset({"rare", "unseen"}))


def run_both(case: Path, rule_set: RuleSet, slice_events: int) -> list[tuple[list[Hit], list[RuleRun]]]:
    """What the rules find with proposals and in batches, and one by one in all events; and how each rule ended."""
    found = []
    for proposer, batch in ((Proposer, BATCH_RULES), (None, 1)):
        with connect_scratch(case, "1GB") as connection:
            runner = RuleRunner(
                connection,
                rule_set,
                read_log_sources(LOG_SOURCES),
                partial(SqlEngine, timeout_seconds=None, batch=batch),
                make_proposer=proposer,
                slice_events=slice_events,
            )
            hits = sorted((item.detection_id, key) for item in runner.findings() for key in item.evidence)
            found.append((hits, [without_seconds(item) for item in runner.runs()]))
    return found


def without_seconds(item: RuleRun) -> RuleRun:
    return replace(item, seconds=0.0)


def load(folder: Path, *texts: str) -> RuleSet:
    for number, text in enumerate(texts):
        (folder / f"r{number}.yml").write_text(text, encoding="utf-8")
    return load_rules([folder], {})


def test_both_ways_find_the_same_where_json_and_letters_are_awkward(tmp_path: Path) -> None:
    values = [
        'C:\\Tools\\say "hi".exe',
        "c:\\tools\\SAY",
        "tab\there",
        "line\nend",
        "KELVIN \u212a",
        "ſharp",
        "İstanbul",
        "STRASSE ẞ",
        "🫶🏿",
        "a/b",
        "\u2028",
        "x\\",
        "\\\\server\\share",
    ]
    conditions = [
        "selection: {Image|endswith: '\\say \"hi\".exe'}",
        "selection: {Image|contains: 'C:\\TOOLS\\'}",
        'selection: {Image|contains: "tab\\there"}',
        "selection: {Image|contains: 'kelvin k'}",
        "selection: {Image|contains: 'ſHARP'}",
        "selection: {Image|startswith: 'İSTANBUL'}",
        "selection: {Image|contains: 'ß'}",
        "selection: {Image|contains: '🫶'}",
        "selection: {Image: 'a/b'}",
        "selection: {Image|re: '(?i)sharp'}",
        "selection: {Image|re: 'line.*end|KELVIN'}",
        "selection: {Image|endswith: '\\'}",
        "selection: {Image|startswith: '\\\\\\\\server'}",
        "selection: {Image|contains|cased: 'C:\\Tools'}",
        "keywords: ['\\\\SERVER\\share', 'ws01.example']\ncondition: keywords",
        "selection: {Image|exists: true}\nfilter: {Image|contains: tools}\ncondition: selection and not filter",
        "selection: {Image|re: '(?<=a)b'}",
        "selection: {User: 'EXAMPLE\\alice'}",
        "selection: {IntegrityLevel: High}",
    ]
    events = [event(SYSMON, 1, {"Image": value}) for value in values]
    events.append(
        event(
            SECURITY,
            4688,
            {
                "NewProcessName": 'C:\\Tools\\say "hi".exe',
                "SubjectDomainName": "EXAMPLE",
                "SubjectUserName": "alice",
                "MandatoryLabel": "S-1-16-12288",
            },
        )
    )
    # Nested JSON in a value: its backslashes are written once in the value and so twice in the event.
    events.append(event(SYSMON, 1, {"Image": {"Deep": ["C:\\Tools\\x.exe"]}}))
    case = make_case(tmp_path / "case.duckdb", events * 40)
    folder = tmp_path / "rules"
    folder.mkdir()
    rule_set = load(folder, *(rule(text, title=f"T{number}") for number, text in enumerate(conditions)))
    (fast, fast_runs), (sql, sql_runs) = run_both(case, rule_set, 97)
    assert fast == sql
    assert fast_runs == sql_runs
    by_title = {item.title: item.findings for item in sql_runs}
    assert [title for title, count in by_title.items() if not count] == ["T16"]  # RE2 does not look behind
    assert [item.state for item in sql_runs if item.title == "T16"] == ["failed"]


def test_both_ways_end_alike_for_odd_rules_and_odd_events(tmp_path: Path) -> None:
    events = [event(SYSMON, 1, {"Image": f"filler {number}", "CommandLine": "${jndi:xabc}"}) for number in range(50)]
    events += [
        event(SYSMON, 99, {}),
        event(SYSMON, 1, {"Image": "baz}qux"}),
        event(SECURITY, 4711, {"Foo": "evilword"}),
    ]
    case = make_case(tmp_path / "case.duckdb", events)
    with duckdb.connect(str(case)) as connection:
        connection.execute("UPDATE event SET event_id = NULL WHERE event_id = 4711")
        deep = '{"a":' * 1_100 + '{"Image":"evilword deep"}' + "}" * 1_100
        connection.execute("UPDATE event SET event_data = ? WHERE event_id = 99", [deep])
    everything = "definition: any of Windows"
    texts = [
        rule("keywords: [evilword]\ncondition: keywords", source=everything, title="T0"),
        rule("selection: {CommandLine|re: '[$]{[^}]ndi:x'}", title="T1"),
        rule("selection: {Image|re: 'foo{bar|baz}qux'}", title="T2"),
        rule(f"selection: {{CommandLine|contains: nowhere, Foo|gt: 1{'0' * 30}}}", title="T3"),
        rule(f"selection: {{EventID: 4242, Foo|gt: 1{'0' * 30}}}", title="T4"),
        rule("selection: {EventID: 4242, Foo|re: '(?=a)'}", title="T5"),
        rule("selection: {EventID: 4242}", title="T6"),
    ]
    folder = tmp_path / "rules"
    folder.mkdir()
    (fast, fast_runs), (sql, sql_runs) = run_both(case, load(folder, *texts), 20)
    assert fast == sql
    assert fast_runs == sql_runs
    assert [(item.state, item.findings) for item in sorted(sql_runs, key=lambda item: item.title)] == [
        ("ran", 2),
        ("ran", 50),
        ("ran", 1),
        ("failed", None),
        ("failed", None),
        ("failed", None),
        ("ran", 0),
    ]


def test_interrupted_batch_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a"})])
    folder = tmp_path / "rules"
    folder.mkdir()
    rule_set = load(folder, *(rule("selection: {Image: a}", title=f"T{number}") for number in range(3)))
    endless = "(SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b) > event_key"
    monkeypatch.setattr("evtxhunt.sigma.engine_sql.predicate_sql", lambda *_: endless)
    with connect_scratch(case, "1GB") as connection:
        engine = SqlEngine(connection, 3600, batch=3)
        runner = RuleRunner(connection, rule_set, read_log_sources(LOG_SOURCES), lambda _: engine)
        timer = threading.Timer(1, lambda: [cursor.interrupt() for cursor in engine._all])
        timer.start()
        with pytest.raises(duckdb.InterruptException):
            list(runner.findings())


def test_texts_are_found_in_pieces_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pa.array(["xab", None, "", "ab" * 50, "b", "zz"], pa.string())
    matcher = candidates._automaton(["ab", "zz"])
    whole = candidates._texts_by_row(matcher, texts)
    assert whole == [{0}, set(), set(), {0}, set(), {1}]
    monkeypatch.setattr(candidates, "_SEARCH_BYTES", 5)
    assert candidates._texts_by_row(matcher, texts) == whole
    assert candidates._texts_by_row(matcher, texts.slice(2, 2)) == whole[2:4]


@pytest.fixture(scope="session")
def fuzzed(sigmahq: RuleSet, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    events = list(fuzz_events(sigmahq.rules, read_log_sources(LOG_SOURCES), 7))
    return make_case(tmp_path_factory.mktemp("fuzz") / "case.duckdb", events)


@pytest.fixture(scope="session")
def fuzz_hits(fuzzed: Path, sigmahq: RuleSet) -> list[Hit]:  # noqa: F811
    (fast, fast_runs), (sql, sql_runs) = run_both(fuzzed, sigmahq, 1_000)
    assert fast == sql
    assert fast_runs == sql_runs
    return sql


@pytest.mark.corpus
@pytest.mark.slow
def test_both_ways_find_the_same_where_nearly_every_rule_fires(fuzz_hits: list[Hit]) -> None:
    assert len({rule_id for rule_id, _ in fuzz_hits}) > 2_600


@pytest.mark.corpus
@pytest.mark.slow
def test_both_ways_find_the_same_in_all_real_logs(shared_root: Path, sigmahq: RuleSet, tmp_path: Path) -> None:  # noqa: F811
    case = tmp_path / "case.duckdb"
    ingest([shared_root / "corpora", SIGMA / "regression_data"], case)
    (fast, fast_runs), (sql, sql_runs) = run_both(case, sigmahq, 10_000)
    assert fast == sql
    assert fast_runs == sql_runs
    assert len(sql) > 5_000


def lost(case: Path, rules: Sequence[Rule], hits: Sequence[Hit]) -> list[Hit]:
    """Hits of plain SQL that are not proposed."""
    with connect_scratch(case, "1GB") as connection:
        connection.execute(MACROS_SQL)
        choose_events(connection, include_recovered=False)
        proposer = Proposer(connection, read_catalogue(connection), read_log_sources(LOG_SOURCES), rules)
        asked = proposer.propose(1, 10**6)
        keys = {row[0] for row in connection.execute(f"SELECT event_key FROM {CANDIDATES}").fetchall()}
    return [
        (rule_id, key)
        for rule_id, key in hits
        if rule_id not in proposer.plain and not (rule_id in asked and key in keys)
    ]


Patch = Callable[[pytest.MonkeyPatch], None]


def without_overlaps(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ahocorasick_rs.BytesAhoCorasick

    class Matcher:
        def __init__(self, texts: Sequence[bytes], **_: Any) -> None:
            self.real = real(texts)

        def find_matches_as_indexes(self, text: memoryview, overlapping: bool) -> list[tuple[int, int, int]]:
            return self.real.find_matches_as_indexes(text)

    monkeypatch.setattr(candidates.ahocorasick_rs, "BytesAhoCorasick", Matcher)


def with_the_row_before(monkeypatch: pytest.MonkeyPatch) -> None:
    real = candidates._texts_by_row
    monkeypatch.setattr(candidates, "_texts_by_row", lambda *given: [*real(*given)[1:], set()])


def without_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_TEXT_SQL", "concat(event_data, rendering_info)")


def with_one_of_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "_any", literals._all)


def with_backslashes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "_piece_need", lambda piece: piece.lower() or None)


def with_needs_of_negations(monkeypatch: pytest.MonkeyPatch) -> None:
    real = literals.need_of

    def need(predicate: Predicate, is_searched: Any) -> Any:
        return need(predicate.item, is_searched) if isinstance(predicate, Not) else real(predicate, is_searched)

    monkeypatch.setattr(literals, "need_of", need)
    monkeypatch.setattr(candidates, "need_of", need)


def with_translated_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "is_in_event_data", lambda place, kinds, name: True)


def without_the_last_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    real = candidates._read
    monkeypatch.setattr(candidates, "_read", lambda *given: (batch.slice(0, len(batch) - 9) for batch in real(*given)))


def with_an_event_id_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    real = candidates.event_ids_of
    monkeypatch.setattr(
        candidates, "event_ids_of", lambda condition: None if (ids := real(condition)) is None else ids - {max(ids)}
    )


def with_kinds_of_few_texts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    real = candidates._searches
    monkeypatch.setattr(candidates, "_searches", lambda *given: list(real(*given))[:1])


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.parametrize(
    "mutate",
    [
        without_overlaps,
        with_the_row_before,
        without_lower_case,
        with_one_of_alternatives,
        with_backslashes_once,
        with_needs_of_negations,
        with_translated_fields,
        without_the_last_rows,
        with_an_event_id_too_few,
        with_kinds_of_few_texts_alone,
    ],
)
def test_a_bug_planted_in_the_search_loses_hits(
    mutate: Patch,
    fuzzed: Path,
    fuzz_hits: list[Hit],
    sigmahq: RuleSet,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert lost(fuzzed, sigmahq.rules, fuzz_hits) == []
    mutate(monkeypatch)
    assert lost(fuzzed, sigmahq.rules, fuzz_hits)


def test_what_is_found_across_the_border_of_two_rows_is_in_neither() -> None:
    matcher = candidates._automaton(["ab", "b", "abc"])
    rows = candidates._texts_by_row(matcher, pa.array(["xa", None, "bc", "", "abcab"], pa.string()))
    assert rows == [set(), set(), {1}, set(), {0, 1, 2}]
