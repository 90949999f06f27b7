"""Counts, values, templates and places in GGUF."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.finding import FileVerdict
from eightysix.scan.budget import Limits
from eightysix.scan.scanner import Options, scan_bytes
from tests.scan.weights.assembled import PICKLE, gguf, gguf_tensor, number, text, word

ARCHITECTURE = ("general.architecture", 8, text("llama"))
TEMPLATE = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] | trim }}{% endfor %}"
ESCAPE = "{{ ().__class__.__base__.__subclasses__() }}"


def rules(data: bytes) -> set[str]:
    result = scan_bytes(data)
    assert result.file.format == "gguf"
    return {finding.rule for finding in result.findings}


def strings(*words: str) -> bytes:
    return word(8) + number(len(words)) + b"".join(text(one) for one in words)


@pytest.mark.parametrize(
    "data",
    [
        gguf(),
        gguf([], [gguf_tensor()], bytes(32)),
        gguf([ARCHITECTURE], [gguf_tensor(), gguf_tensor("v", (32,), 8, 32)], bytes(32 + 34)),
        gguf([("general.architecture", 8, text("x", ">"))], [gguf_tensor(order=">")], bytes(32), order=">"),
        gguf([("tokenizer.chat_template", 8, text(TEMPLATE))]),
        gguf([("tokenizer.ggml.tokens", 9, strings("{{", "{%", "<|begin_of_text|>", "{{}}" * 8))]),
        gguf([("general.alignment", 4, word(64))], [gguf_tensor()], bytes(32 + 32)),
        gguf([("a", 9, word(5) + number(3) + bytes(12)), ("b", 7, b"\1"), ("c", 12, bytes(8))]),
        gguf([("general.description", 8, text("write {{name}} and {% here %}"))]),
    ],
)
def test_whole_files_are_clean(data: bytes) -> None:
    assert rules(data) == set()


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        ("tensor-bounds", gguf(counts=(1 << 62, None))),
        ("tensor-bounds", gguf(counts=(None, 0xFFFFFFFFFFFFFFFF))),
        ("tensor-bounds", gguf([("a", 9, word(4) + number(1 << 62))])),
        ("tensor-bounds", gguf([("a", 8, number((1 << 64) - 1))])),
        ("tensor-bounds", gguf([("a", 9, word(8) + number(1) + number((1 << 64) - 1))])),
        ("tensor-bounds", gguf([("a", 9, word(9) + number(1) + word(9) + number(1) + word(4) + number(0))])),
        ("tensor-bounds", gguf([("a", 99, b"")])),
        ("tensor-bounds", gguf([("k" * 70_000, 7, b"")])[:60_000]),
        ("tensor-layout", gguf([("k" * 60_000, 7, b"")])[:50_000]),
        ("tensor-bounds", gguf([("general.alignment", 4, word(0))])),
        ("tensor-bounds", gguf([("general.alignment", 4, word(33))])),
        ("tensor-bounds", gguf([("general.alignment", 8, text("32"))])),
        ("tensor-bounds", gguf([], [gguf_tensor(shape=[1] * 65)], bytes(32))),
        ("tensor-bounds", gguf([], [gguf_tensor(shape=[1 << 33, 1 << 33])], bytes(32))),
        ("tensor-bounds", gguf([], [gguf_tensor(offset=(1 << 64) - 32)], bytes(32))),
        ("tensor-bounds", gguf([], [gguf_tensor(offset=1 << 40)], bytes(32))),
        ("tensor-bounds", gguf([], [gguf_tensor("x" * 64)], bytes(32))),
        ("tensor-bounds", gguf([], [gguf_tensor(), gguf_tensor("v")], bytes(32))),
        ("tensor-layout", gguf([], [gguf_tensor()], bytes(31))),
        ("tensor-layout", gguf([ARCHITECTURE])[:-3]),
        ("tensor-layout", gguf([], [gguf_tensor(offset=5)], bytes(64))),
        ("weights-header", gguf([ARCHITECTURE, ARCHITECTURE])),
        ("weights-header", gguf([], [gguf_tensor("w", offset=0), gguf_tensor("w", offset=32)], bytes(64))),
        ("weights-header", gguf([], [gguf_tensor(kind=4711)], bytes(32))),
        ("weights-header", gguf(version=9)),
        ("hidden-data", gguf([], [gguf_tensor()], bytes(32) + PICKLE)),
        ("hidden-data", gguf([], [gguf_tensor()], bytes(32) + b"#!/bin/sh")),
        ("hidden-data", gguf() + PICKLE),
        ("template-escape", gguf([("tokenizer.chat_template", 8, text(ESCAPE))])),
        ("template-escape", gguf([("tokenizer.chat_template.tool_use", 8, text(ESCAPE))])),
        ("template-escape", gguf([("general.description", 8, text(ESCAPE))])),
        ("template-escape", gguf([("a", 9, strings("x", ESCAPE))])),
        ("template-unknown", gguf([("tokenizer.chat_template", 8, text("{% include '/etc/passwd' %}"))])),
        ("template-broken", gguf([("tokenizer.chat_template", 8, text("{{ a"))])),
    ],
)
def test_broken_in_one_place(expected: str, data: bytes) -> None:
    assert expected in rules(data)


def test_an_array_of_a_million_numbers_costs_nothing() -> None:
    data = gguf([("a", 9, word(4) + number(1_000_000) + bytes(4_000_000))])
    result = scan_bytes(data, options=Options(limits=Limits(steps=1_000)))
    assert result.file.verdict is FileVerdict.CLEAN


def test_templates_without_end_are_too_much() -> None:
    values = [(f"x{number}", 8, text("{{ a }}" * 20_000)) for number in range(5)]
    options = Options(limits=Limits(steps=3_000_000))
    found = {finding.rule for finding in scan_bytes(gguf(values), options=options).findings}
    assert found == {"too-much"}


@given(st.data())
def test_mutations_give_a_verdict(data: st.DataObject) -> None:
    raw = bytearray(
        gguf(
            [ARCHITECTURE, ("tokenizer.chat_template", 8, text(TEMPLATE)), ("t", 9, strings("a", "b"))],
            [gguf_tensor(), gguf_tensor("v", (4,), 0, 32)],
            bytes(64),
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    result = scan_bytes(bytes(raw[: data.draw(st.integers(20, len(raw)))]))
    assert "reader-failed" not in {finding.rule for finding in result.findings}
