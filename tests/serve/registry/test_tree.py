"""A whole artifact: all of it is read, or it is told what could not be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from eightysix.gate.manifests import Limits
from eightysix.gate.mediatypes import OCI_INDEX, OCI_MANIFEST
from eightysix.model.errors import RegistryError
from eightysix.model.finding import FileVerdict
from eightysix.serve.registry import Bounds, RegistryClient, Settings, read_tree
from tests.serve.registry.liar import Liar
from tests.serve.registry.stock import Stock

REPO = "ml/llm"
A = "sha256:" + "a" * 64


@pytest.fixture
def stock() -> Stock:
    return Stock()


@pytest.fixture
def client(stock: Stock) -> Iterator[RegistryClient]:
    settings = Settings(bounds=Bounds(tries=1, limits=Limits(depth=2)))
    with Liar(stock) as liar, RegistryClient(liar.host, settings=settings) as made:
        yield made


def test_an_image_for_two_platforms_is_read_whole(stock: Stock, client: RegistryClient) -> None:
    layer = stock.blob(b"layer")
    one = stock.image("", layer) | {"platform": {"os": "linux", "architecture": "amd64"}}
    two = stock.image("", layer, stock.blob(b"more")) | {"platform": {"os": "linux", "architecture": "arm64"}}
    root = stock.index("prod", one, two, two)
    tree = read_tree(client, REPO, "prod")
    assert (tree.digest, tree.verdict, tree.problems) == (root["digest"], None, [])
    assert [(part.platform, part.way) for part in tree.parts] == [
        ("linux/amd64", (root["digest"],)),
        ("linux/arm64", (root["digest"],)),
    ]
    assert len(tree.layers()) == 3, "each digest once, with the configuration"


def test_a_plain_manifest_is_its_own_part(stock: Stock, client: RegistryClient) -> None:
    stock.image("prod", stock.blob(b"x"))
    tree = read_tree(client, REPO, "prod")
    assert [part.digest for part in tree.parts] == [tree.digest]
    with pytest.raises(RegistryError) as error:
        read_tree(client, REPO, "absent")
    assert error.value.kind == "absent"


def test_indexes_within_indexes_are_read_to_a_depth(stock: Stock, client: RegistryClient) -> None:
    inner = stock.index("", stock.image("", stock.blob(b"x")))
    stock.index("two", inner)
    assert read_tree(client, REPO, "two").verdict is None
    stock.index("three", stock.index("", inner))
    tree = read_tree(client, REPO, "three")
    assert tree.verdict is FileVerdict.UNSCANNABLE
    assert tree.problems == ["more than 2 indexes are within each other"]


def test_what_an_index_says_must_be_so(stock: Stock, client: RegistryClient) -> None:
    good = stock.image("", stock.blob(b"x"))
    cases: list[tuple[dict[str, Any], FileVerdict, str]] = [
        ({**good, "size": good["size"] + 1}, FileVerdict.MALFORMED, "another size"),
        ({**good, "mediaType": OCI_INDEX}, FileVerdict.MALFORMED, "its index calls it"),
        ({**good, "digest": A}, FileVerdict.UNSCANNABLE, "not in the registry"),
        (stock.put("", {"schemaVersion": 1}, OCI_MANIFEST), FileVerdict.UNSCANNABLE, "schema 1"),
        (stock.put("", {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [], "manifests": []}, OCI_MANIFEST),
         FileVerdict.MALFORMED, "two readers"),
    ]  # fmt: skip
    for descriptor, verdict, word in cases:
        stock.index("prod", good, descriptor)
        tree = read_tree(client, REPO, "prod")
        if descriptor["digest"] == good["digest"]:
            stock.index("prod", descriptor)
            tree = read_tree(client, REPO, "prod")
        assert tree.verdict is verdict, word
        assert word in tree.problems[0]


def test_a_root_that_is_no_manifest_is_told_and_a_lie_below_is_an_error(
    stock: Stock, client: RegistryClient
) -> None:
    stock.put("prod", [], OCI_MANIFEST)
    tree = read_tree(client, REPO, "prod")
    assert (tree.verdict, tree.root, tree.parts) == (FileVerdict.MALFORMED, None, [])
    child = stock.image("", stock.blob(b"x"))
    stock.lies[child["digest"]] = b"{}"
    stock.index("prod", child)
    with pytest.raises(RegistryError) as error:
        read_tree(client, REPO, "prod")
    assert error.value.kind == "lying"
