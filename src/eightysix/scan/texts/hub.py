"""What the configuration files of model hubs can bring about: code of the repository, and shards from elsewhere."""

from __future__ import annotations

import sys
from typing import Any

from eightysix.scan.agent.known import known
from eightysix.scan.agent.urls import Reach, reach
from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts.names import Standing, standing
from eightysix.scan.texts.templates import judge_text
from eightysix.scan.texts.tree import Place, find_all, shown

__all__ = ["TRIGGERS", "judge_hub", "judge_root"]

ATTENTION = frozenset(
    (
        "attn_implementation",
        "_attn_implementation",
        "_attn_implementation_internal",
        "_experts_implementation",
    )
)
"""Where transformers takes the name of a kernel from; one with a slash names a repository whose code it fetches."""

CODE_KEYS = frozenset(("auto_map", "custom_pipelines", "custom_generate", "custom_pipeline"))
TRIGGERS = CODE_KEYS | ATTENTION | {"chat_template", "weight_map", "_class_name", "flavors"}


def judge_hub(place: Place, artifact: Artifact, scan: Scan) -> None:
    """Judge the keys of the mapping at `place` that hub libraries act on."""
    node: dict[str, Any] = place.node
    way = f"{place.way}." if place.way else ""
    for key in CODE_KEYS & node.keys():
        for value in find_all(node, key):
            _code(f"{way}{key}", value, artifact, scan)
    for key in ATTENTION & node.keys():
        for value in find_all(node, key):
            if isinstance(value, str) and "/" in value:
                scan.report(
                    "remote-code", artifact, f"{way}{key}: kernels from the repository {shown(value)}"
                )
    for value in find_all(node, "chat_template"):
        _templates(f"{way}chat_template", value, artifact, scan)
    for value in find_all(node, "weight_map"):
        if isinstance(value, dict):
            _shards(f"{way}weight_map", value, artifact, scan)
    for value in find_all(node, "flavors"):
        if isinstance(value, dict) and "python_function" in value:
            _flavors(f"{way}flavors", value, artifact, scan)
    if "_class_name" in node:
        _pipeline(way, node, artifact, scan)


def judge_root(root: Any, artifact: Artifact, scan: Scan) -> None:
    """Judge a form that only a whole document has: the modules of sentence-transformers."""
    if isinstance(root, (list, tuple)):
        for at, one in enumerate(root[:1000]):
            if isinstance(one, dict) and {"idx", "name", "path", "type"} <= one.keys():
                for value in find_all(one, "type"):
                    _module(f"[{at}].type", value, artifact, scan)


def _texts(value: Any) -> list[str]:
    """The texts in a value that may be one, a list or a mapping of such, one level deep."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, (list, tuple)):
        return [one for one in value if isinstance(one, str)]
    return []


def _code(way: str, value: Any, artifact: Artifact, scan: Scan) -> None:
    names = [name for name in _texts(value) if name][:20]
    if any(
        ".." in name.split("--")[-1].replace("\\", "/").split("/") or name.startswith("/") for name in names
    ):
        scan.report("path-elsewhere", artifact, f"{way}: code from outside of the folder: {shown(names[0])}")
    elif names:
        told = ", ".join(shown(name) for name in names[:4])
        scan.report("remote-code", artifact, f"{way}: runs code of a repository: {told}", names=names)


def _templates(way: str, value: Any, artifact: Artifact, scan: Scan) -> None:
    if isinstance(value, str):
        judge_text(value, artifact, scan, way, chat=True)
    elif isinstance(value, dict):
        for name, one in value.items():
            _templates(f"{way}.{shown(name, 40)}", one, artifact, scan)
    elif isinstance(value, (list, tuple)):
        for at, one in enumerate(value[:100]):
            if isinstance(one, dict):
                for template in find_all(one, "template"):
                    _templates(f"{way}[{at}].template", template, artifact, scan)


def outside(path: str) -> str:
    """Why a path leads out of the folder that it is relative to; empty where it does not."""
    plain = path.replace("\\", "/")
    if "://" in path[:16]:
        return (
            "is fetched from a metadata service"
            if reach(path) is Reach.METADATA
            else "is fetched from elsewhere"
        )
    if plain.startswith(("/", "~")) or plain[1:3] == ":/":
        return "is an absolute path"
    if ".." in plain.split("/"):
        return "leads out of its folder"
    return "holds a zero byte" if "\0" in path else ""


def _shards(way: str, shards: dict[str, Any], artifact: Artifact, scan: Scan) -> None:
    for shard in {value for value in shards.values() if isinstance(value, str)}:
        why = outside(shard)
        if why:
            scan.report("path-elsewhere", artifact, f"{way}: {shown(shard)} {why}")


def _pipeline(way: str, node: dict[str, Any], artifact: Artifact, scan: Scan) -> None:
    """`model_index.json`: each part names a library and a class; a pair for the pipeline itself is code beside it.

    Models and schedulers have a `_class_name` as well, and lists of two words that are both classes or both plain.
    """
    table = known().diffusers
    for key, value in node.items():
        if (
            not isinstance(value, (list, tuple))
            or len(value) != 2
            or not all(isinstance(one, str) for one in value)
        ):
            continue
        library, name = value
        own = (
            library in table.pipelines
            or library in table.libraries
            or library.partition(".")[0] in table.libraries
        )
        if not library or not name or (own and key != "_class_name"):
            continue
        dotted = f"{library}.{name}"
        pair = library[0].islower() and name[0].isupper()
        if standing(dotted) is Standing.GADGET and (
            pair or library.partition(".")[0] in sys.stdlib_module_names
        ):
            scan.report(
                "config-gadget", artifact, f"{way}{shown(key)}: diffusers would import {shown(dotted)}"
            )
        elif pair or key == "_class_name":
            scan.report(
                "remote-code", artifact, f"{way}{shown(key)}: imports {shown(dotted)}", names=(dotted,)
            )


PATHS = ("path", "model", "data", "code", "env")
"""How keys of MLflow's flavours end that hold paths inside of the model's folder."""


def _flavors(way: str, flavors: dict[str, Any], artifact: Artifact, scan: Scan) -> None:
    for flavor, options in flavors.items():
        for key, value in options.items() if isinstance(options, dict) else ():
            if isinstance(value, str) and str(key).endswith(PATHS) and outside(value):
                told = f"{way}.{shown(flavor, 40)}.{shown(key, 40)}: {shown(value)} {outside(value)}"
                scan.report("path-elsewhere", artifact, told)


def _module(way: str, value: Any, artifact: Artifact, scan: Scan) -> None:
    if not isinstance(value, str) or value.startswith("sentence_transformers."):
        return
    if standing(value) is Standing.GADGET:
        scan.report("config-gadget", artifact, f"{way}: sentence-transformers would import {shown(value)}")
    else:
        scan.report("remote-code", artifact, f"{way}: imports {shown(value)}", names=(value,))
