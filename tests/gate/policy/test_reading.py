"""A policy is read with the place of everything that is wrong."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.policy.form import (
    Declared,
    Mode,
    Policy,
    Predicate,
    Promotion,
    Requirement,
    Trusted,
    Watched,
)
from eightysix.gate.policy.reading import parse_policy
from eightysix.model.finding import Severity
from eightysix.rules.yamlfile import RuleFileError

WHOLE = b"""\
mode: audit
watch:
  - repository: acme.azurecr.io/ml/llm
    tags: [prod, staging]
  - repository: acme.azurecr.io/models/*
    tags: ["*"]
promotion:
  - from: acme.azurecr.io/ml/llm:staging
    to: acme.azurecr.io/ml/llm:prod
approvers: [ana@example.com, bo@example.com]
signers:
  - scope: acme.azurecr.io/ml/llm:*
    issuer: https://token.actions.githubusercontent.com
    repository: https://github.com/acme/ml
    workflow: ./.github/workflows/release.yml
    ref: refs/heads/release/*
    expires: 2027-01-31
require:
  - scope: acme.azurecr.io/ml/*
    signed: true
    attested: [https://slsa.dev/provenance/v1]
rules:
  - id: no-dispatch
    when: signatures.exists(s, s.signer.trigger == 'workflow_dispatch')
    why: nobody releases by hand
trust:
  sigstore: [trusted_root.json]
"""


def test_a_whole_policy() -> None:
    policy = parse_policy(WHOLE, "policy.yml")
    assert policy == Policy(
        mode=Mode.AUDIT,
        watch=(
            Watched("acme.azurecr.io/ml/llm", ("prod", "staging")),
            Watched("acme.azurecr.io/models/*", ("*",)),
        ),
        promotions=(Promotion("acme.azurecr.io/ml/llm:staging", "acme.azurecr.io/ml/llm:prod"),),
        approvers=("ana@example.com", "bo@example.com"),
        signers=(
            Declared(
                "acme.azurecr.io/ml/llm:*",
                "signature",
                {
                    "method": "keyless",
                    "issuer": "https://token.actions.githubusercontent.com",
                    "repository": "https://github.com/acme/ml",
                    "workflow": "./.github/workflows/release.yml",
                    "ref": "refs/heads/release/*",
                },
                expires_ns=1_801_440_000 * 10**9,
            ),
        ),
        require=(
            Requirement("acme.azurecr.io/ml/*", signed=True, attested=("https://slsa.dev/provenance/v1",)),
        ),
        rules=(
            Predicate(
                "no-dispatch",
                "signatures.exists(s, s.signer.trigger == 'workflow_dispatch')",
                holds=True,
                why="nobody releases by hand",
                severity=Severity.HIGH,
            ),
        ),
        trust=Trusted(sigstore=("trusted_root.json",)),
        digest=policy.digest,
    )
    assert policy.digest.startswith("sha256:")


def test_an_empty_file_is_no_policy_because_it_may_have_been_emptied() -> None:
    with pytest.raises(RuleFileError, match="the file is empty"):
        parse_policy(b"# nothing yet\n", "p")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "line 1, column 1: a policy is a map"),
        ("modus: audit\n", "line 1, column 1: unknown key 'modus'"),
        ("mode: off\n", "mode is one of: enforce, audit"),
        ("watch: prod\n", "line 1, column 8: watch is a list"),
        ("watch:\n  - repository: acme.azurecr.io/ml/llm\n", "tags is missing"),
        ("watch:\n  - repository: ACME/ml/..//\n    tags: [a]\n", "line 2"),
        ("promotion:\n  - from: a.io/b:c\n    to: a.io/b:c\n", "it is promoted to where it comes from"),
        ("promotion:\n  - from: a.io/b\n    to: a.io/b:c\n", "is not a repository with a tag"),
        ("signers:\n  - scope: a.io/b:c\n    workflow: x\n", "nobody vouches for this signer"),
        ("signers:\n  - scope: a.io/b:c\n    issuer: '*'\n", "issuer cannot be '*': that is everybody"),
        ("signers:\n  - scope: a.io/b:c\n    issuer: https://x\n    runner: '*'\n", "runner cannot be '*'"),
        ("signers:\n  - scope: a.io/b\n    issuer: https://x\n", "names no tag"),
        ("signers:\n  - scope: 'a.io/*/b:c'\n    issuer: https://x\n", "is no scope"),
        ("signers:\n  - scope: a.io/b:c\n    issuer: x\n    expires: soon\n", "expires is no day"),
        ("require:\n  - scope: a.io/b:c\n", "nothing is required here"),
        ("require:\n  - scope: a.io/b:c\n    signed: maybe\n", "signed is true or false"),
        (
            "rules:\n  - id: a\n    when: images == 1\n    why: w\n",
            "line 3, column 11: unknown fact 'images'",
        ),
        ("rules:\n  - id: a\n    when: tag ==\n    why: w\n", "line 3, column 11"),
        ("rules:\n  - id: A b\n    when: 'true'\n    why: w\n", "is no id"),
        ("rules:\n  - {id: a, when: 'true', why: w}\n  - {id: a, when: 'true', why: w}\n", "stands twice"),
        ("rules:\n  - {id: a, when: 'true', why: w, then: allow}\n", "then is one of: hold, tell"),
        ("trust: all\n", "trust is a map"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(RuleFileError) as error:
        parse_policy(text.encode(), "p.yml")
    assert said in str(error.value)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    with suppress(RuleFileError):
        assert parse_policy(data, "p.yml").digest
