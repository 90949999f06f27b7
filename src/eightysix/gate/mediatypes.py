"""Media types of manifests, and what layers are by media type, title and annotations.

Sources: OCI image specification 1.1 (media-types.md), distribution's schema 2 (spec/manifest-v2-2), CNCF's ModelPack and
KitOps (names of model layers), opencontainers' annotation `org.opencontainers.image.title`, which oras and KitOps give files.
"""

from __future__ import annotations

from types import MappingProxyType

__all__ = [
    "ACCEPTED",
    "DOCKER_INDEX",
    "DOCKER_MANIFEST",
    "EMPTY",
    "INDEXES",
    "MANIFESTS",
    "OCI_INDEX",
    "OCI_MANIFEST",
    "REFUSED",
    "RISKY",
    "TITLE",
    "bare",
    "kind_of",
]

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
EMPTY = "application/vnd.oci.empty.v1+json"

MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})

REFUSED = MappingProxyType(
    {
        "application/vnd.docker.distribution.manifest.v1+json": "Docker's schema 1, which signs itself and names layers by what "
        "is unpacked",
        "application/vnd.docker.distribution.manifest.v1+prettyjws": "Docker's schema 1, which signs itself and names layers by "
        "what is unpacked",
        "application/vnd.oci.artifact.manifest.v1+json": "the artifact manifest that OCI took back before 1.1",
        "application/vnd.cncf.oras.artifact.manifest.v1+json": "the artifact manifest of oras, before OCI had referrers",
    }
)
"""Manifests that are known and not read, by name: what is asked for does not include them, so only an old push has one."""

ACCEPTED = f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}, {DOCKER_INDEX}"
"""What is accepted of a registry: all that is read here, none that is not, so that nothing is converted on the way."""

TITLE = "org.opencontainers.image.title"

_BY_ENDING = {
    ending: kind
    for kind, endings in {
        "safetensors": "safetensors",
        "gguf": "gguf ggml",
        "onnx": "onnx",
        "pickle": "pkl pickle pt pth ckpt bin joblib dill p7 npy npz t7",
        "keras": "keras h5 hdf5",
        "tensorflow": "pb savedmodel tflite",
        "python": "py pyc pyx ipynb pth",
        "native": "so dll dylib exe engine plan",
        "script": "sh bash js ps1 bat",
        "package": "whl egg",
        "archive": "tar gz tgz zst zip 7z bz2 xz mar nemo",
        "data": "json txt md yaml yml toml csv parquet arrow model vocab tiktoken png jpg jpeg jinja",
    }.items()
    for ending in endings.split()
}
# NOTE: `.pth` is a model to PyTorch and a line that runs at every start to Python's `site`: whichever, it may execute.
_BY_ENDING["pth"] = "pickle"

_BY_WORD = (
    ("safetensors", "safetensors"),
    ("gguf", "gguf"),
    ("onnx", "onnx"),
    ("pickle", "pickle"),
    ("pytorch", "pickle"),
    ("keras", "keras"),
    ("hdf5", "keras"),
    ("image.layer", "image"),
    ("image.rootfs", "image"),
    ("tar", "archive"),
    ("zip", "archive"),
    ("json", "data"),
    ("yaml", "data"),
    ("text/", "data"),
)

RISKY = frozenset({"pickle", "keras", "tensorflow", "python", "native", "script", "package"})
"""Kinds that may run code when they are loaded or used; `image` and `archive` may hold anything, and are scanned."""


def bare(media_type: str) -> str:
    """A media type of a header without its parameters, in lower case."""
    return media_type.partition(";")[0].strip().lower()


def kind_of(media_type: str, title: str = "") -> str:
    """What a layer is, as far as its names tell: a hint for what changed, never a reason to trust it."""
    endings = title.lower().rpartition("/")[2].split(".")[1:]
    # The last ending decides, and one that may run code decides wherever it stands: `model.safetensors.pkl`, `m.pkl.gz`.
    for ending in endings:
        if _BY_ENDING.get(ending) in RISKY:
            return _BY_ENDING[ending]
    if endings and endings[-1] in _BY_ENDING:
        return _BY_ENDING[endings[-1]]
    told = bare(media_type)
    return next((kind for word, kind in _BY_WORD if word in told), "unknown")
