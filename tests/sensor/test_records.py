"""What a program does becomes records of version 1, with whose code it was; what the reader makes of them is checked too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from eightysix.model.words import Access, Domain, Kind
from eightysix.sources.sensor import SensorDecoder
from tests.sensor.hosts import Host, Record, one, python_of, told, wheel_into

APP_CONNECT = """
import socket
def call(port=1):
    try: socket.socket().connect(("127.0.0.1", port))
    except OSError: pass
"""
TOKEN = "secrets/kubernetes.io/serviceaccount/token"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()


def test_each_record_says_which_process_and_in_which_order(host: Host) -> None:
    records = host.run(APP_CONNECT + "call(1); call(2)")
    assert [record["seq"] for record in records] == list(range(len(records)))
    first = records[0]
    assert (first["v"], first["event"], first["argv"][1]) == (1, "start", str(host.app / "server.py"))
    assert len({(r["boot_id"], r["pid"], r["ns_pid"], r["start_ticks"]) for r in records}) == 1
    assert first["start_ticks"] > 0
    assert len(first["boot_id"]) == 36
    last = records[-1]
    assert (last["event"], last["last"], last["dropped"], last["errors"]) == ("heartbeat", True, 0, 0)
    assert last["sent"] == len(records) - 1


def test_the_chain_goes_from_who_calls_to_the_application(host: Host) -> None:
    wheel_into(host.site, "plumbing", "1.2", {"plumbing/__init__.py": APP_CONNECT})
    wheel_into(
        host.site, "Evil_Pkg", "3.0", {"evil/__init__.py": "import plumbing\ndef go(): plumbing.call(7)\n"}
    )
    records = host.run("import evil\nevil.go()")
    connect = one(records, "connect", port=7)
    assert connect["chain"] == ["plumbing==1.2", "evil-pkg==3.0", f"app:{host.app}/server.py"]
    assert connect["root"] == f"app:{host.app}/server.py"
    assert connect["at_import"] == ""
    assert [(dist["name"], dist["version"], dist["record_ok"]) for dist in connect["dists"]] == [
        ("plumbing", "1.2", True),
        ("evil-pkg", "3.0", True),
    ]
    assert all(0 <= dist["age_s"] < 600 for dist in connect["dists"])


def test_code_that_runs_while_it_is_imported_is_told_so(host: Host) -> None:
    wheel_into(host.site, "evil", "3.0", {"evil/__init__.py": APP_CONNECT + "call(7)"})
    connect = one(host.run("import evil"), "connect", port=7)
    assert connect["at_import"] == "evil==3.0"
    assert connect["chain"] == ["evil==3.0", f"app:{host.app}/server.py"]


def test_parts_of_a_namespace_belong_to_their_own_distributions(host: Host) -> None:
    wheel_into(host.site, "azure-core", "1.0", {"azure/core/__init__.py": APP_CONNECT})
    wheel_into(
        host.site, "azure-identity", "2.0",
        {
            "azure/identity/__init__.py": "",
            "azure/identity/_internal/msal.py": "import azure.core\ndef go(): azure.core.call(7)\n",
        },
    )  # fmt: skip
    records = host.run("import azure.identity._internal.msal as m\nm.go()")
    connect = one(records, "connect", port=7)
    assert connect["chain"][:2] == ["azure-core==1.0", "azure-identity==2.0"]
    assert {record["module"] for record in told(records, "import")} == {"azure", "azure.core"}


def test_a_file_that_was_changed_or_added_after_the_install_is_told(host: Host) -> None:
    wheel_into(host.site, "good", "1.0", {"good/__init__.py": "", "good/net.py": APP_CONNECT})
    (host.site / "good" / "net.py").write_text(APP_CONNECT + "\n# changed\n")
    (host.site / "good" / "added.py").write_text(APP_CONNECT)
    records = host.run("import good.net, good.added\ngood.net.call(7)\ngood.added.call(8)")
    for port in (7, 8):
        assert one(records, "connect", port=port)["dists"][0]["record_ok"] is False
        assert one(records, "connect", port=port)["chain"][0] == "good==1.0"


def test_code_that_no_distribution_owns_is_unowned(host: Host) -> None:
    (host.site / "dropped.py").write_text(APP_CONNECT)
    assert (
        one(host.run("import dropped\ndropped.call(7)"), "connect", port=7)["chain"][0]
        == "unowned:dropped.py"
    )


def test_packages_in_a_folder_of_any_name_are_found_and_source_trees_are_the_application(host: Host) -> None:
    vendored, tree = host.folder / "vendored", host.folder / "tree"
    for place in (vendored, tree):
        place.mkdir()
    wheel_into(vendored, "evil", "3.0", {"evil.py": APP_CONNECT})
    (vendored / "mine.py").write_text(APP_CONNECT)
    (tree / "project.egg-info").mkdir()
    (tree / "project.egg-info" / "top_level.txt").write_text("project\n")
    (tree / "project.py").write_text(APP_CONNECT)
    records = host.run(f"""
        sys.path += [{str(vendored)!r}, {str(tree)!r}]
        import evil, mine, project
        evil.call(6); mine.call(7); project.call(8)
    """)
    first = {record["port"]: record["chain"][0] for record in told(records, "connect")}
    assert first == {6: "evil==3.0", 7: f"app:{vendored}/mine.py", 8: f"app:{tree}/project.py"}


def test_a_module_by_another_name_is_found_by_its_record(host: Host) -> None:
    wheel_into(host.site, "beautifulsoup4", "4.1", {"bs4/__init__.py": APP_CONNECT})
    wheel_into(host.site, "single-file", "1.1", {"onefile.py": APP_CONNECT})
    records = host.run("import bs4, onefile\nbs4.call(7)\nonefile.call(8)")
    assert one(records, "connect", port=7)["chain"][0] == "beautifulsoup4==4.1"
    assert one(records, "connect", port=8)["chain"][0] == "single-file==1.1"


def test_processes_are_told_before_they_start(host: Host) -> None:
    records = host.run("""
        import os, subprocess
        subprocess.run(["pip", "install", "-q", "torch-perf==1.4"], check=False) if False else None
        subprocess.run([os.path.realpath("/bin/true"), "word"])
        subprocess.run("exit 0", shell=True)
        os.system("pip --version >/dev/null 2>&1")
        pid = os.posix_spawn("/bin/true", ["true"], {})
        os.waitpid(pid, 0)
        if os.fork() == 0:
            os.execv("/bin/true", ["true", "--x"])
        os.wait()
    """)
    spawns = told(records, "spawn")
    assert [record["api"] for record in spawns] == [
        "subprocess.Popen", "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec",
    ]  # fmt: skip
    assert spawns[0]["argv"][1:] == ["\u2026"]
    assert spawns[2]["argv"] == ["pip --version \u2026 \u2026 & \u2026"] or spawns[2]["argv"][0].startswith(
        "pip --version"
    )
    assert spawns[4]["pid"] != spawns[0]["pid"]
    assert one(records, "fork")["chain"] == [f"app:{host.app}/server.py"]
    child = one(records, "forked")
    assert (child["pid"], child["ppid"], child["seq"]) == (spawns[4]["pid"], spawns[0]["pid"], 0)


def test_an_install_that_a_program_asks_for_is_read_as_one(host: Host) -> None:
    host.run("""
        import subprocess
        try: subprocess.Popen(["/nonexistent/bin/pip", "install", "torch-perf==1.4.3", "--index-url", "https://u:geheim@pypi.test/simple"])
        except OSError: pass
    """)
    [event] = [e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.kind is Kind.SPAWN]
    assert event.activity == "install"
    assert [(a.kind, a.name, a.version) for a in event.artifacts][:1] == [("pypi", "torch-perf", "1.4.3")]
    assert b"geheim" not in host.raw()


def test_a_child_without_the_sensor_is_told(host: Host) -> None:
    records = host.run("""
        import os, subprocess
        subprocess.run(["/bin/true"], env={})
        subprocess.run(["/bin/true"], env=dict(os.environ))
    """)
    assert [record.get("unwatched") for record in told(records, "spawn")] == [True, None]


def test_credentials_that_are_opened_are_told_also_by_relative_and_hidden_paths(host: Host) -> None:
    real = host.folder / "run" / TOKEN
    names = [".docker/config.json", ".aws/credentials", ".netrc", ".ssh/id_rsa", ".kube/config"]
    for path in (real, *(host.folder / name for name in names)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("canary-of-the-file")
    records = host.run(f"""
        import os, pathlib
        os.chdir({str(host.folder)!r})
        open("run/{TOKEN}").read()
        os.chdir("run/secrets/kubernetes.io")
        open(b"../../..//.docker/./config.json")
        pathlib.Path("../../../.aws/credentials").read_text()
        os.chdir("../../..")
        os.close(os.open(".netrc", os.O_RDONLY))
        os.link(".ssh/id_rsa", "harmless")
        open(pathlib.Path.cwd() / ".kube" / "config")
        open("/proc/self/environ", "rb").read()
        open("/proc/self/mem", "rb")
        open({str(host.app / "server.py")!r})
    """)
    opens = told(records, "open")
    expected = [
        str(real),
        *(str(host.folder / name) for name in names),
        "/proc/self/environ",
        "/proc/self/mem",
    ]
    assert [record["path"].replace("/./", "/").replace("//", "/") for record in opens] == expected
    assert {record["api"] for record in opens if record["path"].endswith("id_rsa")} == {"rename"}
    events = [e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.kind is Kind.FILE]
    assert {event.access for event in events} == {Access.READ}
    assert [event.domain for event in events][:3] == [Domain.CLUSTER, Domain.DELIVERY, Domain.CLOUD]
    assert b"canary-of-the-file" not in host.raw()


def test_startup_hooks_and_installs_that_are_written_are_told(host: Host) -> None:
    records = host.run(f"""
        import os
        site = {str(host.site)!r}
        open(site + "/evil.pth", "w").close()
        os.mkdir(site + "/x-1.0.dist-info")
        open(site + "/x-1.0.dist-info/METADATA", "w").close()
        open(site + "/tmpname", "w").close()
        os.rename(site + "/tmpname", site + "/late.pth")
        open(site + "/evil.pth").close()
        open("sitecustomize.py", "w").close()
    """)
    paths = [record["path"].rpartition("/")[2] for record in told(records, "open")]
    assert paths == ["evil.pth", "METADATA", "late.pth", "sitecustomize.py"]
    events = [e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.kind is Kind.FILE]
    assert [event.activity for event in events] == [
        "startup-file",
        "distribution",
        "startup-file",
        "startup-file",
    ]
    assert {event.access for event in events} == {Access.WRITE}


def test_requests_are_told_without_their_secrets(host: Host) -> None:
    records = host.run("""
        import http.client, urllib.request, socket, threading
        server = socket.create_server(("127.0.0.1", 0)); port = server.getsockname()[1]
        def serve():
            for _ in range(2):
                c, _a = server.accept(); c.recv(9999); c.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"); c.close()
        threading.Thread(target=serve, daemon=True).start()
        urllib.request.urlopen("http://127.0.0.1:%d/api/v1?token=CANARY1234567890" % port).read()
        c = http.client.HTTPConnection("127.0.0.1", port)
        c.request("POST", "/hook/CANARYabcdefgh0123456789xyz", body=b"CANARY-body", headers={"Authorization": "Bearer CANARY"})
        c.getresponse().read()
        try: urllib.request.urlopen(urllib.request.Request("http://169.254.169.254.invalid/metadata?x=CANARY"), timeout=1)
        except OSError: pass
    """)
    assert b"CANARY" not in host.raw()
    urls = [record["url"] for record in told(records, "http")]
    assert any(url.endswith("/api/v1") for url in urls)
    assert told(records, "connect")
    assert [record["host"] for record in told(records, "resolve")] == ["169.254.169.254.invalid"]


def test_each_call_of_the_platform_is_told_and_of_others_one_for_each_place(host: Host) -> None:
    records = host.run(
        """
        import sys
        class Proxied: host, port = "proxy.test", 3128
        proxied = Proxied(); proxied.__dict__.update(host="proxy.test", port=3128)
        for _ in range(5):
            for address in ("169.254.169.254", "10.7.0.1", "203.0.113.1"):
                sys.audit("socket.connect", None, (address, 443))
            for target in (b"http://169.254.169.254/metadata/instance", b"http://public.test/"):
                sys.audit("http.client.send", proxied, b"GET " + target + b" HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        """,
        env={"KUBERNETES_SERVICE_HOST": "10.7.0.1"},
    )
    told_to = [record["dst"] for record in told(records, "connect")]
    assert [told_to.count(address) for address in ("169.254.169.254", "10.7.0.1", "203.0.113.1")] == [5, 5, 1]
    assert [r["url"] for r in told(records, "http")] == [
        "http://169.254.169.254/metadata/instance",
        "http://public.test/",
    ]


def test_a_token_request_names_what_for_and_whose(host: Host) -> None:
    identity = "11111111-2222-4333-8444-555555555555"
    host.run(f"""
        import sys
        sys.audit("urllib.Request", "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
            "&resource=https%3A%2F%2Fvault.azure.net&client_id={identity}&secret=CANARY", None, {{}}, "GET")
    """)
    [event] = [e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.kind is Kind.HTTP]
    assert (event.dst_ip, event.url_path) == ("169.254.169.254", "/metadata/identity/oauth2/token")
    assert (event.object_name, event.principals, event.domain) == (
        "vault.azure.net",
        (identity,),
        Domain.CLOUD,
    )
    assert b"CANARY" not in host.raw()


def test_names_of_sensitive_variables_are_told_and_no_values(host: Host) -> None:
    records = host.run(
        "import os\nos.environ['OPENAI_API_KEY'] = 'CANARY'\nos.environ['PLAIN'] = 'CANARY'\nos.environ.pop('HF_TOKEN')\n"
        "os.unsetenv('AWS_SECRET_ACCESS_KEY')",
        env={"HF_TOKEN": "CANARY", "MY_DB_PASSWORD": "CANARY", "HARMLESS": "CANARY"},
    )
    assert {"HF_TOKEN", "MY_DB_PASSWORD"} <= set(records[0]["env"])
    assert "HARMLESS" not in records[0]["env"]
    changed = [(record["name"], record["api"]) for record in told(records, "env")]
    assert ("OPENAI_API_KEY", "set") in changed
    assert ("HF_TOKEN", "unset") in changed
    assert not any(name == "PLAIN" for name, _ in changed)
    assert b"CANARY" not in host.raw()


def test_pickles_are_told_once_and_dangerous_lookups_each_time(host: Host) -> None:
    records = host.run("""
        import os, pickle, time, collections
        class R:
            def __reduce__(self): return (os.getcwd, ())
        bad, fine = pickle.dumps(R()), pickle.dumps(collections.OrderedDict())
        for _ in range(3): pickle.loads(fine)
        pickle.loads(bad); time.sleep(1.1); pickle.loads(bad)
    """)
    looked = [(record["module"], record["name"]) for record in told(records, "pickle")]
    assert looked.count(("collections", "OrderedDict")) == 1
    assert looked.count(("posix", "getcwd")) == 2
    [event] = [
        e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.module == "collections.OrderedDict"
    ]
    assert event.kind is Kind.PICKLE


def test_code_under_a_stolen_name_is_told_as_who_made_it(host: Host) -> None:
    wheel_into(host.site, "azure-identity", "1.27", {"azure/identity/__init__.py": "def ok(): pass\n"})
    wheel_into(
        host.site, "evil", "3.0",
        {"evil.py": f"""
            import azure.identity, json
            source = {APP_CONNECT!r}
            one, two = {{}}, {{}}
            exec(compile(source, azure.identity.__file__, "exec"), one)
            exec(compile(source, json.__file__, "exec"), two)
            def go():
                one["call"](7)
                two["call"](8)
            def renamed(): pass
            renamed.__code__ = renamed.__code__.replace(co_filename=json.decoder.__file__)
        """},
    )  # fmt: skip
    records = host.run("import evil\nevil.go()")
    assert one(records, "connect", port=7)["chain"][0] == "SPOOF(azure-identity==1.27)by:evil==3.0"
    assert one(records, "connect", port=8)["chain"][0] == "SPOOF(python)by:evil==3.0"
    assert len(told(records, "compile")) == 2
    events = [e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.kind is Kind.CONNECT]
    assert {event.chain[0] for event in events} == {"evil==3.0"}


def test_what_is_done_to_watch_or_to_hide_is_told(host: Host) -> None:
    records = host.run("""
        import sys, gc, ctypes
        sys.addaudithook(lambda e, a: None)
        sys.setprofile(None)
        sys.settrace(None)
        gc.get_objects()
        gc.get_referrers(sys)
        ctypes.CDLL(None).getpid
    """)
    for event in ("addaudithook", "setprofile", "settrace", "gc", "dlopen", "dlsym"):
        assert told(records, event), event
    assert one(records, "dlsym", path=None)["name"] == "getpid" if told(records, "dlsym", path=None) else True


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13", "3.14"])
@pytest.mark.tier("pythons")
def test_every_python_tells_the_same(version: str, tmp_path: Path) -> None:
    host = Host(tmp_path, python_of(version))
    wheel_into(host.site, "evil", "3.0", {"evil/__init__.py": APP_CONNECT + "import threading, pickle, os\n"
        "def go():\n    t = threading.Thread(target=call, args=(9,)); t.start(); t.join()\n"
        "class R:\n    def __reduce__(self): return (os.getcwd, ())\n"
        "pickle.loads(pickle.dumps(R()))\ncall(7)\n"})  # fmt: skip
    records = host.run(f"""
        import evil, os, subprocess, urllib.request, asyncio, concurrent.futures, json, dataclasses
        evil.go()
        subprocess.run(["/bin/true"])
        try: open("/var/run/{TOKEN}")
        except OSError: pass
        try: urllib.request.urlopen("http://127.0.0.1:1/x")
        except OSError: pass
        if os.fork() == 0: os._exit(0)
        os.wait()
    """)
    connects = {record["port"]: record for record in told(records, "connect")}
    assert connects[7]["at_import"] == "evil==3.0"
    assert connects[9]["root"] == "evil==3.0"
    assert connects[9]["chain"] == ["evil==3.0", f"app:{host.app}/server.py"]
    assert one(records, "open", path=f"/var/run/{TOKEN}")["root"] == f"app:{host.app}/server.py"
    assert {"start", "spawn", "pickle", "http", "fork", "forked", "heartbeat"} <= {
        record["event"] for record in records
    }
    assert records[-1]["errors"] == 0
    assert {record["module"] for record in told(records, "import")} - {"org"} == {"evil"}


def _modules(records: list[Record]) -> set[str]:
    return {record["module"] for record in told(records, "import")}


def test_modules_of_the_standard_library_are_not_told(host: Host) -> None:
    records = host.run(
        "import asyncio, xml.dom.minidom, sqlite3, unittest.mock, multiprocessing, email.mime.text"
    )
    assert _modules(records) <= {"org"}


def test_records_are_json_of_ascii_letters(host: Host) -> None:
    wheel_into(host.site, "evil", "3.0", {"evil/__init__.py": ""})
    host.run("""
        import urllib.request
        try: urllib.request.urlopen("http://127.0.0.1:1/\\u00e4\\ud800")
        except Exception: pass
        try: open(b"/run/secrets/\\xff\\xfe")
        except OSError: pass
    """)
    for line in host.raw().splitlines():
        assert line.isascii()
        json.loads(line)
