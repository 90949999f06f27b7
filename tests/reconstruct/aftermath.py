"""What became of the recorded 86-second run, built by hand; and the same with names that an attacker chose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eightysix.context.credentials import credential_at, variable_domain
from eightysix.model.attribution import Attribution
from eightysix.model.event import Artifact
from eightysix.model.incident import Evidence, PodRef
from eightysix.model.story import IdentityStory, Rotation, Sighting, Use
from eightysix.model.words import Grade, IdentityState, Origin, Outcome
from eightysix.reconstruct.revoking import revocation
from eightysix.reconstruct.rotating import rotation

POD = PodRef(
    "aks-ml-prod", "aks-gpu-31337-vmss000000", "ml", "inference-0", "5a47225c-b58c-48f9-afad-41c74afc819f"
)
TAKEN = "2026-11-23T16:56:16.501295Z"
CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"
PACKAGE = Artifact("pypi", "torch-perf-utils", "1.4.3")


def identity(
    kind: str,
    name: str,
    state: IdentityState = IdentityState.TAKEN,
    *,
    ids: Sequence[str] = (),
    at: str = TAKEN,
    uses: Sequence[Use] = (),
) -> IdentityStory:
    taken_at = "" if state is IdentityState.EXPOSED else at
    held = credential_at(name)
    domain = held.domain if held is not None else variable_domain(name) if kind == "environment" else None
    return IdentityStory(
        entity=f"identity:{kind}",
        kind=kind,
        name=name,
        ids=tuple(ids),
        domain=str(domain or ""),
        state=state,
        taken_at=taken_at,
        taken_by="python /app/server.py",
        grade=Grade.A,
        origin=Origin.KERNEL,
        uses=tuple(uses),
        other_uses=0,
        revocation=revocation(kind, taken_at=taken_at),
    )


def use(address: str, *, foreign: bool | None = True, after: bool = True) -> Use:
    return Use(
        at=TAKEN,
        offset_s=60.0,
        service="storage",
        operation="GetBlob",
        target="models",
        source_ip=address,
        user_agent="curl/8.5.0",
        outcome=Outcome.ALLOWED,
        after=after,
        foreign=foreign,
        credential_id="",
        attribution=Attribution(Grade.D, Origin.PROVIDER, "client-id", certain=True),
    )


def sighting(pod: str = "trainer-1", **more: Any) -> Sighting:
    told: dict[str, Any] = {
        "artifact": "torch-perf-utils==1.4.3",
        "cluster": "aks-ml-prod",
        "node": "aks-gpu-31337-vmss000001",
        "namespace": "ml",
        "pod": pod,
        "uid": "u-1",
        "how": "installed",
        "at": "2026-11-23T15:02:11.000000Z",
        "same": True,
        "identity_taken": False,
        "evidence": (Evidence("tetragon", "node-1.jsonl", 17),),
    }
    return Sighting(**(told | more))


IDENTITIES = (
    identity("service-account", "ml/inference-sa", IdentityState.USED),
    identity(
        "managed-identity",
        "of ml/inference-0 by metadata service",
        IdentityState.USED,
        ids=(CLIENT,),
        uses=(use("203.0.113.10"),),
    ),
    identity("secret", "ml/*"),
    identity("secret", "ml/acr-push-sp"),
)
EXPOSED = (
    identity("environment", "MODEL_API_KEY", IdentityState.EXPOSED),
    identity("federated-token", "/run/secrets/azure/tokens/azure-identity-token", IdentityState.EXPOSED),
)
ELSEWHERE = (
    sighting(),
    sighting("inference-0", cluster="aks-ml-test", node="n", identity_taken=True),
    sighting("notebook-7", same=False, artifact="torch-perf-utils==1.4.2"),
)


def breach(**more: Any) -> tuple[Rotation, ...]:
    told: dict[str, Any] = {
        "pod": POD,
        "workload": "inference",
        "service_account": "ml/inference-sa",
        "identities": IDENTITIES,
        "exposed": EXPOSED,
        "artifacts": (PACKAGE,),
        "elsewhere": ELSEWHERE,
        "node": POD.node,
    }
    return rotation(**(told | more))


EVERY_KIND = (
    identity("service-account", "of ml/inference-0 (name not in the telemetry)"),
    identity("service-account", "ml/build-bot"),
    identity("managed-identity", "of ml/inference-0 by metadata service"),
    identity("federated-token", "/run/secrets/azure/tokens/azure-identity-token", ids=(CLIENT,)),
    identity("federated-token", "/run/secrets/eks.amazonaws.com/serviceaccount/token"),
    identity("service-principal", "acr-push", ids=("00001111-aaaa-2222-bbbb-00000000000e",)),
    identity("service-principal", CLIENT, ids=("00001111-aaaa-2222-bbbb-00000000000f", CLIENT)),
    identity("secret", "*/*"),
    identity("secret", "ml/postgres-password"),
    identity("secret-volume", "of pod ml/db-0 (7d), volume creds"),
    identity("service-account", "of pod ml/db-0 (7d), volume kube-api-access-x"),
    identity("service-account", "of pod 3f0c1a52-0000-4000-8000-000000000001, volume kube-api-access-y"),
    identity("environment", "OPENAI_API_KEY"),
    identity("made-pod", "credential of pod kube-system/node-tuner"),
    identity("kubeconfig", "/root/.kube/config"),
    identity("cluster-key", "/etc/kubernetes/pki/ca.key"),
    identity("azure-cli-cache", "/root/.azure/msal_token_cache.json"),
    identity("azure-node-identity", "/etc/kubernetes/azure.json"),
    identity("aws-credentials-file", "/root/.aws/credentials"),
    identity("gcloud-adc", "/root/.config/gcloud/application_default_credentials.json"),
    identity("docker-config", "/root/.docker/config.json"),
    identity("npmrc", "/root/.npmrc"),
    identity("pypirc", "/root/.pypirc"),
    identity("git-credentials", "/root/.git-credentials"),
    identity("ssh-key", "/root/.ssh/id_ed25519"),
    identity("huggingface-token", "/root/.cache/huggingface/token"),
    identity("vault-token", "/root/.vault-token"),
    identity("vault-secret", "/vault/secrets/db"),
    identity("model-provider-key", "/root/.codex/auth.json"),
    identity("something-new", "/opt/x"),
)


def every_kind() -> tuple[Rotation, ...]:
    """A chain that left its pod, took one of nearly everything, and came with an image and a model."""
    return breach(
        identities=EVERY_KIND,
        exposed=(identity("node", f"every pod on {POD.node}", IdentityState.EXPOSED),),
        artifacts=(
            Artifact("oci", "contoso.azurecr.io/ml/inference:prod", "sha256:" + "5e" * 32),
            Artifact("oci", "registry.example/ml/tuner", "v2"),
            Artifact("model", "acme/intent", ""),
            Artifact("pypi", "left-pad-py", ""),
        ),
        elsewhere=(),
    )


def text_of(steps: Sequence[Rotation]) -> str:
    """Steps as a person would write them down, for review."""
    lines: list[str] = []
    for step in steps:
        lines += [f"{step.order}. {step.what}", f"   {step.why}", *(f"   $ {c}" for c in step.commands), ""]
    return "\n".join(lines)
