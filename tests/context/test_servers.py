"""The module of a server's application is told, and nothing else of its command line."""

from __future__ import annotations

import pytest

from eightysix.context.commands import MAX_SUMMARY, is_inline, summarise, summarise_joined
from eightysix.context.servers import application

UVICORN = "/opt/venv/bin/uvicorn"


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (f"{UVICORN} package.main:app", "package.main"),
        (f"{UVICORN} --host 0.0.0.0 --reload --no-access-log package:app", "package"),
        (f"{UVICORN} package:create_app('sqlite://')", "package"),
        ("-m uvicorn package:app --port 80", "package"),
        ("-u -m hypercorn package:app", "package"),
        ("/usr/bin/gunicorn -w 2 --bind=0.0.0.0:80 -k uvicorn.workers.UvicornWorker package:app.wsgi", "package"),
        ("/usr/bin/granian --interface asgi package:app", "package"),
        ("/usr/bin/waitress-serve --call package:create", "package"),
        ("/usr/bin/fastapi run --port 80 --entrypoint package:app", "package"),
        ("/usr/bin/fastapi run -e package:app", "package"),
        ("/usr/bin/fastapi run package:app", ""),
        ("/usr/bin/gunicorn package.wsgi", ""),
        (f"{UVICORN} --header server:canary package:app", "package"),
        (f"{UVICORN} --unheard user:canary", ""),
        (f"{UVICORN} 10.0.0.1:80", ""),
        (f"{UVICORN} user:canary-1", ""),
        (f"{UVICORN} https://user:canary@host/", ""),
        (f"{UVICORN} hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345:app", ""),
        (f"{UVICORN} package:hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345", ""),
        (f"{UVICORN} päckage:app", ""),
        (f"{UVICORN} {'p' * 81}:app", ""),
        (f"{UVICORN}", ""),
        ("/app/server.py package:app", ""),
        ("-m server package:app", ""),
        ("-c package:app", ""),
        ("uvicorn package:app", ""),
    ],
)  # fmt: skip
def test_applications(arguments: str, module: str) -> None:
    summary = summarise("/opt/venv/bin/python3.11", arguments).summary
    assert application(summary) == module
    assert "canary" not in summary
    assert len(summary) <= MAX_SUMMARY
    assert is_inline(summary) == arguments.startswith("-c")


def test_nothing_behind_the_colon_is_shown() -> None:
    assert summarise("python", f"{UVICORN} package:canary").summary == f"python {UVICORN} package:…"
    assert summarise("python", "-m uvicorn package:canary").summary == "python -m uvicorn package:…"


def test_words_that_may_belong_to_a_value_are_not_read() -> None:
    """Joined by blanks without quotes, `--log-format "at user:canary"` has the same words as an application."""
    assert application(summarise_joined("python", f"{UVICORN} package:app --log at x").summary) == "package"
    assert application(summarise_joined("python", f"{UVICORN} --log-format at user:canary").summary) == ""
    assert application(summarise("python", f'{UVICORN} "package:app').summary) == ""


@pytest.mark.parametrize(
    "summary", ["", "python", "oras push package:…", "pip install package:…", "uvicorn package:…"]
)
def test_only_a_servers_summary_names_an_application(summary: str) -> None:
    assert application(summary) == ("package" if summary.startswith("uvicorn") else "")
