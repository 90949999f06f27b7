"""What somebody does who wants a signature to say more than it says."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from eightysix.gate.attest import MAX_MATERIAL, Material, MaterialKind, Root, Trust
from eightysix.lab.issuing import Issuing
from eightysix.lab.signers import github, gitlab
from eightysix.lab.signing import IN_TOTO, Box, Flaws, canonical, pae
from eightysix.model.gate import SignatureState
from tests.gate.attest.box import (
    BOX,
    DIGEST,
    INVALID,
    OTHER,
    STRANGER,
    TRUST,
    UNVERIFIABLE,
    VALID,
    bundle,
    cosign,
    envelope,
    judge,
    one,
    pypi,
    state_and_why,
    statement,
)

FOREIGN_CT = Issuing("stranger", seed="ct")
FLAWS = {
    "logged after the certificate's minutes": (
        Flaws(log_delay_s=3600),
        "cert is not valid at|does not hold at",
    ),
    "logged before the certificate": (Flaws(log_delay_s=-60), "not valid|does not hold at|invalid signing"),
    "another's log": (Flaws(log=STRANGER), "none of the trusted root"),
    "another's log of certificates": (
        Flaws(certificate_log=FOREIGN_CT),
        "SCT|log that the trusted root",
    ),
    "no log of certificates": (Flaws(no_sct=True), "timestamp extension|never in a log of certificates"),
    "an unknown critical extension": (
        Flaws(extra_extension=("1.2.3.4.5", b"\x05\x00", True)),
        "unaccounted-for critical",
    ),
    "not for signing code": (Flaws(no_code_signing=True), "code signing|signing code"),
}


@pytest.mark.parametrize("name", FLAWS)
def test_what_an_instance_of_sigstore_would_not_have_made(name: str) -> None:
    flaws, why = FLAWS[name]
    for material in (
        bundle(BOX.sign(DIGEST, github(), flaws=flaws)),
        bundle(BOX.sign(DIGEST, github(), version="0.1", flaws=flaws)),
        bundle(BOX.attest(statement(), github(), flaws=flaws)),
        cosign(BOX.cosign(DIGEST, github(), flaws=flaws)),
        envelope(BOX.cosign_attestation(statement(), github(), flaws=flaws)),
        pypi(BOX.pep740("acme_ml-1.tar.gz", DIGEST, github(), flaws=flaws)),
    ):
        state, told = state_and_why(material)
        assert state is INVALID
        assert any(part in told for part in why.split("|")), told


def test_an_extension_that_nobody_must_know_is_no_reason() -> None:
    harmless = Flaws(extra_extension=("1.2.3.4.5", b"\x05\x00", False))
    assert one(bundle(BOX.sign(DIGEST, github(), flaws=harmless))).state is VALID
    assert one(cosign(BOX.cosign(DIGEST, github(), flaws=harmless))).state is VALID


@pytest.mark.parametrize("trust", [Trust(), TRUST])
def test_an_authority_that_nobody_gave_cannot_be_judged(trust: Trust) -> None:
    for material in (
        bundle(STRANGER.sign(DIGEST, github())),
        cosign(STRANGER.cosign(DIGEST, github())),
        pypi(STRANGER.pep740("acme_ml-1.tar.gz", DIGEST, github())),
    ):
        state, why = state_and_why(material, trust=trust)
        assert (state, why[:42]) == (UNVERIFIABLE, "no trusted root has the authority that its")


def test_an_authority_of_the_same_name_is_forged() -> None:
    twin = Box("acme", seed="an attacker")
    state, why = state_and_why(bundle(twin.sign(DIGEST, github())))
    assert state is INVALID, why
    assert state_and_why(cosign(twin.cosign(DIGEST, github())))[0] is INVALID


def test_a_signature_of_another_artifact_says_of_which() -> None:
    for material in (bundle(BOX.sign(OTHER, github())), cosign(BOX.cosign(OTHER, github()))):
        found = one(material)
        assert (found.state, found.subject) == (INVALID, OTHER)
        assert OTHER in found.why
        assert DIGEST in found.why
    for material in (
        bundle(BOX.attest(statement(OTHER), github())),
        envelope(BOX.cosign_attestation(statement(OTHER), github())),
        pypi(BOX.pep740("acme_ml-1.tar.gz", OTHER, github())),
    ):
        found = one(material)
        assert (found.state, found.subject) == (INVALID, OTHER)
        assert f"it is about “{OTHER}”" in found.why


def test_a_bundle_with_its_digest_taken_out_is_still_about_one_artifact() -> None:
    document = json.loads(BOX.sign(OTHER, github()))
    del document["messageSignature"]["messageDigest"]
    assert state_and_why(bundle(canonical(document)))[0] is INVALID
    assert one(bundle(canonical(document)), subject=OTHER).state is VALID
    document["messageSignature"]["messageDigest"] = {
        "algorithm": "SHA2_512",
        "digest": base64.b64encode(bytes.fromhex(OTHER[7:])).decode(),
    }
    assert "SHA2_512" in state_and_why(bundle(canonical(document)), subject=OTHER)[1]


def test_the_payload_of_an_attestation_is_exchanged() -> None:
    document = json.loads(BOX.attest(statement(OTHER), github()))
    document["dsseEnvelope"]["payload"] = base64.b64encode(canonical(statement(DIGEST))).decode()
    state, why = state_and_why(bundle(canonical(document)))
    assert (state, "DSSE: invalid signature" in why) == (INVALID, True)
    made = BOX.cosign(OTHER, github())
    swapped = Material(
        kind=MaterialKind.COSIGN,
        data=made.blob.replace(OTHER.encode(), DIGEST.encode()),
        annotations=made.annotations,
    )
    assert state_and_why(swapped) == (INVALID, "the holder of its certificate did not sign this")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/vnd.in-toto+json ", "application/json"])
def test_a_payload_of_another_type_is_no_statement(kind: str) -> None:
    state, why = state_and_why(bundle(BOX.attest(statement(), github(), payload_type=kind)))
    assert (state, "is no statement about an artifact" in why) == (INVALID, True)
    relabelled = json.loads(BOX.attest(statement(), github(), payload_type=kind))
    relabelled["dsseEnvelope"]["payloadType"] = IN_TOTO
    assert "DSSE: invalid signature" in state_and_why(bundle(canonical(relabelled)))[1]


def test_a_log_entry_of_another_signature() -> None:
    first, second = (json.loads(BOX.sign(DIGEST, identity)) for identity in (github(), gitlab()))
    first["verificationMaterial"]["tlogEntries"] = second["verificationMaterial"]["tlogEntries"]
    state, why = state_and_why(bundle(canonical(first)))
    assert (state, "inconsistent" in why) == (INVALID, True)
    left, right = BOX.cosign(DIGEST, github()), BOX.cosign(DIGEST, gitlab())
    name = "dev.sigstore.cosign/bundle"
    mixed = left.annotations | {name: right.annotations[name]}
    material = Material(kind=MaterialKind.COSIGN, data=left.blob, annotations=mixed)
    assert state_and_why(material) == (INVALID, "the log's entry is about another signature")


def test_a_certificate_of_another_signature() -> None:
    left, right = BOX.cosign(DIGEST, github()), BOX.cosign(DIGEST, gitlab())
    name = "dev.sigstore.cosign/certificate"
    mixed = left.annotations | {name: right.annotations[name]}
    material = Material(kind=MaterialKind.COSIGN, data=left.blob, annotations=mixed)
    assert state_and_why(material) == (INVALID, "the holder of its certificate did not sign this")


def test_annotations_that_contradict_each_other() -> None:
    made = BOX.cosign(DIGEST, github())
    twice = made.annotations | {"dev.sigstore.cosign/signature": "AAAA"}
    material = Material(kind=MaterialKind.COSIGN, data=made.blob, annotations=twice)
    assert state_and_why(material) == (INVALID, "its annotation signature is there twice")


def test_no_time_no_proof() -> None:
    made = BOX.cosign(DIGEST, github())
    bare = {k: v for k, v in made.annotations.items() if not k.endswith("/bundle")}
    material = Material(kind=MaterialKind.COSIGN, data=made.blob, annotations=bare)
    assert state_and_why(material)[0] is INVALID
    stamped = msgspec.structs.replace(
        material, annotations=bare | {"dev.sigstore.cosign/rfc3161timestamp": "{}"}
    )
    assert state_and_why(stamped)[0] is UNVERIFIABLE


def test_a_bundle_whose_log_entry_is_taken_out_is_in_no_log() -> None:
    for version in ("0.2", "0.3"):
        document = json.loads(BOX.sign(DIGEST, github(), version=version))
        document["verificationMaterial"]["tlogEntries"] = []
        assert state_and_why(bundle(canonical(document))) == (
            INVALID,
            "its certificate is of minutes, and no log tells when it signed",
        )


def test_a_proof_without_a_signed_tree_counts_in_the_first_format_only() -> None:
    for version, state in (("0.1", VALID), ("0.2", INVALID), ("0.3", INVALID)):
        document = json.loads(BOX.sign(DIGEST, github(), version=version))
        (entry,) = document["verificationMaterial"]["tlogEntries"]
        proof = json.loads(BOX.sign(DIGEST, github()))["verificationMaterial"]["tlogEntries"][0][
            "inclusionProof"
        ]
        entry["inclusionProof"] = {name: value for name, value in proof.items() if name != "checkpoint"}
        assert one(bundle(canonical(document))).state is state


def test_thousands_of_certificates_are_not_read() -> None:
    document = json.loads(BOX.sign(DIGEST, github(), version="0.2"))
    chain = document["verificationMaterial"]["x509CertificateChain"]["certificates"]
    chain.extend(chain * 10_000)
    state, why = state_and_why(bundle(canonical(document)))
    assert state is INVALID
    assert "more than" in why
    made = BOX.cosign(DIGEST, github())
    many = made.annotations | {
        "dev.sigstore.cosign/chain": made.annotations["dev.sigstore.cosign/chain"] * 5000,
    }
    material = Material(kind=MaterialKind.COSIGN, data=made.blob, annotations=many)
    state, why = state_and_why(material)
    assert state is INVALID
    assert "its annotation chain has" in why
    some = made.annotations["dev.sigstore.cosign/chain"] * 50
    few = msgspec.structs.replace(material, annotations=many | {"dev.sigstore.cosign/chain": some})
    assert state_and_why(few) == (INVALID, "100 certificates are given, more than 10")


def test_a_signature_without_a_signature() -> None:
    document = json.loads(BOX.attest(statement(), github()))
    for signatures in ([], [{"sig": ""}], [{"keyid": "x"}], [{"sig": "AA=="}] * 2, "none", None):
        document["dsseEnvelope"]["signatures"] = signatures
        assert state_and_why(bundle(canonical(document)))[0] is INVALID
        lone = Material(kind=MaterialKind.ENVELOPE, data=canonical(document["dsseEnvelope"]))
        assert state_and_why(lone)[0] in {INVALID, UNVERIFIABLE}


def test_names_that_stand_twice_in_a_signed_statement() -> None:
    digests = f'{{"sha256":"{OTHER[7:]}","sha256":"{DIGEST[7:]}"}}'
    payload = (
        '{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{"name":"a","digest":'
        + digests
        + '}],"predicate":{}}'
    ).encode()
    state, why = state_and_why(bundle(BOX.attest(payload, github())))
    assert (state, "stands twice" in why) == (INVALID, True)


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v2"},
        {"_type": None},
        {"_type": {}},
        {"predicateType": {}},
        {"subject": []},
        {"subject": None},
        {"subject": [{"name": "a"}]},
        {"subject": [{"name": "a", "digest": {}}]},
        {"subject": [{"name": "a", "digest": {"sha256": DIGEST[7:40]}}]},
        {"subject": [{"name": "a", "digest": {"sha256": DIGEST}}]},
        {"subject": [{"name": "a", "digest": {"sha1": DIGEST[7:]}}]},
        {"subject": [{"name": DIGEST, "digest": {"sha512": DIGEST[7:] * 2}}]},
        {"predicateType": 7},
        {"predicate": []},
    ],
)
def test_statements_that_are_none(change: dict[str, object]) -> None:
    assert state_and_why(bundle(BOX.attest(statement() | change, github())))[0] is INVALID


def test_a_package_attested_for_another_file_or_by_another_publisher() -> None:
    attested = BOX.pep740("acme_ml-1.2.0.tar.gz", DIGEST, github())
    assert one(pypi(attested, "acme-ml-1.2.0.tar.gz")).state is VALID, "another spelling of one name"
    assert "is about the file" in state_and_why(pypi(attested, "acme_ml-1.3.0.tar.gz"))[1]
    assert state_and_why(pypi(attested, "notes.txt"))[0] is INVALID
    for publisher in (
        {"kind": "GitHub", "repository": "acme/other", "workflow": "release.yml"},
        {"kind": "GitHub", "repository": "acme/ml", "workflow": "hotfix.yml"},
        {"kind": "GitLab", "repository": "acme/ml", "workflow_filepath": ".gitlab-ci.yml"},
        {"kind": "GitHub", "repository": "acme/ml"},
        {"kind": 1},
    ):
        assert state_and_why(pypi(BOX.provenance(publisher, attested)))[0] is INVALID
    assert state_and_why(pypi(BOX.provenance({"kind": "Forge"}, attested)))[0] is UNVERIFIABLE
    assert state_and_why(pypi(BOX.provenance({"kind": "GitHub"})))[1] == (
        "the provenance object holds no attestation"
    )
    two = statement(more=[{"name": "b.tar.gz", "digest": {"sha256": "0" * 64}}])
    document = json.loads(BOX.attest(two, github()))
    odd = canonical(
        {
            "version": 1,
            "verification_material": {
                "certificate": document["verificationMaterial"]["certificate"]["rawBytes"],
                "transparency_entries": document["verificationMaterial"]["tlogEntries"],
            },
            "envelope": {
                "statement": document["dsseEnvelope"]["payload"],
                "signature": document["dsseEnvelope"]["signatures"][0]["sig"],
            },
        }
    )
    assert "2 files, and one is expected" in state_and_why(pypi(odd))[1]


def test_an_identity_that_is_written_wrong_into_a_good_certificate() -> None:
    for value, why in (
        ("a\nb", "control characters"),
        ("x" * 3000, "characters"),
        ("\u202emain", "control characters"),
    ):
        state, told = state_and_why(bundle(BOX.sign(DIGEST, github().changed(_14=value))))
        assert (state, why in told) == (INVALID, True), told


def test_a_revoked_authority_is_believed_nothing_more() -> None:
    signer = one(bundle(BOX.sign(DIGEST, github()))).signer
    assert signer is not None
    revoked = Trust(roots=TRUST.roots, revoked=frozenset({signer.key.upper()}))
    for material in (bundle(BOX.sign(DIGEST, github())), cosign(BOX.cosign(DIGEST, github()))):
        assert state_and_why(material, trust=revoked) == (
            INVALID,
            f"the key sha256:{signer.key} is revoked here",
        )


def test_a_log_or_an_authority_whose_time_was_over() -> None:
    for part in ("tlogs", "ctlogs", "certificateAuthorities"):
        root = json.loads(BOX.trusted_root())
        holder = root[part][0] if part == "certificateAuthorities" else root[part][0]["publicKey"]
        holder["validFor"]["end"] = "2026-01-01T12:00:00Z"
        trust = Trust(roots=(Root("old", canonical(root)),))
        state, why = state_and_why(cosign(BOX.cosign(DIGEST, github())), trust=trust)
        assert (state, "in use" in why) == (INVALID, True), why
        if part != "ctlogs":
            state, why = state_and_why(bundle(BOX.sign(DIGEST, github())), trust=trust)
            assert (state, "in use" in why) == (INVALID, True), why
        early = BOX.start + timedelta(hours=1)
        assert one(bundle(BOX.sign(DIGEST, github(), at=early)), trust=trust).state is VALID
        assert one(cosign(BOX.cosign(DIGEST, github(), at=early)), trust=trust).state is VALID


def test_a_log_that_signed_a_tree_of_another_size() -> None:
    document = json.loads(BOX.sign(DIGEST, github()))
    proof = document["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    proof["logIndex"], proof["treeSize"] = "1", "2"
    assert one(bundle(canonical(document))).state is VALID
    for size in ("1", "3", "4", "18446744073709551616", "-1", "2.0"):
        proof["treeSize"] = size
        assert state_and_why(bundle(canonical(document)))[0] is INVALID


def test_notation_is_recognised_and_not_judged() -> None:
    for data in (b'{"payload":"e30","protected":"eyJhbGciOiJub25lIn0","signature":""}', b"\xd2\x84"):
        found = one(Material(kind=MaterialKind.NOTATION, data=data))
        assert (found.state, found.kind.value) == (UNVERIFIABLE, "notation")


def test_more_signatures_than_anybody_needs() -> None:
    good = bundle(BOX.sign(DIGEST, github()))
    flood = [Material(kind=MaterialKind.BUNDLE, data=b"%d" % n) for n in range(MAX_MATERIAL + 50)]
    found = judge(good, *flood)
    assert len(found) == MAX_MATERIAL + 1
    assert found[0].state is VALID
    assert (found[-1].state, "were not judged" in found[-1].why) == (UNVERIFIABLE, True)


def test_more_bytes_than_anybody_needs() -> None:
    large = [Material(kind=MaterialKind.UNKNOWN, data=bytes(15 << 20) + b"%d" % n) for n in range(6)]
    found = judge(bundle(BOX.sign(DIGEST, github())), *large)
    assert (len(found), found[0].state) == (6, VALID)
    assert (found[-1].state, "67,108,864 bytes" in found[-1].why) == (UNVERIFIABLE, True)


@pytest.mark.parametrize("subject", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "0" * 32, "latest"])
def test_an_artifact_without_a_digest_has_no_valid_signature(subject: str) -> None:
    for material in (
        bundle(BOX.sign(DIGEST, github())),
        bundle(BOX.attest(statement(), github())),
        cosign(BOX.cosign(DIGEST, github(), payload=canonical({"critical": {"image": {}}}))),
    ):
        assert state_and_why(material, subject=subject)[0] is SignatureState.INVALID


def test_what_is_signed_in_an_envelope_has_lengths() -> None:
    assert pae("a b", b"c d") == b"DSSEv1 3 a b 3 c d"
    assert pae("ä", b"") == "DSSEv1 2 ä 0 ".encode()


def test_a_key_that_sigstore_python_does_not_verify_is_not_called_wrong() -> None:
    key = rsa.generate_private_key(65537, 2048)
    credential = BOX.issuing.certify(github(), key=key)  # type: ignore[arg-type]
    digest = bytes.fromhex(DIGEST[7:])
    signature = key.sign(digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    content = {"messageSignature": {"signature": base64.b64encode(signature).decode()}}
    body = BOX.hashed_record(digest, signature, credential.pem)
    for version, state in (("0.3", UNVERIFIABLE), ("0.1", VALID)):
        made = BOX._bundle(credential, content, "hashedrekord", body, version, Flaws())
        assert one(bundle(made)).state is state
