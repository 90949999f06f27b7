"""What a `watch` listens at, and what it tells of itself: the receivers with their options, and the metrics."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from eightysix.cli.terminal import environment
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.incident import Problem
    from eightysix.serve.deliver.courier import Courier
    from eightysix.serve.live.inputs import StoredInputs
    from eightysix.serve.live.loop import Watch
    from eightysix.serve.live.sensors import SensorFeed
    from eightysix.serve.live.spooled import Spooled
    from eightysix.serve.metrics import Gauges

__all__ = ["METRICS_PORT", "Instruments", "add_receiving", "add_sensors"]

RECEIVER_PORT = 8686
METRICS_PORT = 9686
UPDATE_S = 1.0
"""Seconds between two updates of the metrics."""


def add_receiving(parser: argparse.ArgumentParser) -> None:
    """Add the options of the receiver over HTTP."""
    receiving = parser.add_argument_group("receiving over HTTP")
    receiving.add_argument(
        "--listen",
        default=environment("LISTEN"),
        metavar="ADDRESS",
        help=f"take records by POST /v1/records there, as 127.0.0.1:{RECEIVER_PORT} (EIGHTYSIX_LISTEN)",
    )
    receiving.add_argument(
        "--receiver-token",
        default=environment("RECEIVER_TOKEN_FILE"),
        metavar="FILE",
        help="file, mode 0600, with the token that senders show (or the variable EIGHTYSIX_RECEIVER_TOKEN)",
    )
    for option, what in (
        ("--tls-cert", "certificate of the receiver, PEM"),
        ("--tls-key", "its key, PEM"),
        ("--client-ca", "who signs the certificates that senders must show, PEM"),
    ):
        name = option.removeprefix("--").replace("-", "_").upper()
        receiving.add_argument(
            option, default=environment(name), metavar="FILE", help=f"{what} (EIGHTYSIX_{name})"
        )


def add_sensors(parser: argparse.ArgumentParser) -> None:
    """Add the options of the receiver of sensor records."""
    sensors = parser.add_argument_group("receiving from sensors")
    sensors.add_argument(
        "--sensor-sockets",
        default=environment("SENSOR_SOCKETS"),
        metavar="DIR",
        help="folder of the pods' sockets, as /run/eightysix/pods (EIGHTYSIX_SENSOR_SOCKETS)",
    )
    sensors.add_argument(
        "--sensor-pods",
        default=environment("SENSOR_PODS"),
        metavar="SOURCE",
        help="which pod a uid is: the kubelet's /pods as URL or file, or JSON Lines (EIGHTYSIX_SENSOR_PODS)",
    )
    for option, what in (
        ("--sensor-pods-token", "token that the kubelet asks for"),
        ("--sensor-pods-ca", "who signs the kubelet's certificate, PEM"),
    ):
        name = option.removeprefix("--").replace("-", "_").upper()
        sensors.add_argument(
            option, default=environment(name), metavar="FILE", help=f"{what} (EIGHTYSIX_{name})"
        )
    sensors.add_argument(
        "--node",
        default=environment("NODE"),
        metavar="NAME",
        help="this node, as telemetry names it (EIGHTYSIX_NODE; default this host's name)",
    )


class Instruments:
    """The receiver and the metrics: what listens."""

    def __init__(self, args: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
        from eightysix.serve.listener import parse_address
        from eightysix.serve.metrics import Gauges
        from eightysix.serve.monitor import Health, Monitor

        self._gauges = Gauges()
        self._health = Health(ticked=time.monotonic())
        self._updated = 0.0
        self._named = frozenset(args.paths)
        self._state = folder
        self._spooled = _receiver(args, folder, self._gauges, stack) if args.listen else None
        self._args = args
        self._sensors: SensorFeed | None = None
        if args.metrics:
            host, port = parse_address(args.metrics, METRICS_PORT)
            stack.enter_context(Monitor(self._gauges, self._health).listen(host, port))

    @property
    def folders(self) -> tuple[str, ...]:
        """What is to be followed for the receiver."""
        return (self._spooled.folder,) if self._spooled is not None else ()

    @property
    def sensor_folders(self) -> tuple[str, ...]:
        """What is to be followed for the receiver of sensor records."""
        return (self._sensors.folder,) if self._sensors is not None else ()

    def receive_sensors(self, warn: Callable[[str], None], stack: ExitStack) -> None:
        """Open the sockets of pods, if that was asked for."""
        args = self._args
        if not args.sensor_sockets:
            return
        import socket

        from eightysix.serve.live.sensors import SensorFeed
        from eightysix.serve.sensors.kubelet import directory_of

        pods = None
        if args.sensor_pods:
            pods = directory_of(
                args.sensor_pods,
                time.monotonic,
                token_file=args.sensor_pods_token,
                ca_file=args.sensor_pods_ca,
            )
        self._sensors = SensorFeed(
            args.sensor_sockets,
            str(self._state / "spool-sensors"),
            pods,
            self._gauges,
            node=args.node or socket.gethostname(),
            clock=time.monotonic,
            on_problem=warn,
        )
        stack.callback(self._sensors.close)

    def note(self, problem: Problem) -> None:
        """A named input that cannot be read is dead until something comes from it."""
        if problem.kind == "unreadable" and problem.file in self._named:
            self._health.dead_inputs = {**self._health.dead_inputs, problem.file: problem.reason}

    def turn(self, watch: Watch, inputs: StoredInputs, courier: Courier, now: float) -> None:
        """Bring the numbers up to date, now and then."""
        from eightysix.serve.live.gauges import update
        from eightysix.serve.live.inputs import position_of

        self._health.ticked = now
        if now - self._updated < UPDATE_S:
            return
        self._updated = now
        lags = inputs.lags()
        dead = self._health.dead_inputs
        if dead:  # files of a named folder have names of their own: what is read there is below it
            self._health.dead_inputs = {
                name: reason
                for name, reason in dead.items()
                if not any(file == name or file.startswith(name.rstrip("/") + "/") for file in lags)
            }
        self._gauges.state_bytes = sum(
            path.stat().st_size for path in self._state.glob("shard-*") if path.is_file()
        )
        update(self._gauges, self._health, watch, inputs, courier, now, time.time_ns())
        if self._spooled is None and self._sensors is None:
            return
        committed = {name: position_of(row) for name, row in watch.committed.items()}
        if self._spooled is not None:
            self._spooled.turn(committed)
        if self._sensors is not None:
            self._sensors.turn(committed, self._health)


def _receiver(args: argparse.Namespace, folder: Path, gauges: Gauges, stack: ExitStack) -> Spooled:
    from eightysix.serve.listener import parse_address
    from eightysix.serve.live.spooled import Spooled
    from eightysix.serve.receiver import Receiver, read_token
    from eightysix.serve.spool import Spool
    from eightysix.serve.tls import ServerTls

    if bool(args.tls_cert) != bool(args.tls_key):
        raise UsageError("TLS needs a certificate and its key", "give both --tls-cert and --tls-key")
    tls = ServerTls(args.tls_cert, args.tls_key, args.client_ca) if args.tls_cert else None
    spool = stack.enter_context(Spool(str(folder / "spool")))
    receiver = Receiver(spool.append, read_token(os.environ, args.receiver_token))
    host, port = parse_address(args.listen, RECEIVER_PORT)
    listener = stack.enter_context(receiver.listen(host, port, tls=tls))
    return Spooled(spool, receiver, listener, gauges)
