"""PEP 740: attestations of a distribution, alone or as an index serves them together with their publisher.

pypi-attestations reads the objects and makes bundles of them; its own `verify` fetches trust roots, so the bundle is judged
by ours. The publisher is the index's word: it must agree with the certificate, which is the proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eightysix.gate.attest.bundles import proved_by_sigstore
from eightysix.gate.attest.certificates import from_der
from eightysix.gate.attest.context import Spoken, Task
from eightysix.gate.attest.dsse import IN_TOTO
from eightysix.gate.attest.material import Draft
from eightysix.gate.attest.statement import PROVENANCE, Statement, check_subject
from eightysix.gate.attest.strict import (
    as_list,
    as_map,
    as_text,
    base64_of,
    load_json,
    shown,
    unverifiable,
    wrong,
)
from eightysix.model.gate import Signer, SigningMethod

__all__ = ["attestations_of", "check_distribution", "check_publisher", "judge_attestation"]

_PUBLISH: Final = "https://docs.pypi.org/attestations/publish/v1"
_MAX_ATTESTATIONS: Final = 64

Attestation = tuple[object, Mapping[str, object] | None]


def attestations_of(data: bytes) -> list[Attestation]:
    """The attestations in an attestation or a provenance object, each with the publisher that the index names."""
    fields = as_map(load_json(data, "the attestation"), "the attestation")
    if "attestation_bundles" not in fields:
        return [(fields, None)]
    if fields.get("version", 1) != 1:
        raise unverifiable(f"provenance of version {shown(fields.get('version'))} is not read here yet")
    bundles = as_list(fields["attestation_bundles"], "the list of attestations", most=_MAX_ATTESTATIONS)
    found: list[Attestation] = []
    for item in bundles:
        bundle = as_map(item, "a bundle of attestations")
        publisher = as_map(bundle.get("publisher"), "the publisher")
        listed = as_list(bundle.get("attestations"), "the list of attestations", most=_MAX_ATTESTATIONS)
        found.extend((one, publisher) for one in listed)
    if not found:
        raise wrong("the provenance object holds no attestation")
    if len(found) > _MAX_ATTESTATIONS:
        raise wrong(f"the provenance object holds {len(found)} attestations, more than {_MAX_ATTESTATIONS}")
    return found


def judge_attestation(draft: Draft, value: object, task: Task) -> Spoken:
    """The proof that one attestation holds."""
    from pypi_attestations import Attestation as Model

    fields = as_map(value, "the attestation")
    if fields.get("version") != 1:
        raise unverifiable(f"attestations of version {shown(fields.get('version'))} are not read here yet")
    material = as_map(fields.get("verification_material"), "the attestation's verification_material")
    leaf = from_der(base64_of(material.get("certificate"), "the attestation's certificate"))
    as_list(material.get("transparency_entries"), "the attestation's log entries", most=1)
    envelope = as_map(fields.get("envelope"), "the attestation's envelope")
    for name in ("statement", "signature"):
        base64_of(envelope.get(name), f"the attestation's {name}")
    try:
        bundle = Model.model_validate(fields).to_bundle()
    except Exception as error:  # noqa: BLE001 - pydantic and sigstore fail in many ways on hostile bytes
        raise wrong(f"the attestation cannot be used: {shown(error)}") from None
    spoken = proved_by_sigstore(draft, bundle, leaf, task, over_digest=False, method=SigningMethod.PUBLISHER)
    if not isinstance(spoken, Spoken) or spoken.payload_type != IN_TOTO:
        raise wrong("the attestation holds no statement")
    return spoken


def check_distribution(statement: Statement, task: Task, name: str) -> None:
    """Refuse a statement that is not about this one file, or says what no publisher of packages says."""
    if len(statement.subjects) != 1:
        raise wrong(f"the statement is about {len(statement.subjects)} files, and one is expected")
    subject = check_subject(statement, task.subject)
    if name and subject.name != name and _parsed(subject.name) != _parsed(name):
        raise wrong(f"it is about the file {shown(subject.name)}, and not about {shown(name)}")
    if statement.predicate_type != _PUBLISH and not statement.predicate_type.startswith(PROVENANCE):
        raise unverifiable(f"it says {shown(statement.predicate_type)}, which nobody here knows of packages")


def _parsed(name: str) -> object:
    """A file name as PEP 427 and PEP 625 mean it: two spellings of one distribution are equal."""
    from packaging.utils import parse_sdist_filename, parse_wheel_filename

    try:
        return parse_wheel_filename(name) if name.endswith(".whl") else parse_sdist_filename(name)
    except ValueError:
        raise wrong(f"{shown(name)} is no name of a distribution") from None


def check_publisher(publisher: Mapping[str, object], signer: Signer) -> dict[str, str]:
    """What the index says of the publisher, as claims; refuses where the certificate says something else."""
    kind = as_text(publisher.get("kind"), "the publisher's kind")
    expected = _expected(kind, publisher)
    if expected is None:
        raise unverifiable(f"publishers of the kind {shown(kind)} are not known here")
    for field, value in expected.items():
        if value is not None and getattr(signer, field) != value:
            raise wrong(
                f"the index names the publisher {shown(value)}, and its certificate {shown(getattr(signer, field))}"
            )
    environment = publisher.get("environment")
    found = {"publisher": kind}
    if isinstance(environment, str) and environment:
        found["publisher_environment"] = environment[:1000]
    return found


def _expected(kind: str, publisher: Mapping[str, object]) -> dict[str, str | None] | None:
    def told(name: str) -> str:
        return as_text(publisher.get(name), f"the publisher's {name}")

    if kind == "GitHub":
        home = f"https://github.com/{told('repository')}"
        return {
            "issuer": "https://token.actions.githubusercontent.com",
            "repository": home,
            "build_config": f"{home}/.github/workflows/{told('workflow')}",
        }
    if kind == "GitLab":
        home = f"https://gitlab.com/{told('repository')}"
        return {
            "issuer": "https://gitlab.com",
            "repository": home,
            "build_config": f"{home}//{told('workflow_filepath')}",
        }
    if kind == "Google":
        return {"issuer": "https://accounts.google.com", "subject": told("email")}
    if kind == "CircleCI":
        home = f"https://circleci.com/api/v2/projects/{told('project_id')}"
        return {
            "issuer": "https://oidc.circleci.com",
            "workflow": f"{home}/pipeline-definitions/{told('pipeline_definition_id')}",
        }
    return None
