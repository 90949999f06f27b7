"""Debian's docker-registry on loopback: real pushes, real answers, a registry that is killed and comes back."""

from __future__ import annotations

import json
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eightysix.gate.content import compare_kinds, kinds
from eightysix.gate.digests import signature_tags, subject_tag
from eightysix.gate.manifests import Manifest, decode_manifest
from eightysix.lab.registry import INDEX, MANIFEST, LocalRegistry, Pusher, find
from eightysix.model.errors import RegistryError
from eightysix.model.gate import Reference, RegistryAction, RegistryEvent
from eightysix.serve.registry import (
    DockerConfig,
    Pace,
    Reconciler,
    RegistryClient,
    Settings,
    read_tree,
    settings_for_asking,
)
from tests.tiers import require_tier

pytestmark = pytest.mark.tier("registry")
REPO = "ml/llm"
BCRYPT = "$2b$04$abcdefghijklmnopqrstuuoD8yw7MmybLKVooaTGGZAt3HXugv2.a"
"""Of the password `test`, with the least cost that there is."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    if find("docker-registry") is None:
        require_tier("registry", "there is no docker-registry (Debian's package of this name)")
    with LocalRegistry(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture
def pusher(registry: LocalRegistry) -> Iterator[Pusher]:
    with Pusher(registry.host) as made:
        yield made


@pytest.fixture
def client(registry: LocalRegistry) -> Iterator[RegistryClient]:
    with RegistryClient(registry.host) as made:
        yield made


def until(true: Callable[[], bool], seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.01)
    return False


def test_a_model_that_became_a_pickle_under_the_same_tag(client: RegistryClient, pusher: Pusher) -> None:
    good = pusher.push("story/llm", "prod", {"model.safetensors": b"weights" * 1_000, "config.json": b"{}"})
    head = client.head("story/llm", "prod")
    assert head is not None
    assert (head.digest, head.media_type, head.size, head.computed) == (
        good.digest,
        MANIFEST,
        len(good.manifest),
        False,
    )
    before = client.manifest("story/llm", "prod")
    bad = pusher.push("story/llm", "prod", {"model.pkl": b"cos\nsystem\n(S'id'\ntR.", "config.json": b"{}"})
    after = client.manifest("story/llm", "prod")
    assert before is not None
    assert after is not None
    assert (before.digest, after.digest) == (good.digest, bad.digest)
    old, new = (decode_manifest(told.data, told.media_type) for told in (before, after))
    assert isinstance(old, Manifest)
    assert isinstance(new, Manifest)
    changes = compare_kinds(kinds(old), kinds(new))
    assert [(each.name, each.now, each.runs) for each in changes] == [("model.pkl", "pickle", True)]
    still = client.manifest("story/llm", good.digest)
    assert still == before, "what was replaced is still there by its digest"


def test_every_byte_of_a_layer_comes_and_is_counted(client: RegistryClient, pusher: Pusher) -> None:
    data = bytes(range(256)) * 40_000
    pushed = pusher.push(REPO, "large", {"model.safetensors": data})
    got = bytearray()
    assert client.blob(REPO, pushed.layers["model.safetensors"], len(data), got.extend) == len(data)
    assert bytes(got) == data
    with pytest.raises(RegistryError) as error:
        client.blob(REPO, pushed.layers["model.safetensors"], len(data) - 1, got.extend)
    assert error.value.kind == "lying", "a manifest that says less than there is"


def test_tags_pages_and_repositories_that_are_not_there(client: RegistryClient, pusher: Pusher) -> None:
    pushed = [pusher.push("many/tags", f"v{number}", {"x": b"x"}) for number in range(5)]
    assert sorted(client.tags("many/tags").tags) == [f"v{number}" for number in range(5)]
    assert {each.digest for each in pushed} == {pushed[0].digest}
    assert client.head("many/tags", "absent") is None
    assert client.head("absent/x", "prod") is None
    with pytest.raises(RegistryError) as error:
        client.tags("absent/x")
    assert error.value.kind == "absent"


def test_signatures_are_found_by_fallback_tag_and_cosigns(client: RegistryClient, pusher: Pusher) -> None:
    image = pusher.push("signed/llm", "prod", {"model.safetensors": b"w"})
    assert client.referrers("signed/llm", image.digest).found == ()
    subject = {"mediaType": MANIFEST, "digest": image.digest, "size": len(image.manifest)}
    bundle = pusher.push("signed/llm", "", {"bundle.json": b"{}"}, subject=subject)
    tag = subject_tag(image.digest)
    pusher.index(
        "signed/llm", tag, [{"mediaType": MANIFEST, "digest": bundle.digest, "size": len(bundle.manifest)}]
    )
    pusher.push("signed/llm", f"{tag}.sig", {"payload": b"simple signing"})
    listed = client.referrers("signed/llm", image.digest)
    assert ([each.digest for each in listed.found], listed.tagged, listed.problems) == (
        [bundle.digest],
        True,
        (),
    )
    heads = [client.head("signed/llm", each) for each in signature_tags(image.digest)]
    assert [head is not None for head in heads] == [True, False, False]


def test_an_index_is_read_with_its_platforms(client: RegistryClient, pusher: Pusher) -> None:
    parts = []
    for name in ("amd64", "arm64"):
        pushed = pusher.push("multi/llm", "", {f"bin-{name}": name.encode()})
        parts.append(
            {"mediaType": MANIFEST, "digest": pushed.digest, "size": len(pushed.manifest),
             "platform": {"os": "linux", "architecture": name}}
        )  # fmt: skip
    root = pusher.index("multi/llm", "prod", parts)
    tree = read_tree(client, "multi/llm", "prod")
    assert (tree.digest, tree.media_type, tree.verdict) == (root.digest, INDEX, None)
    assert [part.platform for part in tree.parts] == ["linux/amd64", "linux/arm64"]


def test_a_move_is_seen_without_any_webhook_also_after_the_registry_was_killed(
    registry: LocalRegistry, pusher: Pusher
) -> None:
    first = pusher.push("watched/llm", "prod", {"model.safetensors": b"1"})
    told: list[RegistryEvent] = []
    pace = Pace(period_s=0.2, longest_pause_s=0.2)
    settings = settings_for_asking(Settings())
    watched = [Reference(registry.host, "watched/llm", tag) for tag in ("prod", "*")]
    with Reconciler(
        lambda host: RegistryClient(host, settings=settings),
        watched,
        lambda event, asked_ns: told.append(event),
        pace=pace,
    ) as one:
        assert until(lambda: len(told) == 1)
        assert told[0].digest == first.digest
        pusher.close()
        registry.stop(signal.SIGKILL)
        assert until(lambda: one.status().registries[0].unseen_since_ns > 0)
        assert one.status().registries[0].failures["unreachable"] > 0
        registry.start()
        with Pusher(registry.host) as again:
            second = again.push("watched/llm", "prod", {"model.safetensors": b"2"})
            again.push("watched/llm", "new", {"model.safetensors": b"2"})
            assert until(lambda: len(told) == 3)
            assert {(event.tag, event.digest) for event in told[1:]} == {
                ("prod", second.digest),
                ("new", second.digest),
            }
            assert until(lambda: one.status().registries[0].unseen_since_ns == 0)
            again.delete("watched/llm", second.digest)
            assert until(lambda: len(told) == 5)
        assert {(event.action, event.tag) for event in told[3:]} == {
            (RegistryAction.DELETE, "prod"),
            (RegistryAction.DELETE, "new"),
        }
    one.close_clients()


def test_a_registry_with_a_password_is_read_with_it_alone(tmp_path: Path) -> None:
    if find("docker-registry") is None:
        require_tier("registry", "there is no docker-registry (Debian's package of this name)")
    users, file = tmp_path / "htpasswd", tmp_path / "config.json"
    users.write_text(f"reader:{BCRYPT}\n")
    with LocalRegistry(tmp_path / "registry", htpasswd=users) as registry:
        authorization = f"Basic {b64encode(b'reader:test').decode()}"
        with Pusher(registry.host, authorization=authorization) as pusher:
            pushed = pusher.push(REPO, "prod", {"x": b"x"})

        def seen(password: bytes) -> str:
            auth = b64encode(b"reader:" + password).decode()
            file.write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
            with RegistryClient(registry.host, DockerConfig(str(file)) if password else None) as client:
                try:
                    head = client.head(REPO, "prod")
                except RegistryError as error:
                    return error.kind
            return "" if head is None else head.digest

        assert seen(b"test") == pushed.digest
        assert seen(b"wrong") == "refused"
        assert seen(b"") == "refused"
