"""`triage`: a shelf in, a ranked list out; hosts are named right, and what cannot be read is told."""

import csv
import json
import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import detect, load_query_set
from evtxhunt.pipeline.report import ReportOptions, write_report
from evtxhunt.pipeline.triage_score import score_parts
from samples.bulk import write_weeks
from samples.evtx_writer import build_log
from tests.containers.test_archives import aes_zip_of
from tests.faults.killed import differing_tables, write_logs
from tests.logs import make_log, make_records, rows
from tests.triage.shelves import contents, hosts, states, told, triage, write_demo, write_log

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="triage forks")


def ingest_directly(shelf: Path) -> Path:
    """A case of the same collections, made by `ingest` of one after the other."""
    case = shelf.parent / "direct.duckdb"
    for collection in sorted(shelf.iterdir()):
        ingest([collection], case, is_host_from_folders=False)
    return case


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's hosts, triaged: shelf, and out."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder / "shelf")
    result = triage(folder / "shelf", folder / "out")
    assert result.returncode == 0, result.stderr
    assert "5 hosts; collections: 5 complete" in result.stderr
    return folder


def test_hosts_are_ranked_by_a_score_whose_parts_add_up(demo: Path) -> None:
    found = told(demo / "out")["hosts"]
    assert [(host["name"].split(".")[0], host["score"], host["verdict"]) for host in found] == [
        ("SRV02", 940, "evidence"),
        ("SRV03", 245, "evidence"),
        ("WS07", 200, "evidence"),
        ("DC01", 85, "evidence"),
        ("OLD01", 0, "not logged"),
    ]
    assert all(sum(part["points"] for part in host["parts"]) == host["score"] for host in found)
    assert [(part["points"], part["text"]) for part in found[1]["parts"]] == [
        (100, "high: Second hop with credentials given inside the session"),
        (60, "second hop: reached from SRV02.corp.example.test"),
        (60, "second hop: went on to DC01.corp.example.test"),
        (25, "medium: Program started through PowerShell Remoting or winrs"),
    ]


def test_sessions_and_hops_between_hosts_are_those_of_one_case_over_all(demo: Path) -> None:
    ways = [(hop["source"], hop["via"], hop["target"]) for hop in told(demo / "out")["hops"]]
    short = [tuple(name and name.split(".")[0] for name in way) for way in ways]
    assert short == [("ws07", "srv02", "srv03"), ("srv02", "srv03", "dc01")]


def test_the_case_is_row_for_row_that_of_an_ingest_of_each_collection_in_order(demo: Path) -> None:
    case = ingest_directly(demo / "shelf")
    assert rows(case, "SELECT count(*) FROM event") == [(912,)]
    detect(case, load_query_set())
    assert differing_tables(case, demo / "out" / "case.duckdb") == []


def test_copies_damage_and_conflicts_across_collections_are_those_of_an_ingest(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    write_logs(shelf / "a")
    write_logs(shelf / "c")  # every log of `a` once more
    write_log(shelf, "b/early.evtx", "WS000.example.test", 9)  # records of a log of `a`, and more
    write_log(shelf, "d/other.evtx", "WS000.example.test", 4, "other")  # other records of the same numbers
    assert triage(shelf, tmp_path / "out").returncode == 4
    case = ingest_directly(shelf)
    detect(case, load_query_set())
    assert rows(case, "SELECT count(*) FROM event_conflict") == [(4,)]
    assert rows(case, "SELECT count(*) > 500, count(DISTINCT source_file_id) > 100 FROM event_copy") == [(True, True)]
    assert differing_tables(case, tmp_path / "out" / "case.duckdb") == []


def test_a_hosts_report_is_the_one_that_report_writes(demo: Path) -> None:
    text = write_report(demo / "out" / "case.duckdb", load_query_set(), ReportOptions(host="WS07.corp.example.test"))
    assert (demo / "out" / "hosts" / "ws07.corp.example.test.html").read_text(encoding="utf-8") == text
    assert "SRV02/Security.evtx" not in text  # a log that neither holds its records nor is cited


def test_csv_and_manifest_are_for_machines(demo: Path) -> None:
    with (demo / "out" / "hosts.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["score"], line["high"], line["hops_in"]) for line in lines][:2] == [
        ("940", "8", "0"),
        ("245", "1", "1"),
    ]
    with (demo / "out" / "findings.csv").open(encoding="utf-8", newline="") as stream:
        findings = list(csv.DictReader(stream))
    assert len(findings) == 46
    assert all(finding["records"] for finding in findings)
    manifest = json.loads((demo / "out" / "manifest.json").read_text())
    assert [run["command"] for run in manifest["runs"]] == ["ingest"] * 5 + ["detect"]
    assert "wall_clock_of_runs" not in manifest


def test_again_reads_nothing_anew_and_writes_the_same(demo: Path) -> None:
    before = contents(demo / "out")
    result = triage(demo / "shelf", demo / "out")
    assert result.returncode == 0, result.stderr
    assert contents(demo / "out") == before
    assert rows(demo / "out" / "case.duckdb", "SELECT count(*) FROM run") == [(6,)]


def test_what_comes_later_is_added(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "b/s.evtx", "B")
    assert triage(shelf, output).returncode == 0
    write_log(shelf, "a/s.evtx", "A")
    assert triage(shelf, output).returncode == 0
    assert hosts(output) == {"A": ["a"], "B": ["b"]}


def test_what_came_into_a_collection_since_is_added_by_reading_it_again(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "a/s.evtx", "A")
    write_log(shelf, "b/s.evtx", "B")
    assert triage(shelf, output).returncode == 0
    write_log(shelf, "a/more.evtx", "LATE", 3)
    assert triage(shelf, output).returncode == 0
    assert hosts(output) == {"A": ["a"], "B": ["b"]}
    assert triage(shelf, output, "--reread").returncode == 0
    assert hosts(output) == {"A": ["a"], "B": ["b"], "LATE": ["a"]}
    assert rows(output / "case.duckdb", "SELECT count(*) FROM event") == [(13,)]
    before = told(output)
    assert triage(shelf, output, "--reread").returncode == 0
    assert told(output) == before
    assert rows(output / "case.duckdb", "SELECT count(*) FROM event") == [(13,)]


def test_encrypted_collection_is_read_once_its_password_is_given(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "a/s.evtx", "A")
    (shelf / "b.zip").write_bytes(aes_zip_of({"Logs/s.evtx": make_log(4, "B")}, b"infected"))
    assert triage(shelf, output).returncode == 4
    state, reason = states(output)["b.zip"]
    assert state != "complete" and "give its --password" in str(reason)
    assert triage(shelf, output, "--reread", "--password", "infected").returncode == 0
    assert states(output)["b.zip"] == ("complete", None)
    assert hosts(output) == {"A": ["a"], "B": ["b.zip"]}
    assert b"infected" not in b"".join(path.read_bytes() for path in output.rglob("*") if path.is_file())


def test_one_host_in_two_collections_and_two_hosts_in_one_are_kept_right(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "first/s.evtx", "WS01.example.test")
    write_log(shelf, "second/s.evtx", "ws01.EXAMPLE.test", 7, "later")  # the same, written in another way
    write_log(shelf, "both/one/s.evtx", "SRV01.example.test")
    write_log(shelf, "both/two/s.evtx", "SRV01.other.test", 3)  # another computer of the same short name
    write_log(shelf, "copy/s.evtx", "SRV01.other.test", 3)  # the same file once more
    result = triage(shelf, output)
    assert result.returncode == 0, result.stderr
    assert hosts(output) == {
        "SRV01.example.test": ["both"],
        "SRV01.other.test": ["both"],
        "WS01.example.test": ["first", "second"],
    }
    assert {item["name"]: item["events"] for item in told(output)["hosts"]}["WS01.example.test"] == 12
    collections = {Path(item["path"]).name: item for item in told(output)["collections"]}
    assert collections["both"]["hosts"] == ["SRV01.example.test", "SRV01.other.test"]
    assert (collections["copy"]["logs"], collections["copy"]["state"]) == (1, "complete")


def test_other_names_in_the_same_logs_are_five_and_their_number(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    records = [replace(record, computer=f"N{number}") for number, record in enumerate(make_records(8))]
    (shelf / "many").mkdir(parents=True)
    (shelf / "many" / "forwarded.evtx").write_bytes(build_log(records))
    write_log(shelf, "alone/s.evtx", "X")
    write_log(shelf, "own/s.evtx", "N7", 4, "own")
    assert triage(shelf, output).returncode == 0
    found = {item["name"]: (item["also_named"], item["also_named_count"]) for item in told(output)["hosts"]}
    first = [f"N{number}" for number in range(6)]
    expected = {name: ([other for other in first if other != name][:5], 7) for name in (*first, "N6", "N7")}
    assert found == expected | {"X": ([], 0)}
    assert '<span class="value">N4</span> and 2 more</div>' in (output / "index.html").read_text(encoding="utf-8")


def test_at_most_ten_computers_count_in_one_direction() -> None:
    peers = [(f"a{number:02}", False) for number in range(8)] + [(f"b{number:02}", True) for number in range(8)]
    assert [(part.points, part.text) for part in score_parts([], peers, [], [])] == [
        (480, "second hop: reached from a00, a01, a02 and 5 more"),
        (30, "second hop: reached from b00, b01, b02 and 5 more, refused"),
    ]


def test_a_path_that_holds_logs_directly_is_one_collection(tmp_path: Path) -> None:
    write_log(tmp_path, "host/s.evtx", "A")
    write_log(tmp_path, "host/more/s.evtx", "B")
    assert triage(tmp_path / "host", tmp_path / "out").returncode == 0
    assert hosts(tmp_path / "out") == {"A": ["host"], "B": ["host"]}


def test_bad_collections_are_told_and_stop_no_other(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "a-good/s.evtx", "A")
    write_log(shelf, "z-good/s.evtx", "Z")
    (shelf / "sha256sums.txt").write_text("notes of the collector")
    (shelf / "image.zip").write_bytes(b"no archive at all")
    (shelf / "empty").mkdir()
    (shelf / "other").mkdir()
    (shelf / "other" / "readme").write_text("nothing")
    write_log(shelf, "cut/s.evtx", "C", 100)
    log = shelf / "cut" / "s.evtx"
    log.write_bytes(log.read_bytes()[: 4096 + 5000])
    result = triage(shelf, output)
    assert result.returncode == 4
    assert states(output) == {
        "a-good": ("complete", None),
        "cut": ("incomplete", "1 damaged logs, 90 records in them could not be read"),
        "empty": ("no logs", "no event log in it"),
        "image.zip": ("no logs", "not an event log"),
        "other": ("no logs", "no event log among 1 files"),
        "sha256sums.txt": ("no evidence", "not an event log"),
        "z-good": ("complete", None),
    }
    assert f"INCOMPLETE {shelf}/cut: 1 damaged logs" in result.stderr
    assert set(hosts(output)) == {"A", "C", "Z"}


def test_what_leaves_nothing_unread_makes_no_collection_incomplete(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "WS01/s.evtx", "A")
    write_log(shelf, "WS01#2/s.evtx", "B", 3)  # as a shelf's second collection of a host may be called
    shutil.copy(shelf / "WS01" / "s.evtx", shelf / "WS01" / "same.evtx")
    for name in ("disk.E02", "WS01/part.E02"):
        (shelf / name).write_bytes(b"EVF\x09\x0d\x0a\xff\x00\x01\x02\x00")
    (shelf / "WS01" / "part.E01").write_bytes(b"no image at all")
    with zipfile.ZipFile(shelf / "WS01!old.zip", "w") as archive:
        archive.writestr("s.evtx", make_log(4, "C"))
        archive.writestr("uploads.csv", "a")
    result = triage(shelf, output)
    assert states(output) == {
        "WS01": ("complete", None),
        "WS01!old.zip": ("complete", None),
        "WS01#2": ("complete", None),
        "disk.E02": ("no logs", "a part of a disk image, whose first part is not beside it"),
    }
    assert hosts(output) == {"A": ["WS01"], "B": ["WS01#2"], "C": ["WS01!old.zip"]}
    assert result.returncode == 4
    (shelf / "disk.E01").write_bytes(b"no image at all")
    assert triage(shelf, output, "--reread").returncode == 4
    assert states(output)["disk.E02"] == ("no evidence", "a part of a disk image, read with the first one")
    assert states(output)["disk.E01"] == ("no logs", "not an event log")


def test_quiet_hosts_are_told_from_hosts_that_were_not_logged(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_weeks(shelf, 4, events=1)
    write_log(shelf, "X/s.evtx", "X")
    assert triage(shelf, output, "--fail-on", "high").returncode == 0
    found = {item["name"].split(".")[0]: (item["score"], item["verdict"]) for item in told(output)["hosts"]}
    # PowerShell wrote nothing on two of them: whether it was not used or not logged cannot be told.
    blind = dict.fromkeys(("D000", "W000", "X"), (0, "not logged"))
    assert found == dict.fromkeys(("A000", "S0000"), (0, "quiet")) | blind
    page = (output / "index.html").read_text(encoding="utf-8")
    words = "System, Windows PowerShell, Microsoft-Windows-WinRM/Operational"
    assert words in page


def test_fail_on_tells_findings_by_the_exit_status(tmp_path: Path) -> None:
    write_demo(tmp_path / "shelf")
    assert triage(tmp_path / "shelf", tmp_path / "out", "--fail-on", "HIGH").returncode == 1
    assert triage(tmp_path / "shelf", tmp_path / "out", "--fail-on", "critical").returncode == 0
