"""Where deliveries are played: a registry, a pipeline with an identity, a memory, and somebody who asks the gate.

The gate itself is given from outside (`Gate`), because what asks registries lies above the lab. All that an attacker ships here
is inert: the one pickle would run `true`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from eightysix.gate.digests import subject_tag
from eightysix.lab.delivery.shelf import Place
from eightysix.lab.registry import EMPTY, INDEX, LAYER, MANIFEST, TITLE, Pushed
from eightysix.lab.signers import Identity, github
from eightysix.lab.signing import Attached, Box, canonical
from eightysix.model.gate import Decision, RegistryEvent

__all__ = ["BUNDLE", "PICKLE", "PROVENANCE", "REVISION", "Gate", "Stage", "model_statement", "weights"]

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PROVENANCE = "https://slsa.dev/provenance/v1"
REVISION = "org.opencontainers.image.revision"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
PICKLE = b"cposix\nsystem\n(Vtrue\ntR."
"""Loading it runs `true`, which does nothing."""

_ARTIFACT = "application/vnd.eightysix.lab.artifact.v1+json"


class Gate(Protocol):
    """The gate of a stage."""

    def check(self, target: str | Path, policy: str = "", landing: str = "") -> Decision:
        """Judge a reference or a folder, by the stage's policy and what is added to it."""

    def approve(self, command: str, by: str, *, days: int = 30) -> int:
        """Run the command that a finding names, as somebody; its exit code."""

    def hear(self, event: RegistryEvent) -> None:
        """Take a webhook."""

    def later(self, days: float) -> None:
        """Let days pass."""


class Release(Struct, frozen=True):
    """A push that was signed: where it lies, what it is, and by whom."""

    repository: str
    pushed: Pushed
    identity: Identity

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return self.pushed.digest


def weights(seed: int, size: int = 8) -> bytes:
    """Tensors as safetensors, with other numbers for each seed."""
    head = json.dumps({"w": {"dtype": "F32", "shape": [size], "data_offsets": [0, 4 * size]}}).encode()
    return struct.pack("<Q", len(head)) + head + struct.pack("<I", seed) * size


def model_statement(files: Mapping[str, bytes], ignored: Sequence[str] = ()) -> dict[str, object]:
    """What a model's signature says of its files (sigstore/model-transparency, v1.0), as model-signing writes it."""
    from hashlib import sha256

    digests = {name: sha256(data) for name, data in sorted(files.items())}
    root = sha256(b"".join(each.digest() for each in digests.values())).hexdigest()
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": list(ignored),
            },
            "resources": [
                {"name": name, "algorithm": "sha256", "digest": digest.hexdigest()}
                for name, digest in digests.items()
            ],
        },
    }


class Stage:
    """One registry with a pipeline that delivers to it. `runs` counts the pipeline's runs, each of a commit of its own."""

    def __init__(self, host: str, place: Place, box: Box, gate: Gate, folder: Path, runs: int = 0) -> None:
        self.host = host
        self.place = place
        self.box = box
        self.gate = gate
        self.folder = folder
        self.runs = runs
        self._attached: dict[tuple[str, str], list[dict[str, object]]] = {}

    def name(self, repository: str, tag: str = "prod") -> str:
        """A reference to a tag, or to a digest."""
        return f"{self.host}/{repository}{'@' if ':' in tag else ':'}{tag}"

    def ci(self, **changes: str | int) -> Identity:
        """The next run of the release workflow, which differs from the usual one in what is given."""
        self.runs += 1
        usual = {"run": self.runs, "commit": f"{self.runs:040x}", "environment": "release"}
        return github(**{**usual, **changes})  # type: ignore[arg-type]

    def push(
        self,
        repository: str,
        tag: str,
        files: Mapping[str, bytes],
        *,
        commit: str = "",
        types: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> Pushed:
        """An artifact of files, of a commit."""
        layers = []
        digests = {}
        for name, data in files.items():
            digests[name] = self.place.blob(repository, data)
            told = described((types or {}).get(name, LAYER), digests[name], len(data))
            layers.append({**told, "annotations": {TITLE: name}})
        body: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": _ARTIFACT,
            "config": described(EMPTY, self.place.blob(repository, b"{}"), 2),
            "layers": layers,
            **(extra or {}),
        }
        if commit:
            body["annotations"] = {REVISION: commit}
        data = json.dumps(body).encode()
        return Pushed(self.place.manifest(repository, tag, data), data, digests)

    def retag(self, repository: str, tag: str, pushed: Pushed, media_type: str = MANIFEST) -> None:
        """The same bytes under another tag, or in another repository that has the blobs."""
        self.place.manifest(repository, tag, pushed.manifest, media_type)

    def index(self, repository: str, tag: str, *children: Pushed, media_type: str = MANIFEST) -> Pushed:
        """An index over manifests of the repository."""
        listed = [
            {
                **described(media_type, child.digest, len(child.manifest)),
                "platform": {"os": "linux", "architecture": ("amd64", "arm64", "riscv64")[number % 3]},
            }
            for number, child in enumerate(children)
        ]
        data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()
        return Pushed(self.place.manifest(repository, tag, data, INDEX), data, {})

    def attach(self, repository: str, digest: str, data: bytes, kind: str = BUNDLE) -> None:
        """Attach something to a digest as a referrer, and list it under the tag that stands in for the API."""
        blob = self.place.blob(repository, data)
        body = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "artifactType": kind,
                "config": described(EMPTY, self.place.blob(repository, b"{}"), 2),
                "layers": [described(kind, blob, len(data))],
                "subject": described(MANIFEST, digest, 2),
            }
        ).encode()
        told = described(MANIFEST, self.place.manifest(repository, "", body), len(body))
        listed = self._attached.setdefault((repository, digest), [])
        listed.append({**told, "artifactType": kind})
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()
        self.place.manifest(repository, subject_tag(digest), index, INDEX)

    def attach_cosign(self, repository: str, digest: str, signed: Attached) -> None:
        """Attach a signature as cosign does: under a tag of its own."""
        blob = self.place.blob(repository, signed.blob)
        layer = {**described(SIMPLE_SIGNING, blob, len(signed.blob)), "annotations": signed.annotations}
        body = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": described(EMPTY, self.place.blob(repository, b"{}"), 2),
                "layers": [layer],
            }
        ).encode()
        self.place.manifest(repository, subject_tag(digest) + ".sig", body)

    def provenance(
        self, digest: str, identity: Identity, *, builder: str = "", source: str = "", box: Box | None = None
    ) -> bytes:
        """The provenance that the builder signs about an artifact."""
        home = identity.claims[12]
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "model", "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": PROVENANCE,
            "predicate": {
                "buildDefinition": {
                    "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                    "externalParameters": {
                        "workflow": {"ref": identity.claims[14], "repository": source or home}
                    },
                    "resolvedDependencies": [
                        {
                            "uri": f"git+{source or home}@{identity.claims[14]}",
                            "digest": {"gitCommit": identity.claims[13]},
                        }
                    ],
                },
                "runDetails": {
                    "builder": {"id": builder or "https://github.com/actions/runner/github-hosted"}
                },
            },
        }
        return (box or self.box).attest(statement, identity)

    def release(
        self,
        repository: str = "ml/llm",
        tag: str = "prod",
        files: Mapping[str, bytes] | None = None,
        *,
        identity: Identity | None = None,
        attested: bool = False,
        commit: str | None = None,
        box: Box | None = None,
    ) -> Release:
        """What the pipeline does: build a commit, push it, sign it."""
        who = identity if identity is not None else self.ci()
        made = files if files is not None else {"model.safetensors": weights(self.runs)}
        built = who.claims.get(13, "") if commit is None else commit
        pushed = self.push(repository, tag, made, commit=built)
        self.attach(repository, pushed.digest, (box or self.box).sign(pushed.digest, who))
        if attested:
            self.attach(repository, pushed.digest, self.provenance(pushed.digest, who, box=box))
        return Release(repository, pushed, who)

    def check(self, repository: str = "ml/llm", tag: str = "prod", policy: str = "") -> Decision:
        """Ask the gate."""
        return self.gate.check(self.name(repository, tag), policy)

    def model(
        self, files: Mapping[str, bytes], signed: Mapping[str, bytes], ignored: Sequence[str] = ()
    ) -> Path:
        """A folder with files and a signature of what `signed` says, as `model.sig`."""
        folder = self.folder / f"model-{self.runs}"
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        signature = self.box.attest(canonical(model_statement(signed, ignored)), self.ci())
        (folder / "model.sig").write_bytes(signature)
        return folder


def described(media_type: str, digest: str, size: int) -> dict[str, object]:
    """A descriptor."""
    return {"mediaType": media_type, "digest": digest, "size": size}
