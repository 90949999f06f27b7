"""What it costs to verify signatures, beside bare sigstore-python in the same run, and to hash a model's folder.

    python -m bench.gate_attest [--output bench/results/gate_attest.json] [--mib 1024]

Each kind is verified in turn with its bare counterpart, five rounds of 200; the least CPU (user and system) of a round
counts. Bare means `Bundle.from_json` and `verify_artifact` or `verify_dsse` without a policy, for cosign a bundle over the same
payload, as sigstore-python reads none of cosign's. Ours gives the signer and claims too. The folder is a sparse
model of `--mib` MiB in the page cache in 4 files of random bytes, read three times; `sha256 alone` is `hashlib.file_digest`,
`twice` is a pass for each digest. Throughput is per CPU second.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from blake3 import blake3
from sigstore.hashes import Hashed
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.common.v1 import HashAlgorithm
from sigstore_models.trustroot.v1 import TrustedRoot as Document

from eightysix.gate.attest import HashPlan, Material, MaterialKind, Root, Trust, collect
from eightysix.lab.signers import github
from eightysix.lab.signing import Attached, Box
from eightysix.model.gate import SignatureState
from eightysix.serve.modelfiles import read_model

ROUNDS, TIMES = 5, 200
DIGEST = hashlib.sha256(b"a model").hexdigest()
NOW_NS = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp()) * 1_000_000_000


class AnyPolicy:
    """Any signer, without the warning that sigstore's own prints each time."""

    def verify(self, cert: object) -> None:
        """Nothing to ask."""


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def least(work: Callable[[], object], times: int) -> float:
    """Seconds of CPU for one call, in this round."""
    begin = cpu()
    for _ in range(times):
        work()
    return (cpu() - begin) / times


def kinds(box: Box) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Ours and the bare one, by kind."""
    trust = Trust(roots=(Root("box", box.trusted_root()),))
    bare = Verifier(trusted_root=TrustedRoot(Document.from_json(box.trusted_root())))
    hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(DIGEST))
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "a-1.tar.gz", "digest": {"sha256": DIGEST}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": {"buildType": "x"}, "runDetails": {"builder": {"id": "y"}}},
    }

    def ours(material: Material) -> Callable[[], object]:
        def work() -> object:
            (found,) = collect(f"sha256:{DIGEST}", (material,), trust, now_ns=NOW_NS)
            assert found.state is SignatureState.VALID, found.why
            return found

        return work

    def attached(kind: MaterialKind, made: Attached) -> Material:
        return Material(kind=kind, data=made.blob, annotations=made.annotations)

    signed, attested = box.sign(DIGEST, github()), box.attest(statement, github())
    cosign = box.cosign(f"sha256:{DIGEST}", github())
    over_payload = box.sign(hashlib.sha256(cosign.blob).hexdigest(), github())
    payload = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=hashlib.sha256(cosign.blob).digest())

    def artifact(data: bytes, digest: Hashed) -> Callable[[], object]:
        return lambda: bare.verify_artifact(digest, Bundle.from_json(data), AnyPolicy())

    def dsse(data: bytes) -> Callable[[], object]:
        return lambda: bare.verify_dsse(Bundle.from_json(data), AnyPolicy())

    return {
        "bundle over a digest": (
            ours(Material(kind=MaterialKind.BUNDLE, data=signed)),
            artifact(signed, hashed),
        ),
        "bundle with a statement": (ours(Material(kind=MaterialKind.BUNDLE, data=attested)), dsse(attested)),
        "cosign signature": (ours(attached(MaterialKind.COSIGN, cosign)), artifact(over_payload, payload)),
        "cosign attestation": (
            ours(attached(MaterialKind.ENVELOPE, box.cosign_attestation(statement, github()))),
            dsse(attested),
        ),
        "attestation of PEP 740": (
            ours(Material(kind=MaterialKind.PYPI, data=box.pep740("a-1.tar.gz", DIGEST, github()))),
            dsse(attested),
        ),
    }


def signatures() -> dict[str, dict[str, float]]:
    work = kinds(Box("bench"))
    for ours, bare in work.values():
        ours(), bare()
    best: dict[str, list[float]] = {name: [9.0, 9.0] for name in work}
    for _ in range(ROUNDS):
        for name, both in work.items():
            best[name] = [min(old, least(one, TIMES)) for old, one in zip(best[name], both, strict=True)]
    return {
        name: {
            "ours_cpu_ms": round(ours * 1000, 3),
            "sigstore_cpu_ms": round(bare * 1000, 3),
            "times": round(ours / bare, 2),
        }
        for name, (ours, bare) in best.items()
    }


def folder(mib: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as path:
        size = (mib << 20) // 4
        for number in range(4):
            with (Path(path) / f"model-{number}.safetensors").open("wb") as file:
                for _ in range(size >> 20):
                    file.write(os.urandom(1 << 20))
        paths = sorted(Path(path).iterdir())

        def by_one(algorithm: Callable[[], object]) -> int:
            for one in paths:
                with one.open("rb") as file:
                    hashlib.file_digest(file, algorithm)  # type: ignore[arg-type]
            return len(paths)

        def rate(work: Callable[[], object]) -> float:
            return round((4 * size / 1e9) / min(least(work, 1) for _ in range(3)), 2)

        return {
            "gib": round(4 * size / (1 << 30), 2),
            "sha256_and_blake3_gb_per_cpu_s": rate(lambda: read_model(path, HashPlan())),
            "sha256_and_blake3_twice_gb_per_cpu_s": rate(lambda: (by_one(hashlib.sha256), by_one(blake3))),
            "sha256_alone_gb_per_cpu_s": rate(lambda: by_one(hashlib.sha256)),
            "blake3_alone_gb_per_cpu_s": rate(lambda: by_one(blake3)),
            "with_sha256_parts_of_64_mib_gb_per_cpu_s": rate(
                lambda: read_model(path, HashPlan("sha256", 64 << 20))
            ),
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--output")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    result: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"sigstore {version('sigstore')}, cryptography {version('cryptography')}",
        "signatures": signatures(),
        "folder": folder(options.mib),
    }
    result["others"] = f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if options.output:
        Path(options.output).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
