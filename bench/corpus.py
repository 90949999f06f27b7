"""A corpus for benchmarks: one hour of a cluster's Tetragon export with planted chains, and the truth about them.

    python -m bench.corpus PATH [--records 200000] [--seed 86] [--flat]

Records have the shapes of Tetragon 1.x (see `lab/generate/tetragon.py`) and about 2 KB each; 3 % are of interest: installs,
metadata connections, token reads, start-up files. The truth is written beside PATH, as `PATH.truth.json`. `--flat` writes the
same hour as flat events of about 230 bytes instead, for engines that cannot read nested records. Same seed, same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import merge
from pathlib import Path
from random import Random
from typing import NamedTuple

__all__ = ["BASE_S", "HOUR_US", "Truth", "write_corpus", "write_flat"]

BASE_S = 1_795_510_800
"""2026-11-24T09:00:00Z, where the hour begins."""

HOUR_US = 3_600_000_000

Truth = dict[str, object]

_BOOT_S = 41 * 86_400
_PODS = 2_000
_PODS_A_NODE = 30
_FULL_SIZE = 200_000
_CHAINS = 50
_LOOK_ALIKES = {
    "install": 120,
    "install-one-domain": 130,
    "start-up": 100,
    "two-domains": 100,
    "debugging": 50,
}
_OF_INTEREST = 0.03
_CHUNK = 4_096

_SITE = "/opt/venv/lib/python3.11/site-packages"
_TOKEN = "/run/secrets/kubernetes.io/serviceaccount/..2026_11_24_06_41_09.2958612345/token"  # noqa: S105 - a path
_METADATA = ("169.254.169.254", 80)
_API = ("10.0.0.1", 443)
_INDEX = ("203.0.113.30", 443)
_STORAGE = ("203.0.113.21", 443)
_USUAL = (("10.0.143.7", 6379), ("10.0.88.12", 4317), ("10.0.51.200", 8080), _STORAGE)
_CHILDREN = (
    ("/usr/bin/nvidia-smi", "--query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits"),
    ("/usr/bin/date", "+%s"),
    ("/bin/sh", '-c "test -f /tmp/ready"'),
    ("/usr/bin/ps", "-eo pid,rss,comm"),
    ("/opt/venv/bin/python", "-S /app/health.py --timeout 2"),
    ("/usr/bin/uname", "-p"),
)
_FILES = (
    "/var/log/app/server.log",
    "/data/cache/tokenizer/merges.txt",
    "/proc/self/stat",
    "/data/cache/kv/index.json",
    "/data/cache/kv/segment-0193.bin.tmp",
    "/proc/self/cgroup",
)


class Act(NamedTuple):
    """One record to be: when, in which pod, by whom, what. `flat` is its kind in the flat variant."""

    at_us: int
    pod: int
    verb: str  # exec, exit, connect, read, write
    process: Process
    what: tuple[str, int] | str | None
    flat: str


@dataclass(eq=False)
class Process:
    """A process; its texts are put together once."""

    pid: int
    exec_id: str
    binary: str
    arguments: str
    text: str = ""
    parent: Process | None = None


@dataclass
class Pod:
    """A pod of the cluster and the server that runs in it."""

    number: int
    uid: str
    node: str
    text: str
    docker: str
    shim: Process
    server: Process
    next_pid: int
    ready_us: int
    next_ns_pid: int = 0
    destinations: tuple[tuple[str, int], ...] = ()
    living: deque[Process] = field(default_factory=deque)


def write_corpus(path: Path, *, records: int = _FULL_SIZE, seed: int = 86, pods: int | None = None) -> Truth:
    """Write `records` Tetragon records to `path`, and give the truth about them. `pods` is how many pods they are of, with
    as many chains and look-alikes as their share; a hundredth of the records unless given."""
    return _write(path, records, seed, _tetragon, pods)


def write_flat(path: Path, *, records: int = _FULL_SIZE, seed: int = 86) -> Truth:
    """Write the same hour as flat events: `ts` counts 100 ns from 1970, `kind` is `install`, `metadata`, `token` or noise."""
    return _write(path, records, seed, _flat)


def _write(
    path: Path, records: int, seed: int, text: Callable[[Act, Pod], str], pods: int | None = None
) -> Truth:
    cluster = _Cluster(records, seed, pods)
    lines: list[str] = []
    with path.open("w", encoding="ascii", buffering=1 << 20) as file:
        for act in cluster.acts():
            lines.append(text(act, cluster.pods[act.pod]))
            if len(lines) == _CHUNK:
                file.write("".join(lines))
                lines.clear()
        file.write("".join(lines))
    return cluster.truth


class _Cluster:
    """Everything that happens in the hour, in order of time."""

    def __init__(self, records: int, seed: int, pods: int | None) -> None:
        self.records = records
        self.random = Random(seed)
        scale = min(1.0, records / _FULL_SIZE) if pods is None else pods / _PODS
        count = max(20, round(_PODS * scale))
        share = {kind: max(1, round(number * scale)) for kind, number in _LOOK_ALIKES.items()}
        chains = max(2, round(_CHAINS * scale))
        chosen = self.random.sample(range(count), chains + sum(share.values()))
        self.pods: list[Pod] = []
        roles: dict[int, str] = {}
        for place, pod in enumerate(chosen[:chains]):
            roles[pod] = "chain-build" if place % 2 else "chain-session"
        rest = iter(chosen[chains:])
        for kind, number in share.items():
            roles.update((next(rest), kind) for _ in range(number))
        self.starts = {pod: self.random.randrange(HOUR_US // 20, HOUR_US * 9 // 10) for pod in roles}
        for number in range(count):
            started = (
                self.starts[number]
                if roles.get(number) == "start-up"
                else -self.random.randrange(HOUR_US, 9 * HOUR_US)
            )
            self.pods.append(_pod(number, started, self.random))
        planted = [
            act
            for pod in sorted(roles)
            for act in _SCRIPTS[roles[pod]](self.pods[pod], self.starts[pod], self.random)
        ]
        background = max(0, round(records * _OF_INTEREST) - len(planted))
        planted += self._background(background, [number for number in range(count) if number not in roles])
        self.planted = sorted(planted, key=lambda act: act.at_us)
        self.truth: Truth = {
            "records": records,
            "seed": seed,
            "pods": count,
            "of_interest": len(self.planted),
            "malicious": sorted(
                self.pods[pod].uid for pod, role in roles.items() if role.startswith("chain-")
            ),
            "benign": {
                self.pods[pod].uid: role
                for pod, role in sorted(roles.items())
                if not role.startswith("chain-")
            },
        }

    def acts(self) -> Iterator[Act]:
        """Planted acts and noise, exactly as many as records are wanted."""
        noise = self._noise(self.records - len(self.planted))
        return iter(merge(self.planted, noise, key=lambda act: act.at_us))

    def _background(self, count: int, quiet: list[int]) -> list[Act]:
        """Credentials taken as ever, by servers of pods where nothing lands, and a start-up file that an image writes."""
        found = []
        for turn in range(count):
            pod = self.pods[self.random.choice(quiet)]
            at = self.random.randrange(HOUR_US)
            if turn % 20 == 19:
                found.append(
                    Act(at, pod.number, "write", pod.server, f"{_SITE}/__editable__.app-0.1.pth", "file")
                )
            elif turn % 3:
                found.append(Act(at, pod.number, "connect", pod.server, _METADATA, "metadata"))
            else:
                found.append(Act(at, pod.number, "read", pod.server, _TOKEN, "token"))
        return found

    def _noise(self, count: int) -> Iterator[Act]:
        """Children that come and go, connections to where the workload always connects, files."""
        random, pods = self.random.random, self.pods
        for turn in range(count):
            at = turn * HOUR_US // count
            pod = pods[int(random() * len(pods))]
            while pod.ready_us > at:
                pod = pods[int(random() * len(pods))]
            draw = random()
            if draw < 0.4:
                if len(pod.living) > 2:
                    yield Act(at, pod.number, "exit", pod.living.popleft(), None, "exit")
                    continue
                binary, arguments = _CHILDREN[int(random() * len(_CHILDREN))]
                child = _child(pod, at, pod.server, binary, arguments)
                pod.living.append(child)
                yield Act(at, pod.number, "exec", child, None, "exec")
            elif draw < 0.65 and pod.living:
                yield Act(at, pod.number, "exit", pod.living.popleft(), None, "exit")
            elif draw < 0.85:
                destination = pod.destinations[int(random() * len(pod.destinations))]
                yield Act(at, pod.number, "connect", pod.server, destination, "connect")
            else:
                path = _FILES[int(random() * len(_FILES))]
                verb = "read" if path.startswith("/proc") else "write"
                yield Act(at, pod.number, verb, pod.server, path, "file")


# --- what is planted -------------------------------------------------------------------------------------------------


def _pip(pod: Pod, at: int, runner: Process, package: str, *, session: bool = False) -> list[Act]:
    """An install, 2.2 s long; in a session it is not of the entrypoint's tree."""
    binary, arguments = "/opt/venv/bin/python3", f"/opt/venv/bin/pip install -q {package}"
    pip = _child(pod, at, runner, binary, arguments, session=session)
    stem = f"{_SITE}/{package.replace('-', '_')}-1.4.3.dist-info"
    return [
        Act(at, pod.number, "exec", pip, None, "install"),
        Act(at + 1_480_000, pod.number, "connect", pip, _INDEX, "connect"),
        Act(at + 1_936_000, pod.number, "write", pip, f"{stem}/METADATA", "file"),
        Act(at + 1_950_000, pod.number, "write", pip, f"{stem}/RECORD", "file"),
        Act(at + 2_200_000, pod.number, "exit", pip, None, "exit"),
    ]


def _takes(
    pod: Pod, at: int, process: Process, pauses: tuple[int, int, int], drop: tuple[str, int]
) -> list[Act]:
    """Metadata service, service account token, API server, and a destination."""
    first, second, third = pauses
    return [
        Act(at, pod.number, "connect", process, _METADATA, "metadata"),
        Act(at + first, pod.number, "read", process, _TOKEN, "token"),
        Act(at + first + 3_200, pod.number, "connect", process, _API, "api"),
        Act(at + first + second, pod.number, "connect", process, _API, "api"),
        Act(at + first + second + third, pod.number, "connect", process, drop, "connect"),
    ]


def _pauses(random: Random) -> tuple[int, int, int]:
    return (
        random.randrange(200_000, 40_000_000),
        random.randrange(100_000, 20_000_000),
        random.randrange(100_000, 30_000_000),
    )


def _chain_session(pod: Pod, at: int, random: Random) -> list[Act]:
    """Somebody's session installs, and the server, which imports what landed, is robbed."""
    before = Act(at - 40_000_000, pod.number, "connect", pod.server, _METADATA, "metadata")
    drop = (f"198.51.100.{random.randrange(1, 255)}", 443)
    after = at + 2_200_000 + random.randrange(1_000_000, 60_000_000)
    pip = _pip(pod, at, pod.shim, "torch-perf-utils", session=True)
    return [before, *pip, *_takes(pod, after, pod.server, _pauses(random), drop)]


def _chain_build(pod: Pod, at: int, random: Random) -> list[Act]:
    """The server installs from source, and the package's own build code takes everything."""
    pip = _pip(pod, at, pod.server, "torch-perf-build")
    hook = f"{_SITE}/pip/_vendor/pyproject_hooks/_in_process/_in_process.py build_wheel /tmp/tmpq1kz7hd2"
    backend = _child(pod, at + 700_000, pip[0].process, "/opt/venv/bin/python3", hook)
    drop = (f"198.51.100.{random.randrange(1, 255)}", 443)
    taken = _takes(pod, at + 900_000, backend, (200_000, 150_000, 250_000), drop)
    return [*pip, Act(at + 700_000, pod.number, "exec", backend, None, "exec"), *taken]


def _install(pod: Pod, at: int, random: Random) -> list[Act]:
    """A server updates a plug-in, and that is all."""
    return _pip(pod, at, pod.server, f"serving-plugin-{random.randrange(9)}")


def _install_one_domain(pod: Pod, at: int, random: Random) -> list[Act]:
    """A server updates a plug-in and later refreshes the token that it had before."""
    tokens = [
        Act(moment, pod.number, "connect", pod.server, _METADATA, "metadata")
        for moment in (at - 60_000_000, at + random.randrange(5_000_000, 90_000_000))
    ]
    return [*_pip(pod, at, pod.server, "serving-plugin"), *tokens]


def _start_up(pod: Pod, at: int, random: Random) -> list[Act]:
    """A pod starts: it installs its dependencies, then identifies itself everywhere it has to."""
    start = Act(at + 300_000, pod.number, "exec", pod.server, None, "exec")
    pip = _pip(pod, at + 500_000, pod.server, "tiny-metrics")
    pauses = (300_000, 200_000, random.randrange(200_000, 900_000))
    return [start, *pip, *_takes(pod, at + 4_000_000, pod.server, pauses, _STORAGE)]


def _two_domains(pod: Pod, at: int, random: Random) -> list[Act]:
    """No install: a server that uses both of its identities."""
    return _takes(pod, at, pod.server, _pauses(random), _STORAGE)


def _debugging(pod: Pod, at: int, random: Random) -> list[Act]:
    """A person's session: pip, az and kubectl under one shell."""
    shell = _child(pod, at - 5_000_000, pod.shim, "/bin/bash", "", session=True)
    az = _child(
        pod, at + 20_000_000, shell, "/opt/az/bin/python3", "-Im azure.cli login --identity", session=True
    )
    kubectl = _child(pod, at + 40_000_000, shell, "/usr/local/bin/kubectl", "get pods", session=True)
    return [
        Act(at - 5_000_000, pod.number, "exec", shell, None, "exec"),
        *_pip(pod, at, shell, f"py-spy-{random.randrange(9)}", session=True),
        Act(at + 20_000_000, pod.number, "exec", az, None, "exec"),
        Act(at + 21_600_000, pod.number, "connect", az, _METADATA, "metadata"),
        Act(at + 40_000_000, pod.number, "exec", kubectl, None, "exec"),
        Act(at + 40_100_000, pod.number, "read", kubectl, _TOKEN, "token"),
        Act(at + 40_200_000, pod.number, "connect", kubectl, _API, "api"),
    ]


_SCRIPTS: dict[str, Callable[[Pod, int, Random], list[Act]]] = {
    "chain-session": _chain_session,
    "chain-build": _chain_build,
    "install": _install,
    "install-one-domain": _install_one_domain,
    "start-up": _start_up,
    "two-domains": _two_domains,
    "debugging": _debugging,
}


# --- records ---------------------------------------------------------------------------------------------------------


def _digits(length: int, *what: object) -> str:
    return blake2b("/".join(map(str, what)).encode(), digest_size=64).hexdigest()[:length]


def _time(at_us: int) -> str:
    seconds, rest = divmod(at_us, 1_000_000)
    hours, seconds = divmod(9 * 3_600 + seconds, 3_600)
    day, hours = 24 + hours // 24, hours % 24
    minutes, seconds = divmod(seconds, 60)
    return f"2026-11-{day:02d}T{hours:02d}:{minutes:02d}:{seconds:02d}.{rest:06d}000Z"


def _exec_id(node: str, at_us: int, pid: int) -> str:
    return b64encode(f"{node}:{(_BOOT_S * 1_000_000 + at_us) * 1_000}:{pid}".encode()).decode()


def _pod(number: int, started_us: int, random: Random) -> Pod:
    """A pod whose container started at `started_us`, relative to the hour."""
    node = f"aks-gpu-31337-vmss{number // _PODS_A_NODE:06d}"
    workload = f"model-{number % 97:02d}"
    name = f"{workload}-{_digits(10, 'template', workload)}-{_digits(5, 'pod', number)}"
    half = _digits(32, "uid", number)
    uid = f"{half[:8]}-{half[8:12]}-4{half[13:16]}-8{half[17:20]}-{half[20:]}"
    container = _digits(64, "container", number)
    image = f"registry.example/ml/{workload}"
    started = _time(started_us)[:19] + "Z"
    text = (
        f'{{"namespace":"ml-{number % 12:02d}","name":"{name}","uid":"{uid}","container":{{"id":"containerd://{container}",'
        f'"name":"server","image":{{"id":"{image}@sha256:{_digits(64, image)}","name":"{image}:2026.11"}},'
        f'"start_time":"{started}","pid":%d}},"pod_labels":{{"app":"{workload}","azure.workload.identity/use":"true",'
        f'"pod-template-hash":"{_digits(10, "template", workload)}"}},"workload":"{workload}","workload_kind":"Deployment"}}'
    )
    base = 20_000 + (number % _PODS_A_NODE) * 30_000
    arguments = (
        f"-namespace k8s.io -id {_digits(64, 'sandbox', number)} -address /run/containerd/containerd.sock"
    )
    shim = Process(
        base, _exec_id(node, started_us - 2_000_000, base), "/usr/bin/containerd-shim-runc-v2", arguments
    )
    shim.text = (
        f'{{"exec_id":"{shim.exec_id}","pid":{base},"uid":0,"cwd":"/","binary":"{shim.binary}","arguments":"{arguments}",'
        f'"flags":"execve rootcwd clone","start_time":"{_time(started_us - 2_000_000)}","auid":4294967295,"tid":{base},'
        '"in_init_tree":false}'
    )
    usual = tuple(random.sample(_USUAL, 3)) if number % 5 else (*_USUAL[:2], ("203.0.113.21", 443))
    pod = Pod(
        number, uid, node, text, container[:31], shim, shim, base + 10, started_us + 6_000_000, 0, usual
    )
    pod.server = _child(
        pod,
        started_us + 300_000,
        shim,
        "/opt/venv/bin/python",
        f"-m vllm.entrypoints.server --model /models/{workload}",
    )
    return pod


def _child(
    pod: Pod, at_us: int, parent: Process, binary: str, arguments: str, *, session: bool = False
) -> Process:
    """A process and the text that every record of it has."""
    pod.next_pid += 3
    pod.next_ns_pid += 1
    pid = pod.next_pid
    child = Process(pid, _exec_id(pod.node, at_us, pid), binary, arguments, parent=parent)
    told = f'"arguments":{json.dumps(arguments)},' if arguments else ""
    child.text = (
        f'{{"exec_id":"{child.exec_id}","pid":{pid},"uid":0,"cwd":"/app","binary":"{binary}",{told}'
        f'"flags":"execve clone","start_time":"{_time(at_us)}","auid":4294967295,"pod":{pod.text % pod.next_ns_pid},'
        f'"docker":"{pod.docker}","parent_exec_id":"{parent.exec_id}","tid":{pid},'
        f'"in_init_tree":{"false" if session else "true"}}}'
    )
    return child


def _tetragon(act: Act, pod: Pod) -> str:
    """One line of the export."""
    process = act.process
    parent = process.parent.text if process.parent is not None else ""
    head = f'{{"process":{process.text},"parent":{parent}'
    tail = f'"node_name":"{pod.node}","time":"{_time(act.at_us)}","cluster_name":"aks-ml-prod"}}\n'
    if act.verb == "exec":
        return f'{{"process_exec":{head}}},{tail}'
    if act.verb == "exit":
        return f'{{"process_exit":{head},"time":"{_time(act.at_us)}"}},{tail}'
    if act.verb == "connect":
        assert isinstance(act.what, tuple)
        address, port = act.what
        return (
            f'{{"process_kprobe":{head},"function_name":"tcp_connect","args":[{{"sock_arg":{{"family":"AF_INET","type":"SOCK_STREAM",'
            f'"protocol":"IPPROTO_TCP","saddr":"10.244.{pod.number % 60}.{pod.number % 250}","daddr":"{address}",'
            f'"sport":{32_768 + act.at_us % 28_000},"dport":{port},"cookie":"{act.at_us}","state":"TCP_SYN_SENT"}}}}],'
            f'"action":"KPROBE_ACTION_POST","policy_name":"eightysix-egress","return_action":"KPROBE_ACTION_POST"}},{tail}'
        )
    return (
        f'{{"process_kprobe":{head},"function_name":"security_file_permission","args":[{{"file_arg":{{"path":"{act.what}",'
        f'"permission":"-rw-r--r--"}}}},{{"int_arg":{4 if act.verb == "read" else 2}}}],"return":{{"int_arg":0}},'
        f'"action":"KPROBE_ACTION_POST","policy_name":"eightysix-files","return_action":"KPROBE_ACTION_POST"}},{tail}'
    )


def _flat(act: Act, pod: Pod) -> str:
    """One flat event."""
    ticks = (BASE_S * 1_000_000 + act.at_us) * 10
    what = act.what if isinstance(act.what, str) else ":".join(map(str, act.what or ()))
    return (
        f'{{"ts":{ticks},"kind":"{act.flat}","pod":"{pod.uid}","node":"{pod.node}","container":"{pod.docker}","uid":0,'
        f'"pid":{act.process.pid},'
        f'"binary":"{act.process.binary}","what":"{what[:60]}"}}\n'
    )


def main(arguments: list[str]) -> int:
    """Write a corpus and its truth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--records", type=int, default=_FULL_SIZE)
    parser.add_argument("--seed", type=int, default=86)
    parser.add_argument("--flat", action="store_true")
    options = parser.parse_args(arguments)
    write = write_flat if options.flat else write_corpus
    truth = write(options.path, records=options.records, seed=options.seed)
    options.path.with_name(options.path.name + ".truth.json").write_text(
        json.dumps(truth, indent=1) + "\n", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
