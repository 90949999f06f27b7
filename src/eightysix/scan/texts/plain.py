"""Reads text that is no JSON: YAML where it can matter, requirements, templates, scripts."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator

import yaml

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import OverBudgetError
from eightysix.scan.interface import Scan
from eightysix.scan.texts import compose, programs, requirements
from eightysix.scan.texts.decode import as_utf8
from eightysix.scan.texts.documents import WHOLE, judge_json
from eightysix.scan.texts.judge import TRIGGERS, judge_document
from eightysix.scan.texts.parse import ESCAPES
from eightysix.scan.texts.templates import judge_text
from eightysix.scan.texts.yamltags import judge_tags

__all__ = ["read", "read_text"]

YAML = 4 << 20
"""Bytes of YAML that are composed: more than any configuration has."""

TAGS = (b"!!", b"!<", b"%TAG", b"!new:", b"!apply:", b"!name:", b"!module:", b"/object:")
"""How a tag with a meaning of its own can begin. A handle of the document's own needs `%TAG`."""

_LOUD = (b"!!python", b"\n%TAG", b"tag:yaml.org,2002:py")
"""Tags in a text that is too long to be composed: `!!` and `!<` alone are in every web page."""

_WORDS = tuple(key.encode() for key in sorted(TRIGGERS - {"type"}))
YAML_ESCAPES = (*ESCAPES, *(f"\\x{digit}".encode() for digit in "234567"), b"\\U0000")
DIRECTIVES = 1000
"""`%` at the start of a line: libyaml looks through all directives for each."""

TEMPLATE = 1 << 20
"""Characters of a text that is judged as a template; a longer one is none."""

JINJA = ("{%", "{{")


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge a text."""
    if len(artifact) > WHOLE:
        if artifact.find(b"\0") >= 0:
            scan.report("text-broken", artifact, "begins as text and goes on as something else")
        elif any(artifact.find(word) >= 0 for word in (*_LOUD, *_WORDS)):
            scan.report(
                "too-much", artifact, f"a text of more than {WHOLE:,} bytes that needs to be read whole"
            )
        return
    body = as_utf8(artifact.head(len(artifact)))
    if body is None:
        scan.report("text-broken", artifact, "begins as text and goes on as something else")
        return
    read_text(body, artifact, scan)


def read_text(body: bytes, artifact: Artifact, scan: Scan, *, json: bool = False) -> None:
    """Judge UTF-8 text. `json` says that it begins as JSON does and is none."""
    if not json and body[:1] == b'"' and judge_json(body, artifact, scan):
        return
    if body.startswith(b"#!"):
        programs.judge_script(body.decode(errors="replace"), artifact, scan)
        return
    if _yaml_matters(body):
        _yaml(body, artifact, scan)
    text = body.decode(errors="replace") if len(body) <= YAML else ""
    lines = text.split("\n") if len(text) <= 1 << 20 else []
    if lines and requirements.is_requirements(lines):
        requirements.judge_requirements(lines, artifact, scan)
    elif programs.looks_python(text) and programs.judge_python(text, artifact, scan):
        return
    elif len(text) <= TEMPLATE and (all(mark in text for mark in JINJA) or text.lstrip().startswith(JINJA)):
        judge_text(text, artifact, scan, "the text")
    elif json:
        scan.report("json-broken", artifact, "begins as JSON and does not hold to it")


def _yaml_matters(body: bytes) -> bool:
    if any(tag in body for tag in TAGS) or any(word in body for word in _WORDS):
        return True
    if (b"&" in body and b"*" in body) or b"dependencies:" in body:
        return True
    return any(escape in body for escape in YAML_ESCAPES)


def _yaml(body: bytes, artifact: Artifact, scan: Scan) -> None:
    if len(body) > YAML or body.count(b"\n%") > DIRECTIVES:
        if any(tag in body for tag in _LOUD):
            scan.report(
                "too-much", artifact, f"YAML of more than {YAML:,} bytes or {DIRECTIVES:,} directives"
            )
        return
    try:
        _judge(compose.documents(body, scan.budget), artifact, scan)
    except (yaml.YAMLError, ValueError):
        if b"python" in body and len(body) <= compose.PYTHON_SCANNER:
            _again(body, artifact, scan)
    except OverBudgetError as over:
        if over.limit not in ("depth", "merged entries"):
            raise
        scan.report("bomb", artifact, str(over))


def _again(body: bytes, artifact: Artifact, scan: Scan) -> None:
    """What libyaml refuses may still be a document to PyYAML's own scanner."""
    try:
        _judge(compose.documents_by_python(body, scan.budget), artifact, scan)
    except (yaml.YAMLError, ValueError, RecursionError):
        return


def _judge(documents: Iterator[compose.Document], artifact: Artifact, scan: Scan) -> None:
    for document in documents:
        if document.cyclic:
            scan.report("expansion", artifact, "a node that contains itself")
        elif document.size > compose.EXPANDED:
            scan.report("bomb", artifact, f"{document.size:,} nodes once every alias is written out")
        judge_tags(document, artifact, scan)
        for at, text in enumerate(document.binaries):
            _binary(f"binary {at}", text, artifact, scan)
        if isinstance(document.root, (dict, list)):
            judge_document(document.root, artifact, scan)
            requirements.judge_conda(document.root, artifact, scan)


def _binary(name: str, text: str, artifact: Artifact, scan: Scan) -> None:
    try:
        data = b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return
    scan.descend(artifact.unpacked(name, data))
