"""Signers from certificates: refs are taken off at one place, and claims are read in one way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.attest.signer import _utf8_string, without_ref
from eightysix.gate.attest.strict import Refusal

HOME = "https://github.com/acme/ml/.github/workflows/release.yml"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (f"{HOME}@refs/heads/main", HOME),
        (f"{HOME}@refs/tags/v1.2.3", HOME),
        (f"{HOME}@{'a' * 40}", HOME),
        (f"{HOME}@{'a' * 64}", HOME),
        (HOME, HOME),
        ("dev@acme.example", "dev@acme.example"),
        (f"{HOME}@main", f"{HOME}@main"),
        (f"{HOME}@{'A' * 40}", f"{HOME}@{'A' * 40}"),
        # A file that is called like a workflow with its ref is another file.
        (f"{HOME}@refs/heads/main/x.yml@refs/heads/dev", f"{HOME}@refs/heads/main/x.yml"),
        ("", ""),
        ("@refs/heads/main", ""),
    ],
)
def test_addresses_without_their_ref(address: str, expected: str) -> None:
    assert without_ref(address) == expected


@given(st.text(max_size=300).filter(str.isprintable))
def test_texts_in_der(text: str) -> None:
    raw = text.encode()
    size = len(raw)
    length = (
        bytes([size])
        if size < 128
        else bytes([0x81, size])
        if size < 256
        else bytes([0x82, size >> 8, size & 255])
    )
    assert _utf8_string(b"\x0c" + length + raw, "n") == text


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"\x0c", b"\x0c\x01", b"\x0c\x02a", b"\x0c\x01ab", b"\x13\x01a", b"\x0c\x01\xff"),
        *(b"\x0c\x80a\0\0", b"\x0c\x81\x01a", b"\x0c\x82\x00\x01a", b"\x0c\x84\0\0\0\x01a", b"\x0c\x81"),
    ],
)
def test_texts_in_der_that_are_none(raw: bytes) -> None:
    with pytest.raises(Refusal):
        _utf8_string(raw, "n")
