"""LangChain's `lc` objects: what `load` would make of each, and whether the library itself could have written it there.

`dumps` writes a constructor for each of its own objects, and a secret only as a direct argument of a class that declares
it. Until langchain-core 1.2.5 and 0.3.81 it did not escape dictionaries of the user that look the same (CVE-2025-68664),
so what a model or a tool answered could come back as an object. That is told apart here by place and by class.
"""

from __future__ import annotations

from typing import Any

from eightysix.scan.agent.known import known
from eightysix.scan.agent.urls import Reach, reach
from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts.names import Standing, standing
from eightysix.scan.texts.templates import judge_text
from eightysix.scan.texts.tree import Place, find_all, shown

__all__ = ["judge_lc", "judge_lc2"]

USER_FIELDS = frozenset(
    "additional_kwargs response_metadata usage_metadata metadata content artifact tool_calls invalid_tool_calls"
    " generation_info llm_output".split()
)
"""Fields of messages, documents and generations that hold what a user, a tool or a model wrote: free dictionaries in
langchain-core's own class definitions."""

DATA_MODULES = (
    "langchain_core.messages.",
    "langchain_core.documents.",
    "langchain_core.outputs.",
    "langchain_core.agents.",
)
"""Where the classes live that hold text and nothing else. A tool's artifact is often a list of such documents."""

ESCAPED = "__lc_escaped__"


def judge_lc(place: Place, artifact: Artifact, scan: Scan) -> None:
    """Judge the `lc` object at `place`; anything else is passed over."""
    node: dict[str, Any] = place.node
    # NOTE: the loader compares with `==`, so true and 1.0 are 1 as well.
    marks = [value for value in find_all(node, "lc") if isinstance(value, (int, float)) and value in (1, 2)]
    if not marks:
        return
    for kind in find_all(node, "type"):
        for value in find_all(node, "id"):
            if value is None or kind not in ("secret", "constructor"):
                continue
            if _escaped(place):
                scan.report("lc-escaped", artifact, f"{place.way}: a {kind} that was escaped as user data")
            elif kind == "secret":
                _secret(place, value, artifact, scan)
            elif 2 in marks:
                judge_lc2(place, value, artifact, scan)
            else:
                _constructor(place, value, artifact, scan)


def _escaped(place: Place) -> bool:
    inner = place
    for outer in place.above():
        if inner.key == ESCAPED and isinstance(outer.node, dict) and len(outer.node) == 1:
            return True
        inner = outer
    return False


def _user_field(place: Place) -> str:
    """The innermost field of user data that `place` lies below, empty where there is none."""
    inner = place
    for outer in place.above():
        if inner.key in USER_FIELDS:
            return str(inner.key)
        inner = outer
    return ""


def _dotted(value: Any) -> str:
    """The id as a dotted name, empty where it is none."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, str) and part for part in value):
        return ".".join(value)
    return ""


def _owner(place: Place) -> tuple[str, str]:
    """The class whose direct argument `place` is, and the argument's name (dotted where it lies deeper)."""
    parts = [str(place.key)]
    for outer in place.above():
        if outer.key == "kwargs" and outer.parent is not None and isinstance(outer.parent.node, dict):
            above = outer.parent.node
            if above.get("type") == "constructor" and above.get("lc") == 1:
                return _dotted(above.get("id")), ".".join(reversed(parts))
        parts.append(str(outer.key))
    return "", ""


def _secret(place: Place, value: Any, artifact: Artifact, scan: Scan) -> None:
    names = list(value) if isinstance(value, (list, tuple)) else [value]
    asked = ", ".join(shown(name) for name in names[:3])
    owner, argument = _owner(place)
    field = _user_field(place)
    if field or not owner:
        below = f"below {field}" if field else "outside of any object that declares it"
        scan.report("lc-secret", artifact, f"{place.way or 'the document'}: asks for {asked}, {below}")
        return
    table = known()
    declared = table.secrets.get(owner) or table.secrets.get(table.allowed.get(owner, ""), {})
    if len(names) == 1 and declared.get(argument) == names[0]:
        return
    if declared or table.allowed.get(owner, "").startswith("langchain_core."):
        scan.report(
            "lc-secret", artifact, f"{place.way}: {shown(owner)} never takes {asked} as {shown(argument)}"
        )
    elif not _own_name(argument, names):
        scan.report(
            "lc-unknown",
            artifact,
            f"{place.way}: nothing says that {shown(owner)} takes {asked}",
            names=(owner,),
        )


def _own_name(argument: str, names: list[Any]) -> bool:
    """Whether the secret is named after the argument, as those that partner packages declare are."""
    words = argument.rsplit(".", 1)[-1].upper().split("_")
    return (
        len(names) == 1
        and isinstance(names[0], str)
        and names[0].split("_")[-2:] == words[-2:]
        and len(words) > 1
    )


def _constructor(place: Place, value: Any, artifact: Artifact, scan: Scan) -> None:
    way = place.way or "the document"
    name = _dotted(value)
    if not name:
        scan.report("lc-unknown", artifact, f"{way}: a constructor whose id is no list of names")
        return
    table = known()
    target = table.allowed.get(name, "")
    written = bool(target) or name in table.serializable
    field = _user_field(place)
    if field and not target.startswith(DATA_MODULES):
        scan.report(
            "lc-injected",
            artifact,
            f"{way}: {shown(name)} would be built below {field}, where only data belongs",
        )
    elif not written:
        _unknown(name, way, artifact, scan)
    for arguments in find_all(place.node, "kwargs"):
        if isinstance(arguments, dict):
            _arguments(name, way, arguments, artifact, scan)


def _unknown(name: str, way: str, artifact: Artifact, scan: Scan) -> None:
    if standing(name) is Standing.GADGET:
        scan.report("lc-gadget", artifact, f"{way}: {shown(name)} is no class that holds data")
        return
    space = name.partition(".")[0].split("_")[0] == "langchain"
    if space and name.rsplit(".", 1)[-1] in known().never:
        scan.report("lc-forged", artifact, f"{way}: {shown(name)}: no release writes a class of that name")
        return
    why = (
        "the library never writes it as a constructor"
        if space
        else "it lies outside of the packages that load trusts"
    )
    scan.report("lc-unknown", artifact, f"{way}: {shown(name)}: {why}", names=(name,))


def _arguments(name: str, way: str, arguments: dict[str, Any], artifact: Artifact, scan: Scan) -> None:
    if "jinja2" in find_all(arguments, "template_format"):
        scan.report("lc-jinja", artifact, f"{way}: {shown(name)} with a jinja2 template")
        for template in find_all(arguments, "template"):
            if isinstance(template, str):
                judge_text(template, artifact, scan, f"{way}.kwargs.template")
    secrets = [
        key for key, value in arguments.items() if isinstance(value, dict) and value.get("type") == "secret"
    ]
    for key, value in arguments.items():
        if not isinstance(value, str) or "://" not in value[:16]:
            continue
        where = reach(value)
        if where is Reach.METADATA:
            scan.report(
                "lc-exfiltrates", artifact, f"{way}.kwargs.{shown(key)}: {shown(value)} is a metadata service"
            )
        elif secrets and where is Reach.PUBLIC and value[:5].lower() == "http:":
            scan.report(
                "lc-endpoint",
                artifact,
                f"{way}.kwargs.{shown(key)}: {shown(value)} gets a secret in clear text",
            )
        elif secrets and where is Reach.PUBLIC:
            scan.report(
                "lc-note", artifact, f"{way}.kwargs.{shown(key)}: {shown(value)} gets {shown(secrets[0])}"
            )


def judge_lc2(place: Place, value: Any, artifact: Artifact, scan: Scan) -> None:
    """An `lc: 2` constructor of LangGraph: any module, any name, until langgraph-checkpoint 3.0 (CVE-2025-64439)."""
    way = place.way or "the document"
    name = _dotted(value)
    if not name:
        scan.report("lc-unknown", artifact, f"{way}: a constructor whose id is no list of names")
        return
    judge_call(name, list(_methods(place.node)), way, artifact, scan)


def _methods(node: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for value in find_all(node, "method"):
        found += [
            one for one in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(one, str)
        ]
    return found


PLAIN_METHODS = frozenset(("construct", "model_construct", "model_validate_json", "fromisoformat"))
"""Methods that LangGraph's own writers named over time: ways to build the very class."""


def judge_call(name: str, methods: list[str], way: str, artifact: Artifact, scan: Scan) -> None:
    """A call that a checkpoint asks for: `name`, or its `methods` one after the other."""
    asked = [name, *(f"{name}.{method}" for method in methods if method not in PLAIN_METHODS)]
    answers = {one: standing(one, functions=False) for one in asked}
    for one, answer in answers.items():
        if answer is Standing.GADGET:
            scan.report("checkpoint-gadget", artifact, f"{way}: would call {shown(one)}")
            return
    unknown = tuple(one for one, answer in answers.items() if answer is Standing.UNKNOWN)
    if unknown:
        scan.report(
            "checkpoint-unknown", artifact, f"{way}: would import {shown(unknown[-1])}", names=unknown
        )
