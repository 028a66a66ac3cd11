"""Every scenario and the demo: equal bytes each time, equal in all parsers, and true to their truth."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from parsers import READERS, ParsedRecord, Values, differences
from structure import read_chunks

from samples.build import (
    DEMO_FOLDER,
    README,
    TRUTH_FOLDER,
    build_demo,
    build_scenario,
    committed_of,
    describe,
    with_section,
)
from samples.scenarios import scenarios

# python-evtx calls datetime.utcfromtimestamp, deprecated in Python 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:.*utcfromtimestamp.*:DeprecationWarning")

SCENARIOS = {scenario.name: scenario for scenario in scenarios()}
NAMES = ["demo", *SCENARIOS]
COMMITTED_LIMIT = 5_000_000
# A week of ordinary life is long for python-evtx, which reads 0.4 MB/s.
SLOW = {name for name in SCENARIOS if name.startswith("18")}
SYSTEM_NAMES = {"EventID", "Version", "Level", "Task", "Opcode", "Keywords", "EventRecordID", "Channel", "Computer"}


@cache
def built(name: str) -> dict[str, bytes]:
    return build_demo() if name == "demo" else build_scenario(SCENARIOS[name])


def truth(name: str) -> dict[str, Any]:
    return tomllib.loads(built(name)["truth.toml"].decode())


def logs(name: str) -> list[str]:
    return sorted(path for path in built(name) if path.endswith(".evtx"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the logs of all scenarios are written, each below its name."""
    return tmp_path_factory.mktemp("scenarios")


@pytest.fixture(scope="module")
def read(folder: Path) -> Any:
    """(scenario, log, parser) -> records, each read once."""

    @cache
    def reader(name: str, log: str, parser: str) -> list[ParsedRecord]:
        path = folder / name / log
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(built(name)[log])
        return READERS[parser](path)

    return reader


def names_of_payload(values: Values) -> list[str]:
    """Names of EventData and UserData in order; System comes first in every parser but dissect."""
    return [name for name in values if "@" not in name and name not in {*SYSTEM_NAMES, "EventData/Name"}]


def test_there_are_scenarios_one_to_eighteen() -> None:
    assert [name[:2] for name in SCENARIOS] == [f"{number:02}" for number in range(1, 19)]


def test_what_is_committed_is_small() -> None:
    files = [path for folder in (DEMO_FOLDER, TRUTH_FOLDER) for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= COMMITTED_LIMIT


def test_the_demo_is_rebuilt_to_the_committed_bytes() -> None:
    committed = {
        str(path.relative_to(DEMO_FOLDER)): path.read_bytes() for path in DEMO_FOLDER.rglob("*") if path.is_file()
    }
    assert sorted(built("demo")) == sorted(committed)
    assert [name for name, content in built("demo").items() if content != committed[name]] == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_rebuilt_to_the_committed_bytes(name: str) -> None:
    """The digests stand for the logs, which are not committed themselves."""
    committed = {path.name: path.read_bytes() for path in (TRUTH_FOLDER / name).iterdir()}
    assert committed_of(SCENARIOS[name]) == committed


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_picture_shows_every_host_and_step(name: str) -> None:
    picture = etree.fromstring((TRUTH_FOLDER / name / "picture.svg").read_bytes())
    texts = ["".join(element.itertext()) for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    told = truth(name)
    assert {host["name"] for host in told["host"]} <= set(texts)
    assert [text for text in texts if any(text.endswith(f": {step['text']}") for step in told["step"])] != []
    assert sum(text.isdecimal() for text in texts) == len(told["step"])


def test_the_readme_tells_each_scenario_as_its_module_does() -> None:
    text = README.read_text()
    assert with_section(text, describe(scenarios())) == text


def test_no_truth_is_left_of_a_scenario_that_is_gone() -> None:
    assert sorted(path.name for path in TRUTH_FOLDER.iterdir()) == sorted(SCENARIOS)


@pytest.mark.parametrize("parser", [name for name in READERS if name != "evtx"])
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NAMES])
def test_all_parsers_read_equal_ids_and_values(read: Any, name: str, parser: str) -> None:
    for log in logs(name):
        records, reference = read(name, log, parser), read(name, log, "evtx")
        assert len(records) == len(reference), log
        for record, wanted in zip(records, reference, strict=True):
            assert record.header_record_id in (wanted.header_record_id, None), log
            assert differences(record.values, wanted.values) == {}, (log, wanted.values["EventRecordID"])
            assert names_of_payload(record.values) == names_of_payload(wanted.values), log


@pytest.mark.parametrize("name", NAMES)
def test_checksums_are_valid_and_only_what_the_truth_calls_lost_is_missing(name: str) -> None:
    lost = {
        (gap["host"], gap["channel"].replace("/", "%4"), number)
        for gap in truth(name).get("lost_records", [])
        for number in range(gap["first"], gap["last"] + 1)
    }
    ids: dict[tuple[str, str], list[int]] = {}
    for log in logs(name):
        chunks = read_chunks(built(name)[log])
        assert all(chunk.has_valid_checksums() for chunk in chunks)
        host, _, file = log.partition("/")
        channel = file.removeprefix("Archive-").partition("-2025-")[0].removesuffix(".evtx")
        if not file.startswith("Archive-"):
            channel = file.removesuffix(".evtx")
        ids.setdefault((host, channel), []).extend(record_id for chunk in chunks for _, _, record_id in chunk.records())
    for place, numbers in ids.items():
        assert len(numbers) == len(set(numbers))
        missing = set(range(min(numbers), max(numbers) + 1)) - set(numbers)
        assert {(*place, number) for number in missing} <= lost, place
        assert not {(*place, number) for number in numbers} & lost


@pytest.mark.parametrize("name", NAMES)
def test_times_do_not_decrease_within_a_log(read: Any, name: str) -> None:
    for log in logs(name):
        times = [str(record.values["TimeCreated@SystemTime"]) for record in read(name, log, "evtx")]
        assert times == sorted(times), log


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_cites_records_that_exist_on_the_host_it_names(read: Any, name: str) -> None:
    records = {
        (log, int(str(record.values["EventRecordID"]))): record.values
        for log in logs(name)
        for record in read(name, log, "evtx")
    }
    told = truth(name)
    for entry in (*told.get("expected", []), *told.get("near_miss", []), *told.get("hop", [])):
        for citation in (*entry.get("records", []), *entry.get("related", [])):
            assert (citation["file"], citation["event_record_id"]) in records
    for session in told.get("session", []):
        for witness in session["witnesses"]:
            values = records[witness["file"], witness["event_record_id"]]
            computer = str(values["Computer"]).partition(".")[0]
            assert computer in {session.get("source"), session["target"], "DC01"}, witness
    fired = {
        (entry["detection"], record["file"], record["event_record_id"])
        for entry in told.get("expected", [])
        for record in entry["records"]
    }
    for entry in told.get("near_miss", []):
        for record in entry["records"]:
            assert (entry["detection"], record["file"], record["event_record_id"]) not in fired


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_marked_synthetic(read: Any, name: str) -> None:
    assert truth(name)["synthetic"] is True
    for log in logs(name):
        for record in read(name, log, "evtx"):
            values = record.values
            assert str(values["Computer"]).partition(".")[2] == "corp.example.test"
            for field in ("IpAddress", "SourceIp", "DestinationIp", "SourceAddress", "DestAddress"):
                address = str(values.get(field, "-")).removeprefix("::ffff:")
                assert address.startswith(("192.0.2.", "198.51.100.")) or address in ("-", "", "::1", "127.0.0.1", "::")
