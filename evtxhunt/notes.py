"""Analysts' notes: the JSON that a report's page exports, read again for `report --notes`. It may come from anyone."""

import json
from collections.abc import Iterable
from pathlib import Path

from evtxhunt.errors import NotesError
from evtxhunt.report_model import ReportNote

_FORMAT = "evtxhunt-notes"
_LARGEST_FILE = 50_000_000  # bytes
_MOST_NOTES = 20_000
_LONGEST_KEY = 500  # characters
_LONGEST_NOTE = 10_000


def read_notes(paths: Iterable[Path]) -> tuple[ReportNote, ...]:
    """The notes of all files by key; of two on the same thing the one of the later file. Raises NotesError."""
    notes: dict[str, ReportNote] = {}
    for path in paths:
        for note in _read_file(path):
            notes[note.key] = note
    if len(notes) > _MOST_NOTES:
        raise NotesError(f"{len(notes):,} notes are more than a report can hold ({_MOST_NOTES:,}); give fewer files")
    return tuple(notes[key] for key in sorted(notes))


def _read_file(path: Path) -> list[ReportNote]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise NotesError(f"{path}: no file of notes is larger than {_LARGEST_FILE // 10**6} MB")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise NotesError(f"{path}: the notes cannot be read: {error}; export them again from the report") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT or not isinstance(content.get("notes"), list):
        raise NotesError(f"{path}: this is no file of evtxhunt notes; export them from the report")
    return [_read_note(path, number, item) for number, item in enumerate(content["notes"], 1)]


def _read_note(path: Path, number: int, item: object) -> ReportNote:
    where = f"{path}: note number {number}"
    if not isinstance(item, dict):
        raise NotesError(f"{where} is no JSON object")
    key, text = item.get("key"), item.get("note", "")
    if not isinstance(key, str) or not key or len(key) > _LONGEST_KEY:
        raise NotesError(f"{where}: its key must be a text of 1 to {_LONGEST_KEY} characters")
    if not isinstance(text, str) or len(text) > _LONGEST_NOTE:
        raise NotesError(f"{where}: its note must be a text of at most {_LONGEST_NOTE:,} characters")
    flags = [item.get(name, False) for name in ("star", "hide")]
    if not all(isinstance(flag, bool) for flag in flags):
        raise NotesError(f"{where}: star and hide must be true or false")
    return ReportNote(key, flags[0], flags[1], text)
