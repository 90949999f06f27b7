"""The lexer: its pieces are the text again, and no text or comment is taken for code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.hunt.lexer import tokens

ANY = st.text(
    alphabet=st.one_of(st.sampled_from("\"'`~@hH\\/|;.=()[]{} \n\tab_$0"), st.characters()), max_size=80
)


@given(ANY)
def test_the_pieces_are_the_text(text: str) -> None:
    found = tokens(text)
    assert "".join(one.text for one in found) == text
    assert all(one.text for one in found)
    assert [one.start for one in found] == [
        sum(len(before.text) for before in found[:place]) for place in range(len(found))
    ]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a.b", ["word", "sign", "word"]),
        ("1..2", ["word", "sign", "word"]),
        ("'it''s'", ["text", "text"]),
        (r"'it\'s | x'", ["text"]),
        ("@'c:\\' | x", ["text", "space", "sign", "space", "word"]),
        ("@'say ''hi'''", ["text"]),
        ('h"secret"', ["text"]),
        ("h@'x'", ["text"]),
        ("```a ' \" | b```", ["text"]),
        ("~~~a``` | b~~~ x", ["text", "space", "word"]),
        ("'never ends | x", ["text"]),
        ("x// | drop\ny", ["word", "space", "space", "word"]),
        ("'//' x", ["text", "space", "word"]),
        ("//", ["space"]),
        ("a/b", ["word", "sign", "word"]),
        ("has", ["word"]),
        ("h", ["word"]),
        ("@", ["sign"]),
    ],
)
def test_kinds(text: str, kinds: list[str]) -> None:
    assert [one.kind for one in tokens(text)] == kinds


def test_a_long_text_is_read_in_one_pass() -> None:
    text = "'" + "\\'" * 200_000
    assert len(tokens(text)) == 1
    assert len(tokens("a " * 100_000)) == 200_000
