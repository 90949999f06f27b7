"""A registry's client for what a gate asks: HEAD and GET of manifests, blobs, tags and what refers to a digest.

Source: OCI distribution specification 1.1. What HEAD says of a digest is the registry's word; what GET gives is computed here,
and an answer that does not have the digest that was asked for is `lying`: nothing of it is used.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urljoin

import httpx
import msgspec
from msgspec import Struct, field

from eightysix.gate.digests import digest_of, hasher, is_digest, subject_tag
from eightysix.gate.manifests import Descriptor, Manifest, Unreadable, decode_manifest
from eightysix.gate.mediatypes import ACCEPTED, OCI_INDEX
from eightysix.gate.references import is_repository, is_tag
from eightysix.model.errors import RegistryError, UsageError
from eightysix.serve.registry.bounds import Settings
from eightysix.serve.registry.caller import Answer, Caller
from eightysix.serve.registry.credentials import Credentials

__all__ = ["Head", "Listing", "Referrers", "RegistryClient", "Told"]

_MAX_TYPE = 255
_UNSUPPORTED = frozenset({400, 404, 405, 501})
"""What registries without a referrers API answer: distribution 2.8 says 404, others that the path or the method is wrong."""


class Head(Struct, frozen=True):
    """What HEAD told: the registry's word alone. `computed` says that it had none, and the body was asked for."""

    digest: str
    media_type: str = ""
    size: int = 0
    computed: bool = False


class Told(Struct, frozen=True):
    """A manifest's bytes, which have this digest."""

    digest: str
    media_type: str
    data: bytes


class Listing(Struct, frozen=True):
    """Tags of a repository. `cut` says why not all are there, empty where they are; `odd` counts names that are no tags."""

    tags: tuple[str, ...]
    cut: str = ""
    odd: int = 0


class Referrers(Struct, frozen=True):
    """What says that it refers to a digest: the registry's or, without its API (`tagged`), whoever pushed the list's word.
    `problems` are why there may be more."""

    found: tuple[Descriptor, ...]
    tagged: bool = False
    problems: tuple[str, ...] = ()


class _Tags(Struct):
    tags: list[str] | None = field(default_factory=list)


class RegistryClient:
    """Asks one registry. For several threads; every failure is a `RegistryError`."""

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None = None,
        settings: Settings | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._caller = Caller(registry, credentials, settings, transport=transport, clock=clock, sleep=sleep)
        self.registry = registry
        self.bounds = self._caller.bounds

    def close(self) -> None:
        """Close all connections."""
        self._caller.close()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def head(self, repository: str, reference: str) -> Head | None:
        """Where a tag points, or whether a digest is there; None where it is not."""
        path = self._path(repository, "manifests", reference)
        with self._caller.asked("HEAD", path, repository, accept=ACCEPTED) as answer:
            if answer.status == 404:
                return None
            if answer.status != 200:
                raise self._caller.unexpected(answer, "HEAD of a manifest")
            digest = answer.header("docker-content-digest")
            if digest:
                self._check_told(digest, reference)
                size = _number(answer.header("content-length"))
                return Head(digest, _media_type(answer), size if size is not None else 0)
        told = self.manifest(repository, reference)
        return None if told is None else Head(told.digest, told.media_type, len(told.data), computed=True)

    def manifest(self, repository: str, reference: str) -> Told | None:
        """The manifest of a tag or digest, held against its digest; None where there is none."""
        path = self._path(repository, "manifests", reference)
        with self._caller.asked("GET", path, repository, accept=ACCEPTED) as answer:
            if answer.status == 404:
                return None
            if answer.status != 200:
                raise self._caller.unexpected(answer, "GET of a manifest")
            told = answer.header("docker-content-digest")
            if told:
                self._check_told(told, reference)
            media_type = _media_type(answer)
            data = answer.read(self.bounds.limits.bytes)
        asked = reference if is_digest(reference) else told or "sha256:"
        digest = digest_of(data, asked)
        if asked != "sha256:" and digest != asked:
            raise self._lying(repository, f"the manifest has the digest {digest}, not {asked}")
        return Told(digest, media_type, data)

    def blob(
        self,
        repository: str,
        digest: str,
        size: int,
        sink: Callable[[bytes], object],
        most: int | None = None,
    ) -> int:
        """Give a blob to `sink` piece by piece; returns its size, at most `most`. It was not what was asked for, if this
        raises: what the sink took must be thrown away then."""
        path = self._path(repository, "blobs", digest)
        most = self.bounds.blob_bytes if most is None else min(most, self.bounds.blob_bytes)
        if not is_digest(digest):
            raise UsageError("a blob is asked for by its digest", "take it from the manifest")
        if size > most:
            raise RegistryError(
                f"the blob {digest} of {self.registry}/{repository} says that it has {size:,} bytes, at most {most:,} are read",
                "allow more, or hold it",
                kind="too-large",
            )
        deadline_s = self.bounds.deadline_s + size / self.bounds.blob_rate
        made, got = hasher(digest), 0
        with self._caller.asked("GET", path, repository, deadline_s=deadline_s, elsewhere=True) as answer:
            if answer.status == 404:
                raise RegistryError(
                    f"{self.registry}/{repository} does not have the blob {digest} of a manifest of it",
                    "push it again: it is not whole",
                    kind="absent",
                )
            if answer.status != 200:
                raise self._caller.unexpected(answer, "GET of a blob")
            for chunk in answer.chunks():
                got += len(chunk)
                if got > size:
                    raise self._lying(repository, f"the blob {digest} is longer than its {size:,} bytes")
                made.update(chunk)
                sink(chunk)
        if got < size:
            raise RegistryError(
                f"the blob {digest} of {self.registry}/{repository} ended after {got:,} of {size:,} bytes",
                "try again; if it stays so, push it again",
                kind="broken",
            )
        if f"{digest.partition(':')[0]}:{made.hexdigest()}" != digest:
            raise self._lying(repository, f"the blob {digest} has other bytes")
        return got

    def blob_bytes(self, repository: str, descriptor: Descriptor, most: int) -> bytes:
        """A small blob as a whole, of at most `most` bytes; without a question where the manifest has it inside."""
        if descriptor.inline is not None and len(descriptor.inline) <= most:
            return descriptor.inline
        pieces: list[bytes] = []
        self.blob(repository, descriptor.digest, descriptor.size, pieces.append, most)
        return b"".join(pieces)

    def tags(self, repository: str) -> Listing:
        """The tags of a repository; `absent` is raised where there is no such repository."""
        found: dict[str, None] = {}
        odd = 0
        url = self._caller.url(self._path(repository, "tags", "list") + "?n=1000")
        seen: set[str] = set()
        while True:
            seen.add(url)
            with self._caller.asked("GET", url, repository, accept="application/json") as answer:
                if answer.status == 404:
                    raise RegistryError(
                        f"{self.registry} has no repository {repository}",
                        "look at its name, and whether it may be read",
                        kind="absent",
                    )
                if answer.status != 200:
                    raise self._caller.unexpected(answer, "the list of tags")
                page = self._decode_tags(answer)
                link = _next_link(answer.header("link"))
                url = urljoin(answer.url, link) if link else ""
            for tag in page:
                if is_tag(tag):
                    found[tag] = None
                else:
                    odd += 1
            cut = self._cut(repository, url, seen, len(found))
            if not url or cut:
                return Listing(tuple(found), cut, odd)

    def referrers(self, repository: str, digest: str) -> Referrers:
        """What says that it refers to `digest`: by the API, or by the tag that stands in for it."""
        if not is_digest(digest):
            raise UsageError("what refers to something is asked for by its digest", "resolve the tag first")
        found: list[Descriptor] = []
        problems: list[str] = []
        url = self._caller.url(self._path(repository, "referrers", digest))
        seen: set[str] = set()
        while url:
            seen.add(url)
            with self._caller.asked("GET", url, repository, accept=OCI_INDEX) as answer:
                if not found and len(seen) == 1 and answer.status in _UNSUPPORTED:
                    return self._tagged(repository, digest)
                if answer.status != 200:
                    raise self._caller.unexpected(answer, "the list of referrers")
                link = _next_link(answer.header("link"))
                data, media_type = answer.read(self.bounds.small_bytes), _media_type(answer)
                url = urljoin(answer.url, link) if link else ""
            index = self._index(
                decode_manifest(data, media_type, self.bounds.limits), "the list of referrers"
            )
            found.extend(index.manifests)
            if len(found) > self.bounds.referrers:
                problems.append(f"more than {self.bounds.referrers} things refer to it: the first are read")
                break
            if url and (url in seen or not self._caller.same_origin(url) or len(seen) >= self.bounds.pages):
                problems.append("the registry does not end its list of what refers to it")
                break
        return Referrers(tuple(found[: self.bounds.referrers]), problems=tuple(problems))

    def _tagged(self, repository: str, digest: str) -> Referrers:
        told = self.manifest(repository, subject_tag(digest))
        if told is None:
            return Referrers((), tagged=True)
        decoded = decode_manifest(told.data, told.media_type, self.bounds.limits)
        if isinstance(decoded, Unreadable) or not decoded.index:
            # NOTE: anybody who may push can write this tag: a broken one must not make signatures look absent.
            why = decoded.reasons[0] if isinstance(decoded, Unreadable) else "it is no index"
            return Referrers(
                (), tagged=True, problems=(f"the tag {subject_tag(digest)} is no list of referrers: {why}",)
            )
        over = len(decoded.manifests) > self.bounds.referrers
        problems = (
            (f"more than {self.bounds.referrers} things refer to it: the first are read",) if over else ()
        )
        return Referrers(decoded.manifests[: self.bounds.referrers], tagged=True, problems=problems)

    def _index(self, decoded: Manifest | Unreadable, what: str) -> Manifest:
        if isinstance(decoded, Manifest) and decoded.index:
            return decoded
        why = decoded.reasons[0] if isinstance(decoded, Unreadable) else "it is no index"
        raise RegistryError(
            f"{self.registry} answers to {what} with what is none: {why}",
            "look at the registry",
            kind="broken",
        )

    def _decode_tags(self, answer: Answer) -> list[str]:
        try:
            return msgspec.json.decode(answer.read(self.bounds.small_bytes), type=_Tags).tags or []
        except (ValueError, RecursionError):
            raise RegistryError(
                f"{self.registry} answers to the list of tags with what is none",
                "look at the registry",
                kind="broken",
            ) from None

    def _cut(self, repository: str, url: str, seen: set[str], count: int) -> str:
        if count > self.bounds.tags:
            return f"there are more than {self.bounds.tags:,}"
        if not url:
            return ""
        if not self._caller.same_origin(url) or url.partition("?")[0] != urljoin(
            url, self._path(repository, "tags", "list")
        ):
            return "the registry sends elsewhere for the rest"
        if url in seen or len(seen) >= self.bounds.pages:
            return "the registry does not end its list"
        return ""

    def _path(self, repository: str, kind: str, last: str) -> str:
        """A path of the API, of parts that were checked: nothing in them can lead to another."""
        wrong = not is_repository(repository) or not (
            is_digest(last) if kind in ("blobs", "referrers") else is_tag(last) or is_digest(last)
        )
        if wrong:
            raise UsageError(
                f"{repository[:80]!a} and {last[:80]!a} are no repository with a tag or digest",
                "check the name",
            )
        return f"/v2/{repository}/{kind}/{last}"

    def _check_told(self, told: str, reference: str) -> None:
        if not is_digest(told):
            raise RegistryError(
                f"{self.registry} tells a digest that is none", "look at the registry", kind="broken"
            )
        same = told.partition(":")[0] == reference.partition(":")[0]
        if is_digest(reference) and same and told != reference:
            raise RegistryError(
                f"{self.registry} answers with {told} where {reference} was asked for",
                "do not use it: ask who runs it",
                kind="lying",
            )

    def _lying(self, repository: str, what: str) -> RegistryError:
        return RegistryError(
            f"{self.registry}/{repository}: {what}", "do not use it: ask who runs the registry", kind="lying"
        )


def _media_type(answer: Answer) -> str:
    text = answer.header("content-type")
    return text if len(text) <= _MAX_TYPE and text.isascii() and text.isprintable() else "invalid"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _next_link(text: str) -> str:
    """The target of a `Link` header with `rel="next"`, as distribution writes it; empty where there is none."""
    if not text.startswith("<") or len(text) > 8_192:
        return ""
    target, _, parameters = text[1:].partition(">")
    return target if 'rel="next"' in parameters or "rel=next" in parameters else ""
