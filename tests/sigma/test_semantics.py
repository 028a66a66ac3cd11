"""What each modifier means at its edges, one event a line: expected by the Sigma specification, not by what we do.

Where the specification leaves it open the line says what we decided.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sigma.rules import SYSMON, event, hits, make_case, rule, run

SHARP = "Straße"


@dataclass(frozen=True)
class Line:
    """A detection (flow YAML of `selection`, or a whole detection) on an event with this data."""

    name: str
    detection: str
    data: dict[str, Any]
    is_hit: bool


def yes(name: str, detection: str, **data: Any) -> Line:
    return Line(name, detection, data, True)


def no(name: str, detection: str, **data: Any) -> Line:
    return Line(name, detection, data, False)


LINES = [
    # Plain values
    yes("a value is compared without regard to case", "Image: C:\\CMD.exe", Image="c:\\cmd.EXE"),
    yes("case is folded beyond ASCII", "Image: ÄÖÉ", Image="äöé"),
    yes("Greek and Cyrillic fold, too", "Image: ΣΙΓΜΑ ЖЗ", Image="σιγμα жз"),
    no("sharp s is not ss: case is folded letter by letter", "Image: STRASSE", Image=SHARP),
    no("a value is the whole field", "Image: cmd.exe", Image="C:\\cmd.exe"),
    no("blanks count", "Image: cmd.exe", Image="cmd.exe "),
    no("a missing field has no value", "Image: cmd.exe"),
    yes("an empty text is the empty field", "Image: ''", Image=""),
    no("an empty text is no missing field", "Image: ''"),
    no("an empty text is no blank", "Image: ''", Image=" "),
    yes("a list is any of them", "Image: [a.exe, b.exe]", Image="B.exe"),
    no("none of a list", "Image: [a.exe, b.exe]", Image="c.exe"),
    yes("a list with null takes the missing field", "Image: [a.exe, null]"),
    yes("fields of a map must all fit", "{Image: a, User: b}", Image="A", User="B"),
    no("one field of a map does not fit", "{Image: a, User: b}", Image="A", User="C"),
    yes("maps of a list are alternatives", "[{Image: a}, {User: b}]", Image="x", User="b"),
    yes("field names are found whatever their case", "image: a", Image="a"),
    yes("blanks and punctuation in names make no difference", "ThreatName: a", **{"Threat Name": "a"}),
    yes("a quote in a value is no SQL", "Image: \"x' OR '1'='1\"", Image="x' OR '1'='1"),
    no("a quote in a value stays one value", "Image: \"x' OR '1'='1\"", Image="y"),
    yes("line ends are characters", '{Image: "a\\nb"}', Image="A\nB"),
    # Numbers and booleans
    yes("a number fits the text of it", "ProcessId: 4", ProcessId="4"),
    yes("a number fits a number", "ProcessId: 4", ProcessId=4),
    yes("a number fits hexadecimal text", "ProcessId: 4", ProcessId="0x4"),
    yes("zeros before a number are nothing", "ProcessId: 4", ProcessId="004"),
    no("a number is no part of a number", "ProcessId: 4", ProcessId="44"),
    no("a number is no word", "ProcessId: 4", ProcessId="four"),
    no("a number is not the missing field", "ProcessId: 0"),
    no("a fraction is not rounded", "ProcessId: 4", ProcessId="3.6"),
    yes("64 bits are kept", "ProcessId: 9227875636482146304", ProcessId="0x8010000000000000"),
    no("64 bits are told apart", "ProcessId: 9227875636482146305", ProcessId="0x8010000000000000"),
    yes("a quoted number is text", "ProcessId: '4'", ProcessId=4),
    no("a quoted number is not the hexadecimal one", "ProcessId: '4'", ProcessId="0x4"),
    yes("EventID is the event's", "EventID: 1", Image="a"),
    no("EventID of another", "EventID: 2", Image="a"),
    yes("EventID in another case", "eventId: 1", Image="a"),
    yes("EventID as text", "EventID: '1'", Image="a"),
    yes("EventID of a list", "EventID: [1, 2]", Image="a"),
    yes("true fits the text true", "Initiated: true", Initiated="true"),
    yes("true fits a boolean", "Initiated: true", Initiated=True),
    no("true is not false", "Initiated: true", Initiated="false"),
    # Wildcards and escapes
    yes("* is any text", "Image: 'a*c'", Image="abbbc"),
    yes("* is no text as well", "Image: 'a*c'", Image="ac"),
    yes("* goes over line ends", "Image: 'a*c'", Image="a\n\nc"),
    yes("* alone is any value", "Image: '*'", Image="x"),
    yes("* alone is the empty value", "Image: '*'", Image=""),
    no("* alone is not the missing field", "Image: '*'"),
    yes("? is one character", "Image: 'a?c'", Image="abc"),
    yes("? is one character beyond ASCII", "Image: 'a?c'", Image="aéc"),
    yes("? is one character beyond 16 bits", "Image: 'a?c'", Image="a😀c"),
    no("? is not none", "Image: 'a?c'", Image="ac"),
    no("? is not two", "Image: 'a?c'", Image="abbc"),
    yes("an escaped * is a star", "Image: 'a\\*c'", Image="a*c"),
    no("an escaped * is nothing else", "Image: 'a\\*c'", Image="abc"),
    yes("an escaped ? is a question mark", "Image: 'a\\?c'", Image="a?c"),
    no("an escaped ? is nothing else", "Image: 'a\\?c'", Image="abc"),
    yes("a backslash before another letter is one", "Image: 'C:\\Windows'", Image="C:\\Windows"),
    yes("two backslashes are one", "Image: 'C:\\\\Windows'", Image="C:\\Windows"),
    yes("four backslashes are two", "Image: '\\\\\\\\host\\share'", Image="\\\\host\\share"),
    yes("backslash, then a wildcard", "Image: 'C:\\\\*'", Image="C:\\x"),
    no("backslash, then a wildcard, needs the backslash", "Image: 'C:\\\\*'", Image="C:*"),
    yes("a last backslash is one", "Image|endswith: '\\'", Image="C:\\"),
    yes("% is no wildcard", "Image: '100%'", Image="100%"),
    no("% stands for itself only", "Image: 'a%c'", Image="abc"),
    no("_ stands for itself only", "Image: 'a_c'", Image="abc"),
    no("_ stands for itself beside wildcards", "Image: '*a_c*d'", Image="xabcxd"),
    yes("% and _ beside wildcards", "Image: '*a_%c*d'", Image="xA_%Cxd"),
    yes("! beside wildcards", "Image: '*!_*d'", Image="x!_yd"),
    # contains, startswith, endswith
    yes("contains", "Image|contains: 'DOW'", Image="C:\\Windows"),
    yes("contains with _ and %", "Image|contains: '_%'", Image="a_%b"),
    no("contains with _ as no wildcard", "Image|contains: 'a_b'", Image="axb"),
    yes("contains beyond ASCII", "Image|contains: 'ÜBER'", Image="x über y"),
    yes("contains with a wildcard inside", "Image|contains: 'a*b'", Image="x a -- b y"),
    no("contains of a missing field", "Image|contains: 'a'"),
    yes("startswith", "Image|startswith: 'c:\\'", Image="C:\\x"),
    no("startswith is the start", "Image|startswith: 'x'", Image="C:\\x"),
    yes("endswith", "Image|endswith: '\\CMD.EXE'", Image="C:\\cmd.exe"),
    no("endswith is the end", "Image|endswith: '\\cmd.exe'", Image="C:\\cmd.exe "),
    yes("all", "Image|contains|all: [a, b]", Image="b a"),
    no("all needs each", "Image|contains|all: [a, b]", Image="b"),
    # cased
    yes("cased fits the same case", "Image|cased: Cmd", Image="Cmd"),
    no("cased needs the same case", "Image|cased: Cmd", Image="cmd"),
    yes("cased contains", "Image|contains|cased: Cm", Image="xCmd"),
    no("cased contains needs the same case", "Image|contains|cased: CM", Image="xCmd"),
    yes("cased startswith with a wildcard", "Image|startswith|cased: 'C?d'", Image="Cmd.exe"),
    no("cased windash keeps case", "CommandLine|windash|contains|cased: ' -Enc'", CommandLine="x /enc"),
    yes("cased windash", "CommandLine|windash|contains|cased: ' -Enc'", CommandLine="x /Enc"),
    # null, exists
    yes("null is the missing field", "Image: null"),
    yes("null is the empty field, decided: Windows writes nothing as both", "Image: null", Image=""),
    yes("null is a null", "Image: null", Image=None),
    no("null is no value", "Image: null", Image="x"),
    no("null is no dash", "Image: null", Image="-"),
    yes("exists", "Image|exists: true", Image="x"),
    yes("exists with an empty value", "Image|exists: true", Image=""),
    yes("exists with null: the event has it", "Image|exists: true", Image=None),
    no("exists not", "Image|exists: true", User="x"),
    yes("does not exist", "Image|exists: false", User="x"),
    no("does exist", "Image|exists: false", Image="x"),
    # re
    yes("re is found anywhere", "Image|re: 'c.d'", Image="a cmd b"),
    no("re heeds case", "Image|re: 'c.d'", Image="a CMD b"),
    yes("re sees the text as written", "Image|re: 'C[A-Z]D'", Image="a CMD b"),
    yes("re|i", "Image|re|i: 'c.d'", Image="a CMD b"),
    no("re: . is no line end", "Image|re: 'a.b'", Image="a\nb"),
    yes("re|s: . is a line end", "Image|re|s: 'a.b'", Image="a\nb"),
    no("re: ^ is the start only", "Image|re: '^b'", Image="a\nb"),
    yes("re|m: ^ begins each line", "Image|re|m: '^b'", Image="a\nb"),
    yes("re|i|m|s together", "Image|re|i|m|s: '^B.c'", Image="a\nb\nC"),
    no("re of a missing field", "Image|re: '.*'"),
    yes("re of an empty field", "Image|re: '^$'", Image=""),
    yes("re with backslashes", "Image|re: '\\\\\\d+\\.exe$'", Image="C:\\12.exe"),
    yes("re with a quote", '{Image|re: "a\'b"}', Image="a'b"),
    yes("re of a length in one line", "Image|re: '.{1000,}'", Image="x" * 1000),
    no("re of a length too short", "Image|re: '.{1000,}'", Image="x" * 999),
    no("re of a length over two lines", "Image|re: '.{1000,}'", Image="x" * 600 + "\n" + "x" * 600),
    yes("re of a length in the second line", "Image|re: '.{1000,}'", Image="x\n" + "x" * 1000),
    # cidr
    yes("cidr v4", "DestinationIp|cidr: 10.0.0.0/8", DestinationIp="10.255.255.255"),
    no("cidr v4 beyond", "DestinationIp|cidr: 10.0.0.0/8", DestinationIp="11.0.0.0"),
    yes("cidr v4 off the byte", "DestinationIp|cidr: 172.16.0.0/12", DestinationIp="172.31.9.9"),
    no("cidr v4 off the byte, beyond", "DestinationIp|cidr: 172.16.0.0/12", DestinationIp="172.32.0.0"),
    yes("cidr v4 in v6", "DestinationIp|cidr: 10.0.0.0/8", DestinationIp="::ffff:10.1.2.3"),
    yes("cidr v4 of one address", "DestinationIp|cidr: 10.1.2.3/32", DestinationIp="10.1.2.3"),
    yes("cidr v4 of all", "DestinationIp|cidr: 0.0.0.0/0", DestinationIp="200.1.2.3"),
    no("cidr v4 of all has no v6", "DestinationIp|cidr: 0.0.0.0/0", DestinationIp="fe80::1"),
    yes("cidr v6", "DestinationIp|cidr: fe80::/10", DestinationIp="FE80::1%12"),
    yes("cidr v6 written out", "DestinationIp|cidr: 'fe80::/10'", DestinationIp="fe80:0:0:0:1:2:3:4"),
    no("cidr v6 beyond", "DestinationIp|cidr: fe80::/10", DestinationIp="fec0::1"),
    yes("cidr v6 loopback", "DestinationIp|cidr: '::1/128'", DestinationIp="0:0:0:0:0:0:0:1"),
    no("cidr v6 loopback, another", "DestinationIp|cidr: '::1/128'", DestinationIp="::2"),
    no("cidr v6 of all has no v4", "DestinationIp|cidr: '::/0'", DestinationIp="10.1.2.3"),
    yes("cidr of v4 written as v6", "DestinationIp|cidr: '::ffff:10.0.0.0/104'", DestinationIp="10.1.2.3"),
    no("cidr of no address", "DestinationIp|cidr: 10.0.0.0/8", DestinationIp="10.com"),
    no("cidr of an address with a port", "DestinationIp|cidr: 10.0.0.0/8", DestinationIp="10.0.0.1:80"),
    no("cidr of 256", "DestinationIp|cidr: 0.0.0.0/0", DestinationIp="256.1.1.1"),
    no("cidr of a missing field", "DestinationIp|cidr: 0.0.0.0/0"),
    yes("cidr of a list", "DestinationIp|cidr: [10.0.0.0/8, 'fc00::/7']", DestinationIp="fd00::1"),
    # Comparisons
    yes("lt", "ProcessId|lt: 5", ProcessId="4"),
    no("lt of the same", "ProcessId|lt: 5", ProcessId="5"),
    yes("lte", "ProcessId|lte: 5", ProcessId="5"),
    yes("gt is by number, not by text", "ProcessId|gt: 9", ProcessId="10"),
    no("gt of the same", "ProcessId|gt: 9", ProcessId="9"),
    yes("gte", "ProcessId|gte: 9", ProcessId="0x9"),
    yes("gt of a fraction", "ProcessId|gt: 9.5", ProcessId="9.75"),
    yes("lt of a negative", "ProcessId|lt: 0", ProcessId="-3"),
    no("gt of a word", "ProcessId|gt: 0", ProcessId="many"),
    no("lt of a missing field", "ProcessId|lt: 5"),
    yes("neq", "Image|neq: a", Image="b"),
    no("neq of the same", "Image|neq: a", Image="A"),
    yes("neq of a missing field: the opposite of equal", "Image|neq: a"),
    # fieldref
    yes("fieldref", "Image|fieldref: ParentImage", Image="C:\\A", ParentImage="c:\\a"),
    no("fieldref of another", "Image|fieldref: ParentImage", Image="a", ParentImage="b"),
    no("fieldref of a missing field", "Image|fieldref: ParentImage", Image="a"),
    no("fieldref of two missing fields", "Image|fieldref: ParentImage", User="a"),
    yes("fieldref startswith", "Image|fieldref|startswith: ParentImage", Image="abc", ParentImage="AB"),
    no("fieldref startswith, not the end", "Image|fieldref|startswith: ParentImage", Image="abc", ParentImage="bc"),
    yes("fieldref endswith", "Image|fieldref|endswith: ParentImage", Image="abc", ParentImage="BC"),
    yes("fieldref contains", "Image|fieldref|contains: ParentImage", Image="abc", ParentImage="B"),
    no("fieldref: * in a value is no wildcard", "Image|fieldref: ParentImage", Image="abc", ParentImage="a*c"),
    # windash
    yes("windash finds the slash", "CommandLine|windash|contains: ' -enc'", CommandLine="p /ENC x"),
    yes("windash finds the en dash", "CommandLine|windash|contains: ' -enc'", CommandLine="p –enc x"),
    yes("windash finds the em dash", "CommandLine|windash|contains: ' -enc'", CommandLine="p —enc x"),
    yes("windash finds the bar", "CommandLine|windash|contains: ' -enc'", CommandLine="p ―enc x"),
    yes("windash takes a slash for a dash", "CommandLine|windash|contains: ' /enc'", CommandLine="p -enc x"),
    no("windash leaves dashes in words", "CommandLine|windash|contains: ' a-b'", CommandLine=" a/b"),
    yes("windash with all", "CommandLine|windash|contains|all: [' -a', ' -b']", CommandLine="x /b -a"),
    no("windash with all needs each", "CommandLine|windash|contains|all: [' -a', ' -b']", CommandLine="x /b"),
    # base64, wide
    yes("base64", "CommandLine|base64|contains: 'foobar'", CommandLine="x Zm9vYmFy y"),
    yes("base64offset 0", "CommandLine|base64offset|contains: 'foobar'", CommandLine="Zm9vYmFy"),
    yes("base64offset 1", "CommandLine|base64offset|contains: 'foobar'", CommandLine="IGZvb2Jhcg=="),
    yes("base64offset 2", "CommandLine|base64offset|contains: 'foobar'", CommandLine="ICBmb29iYXI="),
    no("base64offset of another", "CommandLine|base64offset|contains: 'foobar'", CommandLine="Zm9vYmF6"),
    yes("wide base64offset", "CommandLine|wide|base64offset|contains: 'ping'", CommandLine="cABpAG4AZwAgAA=="),
    yes("utf16be base64", "CommandLine|utf16be|base64|contains: 'pi'", CommandLine="AHAAaQ=="),
    yes("base64 of an escaped wildcard", "CommandLine|base64|contains: 'b\\*c'", CommandLine="Yipj"),
    yes("base64offset counts bytes", "CommandLine|base64offset|contains: 'é-ü'", CommandLine="IMOpLcO8IQ=="),
    no("base64offset cased", "CommandLine|base64offset|contains|cased: 'foobar'", CommandLine="ZM9VYMFY"),
    yes("utf16le is wide", "CommandLine|utf16le|base64|contains: 'pi'", CommandLine="cABpAA=="),
    yes("utf16 has a mark before it", "CommandLine|utf16|base64|contains: 'pi'", CommandLine="//5wAGkA"),
    yes("wide beyond ASCII", "CommandLine|wide|base64offset|contains: 'éx'", CommandLine="IADpAHgAIQA="),
    yes("wide is text with NUL between", "CommandLine|wide|contains: 'ab'", CommandLine="xa\0b\0"),
    no("wide is not the plain text", "CommandLine|wide|contains: 'ab'", CommandLine="xab"),
    # Time parts
    yes("hour", "UtcTime|hour: 3", UtcTime="2026-05-01 03:59:59.123"),
    no("hour of another", "UtcTime|hour: 3", UtcTime="2026-05-01 04:00:00.000"),
    yes("minute", "UtcTime|minute: 59", UtcTime="2026-05-01 03:59:59.123"),
    yes("day", "UtcTime|day: 1", UtcTime="2026-05-01T03:59:59.123Z"),
    yes("week is ISO's", "UtcTime|week: 53", UtcTime="2027-01-01 00:00:00"),
    yes("month", "UtcTime|month: 5", UtcTime="2026-05-01 03:59:59"),
    yes("year", "UtcTime|year: 2026", UtcTime="2026-05-01 03:59:59"),
    no("no time", "UtcTime|hour: 3", UtcTime="3 o'clock"),
    yes("hour of the event itself", "TimeCreated|hour: 12", Image="a"),
    # Keywords
    yes("a keyword is found in any value", "[mimikatz]", CommandLine="run MIMIKATZ now"),
    no("a keyword is no field's name", "[commandline]", CommandLine="x"),
    yes("keywords are alternatives", "[foo, bar]", Image="a bar"),
    yes("all keywords, in whatever values", "'|all': [foo, bar]", Image="foo", User="bar"),
    no("all keywords need each", "'|all': [foo, bar]", Image="foo"),
    no("a keyword does not go over values", "[foo bar]", Image="foo", User="bar"),
    yes("a keyword with a wildcard", "['fo*ar']", Image="x foo bar"),
    yes("a number as keyword", "[4711]", Image="id 4711"),
    yes("a keyword with a quote and a backslash", "['a\"b\\c']", Image='x a"b\\c'),
    yes("a keyword with re", "'|re': 'fo+'", Image="x foooo"),
    yes("a keyword in the provider's name", "['microsoft-windows-sysmon']", Image="x"),
    # Conditions
    yes("not", "selection: {Image: a}\ncondition: not selection", Image="b"),
    yes("not of a missing field", "selection: {Image: a}\ncondition: not selection", User="b"),
    no("not of a hit", "selection: {Image: a}\ncondition: not selection", Image="a"),
    yes(
        "a filter on a missing field filters nothing",
        "selection: {Image: a}\nfilter: {User|contains: x}\ncondition: selection and not filter",
        Image="a",
    ),
    yes("not not", "selection: {Image: a}\ncondition: not (not selection)", Image="a"),
    no("not not of a missing field", "selection: {Image: a}\ncondition: not (not selection)", User="a"),
    yes("1 of", "s_1: {Image: a}\ns_2: {User: b}\ncondition: 1 of s_*", User="b"),
    no("all of", "s_1: {Image: a}\ns_2: {User: b}\ncondition: all of s_*", User="b"),
    yes("all of them", "s_1: {Image: a}\ns_2: {User: b}\ncondition: all of them", User="b", Image="a"),
    no("1 of them leaves out _names", "s_1: {Image: a}\n_x: {User: b}\ncondition: 1 of them", User="b"),
    yes("and binds before or", "a: {A: 1}\nb: {B: 1}\nc: {C: 1}\ncondition: a or b and c", A="1"),
    yes("not binds before and", "a: {A: 1}\nb: {B: 1}\ncondition: not a and b", B="1"),
    yes("several conditions are alternatives", "a: {A: 1}\nb: {B: 1}\ncondition: [a, b]", B="1"),
]


def yaml_of(number: int, line: Line) -> str:
    detection = line.detection
    if "condition:" not in detection:
        is_map = ": " in detection and not detection.startswith(("[", "{"))
        detection = f"selection:\n    {detection}" if is_map else f"selection: {detection}"
    return rule(detection, title=f"rule {number}")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, int]]:
    """(title of the rule, event_key) of every finding, all lines in one case."""
    folder = tmp_path_factory.mktemp("semantics")
    case = make_case(folder / "case.duckdb", [event(SYSMON, 1, line.data) for line in LINES])
    rules = folder / "rules.yml"
    rules.write_text("---\n".join(yaml_of(number, line) for number, line in enumerate(LINES, 1)), encoding="utf-8")
    findings, runs = run(case, rules)
    assert {(item.title, item.state, item.reason) for item in runs.values()} == {
        (f"rule {number}", "ran", None) for number in range(1, len(LINES) + 1)
    }
    return {(finding.title, key) for finding in findings for key in finding.evidence}


@pytest.mark.parametrize(("number", "line"), list(enumerate(LINES, 1)), ids=[line.name for line in LINES])
def test_meaning_of(number: int, line: Line, found: set[tuple[str, int]]) -> None:
    assert ((f"rule {number}", number) in found) == line.is_hit


def test_each_line_has_a_name_of_its_own() -> None:
    assert len({line.name for line in LINES}) == len(LINES)


@pytest.mark.parametrize(("slice_events", "slice_bytes"), [(100, 10**9), (10**9, 5_000)])
def test_slices_do_not_change_what_is_found(
    slice_events: int, slice_bytes: int, tmp_path: Path, found: set[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evtxhunt.sigma.run._SLICE_BYTES", slice_bytes)
    case = make_case(tmp_path / "case.duckdb", [event(SYSMON, 1, line.data) for line in LINES])
    rules = tmp_path / "rules.yml"
    rules.write_text("---\n".join(yaml_of(number, line) for number, line in enumerate(LINES, 1)), encoding="utf-8")
    findings, _ = run(case, rules, slice_events=slice_events)
    assert {(finding.title, key) for finding in findings for key in finding.evidence} == found


def test_hundreds_of_texts_mean_what_a_few_do(tmp_path: Path) -> None:
    texts = [f"part{number:03}%_'" for number in range(300)] + ["two\nlines", "ÄÖÜ", "x*y"]
    values = ["a PART007%_'b", "part300%_'", "part007", "Two\nLines", "äöü", "x and y", "", "PART299%_'", None]
    case = make_case(
        tmp_path / "case.duckdb",
        [event(SYSMON, 1, {"CommandLine": value} if value is not None else {}) for value in values],
    )
    listed = json.dumps(texts, ensure_ascii=False)
    assert hits(case, rule(f"selection: {{CommandLine|contains: {listed}}}"), tmp_path) == [1, 4, 5, 6, 8]
    negated = (
        f"selection: {{EventID: 1}}\nfilter: {{CommandLine|contains: {listed}}}\ncondition: selection and not filter"
    )
    assert hits(case, rule(negated), tmp_path) == [2, 3, 7, 9]
