"""One module a scenario: TITLE and `tell(story)`. The docstring's first lines are its story."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules

from samples.story import Story

# All scenarios happen to one company, each on a day of its own: they can stand in one case.
_FIRST_DAY = datetime(2025, 3, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`name` is the module's without its `s`: number and words."""

    name: str
    title: str
    account: str
    tell: Callable[[Story], None]

    def play(self) -> Story:
        story = Story(self.name, self.title, _FIRST_DAY + timedelta(days=int(self.name[:2])))
        self.tell(story)
        return story


def scenarios() -> tuple[Scenario, ...]:
    """All of them in their order."""
    names = sorted(module.name for module in iter_modules(__path__) if module.name.startswith("s"))
    found = []
    for name in names:
        module = import_module(f"{__name__}.{name}")
        found.append(Scenario(name[1:], module.TITLE, (module.__doc__ or "").strip(), module.tell))
    return tuple(found)
