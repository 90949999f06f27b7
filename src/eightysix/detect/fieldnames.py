"""The names that a rule's `detection` may use, and what each may hold: one list for compiler, docs and engine.

`FIELDS.md` beside this file is generated from `FIELDS` (`python -m tools.rule_pages`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from msgspec import Struct

from eightysix.context.packages import READERS
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source

__all__ = ["ACTIONS", "FIELDS", "FIELD_BY_NAME", "Field", "FieldType", "nearest"]


class FieldType(StrEnum):
    """What a fact holds where the record tells it; `texts` holds several and matches when one of them does."""

    TEXT = "text"
    TEXTS = "texts"
    ADDRESS = "address"
    NUMBER = "number"
    BOOL = "bool"


class Field(Struct, frozen=True):
    """One name. `about` says what it holds in a line; `values` closes the set of texts (each with its meaning, which
    may be empty), and then facts hold exactly these spellings: rules are checked against them when they are loaded.
    """

    name: str
    about: str
    type: FieldType = FieldType.TEXT
    values: tuple[tuple[str, str], ...] = ()


def _plain(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), "") for name in names)


_ACTION_VALUES: Final = (
    ("install", "a package is installed"),
    ("download", "a model or file is fetched"),
    ("startup-file", "a `.pth` or sitecustomize is written"),
    ("new-digest", "first start of a digest that the baseline has not"),
    ("held-digest", "start of a digest that the gate of registries held, or would have held"),
    (
        "moved-digest",
        "start of a digest that a tag was moved to, where the gate found something about that move",
    ),
    ("landed-run", "code that landed runs"),
    ("interpreter", "a Python interpreter starts"),
    ("credential", "a credential is taken or asked for"),
    ("environment", "a process's environment or memory is read"),
    ("api", "a request to the Kubernetes API, from audit"),
    ("api-connect", "a connection to the Kubernetes API"),
    ("connect", "any other connection"),
    ("exec", "any other program start"),
    ("import", "a module is imported"),
    ("pickle", "unpickling looked up a global"),
    ("load-file", "a file is opened to be loaded, by the sensor"),
    ("revive", "a serialized object of LangChain was revived"),
    ("publish", "a program starts that publishes a package, image, model or commit"),
    ("write", "a file is written where programs are kept"),
    ("host-entry", "a process enters the node's namespaces or file system"),
    ("cloud", "a principal of the cloud is seen by one of its services"),
    ("made-pod", "after something landed, the pod's identity makes a pod or a workload"),
    ("made-credential", "a pod made that way takes a credential"),
    ("made-host-entry", "a pod made that way enters the node"),
    ("made-contact", "a pod made that way connects to a public address"),
    ("made-api", "a pod made that way uses the Kubernetes API"),
)

ACTIONS: Final = frozenset(value for value, _ in _ACTION_VALUES)
"""Every value that the field `action` can have."""

_LINEAGE: Final = (
    *_plain("installer"),
    ("landed-file", "a program or script that was written in this pod, or lies where only such lie"),
    ("landed-package", "a program or script of a package that was installed in this pod"),
    ("fresh-code", "a process that code of a fresh package started, by the sensor's word"),
    ("inline-code", "an interpreter that a program started on code without a file"),
    *_plain("startup-hook", "common-startup-hook", "exec-session", "exec-probe", "entrypoint"),
    ("load", "a process that a model's load or a revival started, by the sensor's word"),
    ("terminal", "a shell that reads its commands, as a terminal's does"),
)
_CLASSES: Final = _plain(
    "metadata", "wire-server", "api-server", "index", "loopback", "link-local", "cluster", "public", "unknown"
)

_SCANS: Final = (
    *_plain("clean", "malformed", "unscannable", "suspicious", "malicious"),
    ("unscanned", "the ledger knows the host, and no verdict about this file that still counts"),
)

_SEEN: Final = (("new", "from others only"), ("first", "not used before"), ("repeat", ""), ("unknown", ""))

FIELDS: Final[tuple[Field, ...]] = (
    Field("action", "what the event means", values=_ACTION_VALUES),
    Field("source", "as in the event", values=_plain(*Source)),
    Field("origin", "as in the event: who could have written it", values=_plain(*Origin)),
    Field("grade", "as in the event: how surely it belongs to this pod", values=_plain(*Grade)),
    Field("kind", "as in the event", values=_plain(*Kind)),
    Field("binary", "path of the program that acts"),
    Field("binary.name", "its last path component"),
    Field("parent.name", "last path component of the parent's program"),
    Field("command", "the harmless summary of the command line"),
    Field("uid", "user id of the process", FieldType.NUMBER),
    Field("artifact.kind", "what landed, by its package URL type", FieldType.TEXTS, _plain(*sorted(READERS))),
    Field("artifact.name", "the name of what landed", FieldType.TEXTS),
    Field("file.path", "path of the file that was touched"),
    Field("file.access", "how", values=_plain(*Access)),
    Field("file.common", "true for a startup hook with a name that common tools use", FieldType.BOOL),
    Field(
        "file.pod",
        "of a file in the kubelet's folder on the node: whose volume it lies in",
        values=_plain("own", "other", "unknown"),
    ),
    Field("dst.ip", "destination address", FieldType.ADDRESS),
    Field("dst.port", "destination port", FieldType.NUMBER),
    Field("dst.name", "destination host name, where a source tells it"),
    Field("dst.class", "what stands at the destination", values=_CLASSES),
    Field(
        "dst.service",
        "what is published at the destination, by its name",
        values=(
            ("upload", "only uploads go there"),
            ("package-index", ""),
            ("registry", ""),
            ("repository", ""),
            ("model-hub", ""),
            ("oidc", "hands a CI job a token to publish with"),
        ),
    ),
    Field("url.path", "path without query, from the sensor"),
    Field("domain", "domain of the credential", values=_plain(*Domain)),
    Field("credential.kind", "kind of the credential: `metadata`, or what kind of file it lies in"),
    Field(
        "domain.order",
        "1 for the first domain that this process (or its parent taker) takes after T0, 2 for another one",
        FieldType.NUMBER,
    ),
    Field(
        "domains.taken",
        "how many credential domains the taker had by then, counted from T0",
        FieldType.NUMBER,
    ),
    Field(
        "domains.new",
        "how many of the domains that the taker took after T0 it had never taken before",
        FieldType.NUMBER,
    ),
    Field("outcome", "whether it was allowed", values=_plain(*Outcome)),
    Field("k8s.verb", "verb of the audit event"),
    Field("k8s.resource", "resource of the audit event"),
    Field("k8s.subresource", "subresource of the audit event"),
    Field("k8s.namespace", "namespace of the object"),
    Field("k8s.name", "name of the object"),
    Field("k8s.identity", "user name of the caller"),
    Field("k8s.impersonated", "user name that the caller impersonates"),
    Field("k8s.user_agent", "user agent of the caller"),
    Field("k8s.own_namespace", "true when the object is in the pod's own namespace", FieldType.BOOL),
    Field(
        "k8s.host",
        "what of the node a made pod asks for, where the audit log has its body",
        FieldType.TEXTS,
        _plain("host-ipc", "host-network", "host-path", "host-pid", "privileged"),
    ),
    Field(
        "caller.place",
        "where a request to the API or the cloud came from",
        values=(
            ("pod", "an address of the pod"),
            ("node", "of its node"),
            (
                "egress",
                "in a range that `--egress` declares, or a public address that nodes of the cluster leave by",
            ),
            ("outside", "in none of these"),
            ("elsewhere", "no range is declared, and it is neither the pod's nor its node's"),
            ("unknown", ""),
        ),
    ),
    Field("caller.address", "whether the identity was used from this address before", values=_SEEN),
    Field("caller.agent", "whether it was used with this client product before", values=_SEEN),
    Field(
        "cloud.service",
        "kind of cloud log",
        values=_plain("activity", "key-vault", "registry", "sign-in", "storage"),
    ),
    Field("cloud.operation", "operation that the cloud log names"),
    Field("lineage", "what the process descends from", FieldType.TEXTS, _LINEAGE),
    Field(
        "provenance.root",
        "the outermost code of the call",
        values=(
            ("app", ""),
            ("fresh", "a distribution that landed after the container started, or a script that did"),
            ("package", ""),
            ("unknown", ""),
        ),
    ),
    Field(
        "provenance.at_import",
        "what was being imported",
        values=_plain("fresh", "package", "pth", "fresh-pth", "none", "unknown"),
    ),
    Field(
        "provenance.fresh",
        "true when any distribution in the chain landed after the container started",
        FieldType.BOOL,
    ),
    Field(
        "provenance.hook",
        "whether the workload had this startup hook before, against the baseline",
        values=_plain("new", "known", "unknown"),
    ),
    Field(
        "load",
        "whether the code acts inside of a load, by the sensor's call chain",
        values=(
            ("unpickle", "while a pickle is read"),
            ("remote-code", "code that came with a model"),
            ("revive", "while an object of LangChain is revived"),
            ("fetch", "the loader's own storage client"),
            ("none", ""),
            ("unknown", ""),
        ),
    ),
    Field("artifact.scan", "of a file that is loaded: what the scan ledger of its host says", values=_SCANS),
    Field(
        "loaded.scan",
        "what the scan ledger says of the files that this process, or one that it descends from, had loaded by then",
        FieldType.TEXTS,
        _SCANS,
    ),
    Field("pickle.runs_code", "true for a global that runs what the pickle says", FieldType.BOOL),
    Field(
        "revived",
        "what was revived",
        values=(
            ("state", "messages, documents, prompts: what an agent remembers"),
            (
                "service-key",
                "the key of a model provider or another service of an agent, from the environment",
            ),
            ("secret", "another variable of the environment"),
            ("object", "any other class"),
        ),
    ),
    Field(
        "twin",
        "of a metadata call that the kernel saw: whether the sensor in that process told of it",
        values=(
            ("seen", ""),
            ("missing", "it had spoken before, and not of this"),
            ("unknown", "it was never heard from this process"),
        ),
    ),
    Field(
        "novelty.process",
        "whether this process did this before T0",
        values=(
            ("new", "it was running before T0 and never did this before it"),
            ("first", "it started after T0"),
            ("repeat", ""),
            ("unknown", ""),
        ),
    ),
    Field(
        "novelty.container",
        "whether anybody in the container did this before T0",
        values=_plain("new", "repeat"),
    ),
    Field("novelty.workload", "against the baseline", values=_plain("new", "known", "unknown")),
    Field(
        "novelty.publishing",
        "of what publishing needs: whether the workload ever published, or took this kind of credential",
        values=_plain("new", "known", "unknown"),
    ),
    Field("container.age_s", "age of the container at the event, in seconds", FieldType.NUMBER),
    Field("startup", "true when the container was younger than the start-up window", FieldType.BOOL),
    Field("namespace", "namespace of the pod"),
    Field("pod", "name of the pod"),
    Field("workload", "name of the workload"),
    Field("image", "image of the container, as its spec names it"),
    Field("image_digest", "digest of that image"),
    Field(
        "gate.ruling",
        "what the gate of registries decided about the digest that starts",
        values=(
            ("hold", ""),
            ("would-hold", "in audit mode"),
            ("allow", ""),
            ("none", "it told of a move only"),
        ),
    ),
    Field(
        "image.gate",
        "what the gate of registries decided about the digest that the pod runs",
        values=(
            ("hold", ""),
            ("would-hold", "in audit mode"),
            ("allow", ""),
            ("none", "it told of a move only"),
            ("unknown", ""),
        ),
    ),
    Field("gate.rule", "the gate's rules that hold, or that tell of the move", FieldType.TEXTS),
    Field(
        "gate.move",
        "how the tag was moved to the digest that starts",
        values=(("ordinary", "as for any release"), ("odd", "the gate found more than that it moved")),
    ),
    Field("gate.signed", "best state of its signatures, where somebody looked"),
    Field(
        "gate.join",
        "by what the digest that starts was found",
        values=(
            ("digest", ""),
            ("tag", "the gate does not know the digest, and its tag stood for another one"),
        ),
    ),
)
"""Every field, in the order of `FIELDS.md`. A fact that the record does not tell is absent, None or empty text;
a number that is not told is absent or None, never 0 or -1."""

FIELD_BY_NAME: Final[Mapping[str, Field]] = {field.name: field for field in FIELDS}

_NEAREST_LENGTH: Final = 64
"""Longest word that is compared with the valid ones: the comparison is quadratic, and no valid word is longer."""


def nearest(word: str, valid: Collection[str]) -> str:
    """The word of `valid` that was probably meant by `word`; empty where none is near."""
    if len(word) > _NEAREST_LENGTH:
        return ""
    found = get_close_matches(word.lower(), sorted(valid), n=1, cutoff=0.6)
    return found[0] if found else ""
