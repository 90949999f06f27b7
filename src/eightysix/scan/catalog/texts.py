"""Rules about text: JSON, YAML, requirements, notebooks, source code, Parquet."""

from __future__ import annotations

from eightysix.model.finding import FileVerdict
from eightysix.scan.catalog.rule import ScanRule

__all__ = ["RULES"]

_POLICY = (
    "Read the source of what is named. If it is what you want, accept the name for this file in your policy."
)

RULES = (
    ScanRule(
        id="yaml-python-gadget",
        verdict=FileVerdict.MALICIOUS,
        title="YAML that runs code in a loader of Python objects",
        what="A tag of a YAML document asks for a callable that acts: it runs commands, evaluates code, opens files or "
        "imports by name.",
        why="yaml.load with an unsafe or old full loader, ruamel's unsafe mode and HyperPyYAML call it while they read.",
        fix="Do not load it. Read configuration with yaml.safe_load alone.",
        blind="A program that defines tags of its own may do anything with them; they are noted as `yaml-tag`.",
        references=(
            "https://nvd.nist.gov/vuln/detail/CVE-2020-14343",
            "https://nvd.nist.gov/vuln/detail/CVE-2020-1747",
        ),
    ),
    ScanRule(
        id="yaml-python-name",
        verdict=FileVerdict.SUSPICIOUS,
        title="YAML that imports names which nobody vouches for",
        what="A tag asks for a Python object whose class or function the index does not know.",
        why="Its module is imported and its code runs while the document is read.",
        fix=_POLICY,
    ),
    ScanRule(
        id="yaml-object",
        verdict=FileVerdict.SUSPICIOUS,
        title="YAML that asks for an object of another language",
        what="A tag names a class of Java, Ruby, PHP or another runtime.",
        why="Loaders of those languages build it while they read: the way in of SnakeYAML and Psych.",
        fix="Do not load it with anything but a safe loader.",
        references=("https://nvd.nist.gov/vuln/detail/CVE-2022-1471",),
    ),
    ScanRule(
        id="yaml-tag",
        verdict=FileVerdict.CLEAN,
        title="YAML with tags of some program",
        what="Tags that are not YAML's own, such as `!include`.",
        why="What they do is up to the program that defines them; a safe loader refuses them.",
        fix="Know which program reads the file.",
    ),
    ScanRule(
        id="config-gadget",
        verdict=FileVerdict.MALICIOUS,
        title="Configuration that makes its loader call something dangerous",
        what="A name that a loader imports and calls (hydra's `_target_`, jsonpickle's `py/reduce`, `class_path`, "
        "MLflow's `loader_module` and the like) leads to a callable that acts.",
        why="Loading the configuration runs it with arguments from the same file.",
        fix="Do not load it.",
        blind="A key that a program of your own imports from is not known here.",
        references=("https://nvd.nist.gov/vuln/detail/CVE-2025-23304",),
    ),
    ScanRule(
        id="config-unknown-name",
        verdict=FileVerdict.SUSPICIOUS,
        title="Configuration that imports names which nobody vouches for",
        what="A loader would import and call a name that the index does not know.",
        why="Whatever that code does happens when the configuration is loaded.",
        fix=_POLICY,
    ),
    ScanRule(
        id="config-name",
        verdict=FileVerdict.CLEAN,
        title="Configuration that names a class of some package",
        what="A loader that insists on classes of its own kind would import a name that the index does not know.",
        why="The import runs that module's own code.",
        fix="Know where the package comes from.",
    ),
    ScanRule(
        id="config-code",
        verdict=FileVerdict.SUSPICIOUS,
        title="State that holds source code and runs it when loaded",
        what="A component carries the source of a function, as AutoGen's function tools do.",
        why="The loader executes the source to get the function back.",
        fix="Read the source. Register tools in your own code instead of loading them from state.",
    ),
    ScanRule(
        id="remote-code",
        verdict=FileVerdict.SUSPICIOUS,
        title="A model that brings its own code",
        what="The configuration names code of a repository: `auto_map`, `custom_pipelines`, `custom_generate`, a kernel "
        "repository, a module of sentence-transformers or a part of a diffusers pipeline that is not the library's own.",
        why="With trust_remote_code, and in some versions without, that code is fetched and run when the model is loaded.",
        fix="Read the code, pin the revision, and prefer a model that a library implements. " + _POLICY,
    ),
    ScanRule(
        id="path-elsewhere",
        verdict=FileVerdict.MALICIOUS,
        title="A path that leads out of its folder",
        what="A shard of a checkpoint, a module of `auto_map`, a file of an MLflow model or of a TorchServe archive is a URL, "
        "an absolute path, or climbs out with `..`.",
        why="The loader reads weights, pickles or code that are not part of what was reviewed.",
        fix="Do not load it.",
    ),
    ScanRule(
        id="duplicate-keys",
        verdict=FileVerdict.SUSPICIOUS,
        title="A key that decides what is loaded is written twice",
        what="An object holds the same key twice with two values, and a loader acts on that key.",
        why="Parsers differ in which one wins, so a reviewer and a loader see two documents. No writer makes it.",
        fix="Do not load it.",
    ),
    ScanRule(
        id="json-broken",
        verdict=FileVerdict.MALFORMED,
        title="JSON that does not parse",
        what="The text begins as JSON and does not hold to its grammar, as one document or one a line.",
        why="A lenient parser may see in it what a strict one does not.",
        fix="Get the file again from its source.",
    ),
    ScanRule(
        id="text-broken",
        verdict=FileVerdict.UNSCANNABLE,
        title="Text at the start, something else behind it",
        what="The first bytes are text; later ones are not.",
        why="What follows may be what a loader is really after.",
        fix="Find out what the file is.",
    ),
    ScanRule(
        id="package-source",
        verdict=FileVerdict.SUSPICIOUS,
        title="Packages from a source that anybody on the way can replace",
        what="A requirement or a package index is fetched without encryption, or without checking certificates.",
        why="Installing runs the package's code: whoever sits on the way decides what it is.",
        fix="Use https and pin hashes (pip install --require-hashes).",
    ),
    ScanRule(
        id="package-index",
        verdict=FileVerdict.CLEAN,
        title="Packages from elsewhere than the main index",
        what="A second index, a repository or a direct URL.",
        why="With --extra-index-url, pip takes the highest version of a name from any index: whoever owns a name there wins.",
        fix="Pin hashes, or serve everything from one index.",
    ),
    ScanRule(
        id="notebook-output",
        verdict=FileVerdict.CLEAN,
        title="A notebook with output that runs in a browser",
        what="Stored output holds JavaScript or active HTML.",
        why="It runs when a trusted notebook is opened.",
        fix="Clear the output before sharing.",
    ),
    ScanRule(
        id="script-fetches",
        verdict=FileVerdict.SUSPICIOUS,
        title="A script that runs what it fetches, or asks for cloud credentials",
        what="A shell script pipes a download into an interpreter, or names the cloud's metadata service.",
        why="What runs is decided elsewhere at that moment; the metadata service hands out credentials of the machine.",
        fix="Do not run it.",
        blind="Only the plain forms are seen: a script can hide either in many ways.",
    ),
    ScanRule(
        id="module-acts",
        verdict=FileVerdict.SUSPICIOUS,
        title="A Python module that acts as soon as it is imported",
        what="A call at module level leads to a callable that runs commands, evaluates code or reaches the network.",
        why="Custom code of models is imported by auto_map, custom_generate and trust_remote_code.",
        fix="Read it before you import it.",
        blind="Calls through variables and inside functions are not followed.",
    ),
    ScanRule(
        id="cell-attacks",
        verdict=FileVerdict.MALICIOUS,
        title="A notebook cell that opens a shell to another host, or runs what it decodes",
        what="A cell connects a shell to a socket, or executes text that it first has to decode or unpack.",
        why="No analysis needs either. It acts when the notebook is run, which readers do without looking at each cell.",
        fix="Do not run the notebook.",
        blind="Only the plain forms are seen. Opening a notebook runs nothing.",
    ),
    ScanRule(
        id="cell-fetches",
        verdict=FileVerdict.SUSPICIOUS,
        title="A notebook cell that runs what it fetches, or reaches for credentials",
        what="A cell pipes a download into an interpreter, or names the cloud's metadata service or credential files.",
        why="It acts when the notebook is run, which readers of a notebook do without looking at each cell.",
        fix="Read the cell before you run it.",
        blind="Only the plain forms are seen. Opening a notebook runs nothing.",
    ),
    ScanRule(
        id="parquet-unread",
        verdict=FileVerdict.UNSCANNABLE,
        title="Part of a Parquet file could not be read",
        what="A column of bytes is compressed or encoded in a way that there is no reader for here, or is encrypted.",
        why="Columns of bytes can hold pickles.",
        fix="Write the file again with snappy, gzip, zstd or no compression.",
    ),
    ScanRule(
        id="parquet-broken",
        verdict=FileVerdict.MALFORMED,
        title="A Parquet file that breaks its own format",
        what="The footer or a page does not hold to the format.",
        why="Readers that are less strict may see other data.",
        fix="Get the file again from its source.",
    ),
)
