"""Templates of a user's own, which stand in for those that ship, file by file."""

from pathlib import Path

from evtxhunt.errors import EvtxhuntError


def check_overrides(folder: Path, templates: Path) -> Path:
    """The folder, if each file in it stands in for one of `templates`; names that begin with a dot are not looked at.

    Raises EvtxhuntError that names what does not: a typing error would otherwise override nothing in silence.
    """
    if not folder.is_dir():
        raise EvtxhuntError(
            f"{folder}: no such folder of templates; give --templates a folder with files such as style.css"
        )
    ours, given = (
        {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        for root in (templates, folder)
    )
    given = {name for name in given if not any(part.startswith(".") for part in name.split("/"))}
    if unknown := sorted(given - ours):
        raise EvtxhuntError(
            f"{folder}: no template of the report is called {', '.join(unknown)}; there are {', '.join(sorted(ours))}"
        )
    if not given:
        raise EvtxhuntError(f"{folder}: holds no template; put one of {', '.join(sorted(ours))} into it")
    return folder
