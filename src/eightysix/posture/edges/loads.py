"""What a container loads when it starts: packages that its command installs, models from a hub.

Commands are read by `context.commands`, which repeats no secret; scripts given to a shell are read command by command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from eightysix.context.argv import split
from eightysix.context.commands import summarise
from eightysix.context.packages import read_model
from eightysix.model.posture import Confidence
from eightysix.posture.objects import Container

__all__ = ["Load", "loads"]

_MAX_SCRIPT = 65_536
_MAX_COMMANDS = 512
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_WRAPPERS = frozenset({"exec", "sudo", "then", "do", "else", "time", "nohup", "env", "!", "{", "("})
_SERVERS = frozenset(
    {"vllm", "sglang", "trtllm-serve", "text-generation-launcher", "mlc_llm", "lmdeploy", "tritonserver"}
)
_MODEL_FLAGS = ("--model", "--model-path", "--model-id", "--model_id", "--model-name", "--hf-model")
_MODEL_VARIABLES = frozenset(
    "MODEL_ID HF_MODEL_ID MODEL_NAME HF_MODEL MODEL VLLM_MODEL HUGGINGFACE_MODEL_ID".split()
)
"""docs.vllm.ai, docs.sglang.ai, huggingface.co/docs/text-generation-inference."""

_REMOTE_CODE = ("--trust-remote-code", "--trust_remote_code")
_REVISIONS = ("--revision", "--code-revision")
_SEPARATORS = ("&&", "||", ";", "\n", "|", "&")


class Load(Struct, frozen=True, gc=False):
    """Something that lands in a container: what, where that is said, and how surely whoever changes it runs code there."""

    kind: str
    name: str
    path: str
    confidence: Confidence
    needs: str = ""


def loads(container: Container) -> Iterator[Load]:
    """What a container loads when it starts, from its command, its arguments and variables. Paths are below the container."""
    words = [*(container.command or ()), *(container.args or ())]
    found: dict[tuple[str, str], Load] = {}
    where = "command" if container.command else "args"
    for command in _commands(words):
        for load in _one(command, where):
            found.setdefault((load.kind, load.name), load)
    for index, variable in enumerate(container.env or ()):
        if variable.name in _MODEL_VARIABLES and variable.value:
            model = _model(variable.value)
            if model:
                load = Load("model", model, f"env[{index}]", Confidence.ASSUMED, _WEIGHTS)
                found.setdefault(("model", model), load)
    yield from found.values()


_WEIGHTS = "the model is of a kind that runs code when it is loaded"


def _commands(words: Sequence[str]) -> Iterator[list[str]]:
    """Commands that are run: the words themselves, and each command of a shell's script."""
    if not words:
        return
    yield list(words)
    name = words[0].rpartition("/")[2]
    if name not in _SHELLS:
        return
    for place, word in enumerate(words[1:8], start=1):
        if word.startswith("-") and not word.startswith("--") and "c" in word and place + 1 < len(words):
            yield from _script(words[place + 1])
            return


def _script(script: str) -> Iterator[list[str]]:
    text = script[:_MAX_SCRIPT].replace("\\\n", " ")
    for separator in _SEPARATORS:
        text = text.replace(separator, "\n")
    for line in text.split("\n", _MAX_COMMANDS)[:_MAX_COMMANDS]:
        words = [word for word in split(line.strip()).words if word]
        while words and (words[0] in _WRAPPERS or ("=" in words[0] and not words[0].startswith("-"))):
            words = words[1:]
        if words:
            yield words


def _one(words: Sequence[str], where: str) -> Iterator[Load]:
    command = summarise(words[0], words[1:])
    if command.activity in ("install", "download"):
        for artifact in command.artifacts[:64]:
            exact = artifact.kind == "pypi" and bool(artifact.version)
            sure = Confidence.INFERRED if exact else Confidence.PROVED
            needs = "the index gives other files for this version" if exact else ""
            model = artifact.kind in ("model", "huggingface")
            yield Load(
                "model" if model else artifact.kind,
                artifact.name,
                where,
                Confidence.ASSUMED if model else sure,
                _WEIGHTS if model else needs,
            )
        if not command.artifacts:
            yield Load("install", command.summary, where, Confidence.INFERRED)
    yield from _served(words, where)


def _served(words: Sequence[str], where: str) -> Iterator[Load]:
    """The model that a server is told to serve, unless a commit of it is named."""
    name = words[0].rpartition("/")[2]
    names = [word for word in words[:512] if word]
    model = ""
    if name in _SERVERS and "serve" in names[1:3]:
        after = names[names.index("serve") + 1 :]
        model = _model(after[0]) if after else ""
    for place, word in enumerate(names):
        flag, equals, value = word.partition("=")
        if flag in _MODEL_FLAGS:
            told = value if equals else names[place + 1] if place + 1 < len(names) else ""
            model = model or _model(told)
    if not model or _at_commit(names):
        return
    if any(word.partition("=")[0] in _REMOTE_CODE and not word.lower().endswith("=false") for word in names):
        yield Load("model", model, where, Confidence.PROVED)
    else:
        yield Load("model", model, where, Confidence.ASSUMED, _WEIGHTS)


def _at_commit(words: Sequence[str]) -> bool:
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag in _REVISIONS:
            told = value if equals else words[place + 1] if place + 1 < len(words) else ""
            if len(told) == 40 and not set(told.lower()) - set("0123456789abcdef"):
                return True
    return False


def _model(word: str) -> str:
    """A model of a hub (`OWNER/NAME`), empty for paths and anything else."""
    if len(word) > 200 or word.startswith(("/", ".", "~", "$")) or word.count("/") != 1 or ":" in word:
        return ""
    landing = read_model(word, "")
    return landing.artifacts[0].name if landing is not None and landing.artifacts else ""
