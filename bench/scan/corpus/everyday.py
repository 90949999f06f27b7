"""Everyday files that are no models: text, tables, pictures, sound, archives, databases, programs, nothing at all."""

from __future__ import annotations

import io
import json
import marshal  # writing only: what Python itself leaves beside every module
import sqlite3
import struct
import tempfile
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

from bench.scan.corpus import archives as z
from bench.scan.corpus.archives import DEFLATED, Member
from bench.scan.corpus.sample import Sample, chance_of


def png(chance: Random, side: int = 16) -> bytes:
    """A picture of noise."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + chance.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def sound() -> bytes:
    """A tenth of a second of silence."""
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(1600))
    return made.getvalue()


def database(statements: str) -> bytes:
    """An SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        connection = sqlite3.connect(path)
        connection.executescript(statements)
        connection.close()
        return path.read_bytes()


TEXTS = {
    "README.md": "# A model\n\nLoad it with `torch.load`. Never `pickle.load` what you do not trust: it can call `os.system`.\n\n```python\nimport pickle\npickle.load(open('model.pkl', 'rb'))\n```\n",
    "LICENSE": "Apache License\nVersion 2.0, January 2004\n" * 40,
    "notes.txt": "cos\nsystem is how a pickle names os.system\n(S'echo pwned'\ntR.\n",
    "pickle-docs.txt": "A GLOBAL opcode 'c' is followed by module and name, e.g. cposix\nsystem\n",
    "dot.txt": ".", "letter.txt": "N.", "numbers.txt": "I1\n.", "list.txt": "(lp0\n.", "brackets.txt": "].", "braces.txt": "}.", "sentence.txt": "(This is in brackets.)\n", "empty.txt": "", "newline.txt": "\n", "spaces.txt": "   \n\t\n",
    "table.csv": "id,text\n1,eval\n2,__reduce__\n3,=cmd|' /C calc'!A0\n", "table.tsv": "a\tb\n1\t2\n", "data.json": '{"a": [1, 2.5, null, true], "lc": "not an object", "type": "x"}', "array.json": "[1, 2, 3]", "string.json": '"text"', "deep.json": "[" * 60 + "]" * 60, "lines.jsonl": '{"a": 1}\n{"a": 2}\n',
    "package.json": '{"name": "x", "scripts": {"test": "node test.js"}, "dependencies": {"left-pad": "1.0.0"}}', "geo.json": '{"type": "FeatureCollection", "features": []}', "schema.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}',
    "openapi.yaml": "openapi: 3.0.0\ninfo: {title: x, version: '1'}\npaths: {}\n", "compose.yaml": "services:\n  web:\n    image: nginx\n    command: [sh, -c, 'echo ok']\n", "deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: a, image: b, command: [python, -c, 'import os']}\n",
    "github.yml": "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n    - run: curl -sSL https://example.com | sh\n", "cloudformation.yaml": "Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: !Sub '${AWS::StackName}-b'\n      X: !GetAtt A.Arn\n", "mkdocs.yml": "site_name: x\nmarkdown_extensions:\n- pymdownx.emoji:\n    emoji_index: !!python/name:material.extensions.emoji.twemoji\n",
    "script.sh": "#!/bin/sh\nset -e\necho hello\n", "program.py": "import os\nimport subprocess\n\ndef main():\n    os.system('ls')\n    subprocess.run(['ls'])\n    exec('x = 1')\n", "train.py": "import torch\nimport pickle\nwith open('m.pkl', 'wb') as f:\n    pickle.dump({}, f)\ntorch.save({}, 'm.pt')\n", "module.js": "module.exports = eval;\n", "page.html": "<!doctype html><script>alert(1)</script>\n", "style.css": "body { color: red }\n", "query.sql": "SELECT * FROM t;\n", "Dockerfile": "FROM python:3.11\nRUN pip install torch\nCMD [\"python\", \"a.py\"]\n", "Makefile": "all:\n\techo ok\n", "config.ini": "[a]\nb = 1\n", "config.toml": "[a]\nb = 1\n", ".gitignore": "*.pkl\n", ".env": "TOKEN=\n", "icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>\n",
    "template.html.j2": "{% for item in items %}{{ item.name|e }}{% endfor %}\n", "mail.jinja": "Dear {{ name|title }}, {% if paid %}thank you{% else %}please pay{% endif %}\n", "words.txt": "\n".join(f"word{n}" for n in range(3000)), "log.txt": "\n".join(f"2026-01-01T00:00:{n:02d}Z INFO step {n} loss 0.{n}" for n in range(60)), "unicode.txt": "Ünïcödé 中文 العربية 🐍 \u202eabc\n", "crlf.txt": "a\r\nb\r\n", "latin.txt": "caf\xe9", "diff.patch": "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n", "poem.tex": "\\documentclass{article}\\begin{document}x\\end{document}\n", "key.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "vectors.vec": "2 3\nthe 0.1 0.2 0.3\nof 0.4 0.5 0.6\n", "labels.txt": "cat\ndog\n",
}  # fmt: skip


def samples(seed: int) -> Iterator[Sample]:
    """Every everyday file."""
    chance = chance_of(seed, "everyday")
    files: dict[str, bytes] = {
        name: text.encode("latin-1" if name == "latin.txt" else "utf-8") for name, text in TEXTS.items()
    }
    files.update({
        "empty": b"", "empty.pkl": b"", "empty.pt": b"", "empty.json": b"", "zeros.bin": bytes(5000), "noise.bin": chance.randbytes(4096), "noise": chance.randbytes(333), "noise-80.bin": b"\x80" + chance.randbytes(500), "noise-8004.bin": b"\x80\x04" + b"\xfe" * 64, "floats.bin": struct.pack("<64f", *(chance.random() for _ in range(64))),
        "integers.dat": struct.pack("<99i", *range(99)), "picture.png": png(chance), "large.png": png(chance, 200), "picture.gif": b"GIF89a\1\0\1\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", "picture.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + b"\0\0\xff\0", "sound.wav": sound(), "photo.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + chance.randbytes(300) + b"\xff\xd9",
        "document.pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n", "archive.zip": z.zip_([Member("a.txt", b"text", DEFLATED), Member("b/c.json", b"{}")]), "empty.zip": z.zip_([]), "archive.tar": z.tar([("a.txt", b"text"), ("b/c.csv", b"1,2\n")]), "archive.tar.gz": z.tar([("a.txt", b"text")], "w:gz"), "archive.tar.xz": z.tar([("a.txt", b"text")], "w:xz"), "archive.tar.bz2": z.tar([("a.txt", b"text")], "w:bz2"), "text.gz": z.gzip_(b"text\n" * 400), "table.csv.gz": z.gzip_(b"a,b\n1,2\n"), "text.zz": zlib.compress(b"text " * 99), "archive.7z": z.seven_zip("a.txt", b"text"), "text.zst": z.zstd(b"text " * 99), "text.lz4": z.lz4(b"text " * 99),
        "book.xlsx": z.zip_([Member("[Content_Types].xml", b"<Types/>", DEFLATED), Member("xl/workbook.xml", b"<workbook/>", DEFLATED)]), "paper.docx": z.zip_([Member("[Content_Types].xml", b"<Types/>"), Member("word/document.xml", b"<w:document/>")]), "app.jar": z.zip_([Member("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"), Member("A.class", b"\xca\xfe\xba\xbe" + b"\0" * 40)]), "book.epub": z.zip_([Member("mimetype", b"application/epub+zip"), Member("a.xhtml", b"<html/>")]), "nested.zip": z.zip_([Member("inner.zip", z.zip_([Member("a.txt", b"text")]))]),
        "plain.db": database("CREATE TABLE a (b TEXT); INSERT INTO a VALUES ('x');"), "cookies.sqlite": database("CREATE TABLE moz_cookies (id INTEGER, name TEXT, value BLOB); INSERT INTO moz_cookies VALUES (1, 'a', x'80');"), "empty.sqlite": database("PRAGMA user_version = 1;"), "mlflow.db": database("CREATE TABLE runs (run_uuid TEXT, name TEXT); CREATE TABLE params (key TEXT, value TEXT); INSERT INTO params VALUES ('lr', '0.1');"), "views.db": database("CREATE TABLE a (b); CREATE VIEW v AS SELECT * FROM a; CREATE INDEX i ON a (b);"),
        "cache.pyc": b"\xa7\r\r\n" + bytes(12) + marshal.dumps(compile("x = 1", "a.py", "exec")), "program.exe": b"MZ" + b"\0" * 58 + b"\x80\0\0\0" + b"\0" * 64 + b"PE\0\0\x64\x86" + b"\0" * 240, "library.a": b"!<arch>\n", "class.class": b"\xca\xfe\xba\xbe\0\0\0\x34" + b"\0" * 60, "module.wasm": b"\0asm\1\0\0\0", "font.woff": b"wOFF\0\1\0\0" + bytes(60), "video.mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(60), "capture.pcap": b"\xd4\xc3\xb2\xa1\2\0\4\0" + bytes(16), "utf16.txt": "text".encode("utf-16"), "bom.json": b"\xef\xbb\xbf{}", "half.png": png(chance)[:40], "cut.zip": z.zip_([Member("a.txt", b"text" * 99)])[:200], "cut.gz": z.gzip_(b"text " * 9999)[:60],
        "large.json": json.dumps({f"key{n}": n for n in range(20_000)}).encode(), "large.csv": b"a,b,c\n" + b"1,2,3\n" * 50_000, "large.txt": b"The model was evaluated. Import the data.\n" * 20_000, "git/index": b"DIRC\0\0\0\2\0\0\0\0" + bytes(20), "git/HEAD": b"ref: refs/heads/main\n", "git/object": zlib.compress(b"blob 4\0text"), "index.npy.txt": b"not an array", "checkpoint": b'model_checkpoint_path: "ckpt-1"\n', "events.out.tfevents": struct.pack("<Q", 24) + bytes(40),
    })  # fmt: skip
    # Cut files are no models either, and yet nobody can say what they were; and a text can be a pickle too (notes.txt). How
    # those are told is not part of the rates.
    gray = {"notes.txt", "cut.zip", "cut.gz", "mkdocs.yml", "github.yml", "empty.pkl", "empty.pt"}
    for name, data in files.items():
        yield Sample(
            f"everyday/{name}",
            data,
            f"everyday: {name}",
            "everyday",
            "gray" if name in gray else "core",
            "benign",
            "own generator",
        )
