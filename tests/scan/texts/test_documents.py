"""JSON: one document or one a line, long ones too; what is none is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.texts import documents, long
from tests.scan.told import as_json, found, rules, verdict

AUTO = {"auto_map": {"AutoModel": "modeling_x.X"}}


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '[1, "a", null]',
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        "[[[]]]",
        '{"a":1}\n{"a":2}\n',
        "[true]",
    ],
)
def test_data_are_clean(text: str) -> None:
    result = found(text)
    assert (result.file.format, result.file.verdict) == ("json", "clean")


@pytest.mark.parametrize(
    "text", ['{"a": 1', '{"a": }', '["a", ', '{"a": 1} x', '{"a": 1,}', '{"lc": 1, "id": ']
)
def test_what_does_not_parse_is_malformed(text: str) -> None:
    assert rules(text) == {"json-broken"}


@pytest.mark.parametrize(
    "text", ["[section]\nkey = 1\n", "{% raw %}", "[link]: http://x", "{ x | x > 1 }", "[fits]\na=b"]
)
def test_what_only_begins_so_is_text(text: str) -> None:
    assert verdict(text) == "clean"


def test_binary_behind_text_is_not_clean() -> None:
    for start in ('{"a": 1}', "a: 1\n", "some words\n"):
        assert rules((start + " " * 600).encode() + b"\x00\x01\x80\x04") == {"text-broken"}


def test_nesting_ends_in_a_finding() -> None:
    assert rules(b'{"lc":' * 100_000 + b"1" + b"}" * 100_000) == {"bomb"}
    assert rules(b'{"lc":' * 700 + b"1" + b"}" * 700) == {"expansion"}


def test_a_long_document_is_judged_by_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "PARSED", 5_000)
    monkeypatch.setattr(long, "SMALL", 500)
    vocabulary = {f"token{number}": number for number in range(2_000)} | {"lc": 1, "target": 2, "provider": 3}
    tokenizer = {
        "version": "1.0",
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [["l", "c"], ["lc", "x"]] * 900},
    }
    assert verdict(as_json(tokenizer)) == "clean"
    assert rules(as_json({**tokenizer, **AUTO})) == {"remote-code"}
    assert rules(as_json({**tokenizer, "deep": {"er": [{"x": "y" * 400}] * 30 + [AUTO]}})) == {"remote-code"}
    assert rules(as_json([{"x": "y" * 400}] * 30 + [AUTO])) == {"remote-code"}


def test_a_key_that_is_hidden_in_a_long_document_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "PARSED", 5_000)
    text = json.dumps({**AUTO, "vocab": [f"t{number}" for number in range(2_000)]})
    assert rules(text[:-1] + ', "auto_map": {}}') == {"duplicate-keys"}


def test_a_part_that_is_too_long_is_not_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "PARSED", 2_000)
    monkeypatch.setattr(long, "LEVELS", 0)
    assert rules(as_json({"a": {"b": [{"c": "d" * 1_000}] * 5, **AUTO}})) == {"too-much"}


def test_a_text_too_long_for_one_piece_is_read_by_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "WHOLE", 1_000)
    lines = b'{"a": "b"}\n' * 200
    assert verdict(lines) == "clean"
    assert rules(lines + as_json(AUTO) + b"\n" + lines) == {"remote-code"}
    monkeypatch.setattr(documents, "PARSED", 100)
    assert rules(lines + as_json({**AUTO, "pad": "x" * 200})) == {"too-much"}


JSON = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["lc", "id", "type", "_target_", "auto_map", "weight_map", "a", "cells"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(JSON)
def test_no_document_breaks_a_judge(value: object) -> None:
    for data in (
        as_json(value),
        json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"),
    ):
        assert "reader-failed" not in rules(data)


@given(st.text(max_size=300))
def test_no_text_breaks_a_reader(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    for start in (b"", b"{", b"[", b"!!", b"#!", b"%TAG ", b"import x\n", b"--- &a\n", b"{%"):
        assert "reader-failed" not in rules(start + data)
