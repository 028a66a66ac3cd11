"""Field by field: what the case holds equals what python-evtx's XML says, read by lxml."""

import json
import random
import warnings
from collections import defaultdict
from pathlib import Path

import duckdb
import pytest
from lxml import etree

from evtxhunt.pipeline.ingest import ingest
from tests.ingest.comparison import (
    NS,
    SYSTEM_COLUMNS,
    is_same,
    is_same_data,
    json_values,
    normalise,
    system_value,
    xml_values,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # python-evtx imports what Python 3.12 deprecates
    from Evtx.Evtx import ChunkHeader

pytestmark = pytest.mark.corpus

SAMPLED_RECORDS = 2000
# Logs with records that python-evtx fails on: nested BinXML arrays in CAPI2 and WEC, damage in the last one.
UNREADABLE_BY_PYTHON_EVTX = {
    "E_ShadowCopy6_windows_system32_winevt_logs_Microsoft-Windows-CAPI2%4Operational.evtx",
    "E_Windows_system32_winevt_logs_Microsoft-Windows-CAPI2%4Operational.evtx",
    "MSExchange_Management_wec.evtx",
    "Microsoft-Windows-LanguagePackSetup%4Operational.evtx",
}


def sample_records(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[int, int]]:
    """path -> {header_record_id: event_key}, drawn evenly from all files with a fixed seed."""
    keys = connection.execute(
        """
        SELECT path, header_record_id, event_key FROM event JOIN source_file USING (source_file_id)
        WHERE record_offset IS NOT NULL AND origin = 'live' ORDER BY event_key
        """
    ).fetchall()
    by_path: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for path, header_record_id, key in keys:
        by_path[path].append((header_record_id, key))
    chooser = random.Random(20260501)
    each = 12
    chosen = {path: dict(chooser.sample(records, min(each, len(records)))) for path, records in by_path.items()}
    rest = [(path, *record) for path, records in by_path.items() for record in records if record[0] not in chosen[path]]
    missing = SAMPLED_RECORDS - sum(map(len, chosen.values()))
    for path, header_record_id, key in chooser.sample(rest, max(0, missing)):
        chosen[path][header_record_id] = key
    return chosen


def read_xml(path: str, wanted: dict[int, int]) -> dict[int, etree._Element]:
    found = {}
    content = Path(path).read_bytes()
    # By chunk, not by Evtx.chunks(): that stops where a dirty file header says.
    for offset in range(4096, len(content) - 65535, 65536):
        if content.startswith(b"ElfChnk\0", offset):
            for record in ChunkHeader(content, offset).records():
                if record.record_num() in wanted:
                    try:
                        found[record.record_num()] = etree.fromstring(record.xml().encode())
                    except Exception:  # noqa: BLE001  # python-evtx fails on damage in many ways; counted below
                        continue
    return found


@pytest.mark.slow
def test_sampled_records_equal_the_xml_of_another_parser(corpora: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.duckdb"
    ingest([corpora], case)
    connection = duckdb.connect(case, read_only=True)
    compared, differences, unreadable = 0, [], []
    for path, wanted in sample_records(connection).items():
        documents = read_xml(path, wanted)
        columns = ", ".join(SYSTEM_COLUMNS)
        rows = connection.execute(
            f"SELECT header_record_id, event_data, execution_data, {columns} FROM event"
            " WHERE event_key IN (SELECT unnest(?::BIGINT[])) ORDER BY event_key",
            [list(wanted.values())],
        ).fetchall()
        for header_record_id, event_data, execution_data, *system_values in rows:
            label = f"{Path(path).name}#{header_record_id}"
            event = documents.get(header_record_id)
            if event is None:
                unreadable.append(label)
                continue
            system = event.find(f"{NS}System")
            for (column, place), value in zip(SYSTEM_COLUMNS.items(), system_values, strict=True):
                theirs = system_value(system, place)
                if column == "event_time":
                    ours = "" if value is None else value.isoformat()
                else:
                    ours = "" if value is None else normalise(str(value))
                if not is_same(ours, theirs):
                    differences.append(f"{label} {column}: {ours!r} != {theirs!r}")
            execution = system.find(f"{NS}Execution")
            if execution_data is not None:
                ours_all = {name: str(value) for name, value in json.loads(execution_data).items()}
                theirs_all = {name: value for name, value in execution.attrib.items() if value}
                if ours_all != theirs_all:
                    differences.append(f"{label} execution_data: {ours_all} != {theirs_all}")
            elif execution is not None and set(execution.attrib) - {"ProcessID", "ThreadID"}:
                differences.append(f"{label} execution_data is missing")
            payload = event.find(f"{NS}EventData")
            if payload is None:
                payload = next((child for child in event if etree.QName(child).localname == "UserData"), None)
            if payload is None:
                rest = [c for c in event if etree.QName(c).localname not in ("System", "RenderingInfo")]
                payload = event if rest else None
                for child in [c for c in event if c not in rest]:
                    event.remove(child)
            ours_data, theirs_data = json_values(event_data), xml_values(payload)
            if not is_same_data(ours_data, theirs_data):
                differences.append(f"{label} event_data: {ours_data} != {theirs_data}")
            compared += 1
    assert compared >= SAMPLED_RECORDS
    assert {label.split("#")[0] for label in unreadable} <= UNREADABLE_BY_PYTHON_EVTX
    assert differences == []
