"""Who does not see the page can use it: what a screen reader is told, contrast, focus, motion; by axe and by computation."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.report.html.conftest import Open
from tests.report.html.sample import breach, reconstruction, several

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.tier("chromium")

TEXT = 4.5
GRAPHIC = 3.0
"""Least contrast of text, and of what is no text (WCAG 2.2, 1.4.3 and 1.4.11)."""

STAGES = ("land", "run", "reach", "pivot", "leave", "use", "around")


def violations(page: Page, libraries: Path) -> list[str]:
    page.evaluate((libraries / "node_modules" / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['nodes'][0]['target']} {one['nodes'][0]['failureSummary']}"
        for one in found["violations"]
    ]


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1440, False), (1440, True)])
def test_axe_finds_nothing(opened: Open, libraries: Path, width: int, dark: bool) -> None:
    page = opened(several(), width=width, dark=dark, reduced_motion="reduce").page
    assert violations(page, libraries) == []
    page.get_by_role("button", name="managed identity signs in").first.click()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert violations(page, libraries) == []


def luminance(colour: str) -> float:
    parts = [int(colour.lstrip("#")[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_drawn_on_the_canvas_has_contrast(opened: Open, dark: bool) -> None:
    """Axe does not look into a canvas."""
    page = opened(reconstruction(breach()), dark=dark).page

    def colour(name: str) -> str:
        found = str(
            page.evaluate(
                "(name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()",
                name,
            )
        )
        return "#" + "".join(2 * one for one in found[1:]) if len(found) == 4 else found

    for ground in ("panel", "lane"):
        for text in ("ink", "soft"):
            assert contrast(colour(text), colour(ground)) >= TEXT
        for stage in STAGES:
            assert contrast(colour(f"stage-{stage}"), colour(ground)) >= GRAPHIC
        for graphic in ("limit", "accent", "edge"):
            assert contrast(colour(graphic), colour(ground)) >= GRAPHIC
    for stage in STAGES[:-1]:
        assert contrast(colour("on-stage"), colour(f"stage-{stage}")) >= TEXT  # the letter of a full mark
        assert contrast(colour(f"stage-{stage}"), colour("panel")) >= TEXT  # the letter of a hollow one


def test_what_a_screen_reader_is_told(opened: Open) -> None:
    page = opened(reconstruction(breach())).page
    page.locator(".board").focus()
    page.keyboard.press("ArrowRight")
    told = page.locator(".timeline").aria_snapshot()
    for line in (
        '- heading "Timeline" [level=2]',
        'group "Stages: press to hide or show"',
        '- button "land" [pressed]',
        '- listbox "Timeline of 16 marks. Left and right walk through them',
        'option "T+0.0 s. package installed in the running container. python -m pip install',
        '- group "What nobody could see, lane by lane":',
    ):
        assert line in told
    headings = page.get_by_role("heading").all()
    levels = [int(page.evaluate("(one) => one.tagName[1]", one.element_handle())) for one in headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    table = page.get_by_role("region", name="Every mark", exact=True).aria_snapshot()
    assert '- columnheader "T+"' in table
    assert '- cell "T+38.0 s"' in table
    graph = page.get_by_role("group", name="Graph of entities").aria_snapshot()
    assert '- button "package torch-perf-utils==1.4.3, landed"' in graph


def test_every_control_is_reached_by_tab_and_shows_focus(opened: Open) -> None:
    page = opened(reconstruction(breach())).page
    wanted = page.evaluate("""[...document.querySelectorAll('button, summary, a[href], input, select, [tabindex="0"]')].filter((one) => !one.disabled && one.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true}) && one.tabIndex >= 0).length""")  # fmt: skip
    reached = 0
    unseen = []
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        state = page.evaluate("""() => { const one = document.activeElement; if (!one || one === document.body) return null;
          const box = one.querySelector(":scope > rect") ?? one, style = getComputedStyle(box);
          return [one.className?.baseVal ?? one.className, parseFloat(style.outlineWidth) * (style.outlineStyle !== "none"), box !== one ? parseFloat(style.strokeWidth) : 0]; }""")  # fmt: skip
        if state is None or page.evaluate("document.activeElement.dataset.reached"):
            break  # the end, or the first again
        page.evaluate("() => { document.activeElement.dataset.reached = 'yes'; }")
        reached += 1
        if not (state[1] >= 2 or state[2] >= 3):
            unseen.append(state)
    assert unseen == []
    assert reached == wanted


def test_nothing_moves_for_those_who_ask(opened: Open) -> None:
    page = opened(reconstruction(breach()), reduced_motion="reduce").page
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert page.evaluate("document.getAnimations().length") == 0
