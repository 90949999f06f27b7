"""What a change does, told: inert in a terminal and in a pull request, whatever names hold."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from eightysix.model.posture import Posture
from eightysix.posture.diff import diff
from eightysix.report.interface import RenderOptions
from eightysix.report.posture.diff import as_json, write_plain
from eightysix.report.posture.diff_markdown import write_markdown
from tests.posture.postures import NAMES, postures

OURS = ("<details><summary>How: ", "</details>")


def foreign(text: str) -> list[str]:
    """What of Markdown does something that only names could have asked for."""
    parser = MarkdownIt("commonmark", {"html": True, "linkify": True}).enable(["table", "strikethrough"])

    def every(tokens: list[Token]) -> Iterator[Token]:
        for token in tokens:
            yield token
            yield from every(token.children or [])

    bad = {
        "link_open",
        "image",
        "html_inline",
        "fence",
        "code_block",
        "s_open",
        "hr",
        "blockquote_open",
        "em_open",
    }
    return [
        f"{token.type}: {token.content}"
        for token in every(parser.parse(text))
        if token.type in bad or (token.type == "html_block" and not token.content.startswith(OURS))
    ]


def test_it_finds_what_names_could_do() -> None:
    for text in ("[a](http://b)", "![a](b)", "a <b> c", "<script>", "*a*", "> a", "---", "```\na\n```"):
        assert foreign(text), text


@settings(max_examples=20, deadline=None)
@given(postures(), postures())
def test_names_do_nothing_in_markdown(one: Posture, other: Posture) -> None:
    text = "".join(write_markdown(diff(one, other), NAMES[2], NAMES[3]))
    assert foreign(text) == []
    assert "\x1b" not in text
    tables = [
        token for token in MarkdownIt("commonmark").enable("table").parse(text) if token.type == "tr_open"
    ]
    pods = len(diff(one, other).pods)
    assert len(tables) == (pods + 1 if pods else 0)


@settings(max_examples=20, deadline=None)
@given(postures(), postures())
def test_names_do_nothing_in_a_terminal_and_every_line_fits(one: Posture, other: Posture) -> None:
    for verbose in (0, 1):
        text = "".join(write_plain(diff(one, other), NAMES[2], "b", RenderOptions(width=80, verbose=verbose)))
        assert not {"\x1b", "\u202e"} & set(text)
        assert all(len(line) <= 80 for line in text.split("\n"))


@settings(max_examples=20, deadline=None)
@given(postures(), postures())
def test_json_is_whole(one: Posture, other: Posture) -> None:
    found = diff(one, other)
    told = json.loads(as_json(found, "a", "b"))
    assert [pod["id"] for pod in told["pods"]] == [pod.id for pod in found.pods]
    assert [len(pod["gained"]) for pod in told["pods"]] == [len(pod.gained) for pod in found.pods]
    assert set(told) == {
        "schema",
        "before",
        "after",
        "pods",
        "identities",
        "fixes_done",
        "fixes_wanted",
        "hidden",
        "shown",
    }
