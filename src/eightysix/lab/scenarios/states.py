"""Saved states of an agent, as `langchain_core.load.dumps` writes them."""

from __future__ import annotations

import msgspec

__all__ = ["state"]


def state(base_url: str, secret: str) -> bytes:
    """A message, and the client that the agent goes on with; its key is named by the variable that holds it."""
    message = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "HumanMessage"],
        "kwargs": {"content": "so far so good", "type": "human"},
    }
    model = {
        "lc": 1,
        "type": "constructor",
        "id": ["agentapp", "model", "HostedModel"],
        "kwargs": {"base_url": base_url, "api_key": {"lc": 1, "type": "secret", "id": [secret]}},
    }
    return msgspec.json.encode({"messages": [message], "model": model})
