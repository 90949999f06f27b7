"""Which bytes are text, in which encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.texts.decode import as_utf8, looks_text

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-le")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_all_encodings_that_loaders_accept(encoding: str) -> None:
    data = '{"key": "välue"}'.encode(encoding)
    assert looks_text(data[:512])
    assert as_utf8(data) == '{"key": "välue"}'.encode()


def test_older_encodings_are_text_and_binary_is_not() -> None:
    assert as_utf8("größe".encode("latin-1")) == "größe".encode()
    assert as_utf8(b"text \x00 more") is None
    assert as_utf8(b"text \xff\x80\x04 more") is None
    assert not looks_text(b"\x80\x04\x95\x10")
    assert not looks_text(b"\x00\x01\x02\x03")


@given(st.text(min_size=1, max_size=400))
def test_a_character_that_is_cut_at_the_end_of_the_head_does_not_matter(text: str) -> None:
    data = (text.replace("\0", " ") + "é" * 300).encode()
    printable = all(ord(one) >= 32 or one in "\t\n\r" for one in text)
    assert looks_text(data[:512]) or not printable


@given(st.binary(max_size=600))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    assert looks_text(data) in (True, False)
    body = as_utf8(data)
    assert body is None or isinstance(body.decode("utf-8", "surrogatepass"), str)
