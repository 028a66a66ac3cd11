"""What each peer gives for the same damaged log: `python -m benchmarks.peers` renews the table of the README.

Columns of peers that are not installed, and rows of real logs that are not in $EVTXHUNT_CORPORA (default ../shared),
stay as they are. `--only evtxhunt` renews our own column, `--print` writes the table to standard output instead.
Versions are in the heads of the columns; how each peer is asked is in benchmarks/peer_readers.py.
"""

import argparse
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.damage import damaged_logs
from benchmarks.peer_readers import PEERS, Answer, ask_peer
from evtxhunt.chunk import CHUNK_SIZE, FILE_HEADER_SIZE, walk_chunk
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import load_query_set, open_case

REPOSITORY = Path(__file__).resolve().parent.parent
README = REPOSITORY / "README.md"
BEGIN, END = "<!-- peers: python -m benchmarks.peers -->", "<!-- end of peers -->"
OURS = "evtxhunt"
# Of the logs in corpora/parser-samples those that an ingest finds damaged.
REAL_LOGS = (
    "2-vss_0-Microsoft-Windows-RemoteDesktopServices-RdpCoreTS%4Operational.evtx",
    "2-vss_0-Microsoft-Windows-TerminalServices-RemoteConnectionManager%4Operational.evtx",
    "Microsoft-Windows-HelloForBusiness%4Operational.evtx",
    "Microsoft-Windows-LanguagePackSetup%4Operational.evtx",
    "sample-with-zero-data-size-event.evtx",
    "sample_with_a_bad_chunk_magic.evtx",
    "sysmon.evtx",
)
_FIRST_COLUMNS = ("damage", "records")
_USER_NAME = re.compile(r"\buser(\d{5})\b")
_RECORD_ID = re.compile(r"EventRecordID\W+(\d+)")

_OUR_RECORDS = """
    SELECT header_record_id, concat_ws(' ', 'EventRecordID', event_record_id, event_data) FROM event ORDER BY event_key
"""

Table = dict[str, dict[str, str]]  # row -> column -> cell


@dataclass(frozen=True, slots=True)
class Log:
    """A row: the log, how its records are counted, and whether a careful reader has something to tell of it."""

    title: str
    path: Path
    record_ids: Counter[int]
    is_spoilt: bool
    is_synthetic: bool


def synthetic_logs(folder: Path, *, is_small_only: bool = False) -> list[Log]:
    """Writes the logs of benchmarks/damage.py; the first is undamaged."""
    logs = []
    for made in damaged_logs():
        if not (made.is_large and is_small_only):
            path = folder / f"{made.name}.evtx"
            made.write(path)
            logs.append(Log(f"{made.damage} (`{made.name}`)", path, Counter(made.record_ids), made.is_spoilt, True))
    return logs


def real_logs(folder: Path) -> list[Log]:
    """The damaged logs of the corpora; their records are those whose headers stand in live space."""
    return [
        Log(f"real: `{name}`", folder / name, _walked_ids(folder / name), is_spoilt=True, is_synthetic=False)
        for name in REAL_LOGS
    ]


def corpora_folder() -> Path:
    root = Path(os.environ.get("EVTXHUNT_CORPORA") or REPOSITORY.parent / "shared")
    return root / "corpora" / "parser-samples"


def _walked_ids(path: Path) -> Counter[int]:
    content = path.read_bytes()
    ids: Counter[int] = Counter()
    for start in range(FILE_HEADER_SIZE, len(content), CHUNK_SIZE):
        ids.update(walk_chunk(content[start : start + CHUNK_SIZE].ljust(CHUNK_SIZE, b"\0")).record_ids)
    return ids


def ask_us(log: Path) -> tuple[Answer, int]:
    """What `ingest --recover` of this log alone gives, and how many lost records it names one by one.

    What is not taken for a log is carved, as the command proposes.
    """
    with tempfile.TemporaryDirectory() as work:
        case = Path(work) / "case.duckdb"
        summary = ingest([log], case, recover=True)
        if summary.skipped:
            ingest([], case, carve=[log])
        with open_case(case, load_query_set()) as connection:
            records = connection.execute(_OUR_RECORDS).fetchall()
            said = [reason for (reason,) in connection.execute("SELECT reason FROM log_integrity").fetchall()]
            said += [reason for (reason,) in connection.execute("SELECT reason FROM parse_failure").fetchall()]
            named = _count(connection, "FROM parse_failure WHERE scope = 'record'")
    said += [item.reason for item in summary.skipped]
    return Answer(records, said, 0), named


def _count(connection: duckdb.DuckDBPyConnection, rest: str) -> int:
    row = connection.execute(f"SELECT count(*) {rest}").fetchone()
    assert row is not None
    return int(row[0])


def describe(log: Log, answer: Answer, whole: Answer, named: int = 0) -> str:
    """The cell: how many records came back, what else did, and whether a loss is told.

    A record came back if it has its number and its content; all else is `other`.

    Told is what the reader does not say of the undamaged log, numbers aside.
    """
    right: Counter[int] = Counter()
    others = 0
    # In these real logs the record's header and its EventRecordID agree, unless one of them is of another record.
    content = _USER_NAME if log.is_synthetic else _RECORD_ID
    for number, text in answer.records:
        named_inside = content.search(text)
        is_right = number in log.record_ids and named_inside is not None and int(named_inside[1]) == number
        right[number] += is_right
        others += not is_right
    found = (right & log.record_ids).total()
    again = (right - log.record_ids).total()
    is_stopped = answer.exit_status is None
    has_failed = answer.exit_status != whole.exit_status and not is_stopped
    is_told = has_failed or bool(_wording(answer.said) - _wording(whole.said))
    cell = f"{found:,}"
    if is_told:
        cell += " told"
    elif log.is_spoilt or found < log.record_ids.total():
        cell += " **silent**"
    parts = [
        (again, "twice"),
        (others, "other"),
        (named, "named"),
    ]
    cell += "".join(f", {number:,} {what}" for number, what in parts if number)
    if has_failed:
        cell += f", exit {answer.exit_status}"
    if is_stopped:
        cell += ", stopped after 15 min"
    return cell


def _wording(said: Iterable[str]) -> set[str]:
    return {re.sub(r"\b0x[0-9a-f]+\b|\d+|chunks?\b|fails?\b|\W+", " ", line) for line in said}


def our_cells(logs: Iterable[Log], whole: Path) -> dict[str, str]:
    """Row -> our cell; `whole` is the undamaged log."""
    normal = ask_us(whole)[0]
    cells = {}
    for log in logs:
        answer, named = ask_us(log.path)
        cells[log.title] = describe(log, answer, normal, named)
    return cells


def shown_table() -> tuple[list[str], Table]:
    """The README's columns after those of the log itself, and its rows."""
    section = README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].strip()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()]
    if not lines:
        return [], {}
    head = lines[0]
    return head[len(_FIRST_COLUMNS) :], {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in lines[2:]}


def render_table(columns: Iterable[str], table: Mapping[str, Mapping[str, str]]) -> str:
    """Markdown: rows in the order of `table`; a cell that nobody has measured is empty."""
    heads = [*_FIRST_COLUMNS, *columns]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [
        f"| {' | '.join([title, *(cells.get(head, '') for head in heads[1:])])} |" for title, cells in table.items()
    ]
    return "\n".join(lines)


def _merge(columns: list[str], column: str) -> None:
    """Puts `column` in the place of the same peer's, of whatever version, or last."""
    name = column.split()[0]
    places = [index for index, shown in enumerate(columns) if shown.split()[0] == name]
    if places:
        columns[places[0]] = column
    else:
        columns.append(column)


def measure(only: str | None, is_small_only: bool = False) -> str:
    """The table, with what was measured here in the place of what the README has."""
    columns, shown = shown_table()
    with tempfile.TemporaryDirectory() as name:
        logs = synthetic_logs(Path(name), is_small_only=is_small_only)
        whole = logs[0].path
        if corpora_folder().is_dir():
            logs += real_logs(corpora_folder())
        table: Table = {
            title: dict(shown.get(title, {})) for title in dict.fromkeys([*shown, *(log.title for log in logs)])
        }
        for log in logs:
            table[log.title]["records"] = f"{log.record_ids.total():,}"
        if only in (None, OURS):
            _merge(columns, OURS)
            for title, cell in our_cells(logs, whole).items():
                table[title][OURS] = cell
        for peer in PEERS:
            version = peer.find_version() if only in (None, peer.name) else None
            if version is None:
                continue
            column = f"{peer.name} {version}"
            _merge(columns, column)
            normal = ask_peer(peer, whole)
            for log in logs:
                print(f"{peer.name}: {log.path.name}", file=sys.stderr)
                table[log.title][column] = describe(log, ask_peer(peer, log.path), normal)
    return render_table(columns, table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", help=f"{OURS} or the name of one peer")
    parser.add_argument("--small", action="store_true", help="leave the row of the log over 4 GiB as it is")
    parser.add_argument("--print", action="store_true", help="to standard output and not into the README")
    options = parser.parse_args()
    table = measure(options.only, options.small)
    if options.print:
        print(table)
        return
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
