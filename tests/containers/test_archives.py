"""Event logs in archives: the same case as from plain folders, whatever the archive."""

import bz2
import gzip
import io
import json
import lzma
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import py7zr
import pytest
import pyzipper
from typer.testing import CliRunner

from evtxhunt.cli import app
from evtxhunt.model import IngestSummary
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.verify import verify
from tests.containers.cases import content, demo_logs, plain_content, skipped, write_demo
from tests.logs import make_log, rows

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def zip_of(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def aes_zip_of(members: Mapping[str, bytes], password: bytes) -> bytes:
    buffer = io.BytesIO()
    with pyzipper.AESZipFile(buffer, "w", zipfile.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(password)
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tar_of(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def seven_zip_of(members: Mapping[str, bytes], password: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", password=password) as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return buffer.getvalue()


ARCHIVES: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "zip": zip_of,
    "tar": tar_of,
    "tar.gz": lambda members: gzip.compress(tar_of(members)),
    "tar.bz2": lambda members: bz2.compress(tar_of(members)),
    "tar.xz": lambda members: lzma.compress(tar_of(members)),
    "tar.zst": lambda members: zstd.compress(tar_of(members)),
    "7z": seven_zip_of,
}


def ingest_bytes(folder: Path, name: str, data: bytes, password: str | None = None) -> tuple[IngestSummary, Path]:
    (folder / name).write_bytes(data)
    case = folder / "case.duckdb"
    return ingest([folder / name], case, password=password), case


@pytest.mark.parametrize("kind", ARCHIVES)
def test_case_of_an_archive_is_that_of_the_folder(kind: str, tmp_path: Path) -> None:
    archive = tmp_path / f"all.{kind}"
    archive.write_bytes(ARCHIVES[kind](demo_logs()))
    before = archive.read_bytes()
    case = tmp_path / "case.duckdb"
    summary = ingest([archive], case)
    assert content(case) == plain_content(tmp_path)
    assert summary.read_files == len(demo_logs())
    assert rows(case, "SELECT DISTINCT container FROM source_file") == [(str(archive),)]
    assert rows(case, "SELECT path FROM source_file ORDER BY ALL") == [(name,) for name in sorted(demo_logs())]
    assert skipped(case) == {}
    assert archive.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name, "case.duckdb", "plain", "plain.duckdb"]


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_single_compressed_log_is_read_under_its_own_name(kind: str, tmp_path: Path) -> None:
    compress = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress}[kind]
    _, case = ingest_bytes(tmp_path, f"Security.evtx.{kind}", compress(make_log(3)))
    place = str(tmp_path / f"Security.evtx.{kind}")
    assert rows(case, "SELECT container, path, parsed FROM source_file") == [(place, "Security.evtx", 3)]


def test_content_decides_and_the_rest_is_one_row(tmp_path: Path) -> None:
    members = {f"{number}.txt": b"text" for number in range(50)}
    members |= {"log.bin": make_log(1), "text.evtx": b"no log", "empty.evtx": b""}
    _, case = ingest_bytes(tmp_path, "a.bin", zip_of(members))
    place = tmp_path / "a.bin"
    assert rows(case, "SELECT path FROM source_file") == [("log.bin",)]
    assert skipped(case) == {
        f"{place}": "members that are no event logs: 50",
        f"{place}!empty.evtx": "empty",
        f"{place}!text.evtx": "not an event log, though named .evtx",
    }


def test_archive_without_logs_says_so(tmp_path: Path) -> None:
    _, case = ingest_bytes(tmp_path, "letter.docx", zip_of({"word/document.xml": b"<x/>", "a": b""}))
    assert skipped(case) == {str(tmp_path / "letter.docx"): "no event log among its members: 2"}


@pytest.mark.parametrize("inner", ["zip", "tar.gz", "7z"])
@pytest.mark.parametrize("outer", ["zip", "tar.gz", "7z"])
def test_archives_in_archives_are_read_and_named(outer: str, inner: str, tmp_path: Path) -> None:
    data = ARCHIVES[outer]({f"in/data.{inner}": ARCHIVES[inner]({"Logs/a.evtx": make_log(2)}), "note.txt": b"x"})
    _, case = ingest_bytes(tmp_path, f"a.{outer}", data)
    place = tmp_path / f"a.{outer}"
    assert rows(case, "SELECT container, path, parsed FROM source_file") == [
        (f"{place}!in/data.{inner}", "Logs/a.evtx", 2)
    ]
    assert skipped(case) == {str(place): "members that are no event logs: 1"}


def test_third_archive_is_read_and_a_fourth_is_refused(tmp_path: Path) -> None:
    third = zip_of({"a.evtx": make_log(1), "fourth.zip": zip_of({"b.evtx": make_log(2)})})
    _, case = ingest_bytes(tmp_path, "first.zip", zip_of({"second.zip": zip_of({"third.zip": third})}))
    inner = f"{tmp_path / 'first.zip'}!second.zip!third.zip"
    assert rows(case, "SELECT container, path FROM source_file") == [(inner, "a.evtx")]
    assert skipped(case) == {f"{inner}!fourth.zip": "refused: more than 3 archives within one another"}


def test_velociraptor_collection_keeps_its_encoded_paths(tmp_path: Path) -> None:
    name = "uploads/ntfs/%5C%5C.%5CC%3A/Windows/System32/winevt/Logs/Security.evtx"
    data = zip_of({"collection_context.json": b"{}", name: make_log(2)})
    _, case = ingest_bytes(tmp_path, "Collection-DC1-2026-05-01T12_00_00Z.zip", data)
    assert rows(case, "SELECT path, host FROM source_file") == [(name, None)]


def test_velociraptor_zip_under_a_password_with_its_inner_archive(tmp_path: Path) -> None:
    inner = aes_zip_of({"uploads/auto/C%3A/Windows/System32/winevt/Logs/Security.evtx": make_log(2)}, b"secret")
    outer = zip_of({"metadata.json": b"{}", "data.zip": inner})
    summary, case = ingest_bytes(tmp_path, "Collection.zip", outer, "secret")
    assert summary.events == 2
    assert rows(case, "SELECT container FROM source_file") == [(f"{tmp_path / 'Collection.zip'}!data.zip",)]
    (arguments,) = rows(case, "SELECT arguments FROM run")[0]
    assert "secret" not in str(arguments)
    assert verify(case, password="secret").differences == ()
    assert [item.what for item in verify(case).differences] == ["file: cannot be read"]


@pytest.mark.parametrize("kind", ["zip", "7z"])
def test_encrypted_archive_without_or_with_a_wrong_password_is_named(kind: str, tmp_path: Path) -> None:
    members = {"a.evtx": make_log(2), "b.txt": b"text"}
    data = aes_zip_of(members, b"right") if kind == "zip" else seven_zip_of(members, "right")
    place = tmp_path / f"a.{kind}"
    summary, case = ingest_bytes(tmp_path, place.name, data)
    assert summary.events == 0
    assert "encrypted: give its --password" in skipped(case).values()
    summary = ingest([place], case, password="wrong")
    assert summary.events == 0
    assert all(path.startswith(str(place)) and "unreadable" in reason for path, reason in skipped(case).items())
    assert len(skipped(case)) >= 1
    summary = ingest([place], case, password="right")
    assert summary.events == 2
    assert skipped(case) == {str(place): "members that are no event logs: 1"}


def test_ingest_again_reads_nothing_anew_and_copies_are_known(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of({"x/a.evtx": make_log(2), "y/a.evtx": make_log(2)}))
    (tmp_path / "b.evtx").write_bytes(make_log(2))
    case = tmp_path / "case.duckdb"
    evidence = [tmp_path / "a.zip", tmp_path / "b.evtx"]
    summary = ingest(evidence, case)
    first = f"{tmp_path / 'a.zip'}!x/a.evtx"
    assert summary.copies == ((f"{tmp_path / 'a.zip'}!y/a.evtx", first), (str(tmp_path / "b.evtx"), first))
    before = content(case)
    again = ingest(evidence, case)
    assert (again.read_files, again.copies, len(again.known)) == (0, (), 3)
    assert content(case) == before
    (tmp_path / "a.zip").write_bytes(zip_of({"x/a.evtx": make_log(2), "y/a.evtx": make_log(2), "z.evtx": make_log(5)}))
    assert ingest(evidence, case).read_files == 1


def test_recover_later_reads_the_slack_of_a_log_in_an_archive(tmp_path: Path) -> None:
    _, case = ingest_bytes(tmp_path, "a.zip", zip_of({"a.evtx": make_log(2)}))
    assert rows(case, "SELECT slack FROM source_file") == [(None,)]
    ingest([tmp_path / "a.zip"], case, recover=True)
    assert rows(case, "SELECT slack FROM source_file") == [(0,)]


def test_hosts_are_named_by_folders_in_an_archive_and_by_archives_in_a_folder(tmp_path: Path) -> None:
    logs = {name: make_log(2, f"{name}.example.test") for name in ("DC1", "WS07")}
    one = tmp_path / "one.zip"
    one.write_bytes(zip_of({f"{name}/Security.evtx": log for name, log in logs.items()}))
    ingest([one], tmp_path / "one.duckdb")
    assert rows(tmp_path / "one.duckdb", "SELECT host FROM source_file ORDER BY 1") == [("DC1",), ("WS07",)]
    many = tmp_path / "many"
    many.mkdir()
    (many / "Collection-DC1-2026-05-01T12_00_00Z.zip").write_bytes(zip_of({"C/Security.evtx": logs["DC1"]}))
    (many / "WS07.tar.gz").write_bytes(gzip.compress(tar_of({"C/Security.evtx": logs["WS07"]})))
    ingest([many], tmp_path / "many.duckdb")
    assert rows(tmp_path / "many.duckdb", "SELECT host FROM source_file ORDER BY 1") == [("DC1",), ("WS07",)]


@pytest.mark.parametrize("name", ["..zip", "...zip", "Collection-.-2026-05-01T12_00_00Z.zip"])
def test_archive_whose_host_would_be_a_folder_up_is_named_as_it_is(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / name).write_bytes(zip_of({"Security.evtx": make_log(2, "DC1.example.test")}))
    (folder / "WS07.zip").write_bytes(zip_of({"Security.evtx": make_log(2, "WS07.example.test")}))
    ingest([folder], tmp_path / "case.duckdb")
    assert rows(tmp_path / "case.duckdb", "SELECT host FROM source_file ORDER BY host = 'WS07'") == [(name,), ("WS07",)]


def test_verify_hashes_members_again_and_names_what_changed(tmp_path: Path) -> None:
    archive = tmp_path / "a!b.zip"
    kept, other = make_log(2), make_log(3)
    archive.write_bytes(zip_of({"in.zip": zip_of({"kept.evtx": kept, "other.evtx": other}), "gone.evtx": make_log(4)}))
    case = tmp_path / "case.duckdb"
    ingest([archive], case)
    result = verify(case)
    assert (result.logs, result.differences) == (3, ())
    archive.write_bytes(zip_of({"in.zip": zip_of({"kept.evtx": kept, "other.evtx": make_log(5)})}))
    assert [(item.what, item.file) for item in verify(case).differences] == [
        ("file: gone", f"{archive}!gone.evtx"),
        ("file: SHA-256", f"{archive}!in.zip!other.evtx"),
    ]
    archive.unlink()
    assert [(item.what, item.now) for item in verify(case).differences] == [("file: gone", "no such container")] * 3


def test_log_larger_than_the_memory_of_the_spool_goes_through_an_unnamed_file(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    log = make_log(2) + bytes(40 << 20)
    (tmp_path / "a.zip").write_bytes(zip_of({"a.evtx": log}))
    ingest([tmp_path / "a.zip"], folder / "case.duckdb")
    assert rows(folder / "case.duckdb", "SELECT size, parsed FROM source_file") == [(len(log), 2)]
    assert [path.name for path in folder.iterdir()] == ["case.duckdb"]


def test_folder_of_archives_and_logs_is_one_case(tmp_path: Path) -> None:
    folder = write_demo(tmp_path / "evidence")
    (folder / "zz.zip").write_bytes(zip_of({"late.evtx": make_log(3, "LATE.example.test")}))
    case = tmp_path / "case.duckdb"
    summary = ingest([folder], case)
    assert summary.read_files == len(demo_logs()) + 1


def test_commands_take_the_password_and_show_the_container(tmp_path: Path) -> None:
    archive, case, report = tmp_path / "a.zip", tmp_path / "case.duckdb", tmp_path / "report.md"
    archive.write_bytes(aes_zip_of({"C/Security.evtx": make_log(2), "b.txt": b"x"}, b"secret"))
    run = CliRunner()
    at = ["--case", str(case)]
    refused = run.invoke(app, ["ingest", str(archive), "--strict", *at])
    assert refused.exit_code == 4
    assert f"{archive}!C/Security.evtx" in refused.stderr
    done = run.invoke(app, ["ingest", str(archive), "--strict", "--password", "secret", *at])
    assert done.exit_code == 0, done.stderr
    assert "not ingested, members that are no event logs:" in done.stderr
    assert f"{archive}: 1" in done.stderr
    place = f"{archive}!C/Security.evtx"
    assert place in run.invoke(app, ["info", "--format", "csv", *at]).stdout
    manifest = run.invoke(app, ["info", "--manifest", *at]).stdout
    assert (json.loads(manifest)["inputs"][0]["container"], "secret" in manifest) == (str(archive), False)
    assert run.invoke(app, ["report", "--format", "markdown", "-o", str(report), *at]).exit_code == 0
    assert "a.zip!C/Security.evtx" in report.read_text(encoding="utf-8")
    assert run.invoke(app, ["verify", "--password", "secret", *at]).exit_code == 0
    assert run.invoke(app, ["verify", *at]).exit_code == 1
