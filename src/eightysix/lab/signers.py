"""Who signs in a box of `lab/signing.py`: identities as the certificates of sigstore's authority hold them.

Numbers of the extensions and what each issuer writes into them: sigstore/fulcio, docs/oid-info.md and
config/identity (GitHub Actions, GitLab CI, Buildkite).
"""

from __future__ import annotations

from cryptography import x509
from msgspec import Struct

__all__ = ["FULCIO", "Identity", "buildkite", "github", "gitlab", "person"]

FULCIO = "1.3.6.1.4.1.57264.1"
_LEGACY = 7
"""Extensions below this number hold the text itself, those from 8 on a UTF8String in DER."""


class Identity(Struct, frozen=True):
    """The alternative name of a certificate and its claims by number."""

    name: str
    claims: dict[int, str]

    def general_name(self) -> x509.GeneralName:
        """How the name is written into a certificate."""
        if "://" in self.name:
            return x509.UniformResourceIdentifier(self.name)
        return x509.RFC822Name(self.name)

    def extensions(self) -> dict[int, bytes]:
        """The claims as extensions hold them; empty ones are left out."""
        return {
            number: text.encode() if number < _LEGACY else _utf8_string(text.encode())
            for number, text in sorted(self.claims.items())
            if text
        }

    def changed(self, **claims: str) -> Identity:
        """The same with other claims: `_14="refs/heads/dev"`."""
        return Identity(self.name, self.claims | {int(key.lstrip("_")): text for key, text in claims.items()})


def _utf8_string(text: bytes) -> bytes:
    size = len(text)
    length = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 0xFF])
    return b"\x0c" + (bytes([0x81, size]) if 128 <= size < 256 else length) + text


def github(
    repository: str = "acme/ml",
    workflow: str = "release.yml",
    ref: str = "refs/heads/main",
    *,
    commit: str = "a" * 40,
    trigger: str = "push",
    runner: str = "github-hosted",
    environment: str = "",
    run: int = 1,
    repository_id: str = "1234",
    owner_id: str = "99",
    visibility: str = "private",
    built_by: str = "",
) -> Identity:
    """A workflow of GitHub Actions. `built_by` is a reusable workflow with its ref, where one signs."""
    home = f"https://github.com/{repository}"
    config = f"{home}/.github/workflows/{workflow}@{ref}"
    signer = built_by or config
    issuer = "https://token.actions.githubusercontent.com"
    legacy = {1: issuer, 2: trigger, 3: commit, 4: workflow.partition(".")[0], 5: repository, 6: ref}
    return Identity(
        signer,
        legacy
        | {8: issuer, 9: signer, 10: commit, 11: runner, 12: home, 13: commit, 14: ref}
        | {15: repository_id, 16: home.rpartition("/")[0], 17: owner_id, 18: config, 19: commit}
        | {20: trigger, 21: f"{home}/actions/runs/{run}/attempts/1", 22: visibility, 23: environment},
    )


def gitlab(
    project: str = "acme/group/ml",
    config: str = ".gitlab-ci.yml",
    ref: str = "refs/heads/main",
    *,
    commit: str = "b" * 40,
    trigger: str = "push",
    runner: str = "gitlab-hosted",
    job: int = 7,
    project_id: str = "42",
    owner_id: str = "7",
    visibility: str = "private",
    environment: str = "",
) -> Identity:
    """A job of GitLab CI."""
    home = f"https://gitlab.com/{project}"
    signer = f"{home}//{config}@{ref}"
    return Identity(
        signer,
        {1: "https://gitlab.com", 8: "https://gitlab.com", 9: signer, 10: commit, 11: runner, 12: home}
        | {13: commit, 14: ref, 15: project_id, 16: home.rpartition("/")[0], 17: owner_id, 18: signer}
        | {19: commit, 20: trigger, 21: f"{home}/-/jobs/{job}", 22: visibility, 23: environment},
    )


def buildkite(organization: str = "acme", pipeline: str = "ml") -> Identity:
    """A pipeline of Buildkite: its certificates name little more than the pipeline."""
    home = f"https://buildkite.com/{organization}/{pipeline}"
    issuer = "https://agent.buildkite.com"
    return Identity(home, {1: issuer, 8: issuer, 21: f"{home}/builds/3#job"})


def person(address: str = "dev@acme.example", issuer: str = "https://accounts.google.com") -> Identity:
    """Somebody who signed in with a browser."""
    return Identity(address, {1: issuer, 8: issuer})
