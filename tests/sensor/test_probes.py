"""Probes against the real libraries, and what they cost before and leave behind.

`EIGHTYSIX_TEST_LIBRARIES` names interpreters (joined by `:`) that have langchain-core 1.2.4 (CVE-2025-68664), and torch with
transformers: nothing that large belongs into the tests' own environment, which has joblib.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from eightysix.model.words import Kind
from eightysix.sources.sensor import SensorDecoder
from tests.sensor.hosts import Host, Record, one, told, wheel_into
from tests.tiers import require_tier


@functools.lru_cache(maxsize=8)
def python_with(module: str, tier: str) -> str:
    """An interpreter that has `module`."""
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    listed = [name for name in os.environ.get("EIGHTYSIX_TEST_LIBRARIES", "").split(":") if name]
    fits = (
        name for name in listed if not subprocess.run([name, "-c", code], check=False, timeout=60).returncode
    )
    found = next(fits, "")
    return found or require_tier(tier, f"EIGHTYSIX_TEST_LIBRARIES names no Python with {module}")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()


def identity(path: Path) -> dict[str, int]:
    about = path.stat()
    return {"dev": about.st_dev, "ino": about.st_ino, "size": about.st_size, "mtime_ns": about.st_mtime_ns}


JOBLIB = """
import os, sys, joblib, pathlib
assert not [f for f in sys.meta_path if "eightysix" in type(f).__module__], sys.meta_path
class R:
    def __reduce__(self): return (os.getcwd, ())
joblib.dump({"a": R()}, "model.joblib")
joblib.dump({"a": 1}, "plain.joblib")
joblib.load("model.joblib")
joblib.load(pathlib.Path("plain.joblib"))
with open("model.joblib", "rb") as f: joblib.load(f)
try: joblib.load("absent.joblib")
except FileNotFoundError: pass
assert joblib.load.__name__ == "load" and joblib.load.__module__ == "joblib.numpy_pickle"
assert "mmap_mode" in __import__("inspect").signature(joblib.load).parameters
"""


def test_joblib_tells_which_file_is_loaded_and_what_its_pickle_asks_for(host: Host) -> None:
    records = host.run(JOBLIB)
    loads = told(records, "open", api="joblib.load")
    assert [record["path"].rpartition("/")[2] for record in loads] == [
        "model.joblib", "plain.joblib", "model.joblib", "absent.joblib",
    ] or len(loads) == 3  # fmt: skip
    assert loads[0]["file"] == identity(host.app / "model.joblib")
    assert loads[1]["file"] == identity(host.app / "plain.joblib")
    assert loads[0]["root"] == f"app:{host.app}/server.py"
    looked = told(records, "pickle", module="posix", name="getcwd")[0]
    assert looked["file"] == identity(host.app / "model.joblib")
    assert looked["chain"][0].startswith("joblib==")
    events = [
        e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.kind in (Kind.FILE, Kind.PICKLE)
    ]
    assert all(event.file_id for event in events if event.file_path.endswith("model.joblib"))


def langchain_like(host: Host) -> None:
    wheel_into(
        host.site, "langchain-core", "1.2.4",
        {
            "langchain_core/__init__.py": "",
            "langchain_core/load/__init__.py": """
                import importlib
                def __getattr__(name): return getattr(importlib.import_module("langchain_core.load.load"), name)
            """,
            "langchain_core/load/load.py": """
                class Reviver:
                    def __call__(self, value): return ("revived", value)
                def loads(value): return Reviver()(value)
            """,
        },
    )  # fmt: skip


def test_a_reviver_tells_types_and_names_and_nothing_else(host: Host) -> None:
    langchain_like(host)
    records = host.run("""
        from langchain_core.load import loads
        assert loads({"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]})[0] == "revived"
        loads({"lc": 1, "type": "constructor", "id": ["langchain_openai", "ChatOpenAI"], "kwargs": {"api_key": "CANARY"}})
        loads({"lc": 1, "type": "constructor", "id": ["sk-CANARYCANARY0123456789", 3, None], "kwargs": {}})
        loads({"plain": "CANARY"}); loads("CANARY"); loads({"lc": 1, "type": ["CANARY"], "id": "CANARY"})
    """)
    revived = [(record["type"], record["id"]) for record in told(records, "revive")]
    assert revived[:2] == [
        ("secret", ["OPENAI_API_KEY"]),
        ("constructor", ["langchain_openai", "ChatOpenAI"]),
    ]
    assert b"CANARY" not in host.raw()
    events = [e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.kind is Kind.REVIVE]
    assert [(event.activity, event.module) for event in events][:2] == [
        ("secret", "OPENAI_API_KEY"),
        ("constructor", "langchain_openai.ChatOpenAI"),
    ]


@pytest.mark.tier("libraries")
def test_the_vulnerable_langchain_core_is_told_of(tmp_path: Path) -> None:
    host = Host(tmp_path, python_with("langchain_core", "libraries"))
    records = host.run(
        """
        from langchain_core.load import dumps, loads
        from langchain_core.messages import AIMessage
        taint = AIMessage(content="", additional_kwargs={"tool": {"lc": 1, "type": "secret", "id": ["LAB_SECRET"]}})
        import warnings; warnings.simplefilter("ignore")
        revived = loads(dumps(taint))
        import langchain_core
        assert langchain_core.__version__ != "1.2.4" or revived.additional_kwargs["tool"] == "CANARY", revived
        """,
        env={"LAB_SECRET": "CANARY"},
    )
    secret = one(records, "revive", type="secret")
    assert secret["id"] == ["LAB_SECRET"]
    assert secret["chain"][0].startswith("langchain-core==")
    assert told(records, "revive", type="constructor")
    assert b"CANARY" not in host.raw()


def transformers_like(host: Host) -> None:
    wheel_into(
        host.site, "transformers", "5.0",
        {
            "transformers/__init__.py": "",
            "transformers/dynamic_module_utils.py": """
                def get_class_in_module(class_name, module_path, *, force_reload=False): return class_name
                def get_class_from_dynamic_module(class_reference, pretrained_model_name_or_path, **kwargs):
                    return get_class_in_module(class_reference, pretrained_model_name_or_path)
            """,
        },
    )  # fmt: skip


def test_code_that_comes_with_a_model_is_told_before_it_is_imported(host: Host) -> None:
    transformers_like(host)
    (host.app / "modeling_lab.py").write_text("")
    records = host.run("""
        from transformers.dynamic_module_utils import get_class_from_dynamic_module
        assert get_class_from_dynamic_module("A", "modeling_lab.py") == "A"
    """)
    imports = [record for record in told(records, "import") if record.get("api")]
    assert [record["api"] for record in imports] == ["get_class_from_dynamic_module", "get_class_in_module"]
    assert imports[1]["file"] == identity(host.app / "modeling_lab.py")
    events = [
        e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.module == "transformers_modules"
    ]
    assert len(events) == 2


TORCH = """
import os, torch
class R:
    def __reduce__(self): return (os.getcwd, ())
torch.save({"w": torch.zeros(2), "x": R()}, "bad.pt")
torch.save({"w": torch.zeros(2)}, "good.pt")
torch.load("bad.pt", weights_only=False)
torch.load("good.pt")
"""


@pytest.mark.tier("torch")
def test_torch_tells_which_file_is_loaded(tmp_path: Path) -> None:
    host = Host(tmp_path, python_with("torch", "torch"))
    records: list[Record] = host.run(TORCH)
    loads = told(records, "open", api="torch.load")
    assert [record["path"].rpartition("/")[2] for record in loads] == ["bad.pt", "good.pt"]
    assert loads[0]["file"] == identity(host.app / "bad.pt")
    assert one(records, "pickle", module="posix", name="getcwd")["file"] == identity(host.app / "bad.pt")


@pytest.mark.tier("torch")
def test_transformers_tells_code_that_comes_with_a_model(tmp_path: Path) -> None:
    host = Host(tmp_path, python_with("transformers", "torch"))
    records = host.run(
        """
        import json, os
        os.mkdir("model")
        with open("model/config.json", "w") as f:
            json.dump({"model_type": "labm", "auto_map": {"AutoConfig": "configuration_lab.LabConfig"}}, f)
        with open("model/configuration_lab.py", "w") as f:
            f.write("from transformers import PretrainedConfig\\nclass LabConfig(PretrainedConfig):\\n    model_type = 'labm'\\n")
        from transformers import AutoConfig
        AutoConfig.from_pretrained("model", trust_remote_code=True)
        """,
        env={"HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"},
    )
    assert {"get_class_in_module", "get_class_from_dynamic_module"} <= {
        r.get("api") for r in told(records, "import")
    }
