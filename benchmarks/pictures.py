"""Takes the pictures in docs/ anew, of the demo that anyone can make: python -m benchmarks.pictures."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from evtxhunt.pipeline.ingest import ingest
from evtxhunt.pipeline.query import load_query_set
from evtxhunt.pipeline.report import ReportOptions, write_report

REPOSITORY = Path(__file__).parent.parent
_VIEWS = {"overview": "", "timeline": "timeline", "session": "session-4"}
_SIZES = {1440: 900, 390: 844}
_JPEG_QUALITY = 40  # a dozen pictures in less than a megabyte


def main() -> None:
    """The README's picture, and each view on a wide and a narrow screen in light and dark."""
    docs = REPOSITORY / "docs"
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        case, report = Path(name) / "demo.duckdb", Path(name) / "report.html"
        ingest([REPOSITORY / "samples" / "demo"], case)
        report.write_text(write_report(case, load_query_set(), ReportOptions()), encoding="utf-8")
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for view, place in _VIEWS.items():
            for width in _SIZES:
                for scheme in ("light", "dark"):
                    _take(browser, report, place, width, scheme, docs / f"{view}-{width}-{scheme}.jpg")
        _take(browser, report, "", 1440, "light", docs / "report.png")
        browser.close()


def _take(browser: Browser, report: Path, place: str, width: int, scheme: str, path: Path) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": _SIZES[width]},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{report.as_uri()}#{place}")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_timeout(300)
    if path.suffix == ".jpg":
        page.screenshot(path=path, type="jpeg", quality=_JPEG_QUALITY)
    else:
        page.set_viewport_size({"width": width, "height": 960})
        page.screenshot(path=path)
    context.close()


if __name__ == "__main__":
    main()
