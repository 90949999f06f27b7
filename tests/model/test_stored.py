"""What is stored is read again, or told to be unreadable."""

from __future__ import annotations

import msgspec
import pytest

from eightysix.model.errors import StateError
from eightysix.model.stored import as_json, read_stored


class Thing(msgspec.Struct):
    text: str


def test_lone_surrogates_become_visible_at_any_depth() -> None:
    value = {"a\udc80": [Thing("b\udc81"), ("c", {"d": "\ud800"})], "n": 1}
    told = msgspec.json.decode(as_json(value))
    assert told == {"a\\udc80": [{"text": "b\\udc81"}, ["c", {"d": "\\ud800"}]], "n": 1}


def test_the_same_value_gives_the_same_bytes() -> None:
    assert as_json({"a": 1, "b": Thing("x")}) == as_json({"b": Thing("x"), "a": 1})


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x81\xa4text", b"\x81\xa4text\xa2\xff\xfe", b"\xc0"])
def test_what_cannot_be_read_is_told_with_what_to_do(data: bytes) -> None:
    decode = msgspec.msgpack.Decoder(Thing).decode
    assert read_stored(decode, b"\x81\xa4text\xa1x", "a thing") == Thing("x")
    with pytest.raises(StateError, match="a thing cannot be read") as raised:
        read_stored(decode, data, "a thing")
    assert "move the state away" in raised.value.advice
