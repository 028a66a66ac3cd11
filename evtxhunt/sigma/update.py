"""A folder of rules, replaced by those of a zip whose hash is known; the old one stays until the new is whole."""

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import urlsplit

from evtxhunt.errors import RulesError
from evtxhunt.sigma.fetch import fetched
from evtxhunt.sigma.files import RuleFile, rule_files, zipped_files

PROVENANCE = "evtxhunt-rules.json"
_LONGEST_NAME = 200  # of a member's whole path; with more some systems could not read it back


@dataclass(frozen=True, slots=True)
class Change:
    """A rule file by its path in the folder and the title of its first rule."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Update:
    """What an update made of the folder; each list in the order of names. A rule is told by its id, else its path."""

    folder: Path
    sha256: str  # of the zip
    files: int
    new: tuple[Change, ...]
    changed: tuple[Change, ...]
    gone: tuple[Change, ...]


def update_rules(source: str, sha256: str | None, folder: Path) -> Update:
    """Fetches the zip at a URL or path and, if its SHA-256 is this, has its rules replace those of the folder.

    Raises RulesError; the folder is then as it was. OSError if it cannot be written.
    """
    folder = folder.resolve()
    parent = folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    _recover(folder)
    _check_ours(folder)
    with fetched(source, parent) as (archive, found):
        if not zipfile.is_zipfile(archive):
            raise RulesError(f"{source}: no zip (SHA-256 {found}); nothing was unpacked")
        if sha256 is None:
            raise RulesError(
                f"{source}: has SHA-256 {found}; nothing was unpacked: compare it with what the publisher says,"
                f" then give --sha256 {found}"
            )
        if found != sha256.lower():
            raise RulesError(f"{source}: has SHA-256 {found} and not {sha256.lower()}; nothing was unpacked")
        new = _safe_members(archive, source)
    old = {file.name: file for file in rule_files([folder])} if folder.is_dir() else {}
    provenance = {"source": _without_query(source), "sha256": found, "files": len(new), "rules_sha256": _digest(new)}
    _replace(folder, new, provenance)
    return _compare(folder, found, old, new)


def _safe_members(archive: BinaryIO, source: str) -> dict[str, RuleFile]:
    """The rule files by their names. One that is unreadable, or whose name leads elsewhere, condemns the whole zip."""
    found: dict[str, RuleFile] = {}
    seen: dict[str, str] = {}
    for file in zipped_files(archive, source):
        if file.content is None:
            raise RulesError(f"{file.shown}: {file.problem}; nothing was unpacked")
        path = PurePosixPath(file.name)
        is_safe = (
            str(path) == file.name
            and path.suffix
            and not path.is_absolute()
            and ".." not in path.parts
            and re.search(r'[\\:*?"<>|\x00-\x1f\x7f]', file.name) is None
            and not any(part.endswith((".", " ")) for part in path.parts)
            and len(file.name.encode("utf-8", "surrogateescape")) <= _LONGEST_NAME
        )
        # Where letters of either case are the same one of two would be lost, or a file be in another's folder's way.
        ways = [str(way).casefold() for way in (path, *path.parents)]
        if not is_safe or ways[0] in seen or any(seen.get(way) == "file" for way in ways[1:]):
            raise RulesError(f"{source}: holds {file.name!r}, a name that is no safe path; nothing was unpacked")
        seen |= dict.fromkeys(ways[1:], "folder") | {ways[0]: "file"}
        found[file.name] = file
    if not found:
        raise RulesError(f"{source}: holds no .yml or .yaml; nothing was unpacked")
    return found


def _check_ours(folder: Path) -> None:
    """Raises RulesError unless the folder is missing, empty or what an earlier update left there."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        stated = json.loads((folder / PROVENANCE).read_bytes())["rules_sha256"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RulesError(f"{folder}: was not made by `rules update`; give -o a new folder") from error
    if _others(folder) or stated != _digest({file.name: file for file in rule_files([folder])}):
        raise RulesError(
            f"{folder}: was changed since the last update, which would be lost; keep rules of your own in another"
            " folder (--rules may be repeated), and move this one away or give -o a new one"
        )


def _others(folder: Path) -> bool:
    """Whether there is anything besides rule files, their folders and where they come from."""
    names = {file.shown for file in rule_files([folder])} | {str(folder / PROVENANCE)}
    return any(path.is_symlink() or (not path.is_dir() and str(path) not in names) for path in folder.rglob("*"))


def _digest(files: Mapping[str, RuleFile]) -> str:
    """One hash over the names and contents of all rule files."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{hashlib.sha256(files[name].content or b'').hexdigest()}\n".encode())
    return digest.hexdigest()


def _without_query(source: str) -> str:
    """A URL without what may be a secret; of a file its name."""
    return urlsplit(source)._replace(query="", fragment="").geturl() if "://" in source else Path(source).name


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")


def _recover(folder: Path) -> None:
    """Mends what a run left that was killed: its half of a folder goes, a folder on its way out comes back."""
    shutil.rmtree(_beside(folder, "new"), ignore_errors=True)
    old = _beside(folder, "old")
    if old.is_dir():
        if folder.exists():
            shutil.rmtree(old)
        else:
            old.rename(folder)


def _replace(folder: Path, files: Mapping[str, RuleFile], provenance: Mapping[str, object]) -> None:
    """Writes the new folder beside the old one, then lets them change places."""
    new, old = _beside(folder, "new"), _beside(folder, "old")
    try:
        new.mkdir()
        for name, file in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content or b"")
        (new / PROVENANCE).write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        _recover(folder)


_ID = re.compile(rb"^id:[ \t]*['\"]?([0-9A-Fa-f-]{36})", re.MULTILINE)
_TITLE = re.compile(rb"^title:[ \t]*(.+)", re.MULTILINE)


def _compare(folder: Path, sha256: str, old: Mapping[str, RuleFile], new: Mapping[str, RuleFile]) -> Update:
    before, after = _by_rule(old.values()), _by_rule(new.values())
    changed = [key for key in before.keys() & after.keys() if before[key].content != after[key].content]
    return Update(
        folder=folder,
        sha256=sha256,
        files=len(new),
        new=_changes([after[key] for key in after.keys() - before.keys()]),
        changed=_changes([after[key] for key in changed]),
        gone=_changes([before[key] for key in before.keys() - after.keys()]),
    )


def _by_rule(files: Iterable[RuleFile]) -> dict[str, RuleFile]:
    """By the id of the first rule, so that a moved file is the same; of several with one id all but one by path."""
    found: dict[str, RuleFile] = {}
    for file in files:
        match = _ID.search(file.content or b"")
        key = match[1].decode().lower() if match else file.name
        found[key if key not in found else file.name] = file
    return found


def _changes(files: Sequence[RuleFile]) -> tuple[Change, ...]:
    def title(file: RuleFile) -> str:
        match = _TITLE.search(file.content or b"")
        return match[1].decode("utf-8", "replace").strip().strip("'\"") if match else ""

    return tuple(Change(file.name, title(file)) for file in sorted(files, key=lambda file: file.name))
