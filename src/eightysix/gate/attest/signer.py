"""Who signed: from a certificate or a key that was found good to the fields of a `Signer`.

Extensions of sigstore's certificates: sigstore/fulcio, docs/oid-info.md. Those from .8 on are a UTF8String in DER, .1 to .6
(deprecated) the text itself. All issuers (GitHub Actions, GitLab CI, Buildkite, Codefresh, Chainguard) use the same
numbers; what an issuer does not say stays empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from eightysix.gate.attest.certificates import key_digest
from eightysix.gate.attest.strict import is_hex, shown, wrong
from eightysix.model.gate import Signer, SigningMethod

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Extensions

__all__ = ["FULCIO", "by_certificate", "by_key", "keyless", "names_of", "without_ref"]

FULCIO: Final = "1.3.6.1.4.1.57264.1."
_LEGACY: Final = frozenset(range(1, 7))
_CLAIMS: Final = frozenset(range(8, 24))
_MAX_VALUE: Final = 2048
"""Characters of one claim. The longest seen, a reusable workflow's address, has some 200."""

_FIELDS: Final = {
    8: "issuer",
    9: "workflow",
    10: "builder_digest",
    11: "runner",
    12: "repository",
    13: "commit",
    14: "ref",
    15: "repository_id",
    16: "owner",
    17: "owner_id",
    18: "build_config",
    19: "config_digest",
    20: "trigger",
    21: "run",
    22: "visibility",
    23: "environment",
}
_OLD_FIELDS: Final = {1: "issuer", 2: "trigger", 3: "commit", 5: "repository", 6: "ref"}
"""What the deprecated numbers tell, used where the new ones are silent; .4 is a workflow's title, which anybody may give."""

_GITHUB: Final = "https://token.actions.githubusercontent.com"


def without_ref(address: str) -> str:
    """An address of a workflow without the ref or commit that it ran at.

    The last `@` counts: a file's path may hold one, and `a.yml@refs/heads/main/b.yml@refs/heads/dev` must not pass for `a.yml`.
    """
    before, at, ref = address.rpartition("@")
    commit = is_hex(ref, 40) or is_hex(ref, 64)
    return before if at and (ref.startswith("refs/") or commit) else address


def _ref_of(address: str) -> str:
    return address[len(without_ref(address)) + 1 :]


def keyless(
    leaf: Certificate, authority_key: str, *, method: SigningMethod = SigningMethod.KEYLESS
) -> Signer:
    """The workload that sigstore's authority gave the certificate to; `authority_key` is the digest of the authority's key."""
    extensions = leaf.extensions
    found = _claims(extensions)
    fields = {field: found.get(number, "") for number, field in _FIELDS.items()}
    for number, field in _OLD_FIELDS.items():
        old = found.get(number, "")
        if number == 5 and old and fields["issuer"] == _GITHUB:
            old = f"https://github.com/{old}"
        fields[field] = fields[field] or old
    fields["ref"] = fields["ref"] or _ref_of(fields["workflow"])
    fields["workflow"] = without_ref(fields["workflow"])
    fields["build_config"] = without_ref(fields["build_config"])
    names = names_of(leaf)
    if len(names) != 1:
        raise wrong(f"its certificate has {len(names)} names, and one is expected")
    return Signer(method=method, key=authority_key, subject=without_ref(names[0]), **fields)


def _claims(extensions: Extensions) -> dict[int, str]:
    found: dict[int, str] = {}
    for extension in extensions:
        number = extension.oid.dotted_string
        if not number.startswith(FULCIO):
            continue
        last = number[len(FULCIO) :]
        if not last.isascii() or not last.isdigit() or len(last) > 2:
            continue
        raw = extension.value.public_bytes()
        if int(last) in _CLAIMS:
            found[int(last)] = _utf8_string(raw, number)
        elif int(last) in _LEGACY:
            found[int(last)] = _text(raw, number)
    return found


def _utf8_string(raw: bytes, number: str) -> str:
    """The text of a UTF8String, whose length must be that of the rest and be written in the shortest way."""
    if len(raw) < 2 or raw[0] != 0x0C:
        raise wrong(f"the claim {number} of its certificate is no text")
    size, start = raw[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(raw[2:start])
        if not 3 <= start <= 4 or size < 128 or (start == 4 and size < 256):
            raise wrong(f"the claim {number} of its certificate is not written as it must be")
    if len(raw) - start != size:
        raise wrong(f"the claim {number} of its certificate has another length than it says")
    return _text(raw[start:], number)


def _text(raw: bytes, number: str) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise wrong(f"the claim {number} of its certificate is not UTF-8") from None
    if len(text) > _MAX_VALUE:
        raise wrong(f"the claim {number} of its certificate has {len(text):,} characters")
    if not text.isprintable():
        raise wrong(f"the claim {number} of its certificate holds control characters: {shown(text)}")
    return text


def names_of(leaf: Certificate) -> tuple[str, ...]:
    """The alternative names of a certificate, as text, in its order."""
    from cryptography import x509

    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = []
    for name in names:
        if isinstance(name, x509.OtherName):
            found.append(_utf8_string(name.value, name.type_id.dotted_string))
        elif isinstance(name.value, str):
            found.append(_text(name.value.encode(), "2.5.29.17"))
        else:
            found.append(
                _text(
                    str(getattr(name.value, "rfc4514_string", lambda n=name: n.value)()).encode(), "2.5.29.17"
                )
            )
    return tuple(found)


def by_certificate(leaf: Certificate, anchor: Certificate) -> Signer:
    """The holder of a certificate under an authority of the operator's."""
    names = names_of(leaf)
    subject = ", ".join(names) if names else leaf.subject.rfc4514_string()
    issuer = anchor.subject.rfc4514_string()
    return Signer(
        method=SigningMethod.CERTIFICATE,
        issuer=_text(issuer.encode(), "issuer"),
        key=key_digest(anchor),
        subject=_text(subject.encode(), "subject"),
    )


def by_key(digest: str) -> Signer:
    """The holder of a key, which is all that is known."""
    return Signer(method=SigningMethod.KEY, key=digest)
