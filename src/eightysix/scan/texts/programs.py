"""Source code among artifacts: it is what it is, and runs only if somebody runs or imports it.

That is noted. What is more than a note: a script that fetches what it runs, or asks the cloud for credentials, and a
Python module that runs commands as soon as it is imported, which is what `auto_map` and `custom_generate` make of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eightysix.scan.agent.urls import METADATA, METADATA_ADDRESSES
from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.pythonic import parsed
from eightysix.scan.texts.names import acts
from eightysix.scan.texts.tree import shown

__all__ = ["judge_cell", "judge_python", "judge_script", "looks_python"]

PARSED = 512 << 10
"""Bytes of Python source that are parsed: what is larger was written by a program, and is not looked into."""

CREDENTIALS = ("/var/run/secrets/", ".aws/credentials", ".kube/config", ".ssh/id_")
"""Where Kubernetes, the AWS tools, kubectl and OpenSSH keep them by their own documentation."""

_FETCHERS = ("curl ", "wget ", "fetch ")
_SHELLS = ("sh", "bash", "zsh", "dash", "python", "python3", "perl", "ruby", "node")
_STARTS = (
    "import ",
    "from ",
    "def ",
    "class ",
    "@",
    '"""',
    "'''",
    "async def ",
    "# -*- coding",
    "if __name__",
)


def judge_script(text: str, artifact: Artifact, scan: Scan) -> None:
    """Judge a script that begins with `#!`."""
    first = text.partition("\n")[0]
    if "python" in first:
        return  # a program is run, not imported: what it does first is its business
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        if _piped(line):
            scan.report(
                "script-fetches", artifact, f"line {number}: fetches what it runs: {shown(line.strip())}"
            )
        elif any(address in line for address in METADATA_ADDRESSES | METADATA):
            scan.report(
                "script-fetches",
                artifact,
                f"line {number}: asks the cloud's metadata service: {shown(line.strip())}",
            )


def judge_cell(source: str, way: str, artifact: Artifact, scan: Scan) -> None:
    """Judge the source of a notebook cell: shell lines and magics, and the plain forms in Python."""
    for line in source.split("\n"):
        shell = line.lstrip().lstrip("!%").replace('("', " ").replace("('", " ")
        if shell.lstrip().startswith("#"):
            continue
        why, rule = "", "cell-fetches"
        if "/dev/tcp/" in line:
            why, rule = "opens a shell to another host", "cell-attacks"
        elif _piped(shell):
            why = "runs what it fetches"
        elif any(address in line for address in METADATA_ADDRESSES | METADATA):
            why = "asks the cloud's metadata service"
        elif _decodes(line):
            why, rule = "executes what it decodes", "cell-attacks"
        elif any(place in line for place in CREDENTIALS):
            why = "reads credentials"
        elif "pip install" in line and any(
            scheme in line for scheme in (" http://", "=http://", "git+http://")
        ):
            why = "installs what it fetches without encryption"
        elif "dup2(" in line and "connect(" in line:
            why, rule = "opens a shell to another host", "cell-attacks"
        if why:
            scan.report(rule, artifact, f"{way}: {why}: {shown(line.strip())}")


def _decodes(line: str) -> bool:
    return any(f"{call}(" in line for call in ("exec", "eval")) and any(
        word in line
        for word in ("b64decode", "a85decode", "decompress(", "fromhex(", "marshal.loads", "codecs.decode")
    )


def _piped(line: str) -> bool:
    """`curl ... | sh`, `sh -c "$(curl ...)"`, `bash <(wget ...)`."""
    if not any(word in f"{line} " for word in _FETCHERS):
        return False
    later = [part.strip().removeprefix("sudo ").split(" ")[0].rstrip("'\")") for part in line.split("|")[1:]]
    if any(word.rsplit("/", 1)[-1] in _SHELLS for word in later):
        return True
    return any(f"{opening}{word}" in line for opening in ("$(", "<(", "`") for word in _FETCHERS) and any(
        line.lstrip().startswith((f"{shell} ", "eval ")) for shell in _SHELLS
    )


def looks_python(text: str) -> bool:
    """Whether a text could be a Python module: one of its first lines of code begins as such do."""
    lines = [line for line in text[:4000].split("\n") if line.strip() and not line.startswith("#")]
    return any(line.startswith(_STARTS) for line in lines[:20])


def judge_python(text: str, artifact: Artifact, scan: Scan) -> bool:
    """Judge Python source; False where it is none."""
    if len(text) > PARSED:
        return True
    try:
        tree = parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if not any(
        isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)) for node in tree.body
    ):
        return False
    names = _bound(tree)
    for call in _at_import(tree):
        name = _dotted(call.func, names)
        # Without an argument the caller does not choose what is done: platform.system() is no os.system("...").
        effect = acts(name) if name and (call.args or call.keywords) else ""
        if effect:
            why = f"line {call.lineno}: calls {shown(name)} as soon as it is imported: it {effect}"
            scan.report("module-acts", artifact, why)
    return True


def _bound(tree: ast.Module) -> dict[str, str]:
    """What the names that are imported at module level stand for."""
    names: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _at_import(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls that run when the module is imported: not those in functions, and not below `if __name__ == ...`."""
    stack: list[ast.AST] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "__name__" in {
            one.id for one in ast.walk(node.test) if isinstance(one, ast.Name)
        }:
            stack.extend(node.orelse)
            continue
        if isinstance(node, ast.Call):
            yield node
        stack.extend(ast.iter_child_nodes(node))


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    root = names.get(node.id, "" if parts else f"builtins.{node.id}")
    return ".".join([root, *reversed(parts)]) if root else ""
