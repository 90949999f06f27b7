"""Signatures by keys and by certificates of an own authority: over the artifact, in envelopes, in cosign's layers and bundles."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eightysix.gate.attest import Authority, Key, Material, MaterialKind, Root, Trust
from eightysix.lab.signing import BUNDLE_TYPES, IN_TOTO, canonical, pae
from eightysix.model.errors import RuleError
from eightysix.model.gate import SignatureKind, SigningMethod
from tests.gate.attest.box import (
    ARTIFACT,
    BOX,
    DIGEST,
    INVALID,
    NOW,
    OTHER,
    UNVERIFIABLE,
    VALID,
    one,
    state_and_why,
    statement,
)
from tests.gate.attest.pki import CODE, SERVER, START, Enterprise, certificate, p256, pem_of, public_pem

_SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SMALL = 1024
RSA = rsa.generate_private_key(65537, 2048)
P256, P384, ED = p256(), ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
SIGNED: dict[str, tuple[CertificateIssuerPrivateKeyTypes, bytes]] = {
    "p256": (P256, P256.sign(ARTIFACT, ec.ECDSA(hashes.SHA256()))),
    "p384-sha256": (P384, P384.sign(ARTIFACT, ec.ECDSA(hashes.SHA256()))),
    "p384-sha384": (P384, P384.sign(ARTIFACT, ec.ECDSA(hashes.SHA384()))),
    "ed25519": (ED, ED.sign(ARTIFACT)),
    "rsa-pss": (RSA, RSA.sign(ARTIFACT, PSS, hashes.SHA256())),
    "rsa-pkcs1v15": (RSA, RSA.sign(ARTIFACT, padding.PKCS1v15(), hashes.SHA256())),
}
ENTERPRISE = Enterprise()


def detached(data: bytes, *, signed: bytes | None = None, certificates: bytes = b"") -> Material:
    return Material(kind=MaterialKind.DETACHED, data=data, signed=signed, certificates=certificates)


def trusting(*keys: object, paddings: tuple[str, ...] = ("pss", "pkcs1v15")) -> Trust:
    return Trust(
        keys=tuple(Key(f"k{n}", public_pem(key), paddings) for n, key in enumerate(keys))  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", SIGNED)
def test_a_signature_over_the_bytes(name: str) -> None:
    key, signature = SIGNED[name]
    for data in (signature, base64.b64encode(signature) + b"\n"):
        found = one(detached(data, signed=ARTIFACT), trust=trusting(p256(), key))
        assert (found.state, found.kind, found.subject, found.trust) == (
            VALID,
            SignatureKind.RAW,
            DIGEST,
            "k1",
        )
        assert found.signer is not None
        assert (found.signer.method, found.at_ns) == (SigningMethod.KEY, 0)
        der = key.public_key().public_bytes(*_SPKI)
        assert found.signer.key == hashlib.sha256(der).hexdigest()
    changed = bytearray(signature)
    changed[-1] ^= 1
    assert state_and_why(detached(bytes(changed), signed=ARTIFACT), trust=trusting(key))[0] is INVALID
    assert state_and_why(detached(signature, signed=ARTIFACT), trust=trusting(p256()))[0] is INVALID
    assert state_and_why(detached(signature, signed=ARTIFACT), trust=Trust())[0] is UNVERIFIABLE


def test_with_only_the_digest_at_hand() -> None:
    for name in ("p256", "p384-sha256", "rsa-pss", "rsa-pkcs1v15"):
        key, signature = SIGNED[name]
        assert one(detached(signature), trust=trusting(key)).state is VALID
        assert one(detached(signature), trust=trusting(key), subject=OTHER).state is INVALID
    key, signature = SIGNED["ed25519"]
    state, why = state_and_why(detached(signature), trust=trusting(key))
    assert (state, why) == (
        UNVERIFIABLE,
        "an Ed25519 signature is over the bytes of the artifact, and only its digest is here",
    )


def test_bytes_that_are_not_the_artifact() -> None:
    key, signature = SIGNED["p256"]
    state, why = state_and_why(detached(signature, signed=ARTIFACT), trust=trusting(key), subject=OTHER)
    assert (state, "are not" in why) == (INVALID, True)


def test_rsa_paddings_by_policy_and_no_sha1() -> None:
    key, pss = SIGNED["rsa-pss"]
    _, old = SIGNED["rsa-pkcs1v15"]
    only_pss = trusting(key, paddings=("pss",))
    assert one(detached(pss), trust=only_pss).state is VALID
    assert one(detached(old), trust=only_pss).state is INVALID
    weak = RSA.sign(ARTIFACT, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    assert one(detached(weak, signed=ARTIFACT), trust=trusting(RSA)).state is INVALID


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (rsa.generate_private_key(65537, SMALL), "an RSA key of 1024 bits is too short"),
        (ec.generate_private_key(ec.SECP256K1()), "keys on the curve secp256k1 are not taken"),
        (dsa.generate_private_key(SMALL), "keys of this kind are not taken"),
    ],
    ids=["small-rsa", "koblitz", "dsa"],
)
def test_keys_that_nobody_should_trust_are_the_operators_error(key: object, why: str) -> None:
    with pytest.raises(RuleError, match=why):
        one(detached(b"x"), trust=trusting(key))
    with pytest.raises(RuleError, match="cannot be read"):
        one(detached(b"x"), trust=Trust(keys=(Key("k", b"nonsense"),)))
    with pytest.raises(RuleError, match="unknown padding"):
        one(detached(b"x"), trust=trusting(RSA, paddings=("none",)))
    with pytest.raises(RuleError, match="more than 64"):
        one(detached(b"x"), trust=trusting(*[P256] * 65))


def test_the_key_id_decides_nothing() -> None:
    payload = canonical(statement())
    signature = P256.sign(pae(IN_TOTO, payload), ec.ECDSA(hashes.SHA256()))
    digests = [hashlib.sha256(public_pem(key)).hexdigest() for key in (P256, P384)]
    for hint in (*digests, "", "k1"):
        data = canonical(
            {
                "mediaType": BUNDLE_TYPES["0.3"],
                "verificationMaterial": {"publicKey": {"hint": hint}},
                "dsseEnvelope": {
                    "payload": base64.b64encode(payload).decode(),
                    "payloadType": IN_TOTO,
                    "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": "k1"}],
                },
            }
        )
        material = Material(kind=MaterialKind.BUNDLE, data=data)
        found = one(material, trust=trusting(P256, P384))
        assert (found.state, found.trust) == (VALID, "k0")
        alone = state_and_why(material, trust=trusting(P384))
        assert alone[0] is (UNVERIFIABLE if hint in {digests[0], "k1"} else INVALID)


def test_bundles_and_envelopes_by_a_key() -> None:
    digest = bytes.fromhex(DIGEST[7:])
    signature = base64.b64encode(P256.sign(ARTIFACT, ec.ECDSA(hashes.SHA256()))).decode()
    document = {
        "mediaType": BUNDLE_TYPES["0.3"],
        "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": []},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": base64.b64encode(digest).decode()},
            "signature": signature,
        },
    }
    material = Material(kind=MaterialKind.BUNDLE, data=canonical(document))
    found = one(material, trust=trusting(P256))
    assert (found.state, found.kind, found.subject) == (VALID, SignatureKind.SIGSTORE_BUNDLE, DIGEST)
    assert one(material, trust=trusting(P256), subject=OTHER).state is INVALID
    payload = canonical(statement())
    sealed = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": IN_TOTO,
        "signatures": [
            {"sig": base64.b64encode(b"junk").decode()},
            {"sig": base64.b64encode(ED.sign(pae(IN_TOTO, payload))).decode()},
        ],
    }
    lone = Material(kind=MaterialKind.ENVELOPE, data=canonical(sealed))
    assert one(lone, trust=trusting(ED)).kind is SignatureKind.PROVENANCE
    assert one(lone, trust=trusting(ED)).state is VALID


def test_cosign_with_a_key_and_the_log_that_dates_it() -> None:
    payload = canonical(
        {
            "critical": {
                "identity": {"docker-reference": ""},
                "image": {"docker-manifest-digest": DIGEST},
                "type": "cosign container image signature",
            },
            "optional": {"build": 7},
        }
    )
    signature = P256.sign(payload, ec.ECDSA(hashes.SHA256()))
    annotations = {"dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()}
    material = Material(kind=MaterialKind.COSIGN, data=payload, annotations=annotations)
    assert one(material, trust=trusting(P256)).state is VALID
    assert state_and_why(material, trust=Trust())[0] is UNVERIFIABLE
    body = BOX.hashed_record(hashlib.sha256(payload).digest(), signature, public_pem(P256).decode())
    moment = int(NOW.timestamp())
    log_id = base64.b64decode(_log_id())
    promise = {
        "SignedEntryTimestamp": base64.b64encode(BOX.signed_entry(body, moment)).decode(),
        "Payload": {
            "body": base64.b64encode(body).decode(),
            "integratedTime": moment,
            "logIndex": 1,
            "logID": log_id.hex(),
        },
    }
    dated = annotations | {"dev.sigstore.cosign/bundle": canonical(promise).decode()}
    material = Material(kind=MaterialKind.COSIGN, data=payload, annotations=dated)
    keys = trusting(P256)
    assert one(material, trust=keys).at_ns == 0
    both = Trust(keys=keys.keys, roots=(Root("acme", BOX.trusted_root()),))
    assert one(material, trust=both).at_ns == moment * 1_000_000_000
    promise["Payload"]["integratedTime"] = moment + 1  # type: ignore[index]
    forged = annotations | {"dev.sigstore.cosign/bundle": canonical(promise).decode()}
    material = Material(kind=MaterialKind.COSIGN, data=payload, annotations=forged)
    assert state_and_why(material, trust=both) == (INVALID, "the log did not promise this entry")


def _log_id() -> str:
    import json

    found: str = json.loads(BOX.trusted_root())["tlogs"][0]["logId"]["keyId"]
    return found


def by_certificate(leaf: x509.Certificate, *between: x509.Certificate) -> Material:
    return detached(SIGNED["p256"][1], certificates=pem_of(leaf, *between))


OWN = Trust(authorities=(Authority("acme-pki", pem_of(ENTERPRISE.root)),))


def test_a_certificate_of_an_own_authority() -> None:
    leaf = ENTERPRISE.leaf("release", P256, san="spiffe://acme/release")
    found = one(by_certificate(leaf, ENTERPRISE.authority), trust=OWN)
    assert (found.state, found.trust, found.at_ns) == (VALID, "acme-pki", 0)
    assert found.signer is not None
    assert (found.signer.method, found.signer.issuer, found.signer.subject) == (
        SigningMethod.CERTIFICATE,
        "CN=Acme",
        "spiffe://acme/release",
    )
    der = ENTERPRISE.root_key.public_key().public_bytes(*_SPKI)
    assert found.signer.key == hashlib.sha256(der).hexdigest()
    plain = one(by_certificate(ENTERPRISE.leaf("release", P256), ENTERPRISE.authority), trust=OWN)
    assert plain.signer is not None
    assert plain.signer.subject == "CN=release"


def test_certificates_that_do_not_hold() -> None:
    good = ENTERPRISE.authority
    cases = {
        "cert is not valid at": ENTERPRISE.leaf("a", P256, days=10),
        "unaccounted-for critical": ENTERPRISE.leaf("a", P256, critical="1.2.3.4"),
        "not for signing code": ENTERPRISE.leaf("a", P256, usage=SERVER),
        "does not say that it is for signing code": ENTERPRISE.leaf("a", P256, usage=None),
        "an RSA key of 1024 bits": ENTERPRISE.leaf("a", rsa.generate_private_key(65537, SMALL)),
        "did not sign this": ENTERPRISE.leaf("a", P384),
    }
    for why, leaf in cases.items():
        state, told = state_and_why(by_certificate(leaf, good), trust=OWN)
        assert (state, why in told) == (INVALID, True), told
    later = ENTERPRISE.leaf("a", P256, begin=NOW + timedelta(days=1))
    assert state_and_why(by_certificate(later, good), trust=OWN)[0] is INVALID
    assert one(by_certificate(later, good), trust=OWN, now=NOW + timedelta(days=2)).state is VALID
    no_authority = certificate("Acme signing", P384, "Acme", ENTERPRISE.root_key)
    below = certificate("a", P256, "Acme signing", P384, usage=CODE)
    assert state_and_why(by_certificate(below, no_authority), trust=OWN)[0] is INVALID
    too_deep = certificate("Below", P384, "Acme signing", ENTERPRISE.authority_key, authority=True)
    deep = certificate("a", P256, "Below", P384)
    assert "path length" in state_and_why(by_certificate(deep, too_deep, good), trust=OWN)[1]
    itself = certificate("Acme2", P256, "Acme", ENTERPRISE.root_key, authority=True)
    assert state_and_why(by_certificate(itself), trust=OWN)[0] is INVALID


def test_other_authorities_forged_names_and_revoked_keys() -> None:
    leaf = ENTERPRISE.leaf("release", P256)
    material = by_certificate(leaf, ENTERPRISE.authority)
    assert state_and_why(material, trust=Trust())[0] is UNVERIFIABLE
    others = Trust(authorities=(Authority("other", pem_of(Enterprise("Other").root)),))
    assert state_and_why(material, trust=others)[0] is UNVERIFIABLE
    twin = Trust(authorities=(Authority("twin", pem_of(Enterprise("Acme").root)),))
    assert state_and_why(material, trust=twin)[0] is INVALID
    assert one(material, trust=Trust(authorities=twin.authorities + OWN.authorities)).trust == "acme-pki"
    only_models = Trust(model_authorities=OWN.authorities)
    assert state_and_why(material, trust=only_models)[0] is UNVERIFIABLE
    for key in (P256, ENTERPRISE.authority_key, ENTERPRISE.root_key):
        digest = hashlib.sha256(key.public_key().public_bytes(*_SPKI)).hexdigest()
        revoked = Trust(authorities=OWN.authorities, revoked=frozenset({digest}))
        assert state_and_why(material, trust=revoked) == (INVALID, f"the key sha256:{digest} is revoked here")


def test_names_that_may_sign() -> None:
    strict = Trust(
        authorities=(Authority("acme-pki", pem_of(ENTERPRISE.root), ("spiffe://acme/release", "CN=plain")),)
    )
    for common, san, state in (
        ("x", "spiffe://acme/release", VALID),
        ("x", "spiffe://acme/hotfix", INVALID),
        ("plain", "", VALID),
        ("plain", "spiffe://acme/hotfix", INVALID),
    ):
        leaf = ENTERPRISE.leaf(common, P256, san=san)
        assert one(by_certificate(leaf, ENTERPRISE.authority), trust=strict).state is state


@pytest.mark.parametrize(
    "certificates", [b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_certificates_that_are_none(certificates: bytes) -> None:
    material = detached(SIGNED["p256"][1], certificates=certificates)
    assert state_and_why(material, trust=OWN)[0] is INVALID


def test_an_authority_that_cannot_be_read_is_the_operators_error() -> None:
    small = rsa.generate_private_key(65537, SMALL)
    weak = pem_of(certificate("w", small, "w", small, authority=True, begin=START))
    for data in (b"x", weak):
        with pytest.raises(RuleError, match="the authority “mine”"):
            one(detached(b"x"), trust=Trust(authorities=(Authority("mine", data),)))
