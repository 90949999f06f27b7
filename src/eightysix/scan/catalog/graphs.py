"""Rules of the family `graphs`: models that are programs of operators (ONNX, TensorFlow, Keras and others)."""

from __future__ import annotations

from eightysix.model.finding import FileVerdict
from eightysix.scan.catalog.rule import ScanRule

__all__ = ["RULES"]

RULES: tuple[ScanRule, ...] = (
    ScanRule(
        id="graph-python",
        verdict=FileVerdict.MALICIOUS,
        title="The graph calls Python code",
        what="An operator of the model runs Python functions by a name or token that stands in the model.",
        why="Running the model runs whatever stands behind the name, with the rights of the server.",
        fix="Do not load it. A model that needs such an operator is a program and is reviewed as one.",
        blind="The Python code itself is not in the file and is not judged.",
    ),
    ScanRule(
        id="graph-effect",
        verdict=FileVerdict.MALICIOUS,
        title="The graph reaches files, the network or other machines when it is run",
        what="An operator that reads or writes files, opens connections or runs on another machine lies in a part of "
        "the model that is run: not in what saves and restores its own variables.",
        why="The model can read a token, write a start-up file or send inputs elsewhere, while it answers as usual.",
        fix="Do not load it. Export the model again without input pipelines and debugging operators.",
        blind="Operators of libraries that are loaded beside the model.",
    ),
    ScanRule(
        id="unknown-operator",
        verdict=FileVerdict.SUSPICIOUS,
        title="The graph uses operators that the runtime does not bring",
        what="Operators of a domain or name that no published index knows and that the model does not define itself.",
        why="They come from a native library that somebody must load: its code runs in the server.",
        fix="Find out which library registers them, pin it, and accept the names by policy.",
    ),
    ScanRule(
        id="outside-path",
        verdict=FileVerdict.MALICIOUS,
        title="The model makes its loader open a file outside of its folder",
        what="A path in the model is absolute, a URL, or leads upwards out of the folder.",
        why="Loading reads a credential or another tenant's file into the model, from where answers give it away.",
        fix="Do not load it. Data of a model lies beside it.",
        blind="Links in the file system are not followed here.",
        references=(
            "https://nvd.nist.gov/vuln/detail/CVE-2022-25882",
            "https://nvd.nist.gov/vuln/detail/CVE-2024-27318",
        ),
    ),
    ScanRule(
        id="odd-path",
        verdict=FileVerdict.SUSPICIOUS,
        title="A path in the model is written as no exporter writes it",
        what="A path holds `..` and still ends in the model's folder, or begins with a variable.",
        why="No exporter writes that; checks that compare text are led astray by it.",
        fix="Export the model again.",
    ),
    ScanRule(
        id="external-storage",
        verdict=FileVerdict.SUSPICIOUS,
        title="An HDF5 file takes its content from another file",
        what="A link, an external storage or a virtual dataset names another file beside this one.",
        why="The loader opens it without asking; a file that is harmless alone reads what lies beside it.",
        fix="Copy the numbers into one file (h5repack), and load that.",
    ),
    ScanRule(
        id="runtime-settings",
        verdict=FileVerdict.SUSPICIOUS,
        title="The model carries settings for its runtime",
        what="Metadata under `ort_config`, which onnxruntime takes over as session options where that is switched on.",
        why="Session options name files that are written and libraries that are loaded.",
        fix="Remove the entry; set options where the session is made.",
    ),
    ScanRule(
        id="graph-broken",
        verdict=FileVerdict.MALFORMED,
        title="The model is cut or garbled",
        what="The file was recognised, and its structure does not hold to the end.",
        why="What lies behind the break was not judged, and loaders differ in what they make of it.",
        fix="Take the file from its publisher again and compare digests.",
    ),
    ScanRule(
        id="keras-code",
        verdict=FileVerdict.MALICIOUS,
        title="A Keras model carries Python code or a way to run it",
        what="A layer holds a marshalled function, or the configuration names a function or class outside of Keras' "
        "layers (a module of Python, a Keras utility that downloads or unpacks).",
        why="Loading or first running the model runs it, in some versions in spite of safe_mode.",
        fix="Do not load it. Ask for the weights without code (safetensors).",
        blind="Which Keras version loads it decides whether safe_mode holds; the worst is assumed.",
        references=(
            "https://nvd.nist.gov/vuln/detail/CVE-2024-3660",
            "https://nvd.nist.gov/vuln/detail/CVE-2025-1550",
            "https://nvd.nist.gov/vuln/detail/CVE-2025-8747",
            "https://nvd.nist.gov/vuln/detail/CVE-2025-9905",
            "https://nvd.nist.gov/vuln/detail/CVE-2025-9906",
            "https://nvd.nist.gov/vuln/detail/CVE-2025-49655",
        ),
    ),
    ScanRule(
        id="keras-unknown",
        verdict=FileVerdict.SUSPICIOUS,
        title="A Keras model uses objects that Keras does not bring",
        what="Classes or functions of other packages, or registered by them, stand in the configuration.",
        why="The package must be imported to load the model; what it does then was not judged.",
        fix="Pin the package that brings them and accept the names by policy.",
    ),
    ScanRule(
        id="keras-path",
        verdict=FileVerdict.MALICIOUS,
        title="A Keras model makes its loader open other files",
        what="A vocabulary, another model or a download is named by a path or URL outside of the archive.",
        why="Loading reads a local file or fetches from a server, although safe_mode is on.",
        fix="Do not load it. Vocabularies belong into the model's assets.",
        references=("https://nvd.nist.gov/vuln/detail/CVE-2025-12058",),
    ),
    ScanRule(
        id="keras-broken",
        verdict=FileVerdict.MALFORMED,
        title="A Keras configuration is garbled",
        what="The configuration is no JSON object, nests too deep or repeats a name.",
        why="What was not understood was not judged.",
        fix="Save the model anew with Keras.",
    ),
    ScanRule(
        id="program-as-model",
        verdict=FileVerdict.MALICIOUS,
        title="A program or script goes under the name of a model",
        what="The content is a program (ELF, PE, Mach-O) or a script, and the file has an extension that only models have, "
        "such as `.safetensors` or `.pt`.",
        why="No tool writes such a file. Somebody counts on a name that nobody looks behind.",
        fix="Do not run it, and find out where it came from.",
        blind="Programs under a program's name are not judged: this scan is about models.",
    ),
    ScanRule(
        id="disguised-program",
        verdict=FileVerdict.SUSPICIOUS,
        title="A program or script lies where a model is expected",
        what="The content is a program (ELF, PE, Mach-O) or a script, and the file has a model's extension; or it is a "
        "program and a model in one, such as a llamafile.",
        why="Starting it, or a loader that hands it to a shell, runs it.",
        fix="Do not run it. Take the weights alone.",
        blind="Programs under a program's name are not judged: this scan is about models.",
    ),
    ScanRule(
        id="xml-entity",
        verdict=FileVerdict.SUSPICIOUS,
        title="An XML document takes entities from files or servers",
        what="The document type declares an external entity.",
        why="A parser that resolves it reads local files into the document, or calls a server (XXE).",
        fix="Remove the declaration, and parse with external entities switched off.",
        blind="Entities in a DTD that lies elsewhere.",
    ),
    ScanRule(
        id="foreign-code",
        verdict=FileVerdict.MALICIOUS,
        title="The model carries code of another language or names a library to load",
        what="A serialised function (Lua in torch7), or an operator that loads a native library by a path in the file.",
        why="Loading or running the model runs it.",
        fix="Do not load it.",
    ),
)
