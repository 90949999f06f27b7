"""Manifests are decoded within bounds, and what two readers would read differently is malformed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.content import compare_kinds, decode_config, kinds
from eightysix.gate.digests import digest_of
from eightysix.gate.manifests import Limits, Manifest, Unreadable, decode_manifest
from eightysix.gate.mediatypes import DOCKER_INDEX, DOCKER_MANIFEST, EMPTY, OCI_INDEX, OCI_MANIFEST, TITLE
from eightysix.gate.strict import StrictError, load
from eightysix.model.finding import FileVerdict

A = "sha256:" + "a" * 64
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def described(**more: Any) -> dict[str, Any]:
    return {"mediaType": LAYER, "digest": A, "size": 5, **more}


def image(**more: Any) -> dict[str, Any]:
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": EMPTY, "digest": A, "size": 2},
        "layers": [described()],
        **more,
    }
    return {name: value for name, value in body.items() if value != "absent"}


def index(**more: Any) -> dict[str, Any]:
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            described(
                mediaType=OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64", "variant": "v8"}
            )
        ],
        **more,
    }
    return {name: value for name, value in body.items() if value != "absent"}


def decoded(body: object, content_type: str = "", **limits: int) -> Manifest | Unreadable:
    return decode_manifest(json.dumps(body).encode(), content_type, Limits(**limits))


def good(body: object, content_type: str = "", **limits: int) -> Manifest:
    made = decoded(body, content_type, **limits)
    assert isinstance(made, Manifest), made
    return made


def test_an_artifact_is_read_with_type_subject_and_annotations() -> None:
    made = good(
        image(
            artifactType="application/vnd.example.model",
            subject=described(mediaType=OCI_MANIFEST),
            annotations={"a": "b"},
            layers=[described(annotations={TITLE: "model.safetensors"}), described()],
        ),
        OCI_MANIFEST,
    )
    assert (made.index, made.artifact_type, made.annotations) == (
        False,
        "application/vnd.example.model",
        {"a": "b"},
    )
    assert made.subject is not None
    assert made.subject.digest == A
    assert [each.annotations.get(TITLE) for each in made.layers] == ["model.safetensors", None]
    assert [each.media_type for each in made.needs()] == [EMPTY, LAYER, LAYER], "not the subject"


def test_without_a_type_of_its_own_an_artifact_has_its_configurations() -> None:
    assert good(image()).artifact_type == EMPTY


@pytest.mark.parametrize("kind", [OCI_INDEX, DOCKER_INDEX])
def test_an_index_names_platforms(kind: str) -> None:
    made = good(index(mediaType=kind), f"{kind.upper()}; charset=utf-8")
    assert made.index
    assert [each.platform for each in made.manifests] == ["linux/arm64/v8"]


def test_a_body_without_a_media_type_is_what_the_header_or_its_fields_say() -> None:
    assert good(image(mediaType="absent"), OCI_MANIFEST).remarks == ()
    assert good(image(mediaType="absent"), DOCKER_MANIFEST).media_type == DOCKER_MANIFEST
    made = good(index(mediaType="absent"))
    assert (made.media_type, made.remarks) == (OCI_INDEX, ("it has no mediaType: taken by its fields",))


def test_places_outside_of_the_registry_are_remarked() -> None:
    made = good(image(layers=[described(urls=["https://elsewhere.example/x"])]))
    assert made.layers[0].elsewhere
    assert made.remarks == ("layers[0] names a place outside of the registry, which is not asked",)


def test_inline_content_is_held_against_its_digest() -> None:
    data = b"{}"
    entry = {
        "mediaType": EMPTY,
        "digest": digest_of(data),
        "size": 2,
        "data": base64.b64encode(data).decode(),
    }
    made = good(image(config=entry))
    assert made.config is not None
    assert made.config.inline == data


MALFORMED: list[tuple[str, object, str]] = [
    ("no object", [], ""),
    ("a text", "x", ""),
    ("schemaVersion absent", image(schemaVersion="absent"), ""),
    ("schemaVersion 3", image(schemaVersion=3), ""),
    ("schemaVersion true", image(schemaVersion=True), ""),
    ("schemaVersion 2.0", image(schemaVersion=2.0), ""),
    ("header and body differ", image(), OCI_INDEX),
    ("header says Docker", image(), DOCKER_MANIFEST),
    ("header is any JSON", image(), "application/json"),
    ("header is HTML", image(), "text/html"),
    ("no known type", image(mediaType="application/x"), ""),
    ("type in upper case", image(mediaType=OCI_MANIFEST.upper()), ""),
    ("type of control letters", image(mediaType="a/b\n"), ""),
    ("manifest with manifests", image(manifests=[]), ""),
    (
        "manifest with manifests, header alone",
        image(mediaType="absent", manifests=[described()]),
        OCI_MANIFEST,
    ),
    ("index with layers", index(layers=[]), ""),
    ("index with config", index(config=described()), ""),
    ("manifest with fsLayers", image(fsLayers=[]), ""),
    ("manifest with blobs", image(blobs=[]), ""),
    ("without type, both", image(mediaType="absent", manifests=[described()]), ""),
    ("Layers beside layers", image(Layers=[]), ""),
    ("LAYERS alone", image(layers="absent", LAYERS=[described()]), ""),
    ("layers with a long s, which Go folds", image() | {"layer\u017f": []}, ""),
    ("Digest in a descriptor", image(layers=[described(Digest=A)]), ""),
    ("Os in a platform", index(manifests=[described(platform={"Os": "linux"})]), ""),
    ("no config", image(config="absent"), ""),
    ("config null", image(config=None), ""),
    ("layers null", image(layers=None), ""),
    ("layers an object", image(layers={}), ""),
    ("layer a text", image(layers=[A]), ""),
    ("digest of md5", image(layers=[described(digest="md5:" + "a" * 32)]), ""),
    ("digest in upper case", image(layers=[described(digest="sha256:" + "A" * 64)]), ""),
    ("digest with a path", image(layers=[described(digest=A + "/../x")]), ""),
    ("digest no text", image(layers=[described(digest=5)]), ""),
    ("size negative", image(layers=[described(size=-1)]), ""),
    ("size beyond 64 bits", image(layers=[described(size=1 << 63)]), ""),
    ("size a fraction", image(layers=[described(size=1.0)]), ""),
    ("size true", image(layers=[described(size=True)]), ""),
    ("size absent", image(layers=[{"mediaType": LAYER, "digest": A}]), ""),
    ("media type absent", image(layers=[{"digest": A, "size": 1}]), ""),
    ("media type of no kind", image(layers=[described(mediaType="x")]), ""),
    ("media type too long", image(layers=[described(mediaType="a/" + "b" * 300)]), ""),
    ("annotations no texts", image(annotations={"a": 1}), ""),
    ("annotations a list", image(annotations=[]), ""),
    ("urls no list", image(layers=[described(urls="x")]), ""),
    ("inline of another size", image(layers=[described(data="")]), ""),
    ("inline of other bytes", image(layers=[described(data=base64.b64encode(b"12345").decode())]), ""),
    ("inline no base64", image(layers=[described(data="ä")]), ""),
    ("subject no descriptor", image(subject={}), ""),
    ("artifactType no text", image(artifactType=5), ""),
]


@pytest.mark.parametrize(
    ("body", "header"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED]
)
def test_what_breaks_the_format_or_has_two_meanings_is_malformed(body: object, header: str) -> None:
    made = decoded(body, header)
    assert isinstance(made, Unreadable)
    assert made.verdict is FileVerdict.MALFORMED
    assert made.reasons[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"schemaVersion": 2, "schemaVersion": 1}',
        b'{"schemaVersion": 2, "annotations": {"a": "1", "a": "2"}}',
        b'{"schemaVersion": NaN}',
        b'{"schemaVersion": 2} x',
        b'{"schemaVersion": ' + b"9" * 5_000 + b"}",
        b'{"annotations": {"a": "\\ud800"}}',
        b'{"a": "\xc3\x28"}',
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"[" + b"[]," * 250_000 + b"[]]",
        b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
    ],
)
def test_bytes_that_are_no_json_for_every_reader_are_malformed(data: bytes) -> None:
    made = decode_manifest(data)
    assert isinstance(made, Unreadable)
    assert made.verdict is FileVerdict.MALFORMED
    assert len(made.reasons[0]) < 200


@pytest.mark.parametrize(
    ("body", "header", "word"),
    [
        ({"schemaVersion": 1, "name": "x", "fsLayers": []}, "", "schema 1"),
        ({"schemaVersion": 1}, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        (image(mediaType="application/vnd.oci.artifact.manifest.v1+json"), "", "took back"),
        (image(), "application/vnd.cncf.oras.artifact.manifest.v1+json", "oras"),
        (image(layers=[described()] * 1_001), "", "1,001 layers"),
        (index(manifests=[described()] * 1_001), "", "1,001 manifests"),
        (image(layers=[described(size=1 << 62)]), "", "says that it has"),
        (image(annotations={str(n): "" for n in range(1_001)}), "", "annotations"),
    ],
)
def test_what_nobody_looks_into_is_unscannable_by_name(body: object, header: str, word: str) -> None:
    made = decoded(body, header)
    assert isinstance(made, Unreadable)
    assert made.verdict is FileVerdict.UNSCANNABLE
    assert word in made.reasons[0]


def test_a_manifest_of_too_many_bytes_is_not_even_decoded() -> None:
    made = decoded(image(annotations={"a": "x" * 1_000}), bytes=1_000)
    assert isinstance(made, Unreadable)
    assert made.verdict is FileVerdict.UNSCANNABLE


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([A, OCI_MANIFEST, OCI_INDEX]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "schemaVersion",
                "mediaType",
                "config",
                "layers",
                "manifests",
                "subject",
                "annotations",
                "Layers",
                "artifactType",
            ]
        ),
        _JSON | st.just(2) | st.just(described()) | st.just([described()]),
    ),
    st.sampled_from(["", OCI_MANIFEST, OCI_INDEX, "x"]),
)
def test_any_json_is_a_manifest_or_says_why_not(body: dict[str, object], header: str) -> None:
    made = decode_manifest(json.dumps(body).encode(), header)
    if isinstance(made, Unreadable):
        assert made.verdict in (FileVerdict.MALFORMED, FileVerdict.UNSCANNABLE)
        assert made.reasons[0]
    else:
        assert made.index == bool(made.media_type in (OCI_INDEX, DOCKER_INDEX))
        assert not (made.index and (made.layers or made.config))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_say_why_not(data: bytes) -> None:
    assert isinstance(decode_manifest(data), Manifest | Unreadable)


@given(_JSON)
def test_json_that_is_one_thing_for_everybody_is_read_as_everybody_does(value: object) -> None:
    text = json.dumps(value)
    if "NaN" in text or "Infinity" in text or "\\ud" in text:
        return  # not JSON, or half a surrogate pair: the cases above
    assert json.dumps(load(text.encode())) == text


def files(*names: str, media_type: str = "application/octet-stream") -> Manifest:
    return good(image(layers=[described(mediaType=media_type, annotations={TITLE: name}) for name in names]))


def test_kinds_are_told_by_title_and_media_type() -> None:
    names = (
        "model.safetensors",
        "model.safetensors.pkl",
        "m.PKL.gz",
        "tokenizer.json",
        "../../x.py",
        "weird",
        "archive.tar",
    )
    assert [(each.kind, each.runs) for each in kinds(files(*names))] == [
        ("safetensors", False),
        ("pickle", True),
        ("pickle", True),
        ("data", False),
        ("python", True),
        ("unknown", False),
        ("archive", False),
    ]
    assert [each.kind for each in kinds(good(image()))] == ["image"]
    assert [
        each.kind for each in kinds(files("x", media_type="application/vnd.cnai.model.weight.v1.pytorch"))
    ] == ["pickle"]


def test_safetensors_that_became_a_pickle_is_a_change_and_another_shard_is_none() -> None:
    before = kinds(files("model", "a.json", media_type="application/vnd.x.safetensors"))
    after = kinds(files("model", "a.json", media_type="application/vnd.x.pickle"))
    assert [(each.name, each.was, each.now, each.runs) for each in compare_kinds(before, after)] == [
        ("model", "safetensors", "pickle", True)
    ]
    shards = kinds(files("a-1.safetensors"))
    assert compare_kinds(shards, kinds(files("a-1.safetensors", "a-2.safetensors"))) == ()
    beside = compare_kinds(shards, kinds(files("a-1.safetensors", "extra.pkl", "more.pkl")))
    assert [(each.name, each.was, each.now, each.runs) for each in beside] == [
        ("extra.pkl", "", "pickle", True)
    ]
    already = compare_kinds(kinds(files("a.pkl")), kinds(files("a.pkl", "b.py")))
    assert [(each.now, each.runs) for each in already] == [("python", False)], "code ran before"


def test_a_configuration_tells_what_a_decision_uses() -> None:
    body = {
        "os": "linux",
        "architecture": "amd64",
        "config": {
            "Labels": {"org.opencontainers.image.revision": "abc"},
            "Entrypoint": ["python"],
            "Cmd": None,
            "User": "1000",
        },
        "rootfs": {"type": "layers", "diff_ids": [A]},
    }
    made = decode_config(json.dumps(body).encode())
    assert (made.os, made.architecture, made.user, made.entrypoint, made.command, made.layers) == (
        "linux", "amd64", "1000", ("python",), (), (A,),
    )  # fmt: skip
    assert made.labels == {"org.opencontainers.image.revision": "abc"}


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"config": []}',
        b'{"config": {"Labels": {"a": 1}}}',
        b'{"config": {"labels": {}}}',
        b'{"OS": "x"}',
        b'{"os": 5}',
        b'{"os": "a", "os": "b"}',
        b'{"rootfs": {"diff_ids": {}}}',
    ],
)
def test_a_configuration_of_two_meanings_is_none(body: bytes) -> None:
    with pytest.raises(StrictError):
        decode_config(body)
