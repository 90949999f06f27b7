"""Keras configurations: as JSON, in an archive, in attributes of HDF5, beside a SavedModel."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits
from eightysix.scan.scanner import scan_bytes
from eightysix.scan.session import Session
from tests.scan.graphs.assembled import CODE, code_layer, f, hdf5, json_bytes, keras, layer, message
from tests.scan.graphs.made_by_h5py import EARLIEST, LATEST
from tests.scan.weights.assembled import PICKLE

DENSE = layer(
    "Dense", units=4, activation="relu", kernel_initializer=layer("GlorotUniform", "keras.initializers")
)


def function(name: str, module: str | None = "builtins") -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": "function"}


def rules(value: object) -> set[str]:
    return {finding.rule for finding in scan_bytes(json.dumps(value).encode()).findings}


def member_rules(data: bytes) -> set[str]:
    """As the container of a `.keras` archive hands it on."""
    session = Session(Limits(), None)
    session.descend(Artifact(data, "m.keras", member="config.json", depth=1, context="keras"))
    return {finding.rule for finding in session.findings}


@pytest.mark.parametrize(
    "value",
    [
        keras(DENSE, layer("Dropout", rate=0.5)),
        keras(DENSE, compile_config={"optimizer": layer("Adam", "keras.optimizers"), "loss": "mse"}),
        keras(layer("Activation", activation=function("gelu", "keras.activations"))),
        keras(layer("Lambda", function=function("relu", "keras.activations"))),
        keras(layer("StringLookup", vocabulary=["a", "/etc/passwd"])),
        keras(layer("Dense", dtype=layer("DTypePolicy", "keras"))),
        keras(
            layer("Add", inbound=[{"args": [{"class_name": "__keras_tensor__", "config": {"shape": [1]}}]}])
        ),
        {
            "class_name": "Sequential",
            "config": [{"class_name": "Dense", "config": {"units": 1}}],
            "keras_version": "2.4.0",
        },
        {
            "class_name": "Functional",
            "config": {"layers": [{"class_name": "TFOpLambda", "config": {"function": "math.add"}}]},
        },
        {
            "class_name": "Functional",
            "config": {"layers": [{"class_name": "TFOpLambda", "config": {"function": "reshape"}}]},
        },
    ],
)
def test_models_of_keras_own_parts_are_clean(value: object) -> None:
    result = scan_bytes(json.dumps(value).encode())
    assert result.file.format == "keras-config"
    assert result.findings == ()
    assert member_rules(json.dumps(value).encode()) == set()


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("keras-code", code_layer()),
        ("keras-code", layer("Bidirectional", layer=layer("TimeDistributed", layer=code_layer()))),
        ("keras-code", layer("Dense", activation={"class_name": "__lambda__", "config": {"code": CODE}})),
        (
            "keras-code",
            {"class_name": "Lambda", "config": {"function": [CODE, None, None], "function_type": "lambda"}},
        ),
        (
            "keras-code",
            {
                "class_name": "Lambda",
                "config": {"function": {"class_name": "__tuple__", "items": [CODE, None]}},
            },
        ),
        ("keras-code", layer("system", "os")),
        ("keras-code", layer("Popen", "subprocess")),
        ("keras-code", function("eval")),
        ("keras-code", function("system", "os")),
        ("keras-code", function("get_file", "keras.utils")),
        ("keras-code", layer("get_file", "keras.utils", origin="x")),
        ("keras-code", layer("enable_unsafe_deserialization", "keras.config")),
        ("keras-code", layer("load_model", "keras.src.saving.saving_api")),
        ("keras-code", layer("eval", "builtins")),
        ("keras-code", layer("TorchModuleWrapper")),
        ("keras-code", {"class_name": "__typespec__", "module": "os", "spec_name": "system"}),
        ("keras-code", {"class_name": "InstanceMethod", "config": {"method": "__class__"}}),
        ("keras-path", layer("TFSMLayer", filepath="x")),
        ("keras-path", layer("StringLookup", vocabulary="/var/run/secrets/token")),
        ("keras-path", layer("IntegerLookup", vocabulary="words.txt")),
        ("keras-path", layer("TextVectorization", vocabulary="http://host/x")),
        ("keras-path", layer("Dense", data_path="../../x")),
        ("keras-unknown", layer("Attention2", "somebody.layers")),
        ("keras-unknown", layer("Dense", "keras_lookalike.layers")),
        ("keras-unknown", layer("Mine", None, "package>Mine")),
        ("keras-unknown", function("my_loss")),
        ("keras-unknown", {"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}),
        ("keras-unknown", {"class_name": "TFOpLambda", "config": {"function": "numpy_function"}}),
        (
            "keras-unknown",
            {"class_name": "Lambda", "config": {"function": "f", "function_type": "function", "module": "m"}},
        ),
    ],
)
def test_what_is_not_keras_own_is_found(rule: str, part: dict[str, Any]) -> None:
    assert rules(keras(DENSE, part)) == {rule}
    assert rules(keras(DENSE, build_config={"deep": [[part]]})) == {rule}


def test_other_json_is_left_to_others() -> None:
    value = {"class_name": "OpenAI", "config": {"class_name": "__lambda__"}}
    assert rules(value) == set()


def test_escaped_names_and_other_encodings_are_read() -> None:
    text = json.dumps(keras(code_layer()))
    escaped = text.replace("class_name", "cl\\u0061ss_name").replace("config", "c\\u006fnfig")
    assert "keras-code" in {finding.rule for finding in scan_bytes(escaped.encode()).findings}
    for encoding in ("utf-16", "utf-16-be", "utf-32", "utf-8-sig"):
        assert "keras-code" in member_rules(text.encode(encoding)), encoding


def test_broken_and_deep_ones_are_told() -> None:
    assert member_rules(b'{"class_name": ') == {"keras-broken", "json-broken"}
    assert member_rules(b'{"class_name": {"a": 1, "a": 2}, ') == {"keras-broken", "json-broken"}
    twice = json.dumps(keras()).replace('"class_name"', '"class_name": "__lambda__", "class_name"', 1)
    assert "keras-broken" in member_rules(twice.encode())
    assert member_rules(b'{"a":' * 100_000) == {"bomb"}
    deep = {"class_name": "Sequential", "config": {}}
    for _ in range(200):
        deep = {"class_name": "Sequential", "config": deep}
    assert "bomb" in rules(deep)


def test_attributes_of_hdf5() -> None:
    clean = scan_bytes(hdf5({"model_config": json_bytes(keras(DENSE)), "backend": b"tensorflow"}))
    assert (clean.file.format, clean.findings) == ("hdf5", ())
    found = scan_bytes(hdf5({"anything": json_bytes(keras(code_layer()))}))
    assert {finding.rule for finding in found.findings} == {"keras-code"}


def test_a_user_block_in_front_of_hdf5_changes_nothing() -> None:
    data = bytes(512) + hdf5({"model_config": json_bytes(keras(code_layer()))})
    assert "keras-code" in {finding.rule for finding in scan_bytes(data).findings}


def test_what_hdf5_stores_elsewhere_is_told() -> None:
    found = scan_bytes(hdf5({"model_config": json_bytes(keras(code_layer()))}, shared=True))
    assert {finding.rule for finding in found.findings} == {"no-reader"}


@pytest.mark.parametrize("data", [EARLIEST, LATEST], ids=["symbol tables", "fractal heaps"])
def test_attributes_deep_in_files_of_the_real_library(data: bytes) -> None:
    result = scan_bytes(data)
    assert {finding.rule for finding in result.findings} == {"keras-code"}
    assert result.file.format == "hdf5"


def test_a_pickle_in_an_attribute_is_read_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    monkeypatch.setattr(Session, "descend", lambda self, part: seen.append(bytes(part.view())))
    scan_bytes(hdf5({"FIELD_0": b"cos\nx\n.", "other": PICKLE}))
    assert PICKLE in seen


def test_configurations_beside_a_saved_model() -> None:
    told = json.dumps(code_layer())
    data = f(1, message(f(2, 0), f(3, "root"), f(4, "_tf_keras_layer"), f(5, told)))
    result = scan_bytes(data)
    assert result.file.format == "keras-metadata"
    assert {finding.rule for finding in result.findings} == {"keras-code"}


@given(data=st.data())
@pytest.mark.parametrize("whole", [EARLIEST, LATEST, hdf5({"model_config": json_bytes(keras(DENSE))})])
def test_mutations_of_hdf5_give_a_verdict(data: st.DataObject, whole: bytes) -> None:
    raw = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(8, min(len(raw), data.draw(st.sampled_from([200, 4_000, 40_000]))) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    assert "reader-failed" not in {finding.rule for finding in scan_bytes(bytes(raw)).findings}
