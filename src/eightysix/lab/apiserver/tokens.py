"""Service account tokens: JSON Web Tokens signed with RS256, bound to what they were issued for.

Claims as Kubernetes 1.30 and later writes them (KEP-1205 bound tokens, KEP-4193 node and `jti`; pkg/serviceaccount/
claims.go). A token is good only while the account, and the pod or secret that it is bound to, are there with the same uid.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
from msgspec import Struct

from eightysix.lab.apiserver.catalogue import BUILT_IN, Object
from eightysix.lab.apiserver.messages import User
from eightysix.lab.apiserver.store import Store, Stored

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["AUDIENCE", "Minted", "Tokens"]

AUDIENCE = "https://kubernetes.default.svc.cluster.local"
"""Issuer and audience where nothing else is told."""

_LONGEST = 16 << 10
_KUBELETS = 3607
"""Seconds that a kubelet asks for; such a token lives a year, and is warned about after these (claims.go)."""
_YEAR = 365 * 24 * 3600
_OF = "authentication.kubernetes.io/"
_PODS, _NODES, _SECRETS, _ACCOUNTS = (
    next(each for each in BUILT_IN if each.group == "" and each.plural == plural)
    for plural in ("pods", "nodes", "secrets", "serviceaccounts")
)


class Minted(Struct, frozen=True):
    """A token that was issued. `credential` is what audit calls it."""

    token: str
    credential: str
    expires: int


def _coded(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def _uncoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _ref(stored: Stored) -> Object:
    return {"name": stored.name, "uid": stored.uid}


class Tokens:
    """Issues tokens with `key` and checks them against what is in `store`."""

    def __init__(self, store: Store, key: RSAPrivateKey, issuer: str = AUDIENCE) -> None:
        from cryptography.hazmat.primitives import serialization

        self._store = store
        self._key = key
        self._public = key.public_key()
        self.issuer = issuer
        self.audiences = (issuer,)
        spki = self._public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._key_id = _coded(hashlib.sha256(spki).digest()).decode()

    def mint(
        self,
        account: Stored,
        seconds: int,
        now_s: int,
        *,
        audiences: Sequence[str] = (),
        pod: Stored | None = None,
        secret: Stored | None = None,
        node: Stored | None = None,
    ) -> Minted:
        """A token of a service account, bound to a pod (and its node), a secret or a node where one is given."""
        told: Object = {"namespace": account.namespace}
        if node is not None:
            told["node"] = _ref(node)
        if pod is not None:
            told["pod"] = _ref(pod)
        if secret is not None:
            told["secret"] = _ref(secret)
        told["serviceaccount"] = _ref(account)
        lives = seconds
        if pod is not None and seconds == _KUBELETS and not set(audiences) - set(self.audiences):
            told["warnafter"] = now_s + seconds
            lives = _YEAR
        identity = str(uuid4())
        claims = {
            "aud": list(audiences or self.audiences),
            "exp": now_s + lives,
            "iat": now_s,
            "iss": self.issuer,
            "jti": identity,
            "kubernetes.io": told,
            "nbf": now_s,
            "sub": f"system:serviceaccount:{account.namespace}:{account.name}",
        }
        return Minted(self._sign(claims), f"JTI={identity}", now_s + lives)

    def _sign(self, claims: Object) -> str:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        head = _coded(msgspec.json.encode({"alg": "RS256", "kid": self._key_id}))
        text = head + b"." + _coded(msgspec.json.encode(claims))
        return (text + b"." + _coded(self._key.sign(text, padding.PKCS1v15(), hashes.SHA256()))).decode()

    def check(
        self, token: str, now_s: int, audiences: Sequence[str] = ()
    ) -> tuple[User, tuple[str, ...]] | str:
        """Who a token stands for, with those of `audiences` that it is meant for; or why it is refused."""
        claims = self._claims(token)
        if isinstance(claims, str):
            return claims
        meant = claims.get("aud")
        meant = [meant] if isinstance(meant, str) else meant
        wanted = tuple(
            each for each in audiences or self.audiences if isinstance(meant, list) and each in meant
        )
        if not wanted:
            return f"token audiences {meant!r} is invalid for the target audiences {list(audiences or self.audiences)!r}"
        if now_s >= claims["exp"]:
            return "service account token has expired"
        if now_s < claims["nbf"]:
            return "service account token is not valid yet"
        user = self._user(claims)
        return user if isinstance(user, str) else (user, wanted)

    def _claims(self, token: str) -> Object | str:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        parts = token.split(".")
        if len(parts) != 3 or len(token) > _LONGEST:
            return "invalid bearer token"
        try:
            head = msgspec.json.decode(_uncoded(parts[0]), type=dict)
            signature = _uncoded(parts[2])
            if head.get("alg") != "RS256" or head.get("kid") != self._key_id:
                return "invalid bearer token"
            text = f"{parts[0]}.{parts[1]}".encode()
            self._public.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
            claims: Object = msgspec.json.decode(_uncoded(parts[1]), type=dict)
        except (InvalidSignature, ValueError, RecursionError, binascii.Error, msgspec.MsgspecError):
            return "invalid bearer token"
        return claims  # signed by us: its shape is ours

    def _user(self, claims: Object) -> User | str:
        told = claims["kubernetes.io"]
        namespace, account = told["namespace"], told["serviceaccount"]
        held = self._store.get(_ACCOUNTS, namespace, account["name"])
        if held is None:
            return f'serviceaccounts "{account["name"]}" not found'
        if held.uid != account["uid"]:
            return f"service account UID ({held.uid}) does not match claim ({account['uid']})"
        extra: dict[str, tuple[str, ...]] = {_OF + "credential-id": (f"JTI={claims['jti']}",)}
        for word, resource in (("node", _NODES), ("pod", _PODS), ("secret", _SECRETS)):
            ref = told.get(word)
            if ref is None:
                continue
            bound = self._store.get(resource, "" if word == "node" else namespace, ref["name"])
            beside = word == "node" and "pod" in told  # a pod's node is told, and not looked for
            if not beside and (bound is None or bound.uid != ref["uid"]):
                return "service account token has been invalidated"
            if word != "secret":
                extra[f"{_OF}{word}-name"] = (ref["name"],)
                extra[f"{_OF}{word}-uid"] = (ref["uid"],)
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return User(claims["sub"], account["uid"], groups, dict(sorted(extra.items())))

    def keys(self) -> Object:
        """The key set that `/openid/v1/jwks` tells."""
        numbers = self._public.public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        exponent = numbers.e.to_bytes(3, "big")
        key = {
            "use": "sig",
            "kty": "RSA",
            "kid": self._key_id,
            "alg": "RS256",
            "n": _coded(modulus).decode(),
            "e": _coded(exponent).decode(),
        }
        return {"keys": [key]}
