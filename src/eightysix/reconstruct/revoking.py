"""Whether what was taken can still be taken back: for each kind of credential what revokes it, what does not, and when the
last token runs out. docs/rotation.md has the same as a table.

A kind is what incidents call it (`detect.wording`), a kind of credential file (`context.credentials`), or a token of its own
that cloud logs tell of. Durations are the longest that the documentation allows, so `until` is the latest time, not
the likely one; where a credential lasts until somebody changes it there is none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from eightysix.model.story import Revocation
from eightysix.model.timestamps import to_ns

__all__ = ["KINDS", "Rule", "revocation"]

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400

_MICROSOFT: Final = "https://learn.microsoft.com/en-us/"
_KUBERNETES: Final = "https://kubernetes.io/docs/"

_MANAGED: Final = f"{_MICROSOFT}entra/identity/managed-identities-azure-resources/managed-identities-faq"
_TOKENS: Final = f"{_MICROSOFT}entra/identity-platform/configurable-token-lifetimes"
_ACCOUNTS: Final = f"{_KUBERNETES}reference/access-authn-authz/service-accounts-admin/"


class Rule(Struct, frozen=True):
    """What is known of one kind. `longest_s` is how long a token lasts at most after it was taken, 0 where it lasts until
    somebody changes it or where nobody says."""

    possible: bool | None
    how: str
    source: str
    longest_s: int = 0


_PROVIDER_KEY: Final = "Delete the key at its provider and make a new one; until then it lasts."

_RULES: Final[dict[str, Rule]] = {
    # --- cloud
    "managed-identity": Rule(
        False,
        "Tokens that were issued cannot be revoked, not by deleting the identity either: Azure RBAC goes on accepting"
        " them. Cut its role assignments: that counts within 10 minutes, but what it has by groups or app roles stays in a"
        " token until it runs out. Key Vault access policies and database users are cut on their own. (AWS: a policy that"
        " denies older sessions revokes them. Google: tokens last an hour.)",
        _MANAGED,
        _DAY,
    ),
    "federated-identity": Rule(
        False,
        "Access tokens that were issued cannot be revoked: cut the role assignments. Removing the federated credential"
        " stops new ones; deleting the pod does not, because Entra never asks the cluster. The projected token lasts 24 h"
        " at most, and what is got for it at its end 28 h more.",
        "https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html",
        _DAY + 28 * _HOUR,
    ),
    "federated-token": Rule(
        False,
        "The cloud checks its signature and never asks the cluster, so it counts until it runs out, 24 h at most, and so"
        " does what was got for it. Remove the trust (Azure: the federated credential; AWS: the role's trust policy, and"
        " revoke its sessions; Google: the workload identity binding) and cut what the identity may do.",
        f"{_MICROSOFT}azure/aks/workload-identity-overview",
        _DAY + 28 * _HOUR,
    ),
    "service-principal": Rule(
        True,
        "Reset the secret: all of them, and look for ones that were added. Access tokens that were got before cannot be"
        " revoked: 90 minutes by default, 24 to 28 h at most. Cut its roles for that time. Disabling it stops new tokens,"
        " and with continuous access evaluation those for Microsoft Graph.",
        _TOKENS,
    ),
    "access-token": Rule(
        False,
        "An access token of Entra cannot be revoked: 60 to 90 minutes by default, 24 h where configured, 28 h where continuous"
        " access evaluation stretches it (then disabling the account ends it). Cut what the identity may do.",
        _TOKENS,
        28 * _HOUR,
    ),
    "azure-cli-cache": Rule(
        True,
        "Revoke the account's sessions (refresh tokens) or reset the service principal's secret. Access tokens that were got"
        " before last 28 h at most.",
        "https://learn.microsoft.com/en-us/graph/api/user-revokesigninsessions",
    ),
    "azure-node-identity": Rule(
        None,
        "The file names the nodes' managed identity, or holds a service principal's secret: that can be reset (az aks"
        " update-credentials), tokens of a managed identity cannot be revoked.",
        f"{_MICROSOFT}azure/aks/update-credentials",
    ),
    "aws-credentials-file": Rule(
        True,
        "Deactivate and delete the access key. Sessions that were made with it last 36 h at most, and what its user may do is"
        " judged at each request: take the user's permissions away for that time, or deny what was issued before now"
        " (aws:TokenIssueTime).",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_disable-perms.html",
    ),
    "gcloud-adc": Rule(
        True,
        "Revoke the account's refresh token or delete the service account's key. Access tokens that were got before last an"
        " hour, a few hours at most.",
        "https://docs.cloud.google.com/docs/authentication/token-types",
    ),
    "oci-cli": Rule(
        True,
        "Delete the API signing key of the user; until then it lasts.",
        "https://docs.oracle.com/en-us/iaas/Content/Identity/access/to_delete_an_API_signing_key.htm",
    ),
    "aliyun-cli": Rule(
        True,
        "Disable and delete the AccessKey pair of the RAM user; until then it lasts.",
        "https://www.alibabacloud.com/help/en/ram/developer-reference/api-ram-2015-05-01-deleteaccesskey",
    ),
    "databricks": Rule(
        True,
        "Revoke the personal access token in the workspace.",
        "https://docs.databricks.com/security/auth/api-access-permissions.html",
    ),
    "rclone": Rule(
        None,
        "It holds logins of any number of cloud stores: change each at its provider.",
        "https://rclone.org/docs/#configuration-encryption",
    ),
    # --- cluster
    "service-account": Rule(
        True,
        "A token that is bound to a pod ends when the pod is gone, one from a Secret with that Secret, any other when the"
        " service account is deleted and made anew. Taking its role bindings away counts at once. A bound token lasts an"
        " hour, or a year where the API server extends it, as it does by default (AKS from 1.30 with an OIDC issuer: an"
        " hour).",
        _ACCOUNTS,
        365 * _DAY,
    ),
    "projected-token": Rule(
        None,
        "It is bound to its pod, but counts at the service that it is for, which may never ask the cluster whether the pod"
        " still lives. Delete the pod, and end the session or the trust at that service.",
        f"{_KUBERNETES}tasks/configure-pod-container/configure-service-account/",
    ),
    "made-pod": Rule(
        True,
        "Delete the pod that was made, after its evidence is taken: the tokens bound to it stop counting when it is gone."
        " Whatever else it could read (secrets, the metadata service) has to be changed as if taken.",
        _ACCOUNTS,
        365 * _DAY,
    ),
    "kubeconfig": Rule(
        None,
        "A client certificate cannot be revoked: take its role bindings away, or rotate the cluster's CA (az aks"
        " rotate-certs). A token in it can be ended where it was issued.",
        f"{_MICROSOFT}azure/aks/certificate-rotation",
    ),
    "cluster-key": Rule(
        True,
        "Only by replacing the key in the whole control plane: until then anybody can sign certificates or tokens with it that"
        " nobody can tell from real ones.",
        f"{_KUBERNETES}tasks/tls/manual-rotation-of-ca-certificates/",
    ),
    "node": Rule(
        None,
        "Tokens bound to the pods of a node stop counting when these pods are deleted. The kubelet's certificate cannot be"
        " revoked: delete the node and its machine. What pods had in secrets, and the node's managed identity, is not ended"
        " by that.",
        f"{_KUBERNETES}reference/access-authn-authz/node/",
    ),
    # --- what a secret holds
    "secret": Rule(
        None,
        "Nobody can say from here: it depends on what the Secret holds. Change that where it was issued; deleting the Secret"
        " revokes nothing but a service account token.",
        f"{_KUBERNETES}concepts/configuration/secret/",
    ),
    "secret-volume": Rule(
        None,
        "It depends on what the Secret holds. Change that where it was issued; deleting the pod or the Secret revokes nothing"
        " but a service account token.",
        f"{_KUBERNETES}concepts/storage/volumes/#secret",
    ),
    "environment": Rule(
        None,
        "It depends on what the variable holds. Change that where it was issued, then restart the pods: an environment is read"
        " once.",
        f"{_KUBERNETES}tasks/inject-data-application/distribute-credentials-secure/",
    ),
    "container-secret": Rule(
        None,
        "It depends on what the file holds. Change that where it was issued.",
        "https://docs.docker.com/build/building/secrets/",
    ),
    "vault-secret": Rule(
        None,
        "A dynamic secret ends with its lease (vault lease revoke); a static one has to be changed.",
        "https://developer.hashicorp.com/vault/docs/concepts/lease",
    ),
    "vault-token": Rule(
        True,
        "vault token revoke, which ends the leases that it made too.",
        "https://developer.hashicorp.com/vault/docs/concepts/tokens",
    ),
    "file": Rule(None, "It depends on what the file holds. Change that where it was issued.", ""),
    # --- delivery
    "acr-refresh-token": Rule(
        False,
        "It cannot be revoked and lasts 3 hours. Cut the registry role of the identity that it was got for.",
        f"{_MICROSOFT}azure/container-registry/container-registry-authentication",
        3 * _HOUR,
    ),
    "acr-access-token": Rule(
        False,
        "It cannot be revoked and lasts 75 minutes, with the rights that it was issued with.",
        "https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md",
        75 * _MINUTE,
    ),
    "docker-config": Rule(
        None,
        "A password or token of a registry: change it there. What a cloud's registry issued for an identity cannot be revoked"
        " and runs out (Azure 3 h, AWS 12 h, Google 1 h).",
        f"{_MICROSOFT}azure/container-registry/container-registry-authentication",
    ),
    "pypirc": Rule(
        True,
        "Delete the token at the index, or change the password.",
        "https://pypi.org/help/#apitoken",
    ),
    "npmrc": Rule(
        True,
        "npm token revoke, or delete it at the registry.",
        "https://docs.npmjs.com/revoking-access-tokens/",
    ),
    "package-registry": Rule(
        None,
        "Delete the token at its registry, or change the password.",
        "https://doc.rust-lang.org/cargo/commands/cargo-logout.html",
    ),
    "git-credentials": Rule(
        True,
        "Delete the token at the git host, or change the password; then look for deploy keys and tokens that were added.",
        "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/token-expiration-and-revocation",
    ),
    "netrc": Rule(
        None,
        "It holds logins of any number of hosts: change each there.",
        "https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html",
    ),
    "ssh-key": Rule(
        True,
        "Take the public key out of every authorized_keys and git host that knows it; a certificate for it goes on until it"
        " runs out or stands in a revocation list (RevokedKeys).",
        "https://man.openbsd.org/sshd_config#RevokedKeys",
    ),
    "huggingface-token": Rule(
        True,
        "Invalidate the token in the account's settings, then look for repositories that it wrote to.",
        "https://huggingface.co/docs/hub/security-tokens",
    ),
    "model-store": Rule(
        None, "Delete the token in the store's account settings, then compare what was uploaded since.", ""
    ),
    "ci-runner": Rule(
        True,
        "Remove the runner's registration and register a clean one. Secrets that its jobs saw have to be changed too.",
        "https://docs.github.com/en/actions/how-tos/manage-runners/self-hosted-runners",
    ),
    "infrastructure-state": Rule(
        True,
        "Delete the token in the account of the tool's service. The state that it reads holds secrets: change those too.",
        "https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens",
    ),
    # --- models
    "model-provider-key": Rule(
        True,
        f"{_PROVIDER_KEY} A login of a command-line tool ends where its sessions are listed in the account.",
        "https://help.openai.com/en/articles/4936850-best-practices-for-api-key-safety",
    ),
}

_SAME: Final = {
    "service-account-token": "service-account",
    "workload-identity": "federated-identity",
    "user-assigned-identity": "managed-identity",
    "system-assigned-identity": "managed-identity",
}
"""Other names for the same."""

_UNKNOWN: Final = Rule(None, "Nobody can say: what kind of credential it is was not told.", "")

KINDS: Final = tuple(sorted({*_RULES, *_SAME}))
"""Every kind that something is known of."""

_BOUND: Final = "service-account"


def revocation(kind: str, *, taken_at: str, bound_pod: str = "", expires_at: str = "") -> Revocation:
    """Whether a credential of `kind` that was taken at `taken_at` (RFC 3339, empty where not known) can be taken back.

    `bound_pod` is the pod that a service account token is bound to; `expires_at` when it runs out, where a record says so.
    """
    rule = _RULES.get(_SAME.get(kind, kind), _UNKNOWN)
    how = rule.how
    if bound_pod and _SAME.get(kind, kind) == _BOUND:
        how = f"Bound to pod {bound_pod}: deleting it, after its evidence is taken, ends the token. {how}"
    return Revocation(rule.possible, how, _until(rule.longest_s, taken_at, expires_at), rule.source)


def _until(longest_s: int, taken_at: str, expires_at: str) -> str:
    """When it runs out: as a record told it, else at the latest. Rounded up to a second."""
    expires = _seconds(expires_at)
    if expires is None:
        taken = _seconds(taken_at)
        expires = taken + longest_s if taken is not None and longest_s else None
    if expires is None:
        return ""
    return datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> int | None:
    """Seconds since 1970 of RFC 3339 text, None where it is none."""
    try:
        return -(-to_ns(text) // 1_000_000_000)
    except ValueError:
        return None
