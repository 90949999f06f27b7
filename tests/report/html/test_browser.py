"""The page in a real Chromium, opened from the disk: what a reader sees, picks, copies and walks through by keys.

The fixture `opened` fails a test whose page said something on the console, asked the network or broke its policy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec import structs

from eightysix.cli.main import main
from eightysix.hunt.binder import Binder
from eightysix.lab import recorded
from eightysix.model.story import Reconstruction
from eightysix.model.table import Environment
from tests.report.html.conftest import Open, until
from tests.report.html.sample import MARKS, breach, crowd, reconstruction, several

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.tier("chromium")

STORY = breach()
RECORDED = Path(recorded.__file__).parent


def text(page: Page, selector: str) -> str:
    return " ".join(page.locator(selector).first.inner_text().split())


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def active(page: Page) -> str:
    """What a screen reader says of the timeline's own place."""
    return page.locator(".board [role=option]").inner_text()


def test_the_first_screen_answers(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    hero = text(page, ".hero")
    for answer in (
        "contain",
        "Install, then a second identity",
        "85.7 s",
        "ml/inference-0",
        "2026-11-23 16:55:38.532 UTC",
    ):
        assert answer in hero
    assert [" ".join(one.split()) for one in page.locator(".stages .when").all_inner_texts()] == [
        *("T+0.0 s", "T+0.7 s", "T+38.0 s", "T+57.6 s", "T+85.7 s", "T+39.6 s"),
    ]
    who = text(page, "[aria-labelledby=answer-who]")
    for answer in (
        "id-inference-prod",
        "cannot be taken back",
        "from outside the cluster",
        "OPENAI_API_KEY",
        "exposed",
    ):
        assert answer in who
    steps = page.locator(".rotate > li > p b").all_inner_texts()
    assert steps == [one.what for one in STORY.rotate]
    for box in ("answer-what", "answer-who", "answer-do"):
        found = page.locator(f"[aria-labelledby={box}]").bounding_box()
        assert found is not None
        assert found["y"] < 900
    page.get_by_role("button", name="Copy: az role assignment delete").click()
    assert clipboard(page) == 'az role assignment delete --ids "$ID"'
    assert page.get_by_role("button", name="Copy: az role assignment delete").inner_text() == "Copied"


def test_gaps_stand_beside_the_lanes_that_they_blind(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    lanes = page.locator(".lane-gaps > div")
    assert ["blind" in (lane.get_attribute("class") or "") for lane in lanes.all()] == [
        False,
        True,
        True,
        True,
    ]
    assert "no DNS answer was read" in lanes.nth(1).inner_text()
    assert "no activity log" in lanes.nth(3).inner_text()
    names = page.locator(".lane-names > div")
    for at in range(4):
        name, gap = names.nth(at).bounding_box(), lanes.nth(at).bounding_box()
        assert name is not None
        assert gap is not None
        assert abs(name["y"] - gap["y"]) < 2


def test_a_click_shows_the_raw_record_and_what_is_known_of_it(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    page.get_by_role("button", name="managed identity signs in").first.click()
    panel = page.locator(".panel")
    said = " ".join(panel.inner_text().split())
    assert "E: the node's identity, which all pods of the node pool share" in said
    assert "55 % ml/inference-0" in said
    assert "and 2 others" in said
    page.keyboard.press("Escape")
    assert panel.count() == 0
    page.get_by_role("button", name="secrets are listed").first.click()
    record = json.loads(panel.locator(".record pre").inner_text())
    assert record == json.loads(
        next(one.text for one in STORY.records if one.evidence == MARKS[10].evidence[0])
    )
    panel.get_by_role("button", name="Copy the record").click()
    assert json.loads(clipboard(page)) == record


def test_copied_queries_bind(opened: Open, binder: Binder) -> None:
    page = opened(reconstruction(STORY)).page
    page.get_by_role("button", name="secrets are listed").first.click()
    buttons = page.locator(".panel").get_by_role("button", name="Copy as KQL")
    copied = []
    for at in range(buttons.count()):
        buttons.nth(at).click()
        copied.append(clipboard(page))
    assert len(set(copied)) == 3
    assert 'AuditId in ("7e0c71a4-7ca9-4a5b-8a52-000000000005")' in copied[2]
    assert 'Namespace == "ml"' not in copied[1]  # what the control plane tells of itself is in no pod
    for query in copied:
        assert binder.bind(query, Environment.LOG_ANALYTICS).problems == ()


def test_copying_works_where_there_is_no_clipboard_for_local_files(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('denied')); }")
    page.get_by_role("button", name="Copy: kubectl -n ml delete pod").click()
    page.get_by_role("button", name="Copy: kubectl -n ml delete pod").get_by_text("Copied").wait_for()
    assert clipboard(page) == "kubectl -n ml delete pod inference-0"


def test_keys_walk_through_the_marks(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    board = page.locator(".board")
    board.focus()
    page.keyboard.press("ArrowRight")
    assert active(page).startswith("T+0.0 s. package installed in the running container.")
    page.keyboard.press("ArrowRight")
    assert "code that landed runs" in active(page)
    assert "the pod could have written it" in active(page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert "Process; run" in active(page)
    page.keyboard.press("ArrowUp")
    assert "Package; land" in active(page)
    page.keyboard.press("End")
    assert active(page).startswith("T+6 min 52 s.")
    page.keyboard.press("Home")
    assert active(page).startswith("T\u221231.2 s.")
    described = board.get_attribute("aria-activedescendant")
    assert page.locator(f"#{described}").get_attribute("aria-posinset") == "1"
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.locator(".panel h2").inner_text() == "a registry is signed in to from outside"
    assert page.evaluate("document.activeElement.id") == "panel-title"
    page.keyboard.press("Escape")
    assert page.locator(".panel").count() == 0
    assert page.evaluate("document.activeElement.className") == "board"


def seconds_shown(page: Page) -> float:
    said = text(page, ".timeline .section-head p")
    return float(said.split(" in view, ")[1].split(" s ")[0])


def test_keys_zoom(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    page.locator(".board").focus()
    opening = seconds_shown(page)
    for key, wanted in (("+", opening / 1.6), ("+", opening / 2.56), ("-", opening / 1.6), ("0", opening)):
        page.keyboard.press(key)
        until(
            page,
            "(wanted) => Math.abs(parseFloat(document.querySelector('.timeline .section-head p').innerText.split(' in view, ')[1]) - wanted) < 0.2",
            arg=round(wanted, 1),
        )


def test_the_wheel_zooms_only_with_a_key_and_the_strip_brushes(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    board = page.locator(".board canvas")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 80)
    opening, top = seconds_shown(page), page.evaluate("scrollY")
    page.mouse.wheel(0, -120)
    until(page, "(top) => scrollY !== top", arg=top)
    assert seconds_shown(page) == opening
    board.scroll_into_view_if_needed()
    board.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    until(page,
        "(before) => parseFloat(document.querySelector('.timeline .section-head p').innerText.split(' in view, ')[1]) < before", arg=opening - 5
    )  # fmt: skip
    strip = page.locator(".overview")
    strip.scroll_into_view_if_needed()
    area = strip.bounding_box()
    assert area is not None
    y = area["y"] + 20
    page.mouse.move(area["x"] + area["width"] - 40, y)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] - 4, y, steps=4)
    page.mouse.up()
    until(page, "document.querySelector('.timeline .section-head p').innerText.startsWith('1 of 16 marks')")


def pixels(page: Page) -> dict[str, int]:
    """How many pixels of the timeline have the colour of the 86 s line."""
    found: dict[str, int] = page.evaluate("""() => {
      const canvas = document.querySelector(".board canvas"), data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const columns = {};
      for (let at = 0; at < data.length; at += 4)
        if (data[at] === 0xbf && data[at + 1] === 0x1d && data[at + 2] === 0x1d) { const x = (at / 4) % canvas.width; columns[x] = (columns[x] ?? 0) + 1; }
      return Object.fromEntries(Object.entries(columns).filter(([, count]) => count > 100));
    }""")
    return found


def test_the_line_of_86_seconds_stands_at_t0_and_86_s(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    page.locator(".stage-toggle", has_text="leave").click()  # it has the colour of the line
    columns: list[int] = []
    for _ in range(200):
        columns = sorted(int(x) for x in pixels(page))
        if len(columns) in (1, 2, 3):
            break
        page.wait_for_timeout(20)
    assert len(columns) in (1, 2, 3)
    domain = text(page, ".timeline .section-head p").split(" from ")[1]
    start, _, end = domain.removesuffix(" UTC").partition(" to ")

    def after(clock: str) -> float:
        hour, minute, second = clock.split(":")
        return int(hour) * 3600 + int(minute) * 60 + float(second) - (16 * 3600 + 55 * 60 + 38.532)

    width = page.evaluate("document.querySelector('.board canvas').width")
    expected = width * (86 - after(start)) / (after(end) - after(start))
    assert abs(columns[len(columns) // 2] - expected) < 3


def test_a_stage_can_be_hidden(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    page.get_by_role("button", name="land", exact=True).click()
    assert page.get_by_role("button", name="land", exact=True).get_attribute("aria-pressed") == "false"
    page.locator(".board").focus()
    page.keyboard.press("ArrowRight")
    assert "code that landed runs" in active(page)


def test_the_graph_is_walked_and_lights_the_timeline(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    nodes = page.locator(".node")
    assert nodes.count() == len(STORY.entities)
    node = page.get_by_role("button", name="identity managed identity id-inference-prod, used")
    node.click()
    said = " ".join(page.locator(".panel").inner_text().split())
    assert "took by process python /app/server.py" in said
    assert "asked resource key vault kv-ml-prod" in said
    assert node.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert (
        page.locator("[data-node]:focus title").text_content()
        == "identity managed identity id-inference-prod, used"
    )
    page.keyboard.press("ArrowRight")
    assert page.locator("[data-node]:focus title").text_content() == "resource key vault kv-ml-prod"
    page.keyboard.press("Enter")
    assert page.locator(".panel h2").inner_text() == "key vault kv-ml-prod"


def test_a_large_graph_is_bounded(opened: Open) -> None:
    many = tuple(
        structs.replace(STORY.entities[-1], id=f"destination:{number}", name=f"host-{number}.example")
        for number in range(900)
    )
    links = tuple(structs.replace(STORY.links[-1], target=one.id) for one in many)
    story = structs.replace(STORY, entities=STORY.entities + many, links=STORY.links + links)
    page = opened(reconstruction(story)).page
    assert page.locator(".node").count() < 40
    rest = page.get_by_role("button", name="more of kind destination")
    page.locator("[data-node]").first.focus()
    page.keyboard.press("ArrowRight")
    rest.focus()  # out of the frame: it moves there
    rest.click()
    assert page.locator(".panel h2").inner_text() == "889 more: destination"
    assert page.locator(".panel .mark-list li").count() == 100


def test_an_identity_tells_its_uses(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    page.locator(".identity").nth(1).click()
    panel = page.locator(".panel")
    panel.locator("summary", has_text="kubernetes: list ml/secrets").click()
    said = " ".join(panel.inner_text().split())
    for word in (
        "can be taken back",
        "User agent python-urllib/3.11",
        "Credential id JTI=4d6a",
        "T+58.4 s",
        "41 more uses",
    ):
        assert word in said


def test_several_stories_are_picked(opened: Open) -> None:
    page = opened(several()).page
    picker = page.get_by_label("Story 1 of 3")
    assert (
        picker.locator("option").all_inner_texts()[1]
        == "asked \u00b7 What pod ml/embedder did \u00b7 ml/inference-0"
    )
    picker.select_option("1")
    assert "no rule raised it" in text(page, ".hero")
    page.get_by_label("Story 2 of 3").select_option("2")
    said = page.locator("main").inner_text()
    for word in (
        "No entity of this story is known",
        "No mark was told",
        "Nothing to rotate is known",
        "no landing was seen",
    ):
        assert word in said


def test_nothing_to_tell_is_told(opened: Open) -> None:
    page = opened(reconstruction()).page
    assert page.get_by_role("heading", level=1).inner_text() == "Nothing to tell"
    assert "not seen is not clean" in page.locator("main").inner_text()
    assert "237 events" in page.locator("main").inner_text()


def test_the_table_holds_every_mark(opened: Open) -> None:
    page = opened(reconstruction(STORY)).page
    rows = page.locator(".marks tbody tr")
    assert rows.count() == sum(1 for one in MARKS if one.stage)
    page.get_by_label("with what surrounds the chain").check()
    assert rows.count() == len(MARKS)
    page.get_by_label("Find").fill("acr-push")
    assert [
        " ".join(one.split()) for one in page.locator(".marks tbody .number:first-child").all_inner_texts()
    ] == ["T+66.9 s"]
    page.get_by_label("Find").fill("nowhere")
    assert "Nothing matches." in page.locator(".marks").inner_text()


def test_many_marks_are_counted_in_bars(opened: Open) -> None:
    page = opened(reconstruction(crowd(50_000))).page
    page.get_by_role("button", name="Everything", exact=True).click()
    until(
        page, "document.querySelector('.timeline .section-head p').innerText.includes('50016 of 50016 marks')"
    )
    assert "counted in bars" in text(page, ".timeline .section-head p")
    box = page.locator(".board canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 200, box["y"] + box["height"] - 12)
    assert page.locator(".panel h2").inner_text().endswith(" marks")
    assert page.locator(".panel .mark-list li").count() <= 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_somebody_picks(opened: Open, scheme: str) -> None:
    page = opened(reconstruction(STORY), dark=scheme == "dark").page

    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    colours = {"light": "rgb(244, 245, 247)", "dark": "rgb(13, 17, 23)"}
    assert background() == colours[scheme]
    for wanted in ("light", "dark"):
        page.get_by_role("button", name="Colours:").click()
        assert background() == colours[wanted]
    page.reload()
    page.wait_for_selector("main")
    assert background() == colours["dark"]


def test_paper_shows_the_story_without_controls(opened: Open) -> None:
    page = opened(reconstruction(STORY), dark=True).page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".bar").is_visible()
    assert page.locator(".hero").is_visible()
    assert len(page.pdf()) > 20_000


@pytest.mark.parametrize("run", ["attack-86s", "through-curl", "node-agent"])
def test_a_recorded_run_is_told(opened: Open, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["reconstruct", str(RECORDED / run), "--format", "json", "--exit-zero"])
    told = msgspec.json.decode(capsys.readouterr().out, type=Reconstruction)
    page = opened(told).page
    if not told.stories:
        assert page.get_by_role("heading", level=1).inner_text() == "Nothing to tell"
        return
    (story,) = told.stories
    assert page.locator(".stages li:not(.unseen)").count() == len(
        {one.stage for one in story.marks if one.stage and one.offset_s > -2}
    )
    assert page.locator(".identity").count() == len(story.identities) + len(story.exposed)
    assert page.locator(".node").count() == len(story.entities)
    page.locator(".stages li:not(.unseen) button").nth(2).click()
    raw = page.locator(".panel .record pre").first.inner_text()
    assert json.loads(raw) in [json.loads(one.text) for one in story.records]


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_no_width_scrolls_sideways(opened: Open, width: int) -> None:
    page = opened(reconstruction(STORY), width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="managed identity signs in").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
