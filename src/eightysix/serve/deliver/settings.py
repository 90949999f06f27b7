"""Where sinks get addresses and secrets from: the environment, or files that others cannot read. Never from argv."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from eightysix.model.errors import UsageError

__all__ = ["MAX_SECRET", "Secret", "read_secret_file", "target_of"]

MAX_SECRET = 65_536
"""Bytes of the largest file that is read as a secret or address; a federated token has about 2,000."""


class Secret:
    """A secret of the operator: a value of the environment, or a file that is read anew each time, as Kubernetes
    replaces mounted secrets in place."""

    def __init__(self, value: str = "", path: str = "") -> None:
        self._value = value
        self._path = path

    def read(self) -> bytes:
        """The secret's bytes without white space at its ends."""
        return read_secret_file(self._path) if self._path else self._value.encode()

    def __repr__(self) -> str:
        return f"Secret({self._path or 'from the environment'})"


def target_of(kind: str, target: str, environment: Mapping[str, str]) -> str:
    """`target`, or what the environment or file holds that it names."""
    how, _, rest = target.partition(":")
    if how == "env":
        if not environment.get(rest):
            raise UsageError(f"{kind}: the environment has no {rest[:80]!r}", "set it to the sink's address")
        return environment[rest].strip()
    if how == "file":
        return read_secret_file(rest).decode("utf-8", "replace")
    return target


def read_secret_file(path: str) -> bytes:
    """The content of `path` without white space at its ends; refused where everybody could read or change it.

    Read by its group is allowed: Kubernetes gives a pod that runs without root its secrets that way (`fsGroup`).
    """
    try:
        with open(path, "rb", opener=_opener) as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_SECRET + 1) if stat.S_ISREG(mode) else None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no valid path"
        raise UsageError(f"the secret file {path} cannot be read: {reason}", "check the path") from error
    if data is None:
        raise UsageError(f"{path} is no file", "name a file that holds the secret and nothing else")
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise UsageError(
            f"the secret file {path} can be read or changed by others (mode {stat.S_IMODE(mode):04o})",
            "chmod 600 it; for a Kubernetes secret set defaultMode: 0400, or 0440 with fsGroup",
        )
    if len(data) > MAX_SECRET or not data.strip():
        raise UsageError(
            f"the secret file {path} is empty or larger than {MAX_SECRET} bytes", "check the path"
        )
    return data.strip()


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not block the start
