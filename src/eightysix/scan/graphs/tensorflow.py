"""Judges TensorFlow's graphs: SavedModel, GraphDef and MetaGraphDef, with their function libraries.

Every operator is looked up in an index of TensorFlow's own, default deny. Those that read and write files are parts of
every SavedModel, in what saves and restores its variables: they are judged by role, that is by whether only the saver
reaches them. Field numbers: saved_model.proto, meta_graph.proto, graph.proto, node_def.proto, function.proto.
"""

from __future__ import annotations

from collections.abc import Callable

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.keras_config import judge_text
from eightysix.scan.graphs.location import leaves
from eightysix.scan.graphs.rest import broken
from eightysix.scan.graphs.tf_graph import Meta, read_graph, read_meta
from eightysix.scan.graphs.tf_index import Role, guarded_attribute, role_of
from eightysix.scan.graphs.wire import BYTES, WireError, fields
from eightysix.scan.interface import Scan
from eightysix.scan.weights.shown import shown

__all__ = ["graph", "meta_graph", "saved_model"]


def saved_model(artifact: Artifact, scan: Scan) -> None:
    """A saved_model.pb: several meta graphs."""
    try:
        for number, wire, start, end in fields(artifact.view(), 0, len(artifact)):
            if number == 2 and wire == BYTES:
                _meta(artifact, scan, start, end)
    except WireError as error:
        broken(artifact, scan, error)


def meta_graph(artifact: Artifact, scan: Scan) -> None:
    """A .meta file of TensorFlow 1."""
    _meta(artifact, scan, 0, len(artifact))


def graph(artifact: Artifact, scan: Scan) -> None:
    """A frozen graph: all of it may be run, nothing of it saves."""
    meta = Meta()
    _guarded(artifact, scan, meta, lambda: read_graph(artifact.view(), 0, len(artifact), meta, scan.budget))


def _meta(artifact: Artifact, scan: Scan, first: int, last: int) -> None:
    meta = Meta()
    _guarded(artifact, scan, meta, lambda: read_meta(artifact.view(), first, last, meta, scan.budget))


def _guarded(artifact: Artifact, scan: Scan, meta: Meta, read: Callable[[], None]) -> None:
    try:
        read()
    except WireError as error:
        broken(artifact, scan, error)
    _Judge(artifact, scan, meta).all()


class _Judge:
    def __init__(self, artifact: Artifact, scan: Scan, meta: Meta) -> None:
        self.artifact = artifact
        self.scan = scan
        self.meta = meta
        self.unknown: dict[str, int] = {}
        self.running = _Reach(meta, meta.signatures)

    def all(self) -> None:
        meta = self.meta
        saving = _Reach(meta, meta.saver)
        # What neither reaches is run if somebody asks for it: a traced function of an object, a node by its name.
        only_saver = {(body, node) for body, node in saving.nodes if (body, node) not in self.running.nodes}
        only_saver -= _entered_from_elsewhere(meta, only_saver)
        for where, body in meta.bodies():
            for name, node in body.nodes.items():
                self.operator(where, name, node.operator, node.place, (where, name) in only_saver)
        for attribute in meta.guarded:
            self.attribute(*attribute)
        for asset in meta.assets:
            why = leaves(asset)
            if why:
                self.scan.report("outside-path", self.artifact, f"the asset {shown(asset, 160)} {why}")
        for text in meta.keras:
            judge_text(text, self.artifact, self.scan, imports=False)
        if self.unknown:
            names = sorted(self.unknown)
            why = f"operators that TensorFlow does not have: {', '.join(names[:8])}"
            self.scan.report(
                "unknown-operator", self.artifact, why, offset=min(self.unknown.values()), names=names[:100]
            )

    def operator(self, where: str, name: str, operator: str, place: int, saving: bool) -> None:
        role = role_of(operator)
        if role is Role.PLAIN or operator in self.meta.functions:
            return
        spot = f"{shown(where)}/{shown(name)}" if where else shown(name)
        if role is Role.UNKNOWN:
            if operator:
                self.unknown.setdefault(shown(operator), place)
        elif role is Role.PYTHON:
            why = f"{operator} at {spot} calls Python"
            self.scan.report("graph-python", self.artifact, why, offset=place)
        elif role is Role.EFFECT:
            why = f"{operator} at {spot} reaches files, the network or other machines"
            self.scan.report("graph-effect", self.artifact, why, offset=place)
        elif role is Role.CHECKPOINT and not saving and not self.spare_saver(where, name):
            why = f"{operator} at {spot} reads or writes checkpoints and is no part of the saver"
            self.scan.report("graph-effect", self.artifact, why, offset=place)
        elif role is Role.ASSET and not self.meta.assets and not self.meta.initialises:
            why = f"{operator} at {spot} reads a file that is no asset of the model"
            self.scan.report("graph-effect", self.artifact, why, offset=place)

    def spare_saver(self, where: str, name: str) -> bool:
        """TensorFlow 1 leaves a second saver in the graph for each that was made: it takes its file name from outside.

        Only beside a saver that the model declares, and only where no text in the graph leads to the file.
        """
        if where or not self.meta.saver or (where, name) in self.running.nodes:
            return False
        body = self.meta.body(where)
        seen: set[str] = set()
        stack = [name]
        while stack and len(seen) < 64:
            one = stack.pop()
            if one in seen or one not in body.nodes:
                continue
            seen.add(one)
            node = body.nodes[one]
            if any(leaves(text) for text in node.texts):
                return False
            stack.extend(source for source, _ in node.inputs[:1] if source)
        return True

    def attribute(self, operator: str, name: str, value: str, place: int) -> None:
        """An attribute that names a file only if it is set."""
        if role_of(operator) is not Role.ATTRIBUTE or guarded_attribute(operator) != name:
            return
        harmless = (
            ("", "local://", "stdout", "stderr") if name != "output_stream" else ("", "stdout", "stderr")
        )
        if value in harmless or value.startswith(("log(", "bytes://")):
            return
        why = f"{operator} names the file {shown(value)} in {name}"
        self.scan.report("graph-effect", self.artifact, why, offset=place)


class _Reach:
    """The nodes that are needed to compute some tensors, through the functions that they call."""

    def __init__(self, meta: Meta, tensors: set[str]) -> None:
        self.nodes: set[tuple[str, str]] = set()
        stack: list[tuple[str, str]] = [("", _node_of(tensor)) for tensor in tensors]
        entered: set[str] = set()
        while stack:
            where, name = stack.pop()
            node = meta.body(where).nodes.get(name)
            if node is None or (where, name) in self.nodes:
                continue
            self.nodes.add((where, name))
            stack.extend((where, source) for source, _ in node.inputs)
            for function in (*node.functions, node.operator):
                if function in meta.functions and function not in entered:
                    entered.add(function)
                    stack.extend((function, inner) for inner in meta.functions[function].nodes)


def _entered_from_elsewhere(meta: Meta, candidates: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those candidates in functions that are also called by a node which is no candidate."""
    called = {
        function
        for where, body in meta.bodies()
        for name, node in body.nodes.items()
        if (where, name) not in candidates
        for function in (*node.functions, node.operator)
        if function in meta.functions
    }
    reached: set[tuple[str, str]] = set()
    stack = list(called)
    while stack:
        function = stack.pop()
        for name, node in meta.functions[function].nodes.items():
            if (function, name) not in reached:
                reached.add((function, name))
                stack.extend(one for one in (*node.functions, node.operator) if one in meta.functions)
    return reached & candidates


def _node_of(tensor: str) -> str:
    return tensor.lstrip("^").partition(":")[0]
