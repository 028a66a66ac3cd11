"""Rules that were read once come from the cache; a cache that is not theirs, or not sound, is made anew."""

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evtxhunt.cli import app
from evtxhunt.pipeline.sigma import RuleOptions, load_rule_set
from evtxhunt.sigma.cache import cache_key, read_cache, write_cache
from evtxhunt.sigma.files import rule_files
from evtxhunt.sigma.load import load_rules
from evtxhunt.sigma.model import RuleSet
from tests.sigma.rules import SYSMON, event, make_case, rule
from tests.sigma.test_sigmahq import FOLDERS

CONDITIONS = """
selection:
    Image|endswith: ['\\a?b.exe', 'c*d']
    Image|re|i: 'x.+y'
    ProcessId|lt: 10
    SourceIp|cidr: '10.0.0.0/8'
    User|fieldref: ParentUser
    Company: null
    Product|exists: true
    CommandLine|contains|cased: 'É"'
    UtcTime|hour: 3
keywords: ['one', 'two']
condition: selection and not 1 of keyword*
"""
CORRELATION = """title: Many
name: many
correlation:
    type: temporal
    rules: [first, second]
    group-by: [User]
    timespan: 5m
    aliases: {who: {first: User, second: SubjectUserName}}
"""


@pytest.fixture
def options(tmp_path: Path) -> RuleOptions:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yml").write_text(
        rule(
            CONDITIONS,
            title="A",
            further="name: first\nid: " + "1" * 8 + "-" + "-".join(["1" * 4] * 3) + "-" + "1" * 12,
        ),
        encoding="utf-8",
    )
    (folder / "b.yml").write_text(rule("selection: {Image: b}", title="B", further="name: second"), encoding="utf-8")
    (folder / "c.yml").write_text(CORRELATION, encoding="utf-8")
    (folder / "broken.yml").write_text("detection: [", encoding="utf-8")
    (folder / "waits.yml").write_text(rule("selection: {User|expand: '%admins%'}", title="W"), encoding="utf-8")
    return RuleOptions((folder,), cache=tmp_path / "case.duckdb.rules-cache")


def cache_of(options: RuleOptions) -> Path:
    assert options.cache is not None
    return options.cache


def test_rules_out_of_the_cache_are_those_that_were_read(options: RuleOptions) -> None:
    read = load_rule_set(options)
    kept = read_cache(cache_of(options), cache_key(tuple(rule_files(options.paths)), {}))
    assert kept == read == load_rules(options.paths, {})
    assert repr(kept) == repr(read)  # 1 == True == 1.0
    assert (len(read.rules), len(read.correlations), len(read.problems)) == (2, 1, 2)


@pytest.mark.corpus
@pytest.mark.slow
def test_all_of_sigmahq_comes_out_of_the_cache_unchanged(shared_root: Path, tmp_path: Path) -> None:
    options = RuleOptions(tuple(FOLDERS), cache=tmp_path / "cache")
    read = load_rule_set(options)
    assert repr(load_rule_set(options)) == repr(read)


def change(path: Path, edit: Callable[[list[Any]], None]) -> None:
    """Changes what the cache says of the rules under the same key."""
    magic, key, packed = path.read_bytes().split(b"\n", 2)
    content = json.loads(zlib.decompress(packed))
    edit(content)
    path.write_bytes(b"\n".join([magic, key, zlib.compress(json.dumps(content).encode())]))


def test_a_cache_of_the_same_files_is_taken_without_reading_them_again(options: RuleOptions) -> None:
    load_rule_set(options)

    def retitle(content: list[Any]) -> None:
        content[1][0][1][3] = "From the cache"

    change(cache_of(options), retitle)
    assert load_rule_set(options).rules[0].header.title == "From the cache"


def test_a_changed_file_is_read_again(options: RuleOptions, tmp_path: Path) -> None:
    load_rule_set(options)
    (options.paths[0] / "b.yml").write_text(rule("selection: {Image: other}", title="New"), encoding="utf-8")
    assert "New" in {item.header.title for item in load_rule_set(options).rules}
    placeholders = tmp_path / "p.toml"
    placeholders.write_text('admins = ["root"]', encoding="utf-8")
    filled = RuleOptions(options.paths, placeholders=placeholders, cache=options.cache)
    assert "W" in {item.header.title for item in load_rule_set(filled).rules}


def test_values_that_move_to_another_placeholder_make_another_key() -> None:
    keys = {cache_key((), {"a": ("b", "c", "d")}), cache_key((), {"a": ("b",), "c": ("d",)}), cache_key((), {})}
    assert len(keys) == 3


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(5000))


def other_version(path: Path) -> None:
    magic, key, packed = path.read_bytes().split(b"\n", 2)
    path.write_bytes(b"\n".join([magic, b"0" * len(key), packed]))


def other_format(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"evtxhunt rules 1", b"evtxhunt rules 0", 1))


def nested(path: Path) -> None:
    magic, key, _ = path.read_bytes().split(b"\n", 2)
    path.write_bytes(b"\n".join([magic, key, zlib.compress(b"[" * 10**6)]))


def wrong_type(path: Path) -> None:
    def edit(content: list[Any]) -> None:
        content[1][0][1][3] = 7

    change(path, edit)


def unknown_class(path: Path) -> None:
    def edit(content: list[Any]) -> None:
        content[1][0][3] = ["Popen", "id"]

    change(path, edit)


def sql_for_an_operator(path: Path) -> None:
    def edit(content: list[Any]) -> None:
        content[1][0][3] = ["Number", "F", "= 1 OR 1 =", 1]

    change(path, edit)


def missing_value(path: Path) -> None:
    change(path, lambda content: content.pop())


def not_rules(path: Path) -> None:
    def edit(content: list[Any]) -> None:
        content[:] = ["LogSource", None, None, None]

    change(path, edit)


@pytest.mark.parametrize(
    "harm",
    [
        cut,
        garbage,
        other_version,
        other_format,
        nested,
        wrong_type,
        unknown_class,
        sql_for_an_operator,
        missing_value,
        not_rules,
    ],
)
def test_a_cache_that_is_not_sound_is_made_anew(harm: Callable[[Path], None], options: RuleOptions) -> None:
    read = load_rule_set(options)
    sound = cache_of(options).read_bytes()
    harm(cache_of(options))
    assert cache_of(options).read_bytes() != sound
    assert load_rule_set(options) == read
    assert cache_of(options).read_bytes() == sound


def test_rules_are_read_where_no_cache_can_be_kept(options: RuleOptions, tmp_path: Path) -> None:
    nowhere = RuleOptions(options.paths, cache=tmp_path / "no such folder" / "cache")
    assert load_rule_set(nowhere) == load_rule_set(RuleOptions(options.paths))
    taken = tmp_path / "folder"
    taken.mkdir()
    assert len(load_rule_set(RuleOptions(options.paths, cache=taken)).rules) == 2
    write_cache(taken, "key", RuleSet((), (), (), 0, 0, ""))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "rules"]


def test_detect_keeps_its_rules_beside_the_case_or_where_it_is_told(options: RuleOptions, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "b"})])
    found = []
    for more in ([], ["--engine", "fast"], ["--engine", "sql"], ["--rules-cache", str(tmp_path / "other")]):
        arguments = ["detect", "--case", str(case), "--rules", str(options.paths[0] / "b.yml"), "--format", "json"]
        result = CliRunner().invoke(app, [*arguments, *more])
        assert result.exit_code == 0, result.output
        found.append(result.stdout)
    assert len(json.loads(found[0])) == 1
    assert found == [found[0]] * 4
    assert (tmp_path / "case.duckdb.rules-cache").exists()
    assert (tmp_path / "other").read_bytes() == (tmp_path / "case.duckdb.rules-cache").read_bytes()
