"""Model signatures: what model-signing makes is verified, and its five defects are not ours."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing, verifying

from eightysix.gate.attest import (
    Authority,
    HashPlan,
    Key,
    Material,
    MaterialKind,
    ModelFile,
    Trust,
    collect,
    plan_of,
)
from eightysix.gate.attest.models import safe_path
from eightysix.lab.signers import github
from eightysix.lab.signing import BUNDLE_TYPES, IN_TOTO, canonical, pae
from eightysix.model.gate import Signature, SignatureKind, SignatureState, SigningMethod
from eightysix.serve.modelfiles import read_model
from tests.gate.attest.box import BOX, DIGEST, INVALID, NOW, TRUST, UNVERIFIABLE, VALID, ns, statement
from tests.gate.attest.pki import Enterprise, p256, pem_of, private_pem, public_pem

KEY = p256()
ENTERPRISE = Enterprise()
KEYS = Trust(keys=(Key("models", public_pem(KEY)),))
PKI = Trust(model_authorities=(Authority("models-pki", pem_of(ENTERPRISE.root)),))
SIG = "model.sig"


T = TypeVar("T")


def fresh(kind: type[T]) -> T:
    """A configuration of model-signing's, whose constructors have no types."""
    return kind()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "llm"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "model.safetensors").write_bytes(os.urandom(200_000))
    (folder / "tokenizer" / "vocab.txt").write_bytes(b"a\nb\n")
    return folder


def by_key(folder: Path, config: hashing.Config | None = None) -> bytes:
    """The model signed by model-signing with the key; the signature lies in the model's folder, as it does on a hub."""
    private = folder.parent / "key.pem"
    private.write_bytes(private_pem(KEY))
    config = config or fresh(hashing.Config).set_ignored_paths(paths=[SIG])
    signer = fresh(signing.Config).use_elliptic_key_signer(private_key=private).set_hashing_config(config)
    signer.sign(folder, folder / SIG)
    return (folder / SIG).read_bytes()


def by_certificate(folder: Path, **leaf: object) -> bytes:
    (folder.parent / "key.pem").write_bytes(private_pem(KEY))
    certificate = ENTERPRISE.leaf("release", KEY, **leaf)  # type: ignore[arg-type]
    (folder.parent / "leaf.pem").write_bytes(pem_of(certificate))
    (folder.parent / "between.pem").write_bytes(pem_of(ENTERPRISE.authority))
    signer = fresh(signing.Config).use_certificate_signer(
        private_key=folder.parent / "key.pem",
        signing_certificate=folder.parent / "leaf.pem",
        certificate_chain=[folder.parent / "between.pem"],
    )
    signer.set_hashing_config(fresh(hashing.Config).set_ignored_paths(paths=[SIG]))
    signer.sign(folder, folder / SIG)
    return (folder / SIG).read_bytes()


def oracle(folder: Path, trust: Trust, hashed: hashing.Config | None = None) -> bool:
    """Whether model-signing takes it; `hashed` where it cannot tell from its own signature how to hash."""
    config = fresh(verifying.Config)
    if hashed is not None:
        config.set_hashing_config(hashed)
    if trust.keys:
        (folder.parent / "public.pem").write_bytes(trust.keys[0].data)
        config.use_elliptic_key_verifier(public_key=folder.parent / "public.pem")
    else:
        (folder.parent / "root.pem").write_bytes(trust.model_authorities[0].data)
        config.use_certificate_verifier(certificate_chain=[folder.parent / "root.pem"])
    try:
        config.verify(folder, folder / SIG)
    except Exception:  # noqa: BLE001 - it raises what it likes, all of it a no
        return False
    return True


def ours(folder: Path, trust: Trust = KEYS, **change: object) -> Signature:
    data = (folder / SIG).read_bytes()
    files = read_model(str(folder), plan_of(data))
    (found,) = collect(
        "",
        [Material(kind=MaterialKind.BUNDLE, data=data, source=SIG)],
        msgspec.structs.replace(trust, **change),
        now_ns=ns(NOW),
        files=files,
        signature_files=frozenset({SIG}),
    )
    assert (found.state is VALID) == (found.signer is not None)
    return found


@pytest.mark.parametrize("algorithm", ["sha256", "blake2", "blake3"])
def test_what_model_signing_signs_is_valid(model: Path, algorithm: str) -> None:
    config = fresh(hashing.Config).use_file_serialization(hashing_algorithm=algorithm)  # type: ignore[arg-type]
    data = by_key(model, config.set_ignored_paths(paths=[SIG]))
    found = ours(model)
    assert (found.state, found.kind, found.trust, found.why) == (VALID, SignatureKind.MODEL, "models", "")
    payload = json.loads(base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"]))
    assert found.subject == "sha256:" + payload["subject"][0]["digest"]["sha256"]
    named = {"blake2": "blake2b"}.get(algorithm, algorithm)
    assert found.claims == {"model": "llm", "files": "3", "algorithm": named, "ignored": SIG}
    assert oracle(model, KEYS) is (algorithm != "blake2"), (
        "model-signing cannot verify its own BLAKE2b: it knows no such name"
    )
    weights = model / "model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    again = ours(model)
    assert (again.state, again.why) == (INVALID, "not what was signed: “model.safetensors”")
    assert not oracle(model, KEYS)


def test_parts_of_files(model: Path) -> None:
    config = fresh(hashing.Config).use_shard_serialization(hashing_algorithm="sha256", shard_size=65536)
    data = by_key(model, config.set_ignored_paths(paths=[SIG]))
    assert plan_of(data) == HashPlan("sha256", 65536)
    assert ours(model).state is VALID
    assert oracle(model, KEYS, config)
    weights = model / "model.safetensors"
    whole = weights.read_bytes()
    for other in (whole[:-1] + b"!", whole + b"x", whole[: 65536 * 3], whole[:65536] + whole[65537:]):
        weights.write_bytes(other)
        assert ours(model).state is INVALID
        assert not oracle(model, KEYS, config)


def test_a_certificate_of_an_own_authority(model: Path) -> None:
    by_certificate(model, san="spiffe://acme/release")
    found = ours(model, PKI)
    assert (found.state, found.trust) == (VALID, "models-pki")
    assert found.signer is not None
    assert (found.signer.method, found.signer.subject) == (
        SigningMethod.CERTIFICATE,
        "spiffe://acme/release",
    )
    assert oracle(model, PKI)
    assert ours(model, Trust()).state is UNVERIFIABLE
    assert (
        ours(model, Trust(model_authorities=(Authority("o", pem_of(Enterprise("O").root)),))).state
        is UNVERIFIABLE
    )


def test_defect_2_whoever_the_authority_knows_is_not_whoever_may_sign(model: Path) -> None:
    by_certificate(model, san="spiffe://acme/other")
    assert oracle(model, PKI)
    signer = ours(model, PKI).signer
    assert signer is not None
    assert signer.subject == "spiffe://acme/other", "told, so that a baseline can tell the difference"
    named = msgspec.structs.replace(PKI.model_authorities[0], subjects=("spiffe://acme/release",))
    found = ours(model, Trust(model_authorities=(named,)))
    assert (found.state, found.why) == (
        INVALID,
        "“spiffe://acme/other” may not sign under the authority “models-pki”",
    )


def test_defect_3_a_certificate_that_is_over_is_over(model: Path) -> None:
    by_certificate(model, begin=NOW - timedelta(days=20), days=10)
    assert oracle(model, PKI)
    found = ours(model, PKI)
    assert (found.state, "cert is not valid at" in found.why) == (INVALID, True)


@pytest.mark.parametrize("path", [".github/evil.pkl", ".git/hooks/evil.pkl", ".gitattributes", ".gitignore"])
def test_defect_4_files_of_git_are_files(model: Path, path: str) -> None:
    by_key(model)
    (model / path).parent.mkdir(parents=True, exist_ok=True)
    (model / path).write_bytes(b"cos\nsystem\n")
    assert oracle(model, KEYS)
    assert (ours(model).state, ours(model).why) == (INVALID, f"not signed: “{path}”")
    allowed = ours(model, ignore_paths=(path.split("/", maxsplit=1)[0],))
    assert (allowed.state, allowed.claims["ignored"]) == (VALID, f"{path}\n{SIG}")


def test_defect_5_the_signer_does_not_choose_what_is_left_out(model: Path) -> None:
    (model / "adapter.pkl").write_bytes(b"harmless")
    by_key(model, fresh(hashing.Config).set_ignored_paths(paths=[SIG, "adapter.pkl"]))
    (model / "adapter.pkl").write_bytes(b"cos\nsystem\n(S'id'\ntR.")
    assert oracle(model, KEYS)
    found = ours(model)
    assert (found.state, found.why) == (
        INVALID,
        "the signer left out what nobody here allowed: “adapter.pkl”",
    )
    (model / "adapter.pkl").unlink()
    assert ours(model).state is INVALID, "even where nothing is there yet"
    assert ours(model, ignore_paths=("adapter.pkl",)).state is VALID


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: (m / "extra.bin").write_bytes(b"x"), "not signed: “extra.bin”"),
        (lambda m: (m / ".hidden").write_bytes(b"x"), "not signed: “.hidden”"),
        (lambda m: (m / "empty").write_bytes(b""), "not signed: “empty”"),
        (lambda m: (m / "config.json").unlink(), "signed, and not there: “config.json”"),
        (lambda m: (m / "config.json").rename(m / "Config.json"), "not signed: “Config.json”"),
        (
            lambda m: (m / "link").symlink_to("config.json"),
            "links and special files are not taken in a model: “link”",
        ),
        (
            lambda m: (m / "away").symlink_to("/etc"),
            "links and special files are not taken in a model: “away”",
        ),
        (lambda m: os.mkfifo(m / "pipe"), "links and special files are not taken in a model: “pipe”"),
        (
            lambda m: [(m / f"x{n}").write_bytes(b"") for n in range(9)],
            "not signed: “x0”, “x1”, “x2”, “x3”, “x4” and 4 more",
        ),
    ],
    ids=["extra", "hidden", "empty", "gone", "case", "link", "link-out", "pipe", "many"],
)
def test_what_is_there_is_what_was_signed(model: Path, change: Callable[[Path], object], why: str) -> None:
    by_key(model)
    change(model)
    assert (ours(model).state, ours(model).why) == (INVALID, why)


def test_a_file_replaced_by_a_link_to_the_same_bytes(model: Path) -> None:
    by_key(model)
    (model.parent / "aside.json").write_bytes(b"{}")
    (model / "config.json").unlink()
    (model / "config.json").symlink_to(model.parent / "aside.json")
    assert ours(model).state is INVALID


def test_a_file_that_cannot_be_read_is_not_judged() -> None:
    files = {"a": ModelFile(path="a")}
    assert judged(v1([resource("a")]), files).state is UNVERIFIABLE
    assert "was not computed of “a”" in judged(v1([resource("a")]), files).why


# --- statements that model-signing would not make --------------------------------------------------------------------

EMPTY = hashlib.sha256(b"").hexdigest()
FILES = {"a": ModelFile(path="a", digests={"sha256": EMPTY})}


def resource(name: str, digest: str = EMPTY, algorithm: str = "sha256") -> dict[str, object]:
    return {"name": name, "digest": digest, "algorithm": algorithm}


def v1(
    resources: object, serialization: Mapping[str, object] | None = None, root: str | None = None
) -> dict[str, object]:
    listed = resources if isinstance(resources, list) else []
    if root is None:
        digests = [str(item.get("digest", "")) for item in listed if isinstance(item, dict)]
        whole = bytes.fromhex(
            "".join(d for d in digests if not d.strip("0123456789abcdef") and len(d) % 2 == 0)
        )
        root = hashlib.sha256(whole).hexdigest()
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "llm", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": serialization
            or {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            "resources": resources,
        },
    }


def signed(statement: Mapping[str, object]) -> bytes:
    payload = canonical(statement)
    return canonical(
        {
            "mediaType": BUNDLE_TYPES["0.3"],
            "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": IN_TOTO,
                "signatures": [
                    {
                        "sig": base64.b64encode(
                            KEY.sign(pae(IN_TOTO, payload), ec.ECDSA(hashes.SHA256()))
                        ).decode()
                    }
                ],
            },
        }
    )


def judged(statement: Mapping[str, object], files: Mapping[str, ModelFile] | None = FILES) -> Signature:
    material = Material(kind=MaterialKind.BUNDLE, data=signed(statement))
    (found,) = collect("" if files is not None else DIGEST, [material], KEYS, now_ns=ns(NOW), files=files)
    return found


def test_the_smallest_model() -> None:
    assert judged(v1([resource("a")])).state is VALID
    assert judged(v1([resource(".")])).state is VALID, "a model of one file is signed under this name"
    assert judged(v1([resource("a")]), None).state is UNVERIFIABLE
    bare = [
        Material(kind=MaterialKind.BUNDLE, data=BOX.attest(v1([resource("a")]), github())),
    ]
    (keyless,) = collect("", bare, TRUST, now_ns=ns(NOW), files=FILES)
    assert (keyless.state, keyless.kind) == (VALID, SignatureKind.MODEL)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "/a",
            "../a",
            "a/../a",
            "./a",
            "a//b",
            "a/",
            "",
            "..",
            "a\\b",
            "C:a",
            "a\0",
            "a\nb",
            "\u202ea",
            "x" * 5000,
        ),
        *("a/..", "a/./b", "\ud800"),
    ],
)
def test_paths_that_leave_the_model(name: str) -> None:
    assert not safe_path(name)
    statement = json.dumps(v1([resource("a"), resource(name)]))
    payload = statement.encode("utf-8", "surrogatepass")
    found = judged(json.loads(payload)) if name != "\ud800" else None
    assert found is None or (found.state, found.why.startswith("“")) == (INVALID, True), found


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a", "a"], "“a” is signed twice"),
        (["a", "A"], "“A” and “a” are one file on other systems"),
        (["stra\u00dfe", "STRASSE"], "“STRASSE” and “straße” are one file on other systems"),
        (["caf\u00e9", "cafe\u0301"], "“cafe\u0301” and “caf\u00e9” are one file on other systems"),
        (["a", "a/b"], "“a” is signed as a file and as the folder of “a/b”"),
        (["A", "a/b/c"], "“A” is signed as a file and as the folder of “a/b/c”"),
    ],
)
def test_names_that_are_one(names: list[str], why: str) -> None:
    files = {name: ModelFile(path=name, digests={"sha256": EMPTY}) for name in names}
    found = judged(v1([resource(name) for name in names]), files)
    assert (found.state, found.why) == (INVALID, why)


FILES_METHOD = {"method": "files", "hash_type": "sha256"}
SHARDS = {"method": "shards", "hash_type": "sha256", "shard_size": 65536}
PART = "sha256-sharded-65536"


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        (v1([]), INVALID),
        (v1(None), INVALID),
        (v1([1]), INVALID),
        (v1([resource("a")], root="0" * 64), INVALID),
        (v1([resource("a", digest="00")]), INVALID),
        (v1([resource("a", algorithm="sha1")]), INVALID),
        (v1([resource("a", algorithm="blake3")]), INVALID),
        (v1([resource("a")], {"method": "files", "hash_type": "sha1"}), UNVERIFIABLE),
        (v1([resource("a")], {"method": "tensors", "hash_type": "sha256"}), UNVERIFIABLE),
        (v1([resource("a")], {}), VALID),  # v1() puts the plain one there
        (v1([resource("a")], {"method": "files"}), INVALID),
        (v1([resource("a")], FILES_METHOD | {"ignore_paths": "a"}), INVALID),
        (v1([resource("a")], FILES_METHOD | {"ignore_paths": [".git", ".github/x"]}), VALID),
        (v1([resource("a")], FILES_METHOD | {"ignore_paths": ["."]}), INVALID),
        (v1([resource("a")], FILES_METHOD | {"ignore_paths": [".git/../weights"]}), INVALID),
        (v1([resource("a")], FILES_METHOD | {"ignore_paths": ["/"]}), INVALID),
        (v1([resource("a")], FILES_METHOD | {"ignore_paths": [7]}), INVALID),
        (v1([resource("a")], FILES_METHOD | {"allow_symlinks": True}), VALID),
        (v1([resource("a:0:1", algorithm=PART)], SHARDS), INVALID),
        (v1([resource("a:00:0", algorithm=PART)], SHARDS), INVALID),
        (v1([resource("a:x:y", algorithm=PART)], SHARDS), INVALID),
        (v1([resource("a", algorithm=PART)], SHARDS), INVALID),
        (v1([resource("a:0:0")], SHARDS), INVALID),
        (v1([resource("a:0:0", algorithm=PART)], SHARDS), UNVERIFIABLE),
        (v1([resource("a:0:0", algorithm=PART), resource("a:0:1", algorithm=PART)], SHARDS), INVALID),
        (v1([resource("a:0:0")], SHARDS | {"shard_size": 1}), INVALID),
        (v1([resource("a:0:0")], SHARDS | {"shard_size": True}), INVALID),
    ],
)
def test_statements_of_models(statement: Mapping[str, object], state: SignatureState) -> None:
    found = judged(statement)
    assert found.state is state, found.why
    assert plan_of(signed(statement)).algorithm == "sha256"


def test_two_models_in_one_statement() -> None:
    two = v1([resource("a")])
    two["subject"] = [*two["subject"], {"name": "b", "digest": {"sha256": "0" * 64}}]  # type: ignore[misc]
    assert judged(two).state is INVALID


def test_the_first_format_names_files_as_subjects() -> None:
    old: dict[str, object] = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://model_signing/Digests/v0.1",
        "predicate": {"unused": 1},
        "subject": [{"name": "a", "digest": {"sha256": EMPTY}}],
    }
    found = judged(old)
    assert (found.state, found.claims) == (VALID, {"model": "", "files": "1", "algorithm": "sha256"})
    other = {"a": ModelFile(path="a", digests={"sha256": "0" * 64})}
    assert judged(old, other).state is INVALID
    assert judged(old, FILES | {"b": ModelFile(path="b", digests={"sha256": EMPTY})}).state is INVALID
    assert judged(old | {"subject": [{"name": "../a", "digest": {"sha256": EMPTY}}]}).state is INVALID
    assert judged(old | {"subject": [{"name": "a", "digest": {"sha512": EMPTY * 2}}]}).state is INVALID


def test_flipped_bits_in_a_models_signature() -> None:
    data = signed(v1([resource("a")]))
    reference = msgspec.structs.replace(judged(v1([resource("a")])), digest="")
    for index in range(0, len(data), 3):
        changed = bytearray(data)
        changed[index] ^= 1 << index % 8
        material = Material(kind=MaterialKind.BUNDLE, data=bytes(changed))
        (found,) = collect("", [material], KEYS, now_ns=ns(NOW), files=FILES)
        same = msgspec.structs.replace(
            found, digest="", subject=reference.subject
        ) == msgspec.structs.replace(reference, digest="")
        assert found.state in {INVALID, UNVERIFIABLE} or same
        plan_of(bytes(changed))


def test_signatures_of_images_are_none_of_a_folder() -> None:
    nothing = {
        "critical": {"image": {"docker-manifest-digest": ""}, "type": "cosign container image signature"}
    }
    made = BOX.cosign("", github(), payload=canonical(nothing | {"optional": None}))
    of_image = BOX.cosign(DIGEST, github())
    bundle = json.loads(BOX.sign(DIGEST, github()))
    del bundle["messageSignature"]["messageDigest"]
    for material in (
        *(
            Material(kind=MaterialKind.COSIGN, data=a.blob, annotations=a.annotations)
            for a in (made, of_image)
        ),
        Material(kind=MaterialKind.BUNDLE, data=BOX.sign(DIGEST, github())),
        Material(kind=MaterialKind.BUNDLE, data=canonical(bundle)),
        Material(kind=MaterialKind.BUNDLE, data=BOX.attest(statement(), github())),
        Material(kind=MaterialKind.PYPI, data=BOX.pep740("a-1.tar.gz", DIGEST, github())),
        Material(kind=MaterialKind.DETACHED, data=b"x"),
    ):
        (found,) = collect("", [material], TRUST, now_ns=ns(NOW), files=FILES)
        assert found.state in {INVALID, UNVERIFIABLE}, material


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff", b"[" * 100_000, signed({"_type": "x"}), signed({"_type": {}})]
)
def test_a_plan_of_anything_is_a_plan(data: bytes) -> None:
    assert plan_of(data) == HashPlan()


def test_a_hundred_thousand_files_and_one_more() -> None:
    many = [resource(f"f{n}") for n in range(100_001)]
    found = judged(v1(many))
    assert (found.state, "more than 100,000" in found.why) == (INVALID, True)
