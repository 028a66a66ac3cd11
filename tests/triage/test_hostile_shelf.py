"""Shelves that are hostile: names, limits, full disks, folders in the wrong place."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import duckdb
import pytest

import evtxhunt.pipeline.ingest as stage
from evtxhunt import __version__
from evtxhunt.pipeline.ingest import add_staged, ingest
from evtxhunt.pipeline.shelf import file_name
from evtxhunt.pipeline.staged import open_staging, read_stage
from evtxhunt.store import open_store
from samples.evtx_writer import build_log
from tests.conftest import REPOSITORY
from tests.faults.hostile import BOMBS, HOSTILE
from tests.faults.killed import differing_tables, write_logs
from tests.hostile_events import hostile_log
from tests.logs import make_records, rows
from tests.triage.shelves import hosts, states, told, triage, write_log

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="triage forks")

NAMES = (
    "\x1b[2J\u202e",
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE event; --",
    '{"a": "\\',
    "..hidden",
    "%s%n{0}",
    "a\nb",
    "x" * 255,
)


def test_names_of_collections_can_be_anything(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    for number, name in enumerate(NAMES):
        write_log(shelf, f"{name}/s.evtx", f"WS{number}")
    (shelf / os.fsdecode(b"\xff\xfe")).mkdir()
    (shelf / os.fsdecode(b"\xff\xfe") / "s.evtx").write_bytes(build_log(make_records(5, "WSB")))
    result = triage(shelf, output)
    assert result.returncode == 0, result.stderr
    shown = result.stdout + result.stderr
    assert not [sign for sign in shown if sign < " " and sign != "\n"]
    assert {Path(item["path"]).name for item in told(output)["collections"]} == {*NAMES, "\\xff\\xfe"}
    assert hosts(output)["WS0"] == [NAMES[0]] and hosts(output)["WSB"] == ["\\xff\\xfe"]


def test_names_of_hosts_can_be_anything_and_stay_in_the_folder(tmp_path: Path) -> None:
    computers = [
        "../../evil",
        "a/b",
        "A\\B",
        "con",
        "<script>",
        "x" * 200,
        "..",
        "\x07",
        "é",
        "E",
        "=cmd|' /C calc'!A0",
    ]
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    for number, computer in enumerate(computers):
        write_log(shelf, f"{number:02}/s.evtx", computer)
    (shelf / "hostile").mkdir()
    (shelf / "hostile" / "s.evtx").write_bytes(hostile_log())
    result = triage(shelf, output)
    # 4: some detections do not take forged records without a time, which is told.
    assert result.returncode in (0, 4) and "Traceback" not in result.stderr, result.stderr
    found = told(output)["hosts"]
    names = [Path(item["report"]).name for item in found]
    assert len(set(names)) == len(found) == len(computers) + 1
    assert sorted(path.name for path in (output / "hosts").iterdir()) == sorted(names)
    assert all(len(name.encode()) < 120 and name.isascii() for name in names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "shelf"]
    text = (output / "hosts.csv").read_text(encoding="utf-8")
    assert "'=cmd|" in text  # no formula


def test_file_names_are_safe_and_differ() -> None:
    assert file_name("WS01.example.test") == "ws01.example.test"
    for name in ("..", "a/b", "a\\b", "con", "NUL.x", ".hidden", "x" * 300, "é", "", "a\x00b"):
        assert file_name(name) != name
        assert not set(file_name(name)) - set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert len({file_name(name) for name in ("a/b", "a\\b", "a:b", "a_b")}) == 4
    assert file_name(file_name("büro-pc")) != file_name("büro-pc")  # a computer that is called so


def test_runaway_collection_is_stopped_and_the_rest_goes_on(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "good/s.evtx", "A")
    write_log(shelf, "slow/b.evtx", "B")
    (shelf / "slow" / "bomb.evtx").write_bytes(BOMBS["2 to the 60th"])
    os.mkfifo(shelf / "slow" / "pipe.evtx")
    result = triage(shelf, output, "--time-limit", "1")
    assert result.returncode == 4
    assert states(output) == {"good": ("complete", None), "slow": ("failed", "not read within 1 s")}
    assert "allow more with --time-limit" in result.stderr
    assert set(hosts(output)) == {"A"}
    # With time enough the chunk alone is given up, and the same folder is completed.
    assert triage(shelf, output).returncode == 4
    assert states(output)["slow"] == ("incomplete", "1 files unreadable, the first: not a regular file")
    assert {"A", "B"} <= set(hosts(output))


@pytest.mark.skipif(sys.platform != "linux", reason="memory of processes is seen on Linux alone")
def test_collection_that_takes_too_much_memory_is_stopped_and_the_rest_goes_on(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "good/s.evtx", "A")
    write_log(shelf, "large/s.evtx", "B")
    code = """
import sys, time
from pathlib import Path
from evtxhunt.cli.triage_command import FleetTable
from evtxhunt.pipeline import fleet
from evtxhunt.pipeline.query import load_query_set
from evtxhunt.pipeline.triage import triage

real = fleet._read

def read(collection, *others):
    if collection.name == "large":
        held = bytearray(600 * 2**20)
        held[::4096] = b"x" * len(held[::4096])
        time.sleep(60)
    real(collection, *others)

fleet._read = read
with FleetTable() as table:
    triage([Path(sys.argv[1])], Path(sys.argv[2]), load_query_set(None), fleet.Limits(2, 300, 500 * 2**20), table)
"""
    subprocess.run([sys.executable, "-c", code, str(shelf), str(output)], cwd=REPOSITORY, check=True, timeout=600)
    assert states(output) == {
        "good": ("complete", None),
        "large": ("failed", "needs more than 500 MiB of memory"),
    }


_FLEET = """
import os, sys
from functools import partial
from pathlib import Path
from evtxhunt.pipeline.fleet import Fleet, Limits, Progress, _read
from evtxhunt.pipeline.forks import Child, wait_any
class Silent:
    def show(self, collections, step): pass
paths = sorted(Path(sys.argv[1]).iterdir())
output = Path(sys.argv[2])
output.mkdir()
fleet = Fleet(output, Limits(2), Silent())
"""


def in_fleet(shelf: Path, output: Path, code: str) -> str:
    """What `code` prints, which has the shelf's `paths` and a `fleet` of two jobs."""
    arguments = [sys.executable, "-c", _FLEET + code, str(shelf), str(output)]
    return subprocess.run(arguments, cwd=REPOSITORY, check=True, timeout=600, capture_output=True, text=True).stdout


def test_what_one_forged_collection_has_is_not_held_against_those_beside_it(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "a/s.evtx", "A")
    (shelf / "b").mkdir()
    (shelf / "b" / "s.evtx").write_bytes(HOSTILE["name at 0"])  # a text that the database does not take
    # Both were read, the first one with each text checked, as after it was refused beside another forged one.
    code = """
items = [Progress(0, paths[0], str(paths[0]), "read", is_checked=True), Progress(1, paths[1], str(paths[1]), "read")]
with fleet._writer() as writer:
    writer.ready()
    for item in items:
        child = Child(partial(_read, item.path, fleet._stage(item), item.is_checked, fleet.limits))
        while child.status is None:
            wait_any([child], 1)
            child.messages()
    fleet._read_all(items, writer)
    writer.end()
print([(item.state, item.is_checked, item.reason) for item in items])
"""
    assert in_fleet(shelf, output, code) == "[('in the case', True, ''), ('in the case', True, '')]\n"


def test_refused_collection_is_read_again_however_many_wait_for_it(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "a/s.evtx", "A")
    code = """
items = [Progress(number, paths[0], str(number), "read") for number in range(100)]
items[0].state, items[0].is_checked = "waiting", True
items[-1].state = "waiting"
fleet._start_workers(items)
print(items[0].state, items[-1].state, len(fleet._workers))
for worker in fleet._workers:
    worker.kill()
"""
    assert in_fleet(shelf, output, code) == "reading waiting 1\n"


@pytest.mark.skipif(sys.platform != "linux", reason="open files are seen on Linux alone")
def test_no_file_stays_open_after_a_round(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "a/s.evtx", "A")
    code = """
counts = set()
for _ in range(3):
    fleet.read(paths)
    counts.add(len(os.listdir("/proc/self/fd")))
print(len(counts))
"""
    assert in_fleet(shelf, output, code) == "1\n"


def test_collection_that_the_database_refuses_leaves_the_case_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_LOAD_FILES", 2)
    shelf, case = tmp_path / "shelf", tmp_path / "case.duckdb"
    for number in range(5):
        write_log(shelf, f"a/{number}.evtx", f"A{number}")
    (shelf / "a" / "z.evtx").write_bytes(HOSTILE["name at 0"])
    ingest([shelf / "a"], tmp_path / "part", opener=open_staging)
    with open_store(case, "512MB", "test") as store:
        with pytest.raises(duckdb.InvalidInputException):
            add_staged(store, [read_stage(tmp_path / "part")])
        assert store.paths() == {} and store.next_ids() == (1, 1)
    ingest([shelf / "a"], tmp_path / "part", opener=partial(open_staging, is_checked=True))
    with open_store(case, "512MB", "test") as store:
        add_staged(store, [read_stage(tmp_path / "part")])
    assert rows(case, "SELECT count(*), count(DISTINCT source_file_id) FROM event") == [(5 * 5 + 7, 6)]


def test_collections_taken_in_many_loads_at_once_are_those_of_an_ingest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_LOAD_FILES", 7)
    write_logs(tmp_path / "a")
    write_log(tmp_path, "b/early.evtx", "WS000.example.test", 9)  # records of a log of `a`, and more
    write_log(tmp_path, "b/other.evtx", "WS000.example.test", 4, "other")  # other records of the same numbers
    for name in "ab":
        ingest([tmp_path / name], tmp_path / f"part-{name}", opener=open_staging, is_host_from_folders=False)
        ingest([tmp_path / name], tmp_path / "direct.duckdb", is_host_from_folders=False)
    case = tmp_path / "case.duckdb"
    with open_store(case, "512MB", __version__) as store:
        add_staged(store, [read_stage(tmp_path / f"part-{name}") for name in "ab"])
    assert rows(case, "SELECT (SELECT count(*) FROM event_copy), count(*) FROM event_conflict") == [(52, 4)]
    assert differing_tables(tmp_path / "direct.duckdb", case) == []


def test_folder_that_is_not_ours_is_refused_untouched(tmp_path: Path) -> None:
    write_log(tmp_path / "shelf", "a/s.evtx", "A")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("x")
    result = triage(tmp_path / "shelf", tmp_path / "out")
    assert result.returncode == 3
    assert result.stderr == f"error: {tmp_path}/out: is not empty and no folder of a triage; give -o another one\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]


def test_folder_on_the_shelf_is_no_collection_and_within_one_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path, "a/s.evtx", "A")
    for _ in range(2):
        assert triage(tmp_path, tmp_path / "out").returncode == 0
        assert set(states(tmp_path / "out")) == {"a"}
    result = triage(tmp_path, tmp_path / "a" / "out")
    assert result.returncode == 3
    assert "lies within the collection" in result.stderr and not (tmp_path / "a" / "out").exists()


def test_full_disk_is_one_line_and_the_folder_goes_on_with_room(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "a/s.evtx", "A", 20_000)
    result = triage(shelf, output, before="ulimit -f 200")  # 512-byte blocks
    assert result.returncode == 3
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
    result = triage(shelf, output)
    assert result.returncode == 0, result.stderr
    assert told(output)["events"] == 20_000


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_collection_is_told(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_log(shelf, "a/s.evtx", "A")
    write_log(shelf, "b/s.evtx", "B")
    (shelf / "b").chmod(0)
    try:
        assert triage(shelf, output).returncode == 4
    finally:
        (shelf / "b").chmod(0o700)
    assert states(output)["b"] == ("no logs", "unreadable: Permission denied")
