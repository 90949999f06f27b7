"""What Python would warn about is read, and nobody hears of it."""

from __future__ import annotations

import ast
import warnings

import pytest

from eightysix.scan.pythonic import parsed, unescaped
from eightysix.scan.scanner import scan_bytes
from tests.scan.weights.assembled import gguf, text
from tests.scan.weights.test_gguf import ARCHITECTURE


@pytest.mark.parametrize(
    ("data", "codec", "read"),
    [
        (rb"a\d", "unicode-escape", "a\\d"),
        (rb"\777", "unicode-escape", "\u01ff"),
        (b"caf\xe9", "unicode-escape", "café"),
        (rb"\u00e9\d", "raw-unicode-escape", "é\\d"),
    ],
)
def test_escapes_that_python_does_not_know_are_text(data: bytes, codec: str, read: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unescaped(data, codec) == read


def test_source_with_escapes_that_python_does_not_know_is_source() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = parsed('x = "\\d"\nassert (x, 1)\n1 is 1')
    assert isinstance(tree, ast.Module)


def test_a_template_with_an_escape_that_python_does_not_know_is_judged() -> None:
    template = ("tokenizer.chat_template", 8, text(r"{{ 'a\d' }}"))
    found = {finding.rule for finding in scan_bytes(gguf([ARCHITECTURE, template])).findings}
    assert "reader-failed" not in found
