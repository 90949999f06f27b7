"""References are read strictly and written in one way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.digests import digest_of, is_attachment_tag, is_digest, signature_tags, subject_tag
from eightysix.gate.references import (
    api_host,
    format_reference,
    is_loopback,
    is_repository,
    is_tag,
    parse_reference,
    parse_registry,
)
from eightysix.model.errors import UsageError
from eightysix.model.gate import Reference

A = "sha256:" + "a" * 64
B = "sha512:" + "b" * 128


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python", Reference("docker.io", "library/python")),
        ("python:3.12", Reference("docker.io", "library/python", "3.12")),
        ("library/python", Reference("docker.io", "library/python")),
        ("team/model:prod", Reference("docker.io", "team/model", "prod")),
        ("index.docker.io/team/model", Reference("docker.io", "team/model")),
        ("docker.io/python", Reference("docker.io", "library/python")),
        ("acme.azurecr.io/ml/llm:prod", Reference("acme.azurecr.io", "ml/llm", "prod")),
        ("ACME.azurecr.io:443/ml/llm:prod", Reference("acme.azurecr.io", "ml/llm", "prod")),
        ("acme.azurecr.io:5000/ml/llm", Reference("acme.azurecr.io:5000", "ml/llm")),
        ("localhost/x:y", Reference("localhost", "x", "y")),
        ("LOCALHOST:5000/x", Reference("localhost:5000", "x")),
        ("127.0.0.1:443/x", Reference("127.0.0.1:443", "x")),
        ("[::1]:5000/x/y:z", Reference("[::1]:5000", "x/y", "z")),
        ("[2001:DB8:0::1]/x", Reference("[2001:db8::1]", "x")),
        ("registry:5000/x", Reference("registry:5000", "x")),
        ("registry:443/x", Reference("registry:443", "x")),
        (f"a.b/c@{A}", Reference("a.b", "c", "", A)),
        (f"a.b/c:d@{B}", Reference("a.b", "c", "d", B)),
        ("a.b/c__d/e--f/g.h_i:J_k.9-", Reference("a.b", "c__d/e--f/g.h_i", "J_k.9-")),
    ],
)
def test_a_reference_is_brought_to_one_form(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert parse_reference(format_reference(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":tag",
        "@" + A,
        "a.b/",
        "a.b/c:",
        "a.b/c@",
        "a.b/c@sha256:" + "A" * 64,
        "a.b/c@sha256:" + "a" * 63,
        "a.b/c@md5:" + "a" * 32,
        f"a.b/c@{A}@{A}",
        "a.b/C",
        "Foo/bar",
        "a.b/c d",
        "a.b/c\n",
        "a.b/../c",
        "a.b//c",
        "a.b/c/",
        "a.b/c___d",
        "a.b/c..d",
        "a.b/-c",
        "a.b/c-",
        "a.b/c:-tag",
        "a.b/c:t/ag",
        "a.b/c:" + "t" * 129,
        "a.b/" + "c" * 256,
        "a.b:0/c",
        "a.b:65536/c",
        "a.b:080/c",
        "a.b:x/c",
        "a.b:٣/c",
        "a_b.c/d",
        "-a.b/c",
        "a..b/c",
        "." + "a" * 64 + ".b/c",
        "[::1/c",
        "[::1%eth0]/c",
        "[::1]x/c",
        "[127.0.0.1]/c",
        "user:pass@a.b/c",
        "https://a.b/c",
        "oci://a.b/c",
        "a" * 64,
        "a.b/\uff43",
        "a.b/c:latest\x00",
        "x" * 10_000,
    ],
)
def test_what_is_no_reference_is_refused_with_advice(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_reference(text)
    assert error.value.advice
    assert len(error.value.what) < 250
    assert error.value.what.isprintable()


_STEP = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
_HOST = st.from_regex(
    r"([a-z0-9]{1,6}(-[a-z0-9]{1,4})?\.[a-z0-9]{1,6}(\.[a-z]{2})?|localhost|\[::[0-9a-f]\]|[a-z]{3}:5000)",
    fullmatch=True,
)
_PORT = st.integers(1, 65_535).map(lambda port: f":{port}") | st.just("")
_TAGS = st.just("") | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
_DIGESTS = (
    st.just("")
    | st.binary(max_size=4).map(digest_of)
    | st.binary(max_size=4).map(lambda data: digest_of(data, "sha512:"))
)


@given(_HOST, _PORT, st.lists(_STEP, min_size=1, max_size=4), _TAGS, _DIGESTS)
def test_what_was_written_is_read_back(host: str, port: str, steps: list[str], tag: str, digest: str) -> None:
    registry = parse_registry(host if ":" in host and "[" not in host else host + port)
    reference = Reference(registry, "/".join(steps), tag, digest)
    text = format_reference(reference)
    assert parse_reference(text) == reference
    assert format_reference(parse_reference(text)) == text


@given(st.text(max_size=80) | st.text("ab.:/@-_[]% sha256", max_size=60))
def test_any_text_is_a_reference_or_a_usage_error(text: str) -> None:
    try:
        reference = parse_reference(text)
    except UsageError:
        return
    assert parse_reference(format_reference(reference)) == reference
    assert is_repository(reference.repository)
    assert not reference.tag or is_tag(reference.tag)
    assert not reference.digest or is_digest(reference.digest)


def test_docker_is_reached_under_another_name_and_loopback_is_told_by_the_name_alone() -> None:
    assert api_host("docker.io") == "registry-1.docker.io"
    assert api_host("a.b:5000") == "a.b:5000"
    assert [
        each for each in ("localhost", "localhost:1", "127.9.9.9:5", "[::1]:5") if not is_loopback(each)
    ] == []
    others = ("localhost.evil.example", "127.0.0.1.nip.example", "a.localhost", "0.0.0.0", "[::]", "10.0.0.1")
    assert [each for each in others if is_loopback(each)] == []


def test_tags_that_stand_for_what_is_attached() -> None:
    assert subject_tag(A) == "sha256-" + "a" * 64
    assert subject_tag(B) == "sha512-" + "b" * 64, "the specification cuts it"
    assert signature_tags(A) == tuple(f"sha256-{'a' * 64}.{end}" for end in ("sig", "att", "sbom"))
    assert all(map(is_attachment_tag, (subject_tag(A), subject_tag(B), *signature_tags(A))))
    assert not any(map(is_attachment_tag, ("sha256-abc", "prod", "v1-" + "a" * 64, "sha256-" + "g" * 64)))
