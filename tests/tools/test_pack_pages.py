"""Pages of the hunting pack are those that the tool writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from eightysix.hunt.pack import load
from tools import pack_pages
from tools.generated import out_of_date


def test_pages_are_up_to_date(root: Path) -> None:
    stale = out_of_date(root, pack_pages.pages(load()), pack_pages.FOLDER)
    assert not stale, "run: python -m tools.pack_pages"


def test_a_page_tells_what_a_hunter_must_know() -> None:
    query = load()["chain-86-seconds"]
    page = pack_pages.page(query)
    for text in (query.question, query.volume, *query.false_positives, *query.next, query.text.strip()):
        assert text in page
    assert "[MS-TA9028](https://microsoft.github.io/Threat-Matrix-for-Kubernetes/techniques/Access%20" in page
    assert (
        "Every 15 minutes over 1 day, and 15 minutes more for rows that arrive late; severity High." in page
    )


def test_each_query_is_in_the_list() -> None:
    overview = pack_pages.overview(load())
    assert all(f"[{name}]({name}.md)" in overview for name in load())


def test_a_page_of_a_query_that_is_no_more_is_out_of_date(tmp_path: Path) -> None:
    folder = tmp_path / pack_pages.FOLDER
    folder.mkdir(parents=True)
    (folder / "gone.md").write_text("old")
    (folder / "README.md").write_text("list")
    assert out_of_date(tmp_path, {f"{pack_pages.FOLDER}/README.md": "list"}, pack_pages.FOLDER) == [
        f"{pack_pages.FOLDER}/gone.md"
    ]


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "0 minutes"), (1, "1 minute"), (90, "90 minutes"), (60, "1 hour"), (18_720, "13 days")],
)
def test_times_in_words(minutes: int, words: str) -> None:
    assert pack_pages._minutes(minutes) == words
