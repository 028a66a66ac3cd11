"""Correlation on real logs: the few sessions they hold, and no hop."""

from pathlib import Path

import pytest

from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import correlate, load_query_set
from tests.logs import rows

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def case(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("real") / "case.duckdb"
    ingest([corpora], path)
    correlate(path, load_query_set())
    return path


def test_the_domain_controller_of_insecurebank_served_three_shells(case: Path) -> None:
    """winrshost.exe with cmd and ipconfig, a shell/cmd 138 s later whose process was not logged, and wsmprovhost.exe.

    The 91 cannot be that of winrshost.exe: a shell is created before its process starts.
    """
    assert rows(
        case,
        "SELECT kind, user_name, host_process_id, child_processes, strftime(start_time, '%H:%M:%S'), confidence"
        " FROM remoting_session WHERE target_computer = 'dc1.insecurebank.local' ORDER BY session_id",
    ) == [
        ("winrs", "Administrator", 3948, 1, "01:31:36", "low"),
        ("winrs", None, None, 0, "01:33:54", "low"),
        ("powershell", "Administrator", 3332, 1, "01:38:19", "low"),
    ]
    assert rows(
        case,
        "SELECT DISTINCT lower(parse_filename(image, false, 'both_slash')) FROM remoting_witness"
        " JOIN event USING (event_key) WHERE role = 'child_process' ORDER BY 1",
    ) == [("cmd.exe",), ("hostname.exe",)]


def test_no_other_real_log_holds_a_session_and_none_a_hop(case: Path) -> None:
    """The delegated tokens of attack-samples are all of domain controllers."""
    assert rows(case, "SELECT count(*) FROM remoting_session") == [(3,)]
    assert rows(case, "SELECT count(*) FROM hop") == [(0,)]


def test_the_logon_of_windows_7_by_winrm_is_three_authentications_by_ntlm(case: Path) -> None:
    assert (
        rows(
            case,
            "SELECT event_data->>'username', event_data->>'authenticationMechanism' FROM event"
            " WHERE event_id = 169 AND channel = 'Microsoft-Windows-WinRM/Operational' ORDER BY event_key",
        )
        == [("iewin7\\ieuser", "NTLM")] * 3
    )


def test_sysmons_logon_guid_tells_the_logon_that_4624_would(case: Path) -> None:
    """DFAE8213-BEAD-5CDC-0000-0020AFDA1500: 2019-05-16 01:36:45 UTC, 0x15daaf."""
    assert rows(
        case,
        "SELECT user_name, strftime(start_time, '%Y-%m-%d %H:%M:%S'), source FROM logon_session"
        f" WHERE computer = 'dc1.insecurebank.local' AND logon_id = {0x15DAAF}",
    ) == [("Administrator", "2019-05-16 01:36:45", "Sysmon")]


def test_domain_controllers_are_known_by_what_only_they_log(case: Path) -> None:
    found = {str(name) for (name,) in rows(case, "SELECT computer FROM domain_controller")}
    delegated = {
        str(name)
        for (name,) in rows(
            case,
            "SELECT DISTINCT lower(computer) FROM event"
            " WHERE event_id = 4624 AND event_data->>'ImpersonationLevel' = '%%1840'",
        )
    }
    assert delegated <= found
