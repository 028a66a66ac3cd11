"""Templates of a user's own, which stand in for those that ship, file by file."""

from pathlib import Path

from evtxhunt.errors import EvtxhuntError


def template_folders(overrides: Path | None, templates: Path) -> tuple[Path, ...]:
    """Where to look for templates, in order: a user's own folder, if there is one, before those that ship.

    Raises EvtxhuntError if a file in it stands in for none of ours: a typing error would override nothing in silence.
    Names that begin with a dot are not looked at.
    """
    if overrides is None:
        return (templates,)
    if not overrides.is_dir():
        raise EvtxhuntError(
            f"{overrides}: no such folder of templates; give --templates a folder with files such as style.css"
        )
    ours, given = _files(templates), _files(overrides)
    known = ", ".join(sorted(ours))
    if unknown := sorted(given - ours):
        raise EvtxhuntError(f"{overrides}: no template of the report is called {', '.join(unknown)}; there are {known}")
    if not given:
        raise EvtxhuntError(f"{overrides}: holds no template; put one of {known} into it")
    return (overrides, templates)


def _files(folder: Path) -> set[str]:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not any(part.startswith(".") for part in name.split("/"))}
