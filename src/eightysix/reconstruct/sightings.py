"""Where else the same artifact is: other pods, of any cluster, that installed, loaded or run it, and files in which a scan
found it.

What is looked for are packages by name (as PEP 503 writes it) and version, images by digest, models and files by what
they hold (the digest of a scan), by the file that it is on its node, or by name. A name alone says that somebody should
look: `same` is None then.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import Final

from eightysix.context.ledger import Fact, Scans
from eightysix.context.packages import normalise_name, same_release
from eightysix.detect.state import PodState
from eightysix.detect.wording import rfc3339
from eightysix.model.event import Artifact, Event
from eightysix.model.incident import Evidence
from eightysix.model.story import Sighting
from eightysix.model.words import Access, Kind, Source

__all__ = ["MAX_EVIDENCE", "MAX_SIGHTINGS", "Places", "find_sightings", "sightings"]

MAX_SIGHTINGS: Final = 64
"""Sightings that are told of one story. A poisoned release can be in every replica; who cleans up needs them all and asks
for the artifact alone (`--artifact`), who reads the story needs to know that there are many."""

MAX_EVIDENCE: Final = 4
"""Places told of one sighting, the earliest."""

_COMMON_FILES: Final = frozenset(
    """config.json model.safetensors model.bin model.pt model.pth model.pkl model.joblib model.onnx model.h5 model.keras
    pytorch_model.bin tokenizer.json tokenizer_config.json generation_config.json adapter_model.safetensors
    diffusion_pytorch_model.safetensors tf_model.h5 flax_model.msgpack consolidated.safetensors MLmodel
    python_model.pkl""".split()
)
"""Names that every model's files have (huggingface.co/docs/transformers, mlflow.org/docs): alone they say nothing."""

_DIGEST_SIZES: Final = frozenset({40, 64, 96, 128})
_HEX: Final = frozenset("0123456789abcdef")


class _Wanted:
    """What is looked for, by what telemetry can tell of it."""

    def __init__(self, artifacts: Sequence[Artifact]) -> None:
        self.packages: dict[tuple[str, str], set[str]] = {}
        self.images: set[str] = set()
        self.repositories: set[str] = set()
        self.digests: set[str] = set()
        self.files: set[str] = set()
        self.names: set[str] = set()
        for artifact in artifacts:
            self._take(artifact)

    def _take(self, artifact: Artifact) -> None:
        name, version = artifact.name, artifact.version
        if artifact.kind == "oci":
            digest = _image_digest(version) or _image_digest(name.partition("@")[2])
            if digest:
                self.images.add(digest)
            elif name:
                self.repositories.add(f"{name}:{version}" if version else name.partition("@")[0])
        elif artifact.kind in ("model", "file", "url"):
            if _is_digest(version):
                self.digests.add(version)
            elif _is_file_id(version):
                self.files.add(version)
            elif name and artifact.kind == "model" and name not in _COMMON_FILES:
                self.names.add(name)
            if name.startswith("/"):
                self.names.add(name)
        elif name:
            key = _package(artifact)
            self.packages.setdefault(key, set()).add(same_release(version))

    def marks(self) -> set[int]:
        """By which of `Places` it is found."""
        told: list[tuple[str, ...]] = [("package", *key) for key in self.packages]
        told += [("image", one) for one in self.images] + [("repository", one) for one in self.repositories]
        told += [("digest", one) for one in self.digests] + [("file", one) for one in self.files]
        return {hash(one) for one in (*told, *(("name", one) for one in self.names))}

    def __bool__(self) -> bool:
        return bool(
            self.packages or self.images or self.repositories or self.digests or self.files or self.names
        )


class Places:
    """Which pods tell of what, looked through once for all stories. By hashes alone: a pod too many is looked at, and tells
    of nothing."""

    def __init__(self, states: Iterable[PodState]) -> None:
        self._states = sorted(states, key=lambda state: state.key)
        self._by: dict[int, list[int]] | None = None

    def of(self, marks: Collection[int]) -> list[PodState]:
        """The pods that tell of anything with these marks, by key."""
        if self._by is None:
            self._by = {}
            for number, state in enumerate(self._states):
                for mark in {mark for event in _telling(state) for mark in _marks(event)}:
                    self._by.setdefault(mark, []).append(number)
        numbers = {number for mark in marks for number in self._by.get(mark, ())}
        return [self._states[number] for number in sorted(numbers)]


def _marks(event: Event) -> Iterator[int]:
    """By what an event is found: as `_matches` compares it."""
    for artifact in event.artifacts:
        yield hash(("package", *_package(artifact)))
        if artifact.kind == "model":
            yield hash(("name", artifact.name))
    for dist in event.dists:
        yield hash(("package", *_package(Artifact("pypi", dist.name))))
    if event.image_digest or event.image:
        yield hash(("image", _image_digest(event.image_digest)))
        yield hash(("repository", event.image.partition("@")[0]))
    if event.kind is Kind.FILE or event.file_id:
        yield hash(("file", event.file_id))
        yield hash(("digest", event.digest))
        yield hash(("name", event.file_path))


def sightings(
    states: Iterable[PodState] | Places,
    artifacts: Sequence[Artifact],
    *,
    exclude: Collection[str],
    taken: Container[str],
    scans: Scans | None = None,
) -> tuple[Sighting, ...]:
    """The first `MAX_SIGHTINGS` of what `find_sightings` finds."""
    return find_sightings(states, artifacts, exclude=exclude, taken=taken, scans=scans)[0]


def find_sightings(
    states: Iterable[PodState] | Places,
    artifacts: Sequence[Artifact],
    *,
    exclude: Collection[str],
    taken: Container[str],
    scans: Scans | None = None,
    most: int = MAX_SIGHTINGS,
) -> tuple[tuple[Sighting, ...], int]:
    """Where else `artifacts` are, and how many more there are than are told.

    `exclude` are keys of the story's own pods, `taken` those of pods in which an incident took a credential, `scans` what
    scans know of files. The same for any order of `states`: what is the same comes first, then pods that lost a credential,
    then by time. Who asks for several stories gives the same `Places` to all of them.
    """
    wanted = _Wanted(artifacts)
    if not wanted:
        return (), 0
    files = _scanned_files(scans, wanted)
    held = {f"{host}|{identity}": digest for host, identity, digest, _ in files}
    places = states if isinstance(states, Places) else Places(states)
    every = places.of(wanted.marks() | {hash(("file", identity)) for _, identity, _, _ in files})
    found = [
        sighting
        for state in every
        if state.key not in exclude
        for sighting in _of_state(state, wanted, held, taken)
    ]
    found += [_of_file(*file) for file in files]
    found.sort(key=_order)
    return tuple(found[:most]), max(0, len(found) - most)


_RANK: Final = {True: 0, None: 1, False: 2}


def _order(sighting: Sighting) -> tuple[int, bool, str, str, str, str, str, str]:
    s = sighting
    return (
        *(_RANK[s.same], not s.identity_taken),
        *(s.at, s.cluster, s.namespace, s.pod, s.uid, f"{s.how} {s.artifact} {s.node}"),
    )


_File = tuple[str, str, str, Fact]
"""Host, file id, digest, and the ledger's word."""


def _scanned_files(scans: Scans | None, wanted: _Wanted) -> list[_File]:
    """Files that hold wanted bytes, by the scan ledger. What a wanted file holds is wanted too."""
    if scans is None or not (wanted.digests or wanted.files):
        return []
    files = [(*fact[1].partition("|")[::2], fact[2], fact) for fact in scans.facts() if fact[0] == "file"]
    wanted.digests |= {digest for _, identity, digest, _ in files if identity in wanted.files}
    return [file for file in files if file[2] in wanted.digests]


def _of_file(host: str, identity: str, digest: str, fact: Fact) -> Sighting:  # noqa: ARG001 - the parts of `_File`
    """A file in which a scan found it. The ledger names a host, no pod."""
    return Sighting(
        artifact=digest,
        cluster="",
        node=host,
        namespace="",
        pod="",
        uid="",
        how="scanned",
        at=rfc3339(fact[3]),
        same=True,
        identity_taken=False,
        evidence=(Evidence(str(Source.LEDGER), fact[5], fact[6]),) if fact[5] else (),
    )


_SILENT: Final = frozenset({Kind.CONNECT, Kind.API, Kind.CLOUD, Kind.RESOLVE, Kind.HTTP})
"""What tells of no artifact, unless the sensor tells whose code did it."""


def _telling(state: PodState) -> Iterator[Event]:
    """What is kept of a pod that can tell of an artifact; of a bucket that tells of none the first event, which tells of the
    image. Plain connections are left out."""
    for bucket in state.buckets.values():
        first = bucket.events[0]
        if first.kind in _SILENT and first.source is not Source.SENSOR:
            yield first
        else:
            yield from bucket.events
    for taints in state.taints.values():
        for taint in taints.values():
            yield taint.first
            yield taint.last


def _of_state(
    state: PodState, wanted: _Wanted, held: Mapping[str, str], lost: Container[str]
) -> Iterator[Sighting]:
    found: dict[_What, list[Event]] = {}
    names = ["", "", "", "", ""]
    host = next((e.node for e in _telling(state) if e.node), "") if held else ""
    for event in _telling(state):
        for what in _matches(event, wanted, held, host):
            _note(found.setdefault(what, []), event)
    if not found:
        return
    for event in _telling(state):
        for place, value in enumerate((event.cluster, event.node, event.namespace, event.pod, event.pod_uid)):
            if value and (not names[place] or value < names[place]):
                names[place] = value
    cluster, node, namespace, pod, uid = names
    taken = state.key in lost
    for (how, artifact, same), events in _joined(found).items():
        yield Sighting(
            artifact=artifact,
            cluster=cluster,
            node=events[0].node or node,
            namespace=namespace,
            pod=pod,
            uid=uid,
            how=how,
            at=rfc3339(events[0].time_ns),
            same=same,
            identity_taken=taken,
            evidence=tuple(sorted({Evidence(str(e.source), e.file, e.line) for e in events})),
        )


_What = tuple[str, str, bool | None]
"""How, what, and whether the same."""


def _joined(found: Mapping[_What, list[Event]]) -> dict[_What, list[Event]]:
    """One sighting for each thing in a pod: what was installed was also loaded, and an install by name alone is the one
    whose version another record tells."""
    joined: dict[_What, list[Event]] = {}
    told = {artifact.partition("==")[0].partition("@")[0] for _, artifact, same in found if same is not None}
    order = sorted(found, key=lambda what: (_HOW.index(what[0]), what[1], _RANK[what[2]]))
    for how, artifact, same in order:
        if same is None and artifact in told:
            continue
        before = next((what for what in joined if what[1:] == (artifact, same)), (how, artifact, same))
        events = joined.setdefault(before, [])
        for event in found[how, artifact, same]:
            _note(events, event)
    return joined


_HOW: Final = ("installed", "loaded", "image")


def _note(events: list[Event], event: Event) -> None:
    """Keep the earliest events, one of each id."""
    if any(known.event_id == event.event_id for known in events):
        return
    events.append(event)
    events.sort(key=lambda e: (e.time_ns, e.event_id))
    del events[MAX_EVIDENCE:]


def _matches(event: Event, wanted: _Wanted, held: Mapping[str, str], host: str) -> Iterator[_What]:
    """How, what and whether the same, for each wanted artifact that an event tells of. `host` is the pod's node, for
    records of the pod itself, which do not tell it."""
    if wanted.packages and (event.artifacts or event.dists):
        yield from _packages(event, wanted)
    if (wanted.images or wanted.repositories) and (event.image_digest or event.image):
        digest = _image_digest(event.image_digest)
        name = event.image.partition("@")[0]
        if digest in wanted.images:
            yield "image", f"{name}@sha256:{digest}" if name else f"sha256:{digest}", True
        elif name in wanted.repositories:
            yield "image", name, None
    if wanted.names:
        for artifact in event.artifacts:
            if artifact.kind == "model" and artifact.name in wanted.names:
                yield "installed", artifact.name, None
    if event.kind is Kind.FILE or event.file_id:
        yield from _loads(event, wanted, held, host)


def _packages(event: Event, wanted: _Wanted) -> Iterator[_What]:
    told = [("installed", artifact) for artifact in event.artifacts]
    told += [("loaded", Artifact("pypi", dist.name, dist.version)) for dist in event.dists]
    for how, artifact in told:
        versions = wanted.packages.get(_package(artifact))
        if versions is None:
            continue
        known = bool(artifact.version) and bool(versions - {""})
        same = same_release(artifact.version) in versions if known else None
        yield how, str(Artifact(artifact.kind, _package(artifact)[1], artifact.version)), same


def _loads(event: Event, wanted: _Wanted, held: Mapping[str, str], host: str) -> Iterator[_What]:
    """Of a file that was opened or written."""
    digest = held.get(f"{_host(event.node or host)}|{event.file_id}", "") if event.file_id else ""
    how = "installed" if event.access is Access.WRITE else "loaded"
    if digest or event.digest in wanted.digests:
        yield how, digest or event.digest, True
    elif event.file_id in wanted.files:
        # A file's numbers mean the same bytes on one host only; on a volume that hosts share, or by chance, elsewhere.
        yield how, event.file_path or event.file_id, None
    elif event.file_path in wanted.names:
        yield how, event.file_path, None


def _package(artifact: Artifact) -> tuple[str, str]:
    if artifact.kind == "pypi":
        return artifact.kind, normalise_name(artifact.name) or artifact.name
    return artifact.kind, artifact.name


def _image_digest(text: str) -> str:
    """The SHA-256 in `text` (`sha256:...`, `repository@sha256:...`), empty where there is none."""
    algorithm, colon, digest = text.rpartition("@")[2].partition(":")
    return digest if colon and algorithm == "sha256" and _is_digest(digest) else ""


def _is_digest(text: str) -> bool:
    return len(text) in _DIGEST_SIZES and _HEX.issuperset(text)


def _is_file_id(text: str) -> bool:
    """Whether it is `context.ledger.file_id`: four numbers."""
    parts = text.split(":")
    return len(parts) == 4 and all(part.removeprefix("-").isdigit() for part in parts)


def _host(name: str) -> str:
    """Host names have no case (`context.ledger`)."""
    return name.rstrip(".").lower()
