"""The rules of BloodHound's OpenGraph, from its public schemas of nodes, edges and metadata and its pages for developers
(bloodhound.specterops.io/opengraph/developer, November 2026), written as one JSON Schema and what a schema cannot say."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

__all__ = ["OPENGRAPH", "check_opengraph"]

_PLAIN = [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]
_PROPERTIES = {
    "type": ["object", "null"],
    # pages: names in small letters; `objectid` is made by BloodHound out of the id
    "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$", "not": {"enum": ["objectid"]}},
    "additionalProperties": {
        "anyOf": [*_PLAIN, {"type": "array", "anyOf": [{"items": one} for one in _PLAIN]}]
    },
}
_END = {
    "type": "object",
    "properties": {"match_by": {"enum": ["id", "name"]}, "value": {"type": "string"}},
    "required": ["value"],
    "additionalProperties": False,
}
_KIND = "^[A-Za-z0-9]+_[A-Za-z0-9_]+$"  # pages: a prefix of one's own, then an underscore

OPENGRAPH: dict[str, Any] = {
    "type": "object",
    "properties": {
        "metadata": {
            "type": "object",
            "properties": {"source_kind": {"type": ["string", "null"]}},
            "additionalProperties": False,
        },
        "graph": {
            "type": "object",
            "properties": {
                "nodes": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "id": {"type": "string", "minLength": 1},
                            "kinds": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 3,
                                "items": {"type": "string", "pattern": _KIND},
                            },
                            "properties": _PROPERTIES,
                        },
                        "required": ["id", "kinds"],
                        "additionalProperties": False,
                    },
                },
                "edges": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "kind": {"type": "string", "pattern": _KIND},
                            "start": _END,
                            "end": _END,
                            "properties": _PROPERTIES,
                        },
                        "required": ["start", "end", "kind", "properties"],
                        "additionalProperties": False,
                    },
                },
            },
            "required": ["nodes", "edges"],
            "additionalProperties": False,
        },
    },
    "required": ["graph"],
    "additionalProperties": False,
}


def check_opengraph(text: str) -> dict[str, Any]:
    """The document, which keeps all rules: the schema's; ids once; ends that are there; a kind that is BloodHound's own
    appended to none of ours."""
    document: dict[str, Any] = json.loads(text)
    found = [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(OPENGRAPH).iter_errors(document)
    ]
    assert found == []
    nodes = [node["id"] for node in document["graph"]["nodes"]]
    assert len(nodes) == len(set(nodes))
    known = set(nodes)
    for edge in document["graph"]["edges"]:
        assert edge["start"]["value"] in known
        assert edge["end"]["value"] in known
    return document
