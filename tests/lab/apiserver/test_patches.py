"""Patches: the examples of the standards, lists that are merged, and what cannot be applied."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.apiserver.messages import Request
from eightysix.lab.apiserver.patches import reader
from eightysix.lab.apiserver.status import ApiError
from tests.lab.apiserver.cluster import Lab

JSON, MERGE, STRATEGIC = (
    f"application/{kind}+json" for kind in ("json-patch", "merge-patch", "strategic-merge-patch")
)


def patched(item: Any, patch: Any, kind: str) -> Any:
    request = Request("PATCH", "/", (("content-type", kind),), msgspec.json.encode(patch))
    return reader(request).apply(json.loads(json.dumps(item)))


@pytest.mark.parametrize(
    ("item", "patch", "expected"),
    [  # RFC 7386, appendix A: those whose result is an object
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_of_the_standard(item: Any, patch: Any, expected: Any) -> None:
    assert patched(item, patch, MERGE) == expected


@pytest.mark.parametrize(
    ("item", "patch", "expected"),
    [  # RFC 6902, appendix A
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        (
            {"foo": ["bar", "baz"]},
            [{"op": "add", "path": "/foo/1", "value": "qux"}],
            {"foo": ["bar", "qux", "baz"]},
        ),
        ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
        ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        (
            {"foo": "bar"},
            [{"op": "add", "path": "/child", "value": {"a": {}}}],
            {"foo": "bar", "child": {"a": {}}},
        ),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ],
)
def test_json_patches_of_the_standard(item: Any, patch: Any, expected: Any) -> None:
    assert patched(item, patch, JSON) == expected


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "add", "path": "/baz/bat", "value": "qux"}],
        [{"op": "test", "path": "/foo", "value": "no"}],
        [{"op": "remove", "path": "/absent"}],
        [{"op": "replace", "path": "/list/9", "value": 1}],
        [{"op": "add", "path": "/list/-1", "value": 1}],
        [{"op": "move", "path": "/x"}],
        [{"op": "copy", "from": "/absent", "path": "/x"}],
        [{"op": "remove", "path": "no-pointer"}],
    ],
)
def test_a_patch_that_cannot_be_applied_is_422(patch: Any) -> None:
    with pytest.raises(ApiError) as refused:
        patched({"foo": "bar", "list": [1]}, patch, JSON)
    assert refused.value.code == 422


def test_a_patch_cannot_double_itself_without_end() -> None:
    doubling = [{"op": "copy", "from": "", "path": f"/a{at}"} for at in range(60)]
    with pytest.raises(ApiError) as refused:
        patched({"a": 1}, doubling, JSON)
    assert refused.value.code == 413


def test_a_strategic_patch_merges_lists_by_their_key() -> None:
    held = {
        "spec": {
            "containers": [
                {
                    "name": "a",
                    "image": "1",
                    "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
                },
                {"name": "b", "image": "2"},
            ],
            "args": ["x"],
        }
    }
    patch = {
        "spec": {
            "containers": [
                {"name": "a", "env": [{"name": "X", "value": "9"}, {"name": "Y", "$patch": "delete"}]},
                {"name": "c", "image": "3"},
            ],
            "args": ["y"],
        }
    }
    assert patched(held, patch, STRATEGIC)["spec"] == {
        "containers": [
            {"name": "a", "image": "1", "env": [{"name": "X", "value": "9"}]},
            {"name": "b", "image": "2"},
            {"name": "c", "image": "3"},
        ],
        "args": ["y"],
    }


def test_a_strategic_patch_may_replace_and_remove() -> None:
    held = {
        "metadata": {"finalizers": ["a", "b"], "labels": {"x": "1"}},
        "spec": {"containers": [{"name": "a"}]},
    }
    patch = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "labels": {"$patch": "replace", "y": "2"}},
        "spec": {"containers": [{"$patch": "replace"}, {"name": "z"}]},
    }
    assert patched(held, patch, STRATEGIC) == {
        "metadata": {"finalizers": ["b"], "labels": {"y": "2"}},
        "spec": {"containers": [{"name": "z"}]},
    }


def test_server_side_apply_is_not_spoken(lab: Lab) -> None:
    path = "/api/v1/namespaces/ml/pods/inference-0"
    status, answer = lab.admin("PATCH", path, {}, content="application/apply-patch+yaml")
    assert (status, answer["reason"]) == (415, "UnsupportedMediaType")


def test_a_patch_may_not_rename(lab: Lab) -> None:
    path = "/api/v1/namespaces/ml/pods/inference-0"
    assert lab.admin("PATCH", path, {"metadata": {"name": "other"}}, content=MERGE)[0] == 400


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~$", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "containers", "a", "$patch", "env"]), inner)
    ),
    max_leaves=12,
)
OPERATION = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "none"])},
    optional={"path": st.text("/ab01-~", max_size=5), "from": st.text("/ab01-~", max_size=5), "value": ANY},
)


@given(ANY, ANY | st.lists(OPERATION, max_size=6), st.sampled_from([JSON, MERGE, STRATEGIC]))
def test_any_patch_of_anything_is_applied_or_refused(item: Any, patch: Any, kind: str) -> None:
    with suppress(ApiError):
        assert isinstance(patched({"a": item}, patch, kind), dict)
