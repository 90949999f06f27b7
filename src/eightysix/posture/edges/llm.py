"""Keys of model providers in pods: what is spent with one, and what its account has seen.

The key of a vLLM server is none of a provider: the server asks it of its own clients (docs.vllm.ai, `--api-key`), so who has
it may ask a model of the house, and nobody is sent a bill.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from eightysix.model.posture import Edge
from eightysix.posture.domains import credentials
from eightysix.posture.edges.make import LLM_SPEND, edge, evidence_of, external_id
from eightysix.posture.holder import Holder
from eightysix.posture.lookup import lookup
from eightysix.posture.snapshot import Snapshot, Template

__all__ = ["OF_THE_HOUSE", "edges"]

OF_THE_HOUSE: Final = frozenset({external_id("vllm")})


def edges(snapshot: Snapshot, templates: Sequence[Template]) -> Iterator[Edge]:
    """From pods to providers by the keys they hold, and on to what a key is worth."""
    known = lookup(snapshot)
    told: set[str] = set()
    for template in templates:
        holder = Holder(template, known)
        for credential in credentials(template, snapshot):
            if credential.domain != "llm":
                continue
            external = credential.target.startswith("external:")
            provider = credential.target if external else external_id("model-provider")
            evidence = evidence_of(credential)
            yield edge("HAS_LLM_KEY", holder.vertex, provider, evidence, credential.confidence)
            if provider not in told and provider not in OF_THE_HOUSE:
                told.add(provider)
                yield edge("HAS_LLM_KEY", provider, LLM_SPEND, evidence)
