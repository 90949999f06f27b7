"""The sigstore in memory: sigstore-python itself believes it, and the same seed makes the same bytes."""

from __future__ import annotations

import hashlib
import json

import pytest
from sigstore.errors import VerificationError
from sigstore.hashes import Hashed
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
from sigstore_models.common.v1 import HashAlgorithm
from sigstore_models.trustroot.v1 import TrustedRoot as Document

from eightysix.lab.signers import Identity, buildkite, github, gitlab, person
from eightysix.lab.signing import Box, Flaws

DIGEST = hashlib.sha256(b"a model").hexdigest()
IDENTITIES = {"github": github(), "gitlab": gitlab(), "buildkite": buildkite(), "person": person()}


def verifier(box: Box) -> Verifier:
    return Verifier(trusted_root=TrustedRoot(Document.from_json(box.trusted_root())))


def verify(box: Box, bundle: bytes, identity: Identity) -> None:
    hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(DIGEST))
    who = policy.Identity(identity=identity.name, issuer=identity.claims[8])
    verifier(box).verify_artifact(hashed, Bundle.from_json(bundle), who)


@pytest.mark.parametrize("name", IDENTITIES)
def test_sigstore_believes_it(name: str) -> None:
    box = Box("a")
    verify(box, box.sign(DIGEST, IDENTITIES[name]), IDENTITIES[name])
    made = Bundle.from_json(box.attest({"_type": "x"}, IDENTITIES[name]))
    assert verifier(box).verify_dsse(made, policy.Identity(identity=IDENTITIES[name].name)) == (
        "application/vnd.in-toto+json",
        b'{"_type":"x"}',
    )


@pytest.mark.parametrize(
    "flaws",
    [
        Flaws(no_sct=True),
        Flaws(log=Box("b")),
        Flaws(certificate_log=Box("b").issuing),
        Flaws(log_delay_s=601),
        Flaws(log_delay_s=-1),
        Flaws(no_code_signing=True),
        Flaws(extra_extension=("1.2.3", b"\x05\x00", True)),
    ],
)
def test_sigstore_believes_no_flaw(flaws: Flaws) -> None:
    box = Box("a")
    with pytest.raises(VerificationError):
        verify(box, box.sign(DIGEST, github(), flaws=flaws), github())


def test_a_seed_makes_the_same_bytes() -> None:
    def made(seed: str) -> tuple[bytes, ...]:
        box = Box("a", seed=seed)
        return (
            box.trusted_root(),
            box.sign(DIGEST, github()),
            box.cosign(DIGEST, gitlab()).blob,
            box.pep740("a-1.tar.gz", DIGEST, github()),
        )

    assert made("x") == made("x")
    assert made("x")[0] != made("y")[0]
    assert made("x")[1] != made("y")[1]


def test_each_signature_has_a_key_of_its_own() -> None:
    box = Box("a")
    first, second = (json.loads(box.sign(DIGEST, github())) for _ in range(2))
    assert first["verificationMaterial"]["certificate"] != second["verificationMaterial"]["certificate"]
