"""What must not be read is hidden in every form in which it is written, and all other text stays as it is."""

import base64
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.llm.secrets import HIDDEN, Redactor, secrets_in

SECRET = 'q7/Zp+w"9\\x&rT=5uV:mN2'
KEY = "sk-proj-Q3v9Lx2mTz8RwK4yHb7NcJ1d"

WELL_KNOWN = (
    "sk-abcdefghijklmnopqrst",
    "sk-ant-api03-abcdefghijklmnopqrst_-AA",
    "sk-or-v1-0123456789abcdef0123",
    "gsk_0123456789abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "AIzaSyA0123456789abcdefghijklmnopqrstu",
    "flk_7kq2_0123456789abcdef0123456789abcdef",
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "ya29.a0Af_0123456789abcdef",
    "xai-0123456789abcdefghij",
    "pplx-0123456789abcdefghij",
    "hf_0123456789abcdefghij",
    "ghp_0123456789abcdefghij0123456789abcdef",
    "github_pat_0123456789abcdefghij",
    "glpat-0123456789abcdefghij",
    "ABSKQmVkcm9ja0FQSUtleS0xMjM0NTY=",
    "SUAB5QZ7XKJ3WVYH2MDN6RTCFG4EPLSOIUA5QZ7XKJ3WVYH2MDN6RTCFGA",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
)


def forms(secret):
    """A secret as it turns up in texts."""
    return {
        "plain": secret,
        "in a URL": quote(secret, safe=""),
        "in a path": quote(secret),
        "in a form": quote_plus(secret),
        "in a URL with small digits": re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
        "in JSON": json.dumps({"key": secret}),
        "in JSON in JSON": json.dumps({"body": json.dumps({"key": secret})}),
        "in Python": repr([secret]),
        "in base64": base64.b64encode(secret.encode()).decode(),
        "as basic auth": base64.b64encode(f"me:{secret}".encode()).decode(),
        "as basic auth of another": base64.b64encode(f"user:{secret}".encode()).decode(),
        "in base64 for URLs": base64.urlsafe_b64encode(f"u:{secret}!".encode()).decode(),
    }


@pytest.mark.parametrize("form", forms(SECRET))
def test_a_known_secret_is_hidden_in_each_form(form):
    text = f"it said {forms(SECRET)[form]} to me"
    cleaned = Redactor([SECRET]).clean(text)
    assert HIDDEN in cleaned and cleaned.startswith("it said ") and cleaned.endswith(" to me")
    for part in (SECRET, forms(SECRET)[form], SECRET[:8], SECRET[-8:]):
        assert part not in cleaned


@pytest.mark.parametrize(
    "echo",
    [
        f"Incorrect API key provided: {KEY[:12]}",
        f"Incorrect API key provided: {KEY[:8]}********************{KEY[-4:]}.",
        f"key {KEY[:20]} is no key",
        f"the key that ends in {KEY[-12:]} is used up",
        f"{KEY[:6]}…{KEY[-4:]} is used up",
        f"no such key: ...{KEY[-5:]}",
        f"no such key: {KEY[:3]}...",
    ],
)
def test_what_providers_echo_of_a_key_is_hidden(echo):
    cleaned = Redactor([KEY]).clean(echo)
    assert HIDDEN in cleaned
    assert not [size for size in range(4, len(KEY)) if KEY[:size] in cleaned or KEY[-size:] in cleaned], cleaned


@pytest.mark.parametrize("key", WELL_KNOWN)
def test_a_well_known_kind_of_key_is_hidden_although_nobody_knows_it(key):
    assert Redactor().clean(f'{{"error": "no access for {key}"}}') == f'{{"error": "no access for {HIDDEN}"}}'


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Authorization: Bearer abcdefghijkl.mn", "Authorization: Bearer ***"),
        ("{'authorization': 'Bearer abcdefghijklmn'}", "{'authorization': 'Bearer ***'}"),
        ('{"Authorization":"Basic bWU6aGVtbGljaA=="}', '{"Authorization":"Basic ***"}'),
        (
            '"headers": "{\\"authorization\\": \\"Basic bWU6aGVt\\"}"',
            '"headers": "{\\"authorization\\": \\"Basic ***\\"}"',
        ),
        ("x-api-key: 0123456789, x-request-id: 7", "x-api-key: ***, x-request-id: 7"),
        ("Proxy-Authorization: Basic bWU6aGVtbGljaA==", "Proxy-Authorization: Basic ***"),
        ("nats://me:geheim@127.0.0.1:4222,nats://token@b:4222", "nats://***@127.0.0.1:4222,nats://***@b:4222"),
        ("GET http://h/v1?key=0123456789&alt=sse", "GET http://h/v1?key=***&alt=sse"),
        ("GET /v1?a=1&X-Amz-Signature=0123abcd&b=2", "GET /v1?a=1&X-Amz-Signature=***&b=2"),
        ("-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n", "***\\n"),
    ],
)
def test_values_that_stand_where_keys_stand_are_hidden(text, cleaned):
    assert Redactor().clean(text) == cleaned
    assert Redactor([KEY]).clean(cleaned) == cleaned, "what is clean stays as it is"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "task_done",
        "The API key is missing: set OPENAI_API_KEY",
        "a bearer of news",
        "an authorization endpoint",
        "http://127.0.0.1:8000/v1?page=2&sort=title",
        "mail@example.org",
        "# *** stars *** and so on...",
        "/tasks/sk-1",
        'password: str = "a field of the project"',
        "HTTP 401 from https://api.openai.com/v1/chat/completions",
    ],
)
def test_other_text_stays_as_it_is(text):
    assert Redactor([KEY, SECRET]).clean(text) == text


@given(st.text(max_size=60), st.text(min_size=6, max_size=40), st.text(max_size=60))
def test_no_secret_is_left_wherever_it_stands(before, secret, after):
    cleaned = Redactor([secret]).clean(before + secret + after)
    assert secret not in cleaned.replace(HIDDEN, "\0")


@given(
    st.dictionaries(st.text(max_size=10), st.text(max_size=30) | st.integers() | st.none(), max_size=4), st.booleans()
)
def test_a_line_of_json_stays_one(event, with_key):
    line = json.dumps({**event, "key": f'Authorization: Bearer {KEY}"\\' if with_key else "none"})
    cleaned = json.loads(Redactor([KEY, SECRET]).clean(line))
    assert KEY not in cleaned["key"] and (with_key or cleaned["key"] == "none")


@pytest.mark.parametrize("size", range(6, len(KEY) + 1))
def test_a_key_in_whose_middle_a_text_was_cut_off_is_hidden(size):
    assert Redactor([KEY]).clean(f"no access for {KEY[:size]}") == "no access for ***"


def test_short_values_are_no_secrets():
    assert secrets_in({"API_KEY": "short"}) == ()
    assert Redactor(["on"]).clean("go on") == "go on"


def test_the_environment_names_its_secrets():
    environment = {
        "OPENAI_API_KEY": "value-1",
        "AWS_SECRET_ACCESS_KEY": "value-2",
        "AWS_SESSION_TOKEN": "value-3",
        "DB_PASSWORD": "value-4",
        "FLOTILLA_SIGNING_SEED": "value-5",
        "AWS_BEARER_TOKEN_BEDROCK": "value-6",
        "OPENAI_API_KEY_2": "value-7",
        "GOOGLE_CREDENTIALS": "value-8",
        "client_secret": "value-9",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=value-10,a=Bearer%20value-11",
        "HTTPS_PROXY": "http://me:va%2Flue-12@proxy:1",
        "FLOTILLA_NATS_URL": "nats://value-13@a:4222, tls://me:value-14@b:4222",
        "MAX_TOKENS": "128000",
        "PWD": "/home/me",
        "SSH_AUTH_SOCK": "/run/agent.1",
        "API_KEY_PATH": "/etc/key",
        "HOME": "/home/me",
        "FLOTILLA_MODEL": "openai:gpt-5",
    }
    found = set(secrets_in(environment, "value-15"))
    assert {secret for secret in found if secret.startswith("value")} >= {f"value-{n}" for n in range(1, 16) if n != 12}
    assert {"va%2Flue-12", "va/lue-12"} <= found
    assert not found & {"128000", "/home/me", "/run/agent.1", "/etc/key", "openai:gpt-5"}


def test_a_variable_that_names_a_file_stands_for_what_is_in_it(tmp_path):
    seed, creds, aws, key = (tmp_path / name for name in ("seed", "nats.creds", "aws", "key.txt"))
    seed.write_text("SUAsecretseed\n")
    creds.write_text(
        "-----BEGIN NATS USER JWT-----\neyJ0eXAi.abc\n------END NATS USER JWT------\n\n*** IMPORTANT ***\nSUAother\n"
    )
    aws.write_text("[default]\naws_secret_access_key = wJalrXUtnFEMI\n")
    key.write_text("  from-a-key-file\n")
    environment = {
        "FLOTILLA_SIGNING_SEED_FILE": str(seed),
        "FLOTILLA_NATS_CREDS": str(creds),
        "AWS_SHARED_CREDENTIALS_FILE": str(aws),
        "GONE_KEY_FILE": str(tmp_path / "gone"),
    }
    found = secrets_in(environment, files=[key, tmp_path / "gone too"])
    assert {"SUAsecretseed", "eyJ0eXAi.abc", "SUAother", "wJalrXUtnFEMI", "from-a-key-file"} <= set(found)
    assert not [secret for secret in found if str(tmp_path) in secret or "IMPORTANT" in secret or "BEGIN" in secret]
