"""A sigstore of one's own, in memory: a certificate authority, a log of certificates and a log of signatures, all offline.

Test equipment that ships for demos: it signs only with keys that it makes itself, and nobody who was not given its trusted
root believes any of it. With the same seed and the same times it makes the same bytes. Formats: sigstore/protobuf-specs
(bundles 0.1 to 0.3), sigstore/rekor (hashedrekord and dsse 0.0.1, signed entry timestamps, checkpoints), RFC 6962 (certificate
timestamps, trees), sigstore/cosign SIGNATURE_SPEC.md, PEP 740.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from msgspec import Struct

from eightysix.lab.issuing import SOUND, Credential, Flaws, Issuing, spki
from eightysix.lab.signers import Identity

__all__ = ["BUNDLE_TYPES", "SOUND", "Attached", "Box", "Credential", "Flaws", "canonical", "pae"]

BUNDLE_TYPES = {
    "0.1": "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "0.2": "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "0.3": "application/vnd.dev.sigstore.bundle.v0.3+json",
}
IN_TOTO = "application/vnd.in-toto+json"
_ECDSA = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_PREHASHED = ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True)


class Attached(Struct, frozen=True):
    """What cosign keeps in a layer: the blob and the annotations of its descriptor."""

    blob: bytes
    annotations: dict[str, str]


def canonical(value: object) -> bytes:
    """JSON as RFC 8785 has it, of values without fractions."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def pae(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE envelope signs (secure-systems-lab/dsse, protocol.md)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Box:
    """One instance. `name` appears in its certificates, `seed` makes its keys, `start` is when it began to be valid."""

    def __init__(
        self, name: str = "box", *, seed: str = "", start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    ) -> None:
        self.name = name
        self.issuing = Issuing(name, seed=seed, start=start)
        self.start = self.issuing.start
        self.log = self.key("log")

    def key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """The key on P-256 that belongs to the label in this box."""
        return self.issuing.key(label)

    def certify(self, identity: Identity, *, at: datetime | None = None, flaws: Flaws = SOUND) -> Credential:
        """A certificate of ten minutes for the identity, by default of the second day of the box."""
        return self.issuing.certify(identity, at=at, flaws=flaws)

    def trusted_root(self) -> bytes:
        """What a verifier must be given to believe this box."""
        valid = {"start": _stamp(self.start)}
        chain = [
            {"rawBytes": _b64(c.public_bytes(serialization.Encoding.DER))}
            for c in (self.issuing.authority_certificate, self.issuing.root_certificate)
        ]
        document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self._log_instance(self.log, f"https://log.{self.name}.example")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": self.name, "commonName": "authority"},
                    "uri": f"https://ca.{self.name}.example",
                    "certChain": {"certificates": chain},
                    "validFor": valid,
                }
            ],
            "ctlogs": [self._log_instance(self.issuing.certificate_log, f"https://ct.{self.name}.example")],
            "timestampAuthorities": [],
        }
        return canonical(document)

    def sign(
        self,
        digest: str,
        identity: Identity,
        *,
        at: datetime | None = None,
        version: str = "0.3",
        flaws: Flaws = SOUND,
    ) -> bytes:
        """A bundle with a signature of the SHA-256 `digest`."""
        raw = bytes.fromhex(digest.removeprefix("sha256:"))
        credential = self.certify(identity, at=at, flaws=flaws)
        signature = credential.key.sign(raw, _PREHASHED)
        body = self.hashed_record(raw, signature, credential.pem)
        content = {
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": _b64(raw)},
                "signature": _b64(signature),
            }
        }
        return self._bundle(credential, content, "hashedrekord", body, version, flaws)

    def attest(
        self,
        statement: Mapping[str, object] | bytes,
        identity: Identity,
        *,
        at: datetime | None = None,
        version: str = "0.3",
        payload_type: str = IN_TOTO,
        flaws: Flaws = SOUND,
    ) -> bytes:
        """A bundle with a DSSE envelope around the statement."""
        payload = statement if isinstance(statement, bytes) else canonical(statement)
        credential = self.certify(identity, at=at, flaws=flaws)
        signature = credential.key.sign(pae(payload_type, payload), _ECDSA)
        body = self._envelope_record(payload, signature, credential.pem)
        content = {
            "dsseEnvelope": {
                "payload": _b64(payload),
                "payloadType": payload_type,
                "signatures": [{"sig": _b64(signature)}],
            }
        }
        return self._bundle(credential, content, "dsse", body, version, flaws)

    def cosign(
        self,
        digest: str,
        identity: Identity,
        reference: str = "registry.example/ml/llm",
        *,
        at: datetime | None = None,
        flaws: Flaws = SOUND,
        payload: bytes | None = None,
    ) -> Attached:
        """A signature as cosign keeps it under the tag `sha256-....sig`."""
        if payload is None:
            payload = canonical(
                {
                    "critical": {
                        "identity": {"docker-reference": reference},
                        "image": {"docker-manifest-digest": digest},
                        "type": "cosign container image signature",
                    },
                    "optional": None,
                }
            )
        credential = self.certify(identity, at=at, flaws=flaws)
        signature = credential.key.sign(payload, _ECDSA)
        body = self.hashed_record(hashlib.sha256(payload).digest(), signature, credential.pem)
        annotations = {"dev.cosignproject.cosign/signature": _b64(signature)}
        return Attached(payload, annotations | self._annotations(credential, body, flaws))

    def cosign_attestation(
        self,
        statement: Mapping[str, object],
        identity: Identity,
        *,
        at: datetime | None = None,
        flaws: Flaws = SOUND,
    ) -> Attached:
        """An attestation as cosign keeps it under the tag `sha256-....att`."""
        payload = canonical(statement)
        credential = self.certify(identity, at=at, flaws=flaws)
        signature = credential.key.sign(pae(IN_TOTO, payload), _ECDSA)
        envelope = canonical(
            {
                "payload": _b64(payload),
                "payloadType": IN_TOTO,
                "signatures": [{"keyid": "", "sig": _b64(signature)}],
            }
        )
        body = self._envelope_record(payload, signature, credential.pem)
        annotations = {
            "dev.cosignproject.cosign/signature": "",
            "predicateType": str(statement.get("predicateType", "")),
        }
        return Attached(envelope, annotations | self._annotations(credential, body, flaws))

    def pep740(
        self,
        filename: str,
        digest: str,
        identity: Identity,
        *,
        at: datetime | None = None,
        predicate_type: str = "https://docs.pypi.org/attestations/publish/v1",
        flaws: Flaws = SOUND,
    ) -> bytes:
        """An attestation object of PEP 740 for one distribution."""
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": None,
            "predicateType": predicate_type,
            "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}, "name": filename}],
        }
        bundle = json.loads(self.attest(statement, identity, at=at, flaws=flaws))
        material = bundle["verificationMaterial"]
        return canonical(
            {
                "version": 1,
                "verification_material": {
                    "certificate": material["certificate"]["rawBytes"],
                    "transparency_entries": material["tlogEntries"],
                },
                "envelope": {
                    "statement": bundle["dsseEnvelope"]["payload"],
                    "signature": bundle["dsseEnvelope"]["signatures"][0]["sig"],
                },
            }
        )

    def provenance(self, publisher: Mapping[str, object], *attestations: bytes) -> bytes:
        """A provenance object of PEP 740, as an index serves it."""
        bundle = {"publisher": dict(publisher), "attestations": [json.loads(a) for a in attestations]}
        return canonical({"version": 1, "attestation_bundles": [bundle]})

    def signed_entry(self, body: bytes, moment: int) -> bytes:
        """The log's promise that it has the entry."""
        entry = {"body": _b64(body), "integratedTime": moment, "logID": self._log_id().hex(), "logIndex": 1}
        return self.log.sign(canonical(entry), _ECDSA)

    def hashed_record(self, digest: bytes, signature: bytes, pem: str) -> bytes:
        """What the log keeps about a signature of a digest."""
        spec = {
            "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
            "signature": {"content": _b64(signature), "publicKey": {"content": _b64(pem.encode())}},
        }
        return canonical({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec})

    def _envelope_record(self, payload: bytes, signature: bytes, pem: str) -> bytes:
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(signature).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            "signatures": [{"signature": _b64(signature), "verifier": _b64(pem.encode())}],
        }
        return canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})

    def _annotations(self, credential: Credential, body: bytes, flaws: Flaws) -> dict[str, str]:
        log = flaws.log or self
        moment = self._logged(credential, flaws)
        promise = {
            "SignedEntryTimestamp": _b64(log.signed_entry(body, moment)),
            "Payload": {
                "body": _b64(body),
                "integratedTime": moment,
                "logIndex": 1,
                "logID": log._log_id().hex(),  # noqa: SLF001 - another of the same class
            },
        }
        chain = (self.issuing.authority_certificate, self.issuing.root_certificate)
        return {
            "dev.sigstore.cosign/certificate": credential.pem,
            "dev.sigstore.cosign/chain": "".join(
                c.public_bytes(serialization.Encoding.PEM).decode("ascii") for c in chain
            ),
            "dev.sigstore.cosign/bundle": canonical(promise).decode(),
        }

    def _logged(self, credential: Credential, flaws: Flaws) -> int:
        return int(credential.certificate.not_valid_before_utc.timestamp()) + flaws.log_delay_s

    def _bundle(
        self,
        credential: Credential,
        content: Mapping[str, object],
        kind: str,
        body: bytes,
        version: str,
        flaws: Flaws,
    ) -> bytes:
        certificate = {"rawBytes": _b64(credential.der)}
        entry = (flaws.log or self)._entry(kind, body, self._logged(credential, flaws))  # noqa: SLF001
        if version == "0.1":
            del entry["inclusionProof"]
        chain = {"x509CertificateChain": {"certificates": [certificate]}}
        material = {"certificate": certificate} if version == "0.3" else chain
        return canonical(
            {
                "mediaType": BUNDLE_TYPES[version],
                "verificationMaterial": {**material, "tlogEntries": [entry]},
                **content,
            }
        )

    def _entry(self, kind: str, body: bytes, moment: int) -> dict[str, object]:
        other = hashlib.sha256(b"\0somebody else's entry").digest()
        leaf = hashlib.sha256(b"\0" + body).digest()
        top = hashlib.sha256(b"\1" + other + leaf).digest()
        note = f"log.{self.name}.example - 1\n2\n{_b64(top)}\n"
        seal = _b64(self._log_id()[:4] + self.log.sign(note.encode(), _ECDSA))
        return {
            "logIndex": "1",
            "logId": {"keyId": _b64(self._log_id())},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": str(moment),
            "inclusionPromise": {"signedEntryTimestamp": _b64(self.signed_entry(body, moment))},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": _b64(top),
                "treeSize": "2",
                "hashes": [_b64(other)],
                "checkpoint": {"envelope": f"{note}\n\u2014 log.{self.name}.example {seal}\n"},
            },
            "canonicalizedBody": _b64(body),
        }

    def _log_id(self) -> bytes:
        return hashlib.sha256(spki(self.log)).digest()

    def _log_instance(self, key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, object]:
        return {
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": _b64(spki(key)),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": {"start": _stamp(self.start)},
            },
            "logId": {"keyId": _b64(hashlib.sha256(spki(key)).digest())},
        }
