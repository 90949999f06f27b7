"""skops: what a node names, and what it would build."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from eightysix.scan.containers.skops import judge
from eightysix.scan.containers.zip import read as read_zip
from tests.scan.containers.recorder import read
from tests.scan.containers.zips import Member, write


def node(module: str, name: str, loader: str, **more: Any) -> dict[str, Any]:
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


ESTIMATOR = node(
    *("sklearn.linear_model._logistic", "LogisticRegression", "ObjectNode"),
    content=node(
        *("builtins", "dict", "DictNode"),
        content={
            "C": node("builtins", "str", "JsonNode", content="1.0"),
            "coef_": node("numpy", "ndarray", "NdArrayNode", type="numpy", file="1.npy"),
            "n": node("numpy", "int64", "NdArrayNode", type="numpy", file="2.npy"),
            "kind": node("builtins", "str", "TypeNode"),
        },
    ),
)


def told(schema: object) -> list[str]:
    return read(judge, msgspec.json.encode(schema)).rules


def test_an_estimator_is_silent() -> None:
    assert told({**ESTIMATOR, "protocol": 2, "_skops_version": "0.16"}) == []


@pytest.mark.parametrize(
    "evil",
    [
        node(
            "builtins",
            "call",
            "MethodNode",
            content={"func": "run", "obj": node("os", "object", "ObjectNode")},
        ),
        node("a", "B", "MethodNode", content={"func": "__reduce__", "obj": node("a", "B", "ObjectNode")}),
        node("builtins", "int", "OperatorFuncNode", attrs=node("builtins", "tuple", "TupleNode", content=[])),
        node("os", "system", "FunctionNode"),
        node("builtins", "eval", "ObjectNode"),
        node("subprocess", "Popen", "ConstructorFromReduceNode"),
    ],
)
def test_a_call_past_the_list_of_types(evil: dict[str, Any]) -> None:
    assert "skops-method" in told(evil)
    assert "skops-method" in told([{"deep": [evil]}])


@pytest.mark.parametrize(
    "unknown",
    [
        node("acme.models", "Net", "ObjectNode"),
        node("a", "B", "MethodNode", content={"func": "run", "obj": node("a", "B", "ObjectNode")}),
        node("operator", "methodcaller", "OperatorFuncNode"),
        node("acme", "helper", "FunctionNode"),
    ],
)
def test_what_nobody_vouches_for(unknown: dict[str, Any]) -> None:
    assert told(unknown) == ["skops-unknown-type"]


@pytest.mark.parametrize(
    "data", [b"{", b"[" * 100_000, b'{"__loader__": "NewNode"}', b'{"__loader__": 5}', b"\xff"]
)
def test_what_cannot_be_read(data: bytes) -> None:
    assert read(judge, data).rules == ["skops-unread"]


def test_the_schema_is_found_in_its_archive() -> None:
    schema = msgspec.json.encode(node("os", "system", "FunctionNode"))
    assert read(read_zip, write(Member(name=b"schema.json", data=schema))).rules == ["skops-method"]
    assert read(read_zip, write(Member(name=b"other/schema.json", data=schema))).rules == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_that_json_reads(encoding: str) -> None:
    schema = msgspec.json.encode(node("os", "system", "FunctionNode")).decode().encode(encoding)
    assert "skops-method" in read(read_zip, write(Member(name=b"schema.json", data=schema))).rules
