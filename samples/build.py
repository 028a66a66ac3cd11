"""Build the synthetic logs and their truth: `python -m samples.build [OUT_DIR] [--only NAME]`.

Without OUT_DIR it renews what is committed: the demo's logs, and truth, digests and pictures of all scenarios,
and their section of samples/README.md.
"""

import argparse
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from samples.collection import collect
from samples.demo_story import play_demo
from samples.picture import draw
from samples.scenarios import Scenario, scenarios
from samples.story import Story
from samples.truth import render_truth

SAMPLES = Path(__file__).resolve().parent
DEMO_FOLDER = SAMPLES / "demo"
TRUTH_FOLDER = SAMPLES / "truth"
README = SAMPLES / "README.md"
_BEGIN, _END = "<!-- scenarios: from their modules -->", "<!-- end of scenarios -->"


def build_story(story: Story) -> dict[str, bytes]:
    """Relative path -> content of every file: logs and truth.toml; equal bytes each time."""
    collection = collect(story)
    return {**collection.write_logs(), "truth.toml": render_truth(story, collection).encode()}


def build_demo() -> dict[str, bytes]:
    return build_story(play_demo())


def build_scenario(scenario: Scenario) -> dict[str, bytes]:
    return build_story(scenario.play())


def write_files(contents: Mapping[str, bytes], folder: Path) -> None:
    for path, content in contents.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def digests(contents: Mapping[str, bytes]) -> str:
    """`sha256  path` lines of the logs, as sha256sum writes and checks them."""
    logs = sorted(path for path in contents if path.endswith(".evtx"))
    return "".join(f"{hashlib.sha256(contents[path]).hexdigest()}  {path}\n" for path in logs)


def committed_of(scenario: Scenario) -> dict[str, bytes]:
    """What stands in the repository of a scenario: everything but the logs, which are quickly built."""
    story = scenario.play()
    contents = build_story(story)
    return {
        "truth.toml": contents["truth.toml"],
        "sha256sums.txt": digests(contents).encode(),
        "picture.svg": draw(story).encode(),
    }


def describe(chosen: Iterable[Scenario]) -> str:
    """The scenarios' section of samples/README.md: title, story and picture of each."""
    parts = []
    for scenario in chosen:
        picture = f"truth/{scenario.name}/picture.svg"
        parts += [f"### {scenario.name[:2]} {scenario.title}", scenario.account, f"![{scenario.title}]({picture})"]
    return "\n\n".join(parts)


def with_section(readme: str, section: str) -> str:
    """`readme` with `section` between its two marks."""
    before, _, rest = readme.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{section}\n\n{_END}{after}"


def renew_committed(chosen: Iterable[Scenario]) -> None:
    write_files(build_demo(), DEMO_FOLDER)
    for scenario in chosen:
        write_files(committed_of(scenario), TRUTH_FOLDER / scenario.name)
    README.write_text(with_section(README.read_text(), describe(scenarios())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, metavar="OUT_DIR")
    parser.add_argument("--only", metavar="NAME", action="append", help="a scenario's name or its number")
    options = parser.parse_args()
    only: list[str] | None = options.only
    chosen = [item for item in scenarios() if only is None or {item.name, item.name[:2]} & set(only)]
    if not chosen:
        parser.error(f"no scenario named {only}; there are {', '.join(item.name for item in scenarios())}")
    if options.folder is None:
        renew_committed(chosen)
        return
    for scenario in chosen:
        write_files(build_scenario(scenario), options.folder / scenario.name)


if __name__ == "__main__":
    main()
