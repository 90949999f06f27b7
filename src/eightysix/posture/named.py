"""Credentials by names: variables, Secrets, keys; by types of Secrets; and tokens written into a manifest.

Values are looked at and never kept: what is told of one is where it stands and whose tokens begin so.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.context.publishing import delivery_service
from eightysix.model.posture import Confidence, Credential
from eightysix.model.words import Domain
from eightysix.posture.holder import Holder
from eightysix.posture.names import Named, is_placeholder, of_secret, of_value, of_variable, url_login
from eightysix.posture.objects import Container, EnvVar
from eightysix.posture.tokens import secret_of_account
from eightysix.posture.vertices import secret_id, service_account_id

__all__ = ["is_runner", "read"]

_TYPES = {
    "kubernetes.io/dockerconfigjson": (Domain.DELIVERY, "registry-secret", Confidence.PROVED),
    "kubernetes.io/dockercfg": (Domain.DELIVERY, "registry-secret", Confidence.PROVED),
    "kubernetes.io/ssh-auth": (Domain.DELIVERY, "ssh-secret", Confidence.INFERRED),
    "kubernetes.io/basic-auth": (Domain.DELIVERY, "login-secret", Confidence.ASSUMED),
    "bootstrap.kubernetes.io/token": (Domain.CLUSTER, "bootstrap-token", Confidence.PROVED),
}
"""Types of Secrets (kubernetes.io/docs/concepts/configuration/secret): SSH keys and logins mostly serve git and registries."""

_INDEXES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_INDEX_URL",
)
"""Variables that hold the address of a package index, perhaps with a login in it (pip.pypa.io, docs.astral.sh/uv)."""

_RUNNER_KINDS = frozenset(
    """AutoscalingRunnerSet EphemeralRunnerSet EphemeralRunner RunnerDeployment RunnerReplicaSet RunnerSet Runner TaskRun
    PipelineRun Workflow CronWorkflow""".split()
)
_RUNNER_LABELS = (
    "actions.github.com/scale-set-name",
    "actions-runner",
    "tekton.dev/taskRun",
    "workflows.argoproj.io/workflow",
    "job.runner.gitlab.com/pod",
)
_RUNNER_IMAGES = (
    "actions/actions-runner",
    "summerwind/actions-runner",
    "gitlab/gitlab-runner",
    "gitlab-org/gitlab-runner",
    "buildkite/agent",
    "jenkins/inbound-agent",
)
"""What runs the jobs of a forge: github.com/actions/actions-runner-controller, tekton.dev, argoproj.github.io/workflows,
docs.gitlab.com/runner, buildkite.com/docs, jenkins.io."""

_KSERVE = "serving.kserve.io/inferenceservice"
_KSERVE_SECRET = "serving.kserve.io/"  # noqa: S105 - a prefix of annotations
"""KServe gives the storage initialiser of such a pod the Secrets of its service account that are annotated so, or the one
called `storage-config` (kserve.github.io, storage)."""


def read(holder: Holder) -> Iterator[Credential]:
    """What names, types and values tell."""
    yield from _pulls(holder)
    for path, container in holder.containers():
        for index, variable in enumerate(container.env or ()):
            yield from _variable(holder, f"{path}.env[{index}]", variable)
        yield from _whole_secrets(holder, path, container)
        yield from _words(holder, path, container)
    yield from _secret_volumes(holder)
    yield from _runner(holder)
    yield from _kserve(holder)


def _pulls(holder: Holder) -> Iterator[Credential]:
    """Secrets that the kubelet pulls with. NOTE: they are not mounted; whoever may read Secrets there, or may make pods, has
    them. The account's count only where the pod names none (plugin/pkg/admission/serviceaccount)."""
    named, at, where = holder.spec.image_pull_secrets, f"{holder.at}.imagePullSecrets", ""
    if not named and holder.service_account is not None:
        named, at, where = (
            holder.service_account.image_pull_secrets,
            "imagePullSecrets",
            holder.account_object,
        )
    for index, one in enumerate(named or ()):
        if one.name:
            target = secret_id(holder.namespace, one.name)
            yield holder.credential(
                Domain.DELIVERY,
                one.name,
                "image-pull-secret",
                f"{at}[{index}]",
                Confidence.ASSUMED,
                target,
                where,
            )


def _variable(holder: Holder, path: str, variable: EnvVar) -> Iterator[Credential]:
    """One variable: a reference to a Secret tells by the variable's name first, then the key's, then the Secret's."""
    source = variable.value_from
    if source is not None and source.secret_key_ref is not None:
        reference = source.secret_key_ref
        found = of_variable(variable.name) or of_variable(reference.key)
        by_name = found or (_of_index(variable.name) or of_secret(reference.name))
        confidence = (
            Confidence.INFERRED if found is not None and not reference.optional else Confidence.ASSUMED
        )
        yield from _of_secret(holder, reference.name, f"{path}.valueFrom.secretKeyRef", by_name, confidence)
        return
    if source is not None and source.config_map_key_ref is not None:
        found = of_variable(variable.name)
        if found is not None:
            at = f"{path}.valueFrom.configMapKeyRef"
            yield holder.credential(
                found.domain, variable.name, _signal(found), at, Confidence.ASSUMED, _target(found)
            )
        return
    value = variable.value
    if value is None or is_placeholder(value):
        return
    found = of_variable(variable.name)
    inside = of_value(value)
    if found is not None:
        sure = Confidence.PROVED if inside is not None else Confidence.INFERRED
        yield holder.credential(
            found.domain, variable.name, _signal(found), f"{path}.value", sure, _target(found)
        )
    elif inside is not None:
        yield _written(holder, inside, variable.name, f"{path}.value")
    else:
        host = url_login(value)
        if host and (_of_index(variable.name) is not None or delivery_service(host)):
            at = f"{path}.value"
            yield holder.credential(
                Domain.DELIVERY, variable.name, "login-in-address", at, Confidence.PROVED, f"external:{host}"
            )


def _of_index(name: str) -> Named | None:
    return Named(Domain.DELIVERY, "pypi.org") if name.upper().startswith(_INDEXES) else None


def _signal(found: Named) -> str:
    return "model-provider-key" if found.domain is Domain.LLM else f"{found.domain}-variable"


def _target(found: Named) -> str:
    return f"external:{found.system}" if found.system and found.domain is not Domain.CLUSTER else ""


def _written(holder: Holder, inside: Named, name: str, path: str) -> Credential:
    return holder.credential(
        inside.domain, name, "token-in-manifest", path, Confidence.PROVED, _target(inside)
    )


def _of_secret(
    holder: Holder, name: str, path: str, by_name: Named | None, confidence: Confidence
) -> Iterator[Credential]:
    """What a Secret that a container is given holds: by its type where the snapshot knows it, else by names."""
    if not name:
        return
    account = secret_of_account(holder, name)
    if account is not None:
        target = service_account_id(holder.namespace, account) if account else ""
        yield holder.credential(Domain.CLUSTER, name, "token-secret", path, Confidence.PROVED, target)
        return
    typed = _TYPES.get(holder.secret_type(name) or "")
    if typed is not None:
        domain, signal, sure = typed
        yield holder.credential(domain, name, signal, path, sure, secret_id(holder.namespace, name))
    elif by_name is not None:
        target = _target(by_name) or secret_id(holder.namespace, name)
        yield holder.credential(by_name.domain, name, _signal(by_name), path, confidence, target)


def _whole_secrets(holder: Holder, path: str, container: Container) -> Iterator[Credential]:
    for index, source in enumerate(container.env_from or ()):
        if source.secret_ref is not None:
            name = source.secret_ref.name
            at = f"{path}.envFrom[{index}].secretRef"
            yield from _of_secret(holder, name, at, of_secret(name), Confidence.ASSUMED)


def _words(holder: Holder, path: str, container: Container) -> Iterator[Credential]:
    """Tokens, and logins in addresses, in what a container is started with."""
    for member, words in (("command", container.command), ("args", container.args)):
        for index, word in enumerate(words or ()):
            at = f"{path}.{member}[{index}]"
            inside = of_value(word)
            if inside is not None:
                yield _written(holder, inside, f"{member} of {container.name}", at)
            host = url_login(word)
            if host and delivery_service(host):
                yield holder.credential(
                    Domain.DELIVERY,
                    f"{member} of {container.name}",
                    "login-in-address",
                    at,
                    Confidence.PROVED,
                    f"external:{host}",
                )


def _secret_volumes(holder: Holder) -> Iterator[Credential]:
    for path, volume, _ in holder.volumes():
        if volume.secret is not None:
            name, at = volume.secret.secret_name, f"{path}.secret"
            yield from _of_secret(holder, name, at, of_secret(name), Confidence.ASSUMED)
        for index, source in enumerate(
            (volume.projected.sources or ()) if volume.projected is not None else ()
        ):
            if source.secret is not None:
                name, at = source.secret.name, f"{path}.projected.sources[{index}].secret"
                yield from _of_secret(holder, name, at, of_secret(name), Confidence.ASSUMED)
        reference = volume.csi.node_publish_secret_ref if volume.csi is not None else None
        if reference is not None and reference.name:
            yield holder.credential(
                Domain.CLOUD,
                reference.name,
                "cloud-variable",
                f"{path}.csi.nodePublishSecretRef",
                Confidence.ASSUMED,
                secret_id(holder.namespace, reference.name),
            )


def is_runner(holder: Holder) -> str:
    """The path by which a pod is known to run the jobs of a forge, empty for any other."""
    if holder.template.kind in _RUNNER_KINDS:
        return "kind"
    for label in _RUNNER_LABELS:
        if label in holder.labels:
            return f"{holder.at.removesuffix('spec')}metadata.labels['{label}']"
    for path, container in holder.containers():
        image = container.image.partition("@")[0]
        head, colon, tag = image.rpartition(":")
        repository = head if colon and "/" not in tag else image
        if repository.endswith(_RUNNER_IMAGES):
            return f"{path}.image"
    return ""


def _runner(holder: Holder) -> Iterator[Credential]:
    """A runner is given what its jobs are: a registration, and the secrets of each."""
    path = is_runner(holder)
    if path:
        yield holder.credential(Domain.DELIVERY, "secrets of jobs", "ci-runner", path, Confidence.INFERRED)


def _kserve(holder: Holder) -> Iterator[Credential]:
    account = holder.service_account
    if _KSERVE not in holder.labels or account is None:
        return
    for index, one in enumerate(account.secrets or ()):
        secret = holder.known.snapshot.secrets.get(f"{holder.namespace}/{one.name}")
        marked = secret is not None and any(
            name.startswith(_KSERVE_SECRET) for name in secret.metadata.annotations or ()
        )
        if marked or of_secret(one.name) is not None:
            yield holder.credential(
                Domain.DELIVERY,
                one.name,
                "model-store-secret",
                f"secrets[{index}]",
                Confidence.INFERRED if marked else Confidence.ASSUMED,
                secret_id(holder.namespace, one.name),
                holder.account_object,
            )
