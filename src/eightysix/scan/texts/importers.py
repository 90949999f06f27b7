"""Documents that name what a loader is to import: one judge for all of them, over one table of their forms.

Each loader takes a dotted name out of a configuration and calls what it finds there. What the name amounts to is asked
of the index; what nobody vouches for is suspicious where the loader calls anything, and noted where it insists on a
class of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts.names import Standing, standing
from eightysix.scan.texts.tree import Place, find_all, shown

__all__ = ["FORMS", "TRIGGERS", "judge_imports", "judge_name"]


def _always(_node: dict[str, Any], _name: str) -> bool:
    return True


def _beside(*keys: str) -> Callable[[dict[str, Any], str], bool]:
    return lambda node, _name: any(key in node for key in keys)


def _dotted_beside(*keys: str) -> Callable[[dict[str, Any], str], bool]:
    return lambda node, name: "." in name and " " not in name and any(key in node for key in keys)


class Form(Struct, frozen=True):
    """One way to name an import: the `key` that holds it, the `loader` that follows it, `when` a mapping is one.

    `calls` says whether the loader calls whatever it found. `inner` are names in a list that all count.
    """

    key: str
    loader: str
    when: Callable[[dict[str, Any], str], bool] = _always
    calls: bool = True


FORMS = (
    Form("_target_", "hydra.utils.instantiate"),
    Form("target", "instantiate_from_config of latent diffusion", _dotted_beside("params")),
    Form("class_path", "jsonargparse", _dotted_beside("init_args", "dict_kwargs"), calls=False),
    Form("type", "Haystack", _dotted_beside("init_parameters"), calls=False),
    Form("provider", "AutoGen's component loader", _dotted_beside("component_type", "config")),
    Form("py/object", "jsonpickle"),
    Form("py/type", "jsonpickle"),
    Form("py/function", "jsonpickle"),
    Form("py/repr", "jsonpickle"),
    Form("()", "logging.config.dictConfig", calls=False),
    Form("loader_module", "MLflow"),
    Form("parent_library", "PEFT", _beside("base_model_class"), calls=False),
)
"""The loaders' own documentation and source name these keys. `provider` is imported by autogen-core's ComponentLoader."""

TRIGGERS = frozenset(form.key for form in FORMS) | {"py/reduce", "source_code"}

_OWN_ROOTS = {
    "AutoGen's component loader": ("autogen_core.", "autogen_agentchat.", "autogen_ext."),
    "PEFT": ("transformers",),
    "logging.config.dictConfig": ("logging.",),
}
"""Packages whose own names a loader is made for: no news there, unless they lead on into configuration or dunders."""


def judge_imports(place: Place, artifact: Artifact, scan: Scan) -> None:
    """Judge every name in the mapping at `place` that some loader would import."""
    node: dict[str, Any] = place.node
    for form in FORMS:
        for value in find_all(node, form.key):
            if isinstance(value, str) and form.when(node, value):
                _judge(form, value, place, artifact, scan)
    for target in find_all(node, "_target_"):
        if isinstance(target, str) and target.startswith("hydra."):
            for value in find_all(node, "path"):
                if isinstance(value, str) and "." in value:
                    judge_name(value, target, f"{_way(place)}.path", artifact, scan)
    for value in find_all(node, "py/reduce"):
        _reduced(value, place, artifact, scan)
    if "source_code" in node and isinstance(node.get("source_code"), str) and "global_imports" in node:
        scan.report(
            "config-code", artifact, f"{_way(place)}: a tool whose source code runs when the state is loaded"
        )


def _way(place: Place) -> str:
    return place.way or "the document"


def _judge(form: Form, value: str, place: Place, artifact: Artifact, scan: Scan) -> None:
    name = value.strip().replace(":", ".")
    if form.loader == "MLflow":
        _mlflow(value, place, artifact, scan)
        return
    own = name.startswith(_OWN_ROOTS.get(form.loader, ())) and "__" not in name and ".config." not in name
    if own:
        return
    judge_name(name, form.loader, f"{_way(place)}.{form.key}", artifact, scan, calls=form.calls)


def judge_name(
    name: str, loader: str, way: str, artifact: Artifact, scan: Scan, *, calls: bool = True
) -> None:
    """Report a name that `loader` would import, unless it builds data. `calls` as in `Form`."""
    answer = standing(name)
    if answer is Standing.GADGET:
        scan.report("config-gadget", artifact, f"{way}: {loader} would call {shown(name)}")
    elif answer is Standing.UNKNOWN:
        rule = "config-unknown-name" if calls else "config-name"
        scan.report(
            rule, artifact, f"{way}: {loader} would import {shown(name)}", names=(name,) if calls else ()
        )


def _reduced(value: Any, place: Place, artifact: Artifact, scan: Scan) -> None:
    """`py/reduce` holds a callable and its arguments: `[{"py/function": ...}, {"py/tuple": [...]}]`."""
    if not isinstance(value, (list, tuple)) or not value:
        return
    first = value[0]
    named = isinstance(first, dict) and any(
        isinstance(first.get(key), str) for key in ("py/function", "py/type")
    )
    if not named:
        scan.report(
            "config-gadget", artifact, f"{_way(place)}.py/reduce: jsonpickle would call what it computed"
        )


_MLFLOW = ("mlflow.",)


def _mlflow(value: str, place: Place, artifact: Artifact, scan: Scan) -> None:
    """`loader_module` is imported, and its `_load_pyfunc` called: MLflow's own flavours are, others bring code along."""
    if (
        value.startswith(_MLFLOW)
        and value.isascii()
        and all(part.isidentifier() for part in value.split("."))
    ):
        return
    if standing(value) is Standing.GADGET:
        scan.report(
            "config-gadget", artifact, f"{_way(place)}.loader_module: MLflow would import {shown(value)}"
        )
        return
    scan.report(
        "config-unknown-name",
        artifact,
        f"{_way(place)}.loader_module: MLflow would import {shown(value)} and call its _load_pyfunc",
        names=(value,),
    )
