"""What the gate of registries knows of digests, valid in time: held, let pass, or brought by a tag that moved.

A pod is joined by the repository and the digest that it runs. Where its digest is nowhere in what the gate told of that
repository (of an image for several platforms a node may tell the digest of one of them), the tag in its image name counts
by time, and that is told as weaker. The gate is the operator's; who runs the pod is not: so a hold may raise a score, and
a pass lowers none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from eightysix.model.event import Event
from eightysix.model.words import Kind

__all__ = [
    "ALLOW",
    "HOLD",
    "MAX_DIGESTS",
    "MAX_FACTS",
    "SEEN_LATE_NS",
    "WOULD_HOLD",
    "Fact",
    "Gated",
    "Standing",
    "is_image_digest",
    "repository_and_tag",
]

MAX_DIGESTS = 20_000
"""Digests of which facts are kept: 20 releases of each of 1,000 images (judged)."""

MAX_FACTS = 8
"""Facts of each kind (held, would be held, let pass, moved) that are kept of one digest: the latest ones."""

SEEN_LATE_NS = 32_000_000_000
"""The gate asks a registry again within 30 s, and clocks agree within 2 s: a move that it saw so much after the start of a
pod that runs its digest was made before."""

_HEX = frozenset("0123456789abcdef")
_LENGTHS = {"sha256": 64, "sha512": 128}
_DOCKER = "docker.io"
_DOCKER_TOO = frozenset({"index.docker.io", "registry-1.docker.io"})
_MAX_NAME = 700

HOLD, WOULD_HOLD, ALLOW = "hold", "would-hold", "allow"


class Fact(Struct, frozen=True, array_like=True, order=True):
    """A move of a tag or a decision. `ruling` is empty for a move; `actor` and `channel` are who pushed and how the gate
    heard of it."""

    time_ns: int
    repository: str
    digest: str
    tag: str
    ruling: str
    previous: str
    held_for: tuple[str, ...]
    told_of: tuple[str, ...]
    signed: str
    actor: str
    channel: str
    file: str
    line: int


class Standing(Struct, frozen=True):
    """What the gate says of what a pod runs since a moment. `decided` is the decision that counts (None: there is none),
    `late` where it was made after that moment; `moved` the latest move of a tag to it before. `by_tag`: the pod's own digest
    is unknown to the gate, and its tag stood for another one."""

    decided: Fact | None
    late: bool
    moved: Fact | None
    by_tag: bool

    @property
    def ruling(self) -> str:
        """`hold`, `would-hold`, `allow`, or empty where nothing was decided."""
        return self.decided.ruling if self.decided is not None else ""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What it rests on."""
        return tuple(fact for fact in (self.decided, self.moved) if fact is not None)


def is_image_digest(text: str) -> bool:
    """Whether `text` is a digest as registries write it."""
    algorithm, _, value = text.partition(":")
    return len(value) == _LENGTHS.get(algorithm) and _HEX.issuperset(value)


def repository_and_tag(image: str) -> tuple[str, str]:
    """Registry with repository, and tag, of an image as a pod's spec names it; both empty where it names none."""
    name = image.partition("@")[0]
    if not name or len(name) > _MAX_NAME:
        return "", ""
    host, slash, path = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = _DOCKER, name
    path, _, tag = path.partition(":")
    return _one_spelling(host, path), tag


def _one_spelling(host: str, path: str) -> str:
    """As the gate writes it (`gate.references`): two spellings of one place are one place."""
    host = host.lower().removesuffix(":443")
    if host in _DOCKER_TOO:
        host = _DOCKER
    if host == _DOCKER and "/" not in path:
        path = f"library/{path}"
    return f"{host}/{path}"


class Gated:
    """All that gates told, as one: the same for any order and repetition.

    `version` grows with what is known; `full` when old digests had to go; `news` takes what is new, for who keeps it (None:
    nobody does).
    """

    def __init__(self) -> None:
        self.version = 0
        self.full = False
        self.news: list[Fact] | None = None
        self._facts: dict[str, dict[str, list[Fact]]] = {}  # by repository@digest, by ruling
        self._tags: dict[str, dict[str, None]] = {}  # repository:tag to the digests that it stood for
        self._replaced: dict[str, None] = {}  # repository@digest that tags were moved away from
        self._told: dict[str, int] = {}  # how often something new was told, by repository

    def __bool__(self) -> bool:
        return bool(self._facts)

    def note(self, event: Event) -> None:
        """Take an event of a gate."""
        if event.kind is not Kind.GATE or not event.image_digest:
            return  # a tag that was deleted names nothing that a pod could run
        host, _, path = event.image.partition("/")
        self._note(
            Fact(
                event.time_ns, _one_spelling(host, path), event.image_digest, event.object_name, event.verb,
                event.digest, event.chain, event.exposes, event.resource, event.identity, event.subresource,
                event.file, event.line,
            )
        )  # fmt: skip

    def add(self, facts: Iterable[Fact]) -> None:
        """Take what another one knew."""
        for fact in facts:
            self._note(fact)

    def facts(self) -> list[Fact]:
        """All that is known, as `add` takes it."""
        return sorted(fact for kinds in self._facts.values() for facts in kinds.values() for fact in facts)

    def told_of(self, repository: str) -> int:
        """How often something new was told of a repository."""
        return self._told.get(repository, 0)

    def find(self, image: str, digest: str, since_ns: int) -> Standing | None:
        """What the gate says of what a pod runs since `since_ns` under this image name; None where it says nothing."""
        repository, tag = repository_and_tag(image)
        if not repository:
            return None
        own = f"{repository}@{digest}"
        if own in self._facts:
            return _standing(self._facts[own], tag, since_ns, by_tag=False)
        if own in self._replaced or not tag:
            return None
        return self._by_tag(f"{repository}:{tag}", tag, since_ns)

    def _by_tag(self, name: str, tag: str, since_ns: int) -> Standing | None:
        """What is said of the digest that the tag stood for at that moment."""
        latest: Fact | None = None
        for digest in self._tags.get(name, ()):
            for fact in _all(self._facts.get(digest, {})):
                before = fact.tag == tag and fact.time_ns <= since_ns + SEEN_LATE_NS
                if before and (latest is None or fact > latest):
                    latest = fact
        if latest is None:
            return None
        return _standing(self._facts[f"{latest.repository}@{latest.digest}"], tag, since_ns, by_tag=True)

    def _note(self, fact: Fact) -> None:
        key = f"{fact.repository}@{fact.digest}"
        kinds = self._facts.setdefault(key, {})
        kept = kinds.setdefault(fact.ruling, [])
        if fact in kept or (len(kept) >= MAX_FACTS and fact < kept[0]):
            return
        kept.append(fact)
        kept.sort()
        del kept[:-MAX_FACTS]
        self._tags.setdefault(f"{fact.repository}:{fact.tag}", {})[key] = None
        if fact.previous:
            self._replaced[f"{fact.repository}@{fact.previous}"] = None
        self.version += 1
        self._told[fact.repository] = self._told.get(fact.repository, 0) + 1
        if self.news is not None:
            self.news.append(fact)
        if len(self._facts) > MAX_DIGESTS:
            self._let_go()

    def _let_go(self) -> None:
        """Of too many digests an eighth goes: those first that nothing held, then those that were spoken of longest ago."""

        def worth(key: str) -> tuple[bool, int, str]:
            kinds = self._facts[key]
            return bool(kinds.get(HOLD)), max(fact.time_ns for fact in _all(kinds)), key

        for key in sorted(self._facts, key=worth)[: MAX_DIGESTS // 8]:
            del self._facts[key]
        kept = self.facts()
        self._tags.clear()
        self._replaced.clear()
        for fact in kept:
            name = f"{fact.repository}:{fact.tag}"
            self._tags.setdefault(name, {})[f"{fact.repository}@{fact.digest}"] = None
            if fact.previous:
                self._replaced[f"{fact.repository}@{fact.previous}"] = None
        self.full = True


def _all(kinds: dict[str, list[Fact]]) -> Iterator[Fact]:
    for facts in kinds.values():
        yield from facts


def _standing(kinds: dict[str, list[Fact]], tag: str, since_ns: int, *, by_tag: bool) -> Standing:
    """What counts at `since_ns`: of each tag the latest decision before, and every hold after it, because the bytes are the
    same. Decisions for the pod's own tag stand before those for others. What is let pass afterwards takes no hold back."""
    decisions = sorted(fact for ruling in (HOLD, WOULD_HOLD, ALLOW) for fact in kinds.get(ruling, ()))
    own = [fact for fact in decisions if tag and fact.tag == tag]
    latest: dict[str, Fact] = {}
    for fact in own or decisions:
        if fact.time_ns <= since_ns:
            latest[fact.tag] = fact
    late = [fact for fact in own or decisions if fact.time_ns > since_ns and fact.ruling != ALLOW]
    chosen = max(latest.values(), key=_severity, default=None)
    if late and (chosen is None or chosen.ruling == ALLOW):
        chosen = max(late, key=lambda fact: (fact.ruling == HOLD, -fact.time_ns))
    moves = [
        f for f in kinds.get("", ()) if f.time_ns <= since_ns + SEEN_LATE_NS and (not tag or f.tag == tag)
    ]
    return Standing(
        decided=chosen,
        late=chosen is not None and chosen.time_ns > since_ns,
        moved=moves[-1] if moves else None,
        by_tag=by_tag,
    )


def _severity(fact: Fact) -> tuple[int, int]:
    return (HOLD, WOULD_HOLD, ALLOW)[::-1].index(fact.ruling), fact.time_ns
