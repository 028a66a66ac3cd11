"""Coverage-guided fuzzing of our own readers: `python -m tests.faults.fuzz_readers [libFuzzer options] [CORPUS]`.

Without options it runs until it finds something or is stopped; what it finds is written beside it, and is read again
by giving it that file. Needs atheris (https://github.com/google/atheris), which has wheels for Linux alone.
"""

import json
import os
import sys
from itertools import pairwise

import atheris

with atheris.instrument_imports(include=["evtxhunt.chunk", "evtxhunt.binxml", "evtxhunt.binxml_values"]):
    from evtxhunt.binxml import RecordRenderer
    from evtxhunt.binxml_nodes import UnreadableRecordError
    from evtxhunt.chunk import (
        CHUNK_SIZE,
        MOST_RECORDS,
        RECORD_HEADER_SIZE,
        headers_between,
        hidden_headers,
        read_file_header,
        walk_chunk,
    )


def read_one(data: bytes) -> None:
    """Reads the same bytes as a file header and as the beginning of a chunk, and holds the answers against them."""
    header = read_file_header(data)
    assert (header is None) == (len(data) < 128)
    chunk = data[:CHUNK_SIZE].ljust(CHUNK_SIZE, b"\0")
    walk = walk_chunk(chunk)
    headers = walk.headers(chunk)
    ends = [header.offset + header.size for header in headers]
    assert len(walk.offsets) == len(walk.record_ids) == len(walk.written_filetimes) <= MOST_RECORDS
    # One that hides others in its size ends behind the next.
    assert all(after - before >= RECORD_HEADER_SIZE for before, after in pairwise(walk.offsets))
    assert all(offset >= 512 and end <= CHUNK_SIZE for offset, end in zip(walk.offsets, ends, strict=True))
    assert all(chunk[offset : offset + 4] == b"\x2a\x2a\0\0" for offset in walk.offsets)
    assert len(walk.missing_ids) <= MOST_RECORDS and not set(walk.missing_ids) & set(walk.record_ids)
    assert 512 <= walk.live_end <= CHUNK_SIZE
    others = [record for _, hidden in hidden_headers(chunk, walk) for record in hidden]
    others += headers_between(chunk, walk.live_end, CHUNK_SIZE)
    places = [record.offset for record in (*headers, *others)]
    assert len(places) == len(set(places))
    renderer = RecordRenderer(chunk)
    for record in (*headers, *others):
        try:
            json.loads(renderer.render(record.offset, record.size).text)
        except UnreadableRecordError:
            continue
    assert walk.damaged_at is None or 512 <= walk.damaged_at <= CHUNK_SIZE - RECORD_HEADER_SIZE


def main() -> None:
    # In a fork: libFuzzer's limit on memory asks getrusage(), which begins with what started this process.
    if pid := os.fork():
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
