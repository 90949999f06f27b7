"""`eightysix posture PATH...`: what one compromised pod can reach, which identities nobody uses, which changes help most."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from eightysix.cli.detect import tell_problems, write_output
from eightysix.cli.inventory import IN_CLUSTER
from eightysix.cli.options import add_writing
from eightysix.cli.posture_store import STORED, keep, list_snapshots, show
from eightysix.cli.terminal import environment, inert_line, may_colour, terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.posture import Posture
    from eightysix.posture.judge import World
    from eightysix.posture.reading import SnapshotBuilder
    from eightysix.serve.posturelogs import LogReader

__all__ = ["add_parser", "exit_code", "namespace_of", "run"]

FORMATS = ("plain", "json", "sarif", "html", "opengraph")
_ANSWERS = ("plain", "json")
_WITH_CUTS = ("html", "sarif")
RULES = ("default", "kubehound")
_ASKING = ("why", "simulate", "diff", "snapshots")
_EXIT = {"none": 0, "unseen": 10, "low": 11, "medium": 12, "high": 13}

EPILOG = """\
questions:
  eightysix posture why POD SINK PATH...       how POD (namespace/name) reaches SINK (cluster-admin, node, ...)
  eightysix posture simulate --without TYPE:SOURCE:TARGET PATH...
                                               what pods lose when this edge is cut, repeatable
  eightysix posture snapshots --store DIR      what is stored; @last, @last~1, @ID and @TIME name one
  eightysix posture diff BEFORE AFTER          what a change does; each is a file or folder of objects,
                                               JSON that posture wrote, or @SNAPSHOT of --store
exit codes: 13 a pod that loads what others can replace reaches cluster-admin or the subscription by
proved edges alone, 12 a pod reaches another sink, 11 only by assumed edges or because the hardware
needs it, 10 nothing found and not everything seen, 0 nothing found
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "posture",
        help="tell what one compromised pod can reach",
        description="Reads the objects of a cluster (kubectl get ... -o json, manifests, rendered charts, or a live cluster)"
        " and of its cloud (answers of az), and tells which credentials each pod holds, what it reaches with them, which"
        " identities nobody uses, and which few changes protect the most pods. Secrets are never read.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="eightysix posture [why POD SINK | simulate --without EDGE | diff BEFORE AFTER | snapshots] [PATH ...] [options]",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder, or - for standard input")
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--manifests",
        action="store_true",
        default=bool(environment("MANIFESTS")),
        help="PATHs are manifests: what only a cluster has is not told as missing (EIGHTYSIX_MANIFESTS)",
    )
    reading.add_argument(
        "--cloud",
        action="append",
        metavar="PATH",
        default=None,
        help="answers of az as JSON, file or folder, repeatable (EIGHTYSIX_CLOUD, comma separated)",
    )
    reading.add_argument(
        "--azure",
        action="store_true",
        default=bool(environment("AZURE")),
        help="ask the cloud by running az with the rights of whoever is signed in (EIGHTYSIX_AZURE); without az, tell"
        " what to run",
    )
    reading.add_argument(
        "--azure-subscription",
        default=environment("AZURE_SUBSCRIPTION"),
        metavar="NAME",
        help="of az, instead of its default (EIGHTYSIX_AZURE_SUBSCRIPTION)",
    )
    reading.add_argument(
        "--logs",
        action="append",
        metavar="PATH",
        default=None,
        help="sign-ins, audit logs and logs of Azure's services: when each identity was used last, repeatable"
        " (EIGHTYSIX_LOGS, comma separated)",
    )
    reading.add_argument(
        "--store",
        default=environment("STORE"),
        metavar="DIR",
        help="without PATHs the last snapshot there; with them, logs there tell of identities (EIGHTYSIX_STORE)",
    )
    reading.add_argument(
        "--kubeconfig",
        default=environment("KUBECONFIG"),
        metavar=f"FILE|{IN_CLUSTER}",
        help="ask this cluster for lists, never for Secrets (EIGHTYSIX_KUBECONFIG)",
    )
    reading.add_argument(
        "--secret-types",
        action="store_true",
        default=bool(environment("SECRET_TYPES")),
        help="ask it for names and types of Secrets too, without data; that needs the right to list them, which is the right"
        " to read them (EIGHTYSIX_SECRET_TYPES)",
    )
    reading.add_argument(
        "--context",
        default=environment("CONTEXT"),
        metavar="NAME",
        help="of the kubeconfig (EIGHTYSIX_CONTEXT)",
    )
    reading.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        default=None,
        help="with --kubeconfig: ask for this namespace alone where the cluster may not be listed, repeatable; of files: where"
        " objects are that name no namespace, as with helm and kubectl",
    )
    reading.add_argument(
        "--cluster",
        default=environment("CLUSTER"),
        metavar="NAME",
        help="what the cluster is called (EIGHTYSIX_CLUSTER)",
    )
    reading.add_argument(
        "--taken-at",
        default=environment("TAKEN_AT"),
        metavar="TIME",
        help="when these files were collected, RFC 3339 (EIGHTYSIX_TAKEN_AT)",
    )
    reading.add_argument(
        "--server-version",
        default=environment("SERVER_VERSION"),
        metavar="1.NN",
        help="version of the API server (EIGHTYSIX_SERVER_VERSION)",
    )
    judging = parser.add_argument_group("judging")
    judging.add_argument(
        "--rules",
        choices=RULES,
        default=environment("POSTURE_RULES", "default"),
        help="kubehound: the edges that KubeHound draws (EIGHTYSIX_POSTURE_RULES)",
    )
    judging.add_argument(
        "--without",
        action="append",
        metavar="TYPE:SOURCE:TARGET",
        default=None,
        help="with simulate: cut this edge, as --format json names it, repeatable",
    )
    writing = add_writing(parser, (*FORMATS, "markdown"))
    writing.add_argument(
        "--save-to",
        default=environment("SAVE_TO"),
        metavar="DIR",
        help="keep what is told in this store too, which is made where there is none (EIGHTYSIX_SAVE_TO)",
    )
    parser.parse_known_args = _Intermixed(parser)  # type: ignore[method-assign, assignment]
    parser.set_defaults(run=run)


class _Intermixed:
    """Takes paths after options too: argparse gives up on `simulate --without EDGE PATH`, as it fills all positionals at the
    first one, and its own intermixed parsing is not for parsers of commands."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parse = parser.parse_known_args

    def __call__(self, args: Sequence[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        known, rest = self._parse(args, namespace)
        known.paths = [*known.paths, *(word for word in rest if word == "-" or not word.startswith("-"))]
        return known, [word for word in rest if word != "-" and word.startswith("-")]


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run the command; returns the exit code that its help documents."""
    asked, paths = _asked(args)
    if asked == ["diff"]:
        from eightysix.cli.posture_diff import run_diff

        return run_diff(args, paths, out, err)
    if asked and args.format not in _ANSWERS:
        raise UsageError(f"{asked[0]} gives no {args.format}", f"Choose one of: {', '.join(_ANSWERS)}.")
    if asked == ["snapshots"]:
        return list_snapshots(args, out, err)
    if args.format == "markdown":
        raise UsageError("markdown is a format of diff", "Choose plain or json.")
    stored = _stored(args, asked, paths)
    if stored is not None:
        shown = show(args, stored, out, err)
        return 0 if args.exit_zero else exit_code(shown)
    builder, logs = _read(args, paths, err)
    from eightysix.posture.judge import World, judge
    from eightysix.report.interface import RenderOptions

    world = World(builder.snapshot(), args.rules)
    render = RenderOptions(
        width=terminal_width(), colour=not args.output and may_colour(args.color, out), verbose=args.verbose
    )
    if asked:
        write_output(_answer(args, world, asked, render.width, logs), args.output, out)
        return 0
    from eightysix.report.posture.interface import get_posture_format

    log = None if args.manifests and not logs.found else logs.uses
    told = judge(
        world.snapshot,
        rules=args.rules,
        log=log,
        changes=logs.changes(builder.cluster),
        world=world,
        cuts=args.format in _WITH_CUTS or bool(args.save_to),
        places=builder.places,
    )
    write_output("".join(get_posture_format(args.format).write(told, render)), args.output, out)
    if args.save_to:
        keep(args, told, err)
    return 0 if args.exit_zero else exit_code(told)


def _stored(args: argparse.Namespace, asked: list[str], paths: list[str]) -> str | None:
    """Which stored snapshot is asked for: the one that is named, the last one where nothing is named but a store."""
    named = [path for path in paths if path.startswith(STORED)]
    if not named and (paths or args.kubeconfig or not args.store):
        return None
    if asked or args.save_to or len(paths) > 1:
        raise UsageError(
            "a stored snapshot is shown alone, or given to diff", "Name files for everything else."
        )
    return named[0].removeprefix(STORED) if named else "last"


def exit_code(told: Posture) -> int:
    """As the help has it."""
    from eightysix.posture.judge import worst

    return _EXIT[worst(told)]


def _asked(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The question (`why POD SINK`, `simulate`, or none) and what is left of the paths."""
    paths: list[str] = args.paths
    question = paths[0] if paths and paths[0] in _ASKING else ""
    if question == "why":
        if len(paths) < 3:
            raise UsageError("why takes a pod and a sink", "As in: posture why ml/vllm cluster-admin PATH...")
        return paths[:3], paths[3:]
    if question == "simulate":
        if not args.without:
            raise UsageError("simulate takes edges to cut", "Name one with --without TYPE:SOURCE:TARGET.")
        return paths[:1], paths[1:]
    if question == "snapshots" and len(paths) > 1:
        raise UsageError("snapshots takes no paths", "As in: posture snapshots --store DIR")
    if question in ("diff", "snapshots") and not args.without:
        return [question], paths[1:]
    if args.without:
        raise UsageError("--without belongs to a question", "Ask: posture simulate --without EDGE PATH...")
    return [], paths


def _read(args: argparse.Namespace, paths: list[str], err: TextIO) -> tuple[SnapshotBuilder, LogReader]:
    """Everything that the options name, taken; what could not be used goes to `err`."""
    from eightysix.posture.reading import SnapshotBuilder
    from eightysix.serve import cluster
    from eightysix.serve.posture import collect, read_paths
    from eightysix.serve.posturelogs import LogReader

    clouds = args.cloud or [text for text in environment("CLOUD").split(",") if text]
    if not paths and not args.kubeconfig:
        raise UsageError(
            "there is nothing to read", "Name files or folders, - for standard input, or --kubeconfig FILE."
        )
    if args.kubeconfig and args.manifests:
        raise UsageError("a cluster is no manifests", "Leave out --manifests or --kubeconfig.")
    if (args.context or args.secret_types) and not args.kubeconfig:
        raise UsageError("--context and --secret-types are of a live cluster", "Name it with --kubeconfig.")
    builder = SnapshotBuilder(
        args.cluster, _time(args.taken_at), args.server_version, args.manifests, namespace_of(args)
    )
    problems = []
    if args.kubeconfig:
        config = (
            cluster.in_cluster(os.environ)
            if args.kubeconfig == IN_CLUSTER
            else cluster.from_kubeconfig(args.kubeconfig, args.context)
        )
        builder.cluster = builder.cluster or config.name
        builder.taken_at = builder.taken_at or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with cluster.ClusterClient(config) as client:
            collect(builder, client, args.namespace or (), secrets=args.secret_types)
    if args.azure:
        _ask_azure(builder, args, err)
    logs = LogReader()
    for group in (paths, clouds):
        if group:
            problems += read_paths(builder, group, stdin=sys.stdin.buffer, logs=logs)
    if args.logs or environment("LOGS"):
        logs.read(args.logs or [text for text in environment("LOGS").split(",") if text], sys.stdin.buffer)
    if args.store:
        logs.read_store(args.store)
    problems += logs.end()
    if not args.quiet:
        tell_problems([*problems, *builder.problems], args.verbose, err)
        if args.verbose and builder.unknown:
            told = ", ".join(f"{count} {kind}" for kind, count in sorted(builder.unknown.items()))
            print(f"eightysix: not used: {inert_line(told)}", file=err)
    return builder, logs


def namespace_of(args: argparse.Namespace) -> str:
    """In which namespace objects of files are that name none. Raises `UsageError`."""
    named = args.namespace or []
    if len(named) > 1 and not args.kubeconfig:
        raise UsageError(
            "several namespaces are of a live cluster",
            "Objects of files without a namespace are in one: name one.",
        )
    return named[0] if len(named) == 1 else ""


def _ask_azure(builder: SnapshotBuilder, args: argparse.Namespace, err: TextIO) -> None:
    """Run `az`, or tell what to run where it is."""
    from eightysix.serve import azcli

    az = azcli.az_path()
    if az:
        azcli.collect_azure(builder, az, subscription=args.azure_subscription)
        return
    print("eightysix: az is not here. Run these where it is, and give the answers with --cloud:", file=err)
    for command in azcli.commands(args.azure_subscription):
        print(f"  {inert_line(command)}", file=err)


def _time(text: str) -> str:
    from eightysix.model.timestamps import to_ns

    try:
        if text:
            to_ns(text)
    except ValueError:
        raise UsageError(
            f"--taken-at takes a time as RFC 3339, and {text!r} is none", "As in 2026-11-23T12:00:00Z."
        ) from None
    return text


def _answer(args: argparse.Namespace, world: World, asked: list[str], width: int, logs: LogReader) -> str:
    from eightysix.cli import posture_text

    if asked[0] == "why":
        pod = world.find(asked[1])
        sink = posture_text.sink_of(world, asked[2])
        changes = logs.changes(world.snapshot.cluster)
        return posture_text.why(world, pod, sink, args.format, width, changes)
    return posture_text.simulation(world, args.without, args.format, width)
