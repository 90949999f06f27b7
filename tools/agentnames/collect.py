"""From wheels to tables of names, over syntax trees alone."""

from __future__ import annotations

import ast
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["collect"]


@dataclass
class _Class:
    module: str
    name: str
    bases: list[str]
    namespace: list[str] | None = None
    serializable: bool | None = None
    secrets: dict[str, str] = field(default_factory=dict)


def _modules(wheel: Path) -> Iterator[tuple[str, ast.Module]]:
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".py"):
                dotted = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
                yield dotted, ast.parse(archive.read(name))


def _literal(node: ast.expr | None) -> Any:
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError):
        return None


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def _returned(function: ast.FunctionDef) -> list[Any]:
    return [_literal(node.value) for node in ast.walk(function) if isinstance(node, ast.Return)]


def _class(module: str, node: ast.ClassDef) -> _Class:
    bases = [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]
    made = _Class(module, node.name, bases)
    for item in node.body:
        if not isinstance(item, ast.FunctionDef):
            continue
        answers = _returned(item)
        if item.name == "get_lc_namespace" and answers and isinstance(answers[0], list):
            made.namespace = answers[0]
        elif item.name == "is_lc_serializable" and answers:
            made.serializable = any(answer is not False for answer in answers)
        elif item.name == "lc_secrets":
            for answer in answers:
                made.secrets.update(answer if isinstance(answer, dict) else {})
            # Some build the mapping step by step: mapping["key"] = "NAME".
            for one in ast.walk(item):
                if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Subscript):
                    key, value = _literal(one.targets[0].slice), _literal(one.value)
                    if isinstance(key, str) and isinstance(value, str):
                        made.secrets[key] = value
                elif isinstance(one, ast.Dict):
                    made.secrets.update(_literal(one) or {})
    return made


def _inherit(one: _Class, by_name: dict[str, list[_Class]], seen: frozenset[str]) -> _Class:
    """What `one` has of its own and by its bases, which are found by name: imports are not followed."""
    made = _Class(one.module, one.name, one.bases, one.namespace, one.serializable, dict(one.secrets))
    for base in one.bases:
        if base in seen:
            continue
        for candidate in by_name.get(base, ())[:1]:
            above = _inherit(candidate, by_name, seen | {base})
            made.namespace = made.namespace or above.namespace
            made.serializable = above.serializable if made.serializable is None else made.serializable
            made.secrets = {**above.secrets, **made.secrets}
    return made


_FOREIGN = frozenset(
    "ABC BaseModel BaseSettings Callable Dict Enum Exception Generic IntEnum List NamedTuple Protocol StrEnum Thread"
    " TypedDict UserDict ValueError dict int list object str tuple".split()
)
"""Bases from elsewhere that are known not to make a class serializable."""


def _settled(one: _Class, by_name: dict[str, list[_Class]], seen: frozenset[str]) -> bool:
    """Whether every base is known, all the way up."""
    for base in one.bases:
        if base in _FOREIGN or base in seen:
            continue
        if base not in by_name or not _settled(by_name[base][0], by_name, seen | {base}):
            return False
    return True


def _mappings(trees: Sequence[tuple[str, ast.Module]]) -> dict[str, str]:
    """The ids that langchain-core's own mappings let through, and the class that each leads to."""
    found: dict[str, str] = {}
    for module, tree in trees:
        if module != "langchain_core.load.mapping":
            continue
        for name, value in _assigned(tree):
            table = _literal(value)
            if name.isupper() and isinstance(table, dict):
                for key, target in table.items():
                    found[".".join(key)] = found[".".join(target)] = ".".join(target)
    return found


def _actors(trees: Sequence[tuple[str, ast.Module]]) -> dict[str, str]:
    """The legacy chains by type, with what makes the library itself call them dangerous, empty for the others."""
    found: dict[str, str] = {}
    for module, tree in trees:
        if not module.endswith("chains.loading"):
            continue
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        for name, value in _assigned(tree):
            if name != "type_to_loader_dict" or not isinstance(value, ast.Dict):
                continue
            for key, loader in zip(value.keys, value.values, strict=True):
                kind, function = _literal(key), functions.get(ast.unparse(loader))
                text = ast.unparse(function) if function is not None else ""
                found[str(kind)] = next(
                    (
                        word
                        for word in ("langchain_experimental", "allow_dangerous", "requests_wrapper")
                        if word in text
                    ),
                    "",
                )
    return found


def _diffusers(trees: Sequence[tuple[str, ast.Module]]) -> dict[str, list[str]]:
    libraries: set[str] = set()
    pipelines: set[str] = set()
    for module, tree in trees:
        if module == "diffusers.pipelines.pipeline_loading_utils":
            for name, value in _assigned(tree):
                if name == "LOADABLE_CLASSES":
                    libraries.update(_literal(value) or {})
        parts = module.split(".")
        if parts[:2] == ["diffusers", "pipelines"] and len(parts) > 2:
            pipelines.add(parts[2])
    return {"libraries": sorted(libraries), "pipelines": sorted(pipelines)}


def _declared(by_name: dict[str, list[_Class]]) -> tuple[set[str], dict[str, dict[str, str]], set[str]]:
    """The ids of classes that `dumps` writes, what each declares as secret, and the names of classes that it never
    writes as a constructor: none of that name is serializable in any wheel, with all bases known."""
    serializable: set[str] = set()
    secrets: dict[str, dict[str, str]] = {}
    written: set[str] = set()
    never: set[str] = set()
    for name, classes in by_name.items():
        for one in classes:
            full = _inherit(one, by_name, frozenset({one.name}))
            ids = {
                ".".join([*(full.namespace or full.module.split(".")), full.name]),
                f"{full.module}.{full.name}",
            }
            if full.serializable:
                serializable.update(ids)
            if full.serializable or not _settled(one, by_name, frozenset({name})):
                written.add(name)
            elif not name.startswith("_"):
                never.add(name)
            if full.secrets:
                for name_ in ids:
                    secrets.setdefault(name_, {}).update(full.secrets)
    return serializable, secrets, never - written


def collect(wheels: Sequence[Path]) -> dict[str, Any]:
    """All tables, each of plain values, the union over the wheels."""
    mapping: dict[str, str] = {}
    namespaces: set[str] = set()
    types: set[str] = set()
    methods: set[str] = set()
    chains: dict[str, str] = {}
    diffusers: dict[str, list[str]] = {"libraries": [], "pipelines": []}
    by_name: dict[str, list[_Class]] = defaultdict(list)
    for wheel in wheels:
        trees = list(_modules(wheel))
        mapping.update(_mappings(trees))
        chains.update(_actors(trees))
        if wheel.name.startswith("diffusers"):
            diffusers = _diffusers(trees)
        for module, tree in trees:
            for name, value in _assigned(tree):
                if module == "langchain_core.load.load" and name == "DEFAULT_NAMESPACES":
                    namespaces.update(_literal(value) or ())
                if (
                    module == "langgraph.checkpoint.serde._msgpack"
                    and isinstance(value, ast.Call)
                    and value.args
                ):
                    words = {".".join(entry) for entry in _literal(value.args[0]) or ()}
                    (types if name == "SAFE_MSGPACK_TYPES" else methods).update(words)
            if "lc" in wheel.name or module.split(".")[0].startswith("langchain"):
                for node in ast.walk(tree):
                    if isinstance(node, ast.ClassDef):
                        by_name[node.name].append(_class(module, node))
    serializable, secrets, never = _declared(by_name)
    return {
        "allowed": mapping,
        "chains": chains,
        "diffusers": diffusers,
        "methods": sorted(methods),
        "namespaces": sorted(namespaces),
        "never": sorted(never - {name.rsplit(".", 1)[-1] for name in mapping}),
        "secrets": secrets,
        "serializable": sorted(serializable - set(mapping)),
        "types": sorted(types),
    }
