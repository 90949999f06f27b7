"""What the tags of a YAML document ask a loader to do."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts.compose import MAP_TAG, Document, Tagged
from eightysix.scan.texts.names import Standing, standing
from eightysix.scan.texts.tree import shown

__all__ = ["judge_tags"]

PYTHON = MAP_TAG + "python/"
PLAIN = frozenset("none bool str unicode bytes int long float complex list tuple dict".split())
"""Python tags that PyYAML's full loader turns into plain data (its documentation, "YAML tags and Python types")."""

CALLS = {
    "object/apply": "calls",
    "object/new": "makes",
    "object": "makes",
    "name": "imports",
    "module": "imports",
}

HYPER = {"!new": "calls", "!apply": "calls", "!name": "imports", "!module": "imports"}
"""Tags of HyperPyYAML, which SpeechBrain reads its `hyperparams.yaml` with."""


def judge_tags(document: Document, artifact: Artifact, scan: Scan) -> None:
    """Report what a full loader of Python objects would do for the tags of one document."""
    others: list[str] = []
    for tagged in document.tags:
        if tagged.tag.startswith(PYTHON):
            _python(tagged, tagged.tag.removeprefix(PYTHON), artifact, scan)
            continue
        kind, colon, name = tagged.tag.partition(":")
        if colon and kind in HYPER:
            _named(tagged, HYPER[kind], name, artifact, scan)
        elif tagged.tag.startswith(MAP_TAG) or _foreign(tagged.tag):
            what = shown(tagged.tag.removeprefix(MAP_TAG))
            scan.report("yaml-object", artifact, f"line {tagged.line}: makes {what}")
        elif tagged.tag.startswith("!"):
            others.append(tagged.tag)
    if others:
        told = ", ".join(sorted({shown(tag, 40) for tag in others})[:5])
        scan.report("yaml-tag", artifact, f"tags that some program defines: {told}")


def _foreign(tag: str) -> bool:
    """`!ruby/object:Gem::Installer`, `!php/object:...`: a language, a kind, and a name."""
    kind, colon, name = tag.partition(":")
    return bool(colon and name) and "/" in kind and kind[1:2].isalpha() and not kind.startswith("tag")


def _python(tagged: Tagged, rest: str, artifact: Artifact, scan: Scan) -> None:
    kind, colon, name = rest.partition(":")
    if not colon and kind in PLAIN:
        return
    if kind not in CALLS or not name:
        scan.report(
            "yaml-python-name", artifact, f"line {tagged.line}: a Python tag that is not known: {shown(rest)}"
        )
        return
    _named(tagged, CALLS[kind], name, artifact, scan)


def _named(tagged: Tagged, does: str, name: str, artifact: Artifact, scan: Scan) -> None:
    answer = standing(name)
    why = f"line {tagged.line}: {does} {shown(name)}"
    if answer is Standing.GADGET:
        scan.report("yaml-python-gadget", artifact, why)
    elif answer is Standing.UNKNOWN:
        scan.report("yaml-python-name", artifact, why, names=(name,))
