"""YAML: tags that construct Python objects, in every spelling; aliases that explode; what safe loaders read is clean."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget, Limits
from eightysix.scan.texts.compose import documents, documents_by_python
from tests.scan.told import Recorder, found, rules, verdict

GADGETS = [
    "!!python/object/apply:os.system [x]",
    "a: {b: [!!python/object/apply:os.system [x]]}",
    "!!python/object/new:subprocess.Popen {args: [x]}",
    "a: !!python/module:os.system",
    "a: !!python/name:builtins.exec",
    "!<tag:yaml.org,2002:python/object/apply:os.system> [x]",
    "%TAG !e! tag:yaml.org,2002:python/object/\n---\n!e!apply:os.system [x]",
    "%TAG !e! tag:yaml.org,2002:p\n---\n!e!ython/object/apply:os.system [x]",
    "%TAG ! tag:yaml.org,2002:python/\n---\n!object/apply:os.system [x]",
    "!!p%79thon/object/apply:os.system [x]",
    "? !!python/object/apply:os.system [x]\n: 1",
    "a: &x !!python/name:os.system\nb: *x",
    "a: 1\n--- \nb: !!python/object/apply:os.system [x]",
    "!apply:os.system [x]",
    "x: !new:subprocess.Popen\n    args: [x]",
    "{a: !!python/object/apply:os.system [x]}",
    '{"a": !!python/object/apply:os.system ["x"]}',
]


@pytest.mark.parametrize("text", GADGETS)
def test_what_runs_code_is_malicious(text: str) -> None:
    assert "yaml-python-gadget" in rules(text)
    assert "yaml-python-gadget" in rules(text.encode("utf-16"))


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/tuple [1, 2]\nb: !!python/unicode x\nc: !!python/complex 1j\n",
        "!!python/object/apply:collections.OrderedDict\n- - [a, 1]\n",
        "!!python/object:argparse.Namespace {lr: 0.1}\n",
        "a: !!binary aGVsbG8=\nb: !!set {a, b}\nc: !!omap [a: 1]\nd: !!timestamp 2026-01-01\n",
        "A note: `!!python/object/apply:os.system` in a sentence.\n",
        "# !!python/object/apply:os.system\na: 1\n",
        'a: "!!python/object/apply:os.system"\n',
        "R: !Ref x\nG: !GetAtt a.b\nI: !include other.yaml\n",
        "defaults: &d {a: 1}\nb: {<<: *d}\nc: [*d, *d]\n",
        "Great!! This & that * more.\n\n- a list\n",
    ],
)
def test_what_builds_data_is_clean(text: str) -> None:
    assert verdict(text) == "clean"


def test_unknown_names_are_told() -> None:
    result = found("x: !!python/name:material.extensions.emoji.twemoji ''\n")
    assert [(one.rule, one.names) for one in result.findings] == [
        ("yaml-python-name", ("material.extensions.emoji.twemoji",))
    ]


@pytest.mark.parametrize(
    "text", ["!!javax.script.ScriptEngineManager [a]", "--- !ruby/object:Gem::Installer\ni: x\n"]
)
def test_objects_of_other_languages(text: str) -> None:
    assert rules(text) == {"yaml-object"}


def test_a_binary_is_handed_on() -> None:
    scan = Recorder()
    scan.read(Artifact(b"!!python/tuple\n- !!binary gARLAC4=\n", "file"))
    assert [data for _member, data in scan.parts] == [b"\x80\x04K\x00."]


def test_aliases_that_explode_are_a_bomb() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert rules("\n".join(lines)) == {"bomb"}
    assert verdict("\n".join(lines[:4])) == "clean"
    assert rules("a: &a [*a]") == {"expansion"}


def test_merges_that_explode_end() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(500)) + "}"]
    lines += [f"a{n}: &a{n} {{<<: *a{n - 1}, x{n}: 1}}" for n in range(1, 500)]
    assert rules("\n".join(lines)) == {"bomb"}


def test_a_merge_brings_a_key_along() -> None:
    assert rules("d: &d {_target_: os.system}\nx: {<<: *d, _args_: [a]}\n") == {"config-gadget"}


@pytest.mark.parametrize(
    "text", ["!!a " + "[" * 100_000, "!!a\n" + "".join(" " * n + "a:\n" for n in range(800))]
)
def test_nesting_ends_in_a_finding(text: str) -> None:
    assert rules(text) == {"bomb"}


def test_a_long_text_with_tags_is_not_clean() -> None:
    assert rules("a: !!python/name:os.system\n" + "b: 1\n" * 1_000_000) == {"too-much"}
    assert verdict("a: 1!!\n" + "b: 1\n" * 1_000_000) == "clean"


@given(
    st.lists(
        st.sampled_from(
            "!!python/name:os.system,- ,: ,[,],{,},&a ,*a,%TAG ! x\n,---\n,\n,  ,a,'\",#,|,>,?".split(",")
        ),
        max_size=25,
    )
)
def test_both_scanners_see_the_same_tags(parts: list[str]) -> None:
    text = "".join(parts).encode()
    told: list[list[str]] = []
    for reader in (documents, documents_by_python):
        tags: list[str] = []
        try:
            for document in reader(text, Budget(Limits())):
                tags += [tagged.tag for tagged in document.tags]
        except (yaml.YAMLError, ValueError):
            return
        told.append(tags)
    assert told[0] == told[1]
