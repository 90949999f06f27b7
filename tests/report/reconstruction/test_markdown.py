"""Markdown for a ticket, rendered by GitHub's own cmark and by markdown-it (Azure DevOps), with every field hostile."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import cycle

import cmarkgfm  # type: ignore[import-untyped]
import pytest
from cmarkgfm.cmark import Options  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from eightysix.context.shell import line
from eightysix.model.story import Reconstruction, Rotation
from eightysix.report.interface import RenderOptions
from eightysix.report.reconstruction.interface import get_reconstruction_format
from eightysix.report.reconstruction.marking import block, cell, prose, span
from tests.report.hostile import HARMS, assert_inert, hostile_text, plant, poison
from tests.report.reconstruction.sample import asked_about, breach, breach_story, crowd, hostile, nothing
from tests.report.reconstruction.test_plain import check_snapshot

ALLOWED = set("h1 h2 h3 p table thead tbody tr th td ul ol li strong code pre".split())
"""What our own words make; anything else came from data."""


class Page(HTMLParser):
    """Elements of a rendered page, and its text outside and inside of code."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.code = 0
        self.prose: list[str] = []
        self.coded: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.code += tag in ("code", "pre")
        if tag == "code":
            self.coded.append("")

    def handle_endtag(self, tag: str) -> None:
        self.code -= tag in ("code", "pre")

    def handle_data(self, data: str) -> None:
        if self.code:
            self.coded[-1] += data
        else:
            self.prose.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")


def rendered(told: Reconstruction) -> str:
    return "".join(get_reconstruction_format("markdown").write(told, RenderOptions(40, True, 2)))


def github(text: str) -> str:
    """With everything on that could turn data into more than text: HTML is let through, so that it would be seen."""
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
    return str(
        cmarkgfm.markdown_to_html_with_extensions(
            text, options, ["table", "autolink", "strikethrough", "tasklist"]
        )
    )


def azure(text: str) -> str:
    renderer = MarkdownIt("commonmark", {"html": True, "linkify": True, "typographer": False})
    return str(renderer.enable(["table", "strikethrough", "linkify"]).render(text))


def pages(text: str) -> list[Page]:
    return [Page(github(text)), Page(azure(text))]


def check(text: str) -> list[Page]:
    """Nothing of data is an element, and no text outside of code is what trackers look for."""
    told = pages(text)
    for page in told:
        for tag, attributes in page.tags:
            assert tag in ALLOWED, (tag, attributes)
            assert not attributes.keys() - {"align", "class", "style", "lang", "start"}, (tag, attributes)
        for words in " ".join(page.prose).split():
            assert "@" not in words, words
            assert "#" not in words, words
            assert "!" not in words, words
            assert "://" not in words, words
            assert "www." not in words, words
            assert words.count(":") < 2, words
            head, _, tail = words.partition("-")
            assert not (head.isalnum() and tail[:1].isdigit()) or head == "T", words
    for row in text.split("\n"):
        assert_inert(row) if row.strip() == row else assert_inert(row.strip(" "))
        assert "##[" not in row
        assert "##vso" not in row
        assert not row.lstrip().startswith("::")
    return told


@pytest.mark.parametrize(
    ("name", "make"),
    [("breach", breach), ("asked", asked_about), ("nothing", nothing), ("hostile", hostile)],
)
def test_the_whole_text(name: str, make: object) -> None:
    assert callable(make)
    check_snapshot(f"markdown-{name}", rendered(make()))


def test_samples_are_only_text() -> None:
    for make in (breach, asked_about, nothing, crowd, hostile):
        check(rendered(make()))


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_harm_in_every_field_stays_text(harm: str) -> None:
    told, fields = plant(breach(), harm)
    text = rendered(told)
    plain = rendered(plant(breach(), "")[0])
    for page, expected in zip(check(text), pages(plain), strict=True):
        tags = [tag for tag, _ in page.tags]
        structure = [tag for tag in tags if tag != "code"]
        assert structure == [tag for tag, _ in expected.tags if tag != "code"]
    shown = [path for mark, path in fields.items() if mark in text]
    assert any(path.endswith(".title") for path in shown)
    assert not any(".records" in path for path in shown)


@settings(max_examples=10, deadline=None)
@given(st.lists(hostile_text, min_size=1, max_size=9))
def test_any_text_in_any_field_stays_text(texts: list[str]) -> None:
    pool = cycle(texts)
    check(rendered(poison(breach(), lambda: next(pool))))


@given(hostile_text)
def test_a_span_is_one_piece_of_code(text: str) -> None:
    for page in pages(f"x {span(text)} y"):
        assert [tag for tag, _ in page.tags] == (["p", "code"] if span(text) != "–" else ["p"])
    for page in pages(f"| a | b |\n| - | - |\n| {cell(span(text))} | z |\n"):
        assert [tag for tag, _ in page.tags if tag in ("td", "a", "img")] == ["td", "td"]
        assert page.prose[-2].strip() in ("z", "–") or "z" in "".join(page.prose)


@given(hostile_text)
def test_prose_is_words_and_code(text: str) -> None:
    for page in check(f"{prose(text)}\n"):
        assert {tag for tag, _ in page.tags} <= {"p", "code"}
    for page in check(f"- {prose(text)}\n"):
        assert {tag for tag, _ in page.tags} <= {"ul", "li", "code"}
    for page in check(f"# {prose(text)}\n"):
        assert {tag for tag, _ in page.tags} <= {"h1", "code"}


def test_commands_are_copied_as_they_are() -> None:
    commands = (
        line("kubectl", "delete", "pod", operands=["a`b```c", "</code></pre>", "x\ny", "|"]),
        line("az", "role", "assignment", "delete", "--ids=/x y"),
    )
    story = replace(breach_story(), rotate=(Rotation(1, "cut it", "", commands),))
    for page in check(rendered(replace(breach(), stories=(story,)))):
        assert "\n".join(commands) + "\n" in page.coded
    for page in pages(block(commands)):
        assert page.coded == ["\n".join(commands) + "\n"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("the Kubernetes API is used", "the Kubernetes API is used"),
        ("38 s later, at 50% (twice): a secret.", "38 s later, at 50% (twice): a secret."),
        ("read ml/acr-push-sp by azure-identity.", "read ml/acr-push-sp by azure-identity."),
        ("pod ml/inference-0.", "pod `ml/inference-0`."),
        ("who is behind 203.0.113.10: no answer", "who is behind `203.0.113.10`: no answer"),
        ("@octocat and #12", "`@octocat` and `#12`"),
        ("good until 2026-11-23 17:55 UTC", "good until `2026-11-23 17:55` UTC"),
        ("http://x.example", "`http://x.example`"),
        ("", "–"),
    ],
)
def test_sentences_stay_readable(text: str, told: str) -> None:
    assert prose(text) == told


def test_an_ordinary_story_fits_into_a_ticket() -> None:
    assert len(rendered(breach())) < 32_767
