"""`eightysix gate ...`: may this artifact land? Memory of what a tag, a signer and a runner used to be."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.detect import write_output
from eightysix.cli.options import add_writing
from eightysix.cli.terminal import environment, may_colour, terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.gate.attest import Trust
    from eightysix.gate.policy.form import Policy
    from eightysix.model.gate import Decision, Reference
    from eightysix.report.interface import RenderOptions
    from eightysix.scan.scanner import Options
    from eightysix.serve.gate.check import Judge
    from eightysix.serve.registry.bounds import Settings
    from eightysix.serve.registry.client import RegistryClient
    from eightysix.store.history import GateHistory

__all__ = [
    "add_asking",
    "add_memory",
    "add_parser",
    "client_for",
    "copyable",
    "exit_code",
    "open_history",
    "read_policy_and_trust",
    "registry_settings",
    "render_options",
]

FORMATS = ("plain", "json", "sarif", "github")

EPILOG = """\
exit codes: 14 held for something critical, 13 held, 0 allowed; in audit mode what would be held is 11;
1 a registry or the history failed, which allows nothing, 2 usage, 3 there is nothing to judge
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its own commands."""
    parser = commands.add_parser(
        "gate",
        help="decide whether an artifact may land",
        description="Remembers where tags pointed and who signed, and holds what differs: the same tag with a new digest, a"
        " valid signature of another workflow, weights that became a pickle.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_check(actions)
    from eightysix.cli import gate_memory, gate_watch

    gate_watch.add_parser(actions)
    gate_memory.add_parsers(actions)


def _add_check(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = actions.add_parser(
        "check",
        help="judge a reference in a registry, or a path before it is pushed",
        description="Asks the registry, verifies what is attached, scans every layer, holds it all against the history.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    check.add_argument(
        "artifact",
        metavar="REF|PATH",
        help="registry/repository:tag[@digest], a file or a folder (./NAME where its name could be a reference)",
    )
    check.add_argument("--as", dest="landing", metavar="REF", help="judge it as what this tag would become")
    check.add_argument("--no-scan", action="store_true", help="do not fetch and scan layers and files")
    check.add_argument(
        "--read-only", action="store_true", help="keep nothing: neither what was seen nor the decision"
    )
    check.add_argument(
        "--events",
        default=environment("GATE_EVENTS"),
        metavar="FILE",
        help="add the decision there as a line of JSON that eightysix detect reads (EIGHTYSIX_GATE_EVENTS)",
    )
    check.add_argument(
        "--audit", action="store_true", help="tell what would be held, and exit as if it were allowed"
    )
    add_memory(check)
    trusting = check.add_argument_group("trust, beside what the policy names")
    trusting.add_argument(
        "--root", action="append", default=[], metavar="FILE", help="trusted_root.json of a sigstore"
    )
    trusting.add_argument("--key", action="append", default=[], metavar="FILE", help="public key")
    trusting.add_argument(
        "--authority", action="append", default=[], metavar="FILE", help="certificate of an authority"
    )
    add_asking(check)
    add_writing(check, FORMATS)
    check.set_defaults(run=_check)


def add_memory(parser: argparse.ArgumentParser) -> None:
    """What is judged by: the policy and the history."""
    memory = parser.add_argument_group("judging")
    memory.add_argument(
        "--policy",
        default=environment("GATE_POLICY"),
        metavar="FILE",
        help="what the operator declares (EIGHTYSIX_GATE_POLICY)",
    )
    memory.add_argument(
        "--history",
        default=environment("GATE_HISTORY"),
        metavar="FILE",
        help="what the gate remembers (EIGHTYSIX_GATE_HISTORY)",
    )


def add_asking(parser: argparse.ArgumentParser) -> None:
    """How registries are asked."""
    asking = parser.add_argument_group("registries")
    asking.add_argument(
        "--docker-config",
        default=environment("DOCKER_CONFIG_FILE"),
        metavar="FILE",
        help="logins, as docker and podman keep them (EIGHTYSIX_DOCKER_CONFIG_FILE; default: the user's own)",
    )
    asking.add_argument(
        "--credential-helper",
        action="append",
        default=[],
        metavar="NAME",
        help="docker-credential-NAME may be run, repeatable",
    )
    asking.add_argument(
        "--plain-http",
        action="append",
        default=[],
        metavar="HOST",
        help="asked without TLS and without a login, repeatable",
    )
    asking.add_argument(
        "--ca-file",
        default=environment("CA_FILE", ""),
        metavar="FILE",
        help="certificates to trust instead of the system's (EIGHTYSIX_CA_FILE)",
    )


def exit_code(decision: Decision) -> int:
    """14 held for something critical, 13 held, 0 allowed, whatever is told besides: a pipeline goes on. 11 where audit mode
    tells of a hold."""
    from eightysix.model.finding import Severity
    from eightysix.model.gate import Ruling

    if decision.ruling is Ruling.ALLOW:
        return 0
    if decision.mode == "audit":
        return 11
    worst = max(finding.severity.rank for finding in decision.findings if finding.holds)
    return 14 if worst == Severity.CRITICAL.rank else 13


def _check(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from eightysix.report.gate.interface import get_decision_format

    landing = _landing(args.landing)
    policy, trust = read_policy_and_trust(args)
    if _is_path(args.artifact):
        _outside(args, policy)
    history = open_history(args, read_only=args.read_only)
    try:
        judge = _judge(args, policy, trust, history, err)
        decision = _judged(args, judge, landing)
    finally:
        if history is not None:
            history.close()
    if args.events:
        _tell_detection(args.events, decision)
    from eightysix import __version__

    shown = copyable(decision, args) if args.format == "plain" else decision
    text = "".join(get_decision_format(args.format).write([shown], render_options(args, out), __version__))
    write_output(text, args.output, out)
    return 0 if args.exit_zero else exit_code(decision)


def copyable(decision: Decision, args: argparse.Namespace) -> Decision:
    """The decision with commands that work as they stand, after NAME and REASON: with the files that were named here."""
    from msgspec.structs import replace

    named = [
        f" {option} {shlex.quote(path)}"
        for option, path, variable in (
            ("--policy", args.policy, "GATE_POLICY"),
            ("--history", args.history, "GATE_HISTORY"),
        )
        if path and path != environment(variable)
    ]
    found = tuple(
        replace(each, approval=each.approval + "".join(named)) if each.approval else each
        for each in decision.findings
    )
    return replace(decision, findings=found)


def _tell_detection(path: str, decision: Decision) -> None:
    from eightysix.gate.feed import line, of_decision
    from eightysix.serve.gate.feeding import FeedFile

    file = FeedFile(Path(path))
    try:
        file.write(line(of_decision(decision)))
    finally:
        file.close()


def _judged(args: argparse.Namespace, judge: Judge, landing: Reference | None) -> Decision:
    """Judge a path where there is one by that name or it looks like one, else a reference."""
    from eightysix.serve.gate.check import check_reference, needs_tag
    from eightysix.serve.gate.folder import check_path

    name: str = args.artifact
    if _is_path(name):
        return check_path(name, judge, landing=landing)
    from eightysix.gate.references import parse_reference

    reference = parse_reference(name)
    needs_tag(reference)
    with client_for(args, reference.registry) as client:
        return check_reference(client, reference, judge, landing=landing)


def _is_path(name: str) -> bool:
    """Whether a name is a path. What has a tag or digest is a reference whatever lies here: otherwise a folder of that name, in a
    checkout that somebody else wrote, would be judged instead of the registry."""
    if name.startswith(("/", "./", "../", "~")) or name in {".", ".."}:
        return True
    if not os.path.lexists(name):
        return False
    from eightysix.gate.references import parse_reference

    try:
        reference = parse_reference(name)
    except UsageError:
        return True
    return not (reference.tag or reference.digest)


def _outside(args: argparse.Namespace, policy: Policy) -> None:
    """Nothing that judges a path may lie in it, and nothing is made there either: this comes before the history is opened."""
    from eightysix.serve.gate.trusting import check_outside, trust_files

    named = [("policy", args.policy), ("history", args.history)]
    named += [("root", path) for path in args.root] + [("key", path) for path in args.key]
    named += [("authority", path) for path in args.authority]
    named += trust_files(policy, Path(args.policy).parent) if args.policy else []
    check_outside(args.artifact, [(what, path) for what, path in named if path])


def _landing(text: str | None) -> Reference | None:
    if text is None:
        return None
    from eightysix.gate.references import parse_reference

    reference = parse_reference(text)
    if not reference.tag or reference.digest:
        raise UsageError(f"--as {text} names no tag", "write registry/repository:tag: where it is to land")
    return reference


def read_policy_and_trust(args: argparse.Namespace) -> tuple[Policy, Trust]:
    """The policy that was named, or the default, and what it and the options trust."""
    from msgspec.structs import replace

    from eightysix.gate.policy.form import DEFAULT, Mode
    from eightysix.serve.gate.trusting import read_policy, read_trust

    policy = read_policy(args.policy) if args.policy else DEFAULT
    if getattr(args, "audit", False):
        policy = replace(policy, mode=Mode.AUDIT)
    folder = Path(args.policy).parent if args.policy else Path()
    roots, keys = getattr(args, "root", []), getattr(args, "key", [])
    return policy, read_trust(
        policy, folder, roots=roots, keys=keys, authorities=getattr(args, "authority", [])
    )


def open_history(args: argparse.Namespace, *, read_only: bool) -> GateHistory | None:
    """The history that was named; None where none was."""
    if not args.history:
        return None
    from eightysix.store.history import GateHistory

    path = Path(args.history)
    return GateHistory.open(path, time.time_ns, read_only=read_only)


def client_for(args: argparse.Namespace, registry: str, settings: Settings | None = None) -> RegistryClient:
    """A client for one registry, with the logins that were named."""
    from eightysix.serve.registry.client import RegistryClient
    from eightysix.serve.registry.credentials import Anonymous, DockerConfig

    helpers = frozenset(args.credential_helper)
    path = args.docker_config or _own_config()
    known = DockerConfig(path, helpers, environment=dict(os.environ)) if path else Anonymous()
    return RegistryClient(registry, known, settings or registry_settings(args))


def registry_settings(args: argparse.Namespace) -> Settings:
    """How registries may be asked."""
    from eightysix.gate.references import parse_registry
    from eightysix.serve.registry.bounds import Settings

    return Settings(
        plain_http=frozenset(parse_registry(name) for name in args.plain_http),
        ca_file=args.ca_file,
        environment=dict(os.environ),
    )


def _own_config() -> str:
    """Where docker and podman keep logins, the first that is there."""
    home = Path.home()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [
        Path(os.environ["DOCKER_CONFIG"]) / "config.json" if os.environ.get("DOCKER_CONFIG") else None,
        Path(os.environ["REGISTRY_AUTH_FILE"]) if os.environ.get("REGISTRY_AUTH_FILE") else None,
        home / ".docker" / "config.json",
        Path(runtime) / "containers" / "auth.json" if runtime else None,
    ]
    return next((str(place) for place in places if place is not None and place.is_file()), "")


def _judge(
    args: argparse.Namespace, policy: Policy, trust: Trust, history: GateHistory | None, err: TextIO
) -> Judge:
    from eightysix.cli.terminal import inert_line
    from eightysix.serve.gate.check import Judge
    from eightysix.serve.gate.evaluator import evaluate_in_child

    def tell(text: str) -> None:
        if err.isatty() and not args.quiet:
            print(f"eightysix: {inert_line(text)}", file=err)

    scan, version = (None, "") if args.no_scan else _scan()
    return Judge(
        policy=policy,
        trust=trust,
        evaluate=evaluate_in_child,
        history=history,
        scan=scan,
        scan_version=version,
        now_ns=history.now() if history is not None else time.time_ns(),
        tell=tell,
    )


def _scan() -> tuple[Options, str]:
    from eightysix.scan.api import default_options
    from eightysix.scan.catalog import rules_version
    from eightysix.scan.index import index_version

    return default_options(), f"{rules_version()}-{index_version()}"


def render_options(args: argparse.Namespace, out: TextIO) -> RenderOptions:
    """How a person wants to read it."""
    from eightysix.report.interface import RenderOptions

    return RenderOptions(
        width=terminal_width(), colour=not args.output and may_colour(args.color, out), verbose=args.verbose
    )
