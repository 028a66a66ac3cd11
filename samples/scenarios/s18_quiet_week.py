"""A quiet week of a small domain, Monday to Sunday: nothing here is an attack.

Two people work at WS07 and WS12, the second is an administrator and looks at SRV02 by remoting every day. DC01 grants
tickets and logs everyone with delegation, as domain controllers do. Services, scheduled tasks, local WSMan on
47001, typing errors; on Sunday night all hosts reboot. No detection may rise above informational.
"""

from datetime import datetime, timedelta

from samples.boots import reboot
from samples.cast import ADM_OPS, JDOE
from samples.desks import sit_down
from samples.quiet import Dice, keep_running, live_a_workday
from samples.story import Story

TITLE = "A quiet week"
WORKDAYS, DAYS = 5, 7


def tell(story: Story) -> None:
    """The story's first Monday; hosts were last started on the Sunday before, as they will be at its end."""
    first_monday = story.day + timedelta(days=-story.day.weekday() % DAYS)
    live_a_week(story, first_monday)


def live_a_week(story: Story, monday: datetime) -> None:
    boot = monday - timedelta(hours=20)
    hosts = tuple(story.host(name, boot=boot) for name in ("DC01", "SRV02", "WS07", "WS12"))
    server, ws07, ws12 = hosts[1:]
    dice = Dice(18)
    for number in range(DAYS):
        midnight = monday + timedelta(days=number)
        if number == DAYS - 1:
            for position, host in enumerate(hosts):
                reboot(host, midnight + timedelta(hours=3, minutes=7 * position), seconds=50 + dice.below(60))
            story.tell(midnight + timedelta(hours=3), hosts[0], hosts[0].account, "all hosts reboot after updates")
            continue
        keep_running(story, hosts, midnight, dice)
        if number < WORKDAYS:
            arrivals = (
                timedelta(hours=8, seconds=dice.below(1500)),
                timedelta(hours=8, seconds=1500 + dice.below(900)),
            )
            desks = (
                sit_down(ws07, midnight + arrivals[0], JDOE, is_admin=False),
                sit_down(ws12, midnight + arrivals[1], ADM_OPS),
            )
            live_a_workday(story, desks, server, dice)
            story.tell(midnight + arrivals[0], ws07, JDOE, "a working day")
    for session in story.sessions[:1]:
        witnesses = session.witnesses
        story.near_miss("remoting_child_process", server, "the administrator's daily look", witnesses["host_process"])
