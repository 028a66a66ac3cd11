"""Correlation against the truth of every scenario: sessions with all they are known by, and nothing beside them."""

import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import correlate, load_query_set
from samples.build import build_scenario, write_files
from samples.scenarios import scenarios
from tests.logs import rows

SCENARIOS = {scenario.name: scenario for scenario in scenarios()}
# 4624 does not say CredSSP: it says Negotiate, and type 8.
PACKAGES = {"CredSSP": "Negotiate"}


@pytest.fixture(scope="module", params=SCENARIOS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, Path]:
    """(truth, folder of the logs, correlated case) of a scenario."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    contents = build_scenario(SCENARIOS[name])
    write_files(contents, folder / name)
    path = folder / "case.duckdb"
    ingest([folder / name], path)
    correlate(path, load_query_set())
    return tomllib.loads(contents["truth.toml"].decode()), folder / name, path


def found_sessions(path: Path) -> list[dict[str, Any]]:
    columns = [
        "session_id",
        "kind",
        "source_computer",
        "source_ip",
        "source_user_name",
        "target_computer",
        "user_name",
        "user_domain",
        "user_sid",
        "run_as_user_name",
        "authentication_package",
        "target_logon_id",
        "host_process_id",
        "start_time",
        "end_time",
        "end_reason",
        "confidence",
    ]
    return [
        dict(zip(columns, row, strict=True))
        for row in rows(path, f"SELECT {', '.join(columns)} FROM remoting_session ORDER BY session_id")
    ]


def short(name: object) -> str:
    return str(name).partition(".")[0].upper()


def pair(told: dict[str, Any], found: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each true session with the found one of the same target that begins nearest to it, within 5 s."""
    skews = {host["name"]: timedelta(seconds=host["skew_seconds"]) for host in told["host"]}
    pairs = []
    left = list(found)
    for true in told.get("session", []):
        start = true["start"].replace(tzinfo=None) + skews[true["target"]]
        near = [row for row in left if short(row["target_computer"]) == true["target"]]
        near.sort(key=lambda row: abs(row["start_time"] - start))
        assert near, f"no session to {true['target']} at {start}"
        assert abs(near[0]["start_time"] - start) < timedelta(seconds=5), (true["id"], near[0])
        left.remove(near[0])
        pairs.append((true, near[0]))
    return pairs


def missing_roles(true: dict[str, Any]) -> set[str]:
    return {entry["role"] for entry in true.get("missing", [])} - {entry["role"] for entry in true["witnesses"]}


def test_every_session_is_found_and_no_other(case: tuple[dict[str, Any], Path, Path]) -> None:
    told, _, path = case
    found = found_sessions(path)
    assert len(found) == len(told.get("session", [])), [(row["target_computer"], row["start_time"]) for row in found]
    pair(told, found)


def test_a_session_has_its_attributes(case: tuple[dict[str, Any], Path, Path]) -> None:
    told, _, path = case
    for true, row in pair(told, found_sessions(path)):
        missing = missing_roles(true)
        where = true["id"], row
        assert row["kind"] == true["kind"], where
        if "source" in true and "client_session" not in missing:
            assert short(row["source_computer"]) == true["source"], where
            assert row["source_user_name"] == true["source_user"].partition("\\")[2], where
        if not {"logon", "shell"} <= missing and row["source_ip"] is not None:
            assert row["source_ip"] == true["source_address"], where
        assert (row["user_name"], row["user_domain"]) == (true["user_name"], true["user_domain"]), where
        assert row["user_sid"] in (true["user_sid"], None), where
        runs_as = true["runs_as"].partition("\\")[2]
        if "host_process" not in missing:
            assert (row["run_as_user_name"] or row["user_name"]) == runs_as, where
            assert row["host_process_id"] == true["host_process_id"], where
            assert row["target_logon_id"] == true["target_logon_id"], where
        if "logon" not in missing:
            package = true["authentication_package"]
            assert row["authentication_package"] == PACKAGES.get(package, package), where


def test_a_session_ends_as_it_did(case: tuple[dict[str, Any], Path, Path]) -> None:
    told, _, path = case
    skews = {host["name"]: timedelta(seconds=host["skew_seconds"]) for host in told["host"]}
    for true, row in pair(told, found_sessions(path)):
        if "end" in true:
            end = true["end"].replace(tzinfo=None) + skews[true["target"]]
            assert row["end_time"] is not None, (true["id"], row)
            assert abs(row["end_time"] - end) < timedelta(seconds=1), (true["id"], row)
            assert row["end_reason"] == true["end_reason"], (true["id"], row)


def test_the_witnesses_are_the_true_ones(case: tuple[dict[str, Any], Path, Path]) -> None:
    told, folder, path = case
    found: dict[int, set[tuple[str, int]]] = {}
    for session_id, file, number in rows(
        path,
        "SELECT session_id, s.path, e.event_record_id FROM remoting_witness JOIN event AS e USING (event_key)"
        " JOIN source_file AS s USING (source_file_id)",
    ):
        record = (Path(str(file)).relative_to(folder).as_posix(), int(str(number)))
        found.setdefault(int(str(session_id)), set()).add(record)
    every = {
        (witness["file"], witness["event_record_id"])
        for true in told.get("session", [])
        for witness in true["witnesses"]
    }
    for true, row in pair(told, found_sessions(path)):
        wanted = {(item["file"], item["event_record_id"]) for item in true["witnesses"] if item["role"] in CERTAIN}
        seen = found.get(row["session_id"], set())
        assert wanted <= seen, (true["id"], sorted(wanted - seen))
        assert seen <= every, (true["id"], sorted(seen - every))


# Roles that an exact key links. The others may go to either of two sessions of one user at one time.
CERTAIN = {
    "client_session",
    "client_shell",
    "client_close",
    "shell",
    "host_process",
    "host_process_end",
    "engine_start",
    "engine_stop",
    "provider",
    "console",
    "script_block",
    "module_log",
    "run_as_logon",
    "virtual_account",
}


def test_the_times_are_plain_utc(case: tuple[dict[str, Any], Path, Path]) -> None:
    for row in found_sessions(case[2]):
        assert isinstance(row["start_time"], datetime)
        assert row["start_time"].tzinfo is None


def test_every_hop_is_found_with_its_method_and_no_other(case: tuple[dict[str, Any], Path, Path]) -> None:
    told, _, path = case
    sessions = {true["id"]: row["session_id"] for true, row in pair(told, found_sessions(path))}
    wanted = [
        (
            sessions[hop["from_session"]],
            sessions.get(hop.get("to_session")),
            hop["via"],
            hop["to"],
            hop["method"],
            hop["user_name"],
            hop["next_user_name"],
            hop["is_failed"],
        )
        for hop in told.get("hop", [])
    ]
    found = [
        (row[0], row[1], short(row[2]), short(row[3]), *row[4:])
        for row in rows(
            path,
            "SELECT from_session_id, to_session_id, via_computer, to_computer, method, user_name, next_user_name,"
            " is_failed FROM hop ORDER BY hop_id",
        )
    ]
    assert found == wanted


def test_a_hop_cites_records_of_its_truth(case: tuple[dict[str, Any], Path, Path]) -> None:
    told, folder, path = case
    cited = {
        (Path(str(file)).relative_to(folder).as_posix(), int(str(number)))
        for file, number in rows(
            path,
            "SELECT s.path, e.event_record_id FROM (SELECT unnest(event_keys) AS event_key FROM hop)"
            " JOIN event AS e USING (event_key) JOIN source_file AS s USING (source_file_id)",
        )
    }
    true = {(item["file"], item["event_record_id"]) for hop in told.get("hop", []) for item in hop["records"]}
    configured = {
        (item["file"], item["event_record_id"])
        for entry in told.get("expected", [])
        for item in (*entry["records"], *entry.get("related", []))
    }
    assert cited <= true | configured
    for hop in told.get("hop", []):
        assert cited & {(item["file"], item["event_record_id"]) for item in hop["records"]}, hop["text"]


# What a note of log_coverage must say where the truth has a gap of that kind.
NOTES = {
    "cleared": ("cleared at",),
    "overwritten": ("rolled over",),
    "not_collected": ("nothing of this log",),
    "no_command_line": ("without command lines",),
    "not_logged": ("nothing of this log", "not audited", "were not logged", "policy was reduced"),
}


def test_every_gap_of_the_truth_is_in_the_account_of_its_log(case: tuple[dict[str, Any], Path, Path]) -> None:
    told, _, path = case
    notes = {
        (short(computer), channel): str(text)
        for computer, channel, text in rows(path, "SELECT computer, channel, notes FROM log_coverage")
    }
    for gap in told.get("coverage", []):
        text = notes[gap["host"], gap["channel"]]
        assert any(part in text for part in NOTES[gap["verdict"]]), (gap, text)
    lost = {(gap["host"], gap["channel"]) for gap in told.get("coverage", []) if gap["verdict"] == "cleared"}
    assert {place for place, text in notes.items() if "cleared at" in text} == lost


def test_paths_join_the_hops_of_three_hosts(tmp_path: Path) -> None:
    """Scenario 12: WS07 over SRV02 and SRV03 to DC01, with one change of account."""
    scenario = next(item for item in scenarios() if item.name.startswith("12"))
    write_files(build_scenario(scenario), tmp_path / "logs")
    path = tmp_path / "case.duckdb"
    ingest([tmp_path / "logs"], path)
    correlate(path, load_query_set())
    assert rows(
        path,
        "SELECT list_transform(computers, lambda name: split_part(name, '.', 1)), user_names, account_changes,"
        " methods, is_failed FROM hop_path WHERE is_longest ORDER BY path_id",
    ) == [
        (
            ["ws07", "srv02", "srv03", "dc01"],
            ["svc-backup", "adm-lee", "adm-lee"],
            1,
            ["explicit_credentials", "explicit_credentials"],
            False,
        )
    ]


def test_nonsense_in_the_fields_breaks_no_table(tmp_path: Path) -> None:
    """What an attacker writes into a log must not keep the others' sessions from being found."""
    from tests.hostile_events import hostile_log

    scenario = next(item for item in scenarios() if item.name.startswith("12"))
    write_files(build_scenario(scenario), tmp_path / "logs")
    (tmp_path / "logs" / "hostile.evtx").write_bytes(hostile_log())
    path = tmp_path / "case.duckdb"
    ingest([tmp_path / "logs"], path)
    correlate(path, load_query_set())
    assert rows(path, "SELECT count(*) FROM remoting_session WHERE target_computer LIKE '%.corp.example.test'") == [
        (3,)
    ]
    assert rows(path, "SELECT via_computer, to_computer FROM hop WHERE via_computer LIKE '%.corp.example.test'") == [
        ("srv02.corp.example.test", "srv03.corp.example.test"),
        ("srv03.corp.example.test", "dc01.corp.example.test"),
    ]


def test_clocks_that_differ_are_told_and_by_how_much(case: tuple[dict[str, Any], Path, Path]) -> None:
    told, _, path = case
    skews = {host["name"]: host["skew_seconds"] for host in told["host"]}
    found = rows(path, "SELECT computer, other_computer, seconds_ahead, is_skewed FROM clock_skew")
    for computer, other, seconds, is_skewed in found:
        true = skews[short(other)] - skews[short(computer)]
        assert abs(float(str(seconds)) - true) < 2
        assert is_skewed == (true != 0)
    skewed = {name for name, seconds in skews.items() if seconds}
    assert {short(other) for _, other, _, is_skewed in found if is_skewed} == skewed


def test_each_missing_witness_has_its_reason(case: tuple[dict[str, Any], Path, Path]) -> None:
    """What the truth calls missing is not seen, and why; what it has is seen."""
    told, _, path = case
    gaps = {
        (int(str(session)), role, channel): (is_seen, reason)
        for session, role, channel, is_seen, reason in rows(
            path, "SELECT session_id, role, channel, is_seen, reason FROM remoting_gap"
        )
    }
    channels = {role: channel for _, role, channel in gaps if role != "host_process"}
    for true, row in pair(told, found_sessions(path)):
        there = {(item["role"], item["file"].partition("/")[2].removesuffix(".evtx")) for item in true["witnesses"]}
        for role in ("client_session", "shell", "logon", "engine_start"):
            key = row["session_id"], role, channels.get(role)
            if key in gaps and any(seen_role == role for seen_role, _ in there):
                assert gaps[key][0], (true["id"], key)
        for item in true.get("missing", []):
            key = row["session_id"], item["role"], item["channel"]
            if key in gaps and not any(seen_role == item["role"] for seen_role, _ in there):
                is_seen, reason = gaps[key]
                assert not is_seen, (true["id"], item)
                assert reason, (true["id"], item)
                if item["reason"] == "cleared":
                    assert reason == "the log was cleared after the session began"
                if item["reason"] == "not_collected":
                    assert str(reason).startswith("nothing of this log")


def test_the_same_evidence_gives_the_same_tables(tmp_path: Path) -> None:
    scenario = next(item for item in scenarios() if item.name.startswith("17"))
    write_files(build_scenario(scenario), tmp_path / "logs")
    contents = []
    for number in range(2):
        path = tmp_path / f"{number}.duckdb"
        ingest([tmp_path / "logs"], path)
        correlate(path, load_query_set())
        tables = [table.id for table in load_query_set().of_kind("table")]
        contents.append({table: sorted(map(str, rows(path, f"FROM {table}"))) for table in tables})
    assert contents[0] == contents[1]
