"""Text that was written to run, to reorder or to break the page, in every field of a story, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct, structs

from eightysix.hunt.binder import Binder
from eightysix.model.story import Reconstruction
from eightysix.model.table import Environment
from eightysix.report.inert import inert, is_harmless
from tests.report.hostile import poison
from tests.report.html.conftest import Open
from tests.report.html.sample import MARKS, breach, reconstruction, several
from tests.test_hostile_strings import TEXTS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.tier("chromium")

RUN = "globalThis.__pwned=1;alert(1)"
SCRIPTS = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"\"><svg onload='{RUN}'>",
    f"' autofocus onfocus='{RUN}",
    f"javascript:{RUN}",
    f"<a href=\"javascript:{RUN}\">click</a>",
    "<iframe srcdoc=\"<script>parent.__pwned=1</script>\">",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<base href=http://evil.example/>",
    "<meta http-equiv=refresh content='0;url=http://evil.example'>",
    "<style>*{display:none!important}</style>",
    "x;background:url(http://evil.example/x)",
    "<!--",
    "--><plaintext>",
    "]]><textarea>",
    "${" + RUN + "}",
    "{{constructor.constructor('" + RUN + "')()}}",
    "__proto__",
    "constructor",
    "https://evil.example/login",
    "&lt;script&gt;&amp;&#60;",
    "\\u003cscript\\u003e",
)  # fmt: skip
CORPUS = (*SCRIPTS, *TEXTS.values())

JOINS = frozenset(
    (
        "id",
        "entity",
        "actor",
        "subject",
        "source",
        "target",
        "for_entity",
        "file",
        "at",
        "until",
        "first",
        "last",
        "t0",
        "taken_at",
    )
)
"""Fields by which the parts of a story point to each other or stand in time: with other text in them, nothing is joined."""


def planted(value: Any, text: Callable[[], str]) -> Any:
    """`value` with other text in every field but those of `JOINS`."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return text()
    if isinstance(value, tuple):
        return tuple(planted(one, text) for one in value)
    if isinstance(value, dict):
        return {text(): planted(one, text) for one in value.values()}
    if isinstance(value, Struct):
        fields = {
            name: getattr(value, name) if name in JOINS else planted(getattr(value, name), text)
            for name in value.__struct_fields__
        }
        return structs.replace(value, **fields)
    return value


def from_corpus() -> Callable[[], str]:
    """A text of the corpus after the other."""
    texts: Iterator[str] = cycle(CORPUS)
    return lambda: next(texts)


def shown(page: Page) -> str:
    return str(page.evaluate("document.getElementById('app').textContent"))


def walk_everything(page: Page) -> list[str]:
    """Open all that can be opened; what was to be read on the way."""
    seen = [shown(page)]
    for _ in range(3):
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.evaluate("document.querySelectorAll('main .more').forEach((one) => one.click())")
    seen.append(shown(page))
    for selector in (".stages button:not([disabled])", ".identity", ".node", ".marks .link", ".links .link"):
        for at in range(min(page.locator(selector).count(), 20)):
            page.evaluate("([selector, at]) => document.querySelectorAll(selector)[at].dispatchEvent(new MouseEvent('click', {bubbles: true}))", [selector, at])  # fmt: skip
            page.evaluate(
                "document.querySelectorAll('.panel details').forEach((one) => { one.open = true; })"
            )
            seen.append(str(page.evaluate("document.querySelector('.panel')?.textContent ?? ''")))
    page.keyboard.press("Escape")
    page.locator(".board").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        seen.append(page.locator(".board").inner_text())
    return seen


def assert_all_harmless(texts: list[str]) -> None:
    bad = {
        character for text in texts for character in text if character != "\n" and not is_harmless(character)
    }
    assert bad == set()


def test_every_field_is_data(opened: Open) -> None:
    told: Reconstruction = planted(reconstruction(breach()), from_corpus())
    page = opened(told).page
    seen = walk_everything(page)
    assert_all_harmless(seen)
    (story,) = told.stories
    joined = "\n".join(seen)
    expected = [story.title, *story.summary, story.workload, story.service_account]
    expected += (
        [one.what for one in story.rotate]
        + [one.text for one in story.gaps]
        + [one.close for one in story.gaps]
    )
    expected += [one.name for one in story.identities] + [one.revocation.how for one in story.identities]
    expected += [one.text for one in story.why] + [one.artifact for one in story.elsewhere]
    for text in expected:
        if len(inert(text, 10**6)) < 70:
            assert inert(text, 10**6) in joined
    tags = page.evaluate(
        "[...new Set([...document.querySelectorAll('#app *')].map((one) => one.localName))].sort()"
    )
    for tag in (
        "script",
        "iframe",
        "img",
        "link",
        "base",
        "meta",
        "style",
        "textarea",
        "object",
        "embed",
        "plaintext",
    ):
        assert tag not in tags
    attributes = page.evaluate(
        "[...new Set([...document.querySelectorAll('#app *')].flatMap((one) => one.getAttributeNames()))]"
    )
    assert [
        name for name in attributes if name.startswith("on") or name in ("src", "srcdoc", "xlink:href")
    ] == []
    assert set(
        page.evaluate("[...document.querySelectorAll('[href]')].map((one) => one.getAttribute('href'))")
    ) <= {"#gaps"}


def test_fields_that_join_are_data_too(opened: Open) -> None:
    for told in (poison(several(), from_corpus()), poison(reconstruction(breach()), lambda: SCRIPTS[1])):
        page = opened(told).page
        assert_all_harmless(walk_everything(page))


@pytest.mark.parametrize(
    "name",
    [
        "newlines",
        "combining",
        "one long word",
        "braille blanks",
        "emoji",
    ],
)
def test_no_text_breaks_the_layout(opened: Open, name: str) -> None:
    told: Reconstruction = planted(reconstruction(breach()), lambda: TEXTS[name])
    page = opened(told, width=390, height=844).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert_all_harmless([shown(page)])


def test_very_long_names_are_bounded(opened: Open) -> None:
    told: Reconstruction = planted(reconstruction(breach()), lambda: "\u202ea" * 4_000)
    page = opened(told).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    assert page.evaluate("document.documentElement.scrollHeight") < 60_000
    assert len(shown(page)) < 300_000


def test_a_command_that_a_terminal_would_read_otherwise_is_not_offered(opened: Open) -> None:
    story = breach()
    bad = structs.replace(
        story.rotate[0],
        commands=("kubectl delete pod a\nrm -rf /", "kubectl get pods\x1b[2K", "kubectl get pods"),
    )
    page = opened(reconstruction(structs.replace(story, rotate=(bad,)))).page
    assert page.locator(".rotate .command").count() == 3
    assert page.locator(".rotate .command button").count() == 1
    assert "a\\nrm -rf /" in page.locator(".rotate .command").first.inner_text()


@pytest.mark.parametrize("text", ['" | take 1 //', "\n| union AzureActivity\\"])
def test_copied_queries_hold_hostile_text_as_a_literal(opened: Open, binder: Binder, text: str) -> None:
    story = planted(breach(), lambda: text)
    page = opened(reconstruction(story)).page
    page.locator(".stages button:not([disabled])").nth(2).click()
    copied = []
    for at in range(page.locator(".panel").get_by_role("button", name="Copy as KQL").count()):
        page.locator(".panel").get_by_role("button", name="Copy as KQL").nth(at).click()
        copied.append(str(page.evaluate("navigator.clipboard.readText()")))
    assert any("PodName == " in one for one in copied)
    for query in copied:
        assert binder.bind(query, Environment.LOG_ANALYTICS).problems == (), query


def test_marks_at_odd_times_are_drawn(opened: Open) -> None:
    odd = tuple(
        structs.replace(MARKS[5], id=f"odd{at}", at=text, until=text, offset_s=offset)
        for at, (text, offset) in enumerate(
            [("", 0.0), ("never", 1e300), ("0000-00-00T00:00:00Z", -1e12), ("2026-11-23T16:56:00Z", 21.0)]
        )
    )
    for given in (odd, odd[:1]):
        page = opened(reconstruction(structs.replace(breach(), marks=given)), width=900).page
        page.locator(".board").focus()
        for key in ("End", "Home", "+", "+", "-", "0"):
            page.keyboard.press(key)
        assert page.locator(".board [role=option]").inner_text() != ""
