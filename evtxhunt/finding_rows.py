"""Findings and runs of detections as Arrow rows, as the case stores them."""

import json
from collections.abc import Sequence

import pyarrow as pa

from evtxhunt.model import DetectionRun, Finding, RuleRun

# Columns of `finding` but its id, and the list that becomes `finding_evidence`.
FINDING_SCHEMA = pa.schema(
    [
        ("origin", pa.string()),
        ("detection_id", pa.string()),
        ("title", pa.string()),
        ("level", pa.string()),
        ("attack", pa.list_(pa.string())),
        ("event_time", pa.timestamp("us")),
        ("host", pa.string()),
        ("computer", pa.string()),
        ("user_name", pa.string()),
        ("summary", pa.string()),
        ("details", pa.string()),
        ("allowed_reason", pa.string()),
        ("evidence", pa.list_(pa.int64())),
    ]
)
_RUN_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("detection_id", "origin", "title", "level", "sha256", "state")),
        ("findings", pa.int64()),
        *((name, pa.string()) for name in ("error", "reason", "about")),
    ]
)

# Made once: json.dumps() makes one for every call, which takes as long as a finding.
_details_json = json.JSONEncoder(sort_keys=True, default=str).encode


def finding_batch(findings: Sequence[Finding], origin: str) -> pa.RecordBatch:
    """Rows of FINDING_SCHEMA."""
    rows = [
        (
            origin,
            item.detection_id,
            item.title,
            item.level,
            list(item.attack),
            item.event_time,
            item.host,
            item.computer,
            item.user_name,
            item.summary,
            _details_json(item.details) if item.details else None,
            item.allowed_reason,
            list(item.evidence),
        )
        for item in findings
    ]
    return _batch(rows, FINDING_SCHEMA)


def run_table(runs: Sequence[DetectionRun], rule_runs: Sequence[RuleRun]) -> pa.Table:
    """Rows of `detection_run`."""
    rows: list[tuple[object, ...]] = [
        (
            run.query.id,
            "query",
            run.query.title,
            run.query.level or "informational",  # a correlated table has none
            run.query.sha256,
            "ran" if run.findings is not None else "failed",
            None if run.findings is None else len(run.findings),
            run.error,
            None,
            None,
        )
        for run in runs
    ]
    rows += [
        (
            run.detection_id,
            "sigma",
            run.title,
            run.level,
            run.sha256,
            run.state,
            run.findings,
            f"{run.where}: {run.reason}" if run.state == "failed" else None,
            None if run.state == "failed" else run.reason,
            json.dumps(_about(run), sort_keys=True),
        )
        for run in rule_runs
    ]
    return pa.Table.from_batches([_batch(rows, _RUN_SCHEMA)])


def _about(run: RuleRun) -> dict[str, object]:
    """Without the rule's text where no finding rests on it: it is in the file whose hash is stored."""
    return {name: value for name, value in run.about.items() if name != "text" or run.findings}


def _batch(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, item.type) for column, item in zip(columns, schema, strict=True)], schema=schema
    )
