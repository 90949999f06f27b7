"""Fuzzes the judgement of signatures for some minutes: mutated, grafted and re-encoded, none may be valid for what nobody signed.

    python -m bench.gate_fuzz [--minutes 5] [--seed 1] [--output bench/results/gate_fuzz.json]
    python -m bench.gate_fuzz --seed 1 --only 12345

Two signers sign two artifacts in every format. An input is one of these signatures with one to three changes: bytes flipped, cut,
doubled; a JSON value removed, doubled or exchanged for one that stands elsewhere or in another signature; base64 opened, changed
inside (certificates, log entries, statements), and closed again. All are judged for the first artifact. It must hold that
nothing is raised, that nothing is unsigned, that what is valid says exactly what one of the untouched signatures says, and that
no input takes a second of CPU. Each input follows from the seed and its number.
"""

from __future__ import annotations

import argparse
import base64
import collections
import hashlib
import json
import platform
import random
import resource
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from eightysix.gate.attest import Material, MaterialKind, Root, Trust, collect, materials_of, plan_of
from eightysix.lab.signers import github, gitlab
from eightysix.lab.signing import Attached, Box, canonical
from eightysix.model.gate import Signature, SignatureState

DIGESTS = [hashlib.sha256(name).hexdigest() for name in (b"ours", b"theirs")]
NOW_NS = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp()) * 1_000_000_000
SLOW_S = 1.0


def statement(digest: str) -> dict[str, object]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "a-1.tar.gz", "digest": {"sha256": digest}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": {"buildType": "x"}, "runDetails": {"builder": {"id": digest[:8]}}},
    }


def attached(kind: MaterialKind, made: Attached) -> Material:
    return Material(kind=kind, data=made.blob, annotations=made.annotations)


def signatures(box: Box) -> list[Material]:
    found = []
    for digest, who in zip(DIGESTS, (github(), gitlab()), strict=True):
        for version in ("0.1", "0.2", "0.3"):
            found.append(Material(kind=MaterialKind.BUNDLE, data=box.sign(digest, who, version=version)))
            found.append(
                Material(kind=MaterialKind.BUNDLE, data=box.attest(statement(digest), who, version=version))
            )
        found.append(attached(MaterialKind.COSIGN, box.cosign(f"sha256:{digest}", who)))
        found.append(attached(MaterialKind.ENVELOPE, box.cosign_attestation(statement(digest), who)))
        found.append(Material(kind=MaterialKind.PYPI, data=box.pep740("a-1.tar.gz", digest, who)))
    return found


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Where the parts of a JSON value are."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key in value:
            found += places(value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += places(item, (*path, index))
    return found


def reach(value: object, path: tuple[object, ...]) -> object:
    for step in path:
        value = value[step]  # type: ignore[index]
    return value


def rough(chance: random.Random, data: bytes) -> bytes:
    """Bytes with something done to them."""
    if not data:
        return b"\0"
    at, way = chance.randrange(len(data)), chance.randrange(5)
    if way == 0:
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    if way == 1:
        return data[:at]
    if way == 2:
        return data[:at] + data[at : at + 9] + data[at:]
    if way == 3:
        return data[:at] + chance.randbytes(chance.randrange(1, 5)) + data[at + 1 :]
    return data[:at] + data[at + 1 :]


def structured(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """JSON with something done to one of its parts."""
    document = json.loads(data)
    path = chance.choice(places(document))
    holder, last = reach(document, path[:-1]), path[-1]
    value, way = reach(document, path), chance.randrange(6)
    donor = json.loads(chance.choice([*others, data]))
    if way == 0:
        del holder[last]  # type: ignore[attr-defined]
    elif way == 1:
        holder[last] = reach(donor, chance.choice(places(donor)))  # type: ignore[index]
    elif way == 2:
        try:
            holder[last] = reach(donor, path)  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            holder[last] = chance.choice([None, 0, -1, "", [], {}, 1 << 70, True])  # type: ignore[index]
    elif way == 3 and isinstance(value, str):
        try:
            inner = base64.b64decode(value, validate=True)
        except ValueError:
            inner = value.encode("utf-8", "replace")
        holder[last] = base64.b64encode(changed(chance, inner, [])).decode()  # type: ignore[index]
    elif way == 4 and isinstance(holder, list):
        holder.append(value)
    else:
        holder[last] = [value] if chance.random() < 0.5 else {str(last): value}  # type: ignore[index]
    return canonical(document) if chance.random() < 0.9 else json.dumps(document).encode()


def changed(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """One change, by its structure where it has any."""
    try:
        return structured(chance, data, others) if chance.random() < 0.75 else rough(chance, data)
    except (ValueError, IndexError, RecursionError):
        return rough(chance, data)


def made(seed: int, number: int, given: list[Material]) -> Material:
    chance = random.Random(f"{seed}:{number}")
    item = chance.choice(given)
    others = [other.data for other in given if other.kind is item.kind]
    for _ in range(chance.randrange(1, 4)):
        annotations = dict(item.annotations)
        if annotations and chance.random() < 0.5:
            name = chance.choice(sorted(annotations))
            text = annotations[name]
            donor = chance.choice([o for o in given if name in o.annotations]).annotations[name]
            way = chance.randrange(4)
            if way == 0:
                annotations[name] = donor
            elif way == 1:
                del annotations[name]
            else:
                both = text.encode("utf-8", "replace"), [donor.encode("utf-8", "replace")]
                annotations[name] = changed(chance, *both).decode("utf-8", "replace")
            item = msgspec.structs.replace(item, annotations=annotations)
            continue
        data = changed(chance, item.data, others)
        item = msgspec.structs.replace(item, data=data)
    if chance.random() < 0.03:
        item = msgspec.structs.replace(item, kind=chance.choice(list(MaterialKind)))
    return item


def plain(found: Signature) -> Signature:
    return msgspec.structs.replace(found, digest="")


def problem(item: Material, trust: Trust, allowed: list[Signature], states: collections.Counter[str]) -> str:
    begin = time.process_time()
    try:
        found = collect(f"sha256:{DIGESTS[0]}", [item], trust, now_ns=NOW_NS)
        plan_of(item.data)
        materials_of(item.data, {}, source="tag", subject=f"sha256:{DIGESTS[0]}")
    except Exception as error:  # noqa: BLE001 - that nothing is raised is what is asked
        return f"raised {type(error).__name__}: {error}"
    if time.process_time() - begin > SLOW_S:
        return f"took {time.process_time() - begin:.1f} s"
    for one in found:
        states[one.state.value] += 1
        if one.state is SignatureState.UNSIGNED:
            return "is unsigned"
        if one.state is SignatureState.VALID and plain(one) not in allowed:
            return f"is valid and says something new: {one}"
    return "" if found else "is nothing"


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
    box = Box("fuzz", seed=str(options.seed))
    trust = Trust(roots=(Root("fuzz", box.trusted_root()),))
    given = signatures(box)
    states: collections.Counter[str] = collections.Counter()
    judged = [one for item in given for one in collect(f"sha256:{DIGESTS[0]}", [item], trust, now_ns=NOW_NS)]
    allowed = [plain(one) for one in judged if one.state is SignatureState.VALID]
    assert len(allowed) == len(given) // 2
    if options.only is not None:
        print(made(options.seed, options.only, given))
        print(problem(made(options.seed, options.only, given), trust, allowed, states) or "holds")
        return 0
    failures: dict[int, str] = {}
    until, number = time.monotonic() + options.minutes * 60, 0
    while time.monotonic() < until:
        if told := problem(made(options.seed, number, given), trust, allowed, states):
            failures[number] = told[:500]
            print(number, told[:500])
        number += 1
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seed": options.seed,
        "minutes": options.minutes,
        "inputs": number,
        "states": dict(sorted(states.items())),
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
