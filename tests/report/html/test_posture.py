"""The page of a posture in a real Chromium, opened from the disk: what a reader sees, filters, picks, copies, walks through.

The fixture `opened` fails a test whose page said something on the console, asked the network or broke its policy.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from itertools import cycle, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from eightysix.model.posture import Posture
from eightysix.report.html.page import load
from eightysix.report.inert import inert, is_harmless
from tests.report.hostile import poison
from tests.report.html.conftest import Call, Open, until
from tests.report.html.test_browser_access import contrast, violations
from tests.report.html.test_browser_hostile import CORPUS
from tests.report.html.test_page import LIMIT, Parts
from tests.report.posture.sample import example, rendered

if TYPE_CHECKING:
    from playwright.sync_api import Page

TOLD = example()
browser_test = pytest.mark.tier("chromium")


def page_of(told: Posture) -> str:
    return rendered(told, name="html")


def text(page: Page, selector: str) -> str:
    return " ".join(page.locator(selector).first.inner_text().split())


def rows(page: Page) -> list[str]:
    return [" ".join(one.split()) for one in page.locator("table.pods tbody .workload").all_inner_texts()]


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def many(templates: int) -> Posture:
    """The example with so many more workloads, each of a name of its own, which reach nothing."""
    quiet = TOLD.pods[-1]
    more = (
        structs.replace(
            quiet,
            id=f"pod:team-{at % 300}/Deployment/app-{at:05}",
            name=f"app-{at:05}",
            namespace=f"team-{at % 300}",
        )
        for at in range(templates)
    )
    return structs.replace(TOLD, pods=(*TOLD.pods, *more))


# the file


def test_a_page_is_one_file_with_what_it_says() -> None:
    found = Parts(page_of(TOLD))
    assert found.blocks[0] == "eightysix: posture of aks, 12 pods"
    data = json.loads(found.blocks[2])
    assert data["schema"] == "eightysix/posture-page/v1"
    assert data["counts"]["edges"] == len(TOLD.edges)
    assert len(data["texts"]) == len(set(data["texts"]))
    assert [tag for tag, _ in found.tags].count("script") == 3
    for block in (load("posture").script, load("posture").style):
        assert "http" not in block.replace("http://www.w3.org/", "")
        for outside in (
            "@import",
            "url(http",
            "url(//",
            "sourceMappingURL",
            "fetch(",
            "XMLHttpRequest",
            "importScripts",
        ):
            assert outside not in block


def test_every_row_says_what_the_posture_says() -> None:
    data = json.loads(Parts(page_of(TOLD)).blocks[2])
    texts = data["texts"]
    pods = [(texts[row[0]], row[4], row[5], row[6], [texts[one] for one in row[9]]) for row in data["pods"]]
    assert pods == [(one.id, one.pods, one.density, one.risk, list(one.sinks)) for one in TOLD.pods]
    keys = [tuple(texts[one] for one in row[:3]) for row in data["edges"]]
    for path, (pod, sink, steps, probability) in zip(TOLD.paths, data["paths"], strict=True):
        assert (texts[pod], texts[sink], probability) == (path.pod, path.sink, path.probability)
        assert [keys[at] for at in steps] == [(one.type, one.source, one.target) for one in path.steps]
    places = {texts[thing]: (texts[file], line) for thing, file, line in data["places"]}
    assert places["CronJob/ml/retrain"][0] == "cluster.yaml"


def test_a_page_of_an_example_is_small() -> None:
    assert len(page_of(TOLD).encode()) < LIMIT * 0.6
    assert len(page_of(many(1_000)).encode()) < LIMIT


def test_the_same_posture_gives_the_same_bytes() -> None:
    assert page_of(TOLD) == page_of(example())


def test_hostile_text_ends_no_block() -> None:
    for harm in (
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "\ud800\u202e\u2028\x1b]8;;http://x\x07",
    ):
        found = Parts(page_of(poison(TOLD, lambda harm=harm: harm)))  # type: ignore[misc]
        assert [tag for tag, _ in found.tags].count("script") == 3
        json.loads(found.blocks[2])


# what people see


@browser_test
def test_the_first_screen_answers(opened: Open) -> None:
    page = opened(TOLD).page
    hero = text(page, ".hero")
    for answer in ("9 of 12", "pods reach cluster-admin", "aks", "2026-11-23 12:00 UTC", "2 gaps"):
        assert answer in hero
    sinks = [" ".join(one.split()) for one in page.locator(".sinks button").all_inner_texts()]
    assert sinks[0].startswith("9 cluster-admin")
    assert len(sinks) == 4
    pods = text(page, "[aria-labelledby=answer-pods]")
    assert "10.0 ml/vllm" in pods
    assert "must be privileged for GPUs: no fix changes that" in pods
    who = text(page, "[aria-labelledby=answer-who]")
    assert "unused inference user assigned · 1 role · reachable from 6 pods never since 2026-09-01" in who
    fixes = page.locator("[aria-labelledby=answer-do] .rotate > li > p b").all_inner_texts()
    assert len(fixes) == len(TOLD.fixes)
    assert fixes[0] == TOLD.fixes[0].what
    for box in ("answer-pods", "answer-who", "answer-do"):
        found = page.locator(f"[aria-labelledby={box}]").bounding_box()
        assert found is not None
        assert found["y"] + 300 < 900
    page.get_by_role("button", name="Copy: kubectl delete -- clusterrolebinding").first.click()
    assert clipboard(page) == TOLD.fixes[0].command


@browser_test
def test_a_row_opens_the_paths_of_its_pod(opened: Open) -> None:
    page = opened(TOLD, reduced_motion="reduce").page
    page.get_by_role("button", name="ml/retrain").nth(1).click()
    until(page, "document.activeElement.id === 'reach'")
    assert "ml/retrain CronJob, 1 pod" in text(page, "section:has(#reach) .section-head")
    path = next(one for one in TOLD.paths if one.pod == "pod:ml/CronJob/retrain")
    assert page.locator(".graph-frame .node").count() == len(path.steps) + 1
    assert page.locator(".steps > li").count() == len(path.steps)
    first = text(page, ".steps > li")
    for word in ("mounted", "proved", "T1528 Steal Application Access Token", "MS-TA9016", "cluster.yaml:"):
        assert word in first
    assert "Mount no token of service account ml/trainer" in first
    page.locator(".steps > li details summary").first.click()
    commands = page.locator(".steps > li").first.locator(".command")
    assert "kubectl patch" in commands.first.inner_text()
    commands.last.get_by_role("button").click()
    assert clipboard(page).startswith(
        "eightysix posture simulate --without SA_TOKEN_MOUNTED:pod:ml/CronJob/retrain:"
    )
    assert "Fix 1" in " ".join(page.locator(".steps").inner_text().split())


@browser_test
def test_paths_are_chosen_and_lit(opened: Open) -> None:
    page = opened(TOLD).page
    page.get_by_role("button", name="root on a node 1.00").click()
    assert "The best path to root on a node" in text(page, "section:has(#reach)")
    page.get_by_role("button", name="All together").click()
    union = {
        (step.source, step.target)
        for path in TOLD.paths
        if path.pod == TOLD.pods[0].id
        for step in path.steps
    }
    assert page.locator(".graph-frame .edge").count() == len(union)
    page.locator(".graph-frame .node.kind-sink").first.click()
    assert page.locator(".graph-frame .node.lit").count() == 1
    assert page.locator(".steps > li.lit").count() >= 1
    page.locator(".step-text").first.click()
    assert page.locator(".steps > li.lit").count() == 1
    assert page.locator(".graph-frame .edge.lit").count() == 1


@browser_test
def test_the_matrix_is_searched_filtered_and_sorted(opened: Open) -> None:
    page = opened(many(200)).page
    assert len(rows(page)) == 25
    page.get_by_role("button", name="Show more: 180 workloads left").click()
    assert len(rows(page)) == 125
    page.locator("section:has(#matrix) input[type=search]").fill("APP-00017")
    assert rows(page) == ["team-17/app-00017 Deployment"]
    page.get_by_role("button", name="Show all").click()
    page.locator(".sinks button").first.click()
    assert [one.partition(" ")[0] for one in rows(page)] == ["ml/vllm", "ci/runner", "ml/retrain"]
    page.get_by_role("button", name="Pods", exact=True).click()
    assert [one.partition(" ")[0] for one in rows(page)] == ["ml/vllm", "ci/runner", "ml/retrain"]
    page.get_by_role("button", name="Pods", exact=True).click()
    assert [one.partition(" ")[0] for one in rows(page)] == ["ml/retrain", "ci/runner", "ml/vllm"]
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Pods")
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("button", name="Delivery", exact=True).click()
    assert len(rows(page)) == 2
    page.get_by_role("button", name="Show all").click()
    page.locator(".density button").nth(2).click()
    assert rows(page) == ["ml/retrain CronJob"]
    page.locator("section:has(#matrix) input[type=search]").fill("no such")
    assert "No workload is like that." in text(page, "section:has(#matrix)")


@browser_test
def test_identities_tell_their_ages(opened: Open) -> None:
    page = opened(TOLD).page
    table = " ".join(page.get_by_role("region", name="Identities", exact=True).inner_text().split())
    for answer in ("never since 2026-09-01", "2026-11-23 the same day", "by ml/retrain-29391234-x"):
        assert answer in table
    section = page.locator("section:has(#identities)")
    section.get_by_role("combobox").select_option("used")
    assert section.locator("tbody tr").count() == 1
    section.get_by_role("button", name="ml/retrain").click()
    assert "ml/retrain CronJob" in text(page, "section:has(#reach) .section-head")
    nobody = opened(example(used=False)).page
    assert "no records given" in nobody.get_by_role("region", name="Identities", exact=True).inner_text()


@browser_test
def test_nothing_at_all_is_told_in_words(opened: Open) -> None:
    nothing = structs.replace(
        TOLD, pods=(), identities=(), edges=(), paths=(), fixes=(), cuts=(), not_seen=()
    )
    page = opened(nothing).page
    said = text(page, "main")
    for words in (
        "No pod reaches anything that matters",
        "No workload was read.",
        "There is no workload to show.",
    ):
        assert words in said
    kubehound = opened(structs.replace(nothing, rules="kubehound")).page
    assert "know no sinks" in text(kubehound, ".hero")
    left_out = opened(structs.replace(TOLD, paths=())).page
    assert "eightysix posture why ml/vllm cluster-admin PATH..." in text(left_out, "section:has(#reach)")


@browser_test
def test_ten_thousand_templates_are_usable(opened: Open) -> None:
    page = opened(many(10_000)).page
    assert page.evaluate("document.getElementsByTagName('*').length") < 4_000
    page.locator("section:has(#matrix) input[type=search]").fill("app-09999")
    assert rows(page) == ["team-99/app-09999 Deployment"]
    page.locator("table.pods tbody tr").first.click()
    assert "team-99/app-09999" in text(page, "section:has(#reach) .section-head")


# who does not see it, and who means harm


@browser_test
@pytest.mark.parametrize(("width", "dark"), [(390, True), (1440, False), (1440, True)])
def test_axe_finds_nothing(opened: Open, libraries: Path, width: int, dark: bool) -> None:
    page = opened(TOLD, width=width, dark=dark, reduced_motion="reduce").page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.locator(".density button").nth(3).click()
    page.get_by_role("button", name="All together").click()
    assert violations(page, libraries) == []


@browser_test
@pytest.mark.parametrize("dark", [False, True])
def test_colours_have_contrast(opened: Open, dark: bool) -> None:
    page = opened(TOLD, dark=dark).page

    def colour(name: str) -> str:
        script = "(name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()"
        found = str(page.evaluate(script, name))
        return "#" + "".join(2 * one for one in found[1:]) if len(found) == 4 else found

    assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    for domain in ("cluster", "delivery", "cloud", "llm"):
        assert contrast(colour("on-domain"), colour(f"domain-{domain}")) >= 4.5
        assert contrast(colour(f"domain-{domain}"), colour("panel")) >= 4.5


@browser_test
def test_keys_reach_everything(opened: Open) -> None:
    page = opened(TOLD, reduced_motion="reduce").page
    page.locator("table.pods tbody button").nth(2).focus()
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'reach'")
    page.locator(".graph-frame .node").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.node") == "service-account:ml/trainer"
    page.keyboard.press("Enter")
    assert page.locator(".graph-frame .node.lit").count() == 1
    table = page.get_by_role("region", name="Workloads").aria_snapshot()
    assert '- columnheader "Workload"' in table
    assert '- cell "2 credentials, proved"' in table
    assert 'button "ml/retrain"' in table
    page.locator(".density button").first.focus()
    page.keyboard.press("Space")
    assert page.locator(".density button[aria-pressed=true]").count() == 1


def _shown(page: Page) -> Iterator[str]:
    yield str(page.evaluate("document.getElementById('app').textContent"))
    yield from page.evaluate("[...document.querySelectorAll('[title]')].map((one) => one.title)")


@browser_test
def test_every_field_is_data(opened: Open) -> None:
    texts = cycle(CORPUS)
    names = structs.replace(
        TOLD,
        pods=tuple(
            structs.replace(
                pod,
                name=next(texts),
                namespace=next(texts),
                kind=next(texts),
                credentials=poison(pod.credentials, lambda: next(texts)),
                why=poison(pod.why, lambda: next(texts)),
            )
            for pod in TOLD.pods
        ),
        fixes=poison(TOLD.fixes, lambda: next(texts)),
        cuts=tuple(
            structs.replace(cut, what=next(texts), command=next(texts), patch=next(texts))
            for cut in TOLD.cuts
        ),
        not_seen=poison(TOLD.not_seen, lambda: next(texts)),
        identities=poison(TOLD.identities, lambda: next(texts)),
        paths=tuple(
            structs.replace(path, steps=tuple(structs.replace(step, text=next(texts)) for step in path.steps))
            for path in TOLD.paths
        ),
        cluster=next(texts),
        taken_at=next(texts),
    )
    for told in (names, poison(TOLD, lambda: next(texts)), poison(TOLD, lambda: CORPUS[1])):
        page = opened(told).page
        for _ in range(2):
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            page.evaluate(
                "document.querySelectorAll('main .more, .chip, table.pods tbody tr').forEach((one) => one.click())"
            )
            seen = "".join(_shown(page))
            assert {one for one in seen if one != "\n" and not is_harmless(one)} == set()
        tags = page.evaluate(
            "[...new Set([...document.querySelectorAll('#app *')].map((one) => one.localName))]"
        )
        assert not {
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
        } & set(tags)
        links = page.evaluate(
            "[...document.querySelectorAll('[href]')].map((one) => one.getAttribute('href'))"
        )
        assert set(links) <= {"#matrix", "#identities", "#fixes", "#pools", "#not-seen"}
    page = opened(names).page
    joined = "".join(_shown(page))
    expected = [gap.what for gap in names.not_seen]
    assert all(inert(one, 10**6) in joined for one in expected if len(inert(one, 10**6)) < 70)


@browser_test
def test_very_long_names_are_bounded(opened: Open) -> None:
    for width in (390, 1440):
        page = opened(poison(TOLD, lambda: "\u202ea漢" * 3_000), width=width).page
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.scrollHeight") < 60_000
        assert page.evaluate("document.getElementById('app').textContent.length") < 300_000


@browser_test
def test_a_command_that_a_terminal_would_read_otherwise_is_not_offered(opened: Open) -> None:
    bad = structs.replace(TOLD.fixes[0], command="kubectl delete pod a\x1b[2K\nkubectl get pods", patch="")
    page = opened(structs.replace(TOLD, fixes=(bad,), cuts=())).page
    card = page.locator("[aria-labelledby=answer-do]")
    assert card.locator(".command").count() == 2
    assert card.locator(".command button").count() == 1
    assert "a\\x1b[2K" in card.locator(".command").first.inner_text()


# functions


@pytest.mark.tier("node")
@pytest.mark.parametrize(
    ("id_", "kind", "name"),
    [
        ("pod:ml/Deployment/vllm", "pod", "ml/Deployment/vllm"),
        ("service-account:a%2Fb/c", "service-account", "a/b/c"),
        ("sink:ns-admin/ml", "sink", "all of a namespace: ml"),
        ("sink:ns-admin/*", "sink", "all of a namespace"),
        ("cluster:", "cluster", "everything"),
        ("cluster:pods", "cluster", "all pods"),
        ("cloud-identity:/subscriptions/0/x/userassignedidentities/inference", "cloud-identity", "inference"),
        ("cloud-role:AcrPush@/subscriptions/0/registries/acme", "cloud-role", "AcrPush @ acme"),
        ("no colon", "", "no colon"),
    ],
)
def test_what_a_thing_is_called(call: Call, id_: str, kind: str, name: str) -> None:
    assert call("thing", id_) == {"kind": kind, "name": name}


@pytest.mark.tier("node")
def test_a_quoted_word_is_one_word_of_a_shell(call: Call) -> None:
    for word in (*CORPUS, "", "a b", "it's", "$(id)", "HOLDS:a:b", "-x"):
        if "\0" in word or "\ud800" in word or not word:
            continue
        told = subprocess.run(
            ["sh", "-c", f"printf %s {call('quoted', word)}"],
            capture_output=True, text=False, check=True, timeout=10,
        )  # fmt: skip
        assert told.stdout == word.encode("utf-8", "surrogatepass"), word


@pytest.mark.tier("node")
def test_resource_ids_are_told_by_their_ends(call: Call) -> None:
    given = "Take AcrPush@/subscriptions/0/resourcegroups/ml/providers/x/registries/acme from y."
    assert call("brief", given) == "Take AcrPush@…/registries/acme from y."
    assert call("brief", "of /subscriptions/0/a/b/identities/inference.") == "of …/identities/inference."
    assert call("brief", "nothing of the cloud") == "nothing of the cloud"


@pytest.mark.tier("node")
def test_a_long_chain_goes_on_in_the_next_row(call: Call) -> None:
    def boxes(count: int) -> list[dict[str, str]]:
        return [
            {"id": f"{at}", "kind": "", "top": "", "name": "", "said": "", "tone": ""} for at in range(count)
        ]

    def arrows(count: int) -> list[dict[str, object]]:
        return [
            {"source": f"{at}", "target": f"{at + 1}", "words": "", "dashed": False}
            for at in range(count - 1)
        ]

    for count in (2, 3, 5, 11, 20):
        for wide in (280, 700, 1300):
            drawn = call("fold", boxes(count), arrows(count), wide)
            assert drawn["width"] <= max(wide, 280) + 24
            places = [(one["x"], one["y"]) for one in drawn["nodes"]]
            assert len(set(places)) == count
            for (x, y), (then_x, then_y) in pairwise(places):
                assert (x == then_x) != (y == then_y)
