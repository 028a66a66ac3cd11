"""The quiet week at any size: sound logs, continuous ids, and no GUID twice."""

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from parsers import ParsedRecord, differences, read_dissect, read_evtx, read_libevtx, read_python_evtx
from structure import read_chunks

from samples import bulk
from samples.bulk import write_weeks

# python-evtx calls datetime.utcfromtimestamp, deprecated in Python 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:.*utcfromtimestamp.*:DeprecationWarning")

WEEK = 5_259  # events of one cell and week


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cells of four hosts for three weeks."""
    path = tmp_path_factory.mktemp("bulk")
    written = write_weeks(path, 8, events=5 * WEEK)
    logs = sorted(path.rglob("*.evtx"))
    assert written.events == 6 * WEEK, "whole weeks of all cells"
    assert written.size == sum(log.stat().st_size for log in logs)
    assert written.logs == len(logs) == 48
    return path


@pytest.fixture(scope="module")
def records(folder: Path) -> dict[str, list[ParsedRecord]]:
    return {str(log.relative_to(folder)): read_evtx(log) for log in sorted(folder.rglob("*.evtx"))}


def test_hosts_have_their_own_names_and_addresses(records: dict[str, list[ParsedRecord]]) -> None:
    names = {log.partition("/")[0] for log in records}
    assert names == {"A000", "A001", "D000", "D001", "S0000", "S0001", "W000", "W001"}
    for log, found in records.items():
        host = log.partition("/")[0]
        assert {str(record.values["Computer"]) for record in found} == {f"{host}.corp.example.test"}
        networks = {
            str(record.values[field]).removeprefix("::ffff:").rpartition(".")[0]
            for record in found
            for field in ("IpAddress", "SourceIp", "DestinationIp")
            if "." in str(record.values.get(field, ""))
        }
        # Staff whose own computers are in no log are the same everywhere.
        assert networks <= {f"198.18.{100 + int(host[1:])}", "192.0.2", "127.0.0"}


def test_ids_run_on_and_times_do_not_go_back_over_the_weeks(records: dict[str, list[ParsedRecord]]) -> None:
    for log, found in records.items():
        ids = [record.header_record_id for record in found]
        assert ids == list(range(1, len(found) + 1)), log
        assert [int(str(record.values["EventRecordID"])) for record in found] == ids
        times = [datetime.fromisoformat(str(record.values["TimeCreated@SystemTime"])) for record in found]
        assert times == sorted(times), log
    first, last = datetime(2024, 1, 8, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC) + timedelta(weeks=3)
    moments = [
        datetime.fromisoformat(str(record.values["TimeCreated@SystemTime"])).replace(tzinfo=UTC)
        for found in records.values()
        for record in found
    ]
    assert first < min(moments) < first + timedelta(days=1)
    assert last - timedelta(days=1) < max(moments) < last


def test_texts_and_headers_move_with_the_weeks(folder: Path, records: dict[str, list[ParsedRecord]]) -> None:
    for record in records["W001/Microsoft-Windows-Sysmon%4Operational.evtx"]:
        created = datetime.fromisoformat(str(record.values["TimeCreated@SystemTime"]))
        written = datetime.fromisoformat(str(record.values["UtcTime"]))
        assert timedelta(0) <= created - written < timedelta(seconds=3)
    chunks = read_chunks((folder / "W001" / "Security.evtx").read_bytes())
    assert all(chunk.has_valid_checksums() for chunk in chunks)
    assert [chunk.first_number for chunk in chunks[1:]] == [chunk.last_number + 1 for chunk in chunks[:-1]]
    assert [chunk.first_id for chunk in chunks[1:]] == [chunk.last_id + 1 for chunk in chunks[:-1]]


@pytest.mark.parametrize("read", [read_python_evtx, read_libevtx, read_dissect])
def test_a_patched_log_reads_alike_in_all_parsers(
    folder: Path, records: dict[str, list[ParsedRecord]], read: object
) -> None:
    log = "S0001/Windows PowerShell.evtx"
    assert callable(read)
    for record, wanted in zip(read(folder / log), records[log], strict=True):
        assert differences(record.values, wanted.values) == {}


def test_what_windows_makes_once_is_there_once(records: dict[str, list[ParsedRecord]]) -> None:
    """Processes, tickets and shells of other weeks and hosts are others."""
    guids: Counter[str] = Counter()
    for found in records.values():
        for record in found:
            event = (record.values["Provider@Name"], record.values["EventID"])
            if event == ("Microsoft-Windows-Sysmon", "1"):
                guids[str(record.values["ProcessGuid"])] += 1
            elif event == ("Microsoft-Windows-Security-Auditing", "4769"):
                guids[str(record.values["LogonGuid"])] += 1
            elif event == ("Microsoft-Windows-WinRM", "91"):
                guids[str(record.values["shellId"])] += 1
    assert len(guids) > 3_000
    assert [guid for guid, count in guids.items() if count > 1] == []


def test_a_process_guid_tells_its_hour(records: dict[str, list[ParsedRecord]]) -> None:
    """Sysmon's GUID holds the second of the start as its logon GUID does."""
    for record in records["A001/Microsoft-Windows-Sysmon%4Operational.evtx"]:
        if record.values["EventID"] == "1":
            parts = str(record.values["ProcessGuid"]).split("-")
            second = int(parts[2] + parts[1], 16)
            started = datetime.fromisoformat(str(record.values["UtcTime"])).replace(tzinfo=UTC)
            assert second == int(started.timestamp())


def test_the_same_arguments_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_weeks(tmp_path, 8, events=5 * WEEK)
    for log in sorted(folder.rglob("*.evtx")):
        copy = tmp_path / log.relative_to(folder)
        assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(log.read_bytes()).digest()


def test_a_full_log_becomes_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "LARGEST_LOG", 2**20)
    write_weeks(tmp_path, 4, events=4 * WEEK)
    names = sorted(path.name for path in (tmp_path / "D000").glob("*Security*"))
    assert names[0] == "Archive-Security-001.evtx"
    ids = [record.header_record_id for name in names for record in read_evtx(tmp_path / "D000" / name)]
    assert ids == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("hosts", [0, -1, 4 * 312 + 1])
def test_more_hosts_than_addresses_are_refused(tmp_path: Path, hosts: int) -> None:
    with pytest.raises(ValueError, match="can be made"):
        write_weeks(tmp_path, hosts, events=1)
