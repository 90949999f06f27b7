"""What LangChain, LangGraph and diffusers vouch for in state that they wrote, taken from their own releases.

`known.json` is made by `tools/agentnames` from wheels that are pinned by hash and named in it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

__all__ = ["Diffusers", "Known", "known"]


class Diffusers(msgspec.Struct, frozen=True):
    """`libraries` whose classes a pipeline may name, and its own `pipelines`, which it looks up without importing more."""

    libraries: frozenset[str]
    pipelines: frozenset[str]


class Known(msgspec.Struct, frozen=True):
    """Names are dotted. `allowed` are the ids that langchain-core's mappings let through, with the class each leads to;
    `serializable` further classes of the partner packages that `dumps` writes as constructors. `secrets` says by class
    which argument holds which secret. `namespaces` are the packages that `load` imports from, `never`
    the names of their classes that `dumps` does not write as a constructor in any release. `types` and `methods` are
    LangGraph's safe ones. `chains` are the legacy chain types, with what the library calls dangerous in them.
    """

    allowed: dict[str, str]
    chains: dict[str, str]
    diffusers: Diffusers
    methods: frozenset[str]
    namespaces: frozenset[str]
    never: frozenset[str]
    secrets: dict[str, dict[str, str]]
    serializable: frozenset[str]
    types: frozenset[str]
    wheels: dict[str, str]


@cache
def known() -> Known:
    """The table, read on first use."""
    return msgspec.json.decode(files("eightysix.scan.agent").joinpath("known.json").read_bytes(), type=Known)
