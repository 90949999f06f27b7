"""What `az` answers about the cloud beside a cluster, asked by running it: lists alone, with the rights of whoever is signed in.

Every word of a command is written here, but for names that `az` told itself and a subscription that the operator named;
these go in as `--option=value`, so none can be an option. Nothing is asked on a terminal, no extension is installed by the
way. Each command has a deadline and a bound of what it may write, and ends with all that it started. What fails is a gap.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, cast

import msgspec
from msgspec import Struct

from eightysix.context.shell import line
from eightysix.posture.reading import SnapshotBuilder

__all__ = ["COMMANDS", "AzLimits", "az_path", "collect_azure", "commands"]

COMMANDS = {
    "cluster": ("aks", "list"),
    "scale set": ("vmss", "list"),
    "identity": ("identity", "list"),
    "role assignment": ("role", "assignment", "list", "--all"),
    "registry": ("acr", "list"),
}
"""What is asked once (learn.microsoft.com/cli/azure): settings of clusters, machines of node pools, identities, who may do what,
registries. Trusts are asked for each identity."""

_TRUSTS = ("identity", "federated-credential", "list")
_LONGEST_NAME = 256
_TOLD = 4_096
_CHUNK = 1 << 16
_MEANS = "what it would tell of the cloud is missing"


class AzLimits(Struct, frozen=True, kw_only=True):
    """Bounds. `deadline_s` is one command's; `az` takes seconds to start, and a large tenant's role assignments minutes.
    `bytes_` of one answer: 100,000 role assignments are 80 MB. `identities` that are asked for their trusts, one after the
    other, and `total_s` for all of it."""

    deadline_s: float = 180.0
    bytes_: int = 256 << 20
    identities: int = 500
    total_s: float = 1_800.0


class _Identity(Struct, rename={"group": "resourceGroup"}):
    name: str = ""
    group: str = ""


class _Failed(Exception):  # noqa: N818 - a command that ends without an answer
    pass


def az_path(environ: dict[str, str] | None = None) -> str:
    """Where `az` is, empty where it is not: `EIGHTYSIX_AZ`, or on the search path."""
    named = (environ if environ is not None else dict(os.environ)).get("EIGHTYSIX_AZ", "")
    return shutil.which(named or "az") or ""


def commands(subscription: str = "") -> list[str]:
    """What to run where `az` is, for people; the answers go to `--cloud`."""
    told = [line("az", *_words(words, subscription)) for words in COMMANDS.values()]
    trust = _words(_TRUSTS, subscription, ("--identity-name=NAME", "--resource-group=GROUP"))
    return [*told, line("az", *trust)]


def collect_azure(
    builder: SnapshotBuilder,
    az: str,
    *,
    subscription: str = "",
    limits: AzLimits | None = None,
) -> int:
    """Ask `az` for everything into `builder`; the number of answers. What it refuses is a gap."""
    bounds = limits or AzLimits()
    end = time.monotonic() + bounds.total_s
    answers = 0
    identities: list[_Identity] = []
    for name, words in COMMANDS.items():
        data = _answer(builder, az, _words(words, subscription), bounds, end)
        if data is not None and _take(builder, name, words, data):
            answers += 1
            if name == "identity":
                identities = list(_identities(data))
    if "identity" in builder.cloud_kinds() and not identities:
        builder.cloud_given("federated credential")
    for identity in identities[: bounds.identities]:
        more = (f"--identity-name={identity.name}", f"--resource-group={identity.group}")
        data = _answer(builder, az, _words(_TRUSTS, subscription, more), bounds, end)
        if data is not None and _take(builder, "federated credential", _TRUSTS, data):
            answers += 1
    if len(identities) > bounds.identities:
        left = len(identities) - bounds.identities
        builder.gap(
            f"federated credentials of {left} more identities",
            "accounts that they trust without an annotation are missing",
            line("az", *_words(_TRUSTS, subscription, ("--identity-name=NAME", "--resource-group=GROUP"))),
        )
    return answers


def _words(words: Sequence[str], subscription: str, more: Sequence[str] = ()) -> list[str]:
    where = [f"--subscription={subscription}"] if subscription else []
    return [*words, *more, *where, "--output=json", "--only-show-errors"]


def _answer(
    builder: SnapshotBuilder, az: str, words: Sequence[str], bounds: AzLimits, end: float
) -> bytes | None:
    command = line("az", *words)
    left = end - time.monotonic()
    try:
        if left <= 0:
            raise _Failed(f"there was no time left for it in {bounds.total_s:.0f} s")
        return _run([az, *words], min(bounds.deadline_s, left), bounds.bytes_)
    except _Failed as failed:
        builder.gap(f"{command}: {failed}", _MEANS, command)
    return None


def _take(builder: SnapshotBuilder, name: str, words: Sequence[str], data: bytes) -> bool:
    """Take one answer, which is JSON over many lines, as one record a member."""
    try:
        members = msgspec.json.decode(data or b"[]", type=list[msgspec.Raw])
        compact = [msgspec.json.format(bytes(member), indent=-1) for member in members]
    except (ValueError, RecursionError):
        command = line("az", *words)
        builder.gap(f"{command}: its answer is no list of JSON", _MEANS, command)
        return False
    builder.cloud_given(name)
    for number, member in enumerate(compact, 1):
        builder.take(member, f"az {' '.join(words)}", number)
    return True


def _identities(data: bytes) -> Iterator[_Identity]:
    """Identities whose names can stand in a command."""
    with suppress(ValueError, RecursionError):
        for one in msgspec.json.decode(data, type=list[_Identity]):
            if all(_is_name(text) for text in (one.name, one.group)):
                yield one


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable() and not text.startswith("-")


def _run(words: list[str], deadline_s: float, most: int) -> bytes:
    """What a command writes, once it ended well. Raises `_Failed`."""
    environ = {**os.environ, "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no", "AZURE_CORE_NO_COLOR": "true",
               "AZURE_CORE_COLLECT_TELEMETRY": "no"}  # fmt: skip
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        raise _Failed(error.strerror or type(error).__name__) from None
    try:
        return _read(process, time.monotonic() + deadline_s, deadline_s, most)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _read(process: subprocess.Popen[bytes], end: float, deadline_s: float, most: int) -> bytes:
    parts: list[bytes] = []
    size, said = 0, b""
    output, errors = cast("IO[bytes]", process.stdout), cast("IO[bytes]", process.stderr)
    with selectors.DefaultSelector() as waiting:
        waiting.register(output, selectors.EVENT_READ)
        waiting.register(errors, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(end - time.monotonic(), 0))
            if not ready:
                raise _Failed(f"no whole answer in {deadline_s:.0f} s")
            for key, _ in ready:
                data = os.read(key.fd, _CHUNK)
                if not data:
                    waiting.unregister(key.fileobj)
                elif key.fileobj is errors:
                    said = (said + data)[:_TOLD]
                else:
                    size += len(data)
                    if size > most:
                        raise _Failed(f"its answer is larger than {most} bytes")
                    parts.append(data)
    try:
        code = process.wait(max(end - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        raise _Failed(f"it did not end in {deadline_s:.0f} s") from None
    if code:
        raise _Failed(_why(code, said))
    return b"".join(parts)


def _why(code: int, said: bytes) -> str:
    """The first line that it wrote about its failure, cut short: it is shown to people as data."""
    text = said.decode("utf-8", "replace").strip()
    first = text.splitlines()[0][:200] if text else ""
    return f"it ended with {code}: {first}" if first else f"it ended with {code}"
