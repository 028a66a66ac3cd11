"""Files of notes: what they may hold, and that what breaks the format is an error of one line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evtxhunt.cli import app
from evtxhunt.errors import NotesError
from evtxhunt.notes import read_notes
from evtxhunt.report_model import ReportNote
from tests.conftest import REPOSITORY


def write(path: Path, *notes: object, format_name: str = "evtxhunt-notes") -> Path:
    path.write_text(json.dumps({"format": format_name, "version": 1, "case": "x", "notes": notes}), encoding="utf-8")
    return path


def test_notes_of_several_files_are_merged_by_key_and_the_later_file_wins(tmp_path: Path) -> None:
    one = write(tmp_path / "a.json", {"key": "b", "star": True, "note": "first"}, {"key": "a", "hide": True})
    two = write(tmp_path / "b.json", {"key": "b", "note": "</script>\u202e"})
    assert read_notes([one, two]) == (
        ReportNote("a", False, True, ""),
        ReportNote("b", False, False, "</script>\u202e"),
    )
    assert read_notes([]) == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "no file of evtxhunt notes"),
        ('{"format": "evtxhunt-notes"}', "no file of evtxhunt notes"),
        ('{"format": "evtxhunt-notes", "notes": [1]}', "note number 1 is no JSON object"),
        ('{"format": "evtxhunt-notes", "notes": [{"key": ""}]}', "note number 1: its key must be"),
        ('{"format": "evtxhunt-notes", "notes": [{"key": "a", "note": 1}]}', "its note must be a text"),
        ('{"format": "evtxhunt-notes", "notes": [{"key": "a", "star": "yes"}]}', "star and hide must be true or false"),
        (
            json.dumps({"format": "evtxhunt-notes", "notes": [{"key": "a", "note": "x" * 10_001}]}),
            "at most 10,000 characters",
        ),
    ],
)
def test_what_breaks_the_format_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "notes.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(NotesError, match=message) as raised:
        read_notes([path])
    assert str(raised.value).startswith(f"{path}: ") and "\n" not in str(raised.value)


def test_report_takes_notes_and_says_what_is_wrong_with_them(tmp_path: Path) -> None:
    case, output = tmp_path / "case.duckdb", tmp_path / "report.html"
    ran = CliRunner().invoke(app, ["ingest", str(REPOSITORY / "samples" / "demo"), "--case", str(case)])
    assert ran.exit_code == 0
    notes = write(tmp_path / "notes.json", {"key": "finding/x/y", "star": True, "note": "seen by me"})
    ran = CliRunner().invoke(app, ["report", "--case", str(case), "-o", str(output), "--notes", str(notes)])
    assert ran.exit_code == 0, ran.stderr
    assert output.stat().st_size > 100_000
    ran = CliRunner().invoke(app, ["report", "--case", str(case), "-o", str(output), "--notes", str(tmp_path / "none")])
    assert ran.exit_code == 3
    assert "the notes cannot be read" in ran.stderr
