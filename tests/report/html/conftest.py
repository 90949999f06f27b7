"""A real Chromium over pages on the disk, and the page's own functions run by Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from eightysix.hunt.binder import Binder
from eightysix.hunt.binder import parser as kusto_parser
from eightysix.model.posture import Posture
from eightysix.model.story import Reconstruction
from eightysix.report.html import FORMAT
from eightysix.report.interface import RenderOptions
from eightysix.report.posture.html import FORMAT as POSTURE
from tests.tiers import require_tier
from tools import report_libraries

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

Open = Callable[..., "Opened"]

WATCH = """
globalThis.__broken = [];
document.addEventListener("securitypolicyviolation", (event) => __broken.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


def until(page: Page, expression: str, arg: object = None) -> None:
    """Wait until `expression` is true in the page.

    Not by `wait_for_function`: that evaluates text inside of the page, which its policy forbids.
    """
    deadline = time.monotonic() + 30
    while not page.evaluate(expression, arg):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


class Opened:
    """A page that is open, and all that it did: what it said on the console, asked of the network, or popped up."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        self.dialogs: list[str] = []

    def assert_quiet(self) -> None:
        """Nothing on the console, nothing asked, nothing popped up, no breach of the policy, no foreign script."""
        broken = self.page.evaluate("globalThis.__broken")
        pwned = self.page.evaluate("globalThis.__pwned ?? null")
        told = (self.said, self.asked, self.dialogs, broken, pwned)
        assert told == ([], [], [], [], None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. For a module, not for the session: Playwright keeps an event loop while it runs."""
    if find_spec("playwright") is None:
        require_tier("chromium", "playwright is not installed: make dev")
    chromium = shutil.which("chromium")
    if chromium is None:
        require_tier("chromium", "Chromium is not installed: make browser-setup")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium)
        yield running
        running.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a report from the disk: `opened(reconstruction, width=..., dark=...)`; at the end each must be quiet."""
    contexts: list[BrowserContext] = []
    pages: list[Opened] = []

    def start(
        told: Reconstruction | Posture,
        *,
        width: int = 1440,
        height: int = 900,
        dark: bool = False,
        **more: Any,
    ) -> Opened:
        file = tmp_path / f"report-{len(pages)}.html"
        pieces = (
            POSTURE.write(told, RenderOptions())
            if isinstance(told, Posture)
            else FORMAT.write(told, RenderOptions())
        )
        file.write_text("".join(pieces), "utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            permissions=["clipboard-read", "clipboard-write"],
            **more,
        )
        contexts.append(context)
        context.add_init_script(WATCH)
        result = Opened(context.new_page())
        page = result.page

        def answer(dialog: Any) -> None:
            result.dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("console", lambda message: result.said.append(message.text))
        page.on("pageerror", lambda error: result.said.append(str(error)))
        page.on("dialog", answer)
        page.on(
            "request",
            lambda request: None if request.url == file.as_uri() else result.asked.append(request.url),
        )
        page.on("popup", lambda popup: result.asked.append(popup.url))
        page.goto(file.as_uri())
        page.wait_for_selector("main")
        until(
            page, "!document.querySelector('.board canvas') || !!document.querySelector('.lane-names > div')"
        )
        pages.append(result)
        return result

    yield start
    for one in pages:
        one.assert_quiet()
    for context in contexts:
        context.close()


CALLS = """
import { createInterface } from "node:readline";
import * as shell from "./src/shell/inert";
import * as kusto from "./src/kusto/literal";
import * as query from "./src/kusto/query";
import * as time from "./src/incident/time";
import * as layout from "./src/shell/json";
import * as words from "./src/posture/words";
import * as graph from "./src/shell/graph/layout";
const known = { ...shell, ...kusto, ...query, ...time, ...layout, ...words, ...graph };
createInterface({ input: process.stdin, terminal: false }).on("line", (line) => {
  const [name, given] = JSON.parse(line);
  const find = (evidence) => given.records?.find((one) => one.evidence.file === evidence.file && one.evidence.line === evidence.line);
  const result = name === "forMark" ? query.forMark(given.story, given.mark, find) : known[name](...given);
  process.stdout.write(JSON.stringify(result ?? null) + "\\n");
});
"""
"""Answers a call of one of the page's functions a line."""


@pytest.fixture(scope="session")
def libraries() -> Path:
    """The folder of the report's source, with what it is built from."""
    missing = report_libraries.lacking()
    if missing:
        require_tier("node", f"{missing}: make web-libraries")
    return report_libraries.FOLDER


Call = Callable[..., Any]


@pytest.fixture(scope="session")
def call(libraries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """Calls a function of the page by name: `call("inert", text)`."""
    bundle = tmp_path_factory.mktemp("calls") / "calls.cjs"
    command = [
        "node_modules/.bin/esbuild",
        "--bundle",
        "--platform=node",
        "--charset=ascii",
        "--log-level=warning",
    ]
    subprocess.run(
        [*command, "--loader=ts", "--sourcefile=calls.ts", f"--outfile={bundle}"],
        input=CALLS, cwd=libraries, text=True, check=True, timeout=60,
    )  # fmt: skip
    with subprocess.Popen(
        ["node", str(bundle)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        read, write = process.stdout, process.stdin
        assert read is not None
        assert write is not None

        def ask(name: str, *given: Any, keyed: dict[str, Any] | None = None) -> Any:
            write.write(json.dumps([name, keyed if keyed is not None else given]) + "\n")
            write.flush()
            return json.loads(read.readline())

        yield ask
        write.close()


@pytest.fixture(scope="session")
def binder() -> Iterator[Binder]:
    """Microsoft's parser of KQL."""
    missing = kusto_parser.lacking()
    if missing:
        require_tier("node", f"{missing}: make parser")
    with Binder() as running:
        yield running
