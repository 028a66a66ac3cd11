"""Parsing facts that break detections if they are ignored, each on the real records that show it."""

import json
from pathlib import Path

import pytest

from evtxhunt.pipeline.ingest import ingest
from tests.logs import rows

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def case(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("case") / "case.duckdb"
    ingest([corpora], path)
    return path


def record(case: Path, log: str, header_record_id: int, columns: str) -> tuple[object, ...]:
    (row,) = rows(
        case,
        f"SELECT {columns} FROM event AS e JOIN source_file AS s USING (source_file_id)"
        f" WHERE parse_path(s.path)[-1] = '{log}' AND header_record_id = {header_record_id}",
    )
    return row


def test_event_time_is_time_created_and_not_the_record_headers(case: Path) -> None:
    log = "LM_winrm_target_wrmlogs_91_wsmanShellStarted_poorLog.evtx"
    assert record(case, log, 1, "event_time::VARCHAR, written_time::VARCHAR") == (
        "2019-05-16 01:33:54.567896",
        "1601-01-01 00:00:00",
    )
    assert rows(
        case, "SELECT count(*) FILTER (year(written_time) = 1601), count(*) FILTER (year(event_time) = 1601) FROM event"
    ) == [(197, 0)]
    assert rows(case, "SELECT count(*) FROM event WHERE event_time <> written_time") == [(13452,)]


def test_both_record_ids_are_kept(case: Path) -> None:
    log = "LM_winrm_target_wrmlogs_91_wsmanShellStarted_poorLog.evtx"
    assert record(case, log, 1, "event_record_id, header_record_id") == (508, 1)


def test_processing_error_data_is_kept(case: Path) -> None:
    log = "LM_winrm_target_wrmlogs_91_wsmanShellStarted_poorLog.evtx"
    event_data, user_sid, activity_id = record(case, log, 1, "event_data, e.user_sid, activity_id")
    error = json.loads(str(event_data))["ProcessingErrorData"]
    assert (error["ErrorCode"], error["DataItemName"]) == (15005, "shellId")
    assert bytes.fromhex(error["EventPayload"]).decode("utf-16-le").rstrip("\0") == (
        "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
    )
    assert user_sid == "S-1-5-21-738609754-2819869699-4189121830-500"
    assert activity_id == "ae1a2cab-0b85-0000-ac2f-1aae850bd501"


def test_classic_logs_keep_their_unnamed_values_in_order(case: Path) -> None:
    log = "many-events-application.evtx"
    found = rows(
        case,
        "SELECT event_data->'$.Data.\"#text\"' FROM event JOIN source_file USING (source_file_id)"
        f" WHERE parse_path(path)[-1] = '{log}' AND json_type(event_data, '$.Data.\"#text\"') = 'ARRAY'"
        " ORDER BY event_key LIMIT 1",
    )
    assert isinstance(json.loads(str(found[0][0])), list)


def test_qualifiers_do_not_hide_the_event_id(case: Path) -> None:
    assert rows(case, "SELECT count(*), count(event_id) FROM event WHERE qualifiers IS NOT NULL") == [(2955, 2955)]
    assert rows(case, "SELECT count(*) FROM event WHERE event_id IS NULL") == [(0,)]


def test_user_data_is_the_event_data_of_records_that_have_it(case: Path) -> None:
    assert record(
        case,
        "DE_1102_security_log_cleared.evtx",
        1,
        "event_id, event_data->>'$.LogFileCleared.SubjectUserName', event_data->>'$.LogFileCleared.SubjectDomainName'",
    ) == (1102, "user01", "EXAMPLE")


def test_event_ids_of_other_channels_collide(case: Path) -> None:
    assert rows(
        case,
        "SELECT event_id, count(*) FROM event WHERE channel = 'Application' AND event_id IN (4625, 4104)"
        " GROUP BY ALL ORDER BY ALL",
    ) == [(4104, 11), (4625, 38)]


def test_repeated_data_names_are_both_kept(case: Path) -> None:
    (count,) = rows(
        case,
        "SELECT count(*) FROM event WHERE event_id = 4648 AND channel = 'Security'"
        " AND len(regexp_extract_all(event_data, '\"LogonGuid\"')) = 2",
    )
    assert count == (92,)


def test_logon_ids_are_integers_whatever_their_text(case: Path) -> None:
    assert rows(
        case,
        "SELECT count(*), count(target_logon_id), count(logon_type) FROM event"
        " WHERE event_id = 4624 AND channel = 'Security'",
    ) == [(834, 834, 834)]
    assert record(case, "LM_winrm_exec_sysmon_1_winrshost.evtx", 1, "logon_id") == (0x12FE05,)


def test_guids_have_one_spelling(case: Path) -> None:
    assert rows(
        case,
        "SELECT DISTINCT provider_guid FROM event WHERE provider = 'Microsoft-Windows-Security-Auditing'",
    ) == [("54849625-5478-4994-a5ba-3e3b0328c30d",)]
    assert rows(
        case,
        "SELECT count(*) FROM event WHERE NOT coalesce(regexp_full_match(process_guid, '[0-9a-f-]{36}'), true)",
    ) == [(0,)]


def test_null_event_data_is_null(case: Path) -> None:
    assert rows(case, "SELECT count(*) FROM event WHERE event_data IS NULL OR event_data = 'null'") == [(1005,)]


def test_kernel_timings_of_etw_exports_are_kept(case: Path) -> None:
    assert rows(
        case,
        "SELECT count(*), count(execution_data->>'$.ProcessorID') FROM event WHERE execution_data IS NOT NULL",
    ) == [(415, 415)]


def test_offset_points_at_the_record_in_the_file(case: Path) -> None:
    for path, offset, header_record_id in rows(
        case,
        "SELECT path, record_offset, header_record_id FROM event JOIN source_file USING (source_file_id)"
        " USING SAMPLE reservoir(200 ROWS) REPEATABLE (7)",
    ):
        with Path(str(path)).open("rb") as file:
            file.seek(int(str(offset)))
            head = file.read(16)
        assert head[:4] == b"\x2a\x2a\0\0"
        assert int.from_bytes(head[8:16], "little") == header_record_id
