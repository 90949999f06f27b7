"""Each kind of signature that is read: what is found valid, who signed, and what was said."""

from __future__ import annotations

import json
import socket
import sys

import pytest

from eightysix.gate.attest import Material, MaterialKind, Root, Trust, public_good
from eightysix.lab.signers import Identity, buildkite, github, gitlab, person
from eightysix.lab.signing import BUNDLE_TYPES, canonical
from eightysix.model.errors import MissingExtraError, RuleError
from eightysix.model.gate import Signature, SignatureKind, SignatureState, Signer, SigningMethod
from tests.gate.attest.box import (
    BOX,
    DIGEST,
    OTHER,
    TRUST,
    UNSIGNED,
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

WHEEL = "acme_ml-1.2.0-py3-none-any.whl"
LOGGED_NS = 1_767_312_005_000_000_000
GITHUB = Signer(
    method=SigningMethod.KEYLESS,
    issuer="https://token.actions.githubusercontent.com",
    key="9165f0f0",
    owner_id="99",
    repository_id="1234",
    owner="https://github.com/acme",
    repository="https://github.com/acme/ml",
    workflow="https://github.com/acme/ml/.github/workflows/release.yml",
    build_config="https://github.com/acme/ml/.github/workflows/release.yml",
    subject="https://github.com/acme/ml/.github/workflows/release.yml",
    ref="refs/heads/main",
    runner="github-hosted",
    trigger="push",
    visibility="private",
    commit="a" * 40,
    builder_digest="a" * 40,
    config_digest="a" * 40,
    run="https://github.com/acme/ml/actions/runs/1/attempts/1",
)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection fails the test."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def told(signature: Signature) -> dict[str, str]:
    assert signature.signer is not None
    return {
        name: value
        for name in ("issuer", "repository", "workflow", "subject", "ref", "runner", "trigger", "run")
        if (value := getattr(signature.signer, name))
    }


@pytest.mark.parametrize("version", BUNDLE_TYPES)
def test_bundles_of_every_version_are_verified(version: str) -> None:
    for made, kind in (
        (BOX.sign(DIGEST, github(), version=version), SignatureKind.SIGSTORE_BUNDLE),
        (BOX.attest(statement(), github(), version=version), SignatureKind.PROVENANCE),
    ):
        found = one(bundle(made))
        assert (found.state, found.kind, found.subject, found.why) == (VALID, kind, DIGEST, "")
        assert (found.at_ns, found.trust, found.source) == (LOGGED_NS, "acme", "here")


def test_every_field_of_a_signer_comes_from_its_certificate() -> None:
    found = one(bundle(BOX.sign(DIGEST, github(environment="production"))))
    assert found.signer is not None
    assert len(found.signer.key) == 64
    expected = {name: getattr(GITHUB, name) for name in GITHUB.__struct_fields__} | {
        "key": found.signer.key,
        "environment": "production",
    }
    assert {name: getattr(found.signer, name) for name in GITHUB.__struct_fields__} == expected
    again = one(bundle(BOX.sign(DIGEST, gitlab())))
    assert again.signer is not None
    assert again.signer.key == found.signer.key, "the authority's key, not the signer's own of ten minutes"


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (
            gitlab(ref="refs/tags/v1"),
            {
                "issuer": "https://gitlab.com",
                "repository": "https://gitlab.com/acme/group/ml",
                "workflow": "https://gitlab.com/acme/group/ml//.gitlab-ci.yml",
                "subject": "https://gitlab.com/acme/group/ml//.gitlab-ci.yml",
                "ref": "refs/tags/v1",
                "runner": "gitlab-hosted",
                "trigger": "push",
                "run": "https://gitlab.com/acme/group/ml/-/jobs/7",
            },
        ),
        (
            buildkite(),
            {
                "issuer": "https://agent.buildkite.com",
                "subject": "https://buildkite.com/acme/ml",
                "run": "https://buildkite.com/acme/ml/builds/3#job",
            },
        ),
        (person(), {"issuer": "https://accounts.google.com", "subject": "dev@acme.example"}),
        (
            github(built_by="https://github.com/acme/ci/.github/workflows/sign.yml@refs/tags/v3"),
            {
                "issuer": "https://token.actions.githubusercontent.com",
                "repository": "https://github.com/acme/ml",
                "workflow": "https://github.com/acme/ci/.github/workflows/sign.yml",
                "subject": "https://github.com/acme/ci/.github/workflows/sign.yml",
                "ref": "refs/heads/main",
                "runner": "github-hosted",
                "trigger": "push",
                "run": "https://github.com/acme/ml/actions/runs/1/attempts/1",
            },
        ),
        (
            Identity(github().name, {n: t for n, t in github().claims.items() if n < 7}),
            {
                "issuer": "https://token.actions.githubusercontent.com",
                "repository": "https://github.com/acme/ml",
                "subject": "https://github.com/acme/ml/.github/workflows/release.yml",
                "ref": "refs/heads/main",
                "trigger": "push",
            },
        ),
    ],
    ids=["gitlab", "buildkite", "person", "reusable", "before-2023"],
)
def test_signers_of_each_issuer(identity: Identity, expected: dict[str, str]) -> None:
    assert told(one(bundle(BOX.sign(DIGEST, identity)))) == expected


def test_cosign_signatures_and_attestations_of_images() -> None:
    signed = one(cosign(BOX.cosign(DIGEST, github(), "registry.example/ml/llm")))
    assert (signed.state, signed.kind, signed.subject) == (VALID, SignatureKind.COSIGN, DIGEST)
    assert (signed.claims, signed.at_ns) == ({"reference": "registry.example/ml/llm"}, LOGGED_NS)
    attested = one(envelope(BOX.cosign_attestation(statement(), gitlab())))
    assert (attested.state, attested.kind, attested.subject) == (VALID, SignatureKind.PROVENANCE, DIGEST)
    plain = one(bundle(BOX.attest(statement(predicate_type="https://sigstore.dev/cosign/sign/v1"), github())))
    assert (plain.state, plain.kind) == (VALID, SignatureKind.SIGSTORE_BUNDLE)
    assert plain.predicate_type == "https://sigstore.dev/cosign/sign/v1"


@pytest.mark.parametrize("version", ["intoto-0.0.1", "intoto-0.0.2"])
def test_older_entries_of_the_log_for_attestations(version: str) -> None:
    import base64
    import hashlib

    made = BOX.cosign_attestation(statement(), github())
    promise = json.loads(made.annotations["dev.sigstore.cosign/bundle"])
    spec = json.loads(base64.b64decode(promise["Payload"]["body"]))["spec"]
    (entry,) = spec["signatures"]
    content: dict[str, object] = {"payloadHash": spec["payloadHash"]}
    content["hash"] = {"algorithm": "sha256", "value": hashlib.sha256(made.blob).hexdigest()}
    new: dict[str, object] = {"content": content}
    if version.endswith("1"):
        new["publicKey"] = entry["verifier"]
    else:
        twice = base64.b64encode(entry["signature"].encode()).decode()
        content["envelope"] = {"signatures": [{"publicKey": entry["verifier"], "sig": twice}]}
    body = canonical({"apiVersion": version[7:], "kind": "intoto", "spec": new})
    promise["Payload"]["body"] = base64.b64encode(body).decode()
    moment = promise["Payload"]["integratedTime"]
    promise["SignedEntryTimestamp"] = base64.b64encode(BOX.signed_entry(body, moment)).decode()
    annotations = made.annotations | {"dev.sigstore.cosign/bundle": canonical(promise).decode()}
    material = Material(kind=MaterialKind.ENVELOPE, data=made.blob, annotations=annotations)
    assert one(material).state is VALID
    content["payloadHash"] = {"algorithm": "sha256", "value": "0" * 64}
    body = canonical({"apiVersion": version[7:], "kind": "intoto", "spec": new})
    promise["Payload"]["body"] = base64.b64encode(body).decode()
    promise["SignedEntryTimestamp"] = base64.b64encode(BOX.signed_entry(body, moment)).decode()
    annotations["dev.sigstore.cosign/bundle"] = canonical(promise).decode()
    assert state_and_why(material)[1] == "the log's entry is about another signature"


def test_attestations_of_packages_with_and_without_a_publisher() -> None:
    alone = BOX.pep740(WHEEL, DIGEST, github())
    served = BOX.provenance(
        {"kind": "GitHub", "repository": "acme/ml", "workflow": "release.yml", "environment": "pypi"},
        alone,
        BOX.pep740(WHEEL, DIGEST, github(), predicate_type="https://slsa.dev/provenance/v1"),
    )
    found = one(pypi(alone, WHEEL))
    assert (found.state, found.kind, found.subject) == (VALID, SignatureKind.PYPI, DIGEST)
    assert found.signer is not None
    assert found.signer.method is SigningMethod.PUBLISHER
    both = judge(pypi(served, WHEEL))
    assert [s.state for s in both] == [VALID, VALID]
    assert both[0].claims == {
        "subject_name": WHEEL,
        "subjects": "1",
        "publisher": "GitHub",
        "publisher_environment": "pypi",
    }
    on_gitlab = {"kind": "GitLab", "repository": "acme/group/ml", "workflow_filepath": ".gitlab-ci.yml"}
    assert one(pypi(BOX.provenance(on_gitlab, BOX.pep740(WHEEL, DIGEST, gitlab())), WHEEL)).state is VALID
    google = {"kind": "Google", "email": "dev@acme.example"}
    assert one(pypi(BOX.provenance(google, BOX.pep740(WHEEL, DIGEST, person())), WHEEL)).state is VALID


SLSA_1 = {
    "buildDefinition": {
        "buildType": "https://actions.github.io/buildtypes/workflow/v1",
        "externalParameters": {
            "workflow": {
                "ref": "refs/heads/main",
                "repository": "https://github.com/acme/ml",
                "path": ".github/workflows/release.yml",
            }
        },
        "resolvedDependencies": [
            {"uri": "pkg:docker/python@3.12", "digest": {"sha256": "d" * 64}},
            {"uri": "git+https://github.com/acme/ml@refs/heads/main", "digest": {"gitCommit": "c" * 40}},
        ],
    },
    "runDetails": {
        "builder": {"id": "https://github.com/actions/runner/github-hosted"},
        "metadata": {"invocationId": "https://github.com/acme/ml/actions/runs/1/attempts/1"},
    },
}
SLSA_0 = {
    "builder": {"id": "https://github.com/slsa-framework/generator@refs/tags/v2.1.0"},
    "buildType": "https://github.com/slsa-framework/container@v1",
    "invocation": {
        "configSource": {
            "uri": "git+https://github.com/acme/ml@refs/tags/v1",
            "digest": {"sha1": "e" * 40},
            "entryPoint": ".github/workflows/release.yml",
        }
    },
    "metadata": {"buildInvocationId": "77-1"},
    "materials": [{"uri": "git+https://github.com/acme/ml@refs/tags/v1", "digest": {"sha1": "e" * 40}}],
}


def test_what_provenance_says_of_builder_source_commit_and_materials() -> None:
    new = one(bundle(BOX.attest(statement(predicate=SLSA_1), github()))).claims
    assert new == {
        "subject_name": "registry.example/ml/llm",
        "subjects": "1",
        "builder": "https://github.com/actions/runner/github-hosted",
        "build_type": "https://actions.github.io/buildtypes/workflow/v1",
        "source": "https://github.com/acme/ml",
        "ref": "refs/heads/main",
        "commit": "c" * 40,
        "entry_point": ".github/workflows/release.yml",
        "invocation": "https://github.com/acme/ml/actions/runs/1/attempts/1",
        "materials": f"pkg:docker/python@3.12 sha256:{'d' * 64}\n"
        f"git+https://github.com/acme/ml@refs/heads/main gitCommit:{'c' * 40}",
        "materials_count": "2",
    }
    made = statement(
        predicate_type="https://slsa.dev/provenance/v0.2",
        predicate=SLSA_0,
        kind="https://in-toto.io/Statement/v0.1",
    )
    old = one(bundle(BOX.attest(made, github()))).claims
    assert (old["builder"], old["source"], old["ref"], old["commit"], old["materials_count"]) == (
        "https://github.com/slsa-framework/generator@refs/tags/v2.1.0",
        "https://github.com/acme/ml",
        "refs/tags/v1",
        "e" * 40,
        "1",
    )


@pytest.mark.parametrize(
    "predicate",
    [
        {"buildDefinition": []},
        {"buildDefinition": {"externalParameters": {"workflow": "x"}, "resolvedDependencies": [1, None, {}]}},
        {"runDetails": {"builder": 7}, "materials": {"a": 1}},
        {"builder": [], "invocation": 3, "materials": "x"},
    ],
)
def test_provenance_of_another_shape_is_valid_and_says_less(predicate: dict[str, object]) -> None:
    found = one(bundle(BOX.attest(statement(predicate=predicate), github())))
    assert found.state is VALID
    assert "builder" not in found.claims


def test_statements_about_many_things_are_about_each_of_them() -> None:
    made = statement(
        OTHER, more=[{"name": "b", "digest": {"sha512": "0" * 128, "sha256": DIGEST[7:].upper()}}]
    )
    found = one(bundle(BOX.attest(made, github())))
    assert (found.state, found.subject, found.claims["subjects"]) == (VALID, DIGEST, "2")
    assert found.claims["subject_name"] == "b"


def test_an_artifact_known_by_sha512() -> None:
    wide = "sha512:" + "1f" * 64
    assert one(bundle(BOX.attest(statement(wide), github())), subject=wide).state is VALID
    assert one(cosign(BOX.cosign(wide, github())), subject=wide).state is VALID
    state, why = state_and_why(bundle(BOX.sign(DIGEST, github())), subject=wide)
    assert state is SignatureState.INVALID, why


def test_nothing_attached_is_unsigned_and_told_once() -> None:
    (found,) = judge()
    assert (found.state, found.subject, found.why) == (UNSIGNED, DIGEST, "nothing is attached")


def test_all_are_judged_and_the_same_one_once() -> None:
    good = bundle(BOX.sign(DIGEST, github()))
    bad = bundle(BOX.sign(OTHER, github()))
    found = judge(bad, good, good, cosign(BOX.cosign(DIGEST, gitlab())), bad)
    assert [s.state.value for s in found] == ["invalid", "valid", "valid"]


def test_each_root_vouches_for_its_own() -> None:
    from tests.gate.attest.box import STRANGER

    both = Trust(roots=(public_good(), *TRUST.roots, Root("stranger", STRANGER.trusted_root())))
    mine = one(bundle(BOX.sign(DIGEST, github())), trust=both)
    theirs = one(cosign(STRANGER.cosign(DIGEST, github())), trust=both)
    assert (mine.trust, theirs.trust) == ("acme", "stranger")
    assert mine.signer is not None
    assert theirs.signer is not None
    assert mine.signer.key != theirs.signer.key


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"mediaType":"x"}', b'{"a":1,"a":2}'])
def test_a_wrong_root_is_the_operators_error(data: bytes) -> None:
    with pytest.raises(RuleError, match="trusted root “mine” cannot be used"):
        judge(bundle(b"{}"), trust=Trust(roots=(Root("mine", data),)))


def test_the_public_root_comes_with_sigstore() -> None:
    root = json.loads(public_good().data)
    assert {entry["baseUrl"] for entry in root["tlogs"]} >= {"https://rekor.sigstore.dev"}


@pytest.mark.parametrize("missing", ["pypi_attestations", "sigstore.models", "sigstore.hashes"])
def test_who_lacks_a_package_is_told_so(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    material = pypi(BOX.pep740(WHEEL, DIGEST, github())), bundle(BOX.sign(DIGEST, github()))
    fresh = Trust(roots=(Root(missing, BOX.trusted_root()),))
    with pytest.raises(MissingExtraError, match="not installed"):
        judge(*material, trust=fresh)
