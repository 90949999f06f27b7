"""Tables of names are taken from wheels by their syntax trees."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

from eightysix.scan.agent.known import known
from tools.agentnames.__main__ import HERE
from tools.agentnames.collect import collect

SOURCES = {
    "langchain_core/load/mapping.py": "SERIALIZABLE_MAPPING = {('langchain', 'A'): ('langchain_core', 'a', 'A')}\n",
    "langchain_core/load/load.py": "DEFAULT_NAMESPACES = ['langchain']\n",
    "langchain_core/base.py": "from pydantic import BaseModel\nclass Serializable(BaseModel):\n"
    "    @classmethod\n    def is_lc_serializable(cls): return False\n",
    "langchain_x/model.py": "class Chat(Serializable):\n    @classmethod\n    def is_lc_serializable(cls): return True\n"
    "    @classmethod\n    def get_lc_namespace(cls): return ['langchain', 'chat']\n"
    "    @property\n    def lc_secrets(self): return {'key': 'KEY'}\nclass Better(Chat): ...\n"
    "class Shell(Serializable): ...\nclass Other(Elsewhere): ...\nraise SystemExit('never run')\n",
    "langgraph/checkpoint/serde/_msgpack.py": "SAFE_MSGPACK_TYPES: frozenset = frozenset({('uuid', 'UUID')})\n",
    "x/chains/loading.py": "def _a(c): from langchain_experimental import X\ndef _b(c): ...\n"
    "type_to_loader_dict = {'a': _a, 'b': _b}\n",
    "diffusers/pipelines/one/__init__.py": "",
    "diffusers/pipelines/pipeline_loading_utils.py": "LOADABLE_CLASSES = {'transformers': {}}\n",
}


def test_what_a_wheel_says(tmp_path: Path) -> None:
    for name in ("lc_all.whl", "diffusers.whl"):
        with zipfile.ZipFile(tmp_path / name, "w") as wheel:
            for path, text in SOURCES.items():
                wheel.writestr(path, text)
    table = collect([tmp_path / "lc_all.whl", tmp_path / "diffusers.whl"])
    assert table["allowed"] == {
        "langchain.A": "langchain_core.a.A",
        "langchain_core.a.A": "langchain_core.a.A",
    }
    assert {"langchain.chat.Chat", "langchain.chat.Better", "langchain_x.model.Chat"} <= set(
        table["serializable"]
    )
    assert table["secrets"]["langchain.chat.Better"] == {"key": "KEY"}
    assert table["never"] == ["Serializable", "Shell"]
    assert table["types"] == ["uuid.UUID"]
    assert table["chains"] == {"a": "langchain_experimental", "b": ""}
    assert table["diffusers"]["libraries"] == ["transformers"]
    assert "one" in table["diffusers"]["pipelines"]


def test_what_is_shipped_names_the_wheels_that_are_pinned() -> None:
    pins = tomllib.loads((HERE / "pins.toml").read_text())["wheel"]
    assert known().wheels == {pin["file"]: pin["sha256"] for pin in pins}
    assert known().allowed["langchain.schema.messages.AIMessage"] == "langchain_core.messages.ai.AIMessage"
