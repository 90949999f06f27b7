"""Layers of a registry are scanned for what they are: those of images have a root of their own, files of oras do not."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from eightysix.gate.manifests import Descriptor
from eightysix.gate.mediatypes import TITLE
from eightysix.scan.scanner import Options
from eightysix.serve.gate.contents import scan_layers
from eightysix.serve.registry import Bounds, RegistryClient, Settings
from tests.serve.registry.liar import Liar
from tests.serve.registry.stock import Stock

IMAGE = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture
def stock() -> Stock:
    return Stock()


@pytest.fixture
def liar(stock: Stock) -> Iterator[Liar]:
    with Liar(stock) as made:
        yield made


def rooted() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("/ko-app/controller")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"text"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("media_type", "title", "verdict"),
    [
        (IMAGE, "", "clean"),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", "", "clean"),
        (IMAGE, "model.tar", "suspicious"),
        ("application/vnd.acme.model.v1.tar", "", "suspicious"),
    ],
)
def test_names_at_the_root(liar: Liar, stock: Stock, media_type: str, title: str, verdict: str) -> None:
    blob = stock.blob(rooted(), media_type)
    layer = Descriptor(
        media_type=media_type,
        digest=blob["digest"],
        size=blob["size"],
        annotations={TITLE: title} if title else {},
    )
    with RegistryClient(liar.host, settings=Settings(bounds=Bounds(tries=1))) as client:
        (told,) = scan_layers(client, "ml/llm", [layer], Options(), {})
    assert told.verdict == verdict
    assert ("begins at a root" in told.why) == (verdict != "clean")
