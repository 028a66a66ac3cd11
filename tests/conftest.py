"""Where the real logs are, and what their absence means."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


def corpora_root() -> Path:
    """The folder that holds corpora/ and sigma/: $EVTXHUNT_CORPORA, else ../shared beside the checkout."""
    return Path(os.environ.get("EVTXHUNT_CORPORA") or REPOSITORY.parent / "shared")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips corpus tests, with the reason, where the real logs are absent; in CI they fail instead."""
    if (corpora_root() / "corpora").is_dir() or os.environ.get("CI") == "true":
        return
    skip = pytest.mark.skip(reason=f"no real logs in {corpora_root()}; set EVTXHUNT_CORPORA")
    for item in items:
        if item.get_closest_marker("corpus"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_root() -> Path:
    """The folder with corpora/ and sigma/."""
    root = corpora_root()
    assert (root / "corpora").is_dir(), f"no real logs in {root}; set EVTXHUNT_CORPORA"
    return root


@pytest.fixture(scope="session")
def corpora(shared_root: Path) -> Path:
    """The folder with attack-samples, deepblue and parser-samples."""
    return shared_root / "corpora"
