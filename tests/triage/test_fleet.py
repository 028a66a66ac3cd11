"""Two hundred hosts: each is accounted for, and the planted path is found."""

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from evtxhunt.pipeline.ingest import ingest
from samples.bulk import write_weeks
from tests.triage.shelves import told, triage, write_demo

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="triage forks")]

HOSTS, COMPUTERS = 196, 5


def takes_archives(folder: Path) -> bool:
    """Whether an ingest reads logs in a zip."""
    (folder / "probe").mkdir()
    write_demo(folder / "probe" / "logs")
    archive = shutil.make_archive(str(folder / "probe" / "logs"), "zip", folder / "probe" / "logs")
    return ingest([Path(archive)], folder / "probe" / "case.duckdb").read_files > 0


def test_each_of_200_hosts_is_accounted_for_and_the_planted_path_is_found(tmp_path: Path) -> None:
    shelf, output = tmp_path / "shelf", tmp_path / "out"
    write_weeks(shelf, HOSTS, events=1)
    names = sorted(path.name for path in shelf.iterdir())
    write_demo(shelf)
    if takes_archives(tmp_path):
        for name in names[::3]:
            with zipfile.ZipFile(shelf / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted((shelf / name).iterdir()):
                    archive.write(path, path.name)
            shutil.rmtree(shelf / name)
    result = triage(shelf, output)
    assert result.returncode == 0, result.stderr
    found = told(output)
    assert len(found["collections"]) == HOSTS + COMPUTERS
    assert {item["state"] for item in found["collections"]} == {"complete"}
    assert [len(item["hosts"]) for item in found["collections"]] == [1] * (HOSTS + COMPUTERS)
    short = [item["name"].split(".")[0] for item in found["hosts"]]
    assert sorted(short) == sorted([*names, "DC01", "OLD01", "SRV02", "SRV03", "WS07"])
    assert short[:4] == ["SRV02", "SRV03", "WS07", "DC01"]
    assert found["hosts"][4]["score"] == 0
    ways = [[name.split(".")[0] for name in path["computers"]] for path in found["paths"]]
    assert ways == [["ws07", "srv02", "srv03", "dc01"]]
    assert len(list((output / "hosts").iterdir())) == HOSTS + COMPUTERS
