"""Rule files: what is read, what is refused with its file and line, and what hostile files cannot do."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from evtxhunt.errors import RulesError
from evtxhunt.sigma import files
from evtxhunt.sigma.load import load_rules
from evtxhunt.sigma.model import RuleSet
from tests.conftest import REPOSITORY
from tests.sigma.rules import SYSMON, event, hits, make_case, rule, run

GOOD = rule("selection: {Image: a}", title="Good")


def load(folder: Path, **texts: str) -> RuleSet:
    """The rules of files of these names, with a dot for each double underscore."""
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return load_rules([folder], {})


def problems(rule_set: RuleSet, folder: Path) -> list[str]:
    return [str(problem).replace(f"{folder}/", "") for problem in rule_set.problems]


def test_folders_are_read_in_the_order_of_names_and_other_yaml_is_counted(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yaml").write_text(rule("selection: {Image: b}", title="B"))
    (tmp_path / "notes.txt").write_text("title: no rule")
    loaded = load(tmp_path, a__yml=GOOD, workflow__yml="on: push\njobs: {}\n", empty__yml="")
    assert [item.header.title for item in loaded.rules] == ["Good", "B"]
    assert [item.header.file for item in loaded.rules] == ["a.yml", "sub/b.yaml"]
    assert (loaded.files, loaded.other_files, loaded.problems) == (2, 2, ())


def test_the_header_says_what_the_rule_says(tmp_path: Path) -> None:
    further = (
        "id: 11111111-2222-3333-4444-555555555555\nlevel: high\nstatus: stable\nauthor: A. N. Other\nlicense: MIT\n"
        "description: Finds a\nreferences: [https://example.test]\nfalsepositives: [None known]\n"
        "tags: [attack.execution, attack.t1059.001, attack.T1105, attack.g0001, car.2019-01-001]\n"
    )
    [loaded] = load(tmp_path, a__yml=rule("selection: {Image: a}", further=further)).rules
    header = loaded.header
    assert (header.rule_id, header.level, header.status) == ("11111111-2222-3333-4444-555555555555", "high", "stable")
    assert (header.author, header.licence, header.attack) == ("A. N. Other", "MIT", ("T1059.001", "T1105"))
    assert (header.description, header.line) == ("Finds a", 1)
    assert (header.references, header.false_positives) == (("https://example.test",), ("None known",))
    assert header.text.startswith("title: T\n") and header.text.endswith("car.2019-01-001]\n")


def test_several_documents_of_a_file_have_lines_and_ids_of_their_own(tmp_path: Path) -> None:
    second = rule("selection: {Image: b}", title="Second")
    loaded = load(tmp_path, a__yml=f"# head\n---\n{GOOD}---\n{second}")
    assert [(item.header.rule_id, item.header.line) for item in loaded.rules] == [("a.yml", 3), ("a.yml#2", 11)]
    assert loaded.rules[1].header.text == second


def test_a_file_that_is_no_yaml_is_named_with_its_line_and_the_others_are_read(tmp_path: Path) -> None:
    loaded = load(tmp_path, a__yml="title: x\ndetection:\n    a: [1, 2\n", b__yml=GOOD)
    assert problems(loaded, tmp_path) == [
        "a.yml:4: not readable as YAML: did not find expected ',' or ']'",
    ]
    assert len(loaded.rules) == 1


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (rule("selection: {Image|nosuch: a}"), 5, "Unknown modifier 'nosuch'"),
        (rule("selection: {Image: a}\ncondition: selectoin"), 7, "Detection 'selectoin' not defined in detections"),
        (rule("selection: {Image: a}\ncondition: 1 of x_*"), 7, "the condition names no detection"),
        (rule("selection: {Image: a}\ncondition: selection | count() > 5"), 7, "The pipe syntax"),
        (rule("selection: {Image: a}\ncondition: a near b"), 7, "Expected end of text"),
        (rule("selection: {Image|re: 'a('}"), 5, "Regular expression 'a(' is invalid"),
        (rule("selection: {Image|cidr: 10.0.0.1/8}"), 5, "Invalid CIDR expression"),
        (rule("selection: {Image|gt: abc}"), 5, "incompatible to value type"),
        (rule("selection: {Image|base64: 'a*'}"), 5, "wildcards is not allowed"),
        (rule("selection: [null]"), 5, "this value or modifier needs a field"),
        (GOOD + "level: hgih\n", 8, "'hgih' is not a valid Sigma rule level"),
        (GOOD + "id: not-a-uuid\n", 8, "Sigma rule identifier must be an UUID"),
        (
            GOOD.replace("    category: process_creation\n", "    category: [1]\n"),
            2,
            "log source category must be string",
        ),
        ("title: x\nlogsource: {product: windows}\n", 1, "Sigma rule must have a detection definitions"),
        ("title: x\nlogsource: {product: windows}\ndetection: nonsense\n", 3, ""),
        ("title: x\nlogsource: 5\ndetection: {a: {b: c}, condition: a}\n", 2, "logsource must be a valid YAML map"),
        ("title: x\nlogsource: {product: windows}\ndetection: {5: {b: c}, condition: 5}\n", 3, ""),
        ("title: x\nlogsource: {product: windows}\ndetection: {a: {7: c}, condition: a}\n", 3, ""),
        (
            "title: x\ntitle: y\nlogsource: {product: windows}\ndetection: {a: {b: c}, condition: a}\n",
            1,
            "Duplicate key",
        ),
        (
            "title: x\ncorrelation: {type: event_count, rules: nosuch, timespan: 1m, condition: {gte: 2}}\n",
            2,
            "a rule that it names is not here",
        ),
        ("title: x\ncorrelation: {type: event_count}\n", 2, ""),
        ("title: x\nfilter: {condition: a}\nlogsource: {product: windows}\n", 2, ""),
    ],
)
def test_a_rule_that_cannot_run_is_named_with_its_line(text: str, line: int, said: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, a__yml=text, b__yml=GOOD)
    [problem] = problems(loaded, tmp_path)
    assert problem.startswith(f"a.yml:{line}: "), problem
    assert said in problem
    assert [item.header.title for item in loaded.rules] == ["Good"]


def test_an_id_that_is_taken_is_a_problem_of_the_second_rule(tmp_path: Path) -> None:
    text = GOOD + "id: 11111111-2222-3333-4444-555555555555\n"
    loaded = load(tmp_path, a__yml=text, b__yml=text)
    assert problems(loaded, tmp_path) == ["b.yml:8: id 11111111-2222-3333-4444-555555555555 is taken by a.yml:1"]
    assert [problem.header.rule_id for problem in loaded.problems] == ["b.yml"]


def test_files_of_the_same_name_in_two_folders_have_ids_of_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yml").write_text(GOOD)
    loaded = load_rules([tmp_path / "one", tmp_path / "two", tmp_path / "one"], {})
    assert [item.header.rule_id for item in loaded.rules] == ["a.yml", "a.yml~2"]


def test_old_collections_with_actions_are_read(tmp_path: Path) -> None:
    text = """action: global
title: Both
logsource: {product: windows, category: process_creation}
---
detection: {a: {Image: a}, condition: a}
---
detection: {a: {Image: b}, condition: a}
"""
    loaded = load(tmp_path, a__yml=text)
    assert [(item.header.title, item.header.line) for item in loaded.rules] == [("Both", 5), ("Both", 7)]


# Filters -----------------------------------------------------------------------------------------------------------

FILTER = """title: No admins
logsource: {product: windows, category: process_creation}
filter:
    rules: RULES
    admins: {User: admin}
    condition: CONDITION
"""


@pytest.mark.parametrize(
    ("rules", "condition", "expected"),
    [
        ("any", "not admins", [1]),
        ("[11111111-2222-3333-4444-555555555555]", "not admins", [1]),
        ("[22222222-2222-3333-4444-555555555555]", "not admins", [1, 2]),
        ("any", "not 1 of them", [1]),
        ("any", "admins", [2]),
    ],
)
def test_filters_narrow_the_rules_that_they_name(
    rules: str, condition: str, expected: list[int], tmp_path: Path
) -> None:
    case = make_case(
        tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a", "User": user}) for user in ("bob", "admin")]
    )
    text = GOOD + "id: 11111111-2222-3333-4444-555555555555\n---\n"
    text += FILTER.replace("RULES", rules).replace("CONDITION", condition)
    assert hits(case, text, tmp_path) == expected


def test_a_filter_of_another_log_source_does_nothing(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a", "User": "admin"})])
    text = FILTER.replace("RULES", "any").replace("CONDITION", "not admins").replace("process_creation", "image_load")
    assert hits(case, f"{GOOD}---\n{text}", tmp_path) == [1]


def test_errors_of_filters_have_no_random_names(tmp_path: Path) -> None:
    text = FILTER.replace("RULES", "any").replace("CONDITION", "not nosuch")
    loaded = load(tmp_path, a__yml=GOOD, f__yml=text)
    assert problems(loaded, tmp_path) == ["a.yml:7: Detection 'nosuch' not defined in detections"]


def test_a_filter_whose_id_is_taken_fails_and_narrows_nothing(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a", "User": "admin"})])
    taken = "id: 11111111-2222-3333-4444-555555555555\n"
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "a.yml").write_text(GOOD + taken)
    (rules / "f.yml").write_text(taken + FILTER.replace("RULES", "any").replace("CONDITION", "not admins"))
    findings, runs = run(case, rules)
    assert len(findings) == 1
    assert [item.state for item in runs.values()] == ["ran", "failed"]


# Placeholders ------------------------------------------------------------------------------------------------------


def test_placeholders_are_filled_and_a_missing_one_is_not_applicable(tmp_path: Path) -> None:
    case = make_case(
        tmp_path / "case.duckdb",
        [event(SYSMON, 1, {"User": user}) for user in ("x\\alice", "x\\bob", "x\\carol", "x\\b.b", "x\\bxb")],
    )
    path = tmp_path / "rule.yml"
    path.write_text(rule("selection: {User|expand|endswith: '%admins%'}"))
    findings, runs = run(case, path, admins=("alice", "c*"))
    assert [finding.evidence for finding in findings] == [(1,), (3,)]
    _, runs = run(case, path)
    assert (runs["T"].state, runs["T"].findings) == ("not applicable", None)
    assert runs["T"].reason == "needs the placeholder admins: give it with --placeholders FILE"
    path.write_text(rule("selection: {User|re|expand: '%admins%$'}"))
    findings, _ = run(case, path, admins=("b.b",))
    assert [finding.evidence for finding in findings] == [(4,)], "what fills a pattern is literal text"


def test_placeholders_that_multiply_without_bound_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_text(rule("selection: {User|expand: '%a%%a%%a%%a%%a%'}"))
    [problem] = load_rules([path], {"a": tuple(str(number) for number in range(100))}).problems
    assert "its placeholders make 10000000000 values" in problem.reason


# Zips --------------------------------------------------------------------------------------------------------------


def test_a_zip_is_read_in_memory_whatever_its_names_say(tmp_path: Path) -> None:
    path = tmp_path / "in" / "rules.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.yml", GOOD)
        archive.writestr("/etc/evil.yml", rule("selection: {Image: b}", title="Absolute"))
        archive.writestr("sigma-master/README.md", "no rule")
    loaded = load_rules([path], {})
    assert sorted(item.header.title for item in loaded.rules) == ["Absolute", "Good"]
    assert sorted(tmp_path.rglob("*")) == [path.parent, path]


def test_a_bomb_in_a_zip_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "rules.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.yml", b"a" * 200_000_000)
        archive.writestr("good.yml", GOOD)
    loaded = load_rules([path], {})
    assert problems(loaded, tmp_path) == ["rules.zip/bomb.yml:1: larger than 1,000,000 bytes, which no rule is"]
    assert len(loaded.rules) == 1


def test_a_zip_with_too_much_in_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MOST_FILES", 2)
    for name in "abc":
        (tmp_path / f"{name}.yml").write_text(GOOD)
    with pytest.raises(RulesError, match=r"more than 2 files or 256,000,000 bytes; give --rules a smaller folder"):
        load_rules([tmp_path], {})


def test_damaged_members_and_zips_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.yml", GOOD)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"title: Good", b"title: Evil"))
    [problem] = problems(load_rules([path], {}), tmp_path)
    assert problem == "rules.zip/a.yml:1: cannot be read: Bad CRC-32 for file 'a.yml'"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_damaged_by_any_method_is_named_and_the_others_are_read(method: int, tmp_path: Path) -> None:
    path = tmp_path / "rules.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.yml", GOOD * 50)
        archive.writestr("b.yml", GOOD)
    content = bytearray(path.read_bytes())
    for at in range(50, 65):
        content[at] ^= 0xFF
    path.write_bytes(content)
    loaded = load_rules([path], {})
    [problem] = problems(loaded, tmp_path)
    assert problem.startswith("rules.zip/a.yml:1: cannot be read: ")
    assert [item.header.file for item in loaded.rules] == ["b.yml"]


def test_zips_whose_list_of_members_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "rules.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ä.yml", GOOD)
    content = path.read_bytes()
    path.write_bytes(content.replace("ä".encode(), b"\xff\xfe"))
    with pytest.raises(RulesError, match=r"rules.zip: the zip cannot be read: 'utf-8' codec .*; fetch it again"):
        load_rules([path], {})
    data = bytearray(content)
    data[data.index(b"PK\x01\x02") + 6] = 99
    path.write_bytes(data)
    with pytest.raises(RulesError, match=r"rules.zip: the zip cannot be read: zip file version 9.9; fetch it again"):
        load_rules([path], {})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere every name is text")
def test_a_file_whose_name_is_no_utf_8_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    for name in (os.fsdecode(b"\xff.yml"), "\\udcff.yml", "a.yml"):
        (tmp_path / name).write_text(GOOD)
    loaded = load_rules([tmp_path], {})
    assert problems(loaded, tmp_path) == ["\\udcff.yml:1: its path is not UTF-8: rename it"]
    assert [item.header.file for item in loaded.rules] == ["\\udcff.yml", "a.yml"]


def test_a_path_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        RulesError, match="no such file or folder of rules; give --rules a folder, a YAML file or a zip"
    ):
        load_rules([tmp_path / "nosuch"], {})


# Hostile rules -----------------------------------------------------------------------------------------------------


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    text = "title: x\nlogsource: {product: windows}\n" + "\n".join(lines) + "\ndetection: {a: *a8, condition: a}\n"
    assert problems(load(tmp_path, a__yml=text), tmp_path) == [
        "a.yml:1: not readable as YAML: its aliases make more than 100000 nodes"
    ]


def test_an_alias_inside_of_itself_is_refused(tmp_path: Path) -> None:
    text = "title: x\nlogsource: {product: windows}\ndetection: &d {a: *d, condition: a}\n"
    [problem] = problems(load(tmp_path, a__yml=text), tmp_path)
    assert "an alias inside of what it stands for" in problem


def test_anchors_of_honest_rules_are_read(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "b"})])
    assert hits(case, rule("a: {Image: &names [a, b]}\nb: {User: *names}\ncondition: 1 of them"), tmp_path) == [1]


@pytest.mark.parametrize("text", ["[" * 100_000, "detection: " + "{a: " * 5_000 + "}" * 5_000, "- " * 50_000])
def test_depth_is_refused_and_ends_no_run(text: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, a__yml=text, b__yml=GOOD)
    assert [item.header.title for item in loaded.rules] == ["Good"]
    assert len(loaded.problems) == 1


@pytest.mark.parametrize(
    ("detection", "said"),
    [
        ("selection: {Image|re: '(?=a)b'}", "its regular expression looks ahead or behind"),
        ("selection: {Image|re: '(?<!a)b'}", "its regular expression looks ahead or behind"),
        ("selection: {Image|re: '(a)\\1'}", "its regular expression refers back"),
        ("selection: {Image|re: 'a{2000}'}", "its regular expression repeats something more than 1,000 times"),
        ("selection: {Image|re: '((a{500}){500})'}", "its regular expression"),
        ("selection: {Image: 1" + "0" * 40 + "}", "larger than any that a log holds"),
        (
            "selection: {Image: a}\ncondition: " + "not (" * 300 + "selection" + ")" * 300,
            "nested too deeply to be read",
        ),
    ],
)
def test_what_cannot_be_asked_fails_by_itself(detection: str, said: str, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a"})])
    (tmp_path / "a.yml").write_text(rule(detection, title="Bad"))
    (tmp_path / "b.yml").write_text(GOOD)
    findings, runs = run(case, [tmp_path / "a.yml", tmp_path / "b.yml"])
    assert runs["Bad"].state == "failed"
    assert said in str(runs["Bad"].reason)
    assert runs["Bad"].findings is None
    assert [finding.title for finding in findings] == ["Good"]


def test_a_regular_expression_that_explodes_elsewhere_takes_linear_time(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {"Image": "a" * 30_000 + "!"})])
    assert hits(case, rule("selection: {Image|re: '^(a+)+$'}"), tmp_path) == []


@pytest.mark.parametrize(
    "value",
    [
        "'); DROP TABLE event; --",
        "x' OR 1=1 --",
        "\\'; SELECT 1",
        '"; ATTACH',
        "$$; x",
        "/* */",
        "a\0b",
        "{x}",
        "?",
        "%s",
    ],
)
def test_values_and_fields_are_never_sql(value: str, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, {value: value, "Image": value})])
    text = '"' + "".join(f"\\u{ord(letter):04x}" if letter in '"\\\0' else letter for letter in value) + '"'
    plain = text.replace("?", "\\\\?").replace("*", "\\\\*") if "?" in value or "*" in value else text
    assert hits(case, rule(f"selection: {{Image: {plain}}}"), tmp_path) == [1]
    assert hits(case, rule(f"selection: {{Image|contains|cased: {plain}}}"), tmp_path) == [1]
    assert hits(case, rule(f"selection: {{{text}: {plain}}}"), tmp_path) == [1]
    assert hits(case, rule(f"selection: [{plain}]"), tmp_path) == [1]


# What is imported --------------------------------------------------------------------------------------------------


def test_pysigma_is_imported_for_rules_only_and_nothing_that_knows_the_network() -> None:
    code = (
        "import sys, evtxhunt.cli; before = 'sigma' in sys.modules; import evtxhunt.sigma.load;"
        " print(before, sorted({'sigma', 'requests', 'jq', 'diskcache'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert shown.stdout == "False ['sigma']\n"
