"""Jinja templates in documents: handed to the judge of templates."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan

__all__ = ["judge_text"]


def judge_text(template: str, artifact: Artifact, scan: Scan, way: str, *, chat: bool = False) -> None:
    """Judge `template`, which lies at `way` in the document. `chat` says that it is a chat template for certain."""
    from eightysix.scan.weights.jinja import judge_template  # on use: most documents hold none

    for found in judge_template(template, chat=chat):
        scan.report(found.rule, artifact, f"{way}: {found.why}")
