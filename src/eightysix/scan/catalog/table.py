"""All rules by id, and one version for all of them."""

from __future__ import annotations

from functools import cache
from importlib import import_module

import msgspec

from eightysix import __version__
from eightysix.scan.catalog.rule import ScanRule

__all__ = ["rule", "rules", "rules_version"]

FAMILIES = ("general", "pickle", "containers", "weights", "graphs", "texts", "agent")
"""Modules of this package that hold rules, in the order of the documentation."""


@cache
def rules() -> dict[str, ScanRule]:
    """Every rule by its id, in the order of the documentation."""
    table: dict[str, ScanRule] = {}
    for family in FAMILIES:
        for one in import_module(f"eightysix.scan.catalog.{family}").RULES:
            if one.id in table:
                raise ValueError(f"two rules are called {one.id}")
            table[one.id] = one
    return table


def rule(name: str) -> ScanRule:
    """The rule with the id `name`. Raises `KeyError` for one that nobody wrote: a mistake of ours."""
    return rules()[name]


@cache
def rules_version() -> str:
    """Changes with every change of a rule or a release: results of another version are not reused."""
    from hashlib import blake2b  # OpenSSL behind it is loaded where somebody asks

    text = msgspec.json.encode([__version__, *rules().values()])
    return blake2b(text, digest_size=8).hexdigest()
