"""Rules about the state of agents: LangChain objects, LangGraph checkpoints, and the environment that loads them."""

from __future__ import annotations

from eightysix.model.finding import FileVerdict
from eightysix.scan.catalog.rule import ScanRule

__all__ = ["RULES"]

_LC = ("https://nvd.nist.gov/vuln/detail/CVE-2025-68664", "https://github.com/advisories/GHSA-c67j-w6g6-q2cm")
_LG = ("https://nvd.nist.gov/vuln/detail/CVE-2025-64439", "https://github.com/advisories/GHSA-wwqv-p2pp-99h5")
_UPDATE = "Do not load it. Update langchain-core to 1.2.5 or 0.3.81 and later, and keep secrets_from_env off."

RULES = (
    ScanRule(
        id="lc-secret",
        verdict=FileVerdict.MALICIOUS,
        title="State that asks for a secret where none belongs",
        what="A LangChain secret lies outside of the arguments that its class declares as secret: in a message's "
        "metadata, in content, in another argument.",
        why="Loading replaces it by the environment variable's value, which then goes where the data goes.",
        fix=_UPDATE,
        references=_LC,
    ),
    ScanRule(
        id="lc-injected",
        verdict=FileVerdict.MALICIOUS,
        title="An object in a place of user data",
        what="A LangChain constructor of more than a message or a document lies below a field that holds what users, "
        "tools and models wrote.",
        why="Loading builds it with arguments of the attacker's choice: endpoints, headers, templates.",
        fix=_UPDATE,
        references=_LC,
    ),
    ScanRule(
        id="lc-gadget",
        verdict=FileVerdict.MALICIOUS,
        title="A LangChain constructor of something that acts",
        what="The id names a callable that runs code, reads files or reaches the network.",
        why="A loader with wide namespaces imports and calls it.",
        fix=_UPDATE,
        references=_LC,
    ),
    ScanRule(
        id="lc-forged",
        verdict=FileVerdict.MALICIOUS,
        title="A LangChain constructor that no LangChain wrote",
        what="The id names a class of LangChain's packages that their own `dumps` never writes as a constructor: a tool, "
        "a loader, a database, a wrapper around requests.",
        why="Somebody wrote it by hand, to have it built with arguments of their choice by a loader that imports by path.",
        fix=_UPDATE,
        blind="Known are the classes of the releases that the table was made of.",
        references=_LC,
    ),
    ScanRule(
        id="lc-exfiltrates",
        verdict=FileVerdict.MALICIOUS,
        title="An object that talks to the cloud's metadata service",
        what="An argument of a LangChain constructor is a URL of the metadata service.",
        why="Requests to it return credentials of the machine.",
        fix="Do not load it.",
    ),
    ScanRule(
        id="lc-unknown",
        verdict=FileVerdict.SUSPICIOUS,
        title="A LangChain constructor that the library does not write",
        what="The class is neither in langchain-core's own mappings nor one that its partner packages serialize.",
        why="Older loaders import it by its path.",
        fix="If it is a class of your own, accept the name for this file in your policy.",
        references=_LC,
    ),
    ScanRule(
        id="lc-jinja",
        verdict=FileVerdict.SUSPICIOUS,
        title="A prompt with a jinja2 template",
        what="A stored prompt asks for jinja2 instead of plain placeholders.",
        why="jinja2 templates can reach Python objects; langchain-core refuses to load them by default for that reason.",
        fix="Write the prompt with f-string or mustache placeholders.",
        references=_LC,
    ),
    ScanRule(
        id="lc-endpoint",
        verdict=FileVerdict.SUSPICIOUS,
        title="A secret that goes out in clear text",
        what="A constructor holds a secret and a public endpoint without encryption.",
        why="The key is sent to whoever answers there, or listens on the way.",
        fix="Check the endpoint; use https.",
    ),
    ScanRule(
        id="lc-note",
        verdict=FileVerdict.CLEAN,
        title="A stored model with an endpoint of its own",
        what="A constructor holds a secret and a URL.",
        why="The key goes to that host as soon as the object is used.",
        fix="Check that the host is yours or the vendor's.",
    ),
    ScanRule(
        id="lc-escaped",
        verdict=FileVerdict.CLEAN,
        title="User data that looks like a LangChain object",
        what="The library escaped it when it was written.",
        why="Loaders before langchain-core 1.2.5 and 0.3.81 do not know the escape and build the object.",
        fix="Update langchain-core; find out who wrote it.",
        references=_LC,
    ),
    ScanRule(
        id="checkpoint-gadget",
        verdict=FileVerdict.MALICIOUS,
        title="A checkpoint that calls something dangerous when it is loaded",
        what="A LangGraph constructor (JSON with `lc: 2`, or a msgpack extension) names a callable that acts.",
        why="langgraph-checkpoint imports and calls it, in JSON before 3.0, in msgpack unless it is told to be strict.",
        fix="Do not load it. Update langgraph-checkpoint and set LANGGRAPH_STRICT_MSGPACK=true.",
        references=_LG,
    ),
    ScanRule(
        id="checkpoint-unknown",
        verdict=FileVerdict.SUSPICIOUS,
        title="A checkpoint with classes which nobody vouches for",
        what="A LangGraph constructor names a class that is neither among LangGraph's safe types nor in the index.",
        why="Its module is imported, and the class called, when the checkpoint is loaded.",
        fix="If it is a class of your graph, accept the name for this file in your policy.",
        references=_LG,
    ),
    ScanRule(
        id="prompt-file",
        verdict=FileVerdict.MALICIOUS,
        title="A prompt that reads a file outside of its folder",
        what="A path in a LangChain prompt or chain file is absolute, a URL, or climbs out with `..`.",
        why="Loading puts the file's content into a prompt, or loads what lies there.",
        fix="Do not load it.",
        references=("https://nvd.nist.gov/vuln/detail/CVE-2024-28088",),
    ),
    ScanRule(
        id="prompt-hub",
        verdict=FileVerdict.SUSPICIOUS,
        title="A prompt or chain that is fetched when it is loaded",
        what="A path begins with `lc://`.",
        why="What is loaded is decided elsewhere, at that moment.",
        fix="Keep the prompt beside your code.",
        references=("https://nvd.nist.gov/vuln/detail/CVE-2024-28088",),
    ),
    ScanRule(
        id="chain-acts",
        verdict=FileVerdict.SUSPICIOUS,
        title="A stored chain that lets the model act",
        what="The chain's type is one whose loader needs LangChain's experimental package or sends requests.",
        why="It runs what a model answers: in a shell, in Python, in a database, or as a request.",
        fix="Build such chains in reviewed code.",
    ),
    ScanRule(
        id="msgpack-broken",
        verdict=FileVerdict.MALFORMED,
        title="MessagePack that does not parse",
        what="The content begins as MessagePack and breaks its format.",
        why="A more lenient reader may see other data.",
        fix="Get the file again from its source.",
    ),
    ScanRule(
        id="database-broken",
        verdict=FileVerdict.UNSCANNABLE,
        title="A SQLite database that could not be read",
        what="SQLite refused the database, a table or a value.",
        why="What was not read was not judged.",
        fix="Run PRAGMA integrity_check on a copy.",
    ),
    ScanRule(
        id="database-unmerged",
        verdict=FileVerdict.UNSCANNABLE,
        title="A SQLite database whose last changes lie beside it",
        what="The file is a write-ahead log: pages that its database takes over later.",
        why="They are not read here, and may hold other values than the database.",
        fix="Close the program that writes it, or run PRAGMA wal_checkpoint(TRUNCATE), and scan the database.",
    ),
    ScanRule(
        id="vulnerable-package",
        verdict=FileVerdict.SUSPICIOUS,
        title="An installed loader with a known hole",
        what="The installed version lies in the range of an advisory about loading untrusted files.",
        why="A file that the loader should refuse can run code or leak secrets.",
        fix="Update the package to the version that the finding names.",
        blind="Only advisories in the snapshot are known; its date is in the finding when it is old. Patched builds of "
        "distributors keep their version and are reported all the same.",
    ),
    ScanRule(
        id="loader-present",
        verdict=FileVerdict.CLEAN,
        title="A package that can unpickle",
        what="The package loads files that can run code.",
        why="It is where a bad file would act.",
        fix="Scan what it loads.",
    ),
    ScanRule(
        id="advisories-old",
        verdict=FileVerdict.CLEAN,
        title="The advisories are old",
        what="The snapshot of advisories was made more than 90 days ago.",
        why="Newer advisories are not known here.",
        fix="Update eightysix.",
    ),
    ScanRule(
        id="environment-unread",
        verdict=FileVerdict.UNSCANNABLE,
        title="Part of an environment could not be read",
        what="A folder or a package's metadata is missing, too large, or holds no name and version.",
        why="What was not read was not judged.",
        fix="Point to the folder that holds the dist-info folders.",
    ),
)
