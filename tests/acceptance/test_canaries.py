"""Secrets stay where they were put: twenty canaries are planted, all that comes out is searched, none is found."""

import base64
import contextlib
import gzip
import io
import json
import random
import socket
import string
import subprocess
import sys
import tarfile
import threading
import urllib.error
import urllib.request
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import nkeys
import pytest
from nats.js.errors import NotFoundError

from contracts.v1.runs import RunClosed, RunRequested
from contracts.v1.waits import TaskWaits

pytestmark = pytest.mark.slow

IDEA = "A shelf: books have a title and a number of pages."
PART = 10
"""So many first or last characters of a secret are a find already."""

letters = random.Random("canaries")


def canary(before=""):
    """A secret of 28 characters that nothing else in the world contains, after what its kind begins with."""
    return before + "".join(letters.choices(string.ascii_letters + string.digits, k=28))


KEYS = {
    "OPENAI_API_KEY": canary("sk-proj-"),
    "ANTHROPIC_API_KEY": canary("sk-ant-api03-"),
    "GROQ_API_KEY": canary("gsk_"),
    "AZURE_OPENAI_API_KEY": canary(),
    "MISTRAL_API_KEY": canary(),
    "TOGETHER_API_KEY": canary(),
    "DEEPSEEK_API_KEY": canary("sk-"),
    "OPENROUTER_API_KEY": canary("sk-or-v1-"),
    "GEMINI_API_KEY": canary("AIza"),
    "HOUSE_MODEL": canary(),  # a name that does not say what it holds; models.yaml does
}
KEY_FILE = canary()
BROKER_PASSWORD, BROKER_TOKEN, PROXY, HEADER, DATABASE = (canary() for _ in range(5))
SEED = nkeys.encode_seed(letters.randbytes(32), nkeys.PREFIX_BYTE_USER).decode()
MISPLACED_KEY, MISPLACED_PASSWORD = canary(), canary()
CLOUD = {"AWS_SECRET_ACCESS_KEY": canary("wJ/"), "AWS_SESSION_TOKEN": canary("IQoJ+")}

CANARIES = {
    **KEYS, **CLOUD, "key file": KEY_FILE, "broker's password": BROKER_PASSWORD, "broker's token": BROKER_TOKEN,
    "proxy's password": PROXY, "header for traces": HEADER, "database's password": DATABASE, "signing seed": SEED,
    "key in models.yaml": MISPLACED_KEY, "password in models.yaml": MISPLACED_PASSWORD,
}  # fmt: skip

# provider, variable of the key; None is the key file
CALLED = {
    "openai": "OPENAI_API_KEY", "openai-responses": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY",
    "groq": "GROQ_API_KEY", "azure": "AZURE_OPENAI_API_KEY", "mistral": "MISTRAL_API_KEY",
    "together": "TOGETHER_API_KEY", "deepseek": "DEEPSEEK_API_KEY", "openrouter": "OPENROUTER_API_KEY",
    "gemini": "GEMINI_API_KEY", "compatible": "HOUSE_MODEL", "vllm": None,
}  # fmt: skip
REFUSING, FAILING = ("400",), ("401", "500", "nonsense")


def targets(address, answers):
    """The targets of every provider at one address; the model's name is what the address answers."""
    for provider, variable in CALLED.items():
        key = f"api_key_env: {variable}" if variable else "api_key_file: key.txt"
        for answer in answers:
            yield f"{provider}-{answer}", f"{{provider: {provider}, model: '{answer}', base_url: '{address}', {key}}}"


def models_file(address):
    """Two routes: every target of the one says that the request is wrong, of the other that something is."""
    lines = ["targets:", *(f"  {name}: {body}" for name, body in targets(address, (*REFUSING, *FAILING)))]
    lines.append("routes:")
    for route, answers in (("refusing", REFUSING), ("failing", FAILING)):
        names = [name for name, _ in targets(address, answers)]
        lines.append(f"  - {{name: {route}, roles: [nobody], targets: [{', '.join(names)}]}}")
    return "\n".join(lines)


class Echo(BaseHTTPRequestHandler):
    """A provider that is so helpful as to repeat the keys that it was sent: in words, in JSON, masked, in headers."""

    def do_POST(self):
        """Answer what the model's name says, with everything that was sent."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sent = {name.lower(): value for name, value in self.headers.items()}
        held = {name: value for name, value in sent.items() if name in ("authorization", "api-key", "x-api-key")}
        self.server.heard.update(value.split()[-1] for value in held.values())
        key = next((value.split()[-1] for value in held.values()), "")
        words = f"no access for {key}, that is {key[:14]} or {key[:8]}****{key[-4:]}; {json.dumps(sent)}; {held!r}"
        self.say(str(asked.get("model", "")), words, held)

    def say(self, answer, words, headers):
        """An error in the shape that all SDKs read, or a page of nonsense."""
        body = json.dumps({"type": "error", "error": {"type": "invalid", "code": words, "message": words}})
        status = 200 if answer == "nonsense" else int(answer) if answer.isdigit() else 500
        content = f"<html>{words}</html>" if answer == "nonsense" else body
        self.send_response(status, words[:60])
        for name, value in headers.items():
            self.send_header(f"x-echo-{name}", value)
        self.send_header("x-request-id", next(iter(headers.values()), "none").split()[-1])
        self.send_header("Content-Type", "text/html" if answer == "nonsense" else "application/json")
        self.send_header("Content-Length", str(len(content.encode())))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, format, *args):
        """Nobody reads it."""


@pytest.fixture(scope="module")
def provider():
    """The provider at a free port; `heard` are the keys that it was sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    server.heard = set()
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", heard=server.heard)
    server.shutdown()
    serving.join()
    server.server_close()


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@pytest.fixture(scope="module")
def planted(tmp_path_factory, provider):
    """Where the secrets are: files and variables of the fleet's processes."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "models.yaml").write_text(models_file(provider.url))
    (folder / "key.txt").write_text(f"{KEY_FILE}\n")
    (folder / "bad.yaml").write_text(
        f"targets:\n  one: {{provider: groq, model: m, api_key: {MISPLACED_KEY}}}\n"
        f"  two: {{provider: vllm, model: m, base_url: 'http://me:{MISPLACED_PASSWORD}@h/v1'}}\n"
    )
    port = free_port()
    variables = {
        **KEYS, **CLOUD, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "FLOTILLA_SIGNING_SEED": SEED,
        "FLOTILLA_MODELS_FILE": str(folder / "models.yaml"), "FLOTILLA_LOG_LEVEL": "debug",
        "FLOTILLA_NATS_URL": f"nats://fleet:{BROKER_PASSWORD}@127.0.0.1:{port}, nats://{BROKER_TOKEN}@127.0.0.1:{port}",
        "HTTPS_PROXY": f"http://me:{PROXY}@127.0.0.1:9", "NO_PROXY": "127.0.0.1",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{HEADER}",
        "DATABASE_URL": f"postgres://me:{DATABASE}@db/x", "OPENAI_LOG": "debug", "ANTHROPIC_LOG": "debug",
        "GROQ_LOG": "debug",
    }  # fmt: skip
    return SimpleNamespace(folder=folder, port=port, variables=variables)


@pytest.fixture(scope="module")
def fleet(outside, planted, tmp_path_factory):
    """A fleet whose every process has all of them in its environment."""
    running = outside.Fleet(tmp_path_factory.mktemp("canaries"))
    running.server.port = planted.port
    running._named.update(planted.variables)
    with running:
        yield running


@pytest.fixture(scope="module")
def done(fleet, planted, provider, outside, tmp_path_factory):
    """What was done on the fleet, and what the commands and the HTTP server of a worker said: by their names."""
    folder, said = tmp_path_factory.mktemp("out"), {}

    def flotilla(*arguments, **changed):
        command = (sys.executable, "-m", "workers.cli", *arguments)
        result = subprocess.run(
            command, cwd=fleet.folder, env={**fleet.environment, **changed}, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=150, check=False,
        )  # fmt: skip
        said[" ".join(arguments)] = result.stdout + result.stderr
        return result

    port = free_port()
    fleet.environment["FLOTILLA_HTTP_PORT"] = str(port)
    fleet.start("architect-2")
    del fleet.environment["FLOTILLA_HTTP_PORT"]
    for run, model in (("refused", "refusing"), ("failed", "failing")):
        fleet.request(run, IDEA, model)
    completed = flotilla("run", IDEA, "--run-id", "made", "--out", str(folder / "project"), "--json")
    fleet.closed("refused", 90)
    outside.until(lambda: fleet.facts("failed").of(TaskWaits), "a task that waits", 60)
    for run in ("made", "refused", "failed"):
        flotilla("show", run)
        flotilla("show", run, "--json")
        flotilla("show", run, "--calls")
    for command in (
        ["config"],
        ["config", "--json"],
        ["models", "--json"],
        ["models"],
        ["ls"],
        ["ls", "--json"],
        ["roles"],
    ):
        flotilla(*command)
    for name in ("openai-401", "anthropic-500", "compatible-nonsense", "vllm-401"):
        flotilla("models", "test", name)
    bad = flotilla("models", "--json", FLOTILLA_MODELS_FILE=str(planted.folder / "bad.yaml"))
    away = f"nats://me:{BROKER_PASSWORD}@127.0.0.1:9"
    flotilla("ls", "--tenant", "other", FLOTILLA_NATS_URL=away)
    flotilla("cancel", "failed")
    fleet.closed("failed", 60)
    for path in ("metrics", "healthz", "readyz"):
        said[path] = _get(f"http://127.0.0.1:{port}/{path}")
    return SimpleNamespace(folder=folder, said=said, completed=completed, bad=bad)


def _get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.read()


def stored(fleet):
    """Every message of every stream: log, timers, dead letters, advisories, buckets and artifacts."""

    async def all_of(bus):
        found = []
        for info in await bus.js.streams_info():
            for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
                with contextlib.suppress(NotFoundError):
                    message = await bus.js.get_msg(info.config.name, sequence)
                    whole = f"{message.subject}\n{message.headers}\n".encode() + (message.data or b"")
                    found.append((f"{info.config.name} {message.subject}", whole))
        return found

    return fleet.ask(all_of)


def files_below(folder):
    """All files with what is in them, archives opened."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            with contextlib.suppress(FileNotFoundError):
                yield str(file), file.read_bytes()


def opened(place, content):
    """The content, and what is packed in it."""
    yield place, content
    if content.startswith(b"\x1f\x8b"):
        with contextlib.suppress(OSError, EOFError):
            yield from opened(f"{place}|gz", gzip.decompress(content))
    elif content.startswith(b"PK\x03\x04"):
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from opened(f"{place}|{name}", archive.read(name))
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive.getmembers():
                if (file := archive.extractfile(member)) is not None:
                    yield from opened(f"{place}|{member.name}", file.read())


def signs(secret):
    """What gives a secret away: its first or last characters, also as a URL or base64 has them."""
    unique = secret[-28:]
    parts = {unique, unique[:PART], unique[-PART:], quote(unique, safe="")}
    for before in range(3):
        encoded = base64.b64encode(b"." * before + unique.encode()).decode()
        parts.add(encoded[4:-6])
    return [part.encode() for part in parts]


SIGNS = {name: signs(secret) for name, secret in CANARIES.items()}


def finds(places):
    """(canary, place) of every canary that is in one of the places."""
    return sorted(
        {
            (name, place)
            for outer, whole in places
            for place, content in opened(outer, whole)
            for name, parts in SIGNS.items()
            if any(part in content for part in parts)
        }
    )


def everything(fleet, done):
    """All that comes out of a fleet, by where it is."""
    yield from stored(fleet)
    yield from done.said.items()
    yield from files_below(done.folder)
    yield from files_below(fleet.folder)
    yield from files_below(fleet.temporary)
    for name, process in fleet.processes.items():
        yield f"command line of {name}", Path(f"/proc/{process.pid}/cmdline").read_bytes()


def test_twenty_secrets_are_distinct():
    assert len(CANARIES) >= 20
    assert len({secret[-28:] for secret in CANARIES.values()}) == len(CANARIES)


def test_the_work_was_done_with_the_secrets_in_use(fleet, done, provider):
    assert done.completed.returncode == 0, done.said
    assert provider.heard >= {*KEYS.values(), KEY_FILE}, "every key was sent"
    [refused] = fleet.facts("refused").of(RunClosed)
    [failed] = fleet.facts("failed").of(RunClosed)
    assert (refused.status, failed.status) == ("failed", "cancelled")
    assert done.bad.returncode == 2 and b"refused" in done.said["models --json"]
    assert b"flotilla" in done.said["metrics"]
    assert b"***" in done.said["config"]


def test_no_secret_comes_out_anywhere(fleet, done):
    found = finds(everything(fleet, done))
    assert not found, "\n".join(f"{name}: {place}" for name, place in found)


def test_the_logs_still_say_why(fleet, done):
    facts = b"\n".join(content for _, content in stored(fleet))
    assert b"no access for ***" in facts, "what the provider said is there, without the keys"


def test_the_search_would_find_one(fleet, done, tmp_path):
    secret = KEYS["OPENAI_API_KEY"]
    planted = RunRequested(tenant="default", run="leak", idea=f"it is {secret}", model="nowhere")
    assert fleet.ask(lambda bus: bus.log.say(planted)).news
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        leak = tarfile.TarInfo("a/leak.txt")
        leak.size = PART
        packed.addfile(leak, io.BytesIO(KEY_FILE[:PART].encode()))
    (tmp_path / "project.tar.gz").write_bytes(archive.getvalue())
    basic = base64.b64encode(f"me:{PROXY}".encode())
    url = f"/?key={quote(CLOUD['AWS_SECRET_ACCESS_KEY'])}".encode()
    found = finds(
        [*stored(fleet), *files_below(tmp_path), ("basic", basic), ("url", url), ("end", SEED[-PART:].encode())]
    )
    assert {name for name, _ in found} == {
        "OPENAI_API_KEY", "key file", "proxy's password", "AWS_SECRET_ACCESS_KEY", "signing seed",
    }  # fmt: skip
    assert ("OPENAI_API_KEY", "LOG flotilla.default.leak.run.requested") in found
