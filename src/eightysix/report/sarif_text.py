"""What every SARIF 2.1.0 document of ours has in common (OASIS Standard with errata 01, docs.oasis-open.org/sarif)."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["SARIF_SCHEMA", "message", "unlogged_json", "uri"]

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def uri(path: str) -> str:
    """`path` as a URI reference, everything percent-encoded that is no path: no scheme, host, query or fragment."""
    told = quote(path.removeprefix("./"), errors="backslashreplace")
    return "/%2F" + told[2:] if told.startswith("//") else told  # two slashes begin a host


def message(text: str) -> dict[str, object]:
    """A message that is text alone: brackets would begin a link (3.11.6), braces with a number a placeholder (3.11.5)."""
    safe = (
        text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
        if "[" in text or "]" in text
        else text
    )
    for digit in "0123456789":
        safe = safe.replace("{" + digit, "{ " + digit)
    return {"text": safe}


def unlogged_json(text: str) -> str:
    """JSON in which no log of a CI system finds a command (`##vso[`, `##[`): two number signs occur only in strings."""
    return text.replace("##", "#\\u0023") if "##" in text else text
