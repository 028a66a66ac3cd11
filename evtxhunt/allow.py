"""Allow-lists: what is known to be good, each with a reason. It is set aside and counted, never dropped."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from evtxhunt.errors import AllowListError
from evtxhunt.model import Finding

_KEYS = {"detection", "host", "user", "summary_contains", "reason", "until"}


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of an allow-list. What is None is not asked for; the rest must all fit, without regard to case."""

    detection: str
    reason: str
    host: str | None = None  # short name or name, as the finding's host or computer
    user: str | None = None  # with or without domain
    summary_contains: str | None = None
    until: date | None = (
        None  # the last day, UTC, of the finding's own time: the same case gives the same result ever after
    )

    def fits(self, finding: Finding) -> bool:
        """Whether the finding is what this entry allows."""
        if self.detection != finding.detection_id:
            return False
        if self.until is not None and (finding.event_time is None or finding.event_time.date() > self.until):
            return False
        hosts = {form for name in (finding.host, finding.computer) if name for form in _forms(name, ".", 0)}
        users = _forms(finding.user_name, "\\", -1) if finding.user_name else set()
        return (
            (self.host is None or self.host.lower() in hosts)
            and (self.user is None or self.user.lower() in users)
            and (self.summary_contains is None or self.summary_contains.lower() in finding.summary.lower())
        )


def _forms(name: str, separator: str, part: int) -> set[str]:
    return {name.lower(), name.lower().split(separator)[part]}


def read_allow_list(path: Path) -> tuple[Allowed, ...]:
    """The entries of a TOML file with [[allow]] tables. Raises AllowListError naming the entry that does not fit."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AllowListError(f"{path}: the allow-list cannot be read: {error}") from error
    entries = content.get("allow", [])
    if set(content) - {"allow"} or not isinstance(entries, list) or not all(isinstance(item, dict) for item in entries):
        raise AllowListError(f"{path}: an allow-list holds [[allow]] tables and nothing else")
    return tuple(_entry(path, number, item) for number, item in enumerate(entries, 1))


def _entry(path: Path, number: int, item: dict[str, object]) -> Allowed:
    where = f"{path}: [[allow]] number {number}"
    if unknown := sorted(item.keys() - _KEYS):
        raise AllowListError(f"{where}: unknown key {unknown[0]}; it takes {', '.join(sorted(_KEYS))}")
    for key in _KEYS & item.keys():
        wanted = date if key == "until" else str
        if not isinstance(item[key], wanted) or isinstance(item[key], datetime):
            raise AllowListError(f"{where}: {key} must be a {'date' if wanted is date else 'text'}")
    if not item.get("detection") or not str(item.get("reason", "")).strip():
        raise AllowListError(f"{where}: detection and reason are needed")
    return Allowed(**item)  # type: ignore[arg-type]  # checked above


def set_aside(findings: Iterable[Finding], entries: Sequence[Allowed]) -> tuple[Finding, ...]:
    """The findings, those that an entry fits with its reason; the first entry that fits counts."""
    if not entries:
        return tuple(findings)
    return tuple(
        replace(finding, allowed_reason=next((entry.reason for entry in entries if entry.fits(finding)), None))
        for finding in findings
    )
