"""Rules of the family `pickle`."""

from __future__ import annotations

from eightysix.model.finding import FileVerdict
from eightysix.scan.catalog.rule import ScanRule

__all__ = ["RULES"]

_MALICIOUS = FileVerdict.MALICIOUS
_SUSPICIOUS = FileVerdict.SUSPICIOUS
_DO_NOT_LOAD = "Do not load it. Ask its author for the weights alone, as safetensors."
_WHY_CALLS = (
    "Unpickling calls what the stream says: whoever wrote the file runs code in the process that loads it."
)

RULES: tuple[ScanRule, ...] = (
    ScanRule(
        id="pickle-gadget",
        verdict=_MALICIOUS,
        title="The pickle uses a function that acts on the world",
        what="It imports or calls a name of the standard library or of a known library whose source reaches a command,"
        " a file, the network, an import or an evaluation.",
        why=_WHY_CALLS,
        fix=_DO_NOT_LOAD,
        blind="Names of libraries that the index does not know are `pickle-unknown-name`.",
        references=("https://docs.python.org/3/library/pickle.html#restricting-globals",),
    ),
    ScanRule(
        id="pickle-denied-name",
        verdict=_MALICIOUS,
        title="The pickle imports a name that no data needs",
        what="It imports a name of a known library that is no type of data and no helper that rebuilds data.",
        why="Importing runs the module, and an imported function waits in the object until something calls it.",
        fix=_DO_NOT_LOAD,
        blind="The index is mined from releases; a class that a newer release added is denied until it is mined again.",
    ),
    ScanRule(
        id="pickle-unknown-name",
        verdict=_SUSPICIOUS,
        title="The pickle uses a name that nobody vouches for",
        what="It imports a name of a library that the index does not know, or of code that is not public.",
        why="Importing runs the module, and its classes may do anything while they are built.",
        fix="Read the source of the name; where it is harmless, accept it by name and digest in your policy.",
    ),
    ScanRule(
        id="pickle-unknown-call",
        verdict=_MALICIOUS,
        title="An unknown function is called with what no data is",
        what="A name of a library that the index does not know is called while the pickle is loaded: a public function"
        " with arguments, or anything that is given a command, an address, a path, source or the name of a gadget.",
        why="Any library has functions that run commands or load files; picklers call classes and private helpers.",
        fix="Read the source of the function; where it is harmless, accept this rule for the digest in your policy.",
        blind="Private helpers and classes that are given plain words are `pickle-unknown-name`.",
    ),
    ScanRule(
        id="pickle-import-only",
        verdict=_MALICIOUS,
        title="The pickle does nothing but import unknown code",
        what="The whole stream is the import of a name of a module that the index does not know; no data is in it.",
        why="An import runs the module: whoever places a module on the path of the loader needs nothing more.",
        fix="Read the source of the module; where it is harmless, accept this rule for the digest in your policy.",
    ),
    ScanRule(
        id="pickle-arguments",
        verdict=_MALICIOUS,
        title="A harmless function is given what makes it harmful",
        what="A name that may be used under a condition is used where the condition does not hold: a class where only"
        " arrays may stand, a codec other than latin-1, a constructor that acts on its arguments.",
        why="Helpers that rebuild data call what they are given; scanners that look at names alone let them pass.",
        fix=_DO_NOT_LOAD,
    ),
    ScanRule(
        id="pickle-value-called",
        verdict=_MALICIOUS,
        title="A name that is only data is called",
        what="It calls a name that picklers write as a value alone, such as an activation function or a ufunc.",
        why="No pickler does that; a call with chosen arguments is the attacker's.",
        fix=_DO_NOT_LOAD,
    ),
    ScanRule(
        id="pickle-computed-name",
        verdict=_MALICIOUS,
        title="The name of an import is computed",
        what="STACK_GLOBAL takes a module or name that does not stand in the stream as a text.",
        why="It hides from scanners what is imported. Picklers write names as they are.",
        fix=_DO_NOT_LOAD,
    ),
    ScanRule(
        id="pickle-computed-call",
        verdict=_MALICIOUS,
        title="An object that the stream made is called",
        what="The callee is the result of another call, not an imported name.",
        why="This is how gadgets are chained, and how functions are rebuilt from code in the file.",
        fix=_DO_NOT_LOAD,
        blind="Functions that cloudpickle and dill save by value are code in a data file, and fall under it on purpose.",
    ),
    ScanRule(
        id="pickle-changes-import",
        verdict=_MALICIOUS,
        title="An imported object is changed",
        what="BUILD, SETITEM, APPEND or ADDITEMS act on an imported module member, class or function, or on an object"
        " that was computed.",
        why="Changing a list of callbacks, a class or a table of a library runs the attacker's code later, with no call"
        " in the file.",
        fix=_DO_NOT_LOAD,
    ),
    ScanRule(
        id="pickle-changes-result",
        verdict=_MALICIOUS,
        title="Items are put into a rebuilt tensor or array",
        what="SETITEM, APPEND or ADDITEMS act on the result of a function that rebuilds data.",
        why="Loaders that allow a few opcodes write through them into memory (CVE-2026-24747). No pickler does it.",
        fix=_DO_NOT_LOAD,
        references=("https://nvd.nist.gov/vuln/detail/CVE-2026-24747",),
    ),
    ScanRule(
        id="pickle-special-attribute",
        verdict=_MALICIOUS,
        title="A special attribute of an object is set",
        what="A state sets an attribute such as `__class__` by setattr, or gives a special attribute something to call.",
        why="It turns an object of an allowed class into one of another, after the class was checked.",
        fix=_DO_NOT_LOAD,
    ),
    ScanRule(
        id="pickle-extension",
        verdict=_MALICIOUS,
        title="A name is imported by its number in a registry",
        what="EXT1, EXT2 or EXT4 ask copyreg's registry of the process that loads.",
        why="What the number means is decided by the process, or by an earlier call in the same stream.",
        fix=_DO_NOT_LOAD,
    ),
    ScanRule(
        id="pickle-disguised-name",
        verdict=_MALICIOUS,
        title="A name imitates another",
        what="A module or name holds letters of another script, control characters or a carriage return.",
        why="Scanners and people read it as something else than Python does.",
        fix=_DO_NOT_LOAD,
    ),
    ScanRule(
        id="pickle-persistent-id",
        verdict=_MALICIOUS,
        title="A persistent id holds something to call",
        what="The id of an object outside of the stream holds an imported function, or an object that was computed.",
        why="Loaders take ids apart and call what they expect to be a class of storages.",
        fix=_DO_NOT_LOAD,
    ),
    ScanRule(
        id="pickle-persistent-text",
        verdict=_SUSPICIOUS,
        title="The loader is asked for something by a text",
        what="A persistent id is a text that is no number.",
        why="What the loader does with it is not in the file: it may be taken for a path or a name.",
        fix="Find out which loader the file is for, and what it does with ids.",
    ),
    ScanRule(
        id="pickle-frame",
        verdict=_MALICIOUS,
        title="Opcodes and frames do not fit",
        what="An opcode crosses the end of its frame, a frame lies inside another, or a frame is longer than its stream.",
        why="CPython's two unpicklers and scanners read such a stream differently: one of them sees no payload.",
        fix=_DO_NOT_LOAD,
        references=("https://github.com/python/cpython/issues/154848",),
    ),
    ScanRule(
        id="pickle-structure",
        verdict=_SUSPICIOUS,
        title="The stream is not what a pickler writes",
        what="A protocol number stands in the middle of a stream, or is one that does not exist.",
        why="Such opcodes do nothing in CPython, and lead scanners astray.",
        fix="Do not load it unless you know what wrote it.",
    ),
    ScanRule(
        id="pickle-nested",
        verdict=_SUSPICIOUS,
        title="Data in the file is a pickle that would do harm",
        what="Bytes, or a text in base64 or hex, decode to a pickle with a payload. Nothing in the file loads it.",
        why="The program that uses the file may: caches and task queues unpickle what they find in fields.",
        fix="Find out who reads that field.",
        blind="Encodings other than base64 and hex, compressed data, more than three levels.",
    ),
    ScanRule(
        id="pickle-two-readings",
        verdict=_MALICIOUS,
        title="The file is data to one loader and code to another",
        what="joblib skips the bytes of an array, where pickle.load reads opcodes that import something.",
        why="The file is clean in the loader that a scanner assumes, and not in the one that is used.",
        fix=_DO_NOT_LOAD,
    ),
    ScanRule(
        id="parser-differential",
        verdict=_MALICIOUS,
        title="CPython reads the pickle differently than this scanner",
        what="The second engine, CPython's own unpickler with inert stand-ins, asked for other names or ended elsewhere.",
        why="A stream on which two readers differ was made to hide something from one of them.",
        fix="Do not load it, and report it to this project: one of its readers is wrong.",
    ),
    ScanRule(
        id="tensor-outside-storage",
        verdict=_MALICIOUS,
        title="A tensor reaches outside of its storage",
        what="Offset, size and strides lead beyond the number of elements that the storage has.",
        why="Reading it leaks memory of the process, writing to it corrupts memory; loaders for weights only accept it.",
        fix=_DO_NOT_LOAD,
        references=("https://nvd.nist.gov/vuln/detail/CVE-2026-24747",),
    ),
    ScanRule(
        id="pickle-types",
        verdict=FileVerdict.MALFORMED,
        title="The stream does what cannot be done",
        what="It calls a number, or puts items into a text: CPython raises an error there.",
        why="What came before was carried out; a scanner that stops at the error sees less than the loader does.",
        fix="Do not load it: no pickler wrote it.",
    ),
    ScanRule(
        id="pickle-broken",
        verdict=FileVerdict.MALFORMED,
        title="The pickle breaks off",
        what="It cannot be read to its STOP.",
        why="A loader carries out what stands before the break (nullifAI); what stands behind it was not judged.",
        fix="Get the file again; if it stays broken, do not load it.",
        references=(
            "https://www.reversinglabs.com/blog/rl-identifies-malware-ml-model-hosted-on-hugging-face",
        ),
    ),
    ScanRule(
        id="pickle-array",
        verdict=FileVerdict.MALFORMED,
        title="An array inside of the pickle cannot be followed",
        what="joblib's wrapper announces an array whose place or length does not fit the file.",
        why="What lies behind it cannot be told from data.",
        fix="Get the file again; if it stays so, do not load it.",
    ),
    ScanRule(
        id="pickle-hidden",
        verdict=FileVerdict.CLEAN,
        title="A pickle lies behind other data",
        what="A pickle that imports something begins behind a header, padding or a body of other data.",
        why="A loader that skips the header reads it; what it does is judged by the other rules.",
        fix="Find out what reads the file from there.",
    ),
    ScanRule(
        id="pickle-trailing",
        verdict=FileVerdict.CLEAN,
        title="Bytes follow that no loader reads",
        what="Data stands behind the last pickle or array.",
        why="It is not loaded by itself, and can carry anything.",
        fix="None is needed where the writer of the file is known to append data.",
    ),
    ScanRule(
        id="pickle-buffers",
        verdict=FileVerdict.CLEAN,
        title="The pickle takes buffers from outside",
        what="It uses out-of-band buffers of protocol 5, which its loader must hand in.",
        why="What is in them was not in this file.",
        fix="Scan the buffers as well.",
    ),
    ScanRule(
        id="npy-header",
        verdict=FileVerdict.MALFORMED,
        title="The header of a numpy array is wrong",
        what="The header is no literal that numpy writes, or does not fit the data.",
        why="numpy evaluates the header as a Python literal; a hostile one exhausts or crashes the interpreter.",
        fix="Get the file again; if it stays so, do not load it.",
    ),
)
