"""A real Chromium that opens reports and notes all that they do beyond showing themselves."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page

from evtxhunt.model import Report
from evtxhunt.render.html import render_html
from evtxhunt.resources import shipped_folder

ARGUMENTS = [
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_WATCH = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
# Elements and attributes of the whole page, the script's own included.
INVENTORY = """() => ({
  names: [...new Set([...document.querySelectorAll("*")].map((node) => node.localName))],
  attributes: [...new Set([...document.querySelectorAll("*")].flatMap((node) => node.getAttributeNames()))],
  scripts: [...document.scripts].filter((script) => script.type !== "text/plain").length,
  links: [...document.querySelectorAll("[href], [src], [action], [data]")]
    .map((node) => node.getAttribute("href") ?? node.getAttribute("src") ?? "other")
    .filter((link) => !/^#[a-z0-9-]+$/.test(link)),
  pwned: "__pwned" in window,
  width: [document.documentElement.scrollWidth, window.innerWidth],
})"""
OPEN_ALL = """() => {
  for (const details of document.querySelectorAll("details")) { details.open = true; }
}"""
OPEN_RAW = """() => {
  for (const button of document.querySelectorAll('.raw-button[aria-expanded="false"]')) { button.click(); }
}"""


@dataclass
class Shown:
    """An open report and all that it did beyond showing itself."""

    page: Page
    url: str
    incidents: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Nothing ran, was asked for, was blocked or went wrong."""
        violations = self.page.evaluate("window.__violations")
        assert self.incidents == []
        assert violations == []
        assert self.page.evaluate("'__pwned' in window || '__pwned' in {}") is False


class Opener:
    """Opens reports in Chromium, each in a context of its own."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self.opened: list[Shown] = []

    def __call__(
        self,
        report: Report,
        *,
        width: int = 1440,
        has_script: bool = True,
        place: str = "",
        scheme: Literal["light", "dark"] = "light",
    ) -> Shown:
        """`place` is what stands after the # in the address."""
        path = self._folder / f"report{len(self.opened)}.html"
        path.write_bytes(render_html(report, shipped_folder("templates")).encode("utf-8"))
        context = self._browser.new_context(
            viewport={"width": width, "height": 900},
            java_script_enabled=has_script,
            reduced_motion="reduce",
            color_scheme=scheme,
            accept_downloads=True,
        )
        page = context.new_page()
        shown = Shown(page, path.as_uri())

        def watch(kind: str, text: str) -> None:
            shown.incidents.append(f"{kind}: {text[:300]}")

        page.add_init_script(_WATCH)
        page.on("console", lambda message: watch(f"console {message.type}", message.text))
        page.on("pageerror", lambda error: watch("error", str(error)))
        page.on("dialog", lambda dialog: (watch("dialog", dialog.message), dialog.dismiss()))
        page.on("popup", lambda popup: watch("popup", popup.url))
        page.on("request", lambda request: request.url.split("#")[0] == shown.url or watch("request", request.url))
        page.goto(f"{shown.url}#{place}" if place else shown.url)
        if has_script:
            page.wait_for_selector("html[data-ready]", state="attached")
        self.opened.append(shown)
        return shown
