"""Jinja templates in documents: handed to the judge of templates."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan

__all__ = ["judge_text"]


def judge_text(template: str, artifact: Artifact, scan: Scan, way: str) -> None:
    """Judge `template`, which lies at `way` in the document."""
    try:
        import_module("eightysix.scan.weights.jinja")
    except ImportError:
        return
    judge: Callable[..., None] = import_module("eightysix.scan.weights.jinja").judge_template
    judge(template, artifact, scan, way)
