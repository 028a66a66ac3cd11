"""`detect --rules`: what is run, stored, shown and told, and the exit status."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evtxhunt.cli import app
from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.sigma import RuleOptions, left_out, load_rule_set
from tests.logs import make_log, rows
from tests.sigma.rules import SECURITY, SYSMON, event, make_case, rule

UUIDS = [f"{number}1111111-2222-3333-4444-555555555555" for number in range(1, 8)]
HIGH = rule(
    "selection: {Image|endswith: '\\evil.exe', CommandLine|contains: [one, two]}",
    title="Evil",
    further=f"id: {UUIDS[0]}\nlevel: high\nstatus: test\nauthor: A. N. Other\ntags: [attack.t1059.001]\n",
)
LOW = rule(
    "selection: {Image|endswith: '.exe'}", title="Any program", further=f"id: {UUIDS[1]}\nlevel: low\nstatus: stable\n"
)
OLD = rule(
    "selection: {Image|endswith: '.exe'}", title="Old", further=f"id: {UUIDS[2]}\nlevel: high\nstatus: deprecated\n"
)
ELSEWHERE = rule(
    "selection: {Image: a}", "category: image_load", "Elsewhere", f"id: {UUIDS[3]}\nlevel: high\nstatus: test\n"
)
BROKEN = rule("selection: {Image|re: '(?=a)'}", title="Broken", further=f"id: {UUIDS[4]}\nlevel: high\nstatus: test\n")
WANTING = rule(
    "selection: {User|expand: '%admins%'}", title="Wanting", further=f"id: {UUIDS[5]}\nlevel: high\nstatus: test\n"
)
EVENTS = [
    event(SYSMON, 1, {"Image": "C:\\evil.exe", "CommandLine": "evil.exe  two\nlines", "User": "CORP\\bob"}),
    event(SYSMON, 1, {"Image": "C:\\good.exe", "User": "CORP\\eve"}),
]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return make_case(tmp_path / "case.duckdb", EVENTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "rules"
    path.mkdir()
    for name, text in {"high": HIGH, "low": LOW, "old": OLD, "elsewhere": ELSEWHERE}.items():
        (path / f"{name}.yml").write_text(text)
    return path


def detect(case: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["detect", "--case", str(case), *map(str, arguments)])


def found(case: Path, columns: str = "title, level, user_name") -> list[tuple[Any, ...]]:
    return rows(case, f"SELECT {columns} FROM finding WHERE origin = 'sigma' ORDER BY finding_id")


def states(case: Path) -> dict[Any, Any]:
    return dict(rows(case, "SELECT title, state FROM detection_run WHERE origin = 'sigma'"))


def test_findings_cite_the_rule_the_fields_and_the_events(case: Path, folder: Path) -> None:
    result = detect(case, "--rules", folder, "--level", "high", "--format", "jsonl")
    assert result.exit_code == 0, result.stderr
    [shown] = [json.loads(line) for line in result.stdout.splitlines()]
    assert shown == {
        "event_time": "2026-05-01T12:00:00.000000Z",
        "level": "high",
        "host": "WS01.example.test",
        "user_name": "CORP\\bob",
        "detection_id": UUIDS[0],
        "summary": "Evil: Image: C:\\evil.exe; CommandLine: evil.exe two lines",
    }
    [(attack, details, computer)] = found(case, "attack, details, computer")
    assert (attack, computer) == (["T1059.001"], "WS01.example.test")
    details = json.loads(details)
    assert details["matched"] == {"Image": "C:\\evil.exe", "CommandLine": "evil.exe  two\nlines"}
    assert details["rule"]["file"] == "high.yml"
    assert (details["rule"]["author"], details["rule"]["status"]) == ("A. N. Other", "test")
    assert details["rule"]["licence"].startswith("none stated; rules of SigmaHQ: Detection Rule License 1.1")
    evidence = rows(
        case, "SELECT event_key FROM finding_evidence JOIN finding USING (finding_id) WHERE origin = 'sigma'"
    )
    assert evidence == [(1,)]


def test_every_rule_is_accounted_for(case: Path, folder: Path) -> None:
    result = detect(case, "--rules", folder)
    assert states(case) == {"Evil": "ran", "Any program": "ran", "Old": "left out", "Elsewhere": "not applicable"}
    counts = rows(
        case, "SELECT title, findings, reason FROM detection_run WHERE origin = 'sigma' ORDER BY detection_id"
    )
    assert counts == [
        ("Evil", 1, None),
        ("Any program", 2, None),
        ("Old", None, "not asked for"),
        ("Elsewhere", None, "the case has no events of its log source (windows image_load)"),
    ]
    assert "detections and 2 Sigma rules (1 not applicable, 1 left out): 1 high, 2 low" in result.stderr
    assert "not applicable: 1 rule: the case has no events of its log source (windows image_load)" in result.stderr
    assert CliRunner().invoke(app, ["verify", "--case", str(case), "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"Evil", "Any program", "Elsewhere", "Broken", "no.yml"}),
        ({"level": "high"}, {"Evil", "Elsewhere", "Broken", "no.yml"}),
        ({"statuses": ("stable",)}, {"Any program", "no.yml"}),
        ({"statuses": ("deprecated", "test")}, {"Evil", "Elsewhere", "Old", "Broken", "no.yml"}),
        ({"tags": ("attack.t1059*",)}, {"Evil", "no.yml"}),
        ({"tags": ("ATTACK.T1059.001",)}, {"Evil", "no.yml"}),
        ({"tags": ("attack.t1105",)}, {"no.yml"}),
        ({"ids": (UUIDS[1],)}, {"Any program"}),
        ({"ids": ("low.yml", "no.yml")}, {"Any program", "no.yml"}),
        ({"ids": ("*.yml",), "excluded": ("h*", "n*", "e*")}, {"Any program", "Broken"}),
        ({"excluded": (UUIDS[0].upper(), "*o*.yml")}, {"Elsewhere"}),
    ],
)
def test_options_choose_rules_and_what_cannot_be_parsed_has_a_name_only(
    options: dict[str, Any], expected: set[str], folder: Path
) -> None:
    (folder / "broken.yml").write_text(
        rule("selection: {Image|nosuch: a}", title="Broken", further="level: high\nstatus: test\n")
    )
    (folder / "no.yml").write_text("title: x\ndetection: [")
    chosen = RuleOptions((folder,), **options)
    rule_set = load_rule_set(chosen)
    kept = {header.title for header in rule_set.headers if header.rule_id not in left_out(rule_set, chosen)}
    assert kept == expected


def test_an_id_that_is_no_rule_is_an_error_before_anything_runs(case: Path, folder: Path) -> None:
    result = detect(case, "--rules", folder, "--id", "nosuch")
    assert result.exit_code == 3
    assert f"error: nosuch: no such rule in {folder}; --id takes an id, a name or a file" in result.stderr
    assert rows(case, "SELECT count(*) FROM run") == [(0,)]


def test_options_of_rules_want_rules(case: Path) -> None:
    assert detect(case, "--tag", "attack.t1059").exit_code == 2
    assert detect(case, "--timing").exit_code == 2


def test_rules_that_fail_are_listed_the_others_run_and_the_status_is_4(case: Path, folder: Path) -> None:
    (folder / "broken.yml").write_text(BROKEN)
    (folder / "no.yml").write_text("title: x\ndetection: [")
    result = detect(case, "--rules", folder)
    assert result.exit_code == 4
    failed = [line for line in result.stderr.splitlines() if line.startswith("FAILED")]
    assert failed == [
        f"FAILED {folder}/broken.yml:1: its regular expression looks ahead or behind, which RE2 cannot do in bounded"
        " time (invalid perl operator: (?=)",
        f"FAILED {folder}/no.yml:3: not readable as YAML: did not find expected node content",
    ]
    assert len(found(case)) == 3
    errors = rows(case, "SELECT title, error FROM detection_run WHERE state = 'failed' ORDER BY title")
    assert [title for title, _ in errors] == ["Broken", "no.yml"]


def test_findings_at_fail_on_are_status_1(case: Path, folder: Path) -> None:
    assert detect(case, "--rules", folder, "--fail-on", "high").exit_code == 1
    assert detect(case, "--rules", folder, "--fail-on", "critical").exit_code == 0


def test_placeholders_come_from_a_file(case: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "wanting.yml").write_text(WANTING)
    result = detect(case, "--rules", folder, "--id", "wanting.yml")
    assert result.exit_code == 0, "a rule that waits for its placeholders has not failed"
    assert "not applicable: 1 rule: needs the placeholder admins: give it with --placeholders FILE" in result.stderr
    (tmp_path / "p.toml").write_text("admins = ['corp\\eve', 'x']")
    assert detect(case, "--rules", folder, "--id", "wanting.yml", "--placeholders", tmp_path / "p.toml").exit_code == 0
    assert found(case) == [("Wanting", "high", "CORP\\eve")]


def test_a_zip_is_as_good_as_its_folder(case: Path, folder: Path, tmp_path: Path) -> None:
    detect(case, "--rules", folder)
    by_folder = found(case, "*")
    with zipfile.ZipFile(tmp_path / "rules.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    detect(case, "--rules", tmp_path / "rules.zip")
    assert found(case, "*") == by_folder


def test_the_same_rules_give_the_same_findings_and_rules_gone_take_theirs_along(case: Path, folder: Path) -> None:
    detect(case, "--rules", folder)
    first = found(case, "*")
    detect(case, "--rules", folder)
    assert found(case, "*") == first
    (folder / "low.yml").unlink()
    detect(case, "--rules", folder)
    assert {title for title, *_ in found(case)} == {"Evil"}
    detect(case)
    assert found(case) == [] and states(case) == {}


def test_the_manifest_names_the_rules_by_their_hash(case: Path, folder: Path) -> None:
    detect(case, "--rules", folder, "--level", "high")
    (folder / "low.yml").write_text(LOW + "# changed\n")
    detect(case, "--rules", folder, "--level", "high")
    first, second = (
        json.loads(str(text))["rules"] for (text,) in rows(case, "SELECT arguments FROM run ORDER BY run_id")
    )
    assert first["sha256"] != second["sha256"]
    assert first["counts"] == {"left out": 2, "not applicable": 1, "ran": 1}
    assert (first["level"], first["engine"]) == ("high", "auto")


def test_the_allow_list_sets_findings_of_rules_aside(case: Path, folder: Path, tmp_path: Path) -> None:
    allow = tmp_path / "allow.toml"
    allow.write_text(f'[[allow]]\ndetection = "{UUIDS[1]}"\nuser = "bob"\nreason = "known"\n')
    result = detect(case, "--rules", folder, "--allow", allow, "--format", "csv")
    assert f"set aside by the allow-list: 1 of {UUIDS[1]}: known" in result.stderr
    assert len(result.stdout.splitlines()) == 1 + 2
    allow.write_text('[[allow]]\ndetection = "nosuch"\nreason = "known"\n')
    assert detect(case, "--rules", folder, "--allow", allow).exit_code == 3


def test_timing_names_the_slowest_rules(case: Path, folder: Path) -> None:
    result = detect(case, "--rules", folder, "--timing")
    assert " s in all Sigma rules, the slowest:" in result.stderr
    assert f"Evil ({UUIDS[0]})" in result.stderr


def test_log_sources_are_explained_with_and_without_a_case(case: Path, tmp_path: Path) -> None:
    result = detect(case, "--explain-logsource", "--format", "jsonl")
    shown = {(row["category_or_service"], row["channel"]): row for row in map(json.loads, result.stdout.splitlines())}
    assert shown["process_creation", SYSMON["channel"]]["events"] == 2
    assert shown["process_creation", "Security"]["events"] == 0
    bare = detect(tmp_path / "none.duckdb", "--explain-logsource", "--format", "jsonl")
    assert bare.exit_code == 0
    assert {json.loads(line)["events"] for line in bare.stdout.splitlines()} == {None}


def test_a_table_of_log_sources_of_ones_own_is_used(case: Path, folder: Path, tmp_path: Path) -> None:
    queries = tmp_path / "queries"
    queries.mkdir()
    (queries / "sigma_logsources.toml").write_text(
        '[[source]]\ncategory = "image_load"\nchannel = ["Microsoft-Windows-Sysmon/Operational"]\nevent_id = [1]\n'
        'fields = {Image = "User"}\n'
    )
    (folder / "elsewhere.yml").write_text(ELSEWHERE.replace("Image: a", "Image: 'corp\\eve'"))
    assert detect(case, "--rules", folder, "--queries", queries).exit_code == 0
    assert {title for title, *_ in found(case)} == {"Elsewhere"}


def real_case(tmp_path: Path, text: str = "") -> Path:
    """A case of a real log: two logons of Security, of user1 and user2 with that text behind the name."""
    (tmp_path / "Security.evtx").write_bytes(make_log(2, text=text))
    ingest([tmp_path / "Security.evtx"], tmp_path / "real.duckdb")
    return tmp_path / "real.duckdb"


def logon_rules(folder: Path) -> Path:
    """One rule that finds the first logon, and one that has no events."""
    further = f"id: {UUIDS[0]}\nlevel: high\nauthor: A. N. Other\ntags: [attack.t1078]\n"
    first = rule("selection: {TargetUserName|startswith: user1}", "service: security", "First logon", further)
    folder.mkdir()
    (folder / "first.yml").write_text(first)
    (folder / "elsewhere.yml").write_text(ELSEWHERE)
    return folder


def test_reports_and_exports_show_findings_of_rules(tmp_path: Path) -> None:
    case = real_case(tmp_path)
    assert detect(case, "--rules", logon_rules(tmp_path / "rules")).exit_code == 0
    page = tmp_path / "report.html"
    assert CliRunner().invoke(app, ["report", "--case", str(case), "-o", str(page)]).exit_code == 0
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert "First logon" in text
    assert "author: A. N. Other; licence: none stated; rules of SigmaHQ" in text
    assert "selection: {TargetUserName|startswith: user1}" in text
    assert "1 Sigma rule could find nothing here, since the case has no events of its log source" in text
    ticket = tmp_path / "report.md"
    CliRunner().invoke(app, ["report", "--case", str(case), "--format", "markdown", "-o", str(ticket)])
    assert "First logon" in ticket.read_text(encoding="utf-8")
    assert "1 Sigma rule could find nothing here" in ticket.read_text(encoding="utf-8")
    out = tmp_path / "exported"
    CliRunner().invoke(app, ["export", "--case", str(case), "--to", "navigator,jsonl", "-o", str(out)])
    assert '"techniqueID": "T1078"' in (out / "navigator.json").read_text(encoding="utf-8")
    exported = [json.loads(line) for line in (out / "evtxhunt.jsonl").read_text(encoding="utf-8").splitlines()]
    [(title, evidence)] = [(row["title"], row["evidence"]) for row in exported if row["kind"] == "finding"]
    assert (title, [record["event_record_id"] for record in evidence]) == ("First logon", [1])
    verified = CliRunner().invoke(app, ["verify", "--case", str(case)])
    assert (verified.exit_code, "1 finding" in verified.stderr) == (0, True), verified.stderr


def test_a_report_does_not_drop_findings_of_rules_in_silence(tmp_path: Path) -> None:
    case = real_case(tmp_path)
    detect(case, "--rules", logon_rules(tmp_path / "rules"))
    (tmp_path / "Other.evtx").write_bytes(make_log(3))
    ingest([tmp_path / "Other.evtx"], case)
    result = CliRunner().invoke(app, ["report", "--case", str(case), "-o", str(tmp_path / "r.html")])
    assert result.exit_code == 3
    assert "evidence or queries have changed since the Sigma rules ran; run `evtxhunt detect --rules`" in result.stderr
    assert len(found(case)) == 1


def test_hostile_log_text_and_rules_cannot_break_the_report(tmp_path: Path) -> None:
    case = real_case(tmp_path, "</script><script>alert(1)</script>\x1b[31m{{ 7*7 }}")
    path = tmp_path / "rule.yml"
    further = "author: '<img src=x>'\nlevel: high\n"
    title = "'</script><b>x'"
    path.write_text(rule("selection: {TargetUserName|contains: script}", "service: security", title, further))
    assert detect(case, "--rules", path).exit_code == 0
    assert len(found(case)) == 2
    page = tmp_path / "report.html"
    assert CliRunner().invoke(app, ["report", "--case", str(case), "-o", str(page)]).exit_code == 0
    text = page.read_text(encoding="utf-8")
    for hostile in ("<script>alert", "<img src=x>", "<b>x", "\x1b"):
        assert hostile not in text, hostile


def test_memory_of_findings_does_not_follow_their_number(tmp_path: Path) -> None:
    """Every hit is stored: 5,000 of one noisy rule over several slices and batches, in order."""
    events = [event(SECURITY, 4624, {"TargetUserName": f"user{n}"}) for n in range(5_000)]
    case = make_case(tmp_path / "case.duckdb", events)
    path = tmp_path / "rule.yml"
    path.write_text(rule("selection: {EventID: 4624}", "service: security", "Noise"))
    assert detect(case, "--rules", path, "--format", "csv", "-o", tmp_path / "out.csv").exit_code == 0
    stored = rows(case, "SELECT finding_id, event_key FROM finding_evidence WHERE finding_id IN"
        " (SELECT finding_id FROM finding WHERE origin = 'sigma') ORDER BY finding_id")  # fmt: skip
    assert [key for _, key in stored] == list(range(1, 5_001))
    assert list(tmp_path.glob(".evtxhunt-*")) == []


def test_recovered_records_are_found_when_asked_for_and_marked(tmp_path: Path, folder: Path) -> None:
    events = [*EVENTS, event(SYSMON, 1, {"Image": "C:\\deleted.exe"}, origin="slack")]
    case = make_case(tmp_path / "case.duckdb", events)
    detect(case, "--rules", folder, "--id", "low.yml")
    assert len(found(case)) == 2
    assert detect(case, "--rules", folder, "--id", "low.yml", "--include-recovered").exit_code == 0
    assert [text for (text,) in found(case, "summary")][2] == (
        "Any program: Image: C:\\deleted.exe; of the records it rests on (1): 1 from slack"
    )
