"""Our own readers under a coverage-guided fuzzer, for a bounded number of runs from a fixed seed."""

import subprocess
import sys
from pathlib import Path

import pytest

from evtxhunt.chunk import FILE_HEADER_SIZE
from tests.conftest import REPOSITORY
from tests.faults.hostile import HOSTILE
from tests.logs import make_log

pytestmark = pytest.mark.slow

RUNS = 30_000


def test_fuzzer_finds_nothing_that_the_readers_do_wrong(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris has wheels for Linux on x86-64 alone")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, log in enumerate([make_log(12), make_log(3), *HOSTILE.values()]):
        (corpus / f"chunk{number}").write_bytes(log[FILE_HEADER_SIZE:][:4096])
        (corpus / f"header{number}").write_bytes(log[:128])
    options = [f"-runs={RUNS}", "-seed=1", "-max_len=4096", "-timeout=10", "-rss_limit_mb=600"]
    command = [
        sys.executable,
        "-m",
        "tests.faults.fuzz_readers",
        *options,
        f"-artifact_prefix={tmp_path}/",
        str(corpus),
    ]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr[-4000:]
    assert f"Done {RUNS} runs" in result.stderr
