"""Templates of a user's own: file by file instead of ours, typing errors named, and the policy as tight as before."""

import base64
import hashlib
import re
from pathlib import Path

import browser
import pytest
from browser import Opener
from hostile import hostile_report
from playwright.sync_api import expect
from reports import empty_report, realistic_report

from evtxhunt.errors import EvtxhuntError
from evtxhunt.model import Report
from evtxhunt.render.html import render_html
from evtxhunt.render.overrides import template_folders
from evtxhunt.resources import shipped_folder

_TEMPLATES = shipped_folder("templates")


def render_own(report: Report, folder: Path | None) -> str:
    return render_html(report, template_folders(folder, _TEMPLATES))


def test_one_file_stands_in_for_ours_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("h1 { color: rgb(1, 2, 3) }", encoding="utf-8")
    ours, theirs = (render_own(realistic_report(), folder) for folder in (None, tmp_path))
    (style,) = re.findall("<style>(.*?)</style>", theirs, re.DOTALL)
    assert style.lstrip().startswith("h1 { color: rgb(1, 2, 3) }\n")
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in theirs
    assert theirs.split("</head>")[1] == ours.split("</head>")[1]


def test_a_part_in_its_folder_stands_in_too(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "header.html.j2").write_text("<h1>ACME: {{ report.title }}</h1>", encoding="utf-8")
    html = render_own(hostile_report(("<b>x</b>",)), tmp_path)
    assert "<h1>ACME: &lt;b&gt;x&lt;/b&gt;</h1>" in html


def test_names_that_are_none_of_ours_are_told(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name in ("style.css", "stlye.css", "parts/style.css", ".DS_Store"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    with pytest.raises(
        EvtxhuntError, match=r"is called parts/style\.css, stlye\.css; there are .*report\.html\.j2"
    ) as told:
        render_own(empty_report(), tmp_path)
    assert ".DS_Store" not in str(told.value) and "\n" not in str(told.value)


def test_a_folder_that_is_not_there_or_empty_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvtxhuntError, match="no such folder of templates"):
        render_own(empty_report(), tmp_path / "none")
    with pytest.raises(EvtxhuntError, match="holds no template"):
        render_own(empty_report(), tmp_path)


def test_own_style_that_would_end_its_element_is_refused(tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("/* </style> */", encoding="utf-8")
    with pytest.raises(EvtxhuntError, match=r"style\.css.* must have no </"):
        render_own(empty_report(), tmp_path)


@pytest.mark.browser
def test_own_style_applies_in_the_browser_under_the_policy(
    open_report: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    (folder / "style.css").write_text(f"{style}\nh1 {{ color: rgb(1, 2, 3) }}\r\n", encoding="utf-8")
    monkeypatch.setattr(browser, "render_html", lambda report, _: render_own(report, folder))
    shown = open_report(hostile_report())
    expect(shown.page.locator("h1")).to_have_css("color", "rgb(1, 2, 3)")
    shown.check()  # the policy blocked nothing of ours, and nothing of the log's ran


@pytest.mark.browser
def test_the_policy_blocks_what_an_own_template_would_load(
    open_report: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "header.html.j2").write_text(
        '<h1 onclick="window.__pwned=1">x</h1><img src="https://evil.example/x" alt="">', encoding="utf-8"
    )
    monkeypatch.setattr(browser, "render_html", lambda report, _: render_own(report, folder))
    shown = open_report(realistic_report())
    shown.page.locator("h1").click()
    assert shown.page.evaluate("'__pwned' in window") is False
    assert {line.split()[0] for line in shown.page.evaluate("window.__violations")} == {"img-src", "script-src-attr"}
