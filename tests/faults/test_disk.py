"""Disks that are full, files that cannot be read, shrink, grow or vanish: a clear line, a valid case."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.corpus import make_corpus
from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxhunt.pipeline.ingest import SilentProgress, ingest
from evtxhunt.pipeline.verify import verify
from samples.evtx_writer import build_log, file_header
from tests.logs import make_log, make_records, rows

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX calls")

CHUNKS = 200  # three batches of the reader
RECORDS_A_CHUNK = 3
CHANGED = "the file changed after it was hashed; ingest it again"
# Counts what is read of one file, over all its openings, and then gives errors as a dying disk does.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
ssize_t read(int fd, void *buffer, size_t size) {
    static ssize_t (*real)(int, void *, size_t);
    static long total;
    if (!real) real = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0 && strstr(path, getenv("DYING_FILE"))) {
        if (total >= atol(getenv("DYING_AFTER"))) { errno = EIO; return -1; }
        ssize_t result = real(fd, buffer, size);
        total += result > 0 ? result : 0;
        return result;
    }
    return real(fd, buffer, size);
}
"""


class Interfering(SilentProgress):
    """Does something to the evidence when the first records of a log are in."""

    def __init__(self, log: Path, interfere: Callable[[], object]) -> None:
        self._log, self._interfere, self._is_done = str(log), interfere, False

    def advance(self, path: str, size: int, records: int) -> None:
        if path == self._log and records and not self._is_done:
            self._is_done = True
            self._interfere()


def long_log() -> bytes:
    """A log of `CHUNKS` equal chunks."""
    chunk = build_log(make_records(RECORDS_A_CHUNK))[FILE_HEADER_SIZE:]
    return file_header(CHUNKS, RECORDS_A_CHUNK + 1) + chunk * CHUNKS


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A long log between two short ones."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.evtx").write_bytes(make_log(5, "A"))
    (folder / "long.evtx").write_bytes(long_log())
    (folder / "z.evtx").write_bytes(make_log(7, "Z"))
    return folder


def failures(case: Path) -> list[tuple[object, ...]]:
    return rows(
        case,
        "SELECT parse_path(path)[-1], scope, file_offset, reason FROM parse_failure JOIN source_file"
        " USING (source_file_id) ORDER BY ALL",
    )


def counts(case: Path) -> list[tuple[object, ...]]:
    """Events and copies by log, and that each log has as many as its account says."""
    assert rows(case, "FROM source_file SELECT path WHERE expected <> parsed + rescued + failed") == []
    return rows(
        case,
        "SELECT parse_path(path)[-1], parsed, (SELECT count(*) FROM event AS e WHERE e.source_file_id ="
        " s.source_file_id) + duplicate FROM source_file AS s ORDER BY source_file_id",
    )


def test_log_that_shrinks_while_it_is_read_gives_what_was_still_there(logs: Path, tmp_path: Path) -> None:
    long, case = logs / "long.evtx", tmp_path / "case.duckdb"
    size = FILE_HEADER_SIZE + 100 * CHUNK_SIZE + 2200
    ingest([logs], case, progress=Interfering(long, lambda: os.truncate(long, size)))
    assert counts(case) == [("a.evtx", 5, 5), ("long.evtx", 301, 301), ("z.evtx", 7, 7)]
    assert [failure for failure in failures(case) if failure[1] != "record"] == [
        ("long.evtx", "chunk", size, "file ends 2200 bytes into this chunk of 65536"),
        ("long.evtx", "file", None, CHANGED),
    ]


def test_log_that_grows_while_it_is_read_gives_what_was_hashed(logs: Path, tmp_path: Path) -> None:
    long, case = logs / "long.evtx", tmp_path / "case.duckdb"

    def append() -> None:
        with long.open("ab") as file:
            file.write(make_log(9, "NEW")[FILE_HEADER_SIZE:])

    ingest([logs], case, progress=Interfering(long, append))
    assert counts(case) == [("a.evtx", 5, 5), ("long.evtx", 600, 600), ("z.evtx", 7, 7)]
    assert failures(case) == [("long.evtx", "file", None, CHANGED)]
    assert rows(case, "SELECT size FROM source_file WHERE parsed = 600") == [(len(long_log()),)]
    ingest([logs], case)
    assert rows(case, "SELECT count(*) FROM event WHERE computer = 'NEW'") == [(9,)]


def test_log_that_grows_between_its_discovery_and_its_hash_is_whole(logs: Path, tmp_path: Path) -> None:
    class GrowAtStart(SilentProgress):
        def start(self, files: int, size: int) -> None:
            with (logs / "a.evtx").open("ab") as file:
                file.write(make_log(9, "NEW")[FILE_HEADER_SIZE:])

    case = tmp_path / "case.duckdb"
    ingest([logs], case, progress=GrowAtStart())
    assert counts(case)[0] == ("a.evtx", 14, 14)
    assert failures(case) == []
    assert verify(case).differences == ()


def test_log_that_is_gone_when_it_is_its_turn_is_said_to_be(logs: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    ingest([logs], case, progress=Interfering(logs / "a.evtx", (logs / "z.evtx").unlink))
    assert counts(case) == [("a.evtx", 5, 5), ("long.evtx", 600, 600), ("z.evtx", 0, 0)]
    assert failures(case) == [("z.evtx", "file", 0, "reading stopped here: No such file or directory")]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler, or no Linux: reading cannot be made to fail")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "shim.so", folder / "shim.c", "-ldl"], check=True)
    return folder / "shim.so"


def ingest_dying(shim: Path, logs: Path, case: Path, readable: int) -> "subprocess.CompletedProcess[str]":
    """Of the long log `readable` bytes are read over all its openings, then come errors."""
    command = [sys.executable, "-m", "evtxhunt", "ingest", str(logs), "--case", str(case)]
    environment = {**os.environ, "LD_PRELOAD": str(shim), "DYING_FILE": "/long.evtx", "DYING_AFTER": str(readable)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("readable", [0, 5_000_000])
def test_read_error_before_or_during_the_hash_names_the_file(
    readable: int, shim: Path, logs: Path, tmp_path: Path
) -> None:
    case = tmp_path / "case.duckdb"
    result = ingest_dying(shim, logs, case, readable)
    assert result.returncode == 0, result.stderr
    assert "1 not ingested, unreadable: Input/output error:" in result.stderr
    assert counts(case) == [("a.evtx", 5, 5), ("z.evtx", 7, 7)]
    assert rows(case, "SELECT parse_path(path)[-1], reason FROM skipped_file") == [
        ("long.evtx", "unreadable: Input/output error")
    ]
    ingest([logs], case)
    assert rows(case, "SELECT sum(parsed) FROM source_file") == [(612,)]
    assert rows(case, "SELECT count(*) FROM skipped_file") == [(0,)]


def test_read_error_while_records_are_read_keeps_those_before_it(shim: Path, logs: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    size = len(long_log())
    result = ingest_dying(shim, logs, case, size + size // 2)
    assert result.returncode == 0, result.stderr
    assert "reading stopped here: Input/output error" in result.stderr
    [(name, scope, offset, reason)] = failures(case)
    assert (name, scope, reason) == ("long.evtx", "file", "reading stopped here: Input/output error")
    read = (int(str(offset)) - FILE_HEADER_SIZE) // CHUNK_SIZE * RECORDS_A_CHUNK
    assert 0 < read < 600
    assert counts(case) == [("a.evtx", 5, 5), ("long.evtx", read, read), ("z.evtx", 7, 7)]
    assert verify(case).differences == ()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(options, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a small file system; the limit on file sizes is tested elsewhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_full_disk_is_one_line_and_the_case_goes_on_where_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    evidence, case = tmp_path / "evidence", small_disk / "case.duckdb"
    make_corpus(evidence, 96 * 2**20, log_size=4 * 2**20)
    code = (
        "import evtxhunt.pipeline.ingest as i; i._LOAD_BYTES = 2**23; import sys;"
        f"sys.argv = ['evtxhunt', 'ingest', {str(evidence)!r}, '--case', {str(case)!r}];"
        "from evtxhunt.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 3, result.stderr
    assert result.stderr.startswith(f"error: {case}: cannot be written: "), result.stderr
    assert result.stderr.count("\n") == 1
    kept = counts(case)
    assert 0 < len(kept) < 24 and all(parsed == events for _, parsed, events in kept)
    # What a full disk left behind is as good as any case, elsewhere.
    for path in small_disk.glob("case.duckdb*"):
        shutil.copy(path, tmp_path / path.name)
    ingest([evidence], tmp_path / "case.duckdb")
    ingest([evidence], tmp_path / "undisturbed.duckdb")
    contents = "SELECT count(*), bit_xor(hash(t)) FROM {} AS t"
    for table in ("event", "source_file", "parse_failure", "event_copy", "skipped_file"):
        assert rows(tmp_path / "case.duckdb", contents.format(table)) == rows(
            tmp_path / "undisturbed.duckdb", contents.format(table)
        )
