"""The raw record behind an event, as it may be kept and shown: what is known to be harmless, and fingerprints of the rest.

Which members are repeated is a list of names, and so is how each is read; what has no place in it is left out, names too,
because nobody can tell every secret from a word. A command line shows the words that detection's summary of it shows. What
is not repeated becomes `…` and 32 bits of a keyed hash: the same secret has the same one in all records of a store.
NOTE: 32 bits, so that who has the key cannot read a short secret from it, and can at most test a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import BinaryIO, ClassVar

import msgspec

from eightysix.context.commands import summarise, summarise_joined
from eightysix.context.packages import (
    WITHHELD,
    host_name,
    looks_secret,
    starts_as_token,
    told_path,
    url_host,
    url_scheme,
)
from eightysix.model.incident import Evidence, Problem
from eightysix.sources.decompress import Limits
from eightysix.sources.defender import command_of_line
from eightysix.sources.json_text import read_value
from eightysix.sources.lines import Block
from eightysix.sources.reading import read_inputs
from eightysix.sources.tables.audit_cells import audit_event
from eightysix.sources.tables.told import MAX_DEPTH

__all__ = ["MAX_RECORD", "Redactor", "raw_lines"]

MAX_RECORD = 256 << 10
"""Bytes of a record that is kept; of a larger one only that it was there. Tetragon's are 2 KB, audit events 20 KB."""

_MOST = 256
"""Members and items of one list, and words of one command line, that are looked at."""

_LONGEST = 4096

_Read = Callable[["Redactor", str, Mapping[str, object]], object]

_IDS = (
    # Tetragon (api/v1/tetragon/*.proto), the sensor's record
    "exec_id parent_exec_id id docker uid pod_uid boot_id container_id image time start_time exit_time t_ns image_digest"
    # Falco (falco.org/docs/reference/rules/supported-fields)
    " container.id container.full_id container.image container.image.digest k8s.pod.uid evt.time evt.time.iso8601 evt.datetime"
    # Azure (resource logs, and Azure Monitor's tables), the ledger
    " resourceId _ResourceId correlationId CorrelationId appId AppId oid appid objectId servicePrincipalId"
    " ServicePrincipalId RequesterObjectId RequesterAppId digest"
).split()
_NAMES = (
    "node_name cluster_name namespace name workload workload_kind function_name policy_name action event protocol family"
    " type state daddr saddr addr destination_ip source_ip signal return_action actor api mode module root at_import node"
    " cluster container service_account version sensor kind process_label hostname priority rule source traffic_direction"
    " verdict Verdict namespace_name pod_name IP l4 category operationName resultType resultSignature callerIpAddress"
    " ipAddress accountName loginServer resourceDisplayName statusCode status Type Category TimeGenerated Timestamp"
    " OperationName OperationNameValue CallerIpAddress CallerIPAddress IPAddress Resource ResourceProvider ActivityStatusValue"
    " ResultType ResultSignature StatusCode HttpStatusCode ResourceDisplayName AccountName LoginServer NodeName SourcePodName"
    " SourceNamespace DestinationPodName DestinationNamespace rules_version ActionType KubernetesNamespace KubernetesPodName"
    " container.name container.image.repository container.image.tag k8s.ns.name k8s.pod.name k8s.cluster.name"
    " k8s.deployment.name k8smeta.ns.name k8smeta.pod.name k8smeta.pod.uid k8smeta.deployment.name evt.type evt.res"
    " evt.hostname evt.failed evt.arg.flags evt.is_open_read evt.is_open_write fd.name fd.cip fd.sip fd.lip fd.rip fd.l4proto"
    " fd.type fd.typechar fd.openflags proc.name proc.pname user.uid user.name"
).split()
_PATHS = (
    "binary cwd path exe file file_path mount proc.exe proc.exepath proc.pexepath proc.cwd fs.path.name fs.path.target"
    " evt.arg.path evt.arg.pathname evt.arg.name FolderPath FileName ProcessName"
).split()
_HOSTS = (
    "dst host query names destination_names answer ips addresses DnsQuery DestinationNames fd.sip.name fd.rip.name"
).split()
_URLS = "url requestURI requestUri requestUri_s RequestUri uri Uri".split()
_LINES = "proc.cmdline ProcessCommandLine InitiatingProcessCommandLine CommandLine".split()
_HOLDERS = frozenset(
    "process_exec process_exit process_kprobe process_lsm process_tracepoint process_loader process_connect process_uprobe"
    " process parent pod container image args return sock_arg sockaddr_arg skb_arg file_arg path_arg linux_binprm_arg"
    " int_arg long_arg ns mnt net pid user cgroup uts ipc time_for_children rate_limit_info process_credentials binary_properties"
    " output_fields outputFields chain dists flow source destination dns tcp udp l4 IP endpoints is_reply records"
    " properties identity claims claim requester Claims Identity row"
    .split()
)  # fmt: skip
"""Members that are objects or lists of what is known: what is inside is read by its own name."""


class Redactor:
    """Makes records harmless. `key` is what fingerprints are made with: without it nobody can test a guess."""

    def __init__(self, key: bytes) -> None:
        self._keyed = blake2b(digest_size=4, key=key, person=b"eightysix raw")

    def record(self, text: bytes) -> str:
        """One record as JSON text, without secrets and of bounded size. Never raises."""
        try:
            told = self._value("", read_value(text), {}, 0)
            made = _encode(told).decode()
        except (ValueError, TypeError, RecursionError):
            return _encode(self.print_of(text)).decode()
        return made if len(made) <= MAX_RECORD else _encode(self.print_of(text)).decode()

    def print_of(self, value: object) -> str:
        """The fingerprint of a value."""
        digest = self._keyed.copy()
        if isinstance(value, str):
            digest.update(value.encode("utf-8", "backslashreplace"))
        else:
            digest.update(value if isinstance(value, bytes) else _text_of(value))
        return WITHHELD + digest.hexdigest()

    def _value(self, name: str, value: object, beside: Mapping[str, object], depth: int) -> object:
        if isinstance(value, str):
            read = self.READERS.get(name)
            return read(self, value, beside) if read is not None else self._unknown(value)
        if not isinstance(value, dict | list):
            return value
        if depth >= MAX_DEPTH:
            return self.print_of(value)
        if isinstance(value, list):
            if name == "argv":
                return self._words(value, _summary(beside, [str(one) for one in value[1:]]))
            return [self._value(name, one, beside, depth + 1) for one in value[:_MOST]]
        if "auditID" in value and "stage" in value:
            return {**audit_event(value), WITHHELD: self.print_of(value)}
        return self._object(value, depth)

    def _object(self, value: Mapping[str, object], depth: int) -> dict[str, object]:
        told: dict[str, object] = {}
        left = []
        for number, (name, one) in enumerate(value.items()):
            known = name in self.READERS or (name in _HOLDERS and not isinstance(one, str))
            plain = isinstance(one, bool | int | float) and name in _NUMBERS
            if number < _MOST and (known or plain):
                told[name] = self._value(name, one, value, depth + 1)
            elif one not in (None, "", [], {}):
                left.append((name, one))
        if left:
            told[WITHHELD] = self.print_of(left)
        return told

    def _unknown(self, text: str) -> object:
        """Text without a name that is known: an object as text is read as one."""
        if text[:1] == "{":
            try:
                return _encode(self._value("", _decode(text), {}, 1)).decode()
            except (ValueError, RecursionError):
                pass
        return self.print_of(text) if text else text

    def _id(self, text: str, _: Mapping[str, object]) -> object:
        words = " " in text and not text[0].isdigit()  # a moment may have a blank
        return self.print_of(text) if words or starts_as_token(text) or len(text) > _LONGEST else text

    def _name(self, text: str, _: Mapping[str, object]) -> object:
        if text[:1] == "{":
            return self._unknown(text)
        return self.print_of(text) if looks_secret(text) or len(text) > _LONGEST or " " in text else text

    def _path(self, text: str, _: Mapping[str, object]) -> object:
        told = told_path(text[:_LONGEST])
        return told if told == text else told + self.print_of(text)

    def _host(self, text: str, _: Mapping[str, object]) -> object:
        told = host_name(text)
        return text if told == text.rstrip(".").lower() else self.print_of(text)

    def _url(self, text: str, _: Mapping[str, object]) -> object:
        scheme, host = url_scheme(text), url_host(text[:_LONGEST])
        told = f"{scheme}://{host}/" if scheme and host else ""
        return told if told == text else told + self.print_of(text)

    def _arguments(self, text: str, beside: Mapping[str, object]) -> object:
        return " ".join(self._words(text.split(" "), _summary(beside, text)))

    def _joined(self, text: str, beside: Mapping[str, object]) -> object:
        binary = beside.get("proc.exepath") or beside.get("proc.exe") or beside.get("proc.name")
        summary = summarise_joined(binary if isinstance(binary, str) else "", text).summary
        return " ".join(self._words(text.split(" "), summary))

    def _line(self, text: str, _: Mapping[str, object]) -> object:
        return " ".join(self._words(text.split(" "), command_of_line("", text).summary))

    def _words(self, words: Sequence[object], summary: str) -> list[str]:
        """Words that a summary of their command shows; runs of others have one fingerprint together."""
        shown = frozenset(summary.split(" ")) - {""}
        told: list[str] = []
        hidden: list[str] = []
        for word in [*map(str, words[:_MOST]), *([""] if len(words) > _MOST else [])]:
            if word and word in shown:
                told += [self.print_of(" ".join(hidden))] if hidden else []
                hidden = []
                told.append(word)
            elif word:
                hidden.append(word)
        rest = [*hidden, *map(str, words[_MOST:])]
        return [*told, self.print_of(" ".join(rest))] if rest else told

    READERS: ClassVar[Mapping[str, _Read]] = {
        **dict.fromkeys((*_NAMES, "chain", "argv"), _name),  # `argv` is a list, which is read as a command
        **dict.fromkeys(_IDS, _id),
        **dict.fromkeys(_PATHS, _path),
        **dict.fromkeys(_HOSTS, _host),
        **dict.fromkeys(_URLS, _url),
        **dict.fromkeys(_LINES, _line),
        "arguments": _arguments,
        "proc.args": _joined,
    }
    """How a text is read, by the name of its member: what has no reader is not repeated."""


def _summary(beside: Mapping[str, object], arguments: str | list[str]) -> str:
    binary, cwd = beside.get("binary") or beside.get("exe"), beside.get("cwd")
    found = summarise(
        binary if isinstance(binary, str) else "", arguments, cwd if isinstance(cwd, str) else ""
    )
    return found.summary


def _text_of(value: object) -> bytes:
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError):
        return b"\0"


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(enc_hook=str).encode

_NUMBERS = frozenset(
    "pid tid uid auid gid refcnt dport sport port source_port destination_port int_arg long_arg size_arg inum is_host"
    " in_init_tree maybe_exec_probe permission flags cookie mark type priority v ppid ns_pid host_pid start_ticks"
    " ttl rcode statusCode StatusCode HttpStatusCode errorCode durationMs seq proc.pid proc.ppid proc.vpid thread.tid"
    " user.uid fd.sport fd.rport fd.cport fd.num evt.rawres evt.rawtime evt.num evt.time container.start_ts proc.pid.ts"
    " proc.ppid.ts proc.duration proc.ppid.duration container.duration evt.is_open_read evt.is_open_write"
    " evt.is_open_create scap.n_drops scap.n_drops_prev t_ns age_s record_ok actor_age_s dev ino size mtime_ns at expires"
    " is_reply IsReply number_of_dropped_process_events code".split()
)


def raw_lines(
    paths: Sequence[str],
    wanted: Iterable[Evidence],
    stdin: BinaryIO | None = None,
    on_problem: Callable[[Problem], None] = lambda problem: None,
) -> Iterator[tuple[Evidence, bytes]]:
    """The raw records that evidence points to, as far as `paths` still have them. With whatever is secret in them."""
    by_file: dict[str, dict[int, Evidence]] = {}
    for one in wanted:
        by_file.setdefault(one.file, {})[one.line] = one
    for block in read_inputs(paths, stdin, Limits(), on_problem):
        lines = by_file.get(block.file)
        if lines:
            yield from _of_block(block, lines)


def _of_block(block: Block, wanted: Mapping[int, Evidence]) -> Iterator[tuple[Evidence, bytes]]:
    end = block.first_line + block.data.count(b"\n") + 1
    here = [line for line in wanted if block.first_line <= line < end]
    if here:
        texts = block.data.split(b"\n")
        yield from ((wanted[line], text) for line in sorted(here) if (text := texts[line - block.first_line]))
