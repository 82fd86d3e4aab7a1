"""One POST goes to the address that was judged, waits for a bounded time, and reads a bounded answer."""

import asyncio
import datetime
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from workers.gateway.notify.addresses import Destination
from workers.gateway.notify.posting import Answered, NotSent, Patience, post
from workers.gateway.notify.urls import url_of

QUICK = Patience(connect_s=1, total_s=0.5, drain_s=0.1)


def to(url: str, *addresses: str) -> Destination:
    return Destination(url_of(url), addresses or ("127.0.0.1",))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate for hooks.example.org, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example.org")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def server_tls(certificate: Path, names: list[str | None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _connection, name, _context: names.append(name)
    return context


async def test_the_request_goes_to_the_judged_address_and_names_the_host(receiver):
    url = f"http://nowhere.invalid:{receiver.port}/hook/one?x=1"
    answered = await post(to(url), {"webhook-id": "msg_1"}, b'{"a": 1}')
    assert answered == Answered(204)
    [heard] = receiver.heard
    assert heard.line == "POST /hook/one?x=1 HTTP/1.1" and heard.body == b'{"a": 1}'
    assert heard.headers["host"] == f"nowhere.invalid:{receiver.port}"
    assert heard.headers["webhook-id"] == "msg_1" and heard.headers["connection"] == "close"


async def test_proxies_of_the_environment_are_not_used(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await post(to(f"http://nowhere.invalid:{receiver.port}/"), {}, b"")).status == 204


async def test_with_tls_the_certificate_must_be_for_the_host_and_the_name_is_told(started, certificate):
    names: list[str | None] = []
    trust = ssl.create_default_context(cafile=str(certificate))
    async with started(ssl=server_tls(certificate, names)) as receiver:
        good = to(f"https://hooks.example.org:{receiver.port}/hook")
        assert (await post(good, {}, b"{}", trust)).status == 204
        assert names == ["hooks.example.org"]
        with pytest.raises(NotSent, match="its certificate is not accepted"):
            await post(to(f"https://other.example.org:{receiver.port}/geheim"), {}, b"{}", trust)
        with pytest.raises(NotSent, match="its certificate is not accepted"):
            await post(good, {}, b"{}")
        with pytest.raises(NotSent, match="its certificate is not accepted"):
            await post(to(f"https://127.0.0.1:{receiver.port}/"), {}, b"{}", trust)
    assert len(receiver.heard) == 1


async def test_the_next_judged_address_is_tried_when_one_takes_no_connection(receiver):
    url = f"http://nowhere.invalid:{receiver.port}/"
    assert (await post(to(url, "127.0.0.9", "127.0.0.1"), {}, b"")).status == 204


async def test_a_redirect_is_an_answer_and_is_not_followed(started, receiver):
    location = f"http://127.0.0.1:{receiver.port}/metadata".encode()
    for status in (b"301", b"302", b"307", b"308"):
        async with started(answer=b"HTTP/1.1 %s Moved\r\nLocation: %s\r\n\r\n" % (status, location)) as first:
            assert (await post(to(f"http://a.invalid:{first.port}/"), {}, b"x")).status == int(status)
    assert receiver.heard == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 30\r\n\r\n", Answered(429, 30.0)),
        (b"HTTP/1.1 503 \r\nretry-after:7\r\nX: y\r\n\r\n", Answered(503, 7.0)),
        (b"HTTP/1.1 503 x\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n", Answered(503)),
        (b"HTTP/1.0 200\r\n\r\n", Answered(200)),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Answered(200)),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 5\r\n\r\nabc", Answered(410)),
    ],
)
async def test_status_and_patience_are_read_from_the_answer(started, answer, expected):
    async with started(answer=answer) as receiver:
        assert await post(to(f"http://a.invalid:{receiver.port}/"), {}, b"x") == expected


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n", "closed the connection"),
        (b"SSH-2.0-x\r\n\r\n", "doesn't speak HTTP"),
        (b"HTTP/2 200\r\n\r\n", "doesn't speak HTTP"),
        (b"HTTP/1.1 999 x\r\n\r\n", "doesn't speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", "more than 16384 bytes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, "interim"),
    ],
)
async def test_what_is_no_answer_says_so_and_shows_nothing_of_the_request(started, answer, why):
    async with started(answer=answer) as receiver:
        with pytest.raises(NotSent, match=why) as failed:
            await post(to(f"http://a.invalid:{receiver.port}/geheim?key=geheim"), {"X-Key": "geheim"}, b"geheim")
    assert "geheim" not in str(failed.value)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n"])
async def test_a_receiver_that_says_nothing_is_given_up_after_the_total_time(started, answer):
    async with started(answer=answer, hold_open=True) as receiver:
        begun = time.monotonic()
        with pytest.raises(NotSent, match=r"no answer within 0\.5 s"):
            await post(to(f"http://a.invalid:{receiver.port}/"), {}, b"x", patience=QUICK)
        assert time.monotonic() - begun < 10


async def test_a_body_without_end_is_not_read_to_its_end(started):
    patient = Patience(connect_s=30, total_s=60, drain_s=30)
    async with started(answer=b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000, hold_open=True) as receiver:
        begun = time.monotonic()
        assert await post(to(f"http://a.invalid:{receiver.port}/"), {}, b"x", patience=patient) == Answered(200)
        assert time.monotonic() - begun < 20
    brief = Patience(connect_s=10, total_s=20, drain_s=0.1)
    async with started(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", hold_open=True) as receiver:
        begun = time.monotonic()
        assert await post(to(f"http://a.invalid:{receiver.port}/"), {}, b"x", patience=brief) == Answered(200)
        assert time.monotonic() - begun < 10


async def test_a_closed_port_is_said_to_be_out_of_reach():
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(NotSent, match=f"http://a.invalid:{port} can't be reached") as failed:
        await post(to(f"http://a.invalid:{port}/geheim"), {}, b"x")
    assert "geheim" not in str(failed.value)


@pytest.mark.parametrize("header", [{"X": "a\r\nY: b"}, {"X\r\nY": "b"}, {"X": "ü"}, {"": "x"}, {"X:": "y"}])
async def test_a_header_can_not_carry_another(receiver, header):
    with pytest.raises(ValueError, match="can't be sent"):
        await post(to(f"http://a.invalid:{receiver.port}/"), header, b"")
    assert receiver.heard == []
