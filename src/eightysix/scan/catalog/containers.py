"""Rules of the family `containers`: archives, compressed streams, and what torch compiles from inside of them."""

from __future__ import annotations

from eightysix.model.finding import FileVerdict
from eightysix.scan.catalog.rule import ScanRule

__all__ = ["RULES"]

_ZIP = (
    ScanRule(
        id="zip-disguised-member",
        verdict=FileVerdict.MALICIOUS,
        title="A zip member claims to be unreadable and is plain to load",
        what=(
            "The header of a member says that it is encrypted, or packed by a method that nothing reads or that fails, and "
            "the bytes lie there as a plain pickle, archive or program."
        ),
        why=(
            "Tools that go by one header give up on the member; torch looks at the flags and the method of the other one, "
            "older releases at none. No writer makes such a header, so it was made to blind a scanner."
        ),
        fix="Do not load it.",
        blind="Content that is neither a pickle nor begins like a known format is not told from real ciphertext.",
        references=(
            "https://nvd.nist.gov/vuln/detail/CVE-2025-1945",
            "https://github.com/advisories/GHSA-w8jq-xcqf-f792",
        ),
    ),
    ScanRule(
        id="zip-headers-differ",
        verdict=FileVerdict.SUSPICIOUS,
        title="The two headers of a zip member contradict each other",
        what=(
            "The directory at the end and the header before the content give another name, method, size or encryption, in "
            "a way in which no writer is known to be sloppy. Both readings were scanned."
        ),
        why="Each reader believes one of the two: what one shows to a scanner need not be what another loads.",
        fix="Have the file written anew by its maker; do not load it as it is.",
        blind="A checksum of 0, sizes of 0 before a data descriptor and other habits of writers pass.",
    ),
    ScanRule(
        id="zip-hidden-member",
        verdict=FileVerdict.SUSPICIOUS,
        title="A zip archive holds something to load that its directory does not list",
        what="Between, before or behind the listed members lies a member, or packed content goes on, that can be loaded.",
        why="Readers that go from header to header load it, and whoever lists the archive never sees it.",
        fix="Do not load it; have the archive written anew from the listed members.",
        blind="Unlisted content that is only text or numbers is no finding: deleting a member can leave it behind.",
    ),
    ScanRule(
        id="zip-two-directories",
        verdict=FileVerdict.SUSPICIOUS,
        title="A zip archive has more than one directory",
        what="Several end records or offsets lead to different lists of members. All of them were read.",
        why="One reader takes the first list, another the last: a scanner can be shown a harmless one.",
        fix="Do not load it.",
    ),
    ScanRule(
        id="zip-overlap",
        verdict=FileVerdict.SUSPICIOUS,
        title="Members of a zip archive lie over each other",
        what="The bytes of one member are part of another one, or of the directory.",
        why="It is how a small archive unpacks to a thousand times its size, and how one content gets two names.",
        fix="Do not unpack it.",
        references=("https://www.usenix.org/conference/woot19/presentation/fifield",),
    ),
    ScanRule(
        id="zip-no-directory",
        verdict=FileVerdict.MALFORMED,
        title="A zip archive has no directory",
        what="There are headers of members and no list of them at the end. What the headers tell of was read.",
        why="It was cut off, or it is made for readers that need no directory while others call it no zip at all.",
        fix="Get the whole file.",
    ),
    ScanRule(
        id="zip-broken",
        verdict=FileVerdict.MALFORMED,
        title="A member of a zip archive is damaged",
        what="A header is missing, or content is cut off or does not unpack. What came out was read.",
        why="What cannot be unpacked here was not judged, and another reader may make something of it.",
        fix="Get the file again.",
    ),
    ScanRule(
        id="zip-checksum",
        verdict=FileVerdict.CLEAN,
        title="The checksum of a zip member is wrong",
        what="The content is not the one that the checksum belongs to. It was read as it is; the first such member is told.",
        why="zipfile refuses such a member and torch loads it; torch itself can be told to write no true checksums.",
        fix="Nothing, where the writer is known to compute none.",
        references=("https://nvd.nist.gov/vuln/detail/CVE-2025-10156",),
    ),
)

_ARCHIVES = (
    ScanRule(
        id="archive-escape",
        verdict=FileVerdict.MALICIOUS,
        title="Unpacking the archive would write outside of its folder",
        what="A member's name climbs above the folder by `..`, or leads through a link that points out of it.",
        why="An unpacker that does not look writes where the attacker wants: a start-up file, a key, a library.",
        fix="Do not unpack it.",
        references=("https://cwe.mitre.org/data/definitions/22.html",),
    ),
    ScanRule(
        id="archive-odd-path",
        verdict=FileVerdict.SUSPICIOUS,
        title="A member's name or link is read differently by different unpackers",
        what="A name begins at a root or holds a NUL, or a link in a model archive points out of the folder.",
        why="Careful unpackers change such names, careless ones write or read where they point.",
        fix="Unpack only with a tool that refuses such members.",
        blind=(
            "Links out of the folder are normal in images of root file systems and are no finding there; names that begin at the "
            "root are none in a layer that the gate fetches for an image."
        ),
    ),
    ScanRule(
        id="archive-duplicate",
        verdict=FileVerdict.SUSPICIOUS,
        title="A model archive holds one name twice",
        what="Two members with different content have the same name, or differ only in case. Both were read.",
        why="Which of them is loaded depends on the reader.",
        fix="Have the archive written anew.",
        blind="In other archives it happens to honest writers and is no finding.",
    ),
    ScanRule(
        id="wheel-record",
        verdict=FileVerdict.MALFORMED,
        title="A wheel is not what its own list says",
        what=(
            "`*.dist-info/RECORD` lists each file of a wheel with its digest and size. A file is there that is not listed, is "
            "listed and not there, or has another digest or size; or the list cannot be read."
        ),
        why=(
            "The file was changed after the wheel was built, or two installers see two packages. Installers do not compare "
            "the digests, so whoever adds a file to a wheel in a mirror or a pipeline runs it."
        ),
        fix="Get the wheel from where it was built, by its hash; have it built anew if that one is the same.",
        blind=(
            "Whoever changes a file can write the list anew. Files over 64 MiB, and what is beyond 256 MiB of one wheel, are "
            "compared by name and size. A wheel without a list is installed by nothing and no finding."
        ),
        references=(
            "https://packaging.python.org/en/latest/specifications/binary-distribution-format/",
            "https://blog.pypi.org/posts/2025-08-07-wheel-archive-confusion-attacks/",
        ),
    ),
    ScanRule(
        id="archive-native-code",
        verdict=FileVerdict.SUSPICIOUS,
        title="A model archive holds machine code",
        what="A member of an archive that is a model by its layout begins as an ELF, Mach-O or PE program or library.",
        why="A model is data; a loader or an operator that is told to load the library runs it.",
        fix="Find out what the library is for and who built it. Nothing here can judge machine code.",
        blind="Packages, images and plain archives hold programs by nature: there it is no finding.",
    ),
    ScanRule(
        id="archive-source",
        verdict=FileVerdict.SUSPICIOUS,
        title="A model archive holds a program's source",
        what="A member of an archive that is a model by its layout is Python, shell or another script.",
        why="Servers and loaders that find it there run it: handlers of torchserve, torch.package, custom code.",
        fix="Read it before the model is served.",
        blind="TorchScript's own code is judged by its operators instead.",
    ),
    ScanRule(
        id="archive-special-file",
        verdict=FileVerdict.SUSPICIOUS,
        title="A model archive holds a device, pipe or socket",
        what="A member is neither file, folder nor link.",
        why="Unpacked by root it opens a way to a device; a pipe hangs whoever reads it.",
        fix="Do not unpack it.",
    ),
    ScanRule(
        id="encrypted-member",
        verdict=FileVerdict.UNSCANNABLE,
        title="A part is encrypted",
        what="The content needs a password.",
        why="What was not read was not judged.",
        fix="Decrypt it and scan the result.",
    ),
    ScanRule(
        id="packing-unknown",
        verdict=FileVerdict.UNSCANNABLE,
        title="A part is packed by a method that is not read here",
        what="The member or stream names a method or filter for which there is no decoder.",
        why="What was not read was not judged.",
        fix="Pack it by a common method (none, deflate, bzip2, LZMA, zstd) and scan again.",
    ),
    ScanRule(
        id="stream-broken",
        verdict=FileVerdict.MALFORMED,
        title="A compressed stream is damaged or cut off",
        what="Unpacking ended before the stream's own end. What came out until then was read.",
        why="What lies behind the damage was not judged.",
        fix="Get the file again.",
    ),
    ScanRule(
        id="stream-trailing",
        verdict=FileVerdict.SUSPICIOUS,
        title="Something to load lies behind the end of a compressed stream or an archive",
        what="After the last byte that belongs to the format comes a pickle, an archive or a program. It was read.",
        why="Readers stop at the end or go on, each in its own way; what lies behind is meant for one that goes on.",
        fix="Do not load it.",
        blind="Padding and other trailing bytes that are nothing to load are no finding.",
    ),
    ScanRule(
        id="polyglot",
        verdict=FileVerdict.SUSPICIOUS,
        title="One file is two formats",
        what="The file is complete as one format from its beginning and as another one up to its end. Both were read.",
        why="The loader and the scanner may see different halves.",
        fix="Do not load it.",
        blind="Programs and text with a zip behind them are how launchers and zipapps are made, and are no finding.",
    ),
    ScanRule(
        id="tar-two-readings",
        verdict=FileVerdict.SUSPICIOUS,
        title="Two readers of the tar archive find different members",
        what="An extended header gives another size than the header itself, and both lead on to members. All were read.",
        why="A member that one reader skips as content is unpacked by another.",
        fix="Do not unpack it.",
        references=("https://nvd.nist.gov/vuln/detail/CVE-2025-62518",),
    ),
    ScanRule(
        id="tar-broken",
        verdict=FileVerdict.MALFORMED,
        title="A tar archive is damaged or cut off",
        what="A header does not add up, or content is missing. What came before it was read.",
        why="What lies behind the damage was not judged.",
        fix="Get the file again.",
    ),
)

_TORCHSCRIPT = (
    ScanRule(
        id="torchscript-effect",
        verdict=FileVerdict.MALICIOUS,
        title="TorchScript code reads or writes files, or calls other machines",
        what="The code that torch compiles from the archive uses an operator that takes a file name or a remote call.",
        why=(
            "torch.load and torch.jit.load run `__setstate__` of such code, and every use of the model runs the rest: "
            "files of the server are read or overwritten. `weights_only=True` did not prevent it."
        ),
        fix="Do not load it.",
        references=("https://nvd.nist.gov/vuln/detail/CVE-2025-32434",),
    ),
    ScanRule(
        id="torchscript-unknown",
        verdict=FileVerdict.SUSPICIOUS,
        title="TorchScript code uses an operator or class that nobody vouches for",
        what="The code names an operator, a namespace or a native class that torch itself does not bring.",
        why="A library that must be loaded beside the model decides what it does.",
        fix="Find the library that brings the operator, review it, and accept the name by a policy.",
        blind="Operators that torch brings are taken as computing, but for those with an effect outside of it.",
    ),
    ScanRule(
        id="torchscript-unread",
        verdict=FileVerdict.UNSCANNABLE,
        title="TorchScript code could not be read to its end",
        what="The text is too long, nests too deep, or is no text.",
        why="What was not read was not judged.",
        fix="Save the model again with a current version of torch, or review its code by hand.",
    ),
)

_SKOPS = (
    ScanRule(
        id="skops-method",
        verdict=FileVerdict.MALICIOUS,
        title="A skops file smuggles a call past the list of trusted types",
        what=(
            "A node says that it is of one type and builds another, takes a private method of an object, or takes a "
            "function of `operator` under another name."
        ),
        why="skops asks whether the named type is trusted and then builds the other one: code runs at loading.",
        fix="Do not load it; use skops 0.12 or later.",
        references=(
            "https://nvd.nist.gov/vuln/detail/CVE-2025-54412",
            "https://nvd.nist.gov/vuln/detail/CVE-2025-54413",
        ),
    ),
    ScanRule(
        id="skops-unknown-type",
        verdict=FileVerdict.SUSPICIOUS,
        title="A skops file builds a type that is not vouched for",
        what="A node names a class or function outside of the libraries whose types are known here to hold data.",
        why="Loading imports it and builds it; what it does then is up to its code.",
        fix="Review the type and accept it by a policy.",
    ),
    ScanRule(
        id="skops-unread",
        verdict=FileVerdict.UNSCANNABLE,
        title="The schema of a skops file could not be read",
        what="schema.json is no JSON, too large or nests too deep, or uses a kind of node that is not known here.",
        why="What was not read was not judged.",
        fix="Save the model again with a current version of skops.",
    ),
)

RULES: tuple[ScanRule, ...] = (*_ZIP, *_ARCHIVES, *_TORCHSCRIPT, *_SKOPS)
