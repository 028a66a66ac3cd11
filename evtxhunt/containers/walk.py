"""Goes through a container of any kind."""

from pathlib import Path

from evtxhunt.containers.archives import ArchiveWalk
from evtxhunt.containers.found import Walk, refused
from evtxhunt.containers.limits import reason_of
from evtxhunt.containers.spool import Spool
from evtxhunt.recognise import ContainerKind

_EXTRA = {"dfvfs", "pyqcow", "pyvhdi", "pyvshadow"}
NO_EXTRA = "a disk image: install evtxhunt[images] to read it"


def walk_container(path: Path, kind: ContainerKind, place: str, spool: Spool, password: str | None) -> Walk:
    """Every event log in the container at `path`, as a stream, and what is not read with the reason.

    `place` is its path as the case shows it. A log's stream is to be read before the next item is asked for, and
    raises MemberError where the rest of it cannot be read. Raises CaseError if the spool's disk is full.
    """
    if kind == "image":
        try:
            from evtxhunt.containers.images import walk_image
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in _EXTRA:
                raise
            yield refused(place, "", NO_EXTRA)
            return
        yield from walk_image(path, place)
        return
    try:
        with path.open("rb") as file:
            yield from ArchiveWalk(path.stat().st_size, spool, password).walk(file, kind, place)
    except OSError as error:
        yield refused(place, "", reason_of(error))
