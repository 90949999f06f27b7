"""The lock files: what pyproject.toml asks for, in one version each, with hashes, and not where it came from."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ("core", "dev", "notebook")


def locked(path: Path) -> dict[str, tuple[Requirement, int]]:
    """Requirement and number of hashes by canonical name."""
    text = path.read_text().replace("\\\n", " ")
    found: dict[str, tuple[Requirement, int]] = {}
    for line in text.splitlines():
        words, *hashes = line.partition("#")[0].split("--hash=")
        if words.strip():
            requirement = Requirement(words.strip())
            assert all(text.strip().startswith("sha256:") for text in hashes)
            found[canonicalize_name(requirement.name)] = (requirement, len(hashes))
    return found


@pytest.fixture(scope="session")
def project(root: Path) -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for, by lock file."""
    text = tomllib.loads((root / "pyproject.toml").read_text())
    core = text["project"]["dependencies"]
    extras = [
        need
        for name, needs in text["project"]["optional-dependencies"].items()
        if name != "all"
        for need in needs
    ]
    hunt, groups = text["project"]["optional-dependencies"]["hunt"], text["dependency-groups"]
    return {
        "core": [Requirement(need) for need in core],
        "notebook": [Requirement(need) for need in (*core, *hunt, *groups["notebook"])],
        "dev": [Requirement(need) for need in (*core, *extras, *text["dependency-groups"]["dev"])],
    }


@pytest.mark.parametrize("name", LOCKS)
def test_lock_satisfies_the_project(root: Path, project: dict[str, list[Requirement]], name: str) -> None:
    lock = locked(root / "requirements" / f"{name}.txt")
    for need in project[name]:
        (pin,) = lock[canonicalize_name(need.name)][0].specifier
        assert pin.operator == "=="
        assert need.specifier.contains(pin.version), f"{need} is locked to {pin.version}: run make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_has_hashes(root: Path, name: str) -> None:
    lock = locked(root / "requirements" / f"{name}.txt")
    assert lock
    assert [each for each, (_, hashes) in lock.items() if hashes == 0] == []


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_index(root: Path, name: str) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text()
    assert not any(
        word in text for word in ("://", "--index", "--extra-index", "--find-links", "--trusted-host")
    )


def test_core_is_locked_alike_in_all(root: Path) -> None:
    core, *others = (locked(root / "requirements" / f"{name}.txt") for name in LOCKS)
    for other in others:
        assert {name: other[name] for name in core} == core


def test_core_is_the_core_alone(root: Path, project: dict[str, list[Requirement]]) -> None:
    assert locked(root / "requirements" / "core.txt").keys() == {
        canonicalize_name(need.name) for need in project["core"]
    }
