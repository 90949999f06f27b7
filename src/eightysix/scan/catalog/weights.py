"""Rules of the family `weights`: files of numbers with a header, and the templates that some of them carry."""

from __future__ import annotations

from eightysix.model.finding import FileVerdict
from eightysix.scan.catalog.rule import ScanRule

__all__ = ["RULES"]

RULES: tuple[ScanRule, ...] = (
    ScanRule(
        id="tensor-bounds",
        verdict=FileVerdict.MALICIOUS,
        title="A tensor or a count is impossible in a way that breaks loaders",
        what="A place, size, count or number of dimensions is negative, does not fit in 64 bits, shares bytes with "
        "another, exceeds the arrays that loaders keep for it, or asks for more bytes than the tensor has.",
        why="Loaders written in C and C++ multiplied and copied such numbers unchecked: memory is overwritten while "
        "the model is loaded. No writer produces them, and no cut in a transfer does.",
        fix="Do not load it. Take the file from its publisher again and compare digests.",
        blind="A loader can have faults that possible numbers reach.",
        references=(
            "https://nvd.nist.gov/vuln/detail/CVE-2024-21802",
            "https://nvd.nist.gov/vuln/detail/CVE-2024-21836",
            "https://nvd.nist.gov/vuln/detail/CVE-2024-23496",
            "https://nvd.nist.gov/vuln/detail/CVE-2024-23605",
        ),
    ),
    ScanRule(
        id="tensor-layout",
        verdict=FileVerdict.MALFORMED,
        title="The tensors do not fit the file",
        what="A tensor ends behind the file, its shape disagrees with its size, or bytes belong to none.",
        why="A cut transfer looks like this; so does a file that hides something from one of two readers.",
        fix="Take the file from its publisher again and compare digests.",
    ),
    ScanRule(
        id="weights-header",
        verdict=FileVerdict.MALFORMED,
        title="The header breaks its format",
        what="The header is not what the format's specification asks for, or names something twice.",
        why="Two readers can see two different models in such a file, and only one of them was reviewed.",
        fix="Take the file from its publisher again, or write it anew with the format's own library.",
    ),
    ScanRule(
        id="hidden-data",
        verdict=FileVerdict.SUSPICIOUS,
        title="The file carries bytes that are no part of the model",
        what="Bytes that are not zero lie behind the tensors or between them. They were looked into as well.",
        why="A second file can ride along (a pickle, an archive, a program) that another loader finds.",
        fix="Write the model anew with the format's own library; compare what was lost.",
        blind="Data can hide in the numbers of tensors themselves.",
    ),
    ScanRule(
        id="code-in-metadata",
        verdict=FileVerdict.CLEAN,
        title="Descriptive text reads like program code",
        what="A text in the metadata holds a script element or calls a name with two underscores on both sides.",
        why="No loader runs it. A page that shows it unescaped, or an agent that reads it, might.",
        fix="Nothing, unless something of yours shows or evaluates metadata.",
    ),
    ScanRule(
        id="template-escape",
        verdict=FileVerdict.MALICIOUS,
        title="A chat template reaches for Python's internals",
        what="A Jinja template that is run with every request uses attributes that lead out of the template (names "
        "with two underscores, frames, code objects), or builds such names from pieces.",
        why="Where the template is rendered without a sandbox, this runs commands in the server; in a sandbox it is "
        "an attempt that a flaw of the sandbox makes good.",
        fix="Do not load it. Take the template from the model's publisher.",
        blind="What the template tells the model (prompt injection) is not judged.",
        references=(
            "https://nvd.nist.gov/vuln/detail/CVE-2024-34359",
            "https://nvd.nist.gov/vuln/detail/CVE-2025-27516",
        ),
    ),
    ScanRule(
        id="template-unknown",
        verdict=FileVerdict.SUSPICIOUS,
        title="A chat template uses what no chat template needs",
        what="A Jinja template calls a function, filter, test or tag that its environment does not offer by default, "
        "loads other files, or computes the names of attributes.",
        why="Formatting messages needs loops, comparisons and string methods. More than that can be the way out.",
        fix="Read the template. Replace it by that of the model's publisher.",
    ),
    ScanRule(
        id="template-broken",
        verdict=FileVerdict.MALFORMED,
        title="A chat template is no valid Jinja",
        what="The template could not be parsed, or it is larger or nests deeper than is read here.",
        why="What was not understood was not judged.",
        fix="Correct the template, or take it from the model's publisher.",
    ),
)
