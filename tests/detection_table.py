"""The README's table of detections, from the query files: `python -m tests.detection_table` renews it."""

from pathlib import Path

from evtxhunt.model import LEVELS, Query
from evtxhunt.pipeline.query import load_query_set

REPOSITORY = Path(__file__).parent.parent
README = REPOSITORY / "README.md"
BEGIN, END = "<!-- detections: generated -->", "<!-- end of detections -->"
_SHORT = {
    "Microsoft-Windows-Sysmon/Operational": "Sysmon",
    "Microsoft-Windows-WinRM/Operational": "WinRM",
    "Microsoft-Windows-PowerShell/Operational": "PowerShell",
    "PowerShellCore/Operational": "PowerShell 7",
    "Microsoft-Windows-Windows Defender/Operational": "Defender",
    "Microsoft-Windows-TaskScheduler/Operational": "TaskScheduler",
    "Microsoft-Windows-WMI-Activity/Operational": "WMI-Activity",
}


def detection_table() -> str:
    """The table as Markdown, the highest level first."""
    detections = load_query_set(REPOSITORY / "queries").of_kind("detection")
    lines = ["| detection | title | level | ATT&CK | reads |", "|---|---|---|---|---|"]
    for query in sorted(detections, key=lambda query: (-LEVELS.index(query.level or "informational"), query.id)):
        lines.append(
            f"| `{query.id}` | {query.title} | {_levels(query)} | {', '.join(query.attack)} | {_events(query)} |"
        )
    return "\n".join(lines)


def _levels(query: Query) -> str:
    return ", ".join(sorted({query.level or "informational", *query.other_levels}, key=LEVELS.index))


def _events(query: Query) -> str:
    return "; ".join(
        f"{_SHORT.get(item.channel, item.channel)} {', '.join(map(str, item.event_id))}" for item in query.requires
    )


def shown_table() -> str:
    """What the README has."""
    return README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].strip()


def main() -> None:
    """Writes the table into the README."""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{detection_table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
