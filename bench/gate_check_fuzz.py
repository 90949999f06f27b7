"""Fuzzes the gate's whole check for some minutes: a registry that gives altered manifests, signatures and layers, and lies.

    python -m bench.gate_check_fuzz [--minutes 5] [--seed 1] [--output bench/results/gate_check_fuzz.json]
    python -m bench.gate_check_fuzz --seed 1 --only 12345

A repository has learned its signer from three releases. An input is the fourth, honest one, after one to four alterations: a
manifest, an index of signatures, a bundle or a layer mutated; pushed as what it then is (who pushes), or given for what it was
not (who runs the registry); parts gone, answers cut, statuses made up, tags exchanged. One input in five is a policy or the end
of a feed. It must hold that there is a decision or one of our errors and nothing else, that whatever is not the honest digest is
held, and that nothing takes longer than the deadlines allow. Each input follows from the seed and its number.
"""

from __future__ import annotations

import argparse
import collections
import json
import platform
import random
import resource
import struct
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from bench.gate_fuzz import changed
from eightysix.gate.attest import Root, Trust
from eightysix.gate.digests import digest_of, subject_tag
from eightysix.gate.mediatypes import OCI_INDEX, OCI_MANIFEST
from eightysix.gate.policy.form import DEFAULT
from eightysix.gate.policy.reading import parse_policy
from eightysix.lab.signers import github
from eightysix.lab.signing import Box
from eightysix.model.errors import EightysixError, RuleError
from eightysix.model.gate import Decision, Reference, Ruling
from eightysix.scan.api import default_options
from eightysix.serve.gate.check import Judge, check_reference
from eightysix.serve.gate.evaluator import evaluate_in_child
from eightysix.serve.gate.feeding import last_told
from eightysix.serve.registry import Bounds, RegistryClient, Settings
from eightysix.store.history import GateHistory
from tests.serve.registry.liar import Asked, Liar, Out
from tests.serve.registry.stock import Stock

REPO, TAG = "ml/llm", "prod"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SLOW_S = 20.0
POLICY = b"""mode: enforce
approvers: [ana]
trust: {sigstore: [root.json]}
require:
  - {scope: "r.example/ml/*", signed: true, attested: [https://slsa.dev/provenance/v1]}
rules:
  - {id: no-dev, when: 'signatures.exists(s, s.signer.ref == "refs/heads/dev")', then: hold, why: only main}
"""


class Registry(Stock):
    """A stock that may also answer with made-up statuses and cut bodies, by the last part of the path."""

    def __init__(self) -> None:
        super().__init__()
        self.odd: dict[str, bytes] = {}

    def __call__(self, asked: Asked, out: Out) -> None:
        told = self.odd.get(asked.path.rpartition("/")[2])
        if told is None:
            super().__call__(asked, out)
        else:
            out.keep = False
            out.raw(told)


def weights(number: int) -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [number], "data_offsets": [0, 4 * number]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(4 * number)


def released(stock: Registry, box: Box, run: int) -> str:
    """One honest release, as its pipeline makes it; its digest."""
    layer = stock.blob(weights(run), annotations={"org.opencontainers.image.title": "model.safetensors"})
    revision = {"org.opencontainers.image.revision": f"{run:040x}"}
    root = stock.image(TAG, layer, annotations=revision)
    digest = str(root["digest"])
    bundle = box.sign(digest, github(run=run, commit=f"{run:040x}"))
    signature = stock.image("", stock.blob(bundle, BUNDLE), artifactType=BUNDLE, subject=root)
    stock.index(subject_tag(digest), {**signature, "artifactType": BUNDLE})
    return digest


def altered(stock: Registry, honest: str, chance: random.Random) -> str:
    """Alter one thing; what was done."""
    names = sorted(stock.manifests)
    way = chance.choice(
        ["push", "push", "lie", "blob", "blob-lie", "gone", "tag", "odd", "kind", "referrers"]
    )
    name = chance.choice([TAG, honest, subject_tag(honest), *names])
    if name not in stock.manifests:
        return "nothing"
    data, kind = stock.manifests[name]
    if way == "push":
        new = changed(chance, data, [each for each, _ in stock.manifests.values()])
        stock.manifests[digest_of(new)] = stock.manifests[name if chance.random() < 0.5 else TAG] = (
            new,
            kind,
        )
    elif way == "lie":
        stock.lies[name] = changed(chance, data, [])
    elif way == "blob":
        digest = chance.choice(sorted(stock.blobs))
        stock.blobs[digest] = changed(chance, stock.blobs[digest], list(stock.blobs.values()))
    elif way == "blob-lie":
        stock.lies[chance.choice(sorted(stock.blobs))] = chance.choice(sorted(stock.blobs.values()))
    elif way == "gone":
        chance.choice([stock.manifests, stock.blobs]).pop(chance.choice(names), None)  # type: ignore[attr-defined]
    elif way == "tag":
        stock.manifests[name] = stock.manifests[chance.choice(names)]
    elif way == "kind":
        kinds = [OCI_INDEX, OCI_MANIFEST, "", "text/html", BUNDLE]
        stock.manifests[name] = (data, chance.choice(kinds))
    elif way == "odd":
        status = chance.choice([200, 201, 204, 206, 301, 400, 401, 403, 404, 410, 418, 429, 500, 503])
        body = chance.randbytes(chance.randrange(40))
        length = chance.choice([len(body), 0, 7, 10**12])
        stock.odd[name] = f"HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n".encode() + body
    else:
        listed = stock.manifests.get(subject_tag(honest), (b"{}", ""))[0]
        stock.referrers = {honest: changed(chance, listed, [data])}
    return way


class Bench:
    """Everything that stays from input to input."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.box = Box("fuzz", seed=str(seed))
        self.trust = Trust(roots=(Root("fuzz", self.box.trusted_root()),))
        self.stock = Registry()
        self.folder = folder
        self.done: collections.Counter[str] = collections.Counter()
        self.liar = Liar(self.answer)
        self.liar.__enter__()
        self.place = Reference(self.liar.host, REPO, TAG)
        path = folder / "history.db"
        with GateHistory.open(path, time.time_ns) as history:
            for run in (1, 2, 3):
                released(self.stock, self.box, run)
                assert self.check(history).ruling is Ruling.ALLOW
        self.history = GateHistory.open(path, time.time_ns, read_only=True)

    def answer(self, asked: Asked, out: Out) -> None:
        self.stock(asked, out)

    def check(self, history: GateHistory) -> Decision:
        judge = Judge(
            policy=DEFAULT,
            trust=self.trust,
            evaluate=evaluate_in_child,
            history=history,
            scan=default_options(),
            now_ns=time.time_ns(),
        )
        settings = Settings(bounds=Bounds(tries=1))
        with RegistryClient(self.liar.host, settings=settings) as client:
            return check_reference(client, self.place, judge)

    def problem(self, seed: int, number: int) -> str:
        chance = random.Random(f"{seed}:{number}")
        if chance.random() < 0.2:
            return self.text(chance)
        self.stock = Registry()
        honest = released(self.stock, self.box, 4)
        done = [altered(self.stock, honest, chance) for _ in range(chance.randrange(1, 5))]
        begin = time.monotonic()
        try:
            decision = self.check(self.history)
        except EightysixError as error:
            self.done[f"error {type(error).__name__}"] += 1
            return ""
        except Exception as error:  # noqa: BLE001 - that nothing else is raised is what is asked
            return f"{done} raised {type(error).__name__}: {error}"
        if time.monotonic() - begin > SLOW_S:
            return f"{done} took {time.monotonic() - begin:.1f} s"
        self.done[decision.ruling.value] += 1
        if decision.ruling is Ruling.ALLOW and decision.digest != honest:
            return f"{done} allowed {decision.digest}"
        return ""

    def text(self, chance: random.Random) -> str:
        """A policy, or the end of a feed."""
        data = changed(chance, POLICY, [])
        for _ in range(chance.randrange(3)):
            data = changed(chance, data, [])
        told: Callable[[], object] = lambda: parse_policy(data, "policy.yml")  # noqa: E731
        if chance.random() < 0.5:
            line = b'{"id":"move-7","kind":"move","time":"t","registry":"r","repository":"a","tag":"t","digest":"d"}'
            feed = self.folder / "feed"
            feed.write_bytes(line + b"\n" + changed(chance, line, [line]) + b"\n" + chance.randbytes(5))
            told = lambda: last_told(feed)  # noqa: E731
        try:
            told()
        except RuleError:
            self.done["error RuleError"] += 1
            return ""
        except Exception as error:  # noqa: BLE001 - as above
            return f"text raised {type(error).__name__}: {error}"
        self.done["text"] += 1
        return ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--output")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    failures: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.seed)
        if options.only is not None:
            print(bench.problem(options.seed, options.only) or "holds")
            return 0
        until, number = time.monotonic() + options.minutes * 60, 0
        while time.monotonic() < until:
            if told := bench.problem(options.seed, number):
                failures[number] = told[:500]
                print(number, told[:500], flush=True)
            number += 1
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seed": options.seed,
        "minutes": options.minutes,
        "inputs": number,
        "outcomes": dict(sorted(bench.done.items())),
        "failures": failures,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if options.output:
        Path(options.output).write_text(text, encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
