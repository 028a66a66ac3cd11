"""The names of a case, and the key that leads from pseudonyms back to them."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import get_args

import duckdb

from evtxhunt.errors import RedactionKeyError
from evtxhunt.model import Report
from evtxhunt.names import (
    MAY_BE_FOREIGN,
    Kind,
    addresses_in,
    is_kept,
    kind_of_field,
    names_of_forms,
    names_of_value,
    sids_in,
)
from evtxhunt.pseudonyms import Pseudonyms
from evtxhunt.redact import What, redact_report

_FORMAT = "evtxhunt redaction key 1"

# Every text of the case that can hold a name, once: fields by their key, and snippets whose form tells of one. Coarse:
# the exact rules are those of `names`, which sees what this lets through. The patterns read JSON text, where \ is \\.
_NAMES_SQL = r"""
    WITH snippet AS (
        SELECT unnest(list_concat(
            regexp_extract_all(event_data, '"[A-Za-z_ ]*(?i:user|account|computer|host|workstation|machine|server'
                || '|domain|realm|member|owner|samname|client|dsname|dcname|connection|targetinfo)[A-Za-z_ ]*"'
                || ':"(?:[^"\\]|\\.){1,600}"'),
            regexp_extract_all(event_data,
                '\\[rnt][ ]*(?i:(?:user|userid|connected user|runas user) ?= ?)(?:[^"\\]|\\\\){1,200}'),
            regexp_extract_all(event_data,
                '(?i:(?:\\\\|/)(?:users|home|documents and settings)(?:\\\\|/)+)[^\\/"]{1,64}'),
            regexp_extract_all(event_data, '[^A-Za-z0-9_:)%.$}\\]\\\\\\\\[A-Za-z0-9_.-]{1,255}\\\\'),
            regexp_extract_all(event_data,
                '(?i:/user:|/u:|-username |-u |net1? user |-computername |-cn |/node:|/s | wsman/)[^ "]{1,200}'),
            regexp_extract_all(event_data, '(?i:https?://[^/" ]{1,200}/wsman)'),
            regexp_extract_all(event_data, 'S-1-5-21-[0-9-]{5,50}'),
            regexp_extract_all(event_data, '"[A-Za-z]*Version[A-Za-z]*":"[^"]*"'
                || '|(?:^|[^\w.\\]|\\\\\\\\)[0-9]{1,3}(?:\.[0-9]{1,3}){3}[\w.]?'),
            regexp_extract_all(event_data, '[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){2,7}')
        )) AS text FROM event
    )
    SELECT DISTINCT 'snippet' AS source, text FROM snippet
    UNION SELECT 'computer', unnest([computer, host]) FROM event
    UNION SELECT 'computer', host FROM source_file
    UNION SELECT 'user', event_data->>'ServiceName' FROM event
        WHERE event_id IN (4769, 4770) AND provider = 'Microsoft-Windows-Security-Auditing'
    UNION SELECT 'user', event_data->>'DisplayName' FROM event
        WHERE event_id IN (4720, 4738, 4741, 4742) AND provider = 'Microsoft-Windows-Security-Auditing'
    UNION SELECT unnest(['user', 'domain']),
            unnest([event_data->>'$.EventXML.Param1', event_data->>'$.EventXML.Param2'])
        FROM event WHERE event_id = 1149 AND provider = 'Microsoft-Windows-TerminalServices-RemoteConnectionManager'
    UNION SELECT 'text', user_sid FROM event
    UNION SELECT 'text', concat_ws('!', container, path) FROM source_file
    UNION SELECT 'text', path FROM skipped_file
    ORDER BY ALL
"""
_SOURCES: dict[str, Kind] = {"computer": "host", "user": "user", "domain": "domain"}
_NAMED = _SOURCES.values()
_FIELD = re.compile(r'"([A-Za-z_ ]+)":("(?:[^"\\]|\\.)*")', re.DOTALL)


def redact_case(
    connection: duckdb.DuckDBPyConnection, report: Report, what: frozenset[What], key: Path | None
) -> Report:
    """The report without names. `key`: a file to write the pseudonyms to, or of this case, to go on with.

    Raises RedactionKeyError if the file is of another case, is no key or cannot be written.
    """
    evidence = sorted({row[0] for row in connection.execute("SELECT sha256 FROM source_file").fetchall()})
    known = _read_key(key, evidence) if key else {}
    pseudonyms = Pseudonyms(names_of_case(connection), known)
    redacted = redact_report(report, what, pseudonyms)
    if key:
        _write_key(key, evidence, pseudonyms)
    return redacted


def names_of_case(connection: duckdb.DuckDBPyConnection) -> list[tuple[Kind, str]]:
    """Every account, host, domain, address and SID that the case names, those of every Windows left out."""
    found: set[tuple[Kind, str]] = set()
    foreign: set[str] = set()
    for source, text in connection.execute(_NAMES_SQL).fetchall():
        if text is None:
            continue
        if kind := _SOURCES.get(source):
            found.update(names_of_value(kind, text))
            continue
        field = _FIELD.fullmatch(text) if source == "snippet" else None
        if field:
            if kind := kind_of_field(field[1]):
                value = _unescape(field[2])
                if MAY_BE_FOREIGN.fullmatch(field[1]) and "." in value:
                    foreign.add(value)
                else:
                    found.update(names_of_value(kind, value))
            continue
        plain = text if source == "text" else _unescape('"' + text.removeprefix('"') + '"')
        found.update((kind, name) for kind, name, _, _ in names_of_forms(plain))
        found.update(("address", address) for address in addresses_in(plain))
        found.update(("sid", sid) for sid in sids_in(plain))
    domains = {name.casefold() for kind, name in found if kind == "domain"}
    for value in foreign:
        if value.casefold().partition(".")[2] in domains:
            found.update(names_of_value("host", value))
    return sorted(_plausible(found))


def _unescape(literal: str) -> str:
    try:
        text = json.loads(literal, strict=False)
    except ValueError:  # cut in the middle of an escape
        return literal.strip('"').replace("\\\\", "\\")
    return text if isinstance(text, str) else literal


def _plausible(found: set[tuple[Kind, str]]) -> Iterator[tuple[Kind, str]]:
    """Without the computers that stand in a domain's place, and home folders that are user and domain in one."""
    by_kind = {kind: {name.casefold() for own, name in found if own == kind} for kind in get_args(Kind)}
    places = by_kind["domain"] | by_kind["host"]
    for kind, name in found:
        before, _, after = name.casefold().partition(".")
        is_host = kind == "domain" and name.casefold() in by_kind["host"]
        is_folder = kind == "user" and after in places and (before in by_kind["user"] or is_kept(before))
        if not (is_host or is_folder or (kind in _NAMED and is_kept(name))):
            yield kind, name


def _read_key(path: Path, evidence: list[str]) -> dict[str, tuple[Kind, str]]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError
        known = {pseudonym: (entry["kind"], entry["name"]) for pseudonym, entry in content["pseudonyms"].items()}
        has_sense = all(
            kind in get_args(Kind) and isinstance(name, str) and re.fullmatch(r"[a-z-]+-\d+", pseudonym)
            for pseudonym, (kind, name) in known.items()
        )
        missing = set(content["evidence"]) - set(evidence)
        if not has_sense:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RedactionKeyError(f"{path}: is no key that evtxhunt wrote; give --redact-key another path") from error
    if missing or not content["evidence"]:
        raise RedactionKeyError(
            f"{path}: is the key of another case ({len(missing):,} of its {len(content['evidence']):,} logs are not in"
            " this one); give --redact-key another path"
        )
    return known


def _write_key(path: Path, evidence: list[str], pseudonyms: Pseudonyms) -> None:
    """Whole or not at all, readable by its owner only."""
    content = {
        "format": _FORMAT,
        "evidence": evidence,
        "pseudonyms": {
            pseudonym: {"kind": kind, "name": name} for pseudonym, (kind, name) in sorted(pseudonyms.names.items())
        },
    }
    temporary = None
    try:
        # mkstemp makes a new file of mode 0600, whatever stands there and whatever the umask.
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1)
            stream.write("\n")
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        reason = f"{path}: cannot be written: {error.strerror}"
        raise RedactionKeyError(f"{reason}; give --redact-key another path") from error
