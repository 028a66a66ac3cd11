"""Tells that what an earlier command stored in the case was made under another choice than is asked for now."""

import json
from pathlib import Path

from evtxhunt.case_file import closing_case, connect_case, holds_recovered
from evtxhunt.correlate import is_current
from evtxhunt.pipeline.query import CHOICE, QuerySet, correlation_sha256, counts_recovered, reads


def stale_notes(case: Path, query_set: QuerySet, memory_limit: str, sql: str | None) -> list[str]:
    """What to say before SQL shows what an earlier command stored while recovered records were counted, or were not.

    SQL of None is a prompt's, which may show all of it. Raises CaseError.
    """
    notes = []
    reading = connect_case(case, memory_limit)
    with closing_case(reading, case, "read"):
        is_counted = counts_recovered(reading, query_set)
        how, option = ("without", " --include-recovered") if is_counted else ("with", "")
        row = reading.execute(
            "SELECT arguments FROM run WHERE command = 'detect' ORDER BY run_id DESC LIMIT 1"
        ).fetchone()
        if row and (sql is None or reads(sql, query_set, "finding")) and (CHOICE in json.loads(row[0])) != is_counted:
            notes.append(
                f"the stored findings were made {how} records from slack and carved ones;"
                f" `evtxhunt detect{option}` makes them anew"
            )
        other = correlation_sha256(query_set, not is_counted)
        if sql is None and holds_recovered(reading) and is_current(reading, other):
            notes.append(
                f"sessions, hops and the other correlated tables were made {how} records from slack and carved ones;"
                f" `evtxhunt sessions{option}` makes them anew"
            )
    return notes
