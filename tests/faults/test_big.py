"""Logs larger than 32 bits can count."""

from pathlib import Path

import pytest

from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.verify import verify
from samples.evtx_writer import file_header
from tests.logs import make_log, rows

BORDER = (2**32 - FILE_HEADER_SIZE) // CHUNK_SIZE  # number of the chunk that spans 4 GiB
LAST = 5 * 2**30 // CHUNK_SIZE


@pytest.mark.slow
def test_log_of_5_gib_with_holes_is_read_on_both_sides_of_the_4_gib_border(tmp_path: Path) -> None:
    log, case = tmp_path / "big.evtx", tmp_path / "case.duckdb"
    damaged = bytearray(make_log(6, text=" f")[FILE_HEADER_SIZE:])
    damaged[:8] = b"ElfChnq\0"
    chunks = {
        0: make_log(1)[FILE_HEADER_SIZE:],
        BORDER - 1: make_log(2, text=" b")[FILE_HEADER_SIZE:],
        BORDER: make_log(3, text=" c")[FILE_HEADER_SIZE:],
        BORDER + 1: make_log(4, text=" d")[FILE_HEADER_SIZE:],
        LAST - 1: damaged,
        LAST: make_log(5, text=" e")[FILE_HEADER_SIZE:],
    }
    with log.open("wb") as file:
        file.write(file_header(1, 6))
        for number, chunk in chunks.items():
            file.seek(FILE_HEADER_SIZE + number * CHUNK_SIZE)
            file.write(chunk)
    assert log.stat().st_size == FILE_HEADER_SIZE + 5 * 2**30 + CHUNK_SIZE
    ingest([log], case)
    assert rows(case, "SELECT size, chunks, expected, parsed, failed FROM source_file") == [
        (log.stat().st_size, 6, 21, 15, 0)
    ]
    found = rows(
        case,
        f"SELECT (record_offset - {FILE_HEADER_SIZE}) // {CHUNK_SIZE}, count(*), min(record_offset) FROM event"
        " GROUP BY 1 ORDER BY 1",
    )
    assert found == [
        (number, count, FILE_HEADER_SIZE + number * CHUNK_SIZE + 512)
        for number, count in ((0, 1), (BORDER - 1, 2), (BORDER, 3), (BORDER + 1, 4), (LAST - 1, 6), (LAST, 5))
    ]
    # One line for each run of chunks that were never written, one for the damaged chunk.
    assert rows(case, "SELECT chunk, file_offset, reason FROM parse_failure ORDER BY chunk") == [
        (
            1,
            FILE_HEADER_SIZE + CHUNK_SIZE,
            f"{BORDER - 2} chunks of zeros before written ones: what was in them is gone",
        ),
        (
            BORDER + 2,
            FILE_HEADER_SIZE + (BORDER + 2) * CHUNK_SIZE,
            f"{LAST - BORDER - 3} chunks of zeros before written ones: what was in them is gone",
        ),
        (
            LAST - 1,
            FILE_HEADER_SIZE + (LAST - 1) * CHUNK_SIZE,
            "chunk begins with 45 6c 66 43 68 6e 71 00 and not with ElfChnk",
        ),
    ]
    assert verify(case).differences == ()
