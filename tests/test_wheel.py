"""The built wheel holds every query, template and sample log, and works away from the checkout."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SHIPPED = {"queries": "evtxhunt/queries", "templates": "evtxhunt/templates", "samples/demo": "evtxhunt/samples/demo"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_every_file_of_the_shipped_folders(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in SHIPPED.items():
        files = [path for path in sorted((REPOSITORY / folder).rglob("*")) if path.is_file()]
        assert files
        for path in files:
            assert f"{inside}/{path.relative_to(REPOSITORY / folder).as_posix()}" in names
    assert "evtxhunt/schema.sql" in names
    assert "evtxhunt/attack.json" in names
    assert "evtxhunt/py.typed" in names


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert all(name.startswith(("evtxhunt/", "evtxhunt-")) for name in names)
    assert not [name for name in names if "__pycache__" in name or "tests" in name]


@pytest.mark.slow
def test_installed_wheel_runs_the_demo_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False, system_site_packages=False)
    site = next(environment.glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    # The dependencies come from the environment that runs the tests; evtxhunt itself only from the wheel.
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(dependencies))
    python = environment / "bin" / "python"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EVTXHUNT"))}

    def run(*arguments: str) -> str:
        result = subprocess.run(
            [str(python), "-P", *arguments], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert run("-c", "import evtxhunt; print(evtxhunt.__file__)").startswith(str(site))
    assert run("-m", "evtxhunt", "lint") == ""
    run("-m", "evtxhunt", "demo", "out")
    assert "Event log cleared" in (tmp_path / "out" / "report.html").read_text()
