"""Archives made to harm: each is named, nothing is written beside the case, and the honest logs are read."""

import gzip
import io
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import py7zr
import pytest

from evtxhunt.containers import archives, limits
from evtxhunt.containers.spool import Spool
from evtxhunt.errors import CaseError
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.verify import verify
from tests.conftest import REPOSITORY
from tests.containers.cases import skipped
from tests.containers.test_archives import ARCHIVES, ingest_bytes, seven_zip_of, tar_of, zip_of
from tests.logs import make_log, rows


def paths(case: Path) -> list[str]:
    return [str(path) for (path,) in rows(case, "SELECT path FROM source_file ORDER BY ALL")]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_that_leave_the_folder_are_names_only(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    names = ["../../slip.evtx", "/tmp/evtxhunt-slip.evtx", "C:\\slip.evtx", "..\\slip.evtx"]
    data = ARCHIVES[kind]({name: make_log(number + 1) for number, name in enumerate(names)})
    _, case = ingest_bytes(folder, f"a.{kind}", data)
    assert paths(case) == sorted(names)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", f"a.{kind}", "b", "case.duckdb"]
    assert not Path("/tmp/evtxhunt-slip.evtx").exists()


def test_paths_that_leave_a_7z_are_refused_by_name(tmp_path: Path) -> None:
    data = seven_zip_of({"good.evtx": make_log(2), "xx/xx/slip.evtx": make_log(3)})
    # py7zr writes no such name: it is put into the header, which is not compressed, and whose checksums are renewed.
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        archive.set_encoded_header_mode(False)
        archive.writestr(make_log(2), "good.evtx")
        archive.writestr(make_log(3), "xx/xx/slip.evtx")
    data = bytearray(buffer.getvalue().replace("xx/xx/slip".encode("utf-16-le"), "../../slip".encode("utf-16-le")))
    _renew_7z_checksums(data)
    _, case = ingest_bytes(tmp_path, "a.7z", bytes(data))
    assert paths(case) == ["good.evtx"]
    assert skipped(case) == {
        f"{tmp_path / 'a.7z'}!../../slip.evtx": "refused: a path that leaves the archive, which py7zr does not read"
    }


def _renew_7z_checksums(data: bytearray) -> None:
    """Of the header at the end and of the start header: https://py7zr.readthedocs.io/en/stable/archive_format.html"""
    import struct
    import zlib

    offset, size = struct.unpack_from("<QQ", data, 12)
    struct.pack_into("<I", data, 28, zlib.crc32(data[32 + offset : 32 + offset + size]))
    struct.pack_into("<I", data, 8, zlib.crc32(data[12:32]))


def test_names_with_control_characters_are_escaped_and_doubles_are_all_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, name in enumerate(("\x1b[31mred\n.evtx", "A.evtx", "a.evtx", "ä.evtx")):
            archive.writestr(name, make_log(number + 1))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.evtx", make_log(9))
    _, case = ingest_bytes(tmp_path, "a.zip", buffer.getvalue())
    assert paths(case) == ["A.evtx", "\\x1b[31mred\\x0a.evtx", "a.evtx", "a.evtx", "ä.evtx"]
    assert rows(case, "SELECT count(*) FROM source_file") == [(5,)]


def test_links_and_devices_are_named_and_not_followed(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (
            ("link.evtx", tarfile.SYMTYPE),
            ("hard.evtx", tarfile.LNKTYPE),
            ("disk.evtx", tarfile.BLKTYPE),
            ("pipe.evtx", tarfile.FIFOTYPE),
            ("other", tarfile.SYMTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    _, case = ingest_bytes(tmp_path, "a.tar", buffer.getvalue())
    place = tmp_path / "a.tar"
    assert skipped(case) == {
        str(place): "no event log among its members: 1",
        f"{place}!disk.evtx": "not a regular file",
        f"{place}!hard.evtx": "a link, not followed",
        f"{place}!link.evtx": "a link, not followed",
        f"{place}!pipe.evtx": "not a regular file",
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz", "tar.zst", "7z"])
def test_bomb_is_refused_long_before_it_is_unpacked(kind: str, tmp_path: Path) -> None:
    bomb = make_log(1) + bytes(300 << 20)
    data = ARCHIVES[kind]({"a.evtx": make_log(2), "bomb.evtx": bomb})
    # Deflate makes 1,030 to 1 of zeros, which is just beyond what is allowed.
    assert len(data) < len(bomb) / 900
    summary, case = ingest_bytes(tmp_path, f"a.{kind}", data)
    reasons = skipped(case)
    assert reasons[f"{tmp_path / f'a.{kind}'}!bomb.evtx"] == "refused: unpacks to more than 1,000 times its size"
    assert paths(case) == ["a.evtx"]
    assert summary.events == 2


def test_bomb_in_a_member_that_is_no_log_is_not_unpacked(tmp_path: Path) -> None:
    _, case = ingest_bytes(tmp_path, "a.zip", zip_of({"bomb.bin": bytes(300 << 20), "z.evtx": make_log(2)}))
    assert paths(case) == ["z.evtx"]
    assert skipped(case) == {str(tmp_path / "a.zip"): "members that are no event logs: 1"}


def test_archive_of_too_many_members_is_given_up_with_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MEMBERS", 3)
    data = tar_of({f"{number}.evtx": make_log(number) for number in range(1, 6)})
    _, case = ingest_bytes(tmp_path, "a.tar", data)
    assert paths(case) == ["1.evtx", "2.evtx", "3.evtx"]
    assert skipped(case) == {
        str(tmp_path / "a.tar"): "refused: more than 3 members; the rest is not looked at",
    }


def test_members_that_cannot_be_opened_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MEMBERS", 3)
    data = zip_of({f"{number}.evtx": make_log(1) for number in range(6)}).replace(b"PK\x03\x04", b"XX\x03\x04")
    _, case = ingest_bytes(tmp_path, "a.zip", b"PK\x03\x04" + data[4:])
    reasons = list(skipped(case).values())
    assert (len(paths(case)), len(reasons)) == (1, 3)
    assert reasons[0] == "refused: more than 3 members; the rest is not looked at"


@pytest.mark.parametrize("is_said", [False, True])
def test_list_of_members_is_as_large_as_zip64_says(
    is_said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "DIRECTORY_BYTES", 1000)
    data = zip_of({f"{number}.evtx": b"" for number in range(100)})
    at = data.rindex(b"PK\x05\x06")
    size, offset = struct.unpack_from("<II", data, at + 12)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 100, 100, size, offset)
    # A reader that follows the locator would find no record there.
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at if is_said else 0, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 100, 100, 0xFFFFFFFF if is_said else 46, 0, 0)
    _, case = ingest_bytes(tmp_path, "a.zip", data[:at] + record + locator + end)
    assert skipped(case) == {str(tmp_path / "a.zip"): "refused: its list of members has more than 0 MiB"}


@pytest.mark.parametrize("name", ["", "\0.evtx"])
def test_zip_member_without_a_name_is_read_and_so_are_the_others(name: str, tmp_path: Path) -> None:
    placeholder = "?" * max(1, len(name))
    data = zip_of({placeholder: make_log(3), "a.evtx": make_log(2)})
    data = data.replace(placeholder.encode(), name.encode()) if name else _without_name(data, b"?")
    _, case = ingest_bytes(tmp_path, "a.zip", data)
    assert paths(case) == sorted(["a.evtx", "\\x00.evtx" if name else "(no name)"])
    assert skipped(case) == {}


def _without_name(data: bytes, name: bytes) -> bytes:
    """The zip's only member of this name of one byte has none, in its header and in the list of members."""
    changed = bytearray(data)
    listed, local = data.rindex(name), data.index(name)
    changed[listed - 18 : listed - 16] = changed[local - 4 : local - 2] = bytes(2)
    del changed[listed]
    end = changed.rindex(b"PK\x05\x06")
    (size,) = struct.unpack_from("<I", changed, end + 12)
    struct.pack_into("<I", changed, end + 12, size - 1)
    # In front of the content the byte that was the name is now a field of which nothing is known.
    struct.pack_into("<H", changed, local - 2, 1)
    return bytes(changed)


def test_zip_whose_list_of_members_is_huge_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "DIRECTORY_BYTES", 1 << 20)
    data = zip_of({f"{number:05}{'x' * 60}": b"" for number in range(10_000)})
    _, case = ingest_bytes(tmp_path, "a.zip", data)
    assert skipped(case) == {str(tmp_path / "a.zip"): "refused: its list of members has more than 1 MiB"}


def test_tar_with_a_name_of_megabytes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x" * (2 << 20))
    _, case = ingest_bytes(tmp_path, "a.tar", info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    assert skipped(case) == {str(tmp_path / "a.tar"): "refused: a name or an attribute of more than 1 MiB"}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archive_that_is_cut_off_gives_what_is_whole_and_says_so(kind: str, tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(300_000)  # so that the cut is where it is wanted
    log = make_log(200, text="x" * 500)
    data = ARCHIVES[kind]({"a.evtx": make_log(2), "b.evtx": log + noise, "c.evtx": make_log(3)})
    _, case = ingest_bytes(tmp_path, f"a.{kind}", data[: len(data) - 200_000])
    place = tmp_path / f"a.{kind}"
    if kind in ("zip", "7z"):  # what is where stands at their end
        assert paths(case) == []
        assert "unreadable" in skipped(case)[str(place)]
        return
    # bzip2 gives whole blocks of up to 900 kB only.
    assert paths(case) == ([] if kind == "tar.bz2" else ["a.evtx", "b.evtx"])
    assert "unreadable" in skipped(case)[str(place)]
    if kind != "tar.bz2":
        assert rows(case, "SELECT status, parsed FROM source_file ORDER BY path") == [("complete", 2), ("damaged", 200)]
        ((reason,),) = rows(case, "SELECT reason FROM parse_failure WHERE reason LIKE 'unreadable%'")
        assert reason
        assert verify(case).differences == ()


def test_log_whose_checksum_in_the_zip_is_wrong_is_read_and_said_to_be_damaged(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a.evtx": make_log(2)}))
    for mark, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        data[data.index(mark) + offset] ^= 1
    _, case = ingest_bytes(tmp_path, "a.zip", bytes(data))
    assert rows(case, "SELECT status, parsed FROM source_file") == [("damaged", 2)]
    assert rows(case, "SELECT scope, reason FROM parse_failure") == [
        ("chunk", "file ends 58368 bytes into this chunk of 65536"),
        ("file", "unreadable: Bad CRC-32 for file 'a.evtx'"),
    ]
    assert verify(case).differences == ()


def test_random_damage_to_archives_is_a_row_and_never_an_error(tmp_path: Path) -> None:
    chance = random.Random(8)
    members = {"a.evtx": make_log(2), "b/c.evtx": make_log(3), "d.zip": zip_of({"e.evtx": make_log(4)})}
    for kind, make in ARCHIVES.items():
        whole = make(members)
        for number in range(12):
            data = bytearray(whole)
            for _ in range(chance.choice((1, 3, 30))):
                data[chance.randrange(8, len(data))] = chance.randrange(256)
            folder = tmp_path / f"{kind}-{number}"
            folder.mkdir()
            (folder / "a.bin").write_bytes(data)
    # All in one ingest: one case of all that is readable.
    case = tmp_path / "case.duckdb"
    summary = ingest([tmp_path], case, host="h")
    ((logs,),) = rows(case, "SELECT count(*) FROM source_file")
    assert logs > 60, "of 84 archives with three logs each"
    assert len([item for item in summary.skipped if "unreadable" in item.reason]) > 42


@pytest.mark.parametrize("limit", [0, 4 << 20, 8 << 20])
def test_spool_that_a_full_disk_ends_gives_everything_back(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the move out of memory, after it, and in the last bytes, which a file would hold back."""
    monkeypatch.setattr("evtxhunt.containers.spool.SPOOL_MEMORY", 2 << 20)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool = Spool(tmp_path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        with pytest.raises(CaseError, match="cannot hold what is read from a container: File too large; make room"):
            spool.take(io.BytesIO(bytes((8 << 20) + 3)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (spool._held, spool._in_memory) == (0, 0)
    gone = Spool(tmp_path / "gone")
    with pytest.raises(CaseError, match="gone: cannot hold what is read from a container: No such file or directory"):
        gone.take(io.BytesIO(bytes(3 << 20)))
    assert (gone._held, gone._in_memory) == (0, 0)


def test_full_disk_under_the_spool_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evtxhunt.containers.spool.SPOOL_MEMORY", 1000)
    (tmp_path / "a.zip").write_bytes(zip_of({"a.evtx": make_log(2) + bytes(8 << 20)}))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    case = tmp_path / "case.duckdb"
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, before[1]))
        with pytest.raises(CaseError, match="cannot hold what is read from a container: File too large; make room"):
            ingest([tmp_path / "a.zip"], case)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert ingest([tmp_path / "a.zip"], case).events == 2


def open_files(pid: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            found.append(str(link.readlink()))
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files without a name are looked for in /proc")
def test_killed_ingest_leaves_no_spool_behind(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    logs = {f"{number}.evtx": make_log(200, f"WS{number}") + os.urandom(20 << 20) for number in range(8)}
    (tmp_path / "a.tar").write_bytes(tar_of(logs))
    command = [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from evtxhunt.pipeline.ingest import ingest;",
    ]
    command[-1] += f" ingest([Path({str(tmp_path / 'a.tar')!r})], Path({str(folder / 'case.duckdb')!r}))"
    process = subprocess.Popen(command, cwd=REPOSITORY)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if any(str(folder) in link and "(deleted)" in link for link in open_files(process.pid)):
                break
            time.sleep(0.005)
        assert process.poll() is None, "the ingest ended before its spool was seen"
    finally:
        process.kill()
        process.wait()
    assert {path.name for path in folder.iterdir()} <= {"case.duckdb", "case.duckdb.wal", "case.duckdb.tmp"}
    assert len(ingest([tmp_path / "a.tar"], folder / "case.duckdb").channels) == 8
    assert rows(folder / "case.duckdb", "SELECT count(*), sum(parsed) FROM source_file") == [(8, 1600)]


def test_spool_of_everything_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evtxhunt.containers.spool.SPOOL_BYTES", 100_000)
    _, case = ingest_bytes(tmp_path, "a.zip", zip_of({"a.evtx": make_log(2), "b.evtx": make_log(2) + bytes(65536)}))
    assert paths(case) == ["a.evtx"]
    assert [reason.partition(":")[0] for reason in skipped(case).values()] == ["refused"]


def test_gzip_of_a_tar_that_is_one_bomb_ends(tmp_path: Path) -> None:
    assert limits.DEPTH == 3
    data = gzip.compress(gzip.compress(gzip.compress(bytes(300 << 20))))
    _, case = ingest_bytes(tmp_path, "a.gz", data)
    assert paths(case) == []
    assert len(skipped(case)) >= 1
