"""Operators of TensorFlow by role: what runs, what only saves, and what is no operator of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.finding import FileVerdict
from eightysix.scan.graphs.tf_index import Role, role_of
from eightysix.scan.scanner import scan_bytes
from tests.scan.graphs.assembled import (
    attribute,
    calls,
    constant,
    f,
    flat,
    function,
    graph,
    message,
    meta,
    operation,
)

X = operation("x", "Placeholder")
SAVER = [
    operation("name", "Placeholder"),
    operation("save", "StatefulPartitionedCall", ["name"], {"f": calls("traced_save")}),
    operation("restore", "StatefulPartitionedCall", ["name"], {"f": calls("traced_restore")}),
]
SAVING = [
    function(
        "traced_save",
        operation("s", "ShardedFilename"),
        operation("w", "SaveV2", ["s"]),
        operation("m", "MergeV2Checkpoints"),
    ),
    function("traced_restore", operation("r", "RestoreV2")),
]
LAMBDA = '{"class_name": "__lambda__"}'
SAVES = ("name:0", "save:0", "restore")


def found(data: bytes) -> dict[str, str]:
    return {finding.rule: finding.why for finding in scan_bytes(data).findings}


@pytest.mark.parametrize(
    "data",
    [
        meta([X, operation("y", "Relu", ["x"])], outputs=["y:0"]),
        meta([X, operation("y", "Relu", ["x"]), *SAVER], SAVING, outputs=["y:0"], saver=SAVES),
        meta(
            [X, operation("y", "PartitionedCall", ["x"], {"f": calls("body")})],
            [function("body", operation("r", "Relu"))],
            outputs=["y:0"],
        ),
        meta([operation("t", "InitializeTableFromTextFileV2")], assets=["vocab.txt"]),
        meta([operation("p", "PrintV2", [], {"output_stream": attribute("stderr")})]),
        meta([X, operation("y", "body", ["x"])], [function("body", operation("r", "Relu"))]),
        meta(
            [
                *SAVER,
                operation("save_1/name", "Const", [], {"value": constant("model")}),
                operation("save_1/w", "SaveV2", ["save_1/name"]),
            ],
            SAVING,
            saver=SAVES,
        ),
        graph([X, operation("y", "MatMul", ["x", "x"])]),
    ],
)
def test_models_that_compute_are_clean(data: bytes) -> None:
    result = scan_bytes(data)
    assert result.findings == ()
    assert result.file.format in ("tensorflow-saved-model", "tensorflow-graph")


@pytest.mark.parametrize(
    ("rule", "data"),
    [
        ("graph-python", meta([X, operation("y", "PyFunc", ["x"])])),
        ("graph-python", meta([], [function("body", operation("y", "EagerPyFunc"))])),
        ("graph-python", graph([X, operation("y", "PyFuncStateless")])),
        ("graph-effect", meta([X, operation("y", "WriteFile", ["x"])], outputs=["y:0"])),
        ("graph-effect", meta([X, operation("y", "ReadFile", ["x"])])),
        ("graph-effect", meta([X, operation("y", "DebugIdentityV2", ["x"])])),
        ("graph-effect", meta([X, operation("y", "TFRecordDatasetV2", ["x"])])),
        ("graph-effect", meta([X, operation("y", "XlaHostCompute", ["x"])])),
        ("graph-effect", meta([X, operation("y", "Save", ["x"])])),
        (
            "graph-effect",
            meta([X, *SAVER, operation("y", "SaveV2", ["x"])], SAVING, outputs=["y:0"], saver=SAVES),
        ),
        (
            "graph-effect",
            meta(
                [X, *SAVER, operation("y", "PartitionedCall", ["x"], {"f": calls("traced_save")})],
                SAVING,
                saver=SAVES,
            ),
        ),
        (
            "graph-effect",
            meta([*SAVER, operation("y", "WriteFile", ["name"])], SAVING, saver=(*SAVES[:2], "y")),
        ),
        (
            "graph-effect",
            meta(
                [
                    *SAVER,
                    operation("n", "Const", [], {"value": constant("/etc/cron.d/x")}),
                    operation("w", "SaveV2", ["n"]),
                ],
                SAVING,
                saver=SAVES,
            ),
        ),
        ("graph-effect", meta([operation("t", "InitializeTableFromTextFileV2")])),
        (
            "graph-effect",
            meta([operation("p", "PrintV2", [], {"output_stream": attribute("file:///tmp/x")})]),
        ),
        (
            "graph-effect",
            meta([operation("p", "DecodeProtoV2", [], {"descriptor_source": attribute("/etc/x")})]),
        ),
        ("outside-path", meta([X], assets=["../../etc/passwd"])),
        ("unknown-operator", meta([operation("y", "SomebodysOp")])),
        ("keras-code", message(f(1, 1), f(2, message(f(2, graph([X])), f(7, f(1, f(4, f(3, LAMBDA)))))))),
        ("graph-broken", meta([X, operation("y", "Relu", ["x"])])[:-3]),
    ],
)
def test_what_runs_is_judged(rule: str, data: bytes) -> None:
    assert rule in found(data)


def test_a_function_named_like_an_operator_hides_nothing() -> None:
    # The body of the function is judged, whatever it is called.
    assert "graph-effect" in found(
        meta([operation("y", "PyFunc")], [function("PyFunc", operation("w", "WriteFile"))])
    )


def test_two_nodes_of_one_name_are_both_judged() -> None:
    assert "graph-effect" in found(meta([operation("n", "WriteFile"), operation("n", "Relu")]))


def test_the_index_knows_what_it_must() -> None:
    assert role_of("MatMul") is role_of("VarHandleOp") is Role.PLAIN
    assert role_of("EagerPyFunc") is Role.PYTHON
    assert role_of("MatchingFiles") is role_of("RemoteCall") is role_of("SqlDataset") is Role.EFFECT
    assert role_of("RestoreV2") is Role.CHECKPOINT
    assert role_of("Matmul") is Role.UNKNOWN


@pytest.mark.parametrize(
    ("operator", "rule"),
    [
        ('"MatMul"', None),
        ('"SaveV2"', None),
        ('"PyFunc"', "graph-python"),
        ('"Write" "File"', "graph-effect"),
        ("'Read\\x46ile'", "graph-effect"),
        ('"Nobodys"', "unknown-operator"),
    ],
)
@pytest.mark.parametrize("colon", ["op: ", "op:", "op :\n  "])
def test_graphs_as_text(operator: str, rule: str | None, colon: str) -> None:
    data = f'saved_model_schema_version: 1\nmeta_graphs {{ graph_def {{ node {{ name: "n" {colon}{operator} }} }} }}'
    result = scan_bytes(data.encode())
    assert result.file.format == "tensorflow-text-graph"
    assert [finding.rule for finding in result.findings] == ([rule] if rule else [])


def test_source_code_with_the_same_words_is_text() -> None:
    code = b'const node = { op: "Copy", node: { op: "Save" } };\n'
    assert scan_bytes(code).file.format == "text"


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        ((), None),
        (("TFLite_Detection_PostProcess", "FlexErf"), None),
        (("FlexPyFunc",), "graph-python"),
        (("Mfcc", "FlexWriteFile"), "graph-effect"),
        (("MyNativeOp",), "unknown-operator"),
        (("FlexNobodysOp",), "unknown-operator"),
    ],
)
def test_tensorflow_lite(names: tuple[str, ...], rule: str | None) -> None:
    result = scan_bytes(flat(*names))
    assert result.file.format == "tflite"
    assert [finding.rule for finding in result.findings] == ([rule] if rule else [])


def test_a_flatbuffer_that_leads_out_of_its_file_is_broken() -> None:
    data = bytearray(flat("A"))
    data[0:4] = b"\xff\xff\xff\x7f"
    assert "graph-broken" in found(bytes(data))


def test_a_keras_layer_that_nobody_imports_is_no_matter_in_a_saved_model() -> None:
    told = '{"class_name": "Mine", "config": {}}'
    data = message(f(1, 1), f(2, message(f(2, graph([X])), f(7, f(1, f(4, f(3, told)))))))
    assert scan_bytes(data).file.verdict is FileVerdict.CLEAN


@given(st.data())
def test_mutations_give_a_verdict(data: st.DataObject) -> None:
    raw = bytearray(
        meta(
            [X, operation("y", "WriteFile", ["x"]), *SAVER],
            SAVING,
            outputs=["y:0"],
            saver=SAVES,
            assets=["a"],
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert "reader-failed" not in {finding.rule for finding in scan_bytes(bytes(raw)).findings}
