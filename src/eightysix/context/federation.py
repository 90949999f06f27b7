"""What a sign-in with a service account's token says of it, in one text: the federated credential that it was taken for, and
the id of the token itself (`federatedTokenId`, learn.microsoft.com/graph/api/resources/managedidentity).

An event has one member for both, as a store has one column.
"""

from __future__ import annotations

__all__ = ["federation_parts", "federation_text"]

_MARK = " JTI="
_LONGEST = 128
_TOKEN = 64


def federation_text(credential: str, token: str) -> str:
    """Both as one text; empty where neither is told. A token's id that is longer than any is none."""
    credential = credential[:_LONGEST].replace(_MARK, "")
    return credential + (
        f"{_MARK}{token.lower()}" if token and len(token) <= _TOKEN and token.isascii() else ""
    )


def federation_parts(text: str) -> tuple[str, str]:
    """The credential, and the token's id."""
    credential, _, token = text.partition(_MARK)
    return credential, token
