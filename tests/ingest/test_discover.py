"""What counts as an event log, and that nothing below a path is passed over in silence."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from evtxhunt.discover import discover_files, is_harmless, name_hosts
from evtxhunt.errors import EvtxhuntError
from evtxhunt.model import LogCandidate, SkippedFile
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.shelf import find_collections
from evtxhunt.store import open_store
from tests.logs import make_log, rows


def reasons(folder: Path) -> dict[str, str]:
    return {item.path.name: item.reason for item in discover_files([folder])[1]}


def names(folder: Path) -> list[str]:
    return [str(item.path.relative_to(folder)) for item in discover_files([folder])[0]]


def test_content_and_not_the_suffix_decides(tmp_path: Path) -> None:
    (tmp_path / "log.bin").write_bytes(make_log(1))
    (tmp_path / "text.evtx").write_text("no log")
    (tmp_path / "text.txt").write_text("no log")
    (tmp_path / "empty.evtx").touch()
    assert names(tmp_path) == ["log.bin"]
    assert reasons(tmp_path) == {
        "text.evtx": "not an event log, though named .evtx",
        "text.txt": "not an event log",
        "empty.evtx": "empty",
    }


def test_hidden_logs_are_found_and_said_to_be_hidden(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.evtx").write_bytes(make_log(1))
    (tmp_path / "b.evtx").write_bytes(make_log(2, "WS02"))
    assert [item.is_hidden for item in discover_files([tmp_path])[0]] == [True, False]
    summary = ingest([tmp_path], tmp_path / "case.duckdb")
    assert summary.hidden == (str(tmp_path / ".cache" / "a.evtx"),)
    assert summary.events == 3


def test_link_loops_end(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "inner"
    folder.mkdir(parents=True)
    (folder / "a.evtx").write_bytes(make_log(1))
    (folder / "loop").symlink_to(tmp_path / "logs")
    assert names(tmp_path) == ["logs/inner/a.evtx"]


def test_links_that_lead_to_one_another_are_named_and_stop_no_other_log(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.evtx").write_bytes(make_log(1))
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(folder / "one")
    loop = "unreadable: a link that leads to itself"
    assert reasons(folder) == {"one": loop, "two": loop}
    assert ingest([folder], tmp_path / "case.duckdb").events == 1
    assert find_collections([folder], tmp_path / "out") == [folder]
    (folder / "a.evtx").unlink()
    assert find_collections([folder], tmp_path / "out") == [folder / "one", folder / "two"]


def test_part_of_an_image_is_harmless_only_beside_the_first_one(tmp_path: Path) -> None:
    (tmp_path / "disk.E02").write_bytes(b"EVF\x09\x0d\x0a\xff\x00\x01\x02\x00")
    missing = "a part of a disk image, whose first part is not beside it"
    assert reasons(tmp_path) == {"disk.E02": missing} and not is_harmless(missing)
    (tmp_path / "disk.E01").write_bytes(b"EVF\x09\x0d\x0a\xff\x00\x01\x01\x00")
    there = "a part of a disk image, read with the first one"
    assert reasons(tmp_path) == {"disk.E02": there} and is_harmless(there)


def test_the_same_file_by_another_path_is_named_and_not_read_twice(tmp_path: Path) -> None:
    (tmp_path / "a.evtx").write_bytes(make_log(1))
    (tmp_path / "b.evtx").symlink_to(tmp_path / "a.evtx")
    candidates, skipped = discover_files([tmp_path, tmp_path / "a.evtx"])
    assert [item.path.name for item in candidates] == ["a.evtx"]
    assert [(item.path.name, item.reason) for item in skipped] == [
        ("b.evtx", f"the same file as {tmp_path / 'a.evtx'}")
    ]


def test_special_files_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.evtx")
    (tmp_path / "gone.evtx").symlink_to(tmp_path / "nowhere")
    assert reasons(tmp_path) == {
        "pipe.evtx": "not a regular file",
        "gone.evtx": "unreadable: No such file or directory",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_folder_without_permission_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o000)
    assert reasons(tmp_path) == {"locked": "unreadable: Permission denied"}


def test_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.evtx").write_bytes(make_log(1))
    real_scandir = os.scandir

    # The tests may run as root, whom no mode keeps out.
    def scandir(path: str) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(tmp_path) == ["a.evtx"]
    assert reasons(tmp_path) == {"locked": "unreadable: Permission denied"}


def test_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvtxhuntError, match="no such file or folder"):
        discover_files([tmp_path / "nope"])


def test_file_name_that_is_no_text_is_kept_readable(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    Path(os.fsdecode(folder + b"/bad\xff\x1b.evtx")).write_bytes(make_log(1))
    ingest([tmp_path], tmp_path / "case.duckdb")
    assert rows(tmp_path / "case.duckdb", "SELECT path FROM source_file") == [(f"{tmp_path}/bad\\xff\x1b.evtx",)]


def test_a_file_that_became_readable_is_no_longer_named_as_skipped(tmp_path: Path) -> None:
    log, case = tmp_path / "logs" / "a.evtx", tmp_path / "case.duckdb"
    log.parent.mkdir()
    log.touch()
    ingest([log.parent], case)
    assert rows(case, "SELECT reason FROM skipped_file") == [("empty",)]
    log.write_bytes(make_log(1))
    ingest([log.parent], case)
    assert rows(case, "SELECT reason FROM skipped_file") == []
    assert rows(case, "SELECT count(*) FROM event") == [(1,)]


def test_skipped_files_are_renewed_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    def item(name: str, reason: str) -> tuple[SkippedFile, str]:
        return SkippedFile(Path(name), reason, None), name

    def interrupted() -> Iterator[tuple[SkippedFile, str]]:
        yield item("/b.zip", "unreadable: later")
        raise KeyboardInterrupt

    case = tmp_path / "case.duckdb"
    with open_store(case, "512MB", "test") as store:
        store.replace_skipped([item("/a", "empty"), item("/b.zip!x", "empty"), item("/c", "empty")], [], [])
        with pytest.raises(KeyboardInterrupt):
            store.replace_skipped(interrupted(), ["/a"], ["/b.zip"])
    assert rows(case, "SELECT path FROM skipped_file ORDER BY path") == [("/a",), ("/b.zip!x",), ("/c",)]
    with open_store(case, "512MB", "test") as store:
        again = [item("/c", "first"), item("/b.zip", "damaged: \udcff"), item("/c", "last"), item("/b.zip!x", "too")]
        store.replace_skipped(again, ["/a"], ["/b.zip"])
    assert rows(case, "SELECT path, reason FROM skipped_file ORDER BY path") == [
        ("/b.zip", "damaged: \\udcff"),
        ("/b.zip!x", "too"),
        ("/c", "last"),
    ]


def candidate(path: str, root: str = "/evidence") -> LogCandidate:
    return LogCandidate(Path(root, path), 1, Path(root), False)


def test_folders_side_by_side_name_their_hosts() -> None:
    hosts = name_hosts(
        [
            (candidate("DC1/Security.evtx"), "dc1.corp.example"),
            (candidate("DC1/Setup.evtx"), "WIN-INSTALL"),  # a log from before the computer got its name
            (candidate("case-17/C/Windows/Security.evtx"), "WS07"),
        ]
    )
    assert {path.name + "@" + host for path, host in hosts.items()} == {
        "Security.evtx@DC1",
        "Setup.evtx@DC1",
        "Security.evtx@case-17",
    }


@pytest.mark.parametrize(
    "logs",
    [
        pytest.param([("C/Security.evtx", "WS07"), ("C/System.evtx", "WS07")], id="one folder"),
        pytest.param([("Security.evtx", "WS07"), ("A/System.evtx", "DC1"), ("B/x.evtx", "DC2")], id="loose logs too"),
        pytest.param([("day1/Security.evtx", "WS07"), ("day2/Security.evtx", "WS07")], id="one computer twice"),
        pytest.param(
            [("lateral/1.evtx", "A"), ("lateral/2.evtx", "B"), ("lateral/3.evtx", "C"), ("theft/4.evtx", "D")],
            id="folders by topic",
        ),
        pytest.param([("A/1.evtx", None), ("B/2.evtx", "B")], id="nothing readable"),
    ],
)
def test_other_folders_name_no_host(logs: list[tuple[str, str | None]]) -> None:
    assert name_hosts([(candidate(path), computer) for path, computer in logs]) == {}
