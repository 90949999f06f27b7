"""Judges the schema of a skops file: the tree of nodes that `skops.io.load` builds objects from.

skops asks for each node whether the type that it names is trusted, and lets its loader build it. What the index of names
vouches for is trusted here. Some loaders once built something else than they named: those are judged by what they build.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan

__all__ = ["judge"]

_LONGEST = 8 << 20
"""Bytes of a schema that are read; ours. Forests of a thousand trees stay below 2 MB: the arrays lie beside it."""

_SHOWN = 8

_LOADERS = frozenset(
    {
        *(
            "DictNode",
            "DefaultDictNode",
            "ListNode",
            "SetNode",
            "TupleNode",
            "BytesNode",
            "BytearrayNode",
            "SliceNode",
        ),
        *(
            "FunctionNode",
            "MethodNode",
            "PartialNode",
            "TypeNode",
            "ConstructorFromReduceNode",
            "ObjectNode",
            "JsonNode",
        ),
        *(
            "OperatorFuncNode",
            "NdArrayNode",
            "MaskedArrayNode",
            "RandomStateNode",
            "RandomGeneratorNode",
            "DTypeNode",
        ),
        *(
            "SparseMatrixNode",
            "TreeNode",
            "LossNode",
            "_DictWithDeprecatedKeysNode",
            "QuantileForestNode",
            "CachedNode",
        ),
        *("SGDNode", "ReduceNode", "ZoneInfoNode"),
    }
)
"""Every kind of node from skops 0.1 to 0.16 (its `NODE_TYPE_MAPPING`, current and in `old`)."""

_PLAIN = frozenset({"JsonNode", "BytesNode", "BytearrayNode", "SliceNode", "CachedNode"})
"""Loaders that build what the JSON says and use no type that is named."""

_VALUES = frozenset({"FunctionNode", "TypeNode", "PartialNode"})
"""Loaders that refer to what is named and do not call it."""

_OWN = {
    "NdArrayNode": "numpy",
    "MaskedArrayNode": "numpy",
    "RandomStateNode": "numpy",
    "RandomGeneratorNode": "numpy",
    "DTypeNode": "numpy",
    "SparseMatrixNode": "scipy",
    "TreeNode": "sklearn",
    "LossNode": "sklearn",
    "QuantileForestNode": "quantile_forest",
}
"""Loaders that read arrays or state in a way of their own, and the library whose types they make of it."""

_PRIMITIVES = frozenset(
    f"builtins.{name}"
    for name in (
        "int",
        "float",
        "complex",
        "str",
        "bool",
        "bytes",
        "list",
        "dict",
        "set",
        "tuple",
        "frozenset",
        "map",
    )
)


def judge(artifact: Artifact, scan: Scan) -> None:
    """Judge `schema.json`."""
    if len(artifact) > _LONGEST:
        scan.report("skops-unread", artifact, f"the schema has {len(artifact):,} bytes")
        return
    data = artifact.head(_LONGEST)
    try:
        # skops hands the bytes to `json.loads`, which reads UTF-16 and UTF-32 as well.
        schema = msgspec.json.decode(data.decode(json.detect_encoding(data)))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        scan.report("skops-unread", artifact, "the schema is no JSON, or nests too deep")
        return
    _Schema(artifact, scan).walk(schema)


class _Schema:
    def __init__(self, artifact: Artifact, scan: Scan) -> None:
        self.artifact = artifact
        self.scan = scan
        self.unknown: dict[str, None] = {}

    def walk(self, schema: object) -> None:
        todo = [schema]
        while todo:
            one = todo.pop()
            self.scan.budget.step(1)
            if isinstance(one, dict):
                todo.extend(one.values())
                if "__loader__" in one:
                    self._node(one)
            elif isinstance(one, list):
                todo.extend(one)
        if self.unknown:
            names = list(self.unknown)
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            shown = ", ".join(name[:120] for name in names[:_SHOWN])
            self.scan.report(
                "skops-unknown-type", self.artifact, f"it builds {shown}{more}", names=names[:_SHOWN]
            )

    def _node(self, node: dict[str, Any]) -> None:
        loader = node["__loader__"]
        module, name = node.get("__module__"), node.get("__class__")
        if not isinstance(loader, str) or loader not in _LOADERS:
            self.scan.report("skops-unread", self.artifact, f"a node of an unknown kind: {str(loader)[:80]}")
        elif loader == "MethodNode":
            self._method(node)
        elif loader == "OperatorFuncNode":
            self._operator(module, name)
        elif loader not in _PLAIN and isinstance(module, str) and isinstance(name, str):
            if module.partition(".")[0] != _OWN.get(loader, ""):
                self._type(module, name, loader)

    def _method(self, node: dict[str, Any]) -> None:
        content = node.get("content")
        inner = content.get("obj") if isinstance(content, dict) else None
        function = content.get("func") if isinstance(content, dict) else None
        named = f"{node.get('__module__')}.{node.get('__class__')}"
        if not isinstance(inner, dict) or not isinstance(function, str):
            self.scan.report("skops-unread", self.artifact, "a method without an object")
            return
        built = f"{inner.get('__module__')}.{inner.get('__class__')}"
        if named != built:
            self.scan.report(
                "skops-method",
                self.artifact,
                f"a method says that it is of {named[:120]} and is of {built[:120]}",
            )
        elif function.startswith("_"):
            self.scan.report("skops-method", self.artifact, f"it takes {function[:80]} of {built[:120]}")
        else:
            self.unknown[f"{built}.{function}"] = None

    def _operator(self, module: object, name: object) -> None:
        if module != "operator":
            self.scan.report(
                "skops-method",
                self.artifact,
                f"a function of operator says that it is {str(module)[:120]}.{str(name)[:120]}",
            )
        elif name not in ("itemgetter", "attrgetter"):
            self.unknown[f"operator.{name}"] = None

    def _type(self, module: str, name: str, loader: str) -> None:
        from eightysix.scan.index import RoleKind, role

        called = f"{module}.{name}"
        value = loader in _VALUES
        if called in _PRIMITIVES:
            return
        found = role(module, name)
        if found.kind is RoleKind.CONSTRUCT or (value and found.kind in (RoleKind.VALUE, RoleKind.FUNCTION)):
            return
        if found.kind is RoleKind.UNKNOWN and found.library and loader == "ObjectNode" and name[:1].isupper():
            return  # a compiled class of an indexed library: what it is made without is `__init__`
        if found.kind in (RoleKind.GADGET, RoleKind.DENIED) and (found.effect or loader != "TypeNode"):
            reach = f", which {found.effect}" if found.effect else ""
            self.scan.report("skops-method", self.artifact, f"it builds {called[:200]}{reach}")
        else:
            self.unknown[called] = None
