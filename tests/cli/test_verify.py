"""`verify`: what changed in the evidence and in the case is named, and nothing else."""

import gzip
import io
import json
import os
import pty
import random
import stat
import subprocess
import sys
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from evtxhunt.cli import app
from tests.logs import make_log

runner = CliRunner()


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "a.evtx").write_bytes(make_log(5))
    (folder / "b.evtx").write_bytes(make_log(5))  # a copy
    (folder / "cut.evtx").write_bytes(make_log(100, "WS02")[: 4096 + 5000])
    assert runner.invoke(app, ["ingest", str(folder), "--case", str(tmp_path / "case.duckdb")]).exit_code == 0
    return folder


def verify(evidence: Path) -> tuple[int, list[tuple[str, str | None, str | None, str | None]], str]:
    arguments = ["verify", "--case", str(evidence.parent / "case.duckdb"), "--format", "json"]
    result = runner.invoke(app, arguments)
    found = [(row["what"], row["file"], row["stored"], row["now"]) for row in json.loads(result.stdout)]
    return result.exit_code, found, result.stderr


def change_case(evidence: Path, *statements: str) -> None:
    with duckdb.connect(evidence.parent / "case.duckdb") as connection:
        for statement in statements:
            connection.execute(statement)


def test_an_unchanged_case_is_one_line_that_says_what_was_checked(evidence: Path) -> None:
    before = {path: path.read_bytes() for path in [*evidence.iterdir(), evidence.parent / "case.duckdb"]}
    status, found, _ = verify(evidence)
    assert (status, found) == (0, [])
    result = runner.invoke(app, ["verify", "--case", str(evidence.parent / "case.duckdb")])
    assert result.exit_code == 0 and result.stdout == ""
    size = sum(len(content) for path, content in before.items() if path.suffix == ".evtx")
    assert result.stderr == (
        f"hashed 3 logs ({size / 1e6:,.1f} MB), read all of the case, counted 15 events, 90 failed records, 0 findings"
        " and 0 records behind them: all as stored\n"
    )
    assert {path: path.read_bytes() for path in before} == before


def test_a_changed_byte_is_another_hash_and_an_added_one_another_size_too(evidence: Path) -> None:
    log = evidence / "a.evtx"
    content = bytearray(log.read_bytes())
    stored = sha256(content).hexdigest()
    content[5000] ^= 1
    log.write_bytes(content)
    assert verify(evidence)[:2] == (1, [("file: SHA-256", str(log), stored, sha256(content).hexdigest())])
    content += b"\0"
    log.write_bytes(content)
    assert verify(evidence)[:2] == (
        1,
        [
            ("file: size", str(log), str(len(content) - 1), str(len(content))),
            ("file: SHA-256", str(log), stored, sha256(content).hexdigest()),
        ],
    )


def test_what_is_gone_or_no_file_is_a_difference_of_its_own(evidence: Path) -> None:
    log = evidence / "cut.evtx"
    stored = sha256(log.read_bytes()).hexdigest()
    log.unlink()
    assert verify(evidence)[1] == [("file: gone", str(log), stored, "No such file or directory")]
    os.mkfifo(log)  # would hang a reader that opens it
    assert verify(evidence)[1] == [("file: cannot be read", str(log), stored, "not a regular file")]


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes devices")
def test_a_block_device_is_read_as_ingest_reads_it(evidence: Path) -> None:
    log = evidence / "cut.evtx"
    log.unlink()
    try:
        os.mknod(log, 0o600 | stat.S_IFBLK, os.makedev(241, 0))  # for local use: nothing is behind it
    except OSError:
        pytest.skip("no devices can be made here")
    ((what, file, _, now),) = verify(evidence)[1]
    assert (what, file) == ("file: cannot be read", str(log))
    assert now in ("No such device or address", "No such device", "Operation not permitted", "Permission denied")


def test_what_a_damaged_archive_says_is_told_of_its_logs(evidence: Path) -> None:
    plain = io.BytesIO()
    noise = random.Random(7).randbytes(1_000_000)  # so that the damage is not met while the first log is read
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in (("a.evtx", make_log(5, "A")), ("n.txt", noise), ("b.evtx", make_log(5, "B"))):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    second = plain.getvalue().index(b"b.evtx")  # where its header begins
    parts = [gzip.compress(plain.getvalue()[:second]), bytearray(gzip.compress(plain.getvalue()[second:]))]
    (evidence / "a.tgz").write_bytes(b"".join(parts))
    case = str(evidence.parent / "case.duckdb")
    assert runner.invoke(app, ["ingest", str(evidence), "--case", case]).exit_code == 0
    parts[1][30:60] = b"\xff" * 30  # type: ignore[index]  # a bytearray
    (evidence / "a.tgz").write_bytes(b"".join(parts))
    ((what, file, _, now),) = verify(evidence)[1]
    assert (what, file) == ("file: cannot be read", f"{evidence / 'a.tgz'}!b.evtx")
    assert str(now).startswith("unreadable: ") and str(now).endswith("; members that are no event logs: 1")


def test_a_log_in_an_archive_whose_name_begins_as_another_file_is_found(evidence: Path) -> None:
    for name, computer in (("WS01", "A"), ("WS01!old.zip", "B")):
        with zipfile.ZipFile(evidence / name, "w") as archive:
            archive.writestr("s.evtx", make_log(3, computer))
    case = str(evidence.parent / "case.duckdb")
    assert runner.invoke(app, ["ingest", str(evidence), "--case", case]).exit_code == 0
    assert verify(evidence)[:2] == (0, [])


def test_a_folder_that_became_a_file_and_a_loop_of_links_are_no_crash(evidence: Path) -> None:
    log = evidence / "cut.evtx"
    log.unlink()
    log.symlink_to(log)
    status, found, _ = verify(evidence)
    assert status == 1 and [row[:2] for row in found] == [("file: cannot be read", str(log))]
    for path in evidence.iterdir():
        path.unlink()
    evidence.rmdir()
    evidence.touch()
    assert [row[0] for row in verify(evidence)[1]] == ["file: cannot be read"] * 3


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_difference_of_its_own(evidence: Path) -> None:
    (evidence / "cut.evtx").chmod(0)
    assert [row[0] for row in verify(evidence)[1]] == ["file: cannot be read"]


def test_names_that_are_no_utf_8_or_look_like_escapes_are_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / r"\xe9.evtx").write_bytes(make_log(2))
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.evtx")).write_bytes(make_log(3))
    assert runner.invoke(app, ["ingest", str(folder), "--case", str(tmp_path / "case.duckdb")]).exit_code == 0
    assert verify(folder)[:2] == (0, [])


def test_a_hostile_path_is_escaped_on_the_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "x\x1b]0;owned\x07\n.evtx").write_bytes(make_log(2))
    runner.invoke(app, ["ingest", str(folder), "--case", str(tmp_path / "case.duckdb")])
    next(folder.iterdir()).unlink()
    result = runner.invoke(app, ["verify", "--case", str(tmp_path / "case.duckdb")])
    assert result.exit_code == 1 and "\x1b" not in result.stdout + result.stderr
    assert r"x\x1b]0;owned\x07\n.evtx" in result.stdout and len(result.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "DELETE FROM event WHERE event_key = (SELECT max(event_key) FROM event)",
            [("records: rendered against events + copies", "cut.evtx", "10", "9 + 0")],
        ),
        (
            "UPDATE source_file SET parsed = 12 WHERE path LIKE '%cut.evtx'",
            [
                ("records: expected against parsed + rescued + failed", "cut.evtx", "100", "102"),
                ("records: rendered against events + copies", "cut.evtx", "12", "10 + 0"),
            ],
        ),
        (
            "DELETE FROM parse_failure WHERE header_record_id = 50",
            [("records: failed against those listed in parse_failure", "cut.evtx", "90", "89")],
        ),
        (
            "UPDATE source_file SET status = 'complete'  WHERE path LIKE '%cut.evtx'",
            [("status against parse_failure", "cut.evtx", "complete", "damaged")],
        ),
        (
            "DELETE FROM event_copy WHERE event_key = (SELECT min(event_key) FROM event_copy)",
            [("copy: records of its original against event_copy", "b.evtx", "5", "4")],
        ),
        (
            "UPDATE source_file SET failed = 1 WHERE path LIKE '%b.evtx'",
            [("copy: accounts against its original", "b.evtx", "5 + 0 + 1", "5 + 0 + 0")],
        ),
        (
            "UPDATE source_file SET copy_of = 77 WHERE path LIKE '%b.evtx'",
            [("copy: its original is not there", "b.evtx", "77", None)],
        ),
        (
            "UPDATE event SET event_key = 1 WHERE event_key = 15",
            [("event_key: rows of event against different keys", None, "15", "14")],
        ),
        (
            "INSERT INTO finding_evidence VALUES (1, 999)",
            [
                ("finding_evidence.event_key: rows against those whose event exists", None, "1", "0"),
                ("finding_evidence.finding_id: rows against those whose finding exists", None, "1", "0"),
            ],
        ),
        (
            "INSERT INTO event_copy VALUES (999, 2, 1, NULL, 'live', NULL)",
            [
                ("copy: records of its original against event_copy", "b.evtx", "5", "6"),
                ("event_copy.event_key: rows against those whose event exists", None, "6", "5"),
            ],
        ),
        (
            "INSERT INTO event_conflict VALUES (1, 999), (1, 2)",
            [("event_conflict.other_event_key: rows against those whose event exists", None, "2", "1")],
        ),
        (
            "INSERT INTO recovered_record BY NAME SELECT 1 AS source_file_id, 'slack' AS origin, 0 AS file_offset,"
            " 0 AS size, 1 AS header_record_id, 'whole' AS state, unnest([999, 1, NULL]) AS event_key",
            [("recovered_record.event_key: rows against those whose event exists", None, "2", "1")],
        ),
        (
            "INSERT INTO detection_run BY NAME SELECT unnest(['dcsync', 'x']) AS detection_id, 'query' AS origin,"
            " 't' AS title, 'low' AS level, '00' AS sha256, 'ran' AS state, unnest([3, 0]) AS findings",
            [("findings of dcsync", None, "3", "0")],
        ),
    ],
)
def test_a_case_that_does_not_agree_with_itself_is_told(
    evidence: Path, statement: str, expected: list[tuple[str, str | None, str | None, str | None]]
) -> None:
    change_case(evidence, statement)
    status, found, said = verify(evidence)
    assert (status, found) == (
        1,
        [(what, file and str(evidence / file), stored, now) for what, file, stored, now in expected],
    )
    assert said.endswith(f": {len(expected)} DIFFERENCE{'S' if len(expected) > 1 else ''}\n")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "DELETE FROM event_copy WHERE source_file_id = 2 AND event_key = 3",
            [
                ("records: duplicate against event_copy", "b.evtx", "5", "4"),
                ("records: rendered against events + copies", "b.evtx", "7", "2 + 4"),
            ],
        ),
        (
            "UPDATE source_file SET duplicate = 6 WHERE source_file_id = 2",
            [("records: duplicate against event_copy", "b.evtx", "6", "5")],
        ),
        (
            "DELETE FROM event_copy WHERE source_file_id = 3 AND event_key = 3",
            [("copy: records of its original against event_copy", "c.evtx", "7", "6")],
        ),
    ],
)
def test_records_that_are_copies_are_counted_too(
    statement: str, expected: list[tuple[str, str, str, str]], tmp_path: Path
) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "a.evtx").write_bytes(make_log(5))
    (folder / "b.evtx").write_bytes(make_log(7))
    (folder / "c.evtx").write_bytes(make_log(7))  # the same as b.evtx, five of whose records are copies
    assert runner.invoke(app, ["ingest", str(folder), "--case", str(tmp_path / "case.duckdb")]).exit_code == 0
    assert verify(folder)[:2] == (0, [])
    change_case(folder, statement)
    assert verify(folder)[:2] == (1, [(what, str(folder / file), *numbers) for what, file, *numbers in expected])


def test_more_failures_than_are_listed_are_no_difference(evidence: Path) -> None:
    listed = "SELECT source_file_id, 'record', 0, NULL, 1, 'made up' FROM source_file, range(100000 - 90)"
    change_case(
        evidence,
        f"INSERT INTO parse_failure {listed} WHERE path LIKE '%cut.evtx'",
        "UPDATE source_file SET failed = 250000, expected = 250010 WHERE path LIKE '%cut.evtx'",
    )
    assert verify(evidence)[:2] == (0, [])


def test_progress_is_a_bar_on_a_terminal_and_nothing_in_a_pipe(evidence: Path) -> None:
    command = [sys.executable, "-m", "evtxhunt", "verify", "--case", str(evidence.parent / "case.duckdb")]
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower, close_fds=True)
    os.close(follower)
    shown = b""
    while b"all as stored" not in shown:
        shown += os.read(leader, 65536)
    assert process.wait(timeout=60) == 0
    os.close(leader)
    assert b"3/3 files" in shown and b"records" not in shown.split(b"hashed")[0]
    piped = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (piped.stdout, len(piped.stderr.splitlines())) == ("", 1)


def test_a_missing_case_is_an_error_of_one_line(tmp_path: Path) -> None:
    result = runner.invoke(app, ["verify", "--case", str(tmp_path / "none.duckdb")])
    assert result.exit_code == 3 and result.stderr.count("\n") == 1 and "no such case" in result.stderr


@pytest.mark.parametrize("command", [["verify"], ["info"], ["info", "--manifest"]])
def test_a_case_with_a_damaged_head_is_an_error_of_one_line(evidence: Path, command: list[str]) -> None:
    case = evidence.parent / "case.duckdb"
    content = bytearray(case.read_bytes())
    content[4096 + 50] ^= 0xFF  # both headers of the database
    content[8192 + 50] ^= 0xFF
    case.write_bytes(content)
    result = runner.invoke(app, [*command, "--case", str(case)])
    assert (result.exit_code, result.stdout) == (3, ""), result.exception
    assert result.stderr.startswith(f"error: {case}: the case is damaged: ") and result.stderr.count("\n") == 1
    assert "ingest the evidence into a new case" in result.stderr


def test_damage_anywhere_in_the_values_of_a_case_is_met(evidence: Path) -> None:
    case = evidence.parent / "case.duckdb"
    with duckdb.connect(case, read_only=True) as connection:
        blocks = {
            block
            for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            for first, others in connection.execute(
                "SELECT block_id, additional_block_ids FROM pragma_storage_info(?)", [table]
            ).fetchall()
            for block in (first, *(others or ()))
            if block is not None and block >= 0
        }
    assert blocks
    content = case.read_bytes()
    for block in blocks:
        damaged = bytearray(content)
        # Blocks of 256 KiB after three headers of 4 KiB, each with its checksum of 8 bytes in front.
        damaged[3 * 4096 + block * 2**18 + 48] ^= 0xFF
        case.write_bytes(damaged)
        result = runner.invoke(app, ["verify", "--case", str(case)])
        assert result.exit_code == 3, block
        assert result.stderr.startswith(f"error: {case}: the case is damaged: ") and result.stderr.count("\n") == 1
