"""LangChain's older files: `load_prompt` and `load_chain` follow paths in them and build chains by `_type`."""

from __future__ import annotations

from typing import Any

from eightysix.scan.agent.known import known
from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts.hub import outside
from eightysix.scan.texts.templates import judge_text
from eightysix.scan.texts.tree import Place, find_all, shown

__all__ = ["TRIGGERS", "judge_legacy"]

PATHS = frozenset(
    "template_path prefix_path suffix_path examples prompt_path example_prompt_path llm_path llm_chain_path".split()
)
"""Keys that langchain's `load_prompt_from_config` and `load_chain_from_config` open as files."""

TRIGGERS = frozenset(("_type",)) | (PATHS - {"examples"})


def judge_legacy(place: Place, artifact: Artifact, scan: Scan) -> None:
    """Judge the mapping at `place` where it is a prompt, a chain or an agent of the old file format."""
    node: dict[str, Any] = place.node
    way = f"{place.way}." if place.way else ""
    for kind in find_all(node, "_type"):
        if isinstance(kind, str) and known().chains.get(kind):
            scan.report(
                "chain-acts",
                artifact,
                f"{way}_type: {shown(kind)}: lets the model act ({known().chains[kind]})",
            )
    typed = "_type" in node
    for key in PATHS & node.keys():
        if not typed and key == "examples":
            continue
        for value in find_all(node, key):
            if isinstance(value, str):
                _path(f"{way}{key}", value, artifact, scan)
    if typed and "jinja2" in find_all(node, "template_format"):
        scan.report("lc-jinja", artifact, f"{way}template_format: jinja2 in a prompt")
        for template in find_all(node, "template"):
            if isinstance(template, str):
                judge_text(template, artifact, scan, f"{way}template")


def _path(way: str, value: str, artifact: Artifact, scan: Scan) -> None:
    if value.startswith("lc://"):
        scan.report("prompt-hub", artifact, f"{way}: {shown(value)} is fetched when the file is loaded")
        return
    why = outside(value)
    if why:
        scan.report("prompt-file", artifact, f"{way}: {shown(value)} {why}")
