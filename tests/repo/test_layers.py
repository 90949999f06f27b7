"""Imports point down only, and no room escapes the contracts of pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def contracts(root: Path) -> dict[str, dict[str, Any]]:
    """The contracts by id."""
    linter = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    return {contract["id"]: contract for contract in linter["contracts"]}


@pytest.fixture(scope="session")
def rooms(root: Path) -> set[str]:
    """The rooms that have code."""
    return {path.parent.name for path in (root / "src" / "eightysix").glob("*/__init__.py")}


def test_contracts_are_kept(root: Path, checkout_env: dict[str, str], tmp_path: Path) -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-logo", "--cache-dir", str(tmp_path)]
    done = subprocess.run(
        command, cwd=root, env=checkout_env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("contract", "reach"),
    [("detect-reach", {"context", "model"}), ("rules-reach", {"detect", "model", "context"})],
)
def test_a_new_room_is_forbidden_too(
    contracts: dict[str, dict[str, Any]], rooms: set[str], contract: str, reach: set[str]
) -> None:
    # `forbidden` contracts name rooms one by one; without this, a room added later would be allowed by omission.
    own = {name.removeprefix("eightysix.") for name in contracts[contract]["source_modules"]}
    forbidden = {name.removeprefix("eightysix.") for name in contracts[contract]["forbidden_modules"]}
    assert forbidden == rooms - reach - own


def test_only_declared_distributions_are_imported(root: Path) -> None:
    # The wheel's test would find an undeclared import only in a module that it happens to load.
    import grimp

    declared = {
        "msgspec",
        "yaml",
        "backports",
        "compression",
        "h11",
        "blake3",
        "cryptography",
        "duckdb",
        "duckdb_kql",
        "numpy",
        "packaging",
        "httpx",
        "httpcore",  # comes with httpx, whose transport it is
        "sigstore",
        "sigstore_models",  # comes with sigstore, whose types these are
        "pypi_attestations",
    }  # compression.zstd: standard library from 3.14 on
    graph = grimp.build_graph("eightysix", include_external_packages=True, cache_dir=None)
    outside = {name for name in graph.modules if not name.startswith("eightysix")}
    assert outside - sys.stdlib_module_names - declared == set()
