"""YAML of anybody: what it means, and that no document costs more than itself."""

from __future__ import annotations

import resource
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.posture.yamldocs import MAX_DEPTH, MAX_NODES, Document, read_documents

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


def read(text: str | bytes) -> list[Document]:
    return list(read_documents(text.encode() if isinstance(text, str) else text))


def value(text: str) -> Any:
    (one,) = read(text)
    assert not one.fault
    return one.value


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("true", True), ("Yes", True), ("off", False), ("y", "y"), ("'true'", "true"), ("12", 12), ("-3", -3),
        ("+7", 7), ("0644", 0o644), ("0o17", 15), ("0x1F", 31), ("0899", "0899"), ("1.5", 1.5), ("60e0", 60.0),
        ("1e999", "1e999"), ("1.2.3", "1.2.3"), ("9" * 30, "9" * 30), ("2026-11-23", "2026-11-23"),
        ("!!str 12", "12"), ('"\\u0041"', "A"), (".inf", ".inf"), ("12:30:45", "12:30:45"),
    ],
)  # fmt: skip
def test_scalars_mean_what_kubernetes_makes_of_them(text: str, meant: object) -> None:
    assert value(f"key: {text}") == {"key": meant}


def test_nulls_are_absent() -> None:
    assert value("a:\nb: ~\nc: null\nd: ''\ne: [~]\n") == {"d": "", "e": [None]}


def test_anchors_aliases_and_merges_work_as_charts_use_them() -> None:
    text = "base: &base {a: 1, b: 2}\nmine:\n  <<: *base\n  b: 3\nboth:\n  <<: [*base, {c: 4}]\nlist: [*base, *base]\n"
    base = {"a": 1, "b": 2}
    assert value(text) == {
        "base": base,
        "mine": {"b": 3, "a": 1},
        "both": {"a": 1, "b": 2, "c": 4},
        "list": [base, base],
    }


def test_documents_are_cut_as_kubectl_cuts_them_and_lines_stay_right() -> None:
    text = "# a comment\n---\na: 1\n---\n\n---\n# nothing\n--- # note\nb: |\n  x\n   ---\n  y\n...\n---\nc: 3"
    assert [(one.line, one.value) for one in read(text)] == [
        (2, {"a": 1}),
        (8, {"b": "x\n ---\ny\n"}),
        (14, {"c": 3}),
    ]


def test_a_broken_document_costs_itself_alone() -> None:
    found = read(b"a: 1\n---\nb: [\n---\n\xff\n---\n{{- if .Values.x }}\n---\n'\n---\nc: \x01\n---\nd: 4\n")
    assert [one.value for one in found if not one.fault] == [{"a": 1}, {"d": 4}]
    assert [one.line for one in found if one.fault] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "more than"),
        ("a: &a [*a]", "within it"),
        ("a: *nobody", "without its anchor"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested"),
        ("[" * 200_000, "nested"),
        ("a: " * 5000, "not YAML"),
        ("!!python/object/apply:os.system ['id']", "a tag"),
        ("a: !secret x", "a tag"),
        ("a: 1\na: 2", "twice"),
        ("? [a]\n: 1", "no text"),
        ("<<: 3", "no map"),
        (f"[{'x,' * (MAX_NODES + 1)}]", "more than"),
        (f"a: &a [{'x' * 1_000_000}]\nb: [{'*a,' * 100}]", "MiB of text"),
    ],
)  # fmt: skip
def test_what_would_cost_too_much_or_means_nothing_is_refused(text: str, why: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (one,) = read(text)
    assert why in one.fault
    assert one.value is None
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000
    )  # KiB; the bomb would be 100 GB


def _reads_as_text(text: str) -> bool:
    """Whether it is a text for Kubernetes as for PyYAML, which leaves `0E0` bare: a number to everybody else."""
    try:
        float(text)
    except ValueError:
        return True
    return False


_names = st.text("abcdefghij-", min_size=1, max_size=8).map(lambda text: f"k{text}")
_values = st.recursive(
    st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=20).filter(_reads_as_text),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(_names, _values, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(meant: dict[str, Any]) -> None:
    (one,) = read(yaml.safe_dump(meant, allow_unicode=False))
    assert one.fault == ""
    assert one.value == meant


def test_a_number_without_a_sign_in_its_exponent_is_one() -> None:
    (one,) = read("a: 0E0\nb: '0E0'\nc: 1e3\n")
    assert one.value == {"a": 0.0, "b": "0E0", "c": 1000.0}


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_nothing_raises(data: bytes) -> None:
    for one in read(data + b"\n---\nok: 1\n"):
        assert one.fault or one.value is not None
