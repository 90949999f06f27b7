"""Benign files of PyTorch, safetensors, ONNX, GGUF, Hugging Face, LangChain and LangGraph, Parquet and notebooks.

python -m bench.scan.benign.models FOLDER
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import functools
import json
import pathlib
import pickle
import random
import sqlite3
import types
import warnings
from typing import Any

from bench.scan.benign.writing import Folder, library, main

# What chat models ship today, shortened: loops, tools, filters, dates, namespaces, macros.
CHAT_TEMPLATES = {
    "chatml": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama3": "{{- bos_token }}\n{%- if custom_tools is defined %}\n    {%- set tools = custom_tools %}\n{%- endif %}\n{%- if not date_string is defined %}{%- if strftime_now is defined %}{%- set date_string = strftime_now(\"%d %b %Y\") %}{%- else %}{%- set date_string = \"26 Jul 2024\" %}{%- endif %}{%- endif %}{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}{%- endfor %}",
    "mistral": "{%- if messages[0][\"role\"] == \"system\" %}{%- set system_message = messages[0][\"content\"] %}{%- set loop_messages = messages[1:] %}{%- else %}{%- set loop_messages = messages %}{%- endif %}{%- for message in loop_messages | rejectattr(\"role\", \"equalto\", \"tool\") %}{%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{- raise_exception('roles must alternate') }}{%- endif %}{{ message.content }}{%- endfor %}",
    "qwen-tools": "{%- if tools %}{{- '<tools>' }}{%- for tool in tools %}{{- \"\\n\" }}{{- tool | tojson }}{%- endfor %}{{- '</tools>' }}{%- endif %}{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}{%- for message in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}{%- if ns.multi_step_tool and message.role == \"user\" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}{%- set ns.multi_step_tool = false %}{%- set ns.last_query_index = index %}{%- endif %}{%- endfor %}",
    "macro": "{%- macro render(item) -%}{%- if item is mapping -%}{%- for k, v in item.items() -%}{{ k }}: {{ render(v) }}{%- endfor -%}{%- else -%}{{ item | string }}{%- endif -%}{%- endmacro -%}{% for m in messages %}{{ render(m) }}{% endfor %}",
    "deepseek": "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{ content }}{% endif %}{%- endfor %}",
    "gemma": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}",
    "generation": "{% for m in messages %}{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}{% endgeneration %}{% endif %}{% endfor %}",
}  # fmt: skip


def torch_modules() -> dict[str, Any]:
    """Small networks of every kind of layer."""
    nn = library("torch.nn")
    utils = library("torch.nn.utils")
    return {
        "mlp": nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2)), "conv": nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(2)),
        "lstm": nn.LSTM(8, 16, 2, bidirectional=True), "gru": nn.GRU(4, 4), "transformer": nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2), "attention": nn.MultiheadAttention(16, 4), "embedding": nn.EmbeddingBag(50, 8), "conv1d": nn.Sequential(nn.Conv1d(1, 4, 3), nn.GroupNorm(2, 4), nn.PReLU(), nn.MaxPool1d(2)),
        "transposed": nn.Sequential(nn.ConvTranspose2d(4, 2, 2), nn.InstanceNorm2d(2), nn.Tanh(), nn.Upsample(scale_factor=2)), "modules": nn.ModuleDict({"a": nn.ModuleList([nn.Linear(2, 2), nn.Identity()]), "b": nn.Bilinear(2, 3, 4)}), "parameters": nn.ParameterList([nn.Parameter(library("torch").zeros(3))]),
        "weight-norm": utils.parametrizations.weight_norm(nn.Linear(4, 4)), "losses": nn.ModuleList([nn.CrossEntropyLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss(), nn.HuberLoss()]), "activations": nn.Sequential(nn.GELU(), nn.Softmax(-1), nn.LeakyReLU(), nn.Mish(), nn.Hardswish(), nn.LayerNorm(4), nn.RMSNorm(4)),
        "dense-net": nn.Sequential(*(nn.Sequential(nn.BatchNorm1d(4), nn.ELU(), nn.Linear(4, 4)) for _ in range(20))),
    }  # fmt: skip


def pytorch(folder: Folder) -> None:
    """State, whole modules, checkpoints, scripted and quantized modules, in the layouts that torch writes."""
    torch = library("torch")
    torch.manual_seed(86)
    for number, (name, module) in enumerate(torch_modules().items()):
        torch.save(
            module.state_dict(),
            str(
                folder.file(
                    f"torch/{name}-state.{('pt', 'pth', 'bin', 'ckpt')[number % 4]}",
                    f"torch state_dict: {name}",
                    "container",
                )
            ),
        )
        folder.attempt(
            lambda name=name, module=module: torch.save(
                module, str(folder.file(f"torch/{name}.pth", f"torch module: {name}", "container"))
            ),
            name,
        )
        torch.save(
            module.state_dict(),
            str(folder.file(f"torch/{name}-legacy.pth", f"torch legacy state: {name}", "container")),
            _use_new_zipfile_serialization=False,
        )
        if number % 3 == 0:
            folder.attempt(
                lambda name=name, module=module: torch.save(
                    module,
                    str(
                        folder.file(
                            f"torch/{name}-legacy-module.pt", f"torch legacy module: {name}", "container"
                        )
                    ),
                    _use_new_zipfile_serialization=False,
                ),
                name,
            )
            folder.attempt(
                lambda name=name, module=module: torch.save(
                    module,
                    str(folder.file(f"torch/{name}-protocol-4.pt", f"torch protocol 4: {name}", "container")),
                    pickle_protocol=4,
                ),
                name,
            )
        if name in ("mlp", "lstm", "activations", "embedding", "conv1d"):
            folder.attempt(
                lambda name=name, module=module: torch.jit.script(module).save(
                    str(folder.file(f"torch/{name}-script.pt", f"torch script: {name}", "container"))
                ),
                name,
            )
    module = torch_modules()["mlp"]
    folder.attempt(
        lambda: torch.jit.trace(module, torch.zeros(1, 8)).save(
            str(folder.file("torch/traced.pt", "torch trace", "container"))
        ),
        "trace",
    )
    folder.attempt(
        lambda: torch.export.save(
            torch.export.export(module, (torch.zeros(1, 8),)),
            str(folder.file("torch/exported.pt2", "torch export", "container")),
        ),
        "export",
    )
    optimizers = {
        "adam": torch.optim.Adam,
        "sgd": torch.optim.SGD,
        "adamw": torch.optim.AdamW,
        "rmsprop": torch.optim.RMSprop,
        "lbfgs": torch.optim.LBFGS,
    }
    for name, kind in optimizers.items():
        model = torch_modules()["mlp"]
        optimizer = kind(model.parameters(), lr=0.1)

        def step(model: Any = model) -> Any:
            loss = model(torch.ones(2, 8)).sum()
            loss.backward()
            return loss

        optimizer.step(step)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
        checkpoint = {
            "epoch": 3, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "args": argparse.Namespace(lr=0.1, data=pathlib.PurePosixPath("/data")),
            "rng": {"python": random.getstate(), "torch": torch.get_rng_state()}, "date": dt.datetime(2026, 1, 1), "best": float("inf"), "history": collections.defaultdict(list, loss=[1.0]), "config": types.SimpleNamespace(a=1),
        }  # fmt: skip
        torch.save(
            checkpoint,
            str(folder.file(f"torch/checkpoint-{name}.ckpt", f"training checkpoint: {name}", "container")),
        )
        torch.save(
            optimizer.state_dict(),
            str(folder.file(f"torch/{name}-optimizer.pt", "optimizer state", "container")),
        )
    tensors: dict[str, Any] = {
        "tensor": torch.rand(3, 3), "half": torch.rand(3).half(), "bfloat16": torch.rand(3).bfloat16(), "complex": torch.rand(3) + 1j, "bool": torch.tensor([True]), "int8": torch.tensor([1], dtype=torch.int8), "sparse": torch.eye(4).to_sparse(), "csr": torch.eye(4).to_sparse_csr(), "view": torch.rand(9)[2:5], "expanded": torch.rand(3, 1).expand(3, 9), "shared": [torch.ones(4)] * 3,
        "parameter": torch.nn.Parameter(torch.ones(2)), "quantized": torch.quantize_per_tensor(torch.rand(4), 0.1, 0, torch.qint8), "channel": torch.quantize_per_channel(torch.rand(2, 2), torch.ones(2), torch.zeros(2), 0, torch.qint8), "size": torch.rand(2, 3).size(), "dtype": [torch.float32, torch.device("cpu"), torch.strided], "nested": {"a": [(torch.ones(1), {"b": torch.zeros(1)})]}, "scalar": torch.tensor(1.5), "empty": torch.empty(0),
        "words": {"os.system": torch.ones(1), "eval(": "exec", "subprocess": ["curl http://example.com"]}, "float8": torch.ones(4).to(torch.float8_e4m3fn), "generator": torch.Generator().get_state(), "partial": functools.partial(torch.nn.functional.gelu, approximate="tanh"), "storage": torch.ones(5).untyped_storage(), "scaler": torch.amp.GradScaler("cpu").state_dict(), "nested-tensor": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        "dataset": torch.utils.data.TensorDataset(torch.ones(3)), "distribution": torch.distributions.Normal(torch.zeros(1), torch.ones(1)), "bytes": b"raw", "text": "only text", "integers": list(range(5000)),
    }  # fmt: skip
    for number, (name, thing) in enumerate(tensors.items()):
        gray = "gray" if name == "partial" else "core"
        folder.attempt(
            lambda name=name, thing=thing, gray=gray: torch.save(
                thing, str(folder.file(f"torch/thing-{name}.pt", f"torch: {name}", "container", gray))
            ),
            name,
        )
        if number % 3 == 1:
            folder.attempt(
                lambda name=name, thing=thing, gray=gray: torch.save(
                    thing,
                    str(
                        folder.file(f"torch/thing-{name}-old.pt", f"torch legacy: {name}", "container", gray)
                    ),
                    _use_new_zipfile_serialization=False,
                ),
                name,
            )
    folder.attempt(
        lambda: (
            folder.file("torch/tensor-by-pickle.pkl", "torch tensor by pickle", "pickle").write_bytes(
                pickle.dumps(torch.ones(3))
            )
            and None
        ),
        "pickle",
    )
    folder.attempt(
        lambda: (
            library("joblib").dump(
                torch_modules()["mlp"].state_dict(),
                str(folder.file("torch/state.joblib", "torch state by joblib", "pickle")),
            )
            and None
        ),
        "joblib",
    )


def foreign(folder: Folder) -> None:
    """Checkpoints with classes of well-known libraries that are not installed: names as those libraries have them."""
    torch = library("torch")

    def of(module: str, name: str, base: Any) -> Any:
        parts = module.split(".")
        for depth in range(1, len(parts) + 1):
            full = ".".join(parts[:depth])
            library("sys").modules.setdefault(full, types.ModuleType(full))
        made = type(name, (base,), {"__module__": module, "__qualname__": name})
        setattr(library("sys").modules[module], name, made)
        return made

    nn = torch.nn
    detection = of("ultralytics.nn.tasks", "DetectionModel", nn.Module)()
    convolution, block = (
        of("ultralytics.nn.modules.conv", "Conv", nn.Module),
        of("ultralytics.nn.modules.block", "C2f", nn.Module),
    )
    first, second = convolution(), block()
    first.conv, first.bn, first.act, second.cv1 = (
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.SiLU(),
        convolution(),
    )
    detection.model, detection.names, detection.yaml = (
        nn.Sequential(first, second),
        {0: "person"},
        {"nc": 80, "backbone": [[-1, 1, "Conv", [64, 3, 2]]]},
    )
    torch.save(
        {"epoch": -1, "model": detection, "train_args": {"data": "coco.yaml"}, "date": "2026-01-01"},
        str(folder.file("foreign/yolo.pt", "ultralytics checkpoint by name", "container", "gray")),
    )
    config = of("mypackage.models", "Config", object)()
    config.width = 4
    torch.save(
        {"config": config, "w": torch.ones(2)},
        str(folder.file("foreign/own-class.pt", "class of the author's own package", "container", "gray")),
    )
    net = of("__main__", "Net", nn.Module)()
    net.fc = nn.Linear(2, 2)
    torch.save(net, str(folder.file("foreign/main-net.pth", "module of a script", "container", "gray")))


def graphs(folder: Folder) -> None:
    """safetensors, ONNX, GGUF."""
    numpy, save, torch = library("numpy"), library("safetensors.numpy"), library("torch")
    rng = numpy.random.RandomState(1)
    kinds = {"f32": "f4", "f64": "f8", "f16": "f2", "i64": "i8", "u8": "u1", "bool": "?"}
    for name, kind in kinds.items():
        save.save_file(
            {"w": rng.rand(4, 4).astype(kind), "b": rng.rand(4).astype(kind)},
            str(folder.file(f"safetensors/{name}.safetensors", f"safetensors {name}", "safetensors")),
            metadata={"format": "np"},
        )
    save.save_file(
        {"empty": numpy.zeros((0, 4), "f4"), "scalar": numpy.array(1.0, "f4")},
        str(folder.file("safetensors/odd-shapes.safetensors", "safetensors odd shapes", "safetensors")),
    )
    save.save_file(
        {f"model.layers.{n}.w": rng.rand(8).astype("f4") for n in range(500)},
        str(folder.file("safetensors/many.safetensors", "safetensors 500 tensors", "safetensors")),
        metadata={"modelspec.title": "os.system is only text", "ss_tag_frequency": "{}"},
    )
    folder.attempt(
        lambda: library("safetensors.torch").save_file(
            {"a": torch.ones(3).bfloat16()},
            str(folder.file("safetensors/bf16.safetensors", "safetensors bf16", "safetensors")),
            metadata={"format": "pt"},
        ),
        "bf16",
    )
    onnx = library("onnx")
    helper, kinds_of = onnx.helper, onnx.TensorProto
    weight = onnx.numpy_helper.from_array(rng.rand(4, 4).astype("f4"), "W")

    def model(nodes: Any, initializers: Any = (), **more: Any) -> Any:
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", kinds_of.FLOAT, [1, 4])],
            [helper.make_tensor_value_info("y", kinds_of.FLOAT, [1, 4])],
            list(initializers),
        )
        return helper.make_model(graph, **more)

    plain = model(
        [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node("Relu", ["h"], ["y"])], [weight]
    )
    onnx.save(plain, str(folder.file("onnx/plain.onnx", "onnx", "onnx")))
    onnx.save(
        model(
            [helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")],
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
        ),
        str(folder.file("onnx/microsoft.onnx", "onnx com.microsoft", "onnx")),
    )
    onnx.save(
        model(
            [
                helper.make_node(
                    "LinearRegressor",
                    ["x"],
                    ["y"],
                    domain="ai.onnx.ml",
                    coefficients=[1.0] * 4,
                    intercepts=[0.0],
                )
            ],
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ),
        str(folder.file("onnx/ml.onnx", "onnx ai.onnx.ml", "onnx")),
    )
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["t"])],
        "b",
        [],
        [helper.make_tensor_value_info("t", kinds_of.FLOAT, None)],
    )
    condition = onnx.numpy_helper.from_array(numpy.array(True), "c")
    onnx.save(
        model([helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)], [condition]),
        str(folder.file("onnx/branches.onnx", "onnx subgraphs", "onnx")),
    )
    onnx.save(
        plain,
        str(folder.file("onnx/outside.onnx", "onnx external data beside it", "onnx")),
        save_as_external_data=True,
        location="outside.onnx.data",
        size_threshold=0,
    )
    folder.file("onnx/outside.onnx.data", "external data of onnx", "misc")
    function = helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    onnx.save(
        model(
            [helper.make_node("Twice", ["x"], ["y"], domain="own")],
            functions=[function],
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("own", 1)],
        ),
        str(folder.file("onnx/function.onnx", "onnx local function", "onnx")),
    )
    gguf = library("gguf")
    for name, template in CHAT_TEMPLATES.items():
        writer = gguf.GGUFWriter(
            str(folder.file(f"gguf/{name}.gguf", f"gguf with template {name}", "gguf")), "llama"
        )
        writer.add_block_count(1)
        writer.add_context_length(128)
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list(["a", "b", "os.system", "{{"])
        writer.add_chat_template(template)
        writer.add_tensor("token_embd.weight", rng.rand(4, 32).astype("f4"))
        writer.add_tensor("output.weight", rng.rand(4, 32).astype("f2"))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def hugging_face(folder: Folder) -> None:
    """Folders as transformers writes them."""
    transformers = library("transformers")
    names = (
        "BertConfig",
        "LlamaConfig",
        "GPT2Config",
        "T5Config",
        "ViTConfig",
        "WhisperConfig",
        "CLIPConfig",
        "Qwen2Config",
        "MistralConfig",
        "DistilBertConfig",
        "RobertaConfig",
        "Wav2Vec2Config",
        "MixtralConfig",
        "GemmaConfig",
        "PhiConfig",
    )
    for name in names:

        def one(name: str = name) -> None:
            place = folder.file(f"hf/{name}/config.json", f"transformers {name}", "config")
            getattr(transformers, name)().save_pretrained(str(place.parent))

        folder.attempt(one, name)
    for name, template in CHAT_TEMPLATES.items():
        folder.json(
            f"hf/template-{name}/tokenizer_config.json",
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "chat_template": template,
                "added_tokens_decoder": {"0": {"content": "<s>", "special": True}},
                "model_max_length": 4096,
            },
            f"chat template {name}",
            "config",
        )
        folder.text(f"hf/template-{name}/chat_template.jinja", template, f"chat template {name}", "config")

    def tokenizer() -> None:
        tokenizers = library("tokenizers")
        made = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))  # noqa: S106  not a password
        made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        made.train_from_iterator(
            ["the model runs eval and exec", "os system import"] * 20,
            tokenizers.trainers.BpeTrainer(special_tokens=["[UNK]"], vocab_size=200),
        )
        place = folder.file("hf/tokenizer/tokenizer.json", "tokenizers", "config")
        made.save(str(place))
        fast = transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]")  # noqa: S106
        fast.save_pretrained(
            str(folder.file("hf/fast/tokenizer_config.json", "fast tokenizer", "config").parent)
        )
        folder.file("hf/fast/tokenizer.json", "fast tokenizer", "config")

    def model() -> None:
        bert = transformers.BertModel(
            transformers.BertConfig(
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=16,
                vocab_size=50,
            )
        )
        place = folder.file("hf/bert/model.safetensors", "transformers model", "safetensors")
        bert.save_pretrained(str(place.parent))
        folder.file("hf/bert/config.json", "transformers model", "config")
        library("torch").save(
            bert.state_dict(),
            str(folder.file("hf/bert-bin/pytorch_model.bin", "transformers pytorch_model.bin", "container")),
        )
        library("torch").save(
            bert, str(folder.file("hf/bert-bin/whole.pt", "transformers whole model", "container"))
        )

    def training() -> None:
        arguments = transformers.TrainingArguments(output_dir="out", report_to=[], use_cpu=True)
        library("torch").save(
            arguments,
            str(folder.file("hf/trainer/training_args.bin", "transformers TrainingArguments", "container")),
        )

    def sentence() -> None:
        modules = library("sentence_transformers.sentence_transformer.modules")
        folder.json(
            "hf/st/modules.json",
            [
                {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            ],
            "sentence-transformers modules",
            "config",
        )
        folder.json(
            "hf/st/1_Pooling/config.json",
            {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True},
            "sentence-transformers pooling",
            "config",
        )
        pooling = modules.Pooling(16)
        library("torch").save(
            pooling, str(folder.file("hf/st/pooling.pt", "sentence-transformers Pooling module", "container"))
        )

    for part in (tokenizer, model, training, sentence):
        folder.attempt(part, part.__name__)
    folder.json(
        "hf/sharded/model.safetensors.index.json",
        {
            "metadata": {"total_size": 10},
            "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"},
        },
        "sharded index",
        "config",
    )
    folder.json(
        "hf/sharded/pytorch_model.bin.index.json",
        {"metadata": {}, "weight_map": {"a": "pytorch_model-00001-of-00001.bin"}},
        "sharded index",
        "config",
    )
    folder.json(
        "hf/diffusers/model_index.json",
        {
            "_class_name": "StableDiffusionPipeline",
            "_diffusers_version": "0.31.0",
            "unet": ["diffusers", "UNet2DConditionModel"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "scheduler": ["diffusers", "PNDMScheduler"],
            "safety_checker": [None, None],
        },
        "diffusers",
        "config",
    )
    folder.json(
        "hf/adapter/adapter_config.json",
        {
            "peft_type": "LORA",
            "r": 8,
            "target_modules": ["q_proj"],
            "base_model_name_or_path": "meta-llama/Llama-3-8B",
            "auto_mapping": None,
        },
        "peft adapter",
        "config",
    )
    folder.json(
        "hf/generation/generation_config.json",
        {"bos_token_id": 1, "do_sample": True, "temperature": 0.7, "transformers_version": "5.0.0"},
        "generation config",
        "config",
    )
    folder.json(
        "hf/processor/preprocessor_config.json",
        {
            "image_processor_type": "ViTImageProcessor",
            "size": {"height": 224, "width": 224},
            "image_mean": [0.5],
        },
        "image processor",
        "config",
    )
    folder.text(
        "hf/words/vocab.txt",
        "\n".join(["[PAD]", "eval", "exec", "__import__", "os", "system", *map(str, range(500))]),
        "vocab.txt",
        "everyday",
    )
    folder.text("hf/words/merges.txt", "#version: 0.2\ne v\nev al\no s\n", "merges.txt", "everyday")
    folder.json(
        "hf/words/special_tokens_map.json",
        {"unk_token": "<unk>", "cls_token": {"content": "<s>", "lstrip": False}},
        "special tokens",
        "config",
    )


def agents(folder: Folder) -> None:
    """LangChain objects by its own dumps, LangGraph checkpoints by its own savers."""
    core = library("langchain_core.messages")
    dumps = library("langchain_core.load").dumps
    prompts, documents, tools = (
        library("langchain_core.prompts"),
        library("langchain_core.documents"),
        library("langchain_core.tools"),
    )
    messages = [
        core.SystemMessage("be kind"),
        core.HumanMessage("what does os.system do? {{ x }}"),
        core.AIMessage(
            "it runs a command",
            tool_calls=[{"name": "search", "args": {"q": "lc"}, "id": "1"}],
            response_metadata={"model": "x", "lc_info": "none"},
        ),
        core.ToolMessage("42", tool_call_id="1", artifact={"rows": [1, 2]}),
    ]
    things: dict[str, Any] = {
        "messages": messages, "human": messages[1], "chunk": core.AIMessageChunk("part"), "prompt": prompts.PromptTemplate.from_template("Tell me about {topic}"), "chat-prompt": prompts.ChatPromptTemplate.from_messages([("system", "You are {role}"), ("human", "{q}")]), "few-shot": prompts.FewShotPromptTemplate(examples=[{"a": "1"}], example_prompt=prompts.PromptTemplate.from_template("{a}"), suffix="{b}", input_variables=["b"]),
        "placeholder": prompts.ChatPromptTemplate.from_messages([prompts.MessagesPlaceholder("history"), ("human", "{q}")]), "document": documents.Document(page_content="text", metadata={"source": "a.pdf", "page": 3}), "documents": [documents.Document(page_content=str(n), id=str(n)) for n in range(20)], "sequence": prompts.PromptTemplate.from_template("{a}") | library("langchain_core.output_parsers").StrOutputParser(),
    }  # fmt: skip
    for name, thing in things.items():
        folder.attempt(
            lambda name=name, thing=thing: folder.text(
                f"langchain/{name}.json", dumps(thing, pretty=True), f"langchain dumps: {name}", "langchain"
            ),
            name,
        )
    folder.text(
        "langchain/history.jsonl",
        "\n".join(json.dumps(core.message_to_dict(one)) for one in messages * 20),
        "langchain message dicts",
        "langchain",
    )
    folder.attempt(
        lambda: things["prompt"].save(
            str(folder.file("langchain/saved-prompt.json", "langchain saved prompt", "langchain"))
        ),
        "saved prompt",
    )
    folder.attempt(
        lambda: things["prompt"].save(
            str(folder.file("langchain/saved-prompt.yaml", "langchain saved prompt", "langchain"))
        ),
        "saved prompt",
    )
    folder.json(
        "langchain/tools.json",
        [
            library("langchain_core.utils.function_calling").convert_to_openai_tool(
                tools.Tool("t", lambda q: q, "a tool")
            )
        ],
        "tool schemas",
        "langchain",
    )
    saver_module, graph_module = library("langgraph.checkpoint.sqlite"), library("langgraph.graph")

    def run(name: str, steps: int, extra: Any) -> None:
        place = folder.file(f"langgraph/{name}", f"langgraph checkpoint: {name}", "langgraph")
        connection = sqlite3.connect(str(place), check_same_thread=False)
        graph = graph_module.StateGraph(graph_module.MessagesState)
        graph.add_node(
            "agent", lambda state: {"messages": [core.AIMessage("ok", additional_kwargs={"x": extra})]}
        )
        graph.add_edge(graph_module.START, "agent")
        graph.add_edge("agent", graph_module.END)
        app = graph.compile(checkpointer=saver_module.SqliteSaver(connection))
        for step in range(steps):
            app.invoke(
                {"messages": [core.HumanMessage(f"question {step}")]}, {"configurable": {"thread_id": "1"}}
            )
        connection.close()

    # What a conversation holds, and values that checkpoints write as extension types.
    extras = {
        "plain.sqlite": None,
        "dates.db": dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
        "sets.sqlite3": {1, 2},
        "ids.db": __import__("uuid").UUID(int=1),
        "long.sqlite": "x" * 20000,
    }
    for name, extra in extras.items():
        folder.attempt(
            lambda name=name, extra=extra: run(name, 30 if name == "long.sqlite" else 3, extra), name
        )
    serializer = library("langgraph.checkpoint.serde.jsonplus").JsonPlusSerializer()
    for name, thing in {
        "messages": messages,
        "dates": [dt.datetime(2026, 1, 1), dt.timedelta(1)],
        "numpy": library("numpy").arange(5),
        "plain": {"v": 4, "channel_values": {"x": 1}},
    }.items():
        folder.attempt(
            lambda name=name, thing=thing: (
                folder.file(
                    f"langgraph/{name}.msgpack", f"langgraph msgpack: {name}", "langgraph"
                ).write_bytes(serializer.dumps_typed(thing)[1])
                and None
            ),
            name,
        )


def documents(folder: Folder) -> None:
    """Parquet, Arrow, HDF5, notebooks, configurations."""
    arrow, parquet, feather = library("pyarrow"), library("pyarrow.parquet"), library("pyarrow.feather")
    table = arrow.table(
        {"a": [1, 2, 3], "b": ["x", "y", None], "c": [[1], [2, 3], []], "d": [b"\x80\x04data", b"", b"x"]}
    )
    for codec in ("snappy", "gzip", "zstd", "none"):
        parquet.write_table(
            table, str(folder.file(f"arrow/{codec}.parquet", f"parquet {codec}", "misc")), compression=codec
        )
    feather.write_feather(table, str(folder.file("arrow/table.feather", "feather", "misc")))
    h5py, numpy = library("h5py"), library("numpy")
    with h5py.File(str(folder.file("arrow/data.h5", "HDF5 data", "keras")), "w") as file:
        file["x"] = numpy.arange(100.0)
        file["group/y"] = numpy.zeros((3, 3))
        file.attrs["title"] = "measurements"
    nb = library("nbformat.v4")
    cells = [
        nb.new_markdown_cell("# Training\nuses `os.path`"),
        nb.new_code_cell("import torch\nmodel = torch.nn.Linear(2, 2)\nprint(model)"),
        nb.new_code_cell("%matplotlib inline\nimport pandas as pd\ndf = pd.read_csv('a.csv')\ndf.head()"),
        nb.new_code_cell("!pip install torch\n%pip install pandas"),
        nb.new_code_cell("%%time\nx = [i for i in range(10)]"),
        nb.new_code_cell(
            "import subprocess\nprint(subprocess.run(['nvidia-smi'], capture_output=True).stdout)"
        ),
    ]
    output = nb.new_output(
        "display_data", {"text/html": "<table><tr><td>1</td></tr></table>", "image/png": "iVBORw0KGgo="}
    )
    cells[2].outputs = [output]
    for name, chosen in {
        "plain": cells[:3],
        "installs": cells[:4],
        "magics": [cells[0], cells[2], cells[4]],
        "empty": [],
        "process": cells,
    }.items():
        folder.text(
            f"notebooks/{name}.ipynb",
            library("nbformat").writes(nb.new_notebook(cells=chosen)),
            f"notebook: {name}",
            "notebook",
        )
    folder.text(
        "yaml/hydra.yaml",
        "defaults:\n  - model: resnet\ntrainer:\n  _target_: pytorch_lightning.Trainer\n  max_epochs: 3\noptimizer:\n  _target_: torch.optim.Adam\n  lr: 0.001\nmodel:\n  _target_: torch.nn.Linear\n  in_features: 4\n  out_features: 2\n",
        "hydra config",
        "yaml",
    )
    folder.text(
        "yaml/params.yml",
        "train: {lr: 0.1, epochs: 3}\nnames: [a, b]\nanchor: &a {x: 1}\nother: *a\ntext: |\n  os.system is text\n",
        "yaml",
        "yaml",
    )
    folder.text("yaml/many.yaml", "a: 1\n---\nb: 2\n...\n", "yaml documents", "yaml")
    folder.text(
        "yaml/requirements.txt",
        "torch>=2.0\nnumpy==2.1.0 ; python_version > '3.9'\n# comment\n-r other.txt\n",
        "requirements",
        "config",
    )
    folder.text(
        "yaml/conda.yaml",
        "channels: [conda-forge]\ndependencies:\n- python=3.11\n- pip:\n  - scikit-learn==1.5.0\n",
        "conda",
        "config",
    )


def write(folder: Folder) -> None:
    """Everything."""
    warnings.simplefilter("ignore")
    for part in (pytorch, graphs, hugging_face, agents, documents, foreign):
        folder.attempt(lambda part=part: part(folder), part.__name__)


if __name__ == "__main__":
    main(write)
