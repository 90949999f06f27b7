"""The page as a file: one piece, bounded, and inert wherever a string of the story says something else."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from eightysix.model.story import Reconstruction
from eightysix.report.html import FORMAT
from eightysix.report.html.page import Asset, embedded, load, write_page
from eightysix.report.inert import is_harmless
from eightysix.report.interface import RenderOptions
from tests.report.hostile import hostile_text, poison
from tests.report.html.sample import breach, crowd, reconstruction, several

LIMIT = 400_000
"""Bytes of a page without evidence (the promise of the format)."""

BREAKERS = (
    "</script><script>alert(1)</script>",
    "</SCRIPT >",
    "<!--<script>",
    "-->",
    "]]>",
    "<img src=x onerror=alert(1)>",
    "&lt;script&gt;",
    "\u2028\u2029",
    "\u202e\x1b]8;;http://evil.example\x07",
    "\ud800",
)


class Parts(HTMLParser):
    """The tags of a page, and what stands in its blocks, as a parser of HTML reads them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[str] = []
        self._open = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style", "title"):
            self.blocks.append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "title"):
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.blocks[-1] += data


def written(told: Reconstruction) -> str:
    return "".join(FORMAT.write(told, RenderOptions()))


def parts(told: Reconstruction) -> Parts:
    return Parts(written(told))


TAGS = ["html", "head", "meta", "meta", "meta", "meta", "title", "style", "body", "div", "noscript", "p"]


def test_a_page_is_one_file_that_names_no_other() -> None:
    found = parts(reconstruction(breach()))
    assert [tag for tag, _ in found.tags] == [*TAGS, "script", "script", "script"]
    named = {name for _, attributes in found.tags for name in attributes}
    assert named == {"lang", "charset", "http-equiv", "content", "name", "id", "type"}
    for block in (load("incident").script, load("incident").style):
        for outside in (
            "@import",
            "sourceMappingURL",
            "url(http",
            "url(//",
            "importScripts",
            "fetch(",
            "XMLHttpRequest",
        ):
            assert outside not in block
        assert "http" not in block.replace("http://www.w3.org/", "")


def test_the_policy_lets_run_what_is_there_and_nothing_else() -> None:
    found = parts(reconstruction(breach()))
    (content,) = (a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    _title, style, data, licences, script = found.blocks
    digest = {
        name: "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for name, text in (("script", script), ("style", style))
    }
    assert content == (
        f"default-src 'none'; script-src '{digest['script']}'; style-src '{digest['style']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert json.loads(data)["schema"] == "eightysix/reconstruction/v1"
    assert "Copyright" in json.loads(licences)


def test_the_page_carries_the_data_of_the_contract() -> None:
    told = several()
    data = parts(told).blocks[2]
    assert msgspec.json.decode(data, type=Reconstruction) == told


def test_a_page_without_evidence_is_small() -> None:
    bare = structs.replace(breach(), records=())
    assert len(written(reconstruction(bare)).encode()) < LIMIT
    assert len(written(reconstruction()).encode()) < LIMIT * 0.7


def test_the_same_story_gives_the_same_bytes() -> None:
    told = several()
    assert written(told) == written(told)
    assert written(told) == "".join(FORMAT.write(told, RenderOptions(width=40, colour=True, verbose=2)))


def test_titles_say_what_the_page_is_about() -> None:
    assert parts(reconstruction()).blocks[0] == "eightysix: nothing to tell"
    assert parts(several()).blocks[0] == "eightysix: 3 stories"
    assert (
        parts(reconstruction(breach())).blocks[0]
        == "eightysix: Install, then a second identity in ml/inference-0"
    )


@pytest.mark.parametrize("text", BREAKERS)
def test_no_text_ends_its_block(text: str) -> None:
    told = poison(several(), lambda: text)
    told = structs.replace(told, stories=told.stories[:1])
    found = parts(told)
    assert [tag for tag, _ in found.tags] == [*TAGS, "script", "script", "script"]
    visible = text.encode("utf-8", "backslashreplace").decode()
    assert json.loads(found.blocks[2])["stories"][0]["title"] == visible


@given(st.lists(hostile_text, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_embedded_text_is_harmless_and_means_the_same(texts: list[str]) -> None:
    block = embedded(texts)
    assert not set(block) & set("<>&")
    assert all(is_harmless(character) for character in block)
    assert json.loads(block) == [text.encode("utf-8", "backslashreplace").decode() for text in texts]


@pytest.mark.parametrize("end", ["</script>", "</Style >", "<!-- x"])
def test_a_bundle_that_ends_its_own_block_is_refused(end: str) -> None:
    asset = Asset(script=f"'{end}'", style="", licences="")
    with pytest.raises(ValueError, match="block"):
        list(write_page("t", asset, {}, plain=""))


def test_the_title_is_inert() -> None:
    story = structs.replace(breach(), title="</title><script>x</script>\u202e\x1b[2J", pod=None)
    title = parts(reconstruction(story)).blocks[0]
    assert title == "eightysix: </title><script>x</script>\\u202e\\x1b[2J"


def test_many_marks_are_written() -> None:
    told = reconstruction(crowd(5000))
    data: Any = json.loads(parts(told).blocks[2])
    assert len(data["stories"][0]["marks"]) == 5000 + len(breach().marks)
