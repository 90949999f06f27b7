"""Command lines of what to do: built of words, so that no name from telemetry is more than a name.

Values of `az` are only told when they are well-formed (an id, a registry's name): `az` reads a file for a value that begins
with `@`, and its queries are a language. Where telemetry does not say, a placeholder stands: `<...>`, in quotes, so
that a line that is run as it is fails and does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from eightysix.context import shell
from eightysix.context.shell import line

__all__ = [
    "FILL_IN",
    "Remedy",
    "az",
    "is_guid",
    "is_name",
    "kubectl",
    "named",
    "option",
    "other_pod",
    "piped",
    "place",
    "pod_holds",
    "redirected",
    "some",
    "split_account",
]

_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")
_HEX: Final = frozenset("0123456789abcdef")

FILL_IN: Final = " Fill in <...>: no record tells it."

MAX_IN_FILE: Final = 80
"""Characters of a name in a file's name, of which 255 are allowed (NAME_MAX of Linux)."""

MAX_TOLD: Final = 5
"""Names that one sentence tells before it counts the rest."""


class Remedy(Struct, frozen=True):
    """One thing to do, before it has a place in the order. `what` and `why` stay within 480 columns with usual names, because
    a terminal leaves the middle of longer text out (`report.inert`)."""

    what: str
    why: str
    commands: tuple[str, ...] = ()
    for_entity: str = ""


def option(name: str, value: str) -> str:
    """An option with its value in one word, so that no value is taken for an option."""
    return shell.option(f"--{name}", value)


def place(what: str) -> str:
    """A placeholder for what the telemetry does not say."""
    return f"<{what}>"


def kubectl(verb: str, *words: str, namespace: str = "", context: str = "") -> str:
    """A line of kubectl. Every name among `words` must stand behind `kind/` or in an option."""
    where = [option("context", context)] if context else []
    where += [option("namespace", namespace)] if namespace else []
    return line("kubectl", *verb.split(" "), *where, *words)


def az(command: str, *words: str) -> str:
    """A line of the Azure CLI."""
    return line("az", *command.split(" "), *words)


def piped(*lines: str) -> str:
    """Lines of which each reads what the one before wrote; empty where one of them cannot be written."""
    return " | ".join(lines) if all(lines) else ""


def redirected(command: str, what: str, suffix: str, *names: str) -> str:
    """A line whose output goes to a file of its own in the working folder. Only well-formed names get into the file's."""
    told = [name[:MAX_IN_FILE] for name in names if is_name(name)]
    return f"{command} > {line('-'.join((what, *told)) + suffix)}" if command else ""


def named(kind: str, name: str) -> str:
    """`kind/name`, as kubectl takes it."""
    return f"{kind}/{name or place(f'name of the {kind}')}"


def pod_holds(whose: str) -> str:
    """A line that tells which service account and which Secrets a pod has; `whose` is its `namespace/name`, or its uid."""
    columns = (
        "ACCOUNT:.spec.serviceAccountName,NODE:.spec.nodeName,SECRETS:.spec.volumes[*].secret.secretName"
    )
    namespace, slash, name = whose.partition("/")
    if slash:
        return kubectl(
            "get", named("pod", name), option("output", f"custom-columns={columns}"), namespace=namespace
        )
    columns = f"UID:.metadata.uid,NAMESPACE:.metadata.namespace,NAME:.metadata.name,{columns}"
    every = kubectl("get pods", "--all-namespaces", option("output", f"custom-columns={columns}"))
    return piped(every, line("grep", "-F", "-e", whose))


def other_pod(name: str) -> str:
    """Whose credential an identity is that was read from the kubelet's folder (`detect.blast`: `of pod NAME (UID), volume
    VOLUME`): `namespace/name`, or the uid; empty where it is no such."""
    if not name.startswith(_OF_POD):
        return ""
    return name.removeprefix(_OF_POD).partition(", volume ")[0].partition(" (")[0]


_OF_POD: Final = "of pod "


def is_name(text: str) -> bool:
    """Whether `text` is a name of Kubernetes (RFC 1123 subdomain)."""
    return 0 < len(text) <= 253 and _NAME.issuperset(text) and text[0].isalnum() and text[-1].isalnum()


def split_account(text: str) -> tuple[str, str]:
    """`namespace/name` of a service account as two names; both are empty where it is none."""
    namespace, _, name = text.partition("/")
    return (namespace, name) if is_name(namespace) and is_name(name) else ("", "")


def is_guid(text: str) -> bool:
    """Whether `text` is an id as Entra writes it."""
    parts = text.lower().split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and _HEX.issuperset("".join(parts))


def some(names: Iterable[str]) -> str:
    """Names for a sentence: the first few, and how many more."""
    told = list(names)
    more = f" and {len(told) - MAX_TOLD} more" if len(told) > MAX_TOLD else ""
    return ", ".join(told[:MAX_TOLD]) + more
