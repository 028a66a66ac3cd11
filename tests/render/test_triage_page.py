"""The page of a triage in a real Chromium, with hostile values in every text."""

import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import pytest
from browser import INVENTORY, OPEN_ALL
from payloads import PAYLOADS
from playwright.sync_api import Browser

from evtxhunt.pipeline.shelf import file_name
from evtxhunt.pipeline.triage_score import EXPLANATION
from evtxhunt.render.triage_html import render_triage
from evtxhunt.resources import shipped_folder
from evtxhunt.triage_model import (
    ChannelCoverage,
    FleetHop,
    FleetSession,
    ScorePart,
    Triage,
    TriageCollection,
    TriageFinding,
    TriageHost,
)

_TIME = datetime(2026, 5, 1, 12)


def hostile_triage() -> Triage:
    """A host, a collection, a session and a hop for each payload, with the payload in every text."""
    hosts = tuple(
        TriageHost(
            computer=text.lower(),
            name=text,
            report=f"hosts/{file_name(text)}.html",
            score=number,
            parts=(ScorePart(number, text),) * 9,
            verdict=("evidence", "quiet", "not logged")[number % 3],
            missing_channels=(text,),
            findings=(TriageFinding("high", text, text, 1),),
            sessions_in=1,
            sessions_out=1,
            hops_in=1,
            hops_out=0,
            serious_remarks=((text, 1),),
            collections=(text,) * 5,
            also_named=(text,) * 5,
            also_named_count=6,
            events=1,
            first_time=_TIME,
            last_time=None,
            coverage=(
                ChannelCoverage("Security", 1, False, 1, None, text),
                ChannelCoverage("System", 0, True, 0, None, text),
            ),
        )
        for number, text in enumerate(PAYLOADS)
    )
    return Triage(
        version="0.1.0",
        collections=tuple(TriageCollection(text, "failed", text, text, 1, 1, 1, 0, (text,) * 7) for text in PAYLOADS),
        hosts=hosts,
        channels=("Security", "System"),
        sessions=tuple(
            FleetSession(number, _TIME, "powershell", text, text, text, "high") for number, text in enumerate(PAYLOADS)
        ),
        hops=tuple(
            FleetHop(number, None, number, None, text, text, text, text, text, f"{text}!", True, text)
            for number, text in enumerate(PAYLOADS)
        ),
        paths=(),
        uncollected=tuple(PAYLOADS),
        failed_detections=tuple((text, text) for text in PAYLOADS),
        levels=(("critical", 0), ("high", 5)),
        homeless_findings=1,
        events=5,
        nameless_events=1,
    )


def test_page_is_the_same_twice_and_has_no_script() -> None:
    triage = hostile_triage()
    page = render_triage(triage, EXPLANATION, shipped_folder("templates"))
    assert page == render_triage(triage, EXPLANATION, shipped_folder("templates"))
    assert "<script" not in page
    assert {field.name for field in fields(Triage)} >= {"hosts", "collections"}


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_hostile_names_execute_nothing(chromium: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    path = tmp_path / "index.html"
    path.write_bytes(render_triage(hostile_triage(), EXPLANATION, shipped_folder("templates")).encode())
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    incidents: list[str] = []
    page.on("console", lambda message: incidents.append(message.text))
    page.on("pageerror", lambda error: incidents.append(str(error)))
    page.on("dialog", lambda dialog: (incidents.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: request.url == path.as_uri() or incidents.append(request.url))
    page.goto(path.as_uri())
    page.evaluate(OPEN_ALL)
    inventory = page.evaluate(INVENTORY)
    assert incidents == []
    assert inventory["pwned"] is False and inventory["scripts"] == 0
    assert not {"img", "iframe", "object", "embed", "base", "link", "foreignobject"} & set(inventory["names"])
    assert not [name for name in inventory["attributes"] if name.startswith("on") or name == "style"]
    reports = {f"hosts/{file_name(text)}.html" for text in PAYLOADS}
    others = {"findings.csv", "hosts.csv", "manifest.json", "triage.json"}
    assert set(inventory["links"]) == reports | others, json.dumps(sorted(set(inventory["links"]) - reports))
    scroll_width, inner_width = inventory["width"]
    assert scroll_width <= inner_width
    context.close()
