"""Event logs in disk images made by other people's tools: the same case as from a plain folder."""

import sys
from pathlib import Path

import pytest

from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.verify import verify
from samples.evtx_writer import build_log
from tests.containers.cases import content, demo_logs, skipped
from tests.containers.images import difference_to, need_tools, put_files, run, write_disk, write_ntfs
from tests.containers.shadow import with_shadow_copy
from tests.logs import make_log, make_records, rows

# ntfscp makes no folders.
LOGS = {name.replace("/", "-"): data for name, data in demo_logs().items()}


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_tools()
    return write_ntfs(tmp_path_factory.mktemp("ntfs") / "volume.raw", LOGS)


@pytest.fixture(scope="module")
def disk(volume: Path) -> Path:
    return write_disk(volume.with_name("disk.raw"), volume)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[list[tuple[object, ...]]]:
    folder = tmp_path_factory.mktemp("plain")
    for name, data in LOGS.items():
        (folder / name).write_bytes(data)
    case = tmp_path_factory.mktemp("case") / "case.duckdb"
    ingest([folder], case)
    return content(case)


def make_image(kind: str, disk: Path, folder: Path) -> Path:
    """`disk` in another format."""
    image = folder / f"disk.{kind}"
    match kind:
        case "raw":
            return disk
        case "001":
            data = disk.read_bytes()
            for number, at in enumerate(range(0, len(data), 3 << 20), start=1):
                (folder / f"disk.{number:03}").write_bytes(data[at : at + (3 << 20)])
        case "E01":
            run("ewfacquire", "-q", "-u", "-c", "none", "-S", "2MiB", "-t", folder / "disk", disk)
            assert (folder / "disk.E02").exists()
        case "vpc-fixed":
            run("qemu-img", "convert", "-O", "vpc", "-o", "subformat=fixed", disk, image)
        case "vmdk-flat":
            run("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=monolithicFlat", disk, folder / "disk.vmdk")
            return folder / "disk.vmdk"
        case _:
            run("qemu-img", "convert", "-O", kind, disk, image)
    return image


KINDS = ["raw", "001", "E01", "vhdx", "vpc", "vpc-fixed", "vmdk", "vmdk-flat", "qcow2"]


@pytest.mark.parametrize("kind", KINDS)
def test_case_of_a_disk_image_is_that_of_the_folder(
    kind: str, disk: Path, plain: list[list[tuple[object, ...]]], tmp_path: Path
) -> None:
    image = make_image(kind, disk, tmp_path)
    before = image.read_bytes()
    case = tmp_path / "case.duckdb"
    summary = ingest([image], case)
    assert summary.read_files == len(LOGS) == 25
    assert content(case) == plain
    assert rows(case, "SELECT DISTINCT container FROM source_file") == [(f"{image}!p1",)]
    assert rows(case, "SELECT path FROM source_file ORDER BY source_file_id") == [
        (f"/{name}",) for name in sorted(LOGS)
    ]
    assert skipped(case) == {}
    assert image.read_bytes() == before
    assert verify(case).differences == ()


def test_volume_without_partitions_and_disk_with_gpt_are_read(
    volume: Path, plain: list[list[tuple[object, ...]]], tmp_path: Path
) -> None:
    ingest([volume], tmp_path / "volume.duckdb")
    assert content(tmp_path / "volume.duckdb") == plain
    assert rows(tmp_path / "volume.duckdb", "SELECT DISTINCT container FROM source_file") == [(str(volume),)]
    gpt = write_disk(tmp_path / "gpt.raw", volume, "gpt")
    ingest([gpt], tmp_path / "gpt.duckdb")
    assert content(tmp_path / "gpt.duckdb") == plain
    assert rows(tmp_path / "gpt.duckdb", "SELECT DISTINCT container FROM source_file") == [(f"{gpt}!p1",)]


def test_folder_of_a_split_image_is_one_image_and_named_parts(disk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    make_image("E01", disk, folder)
    case = tmp_path / "case.duckdb"
    summary = ingest([folder], case)
    assert summary.read_files == 25
    parts = {reason for path, reason in skipped(case).items() if Path(path).suffix != ".txt"}
    assert parts == {"a part of a disk image, read with the first one"}


def test_logs_are_found_by_name_anywhere_and_by_content_in_the_folder_of_logs(tmp_path: Path) -> None:
    need_tools()
    tree = tmp_path / "tree"
    members = {
        "Windows/System32/winevt/Logs/Security.evtx": make_log(2),
        "Windows/System32/WINEVT/logs/Archive-1": make_log(3),
        "Windows/System32/winevt/Logs/notes.txt": b"no log",
        "Windows.old/Windows/System32/winevt/Logs/Security.evtx": make_log(4),
        "Users/u/saved.EVTX": make_log(5),
        "Users/u/saved.bin": make_log(6),
        "Users/u/text.evtx": b"no log",
        "Users/u/.hidden.evtx": make_log(7),
        "Users/u/empty.evtx": b"",
    }
    for name, data in members.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    (tree / "Users/u/link.evtx").symlink_to("saved.EVTX")
    image = tmp_path / "volume.raw"
    run("mke2fs", "-q", "-t", "ext4", "-d", tree, image, "16M")
    # ext4 has nothing in its boot sector; as a partition of a disk it is found.
    disk = write_disk(tmp_path / "disk.raw", image)
    case = tmp_path / "case.duckdb"
    ingest([disk], case)
    assert rows(case, "SELECT path, is_hidden FROM source_file ORDER BY source_file_id") == [
        ("/Users/u/.hidden.evtx", True),
        ("/Users/u/saved.EVTX", False),
        ("/Windows/System32/WINEVT/logs/Archive-1", False),
        ("/Windows/System32/winevt/Logs/Security.evtx", False),
        ("/Windows.old/Windows/System32/winevt/Logs/Security.evtx", False),
    ]
    assert skipped(case) == {
        f"{disk}!p1!/Users/u/empty.evtx": "empty",
        f"{disk}!p1!/Users/u/link.evtx": "a link, not followed",
        f"{disk}!p1!/Users/u/text.evtx": "not an event log, though named .evtx",
    }


@pytest.mark.parametrize(("place", "reason"), [(0x8000, "no file system"), (None, "no file system")])
def test_image_that_cannot_be_read_is_named(place: int | None, reason: str, tmp_path: Path) -> None:
    need_tools()
    image = write_ntfs(tmp_path / "volume.raw", {"a.evtx": make_log(2)})
    data = bytearray(image.read_bytes())
    if place is None:
        data[512:] = bytes(len(data) - 512)
        data[3:11] = b"NOTHING "
        data[446:462] = bytes.fromhex("80 00 00 00 07 00 00 00 00 08 00 00 00 08 00 00")
    else:
        data[0x4000:] = b"\xee" * (len(data) - 0x4000)
    image.write_bytes(data)
    case = tmp_path / "case.duckdb"
    assert ingest([image], case).read_files == 0
    assert list(skipped(case)) == [str(image)]
    assert reason in skipped(case)[str(image)]


def test_image_that_is_cut_off_gives_what_is_there(volume: Path, tmp_path: Path) -> None:
    image = tmp_path / "cut.raw"
    image.write_bytes(volume.read_bytes()[: 5 << 20])
    case = tmp_path / "case.duckdb"
    summary = ingest([image], case)
    assert summary.read_files == 16
    assert [reason.partition(":")[0] for reason in skipped(case).values()] == ["unreadable"] * 9


def test_difference_to_an_image_is_read_beside_it_and_refused_elsewhere(disk: Path, tmp_path: Path) -> None:
    make_image("qcow2", disk, tmp_path)
    beside, elsewhere = tmp_path / "beside.qcow2", tmp_path / "folder" / "elsewhere.qcow2"
    elsewhere.parent.mkdir()
    run("qemu-img", "create", "-f", "qcow2", "-F", "qcow2", "-b", "disk.qcow2", beside)
    run("qemu-img", "create", "-f", "qcow2", "-F", "qcow2", "-b", "../disk.qcow2", elsewhere)
    case = tmp_path / "case.duckdb"
    assert ingest([beside], case).read_files == 25
    assert ingest([elsewhere], case).read_files == 0
    assert skipped(case) == {
        str(elsewhere): "refused: it is the difference to an image in another folder, ../disk.qcow2"
    }


def test_difference_to_a_difference_in_another_folder_is_refused(disk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    make_image("qcow2", disk, tmp_path)
    run("qemu-img", "create", "-f", "qcow2", "-F", "qcow2", "-b", "../disk.qcow2", folder / "between.qcow2")
    run("qemu-img", "create", "-f", "qcow2", "-F", "qcow2", "-b", "between.qcow2", folder / "top.qcow2")
    case = tmp_path / "case.duckdb"
    assert ingest([folder / "top.qcow2"], case).read_files == 0
    reason = "refused: it is the difference to an image in another folder, ../disk.qcow2"
    assert skipped(case) == {str(folder / "top.qcow2"): reason}


def test_difference_to_an_image_that_is_gone_or_to_itself_is_named(disk: Path, tmp_path: Path) -> None:
    make_image("qcow2", disk, tmp_path)
    top, circle = tmp_path / "top.qcow2", tmp_path / "circle.qcow2"
    run("qemu-img", "create", "-f", "qcow2", "-F", "qcow2", "-b", "disk.qcow2", top)
    run("qemu-img", "create", "-f", "qcow2", "-u", "-F", "qcow2", "-b", circle.name, circle, "8M")
    (tmp_path / "disk.qcow2").unlink()
    case = tmp_path / "case.duckdb"
    assert ingest([top, circle], case).read_files == 0
    assert skipped(case) == {
        str(top): "unreadable: it is the difference to an image not beside it, disk.qcow2",
        str(circle): "refused: more than 64 images, each the difference to the next",
    }


@pytest.mark.parametrize("is_boot_sector", [False, True])
def test_vhd_of_another_folder_is_refused_by_its_footer_too(is_boot_sector: bool, disk: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    make_image("vpc", disk, tmp_path).rename(tmp_path / "base.vhd")
    image = difference_to("C:\\vm\\../base.vhd", tmp_path / "base.vhd", tmp_path / "folder" / "top.vhd")
    if is_boot_sector:
        data = image.read_bytes()
        boot = bytes(3) + b"NTFS    " + bytes(499) + b"\x55\xaa"
        image.write_bytes(boot + data[512:-512] + bytes(1 << 20) + data[-512:])
    case = tmp_path / "case.duckdb"
    assert ingest([image], case).read_files == 0
    assert skipped(case) == {
        str(image): "refused: it is the difference to an image in another folder, ../base.vhd",
    }
    beside = difference_to("C:\\vm\\base.vhd", tmp_path / "base.vhd", tmp_path / "top.vhd")
    assert ingest([beside], tmp_path / "beside.duckdb").read_files == 25


@pytest.mark.parametrize(
    "data", [b"QFI\xfb", b"QFI\xfb\0\0\0\3", b"conectix", b"vhdxfile", b"# Disk DescriptorFile", b"KDMV"]
)
def test_image_that_is_cut_off_in_its_header_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(data)
    (tmp_path / "b.evtx").write_bytes(make_log(2))
    case = tmp_path / "case.duckdb"
    assert ingest([tmp_path], case).events == 2
    assert list(skipped(case)) == [str(tmp_path / "image")]


def test_without_the_extra_an_image_is_named_with_what_to_install(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = ("dfvfs", "pyqcow", "pyvhdi", "pyvshadow")
    for name in [name for name in sys.modules if name.partition(".")[0] in extra]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "evtxhunt.containers.images", raising=False)
    for name in (*extra, "dfvfs.helpers"):
        monkeypatch.setitem(sys.modules, name, None)
    case = tmp_path / "case.duckdb"
    ingest([disk], case)
    assert skipped(case) == {str(disk): "a disk image: install evtxhunt[images] to read it"}


def test_shadow_copy_is_a_container_of_its_own_and_its_records_are_copies(tmp_path: Path) -> None:
    need_tools()
    records = make_records(9)
    then = {"Security.evtx": build_log(records[:5]), "Rolled.evtx": build_log(make_records(4, "WS02.example.test"))}
    now = {"Security.evtx": build_log(records), "Rolled.evtx": build_log(make_records(7, "WS02.example.test")[4:])}
    volume = write_ntfs(tmp_path / "volume.raw", then)
    before = volume.read_bytes()
    put_files(volume, now)
    volume.write_bytes(with_shadow_copy(volume.read_bytes(), before, 7 << 20))
    disk = write_disk(tmp_path / "disk.raw", volume)
    case = tmp_path / "case.duckdb"
    ingest([disk], case)
    assert skipped(case) == {}
    assert rows(case, "SELECT container, path, parsed, duplicate FROM source_file ORDER BY source_file_id") == [
        (f"{disk}!p1", "/Rolled.evtx", 3, 0),
        (f"{disk}!p1", "/Security.evtx", 9, 0),
        (f"{disk}!p1!vss1", "/Rolled.evtx", 4, 0),
        (f"{disk}!p1!vss1", "/Security.evtx", 5, 5),
    ]
    # What the live log has lost to newer records, the shadow copy still has.
    assert rows(
        case,
        "SELECT container, list(event_record_id ORDER BY event_record_id) FROM event"
        " JOIN source_file USING (source_file_id) WHERE path = '/Rolled.evtx' GROUP BY ALL ORDER BY ALL",
    ) == [(f"{disk}!p1", [5, 6, 7]), (f"{disk}!p1!vss1", [1, 2, 3, 4])]
    assert verify(case).differences == ()


def test_shadow_copies_whose_catalog_is_damaged_are_named(tmp_path: Path) -> None:
    need_tools()
    volume = write_ntfs(tmp_path / "volume.raw", {"Security.evtx": make_log(2)})
    before = volume.read_bytes()
    put_files(volume, {"Security.evtx": make_log(3)})
    data = bytearray(with_shadow_copy(volume.read_bytes(), before, 7 << 20))
    data[7 << 20 : (7 << 20) + 16] = bytes(16)
    volume.write_bytes(data)
    case = tmp_path / "case.duckdb"
    assert ingest([volume], case).events == 3
    assert list(skipped(case)) == [str(volume)]
    assert skipped(case)[str(volume)].startswith("unreadable: its shadow copies: ")
