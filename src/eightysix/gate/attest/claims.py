"""Flat facts of a verified statement. Every value was written by the builder that signed: true as far as it is believed.

SLSA provenance v0.2 and v1: slsa.dev/spec, both "build provenance"; other predicates give their subject's name alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eightysix.gate.attest.statement import PROVENANCE, Statement, Subject

__all__ = ["claims_of"]

_MAX_TEXT: Final = 1000
_MAX_MATERIALS: Final = 100


def claims_of(statement: Statement, subject: Subject) -> dict[str, str]:
    """What the statement says, of what a gate asks about: empty values are left out."""
    found = {"subject_name": subject.name, "subjects": str(len(statement.subjects))}
    if statement.predicate_type.startswith(PROVENANCE):
        version_1 = "buildDefinition" in statement.predicate or "runDetails" in statement.predicate
        found |= _provenance_1(statement.predicate) if version_1 else _provenance_0(statement.predicate)
    return {name: value[: _MAX_TEXT * 8] for name, value in found.items() if value}


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _commit(digests: object) -> str:
    known = _map(digests)
    return _text(known.get("gitCommit")) or _text(known.get("sha1"))


def _split(uri: str) -> tuple[str, str]:
    """`git+https://host/a/b@refs/heads/main` as the address of the source, and the ref."""
    address, at, ref = uri.removeprefix("git+").rpartition("@")
    return (address, ref) if at and ref.startswith("refs/") else (uri.removeprefix("git+"), "")


def _materials(listed: list[object]) -> str:
    """One a line: the address, and its digests in the order of their names."""
    lines = []
    for item in listed[:_MAX_MATERIALS]:
        fields = _map(item)
        digests = sorted((name, _text(value)) for name, value in _map(fields.get("digest")).items())
        told = " ".join(f"{name}:{value}" for name, value in digests)
        lines.append(f"{_text(fields.get('uri')) or _text(fields.get('name'))} {told}".strip())
    return "\n".join(lines)


def _provenance_0(predicate: Mapping[str, object]) -> dict[str, str]:
    invocation = _map(predicate.get("invocation"))
    config = _map(invocation.get("configSource"))
    source, ref = _split(_text(config.get("uri")))
    materials = _list(predicate.get("materials"))
    return {
        "builder": _text(_map(predicate.get("builder")).get("id")),
        "build_type": _text(predicate.get("buildType")),
        "source": source,
        "ref": ref,
        "commit": _commit(config.get("digest")),
        "entry_point": _text(config.get("entryPoint")),
        "invocation": _text(_map(predicate.get("metadata")).get("buildInvocationId")),
        "materials": _materials(materials),
        "materials_count": str(len(materials)),
    }


def _provenance_1(predicate: Mapping[str, object]) -> dict[str, str]:
    definition = _map(predicate.get("buildDefinition"))
    details = _map(predicate.get("runDetails"))
    parameters = _map(definition.get("externalParameters"))
    workflow = _map(parameters.get("workflow"))
    dependencies = _list(definition.get("resolvedDependencies"))
    source, ref = _split(_text(workflow.get("repository")) or _text(parameters.get("source")))
    commits = (_sourced(item) for item in dependencies[:_MAX_MATERIALS])
    return {
        "builder": _text(_map(details.get("builder")).get("id")),
        "build_type": _text(definition.get("buildType")),
        "source": source,
        "ref": _text(workflow.get("ref")) or ref,
        "commit": next((commit for uri, commit in commits if commit and uri == source), ""),
        "entry_point": _text(workflow.get("path")),
        "invocation": _text(_map(details.get("metadata")).get("invocationId")),
        "materials": _materials(dependencies),
        "materials_count": str(len(dependencies)),
    }


def _sourced(dependency: object) -> tuple[str, str]:
    fields = _map(dependency)
    return _split(_text(fields.get("uri")))[0], _commit(fields.get("digest"))
