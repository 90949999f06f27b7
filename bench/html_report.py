"""How large the page of a reconstruction is, and how fast its timeline zooms in Chromium, measured on this machine.

    python -m bench.html_report [--runs 5] [--output bench/results/html_report.json]

Needs Chromium and Playwright. A frame is one step of zooming in by the wheel and out again; what is told of it is the
processor's time of the page's main thread, and the wall time from a frame to the next. Of several runs the least is
told: other work on the machine only adds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from eightysix.model.story import Mark, Reconstruction
from eightysix.model.words import Stage
from eightysix.report.html import FORMAT
from eightysix.report.interface import RenderOptions
from tests.report.html.sample import breach, crowd, reconstruction

__all__ = ["main", "measure"]

FRAMES = 120

ZOOM = """async (frames) => {
  const canvas = document.querySelector(".board canvas"), box = canvas.getBoundingClientRect(), between = [];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  let before = await frame();
  for (let at = 0; at < frames; at += 1) {
    const deltaY = at < frames / 2 ? -60 : 60;
    const place = { clientX: box.left + box.width * 0.6, clientY: box.top + 90 };
    const given = { deltaY, ctrlKey: true, bubbles: true, cancelable: true, ...place };
    canvas.dispatchEvent(new WheelEvent("wheel", given));
    const now = await frame();
    between.push(now - before);
    before = now;
  }
  return between;
}"""


def stories() -> dict[str, Reconstruction]:
    """A breach alone, among many other marks, and a chain that is itself that long."""
    stages = tuple(Stage)
    long: tuple[Mark, ...] = tuple(
        structs.replace(one, stage=stages[at % len(stages)]) for at, one in enumerate(crowd(50_000).marks)
    )
    return {
        "breach": reconstruction(breach()),
        "breach among 2,000": reconstruction(crowd(1_900)),
        "breach among 50,000": reconstruction(crowd(50_000)),
        "chain of 50,000": reconstruction(structs.replace(breach(long), records=())),
    }


def size(told: Reconstruction) -> dict[str, int]:
    """Bytes of the page, with its raw records and without."""
    bare = structs.replace(told, stories=tuple(structs.replace(one, records=()) for one in told.stories))
    return {
        "bytes": sum(len(part.encode()) for part in FORMAT.write(told, RenderOptions())),
        "bytes_without_evidence": sum(len(part.encode()) for part in FORMAT.write(bare, RenderOptions())),
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def one_run(browser: Any, file: Path) -> dict[str, float]:
    """The page loaded and its timeline zoomed, once."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"]) * 1000

    page.goto(file.as_uri())
    page.wait_for_selector(".lane-names > div")
    loaded = busy()
    page.get_by_role("button", name="Everything", exact=True).click()
    page.locator(".board").scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    start = busy()
    between = page.evaluate(ZOOM, FRAMES)
    spent = (busy() - start) / FRAMES
    page.close()
    return {
        "load_cpu_ms": loaded,
        "frame_cpu_ms": spent,
        "frame_wall_ms_median": quantile(between, 0.5),
        "frame_wall_ms_p95": quantile(between, 0.95),
    }


def measure(runs: int) -> dict[str, Any]:
    """Sizes and times of every story."""
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for name, told in stories().items():
            file = Path(folder, "report.html")
            file.write_text("".join(FORMAT.write(told, RenderOptions())), "utf-8")
            measured = [one_run(browser, file) for _ in range(runs)]
            times = {key: round(min(one[key] for one in measured), 2) for key in measured[0]}
            found[name] = {"marks": len(told.stories[0].marks), **size(told), **times}
        version = browser.version
        browser.close()
    return {
        "chromium": version,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "runs": runs,
        "frames": FRAMES,
        "stories": found,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    text = json.dumps(measure(options.runs), indent=1) + "\n"
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
