"""Which files are told: the selectors of `deploy/tetragon/files.yaml` and `host.yaml`, so that a run holds what a node with
these policies exports. `tests/lab/kernel/test_policy.py` compares the two.
"""

from __future__ import annotations

__all__ = [
    "CONNECTIONS",
    "CREDENTIAL_ENDS",
    "FILES",
    "HOST",
    "KUBELET",
    "MOUNTED",
    "PROGRAM_FOLDERS",
    "Limiter",
    "names_to_watch",
    "policy_of",
]

CONNECTIONS, FILES, HOST = "eightysix-connections", "eightysix-files", "eightysix-host"
"""Names of the policies, as records tell them."""

MOUNTED = ("/run/secrets/", "/var/run/secrets/", "/vault/secrets/")
CREDENTIAL_ENDS = (
    "/.aws/credentials",
    "/.azure/msal_token_cache.json",
    "/.azure/msal_token_cache.bin",
    "/.config/gcloud/application_default_credentials.json",
    "/.config/gcloud/credentials.db",
    "/.docker/config.json",
    "/.kube/config",
    "/.git-credentials",
    "/.config/gh/hosts.yml",
    "/.netrc",
    "/.npmrc",
    "/.pypirc",
    "/.ssh/id_rsa",
    "/.ssh/id_ecdsa",
    "/.ssh/id_ed25519",
    "/.vault-token",
    "/huggingface/token",
    "/huggingface/stored_tokens",
    "/etc/kubernetes/azure.json",
    "/token",
    "/environ",
    "/mem",
)
STARTUP_ENDS = (".pth", "/sitecustomize.py", "/usercustomize.py", ".dist-info/METADATA", ".egg-info/PKG-INFO")
MODEL_ENDS = (".pkl", ".pt", ".ckpt", ".bin", ".joblib", ".dill", ".keras", ".h5")
PROGRAM_FOLDERS = (
    "/tmp/",  # noqa: S108 - compared, never opened
    "/var/tmp/",  # noqa: S108
    "/dev/shm/",  # noqa: S108
    "/run/shm/",
    "/bin/",
    "/usr/bin/",
    "/usr/local/bin/",
    "/opt/venv/bin/",
    "/opt/conda/bin/",
    "/venv/bin/",
    "/app/.venv/bin/",
    "/root/.cache/huggingface/modules/",
)
KUBELET = (
    "/var/lib/kubelet/pods/",
    "/var/lib/kubelet/pki/",
    "/host/var/lib/kubelet/",
    "/hostfs/var/lib/kubelet/",
    "/rootfs/var/lib/kubelet/",
    "/mnt/var/lib/kubelet/",
    "/mnt/host/var/lib/kubelet/",
    "/node/var/lib/kubelet/",
)

_MINUTE_NS = 60_000_000_000
_MOST = 16_384
"""Limits that are remembered before starting over: a record too many then, no memory."""


def names_to_watch() -> list[str]:
    """Last names of paths that are worth a record when a file is only read; folders below which everything is are known to
    the kernel's part itself (`secrets`, `kubelet`)."""
    return sorted({end.rpartition("/")[2] for end in CREDENTIAL_ENDS})


def policy_of(path: str, *, writes: bool) -> tuple[str, bool]:
    """The policy that tells a read or write of `path` (empty: none does), and whether it is told once a minute only."""
    if path.startswith(KUBELET):
        return HOST, False
    if path.startswith((*MOUNTED, "...")) or path.endswith(CREDENTIAL_ENDS):
        return FILES, False
    if not writes:
        return "", False
    if path.endswith(STARTUP_ENDS):
        return FILES, False
    return (FILES, True) if path.endswith(MODEL_ENDS) or path.startswith(PROGRAM_FOLDERS) else ("", False)


class Limiter:
    """`rateLimit: 1m` of the policies: one record a minute for a thread and a file."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, str], int] = {}

    def allows(self, tid: int, path: str, at: int) -> bool:
        """Whether this is the first in a minute."""
        last = self._last.get((tid, path))
        if last is not None and 0 <= at - last < _MINUTE_NS:
            return False
        if len(self._last) >= _MOST:
            self._last.clear()
        self._last[tid, path] = at
        return True
