"""`rules update`: what is fetched and refused, that nothing is unpacked before its hash is known, and no halves."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from evtxhunt.cli import app
from evtxhunt.sigma import fetch, files
from evtxhunt.sigma.load import load_rules
from tests.conftest import REPOSITORY
from tests.sigma.rules import rule
from tests.sigma.servers import Server, endless, leads_to, sends

IDS = [f"{number}0000000-0000-0000-0000-000000000000" for number in range(1, 5)]
FIRST = {
    "rules/a.yml": rule("selection: {Image: a}", title="Rule A", further=f"id: {IDS[0]}\n"),
    "rules/b.yml": rule("selection: {Image: b}", title="Rule B", further=f"id: {IDS[1]}\n"),
    "rules/c.yaml": rule("selection: {Image: c}", title="Rule C", further=f"id: {IDS[2]}\n"),
    "README.md": "no rule",
}
# a as it was but moved, b changed, c gone, d new.
SECOND = {
    "rules/moved/a.yml": FIRST["rules/a.yml"],
    "rules/b.yml": FIRST["rules/b.yml"].replace("Image: b", "Image: bb"),
    "rules/d.yml": rule("selection: {Image: d}", title="Rule \x1b[31mD", further=f"id: {IDS[3]}\n"),
}


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tree(folder: Path) -> dict[str, bytes]:
    """All files at or below the folder's parent, but for those that a test gives as input."""
    return {
        path.relative_to(folder.parent).as_posix(): path.read_bytes()
        for path in sorted(folder.parent.rglob("*"))
        if path.is_file() and path.suffix != ".zip"
    }


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def update(source: str | Path, folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["rules", "update", "--from", str(source), "-o", str(folder), *arguments])


def given(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rules of a first update, in a folder that has nothing else beside it."""
    path = tmp_path / "here" / "rules"
    content = zipped(FIRST)
    result = update(given(tmp_path / "first.zip", content), path, "--sha256", sha(content))
    assert result.exit_code == 0, result.stderr
    return path


# What is kept ------------------------------------------------------------------------------------------------------


def test_an_update_by_url_unpacks_only_rules_and_says_where_they_are_from(server: Server, tmp_path: Path) -> None:
    content = zipped(FIRST)
    url = server.url("/first.zip?token=secret", sends(content))
    folder = tmp_path / "new" / "rules"
    result = update(url, folder, "--sha256", sha(content).upper())
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "new: Rule A (rules/a.yml)",
        "new: Rule B (rules/b.yml)",
        "new: Rule C (rules/c.yaml)",
    ]
    assert result.stderr == f"{folder}: 3 rule files, 3 new, 0 changed, 0 gone\n"
    kept = tree(folder)
    provenance = json.loads(kept.pop("rules/evtxhunt-rules.json"))
    assert kept == {f"rules/{name}": text.encode() for name, text in FIRST.items() if name != "README.md"}
    assert provenance == {
        "source": url.partition("?")[0],
        "sha256": sha(content),
        "files": 3,
        "rules_sha256": sha("".join(f"{name}\0{sha(FIRST[name].encode())}\n" for name in sorted(FIRST)[1:]).encode()),
    }
    assert len(load_rules([folder], {}).rules) == 3


def test_a_second_update_says_what_is_new_changed_and_gone(folder: Path, tmp_path: Path) -> None:
    content = zipped(SECOND)
    result = update(given(tmp_path / "second.zip", content), folder, "--sha256", sha(content))
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "new: Rule \\x1b[31mD (rules/d.yml)",
        "changed: Rule B (rules/b.yml)",
        "gone: Rule C (rules/c.yaml)",
    ]
    assert set(tree(folder)) == {f"rules/{name}" for name in SECOND} | {"rules/evtxhunt-rules.json"}


def test_the_same_update_again_changes_no_byte(folder: Path, tmp_path: Path) -> None:
    before = tree(folder)
    result = update(tmp_path / "first.zip", folder, "--sha256", sha(zipped(FIRST)))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("3 rule files, nothing changed\n")
    assert tree(folder) == before


# What is refused ---------------------------------------------------------------------------------------------------


def refused(result: Result, *parts: str) -> None:
    assert result.exit_code == 3, result.output
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    for part in parts:
        assert part in line


def test_without_a_hash_nothing_is_unpacked_and_the_hash_is_shown(server: Server, folder: Path) -> None:
    before, content = tree(folder), zipped(SECOND)
    refused(update(server.url("/x.zip", sends(content)), folder), "nothing was unpacked", f"--sha256 {sha(content)}")
    assert tree(folder) == before


def test_a_wrong_hash_is_refused_with_the_one_that_is_there(server: Server, folder: Path) -> None:
    before, content = tree(folder), zipped(SECOND)
    result = update(server.url("/x.zip", sends(content)), folder, "--sha256", "0" * 64)
    refused(result, f"has SHA-256 {sha(content)} and not {'0' * 64}; nothing was unpacked")
    assert tree(folder) == before


def test_what_is_no_hash_is_a_usage_error(folder: Path) -> None:
    assert update("x.zip", folder, "--sha256", "abc").exit_code == 2


def test_a_download_that_breaks_off_is_no_download(server: Server, folder: Path) -> None:
    before, content = tree(folder), zipped(SECOND)
    half = content[: len(content) // 2]
    url = server.url("/x.zip", sends(half, announced=len(content)))
    refused(update(url, folder, "--sha256", sha(half)), f"broke off after {len(half):,} of {len(content)} bytes")
    assert tree(folder) == before


def test_a_zip_that_is_cut_off_is_refused_even_with_its_hash(folder: Path, tmp_path: Path) -> None:
    before, half = tree(folder), zipped(SECOND)[:300]
    refused(update(given(tmp_path / "half.zip", half), folder, "--sha256", sha(half)), "no zip", sha(half))
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://192.0.2.1/rules.zip", "by https only"),
        ("ftp://127.0.0.1/rules.zip", "by https only"),
        ("file:///etc/passwd", "by https only"),
        ("http://127.0.0.1.example.test/rules.zip", "by https only"),
        ("https:///rules.zip", "names no host"),
        ("https://user:secret@example.test/rules.zip", "holds a user or password"),
        ("https://example.test:port/rules.zip", "no URL"),
    ],
)
def test_other_urls_are_refused_before_anything_is_asked(url: str, reason: str, folder: Path) -> None:
    result = update(url, folder, "--sha256", "0" * 64)
    refused(result, reason)
    assert "secret" not in result.stderr


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "https://127.0.0.1/x", "http://192.0.2.1/x"])
def test_a_redirect_to_another_scheme_or_out_of_this_computer_by_http_is_refused(
    to: str, server: Server, folder: Path
) -> None:
    before = tree(folder)
    refused(update(server.url("/x.zip", leads_to(to)), folder, "--sha256", "0" * 64), to)
    assert (tree(folder), server.asked) == (before, ["/x.zip"])


def test_a_redirect_within_the_scheme_is_followed_but_not_in_circles(server: Server, folder: Path) -> None:
    content = zipped(SECOND)
    there = server.url("/there.zip", sends(content))
    assert update(server.url("/x.zip", leads_to(there)), folder, "--sha256", sha(content)).exit_code == 0
    circle = server.url("/circle.zip", leads_to("/circle.zip"))
    refused(update(circle, folder, "--sha256", "0" * 64), "the server answers 302")


def test_an_error_of_the_server_is_one_line(server: Server, folder: Path) -> None:
    url = server.url("/x.zip", sends(b"gone", status=404))
    refused(update(url, folder, "--sha256", sha(b"gone")), f"{url}: the server answers 404 Not Found; check the URL")


def test_no_server_is_one_line(folder: Path) -> None:
    refused(update("http://127.0.0.1:1/x.zip", folder), "cannot be fetched: ", "Connection refused")


def test_a_download_without_end_stops_at_the_bound(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(folder)
    monkeypatch.setattr(fetch, "MOST_BYTES", 1_000_000)
    refused(update(server.url("/x.zip", endless(0)), folder, "--sha256", "0" * 64), "larger than 1,000,000 bytes")
    monkeypatch.setattr(fetch, "MOST_SECONDS", 0.3)
    refused(update(server.url("/y.zip", endless(0.05)), folder, "--sha256", "0" * 64), "not complete after 0 seconds")
    assert tree(folder) == before


GOOD = {"good.yml": FIRST["rules/a.yml"]}


@pytest.mark.parametrize(
    "name",
    [
        "../out.yml",
        "rules/../../out.yml",
        "/tmp/evtxhunt-out.yml",
        "..\\out.yml",
        "C:\\out.yml",
        "C:out.yml",
        "a/./b.yml",
        "a//b.yml",
        "a\nb.yml",
        "good.yml/inner.yml",
        "GOOD.YML",
        "folder./x.yml",
        "a/.yml",
        "x" * 300 + ".yml",
    ],
)
def test_a_name_that_is_no_safe_path_condemns_the_zip(name: str, folder: Path, tmp_path: Path) -> None:
    before, content = tree(folder), zipped({**GOOD, name: "id: x\n"})
    result = update(given(tmp_path / "bad.zip", content), folder, "--sha256", sha(content))
    refused(result, "a name that is no safe path; nothing was unpacked")
    assert tree(folder) == before
    assert not Path("/tmp/evtxhunt-out.yml").exists()


def test_a_member_that_is_a_link_becomes_a_file(folder: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link.yml")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    result = update(given(tmp_path / "l.zip", buffer.getvalue()), folder, "--sha256", sha(buffer.getvalue()))
    assert result.exit_code == 0
    assert not (folder / "link.yml").is_symlink()
    assert (folder / "link.yml").read_text() == "/etc/passwd"


def test_a_member_that_cannot_be_read_condemns_the_zip(folder: Path, tmp_path: Path) -> None:
    before, content = tree(folder), zipped({**GOOD, "bomb.yml": b" " * 1_000_001})
    result = update(given(tmp_path / "bomb.zip", content), folder, "--sha256", sha(content))
    refused(result, "bomb.yml: larger than 1,000,000 bytes, which no rule is; nothing was unpacked")
    damaged = bytearray(zipped(SECOND))
    damaged[60:70] = b"\xff" * 10
    result = update(given(tmp_path / "damaged.zip", bytes(damaged)), folder, "--sha256", sha(bytes(damaged)))
    refused(result, "cannot be read: ", "; nothing was unpacked")
    assert tree(folder) == before


def test_many_small_bombs_are_one_bomb(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(folder)
    monkeypatch.setattr(files, "_MOST_BYTES", 5_000_000)
    content = zipped({f"{number}.yml": b" " * 999_999 for number in range(6)})
    result = update(given(tmp_path / "bombs.zip", content), folder, "--sha256", sha(content))
    refused(result, "or 5,000,000 bytes, which no rules have")
    assert tree(folder) == before


def test_a_zip_without_rules_replaces_none(folder: Path, tmp_path: Path) -> None:
    before, content = tree(folder), zipped({"README.md": "x"})
    refused(update(given(tmp_path / "no.zip", content), folder, "--sha256", sha(content)), "holds no .yml or .yaml")
    assert tree(folder) == before


# Whose folder it is ------------------------------------------------------------------------------------------------


def test_a_folder_of_other_origin_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "here" / "rules"
    mine.mkdir(parents=True)
    (mine / "own.yml").write_text(FIRST["rules/a.yml"])
    content = zipped(SECOND)
    result = update(given(tmp_path / "x.zip", content), mine, "--sha256", sha(content))
    refused(result, f"{mine}: was not made by `rules update`; give -o a new folder")
    assert set(tree(mine)) == {"rules/own.yml"}


@pytest.mark.parametrize("name", ["rules/a.yml", "own.yml", "notes.txt"])
def test_changes_by_hand_are_not_lost(name: str, folder: Path, tmp_path: Path) -> None:
    (folder / name).write_text("# mine\n")
    before, content = tree(folder), zipped(SECOND)
    result = update(given(tmp_path / "x.zip", content), folder, "--sha256", sha(content))
    refused(result, f"{folder}: was changed since the last update")
    assert tree(folder) == before


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    content = zipped(SECOND)
    assert update(given(tmp_path / "x.zip", content), tmp_path / "rules", "--sha256", sha(content)).exit_code == 0


# Killed ------------------------------------------------------------------------------------------------------------


def start(source: str | Path, folder: Path, sha256: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "evtxhunt", "rules", "update", "--from", str(source), "--sha256", sha256]
    return subprocess.Popen([*command, "-o", str(folder)], cwd=REPOSITORY, stderr=subprocess.PIPE)


def kill_when(process: subprocess.Popen[bytes], is_time: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_time():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < end
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_killed_while_it_fetches_leaves_no_trace(server: Server, folder: Path) -> None:
    before = tree(folder)
    process = start(server.url("/slow.zip", endless(0.05)), folder, "0" * 64)
    kill_when(process, lambda: bool(server.asked))
    assert tree(folder) == before
    assert os.listdir(folder.parent) == ["rules"]  # noqa: PTH208


@pytest.mark.slow
def test_killed_while_it_unpacks_leaves_the_old_rules_and_the_next_update_is_whole(
    folder: Path, tmp_path: Path
) -> None:
    before = tree(folder)
    many = {f"rules/{number}.yml": f"title: {number}\n" for number in range(40_000)}
    content = zipped(many)
    source = given(tmp_path / "many.zip", content)
    half = folder.with_name(".rules.new")
    kill_when(start(source, folder, sha(content)), lambda: (half / "rules" / "5.yml").exists())
    left = tree(folder)
    assert {name: left[name] for name in before} == before
    assert 0 < len(left) - len(before) < len(many)
    second = zipped(SECOND)
    assert update(given(tmp_path / "s.zip", second), folder, "--sha256", sha(second)).exit_code == 0
    assert set(tree(folder)) == {f"rules/{name}" for name in SECOND} | {"rules/evtxhunt-rules.json"}


def test_killed_between_the_two_renames_the_next_run_brings_the_old_rules_back(folder: Path, tmp_path: Path) -> None:
    before = tree(folder)
    folder.rename(folder.with_name(".rules.old"))  # as the kill leaves it
    folder.with_name(".rules.new").mkdir()
    content = zipped(SECOND)
    refused(update(given(tmp_path / "x.zip", content), folder), "nothing was unpacked")
    assert tree(folder) == before
