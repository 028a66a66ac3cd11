"""What log_integrity says of real logs: little of exports, and of live and damaged ones what was seen by eye."""

import pytest

from tests.queries.conftest import RealCase

pytestmark = pytest.mark.corpus


def test_real_exports_have_only_facts_that_their_records_state(real_case: RealCase) -> None:
    found = real_case("corpora/attack-samples").execute(
        "SELECT reason, severity, count(*), count(*) FILTER (event_keys <> []) FROM log_integrity"
        " GROUP BY ALL ORDER BY ALL"
    )
    # Beyond "this is an export" only what records state, and they are cited: clearings, three clocks set back, and
    # twice one machine that was put back to an earlier state between two exports.
    assert found.fetchall() == [
        ("holes_not_judged", "remark", 1, 0),
        ("log_cleared", "serious", 26, 26),
        ("number_used_again", "notable", 4, 4),
        ("numbered_anew", "remark", 272, 0),
        ("time_backwards", "notable", 3, 3),
    ]


def test_real_damaged_and_live_logs(real_case: RealCase) -> None:
    found = real_case("corpora/parser-samples").execute(
        "SELECT parse_path(path)[-1], string_agg(reason, ' ' ORDER BY reason) FROM log_integrity GROUP BY path"
    )
    gone = "checksum_mismatch not_closed part_unreadable records_gone"
    damaged = "checksum_mismatch not_closed older_records_in_slack part_unreadable records_gone"
    assert dict(found.fetchall()) == {
        "2-system-Microsoft-Windows-LiveId%4Operational.evtx": "not_closed",
        # Put together from chunks of several shadow copies: days lie between neighbours.
        "2-vss_0-Microsoft-Windows-RemoteDesktopServices-RdpCoreTS%4Operational.evtx": (
            f"{damaged} records_missing records_rescued records_unreadable"
        ),
        "2-vss_0-Microsoft-Windows-TerminalServices-RemoteConnectionManager%4Operational.evtx": (
            "checksum_mismatch holes_not_judged not_closed numbers_disagree older_records_in_slack part_unreadable"
            " records_gone records_rescued records_unreadable time_backwards"
        ),
        "2-vss_7-System.evtx": "not_closed older_records_in_slack part_unreadable records_missing",
        "Application_no_crc32.evtx": "no_checksums",
        "E_Windows_system32_winevt_logs_Microsoft-Windows-Shell-Core%4Operational.evtx": "not_closed time_backwards",
        "MSExchange_Management_wec.evtx": "numbered_anew",
        # Its last record has a header and nothing in it that is true: EventRecordID 0, no channel, year 1601.
        "Microsoft-Windows-HelloForBusiness%4Operational.evtx": f"{gone} records_unreadable",
        "Microsoft-Windows-LanguagePackSetup%4Operational.evtx": f"{gone} records_unreadable",
        "Security_short_selected.evtx": "numbered_anew",
        "Security_with_size_t.evtx": "time_backwards",
        "new-user-security.evtx": "numbered_anew",
        "sample-with-irregular-bool-values.evtx": "not_closed time_backwards",
        "sample-with-zero-data-size-event.evtx": f"{damaged} records_rescued time_backwards",
        "sample_with_a_bad_chunk_magic.evtx": f"{damaged} records_missing records_rescued records_unreadable",
        # A Windows image with its own name was set up twice: 38 numbers of one year and of the next.
        "post-Security.evtx": "number_used_again",
        "security.evtx": "not_closed number_used_again",
        "security_bad_string_cache.evtx": "checksum_mismatch not_closed number_used_again",
        "sysmon.evtx": "checksum_mismatch log_cleared not_closed part_unreadable",
        "system.evtx": "not_closed other_log_cleared time_backwards",
    }
