"""`report --redact`: no name of the case is left in the bytes of the output; the key leads back and stays apart."""

import json
import re
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from evtxhunt.cli import app
from evtxhunt.names import is_kept, is_ordinary
from evtxhunt.pipeline.ingest import ingest
from tests.conftest import REPOSITORY
from tests.leaks import left_over
from tests.logs import make_log, rows

# Of the demo: what samples/demo/truth.toml and the logs call people and machines.
_DEMO_USERS = ("jdoe", "adm-lee", "adm-ops", "svc-backup", "svc-sql", "abaker", "kshaw", "helpdesk2")
_DEMO_HOSTS = ("ws07", "srv02", "srv03", "dc01", "old01")
_DEMO_ADDRESSES = ("192.0.2.17", "192.0.2.20", "198.51.100.23")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "case.duckdb"
    ingest([REPOSITORY / "samples" / "demo"], path)
    return path


def report(case: Path, output: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["report", "--case", str(case), "-o", str(output), *options])


def written(case: Path, folder: Path, *options: str) -> bytes:
    result = report(case, folder / "written", *options)
    assert result.exit_code == 0, result.stderr
    return (folder / "written").read_bytes()


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_no_name_of_the_demo_is_left(demo: Path, tmp_path: Path, form: str) -> None:
    names = (*_DEMO_USERS, *_DEMO_HOSTS, *_DEMO_ADDRESSES, "corp.example.test", "s-1-5-21-1004336348")
    plain = written(demo, tmp_path, "--format", form)
    assert {"jdoe", "adm-lee", "svc-backup", "srv02", "dc01", "192.0.2.17"} <= set(left_over(names, plain))
    redacted = written(demo, tmp_path, "--format", form, "--redact", "users,hosts")
    assert left_over(names, redacted) == []
    assert str(REPOSITORY).encode() not in redacted
    assert not re.search(rb"\bcorp\b", re.sub(rb"<style>.*?</style>", b"", redacted.lower()))
    # What happened can still be read, and what redaction cannot do is said.
    text = redacted.decode()
    assert re.search(r"domain-\d+\\user-\d+ cleared 2 logs \(Application, Security\) on host-\d+\.domain-\d+", text)
    assert "Redaction cannot see names in text that is encoded" in text and "Redacted" in text


def test_what_belongs_together_still_does(demo: Path, tmp_path: Path) -> None:
    """A host under two names would have two lanes in the timeline."""
    plain, redacted = written(demo, tmp_path), written(demo, tmp_path, "--redact", "users,hosts")
    for part in (b"lane-name", b"<rect", b"<path", b"<tr"):
        assert redacted.count(part) == plain.count(part), part


def test_redaction_of_one_kind_leaves_the_other(demo: Path, tmp_path: Path) -> None:
    users = written(demo, tmp_path, "--redact", "users")
    assert left_over((*_DEMO_USERS, "s-1-5-21-1004336348", "corp.example.test"), users) == []
    assert set(_DEMO_HOSTS) <= set(left_over(_DEMO_HOSTS, users)) and b"192.0.2.17" in users
    hosts = written(demo, tmp_path, "--redact", "hosts")
    assert left_over((*_DEMO_HOSTS, *_DEMO_ADDRESSES, "corp.example.test"), hosts) == []
    assert "adm-lee" in left_over(_DEMO_USERS, hosts)


def test_the_same_case_gives_the_same_pseudonyms_whatever_is_shown(demo: Path, tmp_path: Path) -> None:
    one = written(demo, tmp_path, "--redact", "users,hosts", "--redact-key", str(tmp_path / "one"))
    assert one == written(demo, tmp_path, "--redact", "hosts, users", "--redact-key", str(tmp_path / "two"))
    written(demo, tmp_path, "--redact", "users", "--host", "SRV03", "--redact-key", str(tmp_path / "three"))
    whole, part = (json.loads((tmp_path / name).read_text())["pseudonyms"] for name in ("one", "three"))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert part.items() <= whole.items() and {"host-001", "user-001", "domain-001", "sid-001"} <= part.keys()


@pytest.mark.corpus
@pytest.mark.slow
def test_no_name_of_real_logs_is_left(corpora: Path, tmp_path: Path) -> None:
    """Names asked of the case in another way than redaction does: by its typed columns."""
    case = tmp_path / "case.duckdb"
    ingest([corpora / "deepblue", corpora / "attack-samples"], case)
    fields = "target_user_name, subject_user_name, event_data->>'User', event_data->>'SamAccountName'"
    accounts = [str(name) for (name,) in rows(case, f"SELECT DISTINCT unnest([{fields}]) FROM event") if name]
    places = [
        str(name) for (name,) in rows(case, "SELECT DISTINCT unnest([computer, workstation_name]) FROM event") if name
    ]
    names = {part.removesuffix("$") for name in accounts for part in re.split(r"[\\@]", name)}
    names |= {part for name in places for part in (name, name.split(".")[0])}
    names |= {
        str(sid) for (sid,) in rows(case, "SELECT DISTINCT user_sid FROM event WHERE user_sid LIKE 'S-1-5-21-%-1___'")
    }
    names = {name for name in names if not is_kept(name) and not is_ordinary(name) and len(name) > 3}
    assert len(names) > 500
    shown = left_over(names, written(case, tmp_path))
    assert len(shown) > 100
    for form in ("html", "markdown"):
        assert left_over(names, written(case, tmp_path, "--format", form, "--redact", "users,hosts")) == []


def test_the_key_is_the_owners_alone_and_leads_back(demo: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    output = written(demo, tmp_path, "--redact", "users,hosts", "--redact-key", str(key))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    pseudonyms = json.loads(key.read_text())["pseudonyms"]
    names = {(entry["kind"], entry["name"].lower()): pseudonym for pseudonym, entry in pseudonyms.items()}
    assert f"{names['user', 'adm-lee']} cleared 2 logs".encode() in output
    assert b"key.json" not in output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key.json", "written"]


def test_no_key_is_written_unless_asked_for(demo: Path, tmp_path: Path) -> None:
    written(demo, tmp_path, "--redact", "users")
    assert [path.name for path in tmp_path.iterdir()] == ["written"]


def test_a_key_is_gone_on_with_when_the_case_has_grown(tmp_path: Path) -> None:
    case, key = tmp_path / "case.duckdb", tmp_path / "key.json"
    (tmp_path / "a.evtx").write_bytes(make_log(3, computer="FILER01.example.test", text="smith"))
    ingest([tmp_path / "a.evtx"], case)
    written(case, tmp_path, "--redact", "users,hosts", "--redact-key", str(key))
    before = json.loads(key.read_text())["pseudonyms"]
    key.chmod(0o644)
    (tmp_path / "b.evtx").write_bytes(make_log(3, computer="ANVIL02.example.test", text="jones"))
    ingest([tmp_path / "b.evtx"], case)
    written(case, tmp_path, "--redact", "users,hosts", "--redact-key", str(key))
    after = json.loads(key.read_text())["pseudonyms"]
    assert before.items() < after.items()
    assert {entry["name"] for entry in after.values()} >= {"FILER01", "ANVIL02", "user1smith", "user1jones"}
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_key_of_another_case_is_not_touched(demo: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    written(demo, tmp_path, "--redact", "users", "--redact-key", str(key))
    before = key.read_bytes()
    (tmp_path / "a.evtx").write_bytes(make_log(3))
    ingest([tmp_path / "a.evtx"], tmp_path / "other.duckdb")
    result = report(tmp_path / "other.duckdb", tmp_path / "none", "--redact", "users", "--redact-key", str(key))
    assert result.exit_code == 3 and result.stderr.count("\n") == 1
    assert "is the key of another case (25 of its 25 logs are not in this one)" in result.stderr
    assert key.read_bytes() == before and not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": "evtxhunt redaction key 1"}',
        "[" * 100_000,
        "\udcff",
        '{"format": "evtxhunt redaction key 1", "evidence": [], "pseudonyms": {"../x": {"kind": "user", "name": "a"}}}',
    ],
)
def test_a_file_that_is_no_key_is_not_touched(demo: Path, tmp_path: Path, content: str) -> None:
    key = tmp_path / "notes.txt"
    key.write_bytes(content.encode("utf-8", "surrogateescape"))
    before = key.read_bytes()
    result = report(demo, tmp_path / "none", "--redact", "users", "--redact-key", str(key))
    assert result.exit_code == 3 and "is no key that evtxhunt wrote" in result.stderr
    assert key.read_bytes() == before and not (tmp_path / "none").exists()


def test_a_key_that_cannot_be_written_is_told(demo: Path, tmp_path: Path) -> None:
    result = report(demo, tmp_path / "none", "--redact", "users", "--redact-key", str(tmp_path / "no" / "key"))
    assert result.exit_code == 3 and "cannot be written" in result.stderr and not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--redact", ""),
        ("--redact", "people"),
        ("--redact", "users,"),
        ("--redact-key", "k"),
        ("--redact", "users", "--redact-key", "out"),
    ],
)
def test_wrong_use_is_exit_status_2(
    demo: Path, tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = report(demo, Path("out"), *options)
    assert result.exit_code == (0 if options == ("--redact", "users,") else 2)
