"""The demo: three hops with a change of account, and more of one attack, on an ordinary morning."""

from datetime import UTC, datetime

from samples import shapes
from samples.cast import JDOE
from samples.demo_attack import tell_attack
from samples.demo_noise import tell_morning
from samples.desks import sit_down
from samples.story import Fate, Story

DAY = datetime(2025, 3, 4, tzinfo=UTC)


def play_demo() -> Story:
    """SRV02's Security log was full at 09:40:02 and Windows archived it (the policy is "archive when full");
    what came between that and its clearing at 09:41:37 is lost: ids that no file holds.
    """
    story = Story("demo", "Three hops with a change of account, on an ordinary morning", DAY)
    for name in ("DC01", "OLD01", "SRV02", "SRV03", "WS07"):
        story.host(name)
    ws07, srv02 = story.host("WS07"), story.host("SRV02")
    story.host("OLD01").mute(shapes.SYSMON_LOG)
    desk = sit_down(ws07, story.clock("08:02:31.207"), JDOE)
    story.tell(desk.session.start, ws07, JDOE, "logs on at WS07")
    tell_morning(story, desk)
    tell_attack(story, desk)
    story.cut(srv02, shapes.SECURITY_LOG, story.clock("09:40:02.113"), Fate.ARCHIVED)
    story.cut(srv02, shapes.SECURITY_LOG, story.clock("09:41:37.802"), Fate.CLEARED)
    story.cut(ws07, shapes.SYSTEM_LOG, None, Fate.NOT_COLLECTED)
    story.gap(srv02, shapes.SECURITY_LOG, "cleared", "between its archiving as full and the clearing")
    story.gap(ws07, shapes.SYSTEM_LOG, "not_collected", "the System log of WS07 was not collected")
    return story
