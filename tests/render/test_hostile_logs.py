"""Hostile logs all the way: written as EVTX, ingested, detected, reported, opened in a real Chromium."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from browser import INVENTORY, OPEN_ALL, OPEN_RAW, Opener
from payloads import PAYLOADS
from typer.testing import CliRunner

from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import detect, load_query_set
from evtxhunt.pipeline.report import ReportOptions, gather_report
from samples import values
from samples.events import EventData, Payload, Provider, Record, UserData, UserElement
from samples.evtx_writer import build_log

pytestmark = pytest.mark.browser

_START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
_MOST_CHARACTERS = 2_000  # a record must fit a chunk


def _record(number: int, provider: str, channel: str, event_id: int, payload: Payload, computer: str) -> Record:
    return Record(
        provider=Provider(provider),
        channel=channel,
        computer=computer,
        record_id=number,
        time=values.filetime_from(_START + timedelta(hours=number)),
        event_id=event_id,
        version=0,
        level=4,
        task=0,
        opcode=0,
        keywords=0x8000000000000000,
        process_id=4,
        thread_id=8,
        payload=payload,
    )


def _hostile_records() -> Iterator[Record]:
    """A suspicious service and a cleared log for each payload, with the payload in every text."""
    for number, payload in enumerate(PAYLOADS):
        # UTF-16 in a log cannot hold what Python calls a lone surrogate; U+FFFD stands for it.
        text = payload.encode("utf-16-le", "replace").decode("utf-16-le")[:_MOST_CHARACTERS]
        service = EventData(
            (
                ("ServiceName", values.string(text)),
                ("ImagePath", values.string(f"%COMSPEC% /c powershell -enc {text}")),
                ("AccountName", values.string(text)),
            )
        )
        cleared = UserData(
            UserElement(
                "LogFileCleared",
                (
                    UserElement("SubjectUserName", values.string(text)),
                    UserElement("SubjectDomainName", values.string(text)),
                    UserElement("Channel", values.string(text)),
                ),
                "http://manifests.microsoft.com/win/2004/08/windows/eventlog",
            )
        )
        yield _record(2 * number + 1, "Service Control Manager", "System", 7045, service, text)
        yield _record(2 * number + 2, "Microsoft-Windows-Eventlog", "System", 104, cleared, text)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    logs = folder / "<img src=x onerror=alert(1)>" / "\x1b[2J\u202e"
    logs.mkdir(parents=True)
    (logs / "'\"><script>alert(1)<").write_bytes(build_log(_hostile_records()))
    (logs / "no log <svg onload=alert(1)>.evtx").write_text("</script><script>alert(1)</script>")
    ingest([folder], folder / "case.duckdb")
    return folder / "case.duckdb"


@pytest.mark.parametrize("width", [1440, 390])
def test_hostile_logs_execute_nothing_in_their_report(open_report: Opener, case: Path, width: int) -> None:
    query_set = load_query_set()
    runs = detect(case, query_set).runs
    found = {run.query.id: len(run.findings or ()) for run in runs}
    assert found["suspicious_service"] >= len(set(PAYLOADS)) // 2 and found["security_log_cleared"] > 0
    assert not [run.error for run in runs if run.error]
    shown = open_report(gather_report(case, query_set, ReportOptions()), width=width)
    shown.page.evaluate(OPEN_ALL)
    shown.page.wait_for_timeout(200)
    shown.page.evaluate(OPEN_RAW)
    inventory = shown.page.evaluate(INVENTORY)
    assert inventory["pwned"] is False
    assert not {"img", "iframe", "object", "embed", "base", "link", "image", "foreignobject"} & set(inventory["names"])
    assert not [name for name in inventory["attributes"] if name.startswith("on")]
    assert inventory["scripts"] == 1  # our own
    scroll_width, inner_width = inventory["width"]
    assert scroll_width <= inner_width
    shown.check()


@pytest.mark.parametrize(
    "command", [["detect"], ["info"], ["query", "text_search", "-p", "text=alert"], ["sql", "SELECT * FROM event"]]
)
def test_hostile_logs_send_nothing_to_the_terminal(case: Path, command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--case", str(case)])
    assert result.exit_code == 0, result.stderr
    shown = result.stdout + result.stderr
    assert not [character for character in shown if character < " " and character != "\n"]
    assert not set(shown) & {"\u202e", "\u2066", "\u200b", "\x7f", "\x9b"}
