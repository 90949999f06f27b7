"""`eightysix gate watch`: learns of every move of the watched tags, by webhooks and by asking, and tells detection and people."""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.gate import add_asking, add_memory, open_history, read_policy_and_trust, registry_settings
from eightysix.cli.options import add_verbosity
from eightysix.cli.terminal import environment, inert_line
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.gate import GateFinding, TagMove
    from eightysix.serve.gate.receiver import Endpoint
    from eightysix.serve.gate.watching import GateWatch

__all__ = ["add_parser"]

WEBHOOK_PORT = 8687
METRICS_PORT = 9687
TOLD_S = 60.0
"""Seconds between two lines about a registry that does not answer."""

EPILOG = """\
webhooks: --listen 0.0.0.0:8687 --webhook acr=/etc/eightysix/acr.token
          channels are distribution, acr, event-grid, harbor; each needs a secret of its own (a file, mode 0600),
          and may name the registry that sends: --webhook harbor@harbor.acme.example=FILE
"""


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    watch = actions.add_parser(
        "watch",
        help="remember where the watched tags point, and tell when they move",
        description="Takes webhooks of registries, asks for each watched tag at least every 30 seconds because webhooks get"
        " lost, keeps what it learns in the history, and writes each move as a line that eightysix detect reads.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_memory(watch)
    watch.add_argument(
        "--events",
        default=environment("GATE_EVENTS"),
        metavar="FILE",
        help="add each move there as a line of JSON (EIGHTYSIX_GATE_EVENTS)",
    )
    watch.add_argument("--once", action="store_true", help="ask for every tag once, tell what moved, and end")
    hooks = watch.add_argument_group("webhooks")
    hooks.add_argument(
        "--listen",
        default=environment("GATE_LISTEN"),
        metavar="ADDRESS",
        help=f"take webhooks there, as 127.0.0.1:{WEBHOOK_PORT} (EIGHTYSIX_GATE_LISTEN)",
    )
    hooks.add_argument(
        "--webhook",
        action="append",
        default=[],
        metavar="CHANNEL[@REGISTRY]=FILE",
        help="who may send, with the file of its secret, repeatable",
    )
    hooks.add_argument(
        "--tls-cert",
        default=environment("TLS_CERT"),
        metavar="FILE",
        help="certificate, PEM (EIGHTYSIX_TLS_CERT)",
    )
    hooks.add_argument(
        "--tls-key", default=environment("TLS_KEY"), metavar="FILE", help="its key, PEM (EIGHTYSIX_TLS_KEY)"
    )
    watch.add_argument(
        "--metrics",
        default=environment("GATE_METRICS"),
        metavar="ADDRESS",
        help=f"tell Prometheus there, as 127.0.0.1:{METRICS_PORT} (EIGHTYSIX_GATE_METRICS)",
    )
    add_asking(watch)
    add_verbosity(watch, "tell every move, also those without findings that hold")
    watch.set_defaults(run=_watch)


def _watch(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from eightysix.cli.gate import client_for
    from eightysix.serve.gate.check import promotions_of
    from eightysix.serve.gate.feeding import Feed, FeedFile, last_told
    from eightysix.serve.gate.watching import GateWatch, watched_references
    from eightysix.serve.registry.reconcile import settings_for_asking

    policy, _ = read_policy_and_trust(args)
    history = open_history(args, read_only=False)
    if history is None:
        raise UsageError("gate watch needs a history", "give --history FILE: it is made where there is none")
    voice = _Voice(out, err, verbose=bool(args.verbose), quiet=args.quiet)
    with ExitStack() as stack:
        stack.callback(history.close)
        since = history.end()
        write = _nowhere
        if args.events:
            file = FeedFile(Path(args.events))
            stack.callback(file.close)
            since, write = last_told(Path(args.events)), file.write
        feed = Feed(
            history, write, since, promotions=promotions_of(policy), tell=voice.move, trouble=voice.trouble
        )
        settings = settings_for_asking(registry_settings(args))
        watch = GateWatch(
            history,
            watched_references(policy),
            lambda registry: client_for(args, registry, settings),
            feed,
            endpoints=_endpoints(args.webhook),
        )
        stopped = threading.Event()
        if not args.once:
            _stop_on_signals(stopped)  # before anybody is answered: whoever was may end it at once
        stack.enter_context(watch)
        _listen(args, watch, stack, voice)
        voice.began(watch)
        if args.once:
            return _once(watch, voice)
        _until(stopped, watch, voice)
    return 0


def _nowhere(data: bytes) -> None:
    del data


def _once(watch: GateWatch, voice: _Voice) -> int:
    """One round; 1 where a tag was not answered, which is no clean bill."""
    done = watch.reconciler.wait_for_round(60.0)
    watch.feed.wake()
    missing = [each for each in watch.status().registries if each.troubles or each.unseen_since_ns]
    for each in missing:
        voice.unanswered(each.registry, each.problem)
    return 0 if done and not missing else 1


def _stop_on_signals(stopped: threading.Event) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())


def _until(stopped: threading.Event, watch: GateWatch, voice: _Voice) -> None:
    told: dict[str, float] = {}
    while not stopped.wait(1.0):
        for each in watch.status().registries:
            if each.unseen_since_ns and time.monotonic() - told.get(each.registry, -TOLD_S) >= TOLD_S:
                told[each.registry] = time.monotonic()
                voice.unanswered(each.registry, each.problem)
            elif not each.unseen_since_ns and told.pop(each.registry, None) is not None:
                voice.answers(each.registry)


def _listen(args: argparse.Namespace, watch: GateWatch, stack: ExitStack, voice: _Voice) -> None:
    from eightysix.serve.gate.monitor import GateMonitor
    from eightysix.serve.listener import parse_address
    from eightysix.serve.tls import ServerTls

    if args.metrics:
        host, port = parse_address(args.metrics, METRICS_PORT)
        stack.enter_context(GateMonitor(watch).listen(host, port))
    if not args.listen:
        if watch.receiver is not None:
            raise UsageError(
                "webhooks have secrets and no address", f"give --listen 127.0.0.1:{WEBHOOK_PORT}"
            )
        return
    if watch.receiver is None:
        raise UsageError("nobody may send webhooks", "give --webhook CHANNEL=FILE with the file of a secret")
    if bool(args.tls_cert) is not bool(args.tls_key):
        raise UsageError("--tls-cert and --tls-key belong together", "give both, or neither")
    tls = ServerTls(args.tls_cert, args.tls_key) if args.tls_cert else None
    host, port = parse_address(args.listen, WEBHOOK_PORT)
    listener = stack.enter_context(watch.receiver.listen(host, port, tls=tls))
    voice.listens(host, listener.port, tls is not None)


def _endpoints(texts: list[str]) -> list[Endpoint]:
    from eightysix.gate.references import parse_registry
    from eightysix.model.gate import Channel
    from eightysix.serve.gate.receiver import PATHS, Endpoint
    from eightysix.serve.receiver import Token

    channels = {channel.value: channel for channel in PATHS.values()}
    found = []
    for text in texts:
        name, equals, path = text.partition("=")
        kind, at, registry = name.partition("@")
        if not equals or kind not in channels or (at and not registry):
            raise UsageError(
                f"--webhook {text} names no channel with a file",
                f"CHANNEL[@REGISTRY]=FILE; channels: {', '.join(channels)}",
            )
        found.append(
            Endpoint(Channel(kind), Token(_secret(path)), parse_registry(registry) if registry else "")
        )
    return found


def _secret(path: str) -> str:
    from eightysix.cli.files import read_operator_file

    data = read_operator_file(path, "secret")
    if os.stat(path).st_mode & 0o077:
        raise UsageError(f"others may read the secret {path}", f"chmod 600 {path}")
    return data.decode("utf-8", "replace").strip()


class _Voice:
    """What is said to people: moves on standard output, how it goes on standard error. One lock, as many threads speak."""

    def __init__(self, out: TextIO, err: TextIO, *, verbose: bool, quiet: bool) -> None:
        self._out, self._err = out, err
        self._verbose, self._quiet = verbose, quiet
        self._lock = threading.Lock()

    def move(self, move: TagMove, findings: tuple[GateFinding, ...]) -> None:
        """A tag moved."""
        holding = [finding for finding in findings if finding.holds]
        name = f"{move.registry}/{move.repository}:{move.tag}"
        where = move.digest or "nothing (deleted)"
        lines = [f"{'!' if holding else '-'} {name} -> {where} ({move.channel.value})"]
        lines += [f"{f.severity}[{f.rule}] {f.why}" for f in (findings if self._verbose else holding)]
        if holding or self._verbose:
            self._say(self._out, lines)

    def trouble(self, text: str) -> None:
        """Something is not kept."""
        self._say(self._err, [f"eightysix: {text}"])

    def unanswered(self, registry: str, problem: str) -> None:
        """A registry does not answer: what moves there is not seen."""
        self._say(
            self._err, [f"eightysix: {registry} does not answer, moves of its tags are not seen: {problem}"]
        )

    def answers(self, registry: str) -> None:
        """It answers again."""
        self._say(self._err, [f"eightysix: {registry} answers again"])

    def began(self, watch: GateWatch) -> None:
        """What is watched."""
        if not self._quiet:
            tags = sum(each.tags for each in watch.status().registries)
            self._say(self._err, [f"eightysix: {tags} tags are watched"])

    def listens(self, host: str, port: int, tls: bool) -> None:
        """Where webhooks are taken."""
        if not self._quiet:
            how = "with" if tls else "without"
            self._say(self._err, [f"eightysix: webhooks are taken at {host}:{port}, {how} TLS"])

    def _say(self, stream: TextIO, lines: list[str]) -> None:
        with self._lock:
            for number, line in enumerate(lines):
                print(f"{'    ' * (number > 0)}{inert_line(line)}", file=stream, flush=True)
