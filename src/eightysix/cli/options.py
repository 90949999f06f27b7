"""Options that commands share: what is read, and by what it is judged."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eightysix.cli.terminal import environment
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.context.baseline import Baseline
    from eightysix.rules.catalog import Catalog
    from eightysix.serve.replay import ReplayOptions

__all__ = [
    "add_color",
    "add_format",
    "add_judging",
    "add_posture",
    "add_reading",
    "add_verbosity",
    "add_writing",
    "api_servers",
    "catalog_and_options",
    "load_baseline",
]

SOURCES = ("auto", "tetragon", "falco", "kubernetes-audit", "sensor", "dns", "azure", "ledger", "gate")


def add_reading(parser: argparse.ArgumentParser, *, asks: bool = False) -> None:
    """What is read, and what is known of where it comes from. `asks`: of a command that is asked for a pod or an identity by
    the same options."""
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--source",
        choices=SOURCES,
        default=environment("SOURCE", "auto"),
        help="format of all inputs (EIGHTYSIX_SOURCE; default auto)",
    )
    reading.add_argument(
        "--pod",
        default=environment("POD"),
        metavar="NS/NAME",
        help=("the story of this pod, and " if asks else "")
        + "whose the sensor records without a pod are (EIGHTYSIX_POD)",
    )
    reading.add_argument(
        "--api-server",
        action="append",
        metavar="HOST",
        default=None,
        help="address or name of the Kubernetes API server, repeatable (EIGHTYSIX_API_SERVER, comma separated)",
    )
    reading.add_argument(
        "--ledger",
        default=environment("LEDGER"),
        metavar="FILE",
        help="what scans know of the files that pods load, as eightysix scan --ledger writes it (EIGHTYSIX_LEDGER)",
    )
    _add_declarations(parser, asks=asks)


def _add_declarations(parser: argparse.ArgumentParser, *, asks: bool) -> None:
    """What an operator says that no record does."""
    group = parser.add_argument_group("declaring")
    group.add_argument(
        "--egress",
        action="append",
        metavar="CIDR",
        default=None,
        help="range that the cluster's calls come from, repeatable (EIGHTYSIX_EGRESS, comma separated)",
    )
    group.add_argument(
        "--identity",
        action="append",
        metavar="ID|NS/SERVICEACCOUNT=ID" if asks else "NS/SERVICEACCOUNT=ID",
        default=None,
        help=("the story of this identity; or, with =, the " if asks else "")
        + "client or object id of a service account's cloud identity (* for the nodes'), repeatable"
        " (EIGHTYSIX_IDENTITY, comma separated)",
    )


def _several(name: str) -> list[str]:
    return [text for text in environment(name).split(",") if text]


def add_judging(parser: argparse.ArgumentParser) -> None:
    """By what it is judged."""
    judging = parser.add_argument_group("judging")
    judging.add_argument(
        "--baseline",
        default=environment("BASELINE"),
        metavar="FILE",
        help="what workloads normally do (EIGHTYSIX_BASELINE)",
    )
    judging.add_argument(
        "--rules",
        default=environment("RULES"),
        metavar="DIR",
        help="folder rules.d with your rules and exceptions (EIGHTYSIX_RULES)",
    )


def add_posture(to: argparse._ActionsContainer, told: str = "") -> None:
    """The posture by which a pod's reach is told."""
    to.add_argument(
        "--posture",
        default=environment("POSTURE"),
        metavar="FILE",
        help="say what each pod could reach, by what eightysix posture --format json wrote"
        + told
        + " (EIGHTYSIX_POSTURE)",
    )


def add_writing(parser: argparse.ArgumentParser, formats: Sequence[str]) -> argparse._ArgumentGroup:
    """How the result is told."""
    writing = parser.add_argument_group("writing")
    add_format(writing, formats)
    writing.add_argument(
        "--output",
        default=environment("OUTPUT"),
        metavar="FILE",
        help="write there instead of standard output, mode 0600 (EIGHTYSIX_OUTPUT)",
    )
    add_color(writing)
    add_verbosity(writing, "tell every incident and problem in full")
    writing.add_argument(
        "--exit-zero",
        action="store_true",
        default=bool(environment("EXIT_ZERO")),
        help="exit 0 whatever was found (EIGHTYSIX_EXIT_ZERO)",
    )
    return writing


def add_format(to: argparse._ActionsContainer, formats: Sequence[str], told: str = "") -> None:
    """In which of `formats` it is told; `told` says what."""
    to.add_argument(
        "--format",
        choices=formats,
        default=environment("FORMAT", "plain"),
        help=f"{told} (EIGHTYSIX_FORMAT; default plain)".lstrip(),
    )


def add_color(to: argparse._ActionsContainer) -> None:
    """Whether it is coloured."""
    to.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default=environment("COLOR", "auto"),
        help="(EIGHTYSIX_COLOR; default auto)",
    )


def add_verbosity(to: argparse._ActionsContainer, told: str) -> None:
    """How much is told; `told` says what more there is."""
    to.add_argument("-v", "--verbose", action="count", default=0, help=told)
    to.add_argument("-q", "--quiet", action="store_true", help="nothing on standard error but failures")


def catalog_and_options(args: argparse.Namespace) -> tuple[Catalog, ReplayOptions]:
    """The rules, and the options of a run, that the command line asks for."""
    from eightysix.context.addresses import Ranges
    from eightysix.context.principals import identities
    from eightysix.rules.catalog import load_all
    from eightysix.serve.replay import ReplayOptions

    catalog = load_all(args.rules)
    servers = args.api_server or [host for host in environment("API_SERVER").split(",") if host]
    options = ReplayOptions(
        source=args.source,
        pod=args.pod,
        ledger=args.ledger,
        api_servers=api_servers(servers),
        egress=Ranges(args.egress or _several("EGRESS")),
        identities=identities(args.identity or _several("IDENTITY")),
        baseline=load_baseline(args.baseline),
        exceptions=catalog.exceptions,
    )
    return catalog, options


def api_servers(told: Sequence[str]) -> frozenset[str]:
    """The hosts that the operator names, as records have them. Raises `UsageError` for what no record could match."""
    from eightysix.context.destinations import address

    hosts = set()
    for text in told:
        host = text.strip().rstrip(".").lower()
        label = host.replace("-", "").replace(".", "")
        named = label.isalnum() and label.isascii() and not label.isdigit() and ".." not in host
        known = address(host) or (host if named else "")
        if not known:
            raise UsageError(
                f"--api-server takes an address or a host name, and {text!r} is neither",
                "Leave out the scheme, the port and any path: --api-server 10.0.0.1",
            )
        hosts.add(known)
    return frozenset(hosts)


def load_baseline(path: str) -> Baseline | None:
    """The snapshot in `path`; None where no path is given."""
    if not path:
        return None
    from eightysix.cli.files import read_operator_file
    from eightysix.context.baseline import decode_baseline

    return decode_baseline(read_operator_file(path, "baseline"))
