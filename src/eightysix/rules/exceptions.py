"""Exceptions from `*.exception.yml` files, checked as strictly as rules, and proposals for new ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import yaml

from eightysix.context.destinations import address
from eightysix.context.packages import READERS
from eightysix.detect.exceptions import (
    ANY_RULE,
    Destination,
    ExceptionRule,
    IncidentFacts,
    Place,
)
from eightysix.detect.fieldnames import nearest
from eightysix.model.errors import UsageError
from eightysix.model.event import Artifact
from eightysix.model.words import Verdict
from eightysix.rules.form import Form, is_identifier
from eightysix.rules.yamlfile import Fault, Listing, Node, RuleFileError, read_bytes

__all__ = [
    "EXCEPTION_SUFFIX",
    "MAX_DAYS",
    "exception_files",
    "load_exceptions",
    "parse_exception",
    "propose",
]

EXCEPTION_SUFFIX: Final = ".exception.yml"

MAX_DAYS: Final = 365
"""Longest life of an exception: what nobody looked at for a year is told again."""

_MAX_ITEMS: Final = 64
_REQUIRED: Final = ("name", "rule", "workload", "created", "expires", "reason", "author")
_OPTIONAL: Final = ("artifact", "destination")
_HOST: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_ARTIFACT: Final = _HOST | frozenset("/+~!:")


def load_exceptions(folder: Path, rule_ids: Collection[str] | None = None) -> tuple[ExceptionRule, ...]:
    """The exceptions of a folder (and of the folders in it), by name; raises `RuleFileError` with the faults of all.

    With `rule_ids`, an exception for a rule that is not among them is a fault. Expired ones are loaded too: they do
    not apply, and whoever reads the list should see them.
    """
    exceptions: dict[str, ExceptionRule] = {}
    faults: list[tuple[str, Fault]] = []
    for file in exception_files(folder):
        try:
            exception = parse_exception(read_bytes(file), str(file), rule_ids)
        except RuleFileError as error:
            faults.extend(error.faults)
            continue
        if exception.name in exceptions:
            other = exceptions[exception.name].origin
            faults.append(
                (str(file), Fault(1, 1, f"the name {exception.name!r} is taken by {other}", "rename one"))
            )
        exceptions[exception.name] = exception
    if faults:
        raise RuleFileError(faults)
    return tuple(exceptions[name] for name in sorted(exceptions))


def exception_files(folder: Path) -> list[Path]:
    """The exception files of `folder` and of the folders in it, sorted; names that begin with a dot are left alone."""
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    inner = [file for entry in entries if entry.is_dir() for file in sorted(entry.iterdir())]
    return [file for file in [*entries, *inner] if _is_exception(file)]


def _is_exception(file: Path) -> bool:
    return file.name.endswith(EXCEPTION_SUFFIX) and not file.name.startswith(".") and file.is_file()


def parse_exception(data: bytes, file: str, rule_ids: Collection[str] | None = None) -> ExceptionRule:
    """The exception in `data`; raises `RuleFileError` with all its faults."""
    form = Form(data, file)
    exception = _read(form, rule_ids)
    form.finish()
    if exception is None:
        raise RuleFileError([(file, Fault(1, 1, "no exception"))])
    return exception


def _read(form: Form, rule_ids: Collection[str] | None) -> ExceptionRule | None:
    root = form.table(form.root, "an exception", _REQUIRED, _OPTIONAL)
    if root is None:
        return None
    name = form.name(root.get("name"), "name")
    rule = _rule(form, root.get("rule"), rule_ids)
    workload = _workload(form, root.get("workload"))
    created = form.day(root.get("created"), "created")
    expires = form.day(root.get("expires"), "expires")
    reason = form.text(root.get("reason"), "reason")
    author = form.text(root.get("author"), "author", line=True)
    artifacts = _artifacts(form, root.get("artifact"))
    destinations = _destinations(form, root.get("destination"))
    if root.get("artifact") is None and root.get("destination") is None:
        advice = "name what landed or where it went: an exception never covers a whole workload"
        form.fault(root, "an exception has artifact, destination or both", advice)
    node = root.get("expires") or root
    if created is not None and expires is not None and not 0 < (expires - created).days <= MAX_DAYS:
        form.fault(node, f"expires is 1 to {MAX_DAYS} days after created", "look at it again then")
    if None in (name, rule, workload, created, expires, reason, author):
        return None
    return ExceptionRule(
        name=name or "",
        rule=rule or "",
        workload=workload or "",
        created=created or date.min,
        expires=expires or date.min,
        reason=reason or "",
        author=author or "",
        artifacts=tuple(artifacts),
        destinations=tuple(destinations),
        origin=form.file,
    )


def _rule(form: Form, node: Node | None, rule_ids: Collection[str] | None) -> str | None:
    text = form.name(node, "rule")
    if node is not None and text is not None and rule_ids is not None and text not in (ANY_RULE, *rule_ids):
        guess = nearest(text, [ANY_RULE, *rule_ids])
        form.fault(
            node,
            f"there is no rule {text!r}",
            f"did you mean {guess!r}?" if guess else f"write an id or {ANY_RULE!r}",
        )
    return text


def _workload(form: Form, node: Node | None) -> str | None:
    text = form.text(node, "workload", line=True)
    if node is None or text is None:
        return None
    if not is_workload(text):
        form.fault(node, f"workload cannot be {text!r}", "write it as namespace/workload, without wildcards")
        return None
    return text


def is_workload(text: str) -> bool:
    """Whether `text` is `namespace/workload` in Kubernetes' characters."""
    namespace, slash, workload = text.partition("/")
    valid = all(
        is_identifier(part.replace(".", "-"), underscore=False) or _is_long_name(part)
        for part in (namespace, workload)
    )
    return bool(slash) and valid


def _is_long_name(part: str) -> bool:
    """Names of workloads may have 253 characters (RFC 1123 subdomain)."""
    return (
        64 < len(part) <= 253
        and part[0] not in "-."
        and frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.").issuperset(part)
    )


def _one_or_more(form: Form, node: Node, what: str) -> tuple[Node, ...]:
    return form.items(node, what, _MAX_ITEMS) if isinstance(node, Listing) else (node,)


def _artifacts(form: Form, node: Node | None) -> list[Artifact]:
    found: list[Artifact] = []
    for item in _one_or_more(form, node, "artifact") if node is not None else ():
        text = form.text(item, "artifact", line=True)
        artifact = _parse_artifact(text) if text is not None else None
        if artifact is not None:
            found.append(artifact)
        elif text is not None:
            advice = "write it like pypi:name==1.2.3 or oci:registry/name@sha256:..., without ranges"
            form.fault(item, f"artifact cannot be {text!r}", advice)
    return found


def _parse_artifact(text: str) -> Artifact | None:
    kind, _, rest = text.partition(":")
    scope = "@" if kind == "npm" and rest.startswith("@") else ""
    name, separator, version = rest.removeprefix(scope).rpartition("==" if kind == "pypi" else "@")
    if separator and not (name and version):
        return None
    artifact = Artifact(kind, scope + (name if separator else version), version if separator else "")
    return artifact if _can_write(artifact) else None


def _can_write(artifact: Artifact) -> bool:
    """Whether the artifact can be told apart by its text: only characters of names and versions, none that would move
    a part of the name into the version."""
    if artifact.kind not in READERS or not artifact.name or len(artifact.name) + len(artifact.version) > 512:
        return False
    inner = artifact.name.removeprefix("@") if artifact.kind == "npm" else artifact.name
    parts = frozenset(inner) | frozenset(artifact.version)
    return bool(inner) and _ARTIFACT.issuperset(parts)


def _destinations(form: Form, node: Node | None) -> list[Place]:
    found: list[Place] = []
    for item in _one_or_more(form, node, "destination") if node is not None else ():
        text = form.text(item, "destination", line=True)
        place = _parse_place(text) if text is not None else None
        if place is not None:
            found.append(place)
        elif text is not None:
            form.fault(
                item,
                f"destination cannot be {text!r}",
                "write a host name or address, and :port where it matters",
            )
    return found


def _parse_place(text: str) -> Place | None:
    host, port = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or rest == ":":
            return None
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port:
            return None
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        return None
    return Place(host, int(port or 0)) if _is_host(host) else None


def _is_host(host: str) -> bool:
    if ":" in host:
        return bool(address(host)) and "%" not in host
    return 0 < len(host) <= 253 and _HOST.issuperset(host) and host[0] not in ".-"


def propose(
    facts: IncidentFacts, *, name: str, reason: str, author: str, today: date, days: int = 30, rule: str = ""
) -> str:
    """The text of an exception file that covers the incident `facts` and nothing more; it reads back as it is.

    Raises `UsageError` where no exception may or can cover it: `contain`, an unknown workload, nothing that landed or
    was contacted, or a name that only an attacker would choose. Values are quoted by `yaml.safe_dump`.
    """
    if facts.verdict is Verdict.CONTAIN:
        raise UsageError(
            "no exception can silence 'contain'", "respond to the incident; tune the rule if it is wrong"
        )
    if not is_workload(facts.workload):
        raise UsageError(
            "the workload of the incident is not known", "an exception names namespace and workload"
        )
    if not 1 <= days <= MAX_DAYS:
        raise UsageError(f"an exception lasts 1 to {MAX_DAYS} days", "choose a shorter time")
    if not is_identifier(name):
        raise UsageError(
            f"an exception cannot be called {name!r}", "use small letters, digits, '-' and '_', at most 64"
        )
    if not reason.strip() or not author.strip():
        raise UsageError(
            "an exception names a reason and an author", "say why this is harmless, and who says so"
        )
    artifacts = [_artifact_text(artifact) for artifact in dict.fromkeys(facts.artifacts)]
    destinations = [_place_text(destination) for destination in dict.fromkeys(facts.destinations)]
    if not artifacts and not destinations:
        raise UsageError(
            "nothing landed and nothing was contacted in this incident", "there is nothing to except"
        )
    if max(len(artifacts), len(destinations)) > _MAX_ITEMS:
        raise UsageError(
            f"more than {_MAX_ITEMS} artifacts or destinations", "that is no exception: change the workload"
        )
    fields: dict[str, object] = {"name": name, "rule": rule or facts.rule, "workload": facts.workload}
    if artifacts:
        fields["artifact"] = _one_or_list(artifacts)
    if destinations:
        fields["destination"] = _one_or_list(destinations)
    fields |= {"created": today.isoformat(), "expires": (today + timedelta(days=days)).isoformat()}
    fields |= {"reason": reason.strip(), "author": author.strip()}
    text: str = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=10_000)
    read = parse_exception(text.encode(), "the proposed exception")
    if (read.reason, read.author) != (reason.strip(), author.strip()):
        raise UsageError(
            "the reason or the author has characters that YAML changes", "write it in plain text"
        )
    return text


def _one_or_list(texts: Sequence[str]) -> str | list[str]:
    unique = list(dict.fromkeys(texts))
    return unique[0] if len(unique) == 1 else unique


def _artifact_text(artifact: Artifact) -> str:
    if not _can_write(artifact):
        raise UsageError(
            f"no exception can be written for {str(artifact)[:80]!r}",
            "its name has characters that no such name has",
        )
    return f"{artifact.kind}:{artifact}"


def _place_text(destination: Destination) -> str:
    place = Place(destination.name.removesuffix(".") or destination.ip, destination.port)
    if _parse_place(str(place)) != place or not place.covers(destination):
        raise UsageError(
            f"no exception can be written for {str(place)[:80]!r}", "it is no host name and no address"
        )
    return str(place)
