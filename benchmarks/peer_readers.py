"""How each peer reads a log: as its documentation shows, in its most thorough mode, and past every error it lets pass.

`python -m benchmarks.peer_readers NAME LOG` reads with a Python package and writes one JSON line for each record
([id, text]) and each thing said ([null, text]): a process of its own, so that a crash costs nothing but itself.
"""

import json
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from typing import Any, cast

Put = Callable[[int | None, str], None]

# A process that takes longer than this is stopped, and what it gave until then counts.
TIMEOUT_SECONDS = 900
_EVENT = re.compile(r"<Event[ >].*?</Event>", re.DOTALL)
_RECORD_ID = re.compile(r"<EventRecordID>(\d+)</EventRecordID>")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer gave for one log: records as (id, text), the lines it said beside them, and its exit status."""

    records: list[tuple[int, str]]
    said: list[str]
    exit_status: int | None  # None: stopped after TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class Peer:
    """`commands` are run in order on `{log}` and the empty folder `{work}`; the first that fails ends the run.

    Records are what the one marked `*` writes to standard output; all else that they write is what the peer says.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    find_version: Callable[[], str | None]  # None: it is not installed


def read_evtx(path: Path, put: Put) -> None:
    """The Python binding of the Rust parser."""
    import evtx

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        records: Any = evtx.PyEvtxParser(str(path)).records()
        while True:
            try:
                record = next(records)
            except StopIteration:
                break
            except RuntimeError as error:
                put(None, str(error))
                continue
            put(record["event_record_id"], record["data"])
        for warning in caught:
            put(None, str(warning.message))


def read_python_evtx(path: Path, put: Put) -> None:
    """The library, because the scripts of release 0.8.1 do not start: the module that they import is not in it."""
    warnings.simplefilter("ignore")
    from Evtx.Evtx import Evtx

    with Evtx(str(path)) as log:
        for record in log.records():
            try:
                text = record.xml()
            except Exception as error:  # noqa: BLE001 - whatever the peer raises is its answer
                put(None, repr(error))
                continue
            put(record.record_num(), text)


def read_libevtx(path: Path, put: Put) -> None:
    """Its records, and those that it recovered."""
    import pyevtx

    log = pyevtx.open(str(path))
    if log.is_corrupted():
        put(None, "is_corrupted()")
    for count, get in (
        (log.number_of_records, log.get_record),
        (log.number_of_recovered_records, log.get_recovered_record),
    ):
        for index in range(count):
            try:
                record = get(index)
                put(record.get_identifier(), record.get_xml_string())
            except OSError as error:
                put(None, str(error))


def read_dissect(path: Path, put: Put) -> None:
    """With the library's own level of logging, CRITICAL, which is what its users have."""
    from dissect.eventlog.evtx import Evtx

    with path.open("rb") as file:
        for record in Evtx(file, path):
            values = {key: str(value) for key, value in record.items()}
            put(int(values["EventRecordID"]), json.dumps(values))


_READERS: dict[str, Callable[[Path, Put], None]] = {
    "evtx": read_evtx,
    "python-evtx": read_python_evtx,
    "libevtx-python": read_libevtx,
    "dissect.eventlog": read_dissect,
}


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _package(name: str) -> Peer:
    command = ("*", sys.executable, "-m", "benchmarks.peer_readers", name, "{log}")
    return Peer(name, (command,), lambda: _package_version(name))


def _program(name: str, ask_version: tuple[str, ...], pattern: str, *commands: tuple[str, ...]) -> Peer:
    """A program on PATH; it is the one meant if it answers `ask_version` with `pattern`."""

    def find_version() -> str | None:
        if which(ask_version[0]) is None:
            return None
        said = subprocess.run(ask_version, capture_output=True, text=True, check=False)
        found = re.search(pattern, said.stdout + said.stderr)
        return found.group(1) if found else None

    return Peer(name, commands, find_version)


_QUIET = ("--unattended", "--status-view", "none", "--logfile", "{work}/log.gz")
_STORE = "{work}/store.plaso"
# The names are those of the package or program to install; all read with recovery where they have it.
PEERS = (
    _package("evtx"),
    _program(
        "evtx_dump",  # cargo install evtx; python-evtx has a script of this name, which has no such version
        ("evtx_dump", "--version"),
        r"EVTX Parser (\S+)",
        ("*", "evtx_dump", "--recover-records", "{log}"),
        ("evtx_dump", "info", "--input", "{log}"),
    ),
    _package("python-evtx"),
    _package("libevtx-python"),
    _program(
        "evtxexport",  # Debian's libevtx-utils
        ("evtxexport", "-V"),
        r"evtxexport (\S+)",
        ("*", "evtxexport", "-f", "xml", "-m", "all", "{log}"),
        ("evtxinfo", "{log}"),
    ),
    _program(
        "plaso",
        ("log2timeline", "--version"),
        r"version (\S+)",
        ("log2timeline", *_QUIET, "--single-process", "--parsers", "winevtx", "--storage-file", _STORE, "{log}"),
        ("psort", *_QUIET, "-o", "json_line", "-w", "{work}/lines.jsonl", _STORE),
        ("*", "cat", "{work}/lines.jsonl"),
        ("pinfo", "--sections", "warnings", _STORE),
    ),
    _package("dissect.eventlog"),
    Peer(
        "evtxtract",
        (("*", sys.executable, "-c", "from evtxtract.main import main; main()", "{log}"),),
        lambda: _package_version("evtxtract"),
    ),
)


def ask_peer(peer: Peer, log: Path) -> Answer:
    """Runs a peer on one log."""
    records: list[tuple[int, str]] = []
    said: list[str] = []
    status: int | None = 0
    with tempfile.TemporaryDirectory() as work:
        for command in peer.commands:
            is_events = command[0] == "*"
            arguments = [part.format(log=log, work=work) for part in command if part != "*"]
            out, status = _run(arguments, said)
            if is_events:
                found, spoken = _split_output(out)
                records += found
                said += spoken
            else:
                said += out.replace(work, "").replace(str(log), "").splitlines()
            if status != 0 and not is_events:
                break
    return Answer(records, [line for line in said if line.strip()], status)


def _run(arguments: list[str], said: list[str]) -> tuple[str, int | None]:
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        try:
            status: int | None = subprocess.run(
                arguments, stdout=out, stderr=err, timeout=TIMEOUT_SECONDS, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            status = None
        out.seek(0)
        err.seek(0)
        said += err.read().splitlines()
        return out.read(), status


def _split_output(text: str) -> tuple[list[tuple[int, str]], list[str]]:
    """Records and other lines of any of the forms in which the peers write: our own, JSON lines or XML."""
    if text.startswith("["):
        lines = [cast("list[Any]", json.loads(line)) for line in text.splitlines() if line.endswith("]")]
        return [(item[0], item[1]) for item in lines if item[0] is not None], [
            item[1] for item in lines if item[0] is None
        ]
    if text.startswith("{"):
        # plaso has two lines for a record: one for each of its times.
        rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return sorted({(row["record_number"], row["xml_string"]) for row in rows if "record_number" in row}), []
    events = [(match.group(1), event) for event in _EVENT.findall(text) if (match := _RECORD_ID.search(event))]
    return [(int(number), event) for number, event in events], []


def main() -> None:
    name, log = sys.argv[1:]

    def put(record_id: int | None, text: str) -> None:
        print(json.dumps([record_id, text]))

    _READERS[name](Path(log), put)


if __name__ == "__main__":
    main()
