"""Tars and compressed data that are damaged, or followed by something: what is whole is read, the rest told."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evtxhunt.pipeline.ingest import ingest
from tests.containers.cases import skipped
from tests.containers.test_archives import ARCHIVES, ingest_bytes, tar_of, zstd
from tests.containers.test_hostile import paths
from tests.logs import make_log, rows

TARS = [kind for kind in ARCHIVES if kind.startswith("tar")]


def _packed(kind: str, tar: bytes) -> bytes:
    """The tar compressed as the kind says."""
    compress = {"tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress, "tar.zst": zstd.compress}
    return compress[kind](tar) if kind in compress else tar


@pytest.mark.parametrize("kind", TARS)
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data, at: data[:at] + b"\xff" + data[at + 1 :], "bad checksum"),
        (lambda data, at: data[:at] + bytes(512) + data[at + 512 :], "bad checksum"),
        (lambda data, at: data[:at], "empty header"),
        (lambda data, at: data[: at + 100], "truncated header"),
    ],
)
def test_tar_header_that_is_damaged_or_missing_is_told(
    kind: str, harm: Callable[[bytes, int], bytes], said: str, tmp_path: Path
) -> None:
    tar = tar_of({"a.evtx": make_log(2), "b.evtx": make_log(3)})
    at = tar.index(b"b.evtx")
    _, case = ingest_bytes(tmp_path, f"a.{kind}", _packed(kind, harm(tar, at)))
    assert paths(case) == ["a.evtx"]
    told = at + 512 if harm(tar, at)[at : at + 1] == b"\0" else at
    reason = f"unreadable: neither a member nor the end of the tar at byte {told:,}: {said}"
    assert skipped(case) == {str(tmp_path / f"a.{kind}"): reason}


@pytest.mark.parametrize("kind", TARS)
def test_tar_after_a_tar_is_read_and_other_data_after_it_is_told(kind: str, tmp_path: Path) -> None:
    first, second = tar_of({"a.evtx": make_log(2)}), tar_of({"b.evtx": make_log(3)})
    _, case = ingest_bytes(tmp_path, f"a.{kind}", _packed(kind, first) + _packed(kind, second))
    assert paths(case) == ["a.evtx", "b.evtx"]
    assert skipped(case) == {}
    (tmp_path / "b").mkdir()
    _, case = ingest_bytes(tmp_path / "b", f"a.{kind}", _packed(kind, first + b"other data"))
    assert paths(case) == ["a.evtx"]
    reason = f"unreadable: neither a member nor the end of the tar at byte {len(first):,}: truncated header"
    assert skipped(case) == {str(tmp_path / "b" / f"a.{kind}"): reason}


def test_end_marker_of_a_tar_may_be_of_any_length(tmp_path: Path) -> None:
    tar = tar_of({"a.evtx": make_log(2)})
    at = 512 + len(make_log(2))  # whole blocks
    for size in (1, 512, 1000, 1 << 20):
        (tmp_path / f"{size}.tar").write_bytes(tar[:at] + bytes(size))
    case = tmp_path / "case.duckdb"
    assert len(ingest([tmp_path], case, host="h").copies) == 3
    assert skipped(case) == {}


# gzip loses up to 64 KiB before the damage.
@pytest.mark.parametrize(("kind", "parsed"), [("gz", 0), ("bz2", 2), ("xz", 2), ("zst", 2)])
def test_what_follows_compressed_data_is_told_unless_it_is_zeros_or_more_of_it(
    kind: str, parsed: int, tmp_path: Path
) -> None:
    log = make_log(2)
    packed = [_packed(f"tar.{kind}", part) for part in (log[:60_000], log[60_000:])]
    whole, cut = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    whole.write_bytes(packed[0] + packed[1] + bytes(512))
    cut.write_bytes(packed[0] + b"\xee" + packed[1])
    case = tmp_path / "case.duckdb"
    ingest([whole, cut], case)
    assert rows(case, "SELECT path, status, parsed FROM source_file ORDER BY 1") == [
        ("a", "complete", 2),
        ("b", "damaged", parsed),
    ]
    reasons = [str(reason) for (reason,) in rows(case, "SELECT reason FROM parse_failure WHERE scope = 'file'")]
    assert len([reason for reason in reasons if reason.startswith("unreadable: ")]) == 1


def test_xz_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    wide = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 200 << 20}]
    _, case = ingest_bytes(tmp_path, "a.evtx.xz", lzma.compress(make_log(2), filters=wide))
    assert skipped(case) == {str(tmp_path / "a.evtx.xz"): "refused: takes more than 128 MiB of memory to unpack"}
    (tmp_path / "b.evtx.xz").write_bytes(lzma.compress(make_log(2), preset=9))
    assert ingest([tmp_path / "b.evtx.xz"], case).events == 2


@pytest.mark.parametrize("version", ["S", "0.0", "0.1", "1.0"])
def test_sparse_file_in_a_tar_is_named_without_its_map_and_the_others_are_read(version: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        if version == "S":
            info = tarfile.TarInfo("sparse.evtx")
            info.type = tarfile.GNUTYPE_SPARSE
            header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
            header[482] = 1  # more of the map follows
            header[148:156] = b" " * 8
            header[148:156] = b"%06o\0 " % sum(header)
            blocks = b"0" * 504 + b"\1" + bytes(7), b"0" * 504 + bytes(8)
            buffer.write(bytes(header) + b"".join(blocks))
        else:
            info, data = tarfile.TarInfo("sparse.evtx"), make_log(2)
            sizes = {"GNU.sparse.size": str(len(data)), "GNU.sparse.numblocks": "1"}
            info.pax_headers = {
                "0.0": sizes | {"GNU.sparse.offset": "0", "GNU.sparse.numbytes": str(len(data))},
                "0.1": sizes | {"GNU.sparse.map": f"0,{len(data)}"},
                "1.0": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(len(data))},
            }[version]
            info.size = 1 << 20 if version == "1.0" else len(data)
            # A map without end: tarfile would hold it all.
            archive.addfile(info, io.BytesIO(b"9" * 9 + b"\n" + b"0\n" * (1 << 19) if version == "1.0" else data))
        buffer.write(tar_of({"z.evtx": make_log(3)}))
    _, case = ingest_bytes(tmp_path, "a.tar", buffer.getvalue())
    assert paths(case) == ["z.evtx"]
    assert skipped(case) == {
        f"{tmp_path / 'a.tar'}!sparse.evtx": "a sparse file in a tar: not read, take it out of there first"
    }


def test_attributes_for_all_members_of_a_tar_are_bounded(tmp_path: Path) -> None:
    header = tarfile.TarInfo.create_pax_global_header({"comment": "x" * 600_000})
    members = tar_of({"a.evtx": make_log(2)})
    (tmp_path / "one.tar").write_bytes(header + members)
    _, case = ingest_bytes(tmp_path, "two.tar", header + header + members)
    assert skipped(case) == {str(tmp_path / "two.tar"): "refused: a name or an attribute of more than 1 MiB"}
    assert ingest([tmp_path / "one.tar"], case).events == 2
