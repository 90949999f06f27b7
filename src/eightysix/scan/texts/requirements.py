"""Requirement files and conda environments: where packages are to come from."""

from __future__ import annotations

from typing import Any

from eightysix.scan.agent.urls import Reach, reach
from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts.tree import shown

__all__ = ["is_requirements", "judge_conda", "judge_requirements"]

OPTIONS = ("--index-url", "--extra-index-url", "--find-links", "--trusted-host", "-i", "-f")
PLAIN_SCHEMES = ("http://", "git+http://", "git://", "git+git://", "hg+http://", "svn+http://", "ftp://")
"""Whoever sits on the way decides what is installed: nothing signs it."""

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def _entry(line: str) -> bool:
    """Whether a line is one of a requirements file: an option, a URL, or a name with at most a version behind."""
    if line.startswith(("-", "git+", "hg+", "svn+", "http://", "https://", "./", "file:")):
        return line.startswith(("-r", "-c", "-e", "-i", "-f", "--")) or not line.startswith("-")
    at = 0
    while at < len(line) and line[at] in _NAME:
        at += 1
    rest = line[at:].lstrip()
    return bool(at) and (
        not rest or rest.startswith(("==", ">=", "<=", "~=", "!=", ">", "<", "===", "[", ";", "@", "("))
    )


def is_requirements(lines: list[str]) -> bool:
    """Whether every line that says something could stand in a requirements file, and one says where from or what."""
    kept = [
        line for line in (line.split(" #")[0].strip() for line in lines) if line and not line.startswith("#")
    ]
    return bool(kept) and len(kept) <= 5000 and all(_entry(line) for line in kept)


def judge_requirements(lines: list[str], artifact: Artifact, scan: Scan) -> None:
    """Report sources that somebody on the way, or of the same name, can put a package into."""
    for number, line in enumerate(lines, 1):
        text = line.split(" #")[0].strip()
        if text and not text.startswith("#"):
            _line(f"line {number}", text, artifact, scan)


def _line(way: str, text: str, artifact: Artifact, scan: Scan) -> None:
    option = next((one for one in OPTIONS if text.startswith((f"{one} ", f"{one}="))), "")
    if option:
        value = text[len(option) :].lstrip(" =").strip("\"'")
        _option(way, option, value, artifact, scan)
        return
    _source(way, text.partition(" @ ")[2].strip() or text.removeprefix("-e").strip(), artifact, scan)


def _option(way: str, option: str, value: str, artifact: Artifact, scan: Scan) -> None:
    if option == "--trusted-host":
        if reach(f"http://{value}") is Reach.PUBLIC:
            scan.report("package-source", artifact, f"{way}: certificates of {shown(value)} are not checked")
    elif value.startswith(PLAIN_SCHEMES):
        _source(way, value, artifact, scan)
    elif option in ("--extra-index-url", "--find-links", "-f") and reach(value) is Reach.PUBLIC:
        scan.report(
            "package-index",
            artifact,
            f"{way}: {option} {shown(value)} competes with the main index for every name",
        )
    elif reach(value) is Reach.PUBLIC and not value.startswith("https://pypi.org/"):
        scan.report("package-index", artifact, f"{way}: packages come from {shown(value)}")


def _source(way: str, value: str, artifact: Artifact, scan: Scan) -> None:
    if value.startswith(PLAIN_SCHEMES):
        scan.report(
            "package-source", artifact, f"{way}: {shown(value)} is fetched without encryption or signature"
        )
    elif value.startswith(("git+", "hg+", "svn+", "http")) and "://" in value:
        scan.report("package-index", artifact, f"{way}: {shown(value)} is no package of an index")


def judge_conda(root: Any, artifact: Artifact, scan: Scan) -> None:
    """Judge a conda environment: its channels, and the requirements that it hands to pip."""
    if not isinstance(root, dict) or not isinstance(root.get("dependencies"), list):
        return
    for channel in root["channels"] if isinstance(root.get("channels"), list) else ():
        if isinstance(channel, str):
            _source("channels", channel, artifact, scan)
    for entry in root["dependencies"]:
        lines = entry.get("pip") if isinstance(entry, dict) else None
        if isinstance(lines, list):
            judge_requirements([line for line in lines if isinstance(line, str)], artifact, scan)
