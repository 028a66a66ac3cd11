"""The README's table of damaged logs: our column is what an ingest gives, and the logs hold what the table says."""

from pathlib import Path

import pytest

from benchmarks.damage import damaged_logs, write_logs
from benchmarks.peer_readers import PEERS, Answer, ask_peer
from benchmarks.peers import OURS, Log, describe, our_cells, real_logs, shown_table, synthetic_logs
from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE, walk_chunk

PACKAGES = ("evtx", "python-evtx", "libevtx-python", "dissect.eventlog")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Log]:
    folder = tmp_path_factory.mktemp("damaged")
    return {log.path.stem: log for log in synthetic_logs(folder, is_small_only=True)}


def shown_cells() -> dict[str, str]:
    return {title: cells[OURS] for title, cells in shown_table()[1].items()}


@pytest.mark.slow
def test_our_column_is_what_an_ingest_of_each_synthetic_log_gives(tmp_path: Path) -> None:
    logs = synthetic_logs(tmp_path)
    shown = {title: cell for title, cell in shown_cells().items() if not title.startswith("real: ")}
    assert shown == our_cells(logs, logs[0].path), "renew it: python -m benchmarks.peers --only evtxhunt"


@pytest.mark.slow
@pytest.mark.corpus
def test_our_column_is_what_an_ingest_of_each_real_log_gives(corpora: Path, logs: dict[str, Log]) -> None:
    shown = {title: cell for title, cell in shown_cells().items() if title.startswith("real: ")}
    ours = our_cells(real_logs(corpora / "parser-samples"), logs["whole"].path)
    assert shown == ours, "renew it: python -m benchmarks.peers --only evtxhunt"


@pytest.mark.parametrize("name", PACKAGES)
def test_every_installed_parser_reads_the_undamaged_log_whole(name: str, logs: dict[str, Log]) -> None:
    (peer,) = (peer for peer in PEERS if peer.name == name)
    answer = ask_peer(peer, logs["whole"].path)
    assert describe(logs["whole"], answer, answer) == "200", answer.said


def test_each_log_has_the_record_headers_that_its_damage_leaves(logs: dict[str, Log]) -> None:
    found = {}
    for name, log in logs.items():
        content = log.path.read_bytes()
        chunks = range(FILE_HEADER_SIZE, len(content), CHUNK_SIZE)
        walks = [walk_chunk(content[start : start + CHUNK_SIZE].ljust(CHUNK_SIZE, b"\0")) for start in chunks]
        found[name] = sum(len(walk.record_ids) for walk in walks)
    assert found == {
        "whole": 200,
        "cut": 71,  # the last one's header is there, but not its end
        "chunk-magic": 200,
        "chunk-zeroed": 151,
        "record-size-zero": 199,
        "record-header-zeroed": 199,
        "record-body": 200,
        "template": 200,
        "changed": 200,
        "no-file-header": 200,
        "dirty": 200,
        "slack": 10,  # and 30 behind the end of live space
    }
    assert {name: log.record_ids.total() for name, log in logs.items()} == found | {
        "cut": 70,
        "record-size-zero": 200,  # its header has lost the size and nothing else
        "record-body": 199,
        "template": 199,
        "slack": 40,
    }


def test_damage_is_the_same_each_time(logs: dict[str, Log], tmp_path: Path) -> None:
    again = write_logs(tmp_path, is_small_only=True)
    assert {path.stem: path.read_bytes() for path in again} == {
        name: log.path.read_bytes() for name, log in logs.items()
    }
    assert [log.name for log in damaged_logs() if log.is_large] == ["large"]


@pytest.mark.parametrize(
    ("name", "numbers", "said", "status", "cell"),
    [
        pytest.param("whole", range(1, 201), [], 0, "200", id="all there"),
        pytest.param("whole", range(1, 200), [], 0, "199 **silent**", id="one lost in silence"),
        pytest.param("whole", range(1, 201), ["chunk 7 is bad"], 0, "200 told", id="more said than of the whole log"),
        pytest.param("whole", range(1, 201), ["read 1 of 5 chunks"], 0, "200", id="other numbers are no telling"),
        pytest.param("whole", range(1, 5), [], 1, "4 told, exit 1", id="ends in an error"),
        pytest.param("whole", range(1, 5), [], None, "4 **silent**, stopped after 15 min", id="does not end"),
        pytest.param("changed", range(1, 201), [], 0, "200 **silent**", id="a changed value in silence"),
        pytest.param("whole", [*range(1, 201), 7], [], 0, "200, 1 twice", id="a record twice"),
        pytest.param("whole", [*range(1, 201), 999], [], 0, "200, 1 other", id="a record that is not there"),
    ],
)
def test_cell_tells_records_and_whether_a_loss_is_told(
    name: str, numbers: list[int], said: list[str], status: int | None, cell: str, logs: dict[str, Log]
) -> None:
    answer = Answer([(number, f"user{number:05d}") for number in numbers], said, status)
    assert describe(logs[name], answer, Answer([], ["read 5 of 5 chunks"], 0)) == cell


def test_record_with_the_content_of_another_is_not_it(logs: dict[str, Log]) -> None:
    answer = Answer([(number, "user00001") for number in range(1, 201)], [], 0)
    assert describe(logs["whole"], answer, answer) == "1 **silent**, 199 other"
