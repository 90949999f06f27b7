"""Which history a tag is held against."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.scopes import BY_DIGEST, scope_of, tag_class
from eightysix.model.gate import Reference


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("prod", "prod"),
        ("latest", "latest"),
        ("main", "main"),
        ("1.4.2", "version"),
        ("v2", "version"),
        ("v1.2.3-rc.1", "version"),
        ("1.2.3-cuda12", "version"),
        ("20261123", "version"),
        ("3f9a1c2", "version"),
        ("3f9a1c2d3f9a1c2d3f9a1c2d3f9a1c2d3f9a1c2d", "version"),
        ("main-3f9a1c2", "main-*"),
        ("prod-20261123", "prod-*"),
        ("release_1.2", "release-*"),
        ("release-v1.2.3", "release-*"),
        ("pr-17", "pr-*"),
        ("deadbeef", "deadbeef"),
        ("llama-3-8b", "llama-*"),
        ("staging-eu", "staging-eu"),
        ("v", "v"),
        ("versions", "versions"),
    ],
)
def test_a_tag_is_of_the_class_that_its_spelling_says(tag: str, kind: str) -> None:
    assert tag_class(tag) == kind


def test_a_scope_is_a_repository_and_a_class() -> None:
    assert scope_of(Reference("acme.azurecr.io", "ml/llm", "prod")) == "acme.azurecr.io/ml/llm:prod"
    assert scope_of(Reference("acme.azurecr.io", "ml/llm", "", "sha256:" + "0" * 64)).endswith(
        f":{BY_DIGEST}"
    )


@given(st.text(max_size=200))
def test_every_tag_has_a_class(tag: str) -> None:
    assert len(tag_class(tag)) <= max(len(tag) + 2, len("version"))
