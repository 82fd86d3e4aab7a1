"""The file of notifications is read strictly, and its faults are said at once without what was written."""

import base64
from pathlib import Path

import pytest

from workers.gateway.notify.settings import EmailEndpoint, SlackEndpoint, Source, WebhookEndpoint
from workers.gateway.notify.settings_file import BadNotifications, load, parse
from workers.gateway.notify.sources import SecretMissing, Sources

FILE = """
public_url: https://flotilla.example.org/
token_keys: {file: token.keys}
allow: [10.1.2.0/24, "fd00:1::/64"]
endpoints:
  - {kind: webhook, name: ops, tenants: [acme], url: "https://ops.example.org/hook", secrets: {env: OPS_SECRETS}}
  - {kind: slack, name: team, tenants: ["*"], gates: [release], url: {file: slack.url}, principal: the team}
  - kind: email
    name: leads
    tenants: [acme, beta]
    sender: fleet@example.org
    to: [ann@example.org, bob@example.org]
    relay: {host: mail, port: 25, user: fleet, password: {env: MAIL_PASSWORD}}
"""


def faults(text: str, tmp_path: Path) -> str:
    path = tmp_path / "notifications.yaml"
    path.write_text(text)
    with pytest.raises(BadNotifications) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path} can't be used:")
    return "\n".join(refused.value.faults)


def test_a_file_names_who_is_told_of_what(tmp_path):
    (tmp_path / "n.yaml").write_text(FILE)
    settings = load(tmp_path / "n.yaml")
    assert [type(each) for each in settings.endpoints] == [WebhookEndpoint, SlackEndpoint, EmailEndpoint]
    assert settings.public_url == "https://flotilla.example.org"
    wanting = {
        gate: [each.name for each in settings.endpoints if each.wants(*gate)]
        for gate in (("acme", "release"), ("acme", "design"), ("gamma", "release"), ("gamma", "design"))
    }
    assert wanting == {
        ("acme", "release"): ["ops", "team", "leads"],
        ("acme", "design"): ["ops", "leads"],
        ("gamma", "release"): ["team"],
        ("gamma", "design"): [],
    }
    assert [str(network) for network in settings.allowed] == ["10.1.2.0/24", "fd00:1::/64"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("port: 25", 'port: "25"', "endpoints.2.relay.port: Input should be a valid integer"),
        ("port: 25", "port: 0", "endpoints.2.relay.port"),
        ("kind: slack", "kind: teams", "endpoints.1: "),
        ("name: team", "name: ops", "two endpoints have the name ops"),
        ("name: team", "name: a.b", "endpoints.1.name"),
        ('tenants: ["*"]', "tenants: []", "endpoints.1.tenants"),
        ('tenants: ["*"], ', "", "endpoints.1.tenants: Field required"),
        ("gates: [release]", "gate: release", "endpoints.1.gate: Extra inputs are not permitted"),
        ("{file: slack.url}", "https://hooks.example.org/geheim", "endpoints.1.url"),
        ("{file: slack.url}", "{file: a, env: B}", "endpoints.1.url: name either env or file"),
        ("{file: slack.url}", "{}", "endpoints.1.url: name either env or file"),
        (
            "https://ops.example.org/hook",
            "https://u:geheim@ops.example.org/",
            "endpoints.0.url: an address has no user",
        ),
        (
            "https://ops.example.org/hook",
            "ftp://ops.example.org/geheim",
            "endpoints.0.url: an address begins with https",
        ),
        ("{env: OPS_SECRETS}", "whsec_geheim", "endpoints.0.secrets"),
        ("10.1.2.0/24", "intranet", "allow: 'intranet' is no address and no network"),
        ("bob@example.org", '"bob@example.org\\nBcc: eve@e.org"', "endpoints.2.to"),
        ("fleet@example.org", "Fleet <fleet@example.org>", "endpoints.2.sender"),
        (", password: {env: MAIL_PASSWORD}", "", "endpoints.2.relay: a user needs a password"),
        ("port: 25", "security: none", "endpoints.2.relay: a password is sent only with"),
        ("https://flotilla.example.org/", "https://f.example.org/?a", "public_url: the public address has no ?"),
        ("public_url", "publicurl", "public_url: Field required"),
        ("principal: the team", 'principal: "a\\nb"', "endpoints.1.principal"),
        ("name: team", "name: team, name: crew", "'name' is given twice"),
        ("allow: [", "allow: [[", "it is no YAML at line"),
        ("allow: [", "2026-01-01: [", "it must be a mapping of words"),
    ],
)
def test_a_fault_is_said_with_its_place(old, new, fault, tmp_path):
    assert old in FILE
    said = faults(FILE.replace(old, new, 1), tmp_path)
    assert fault in said and "geheim" not in said


def test_all_faults_are_said_at_once(tmp_path):
    said = faults(FILE.replace("port: 25", "port: 0").replace("name: team", "name: a.b"), tmp_path)
    assert "endpoints.1.name" in said and "endpoints.2.relay.port" in said


@pytest.mark.parametrize(
    "text", ["", "- a", "just words", "!!python/object/apply:os.system [x]", "a: &a [*a]", "\x00", "? [a]\n: b"]
)
def test_what_is_no_mapping_is_refused(text, tmp_path):
    assert faults(text, tmp_path)


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(BadNotifications, match="it can't be read: No such file"):
        load(tmp_path / "absent.yaml")
    (tmp_path / "n.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(BadNotifications):
        load(tmp_path / "n.yaml")


def test_numbers_as_keys_and_values_without_json_are_refused():
    for content in ({1: 2}, {("a", "b"): 1}, float("nan"), {"public_url": object()}):
        with pytest.raises(BadNotifications):
            parse(content, "x")


def test_secrets_come_from_variables_and_from_files_beside_the_settings(tmp_path):
    (tmp_path / "keys").write_text("# newest first\none\n\n  two \n")
    sources = Sources(tmp_path, {"A": "x y", "B": "z"})
    assert sources.lines(Source(file=Path("keys"))) == ("one", "two")
    assert sources.lines(Source(env="A")) == ("x", "y")
    assert sources.line(Source(env="B")) == "z"
    (tmp_path / "token.keys").write_text(base64.b64encode(b"k" * 32).decode())
    assert repr(sources.keyring(Source(file=Path("token.keys")))) == "Keyring(1 keys)"


@pytest.mark.parametrize(
    ("name", "content"), [("absent", None), ("empty", b""), ("two", b"geheim-1\ngeheim-2"), ("bytes", b"\xff\xfe")]
)
def test_a_secret_that_is_missing_names_its_place_and_shows_nothing(name, content, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SecretMissing, match=name) as missing:
        Sources(tmp_path, {}).line(Source(file=Path(name)))
    assert "geheim" not in str(missing.value)


@pytest.mark.parametrize("key", ["Z2VoZWlt", "not base64!", "ü"])
def test_a_bad_key_of_tokens_is_refused_without_being_shown(key, tmp_path):
    with pytest.raises(SecretMissing, match="TOKEN_KEYS must have keys") as refused:
        Sources(tmp_path, {"TOKEN_KEYS": key}).keyring(Source(env="TOKEN_KEYS"))
    assert key not in str(refused.value) and refused.value.__suppress_context__


def test_sources_do_not_show_the_environment(tmp_path):
    assert "geheim" not in repr(Sources(tmp_path, {"A": "geheim"}))
