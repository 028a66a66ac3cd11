"""The report of a large case: size, seconds and memory to write it, and how a browser takes it.

python -m benchmarks.report [--events N] [--hosts N] [--keep FILE]

The case is synthetic quiet weeks (samples/bulk.py) with the demo's intrusion among them.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.resident import peak_resident
from samples.bulk import write_weeks

REPOSITORY = Path(__file__).parent.parent
_RUNS = 5
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-precise-memory-info"]
# Scrolls the lines to their end in steps of a turned wheel, and notes how long each frame took. The first frames after
# loading are not scrolling.
_SCROLL = """async () => {
  const view = document.getElementById("rows-view");
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  for (let count = 0; count < 10; count += 1) { await frame(); }
  const times = [];
  let before = performance.now();
  const steps = 400;
  for (let step = 1; step <= steps; step += 1) {
    // A wheel's turn, and every tenth time a drag of the scroll bar.
    view.scrollTop += step % 10 === 0 ? view.scrollHeight / (steps / 10) : 240;
    await frame();
    const now = performance.now();
    times.push(now - before);
    before = now;
  }
  times.sort((one, other) => one - other);
  const end = view.scrollTop / view.scrollHeight;
  return { longest: times[times.length - 1], median: times[times.length >> 1], end };
}"""
_FILTER = """async () => {
  const start = performance.now();
  const box = document.querySelector("#rows-filters [name=q]");
  box.value = "powershell";
  box.dispatchEvent(new Event("input", { bubbles: true }));
  const status = document.getElementById("rows-status");
  while (!status.textContent.includes(" of ")) { await new Promise((resolve) => requestAnimationFrame(resolve)); }
  return performance.now() - start;
}"""
_ZOOM = """async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  let longest = 0;
  for (let step = 0; step < 30; step += 1) {
    document.getElementById(step < 15 ? "zoom-in" : "zoom-out").click();
    const start = performance.now();
    await frame();
    await frame();
    longest = Math.max(longest, performance.now() - start);
  }
  return longest;
}"""


def write_report_of(case: Path, output: Path) -> dict[str, Any]:
    """Gathers and renders in this process: seconds, resident bytes, lines."""
    from evtxhunt.pipeline.query import load_query_set
    from evtxhunt.pipeline.report import ReportOptions, gather_report
    from evtxhunt.render.html import render_html
    from evtxhunt.resources import shipped_folder

    started = time.perf_counter()
    report = gather_report(case, load_query_set(), ReportOptions())
    gathered = time.perf_counter() - started
    output.write_text(render_html(report, shipped_folder("templates")), encoding="utf-8")
    return {
        "gather": gathered,
        "render": time.perf_counter() - started - gathered,
        "resident": peak_resident(),
        "events": report.event_count,
        "lines": len(report.lines),
        "findings": len(report.findings),
        "records": len(report.records),
        "all_lines": sum(count for _, count in report.line_kinds) + report.finding_count,
    }


def prepare(folder: Path, case: Path) -> None:
    """Ingests the logs below the folder and runs the detections."""
    from evtxhunt.pipeline.ingest import ingest
    from evtxhunt.pipeline.query import detect, load_query_set

    ingest([folder, REPOSITORY / "samples" / "demo"], case)
    detect(case, load_query_set())


def in_own_process(job: str, *arguments: Path) -> dict[str, Any]:
    """Runs one job in a fresh process, so that its memory is its own."""
    command = [sys.executable, "-m", "benchmarks.report", "--job", job, *map(str, arguments)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def open_in_browser(path: Path) -> dict[str, Any]:
    """Medians: milliseconds until the page can be used, frames while scrolling, heap in bytes."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        measured = []
        for _ in range(_RUNS):
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]", state="attached", timeout=120_000)
            measured.append(_measure(page))
            page.close()
        browser.close()
    seen = {name: statistics.median(run[name] for run in measured) for name in measured[0]}
    # A frame also waits for whatever else the machine does: the least loaded run tells what the page itself needs.
    longest = sorted(run["longest"] for run in measured)
    return {**seen, "best": longest[0], "worst": longest[-1]}


def _measure(page: Page) -> dict[str, float]:
    ready = float(page.evaluate("performance.now()"))
    scrolled = page.evaluate(_SCROLL)
    return {
        "ready": ready,
        "longest": scrolled["longest"],
        "median": scrolled["median"],
        "end": scrolled["end"],
        "zoom": page.evaluate(_ZOOM),
        "filter": page.evaluate(_FILTER),
        "heap": page.evaluate("performance.memory.usedJSHeapSize"),
    }


def main() -> None:
    """Prints what was measured beside its target."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--hosts", type=int, default=40)
    options.add_argument("--keep", type=Path, help="also write the report there")
    options.add_argument("--job", choices=["prepare", "report"], help=argparse.SUPPRESS)
    options.add_argument("paths", nargs="*", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.job == "prepare":
        prepare(*given.paths)
        print("{}")
        return
    if given.job == "report":
        print(json.dumps(write_report_of(*given.paths)))
        return
    with tempfile.TemporaryDirectory() as name:
        logs, case, output = Path(name) / "logs", Path(name) / "case.duckdb", Path(name) / "report.html"
        logs.mkdir()
        write_weeks(logs, given.hosts, events=given.events)
        in_own_process("prepare", logs, case)
        written = in_own_process("report", case, output)
        print(
            f"{written['events']:,} events; the report shows {written['lines']:,} of {written['all_lines']:,} lines,"
            f" {written['findings']:,} findings, {written['records']:,} records\n"
            f"file {output.stat().st_size / 1e6:.1f} MB (target <= 15); gathered in {written['gather']:.1f} s,"
            f" rendered in {written['render']:.1f} s, {written['resident'] / 1e6:,.0f} MB resident"
        )
        seen = open_in_browser(output)
        print(
            f"Chromium, median of {_RUNS} runs: interactive in {seen['ready'] / 1000:.2f} s (target <= 2);"
            f" longest frame while scrolling {seen['longest']:.0f} ms, {seen['best']:.0f} to {seen['worst']:.0f}"
            f" (target <= 100), median frame {seen['median']:.0f} ms; a zoom at most {seen['zoom']:.0f} ms,"
            f" a filter {seen['filter']:.0f} ms, heap {seen['heap'] / 1e6:.0f} MB"
        )
        if given.keep:
            shutil.copy(output, given.keep)


if __name__ == "__main__":
    main()
