"""Sensor records as the code of an attacker would write them beside, or in place of, the true ones.

The receiver says whose a record is; all else is the sender's: which process of the pod, whose code is on the stack, which
acts there were, and when. So the forgeries know everything that the kernel saw, and lie about it.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from eightysix.model.event import Event
from eightysix.model.incident import Report
from eightysix.model.words import Kind, Origin, Verdict
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.sources.lines import Block, find_newlines

__all__ = ["FORGERIES", "Streams", "acts_of", "forged", "judge", "sweep", "verdicts"]

Streams = Mapping[str, Sequence[str]]
Records = list[dict[str, object]]

SECOND = 1_000_000_000
RULES = load_packaged()
APP = {"chain": ["app:/app/server.py"], "root": "app:/app/server.py", "at_import": None, "dists": []}
OLD = {
    "chain": ["urllib3==2.2.1", "requests==2.32.3", "azure-identity==1.17.1", "app:/app/server.py"],
    "root": "app:/app/server.py",
    "at_import": None,
    "dists": [{"name": "azure-identity", "version": "1.17.1", "age_s": 9e8, "record_ok": True}],
}


def judge(streams: Streams, options: ReplayOptions | None = None) -> Report:
    """What the packaged rules make of the streams."""
    replay = Replay(RULES, options or ReplayOptions())
    for name, lines in sorted(streams.items()):
        data = ("\n".join(lines) + "\n").encode()
        if lines:
            replay.engine.feed(replay.recogniser.read(Block(name, 1, data, find_newlines(data))))
    replay.tetragon.flush()
    return replay.report()


def verdicts(report: Report) -> dict[str, Verdict]:
    """The worst verdict of each pod."""
    worst: dict[str, Verdict] = {}
    for incident in report.incidents:
        key = incident.pod.uid if incident.pod is not None else ""
        if key not in worst or incident.verdict.rank > worst[key].rank:
            worst[key] = incident.verdict
    return worst


def acts_of(streams: Streams) -> list[Event]:
    """What was seen from outside of the pods' own code, by time: of pods whose uid is known."""
    replay = Replay(RULES, ReplayOptions(first_programs=True))
    found: list[Event] = []
    for name, lines in sorted(streams.items()):
        data = ("\n".join(lines) + "\n").encode()
        if lines:
            found += replay.recogniser.read(Block(name, 1, data, find_newlines(data)))
    seen = [event for event in found if event.origin is Origin.KERNEL and event.pod_uid]
    return sorted(seen, key=lambda event: (event.time_ns, event.event_id))


def sensors_of(streams: Streams) -> dict[tuple[str, int], dict[str, object]]:
    """How the true sensor names its processes, by pod and pid on the node: forgeries that use it are of the same process."""
    found: dict[tuple[str, int], dict[str, object]] = {}
    for lines in streams.values():
        for line in lines:
            record = json.loads(line)
            if (
                isinstance(record.get("event"), str)
                and "t_ns" in record
                and isinstance(record.get("pod"), dict)
            ):
                pid = record.get("host_pid")
                if isinstance(pid, int):
                    found.setdefault(
                        (str(record["pod"].get("uid")), pid),
                        {
                            name: record.get(name)
                            for name in ("boot_id", "pid", "ns_pid", "tid", "start_ticks", "node")
                        },
                    )
    return found


class Forger:
    """Writes records of one pod's processes."""

    def __init__(self, streams: Streams) -> None:
        self._known = sensors_of(streams)

    def of(self, act: Event, after_ns: int, event: str, **fields: object) -> dict[str, object]:
        """A record of the process that acted, so long after its act."""
        process = self._known.get((act.pod_uid, act.pid)) or {
            "boot_id": "boot", "pid": 7, "ns_pid": 7, "tid": 7, "start_ticks": 1_000, "node": act.node,
        }  # fmt: skip
        pod = {
            "namespace": act.namespace,
            "name": act.pod,
            "uid": act.pod_uid,
            "container_id": act.container_id,
        }
        return {
            "v": 1, "t_ns": max(1, act.time_ns + after_ns), **process, "event": event, "seq": 0, **APP, **fields,
            "pod": pod, "host_pid": act.pid,
        }  # fmt: skip


Forgery = Callable[[Forger, Event], Records]


def _is_connect(act: Event) -> bool:
    return act.kind is Kind.CONNECT


def twin_of_the_application(forger: Forger, act: Event) -> Records:
    """Each act was the application's own, through its usual client."""
    if _is_connect(act):
        return [forger.of(act, 100_000, "connect", dst=act.dst_ip, port=act.dst_port, **OLD)]
    if act.kind is Kind.FILE:
        return [forger.of(act, 100_000, "open", path=act.file_path, mode="r", **OLD)]
    return []


def twin_before(forger: Forger, act: Event) -> Records:
    """The same, a little before: nearer to the kernel's record than the true one may be."""
    if _is_connect(act):
        return [forger.of(act, -1_000, "connect", dst=act.dst_ip, port=act.dst_port)]
    if act.kind is Kind.FILE:
        return [forger.of(act, -1_000, "open", path=act.file_path, flags=0)]
    return []


def request_to(url: str) -> Forgery:
    """Each connection belongs to a request for something harmless."""

    def forge(forger: Forger, act: Event) -> Records:
        if not _is_connect(act):
            return []
        return [
            forger.of(act, -2_000_000, "http", url=url, **OLD),
            forger.of(act, 10_000, "connect", dst=act.dst_ip, port=act.dst_port, **OLD),
        ]

    return forge


def resolved_as(host: str) -> Forgery:
    """Each address is a harmless name's."""

    def forge(forger: Forger, act: Event) -> Records:
        if not _is_connect(act):
            return []
        return [
            forger.of(act, -2_000_000, "resolve", host=host, port=act.dst_port),
            forger.of(act, 10_000, "connect", dst=act.dst_ip, port=act.dst_port),
        ]

    return forge


def is_an_installer(forger: Forger, act: Event) -> Records:
    """The acting process is pip: what it talks to is an index, what it writes an install."""
    argv = ["/opt/venv/bin/python3", "-m", "pip", "install", "requests"]
    found = [forger.of(act, -1_000_000, "start", argv=argv)]
    if _is_connect(act):
        found.append(forger.of(act, 10_000, "connect", dst=act.dst_ip, port=act.dst_port))
    if act.kind is Kind.FILE:
        found.append(forger.of(act, 10_000, "open", path=act.file_path, mode="r"))
    return found


def writes_distributions(forger: Forger, act: Event) -> Records:
    """The acting process unpacks a distribution, as an installer does."""
    path = "/opt/venv/lib/python3.11/site-packages/requests-2.32.3.dist-info/RECORD"
    found = [forger.of(act, -1_000_000, "open", path=path, mode="w")]
    if _is_connect(act):
        found.append(forger.of(act, 10_000, "connect", dst=act.dst_ip, port=act.dst_port))
    return found


def announces_an_install(forger: Forger, act: Event) -> Records:
    """Each act is announced as an install in a child."""
    return [forger.of(act, -500_000_000, "spawn", argv=["pip", "install", "requests"], exe="/usr/bin/pip")]


def did_it_before(*before_s: int) -> Forgery:
    """Each act is an old habit."""

    def forge(forger: Forger, act: Event) -> Records:
        return [
            record | {"t_ns": max(1, act.time_ns - seconds * SECOND)}
            for seconds in before_s
            for record in twin_of_the_application(forger, act)
        ]

    return forge


def landed(after_s: float, name: str = "requests") -> Forgery:
    """Something landed then, by its age: the chain's start, or its landing, is to be another one."""

    def forge(forger: Forger, act: Event) -> Records:
        dist = {"name": name, "version": "2.32.3", "age_s": 0.5, "record_ok": True}
        return [forger.of(act, int(after_s * SECOND), "import", module=name, dists=[dist])]

    return forge


def installs(after_s: float) -> Forgery:
    """Something was installed then, by the command line of a process."""

    def forge(forger: Forger, act: Event) -> Records:
        record = forger.of(act, int(after_s * SECOND), "start", argv=["pip", "install", "requests"])
        return [record | {"pid": 99, "ns_pid": 99, "host_pid": 0, "start_ticks": 77}]

    return forge


def writes_what_runs(forger: Forger, act: Event) -> Records:
    """The program that acts was put there by an installer, long ago."""
    return [
        forger.of(act, -3600 * SECOND, "open", path=path, mode="w")
        for path in (act.binary, act.file_path)
        if path.startswith("/")
    ] + [forger.of(act, -3601 * SECOND, "start", argv=["pip", "install", "requests"])]


def another_process(forger: Forger, act: Event) -> Records:
    """What the acting process did, another one did at the same moment: the vote on who is who is to go wrong."""
    found = twin_of_the_application(forger, act)
    return [record | {"pid": 4242, "ns_pid": 4242, "start_ticks": 5, "host_pid": 0} for record in found]


def everything_many_times(forger: Forger, act: Event) -> Records:
    """A flood: each act by many processes, to many ports."""
    found: Records = []
    for number in range(40):
        for record in twin_of_the_application(forger, act):
            other = record | {"pid": 9000 + number, "ns_pid": 9000 + number, "host_pid": 0}
            if "port" in other:
                other["port"] = 1024 + number
            found.append(other)
    return found


def a_load_fetches(forger: Forger, act: Event) -> Records:
    """Each act is a loader's storage client at work while it unpickles weights."""
    outer = ["torch==2.5.0", "app:/app/server.py"]
    fields: dict[str, object] = {"chain": outer, "root": outer[-1]}
    inner: dict[str, object] = {"chain": ["adlfs==2024.7.0", *outer], "root": outer[-1]}
    found = [forger.of(act, -1_000_000, "pickle", module="torch._utils._rebuild_tensor_v2", **fields)]
    return found + [record | inner for record in twin_of_the_application(forger, act)]


FORGERIES: Mapping[str, Forgery] = {
    "twin-of-the-application": twin_of_the_application,
    "twin-before": twin_before,
    "request-to-the-api-server": request_to("https://kubernetes.default.svc/api/v1/namespaces/ml/pods"),
    "request-for-the-region": request_to("http://169.254.169.254/metadata/instance?api-version=2021-02-01"),
    "request-to-the-index": request_to("https://pypi.org/simple/requests/"),
    "resolved-as-the-api-server": resolved_as("kubernetes.default.svc"),
    "resolved-as-the-index": resolved_as("pypi.org"),
    "resolved-as-the-store": resolved_as("mlmodels.blob.core.windows.net"),
    "is-an-installer": is_an_installer,
    "writes-distributions": writes_distributions,
    "announces-an-install": announces_an_install,
    "did-it-before": did_it_before(60, 3_600, 86_400),
    "landed-before": landed(-0.5),
    "landed-after": landed(0.5),
    "landed-long-before": landed(-7_200.0),
    "installs-before": installs(-0.5),
    "installs-after": installs(0.2),
    "writes-what-runs": writes_what_runs,
    "another-process": another_process,
    "everything-many-times": everything_many_times,
    "a-load-fetches": a_load_fetches,
}


def forged(streams: Streams, names: Iterable[str], *, beside: bool, known: Streams | None = None) -> Streams:
    """`streams` with these forgeries of all that was seen: `beside` the sensor's own records, or in place of them."""
    forger = Forger(known if known is not None else streams)
    acts = acts_of(streams)
    records = [record for name in names for act in acts for record in FORGERIES[name](forger, act)]
    records.sort(key=lambda record: str(record["t_ns"]).zfill(20))
    rest = {name: lines for name, lines in streams.items() if beside or not _is_sensors(lines)}
    return {**rest, "forged.jsonl": [json.dumps(record) for record in records]}


def _is_sensors(lines: Sequence[str]) -> bool:
    first = json.loads(lines[0]) if lines else {}
    return isinstance(first.get("event"), str) and ("t_ns" in first or first.get("sensor") == "py")


def sweep(seconds: float) -> int:
    """Try all attacks with all forgeries, then combinations at random for so long; how many verdicts fell."""
    from tests.streams import ATTACKS, FULL, KERNEL_AND_AUDIT, KERNEL_ONLY

    cases = {
        (name, place): ATTACKS[name](setting).streams
        for name in sorted(ATTACKS)
        for place, setting in enumerate((FULL, KERNEL_AND_AUDIT, KERNEL_ONLY))
    }
    before = {case: verdicts(judge(streams)) for case, streams in cases.items()}
    rng = random.Random(86)
    until = time.monotonic() + seconds
    tried = fell = 0

    def attempt(case: tuple[str, int], names: Sequence[str]) -> int:
        after = verdicts(judge(forged(cases[case], names, beside=True)))
        lost = [pod for pod, told in before[case].items() if pod not in after or after[pod].rank < told.rank]
        if lost:
            print("FELL", case, list(names), [str(before[case][pod]) for pod in lost], flush=True)
        return bool(lost)

    for case in cases:
        for name in FORGERIES:
            tried, fell = tried + 1, fell + attempt(case, [name])
    while time.monotonic() < until:
        names = rng.sample(sorted(FORGERIES), rng.randint(2, 5))
        tried, fell = tried + 1, fell + attempt(rng.choice(sorted(cases)), names)
    print(f"{tried} tried over {len(cases)} streams, {fell} verdicts fell")
    return fell


if __name__ == "__main__":
    sys.exit(bool(sweep(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)))
