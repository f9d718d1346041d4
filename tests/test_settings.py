"""Settings: the protocol's defaults, and an error that names its variable for everything else."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from parola.settings import Settings, SettingsError, host_addresses


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("PAROLA_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_protocol(tmp_path: Path) -> None:
    settings = Settings.load()
    assert (settings.http_port, settings.udp_port, settings.web_processes) == (8080, 7882, 1)
    assert settings.media_processes == max(1, len(os.sched_getaffinity(0)) - 1)
    assert settings.roles == ("web", "media")
    assert (settings.bind, settings.public_ips) == ("127.0.0.1", ("127.0.0.1",))
    assert settings.public_url == "http://localhost:8080"
    assert settings.trusted_proxies == ()
    assert settings.data_dir == tmp_path / "data"
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/data/parola.db"
    assert settings.blob_url == f"file://{tmp_path}/data/blobs"
    assert settings.embedded_nats
    assert (settings.registration, settings.limits) == ("open", "default")


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variables = {
        "HTTP_PORT": "9000",
        "UDP_PORT": "9100",
        "MEDIA_PROCESSES": "3",
        "WEB_PROCESSES": "2",
        "ROLES": "media",
        "BIND": "0.0.0.0",
        "PUBLIC_IP": "192.0.2.7, 2001:db8::7",
        "PUBLIC_URL": "HTTPS://Rooms.Example:443/",
        "TRUSTED_PROXIES": "10.0.0.0/8,::1",
        "DATA_DIR": str(tmp_path / "elsewhere"),
        "DATABASE_URL": "postgresql://parola@db/parola",
        "NATS_URL": "nats://a:4222,nats://b:4222",
        "BLOB_URL": "s3://sounds",
        "REGISTRATION": "invite",
        "LIMITS": "off",
        "STAGE_CAPACITY": "7",
        "HOST_AWAY_S": "0",
        "HAND_AWAY_S": "90",
        "OIDC_ISSUER": "https://accounts.example/realms/one",
        "OIDC_CLIENT_ID": "parola",
        "OIDC_CLIENT_SECRET": "s3cret",
        "OIDC_NAME": "The School",
        "MASTODON": "off",
        "OUTBOUND_TRUSTED": "http://10.0.0.5:3000, https://Social.Example/",
        "EVIDENCE_AFTER_S": "60",
        "EVIDENCE_DAYS": "7",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"PAROLA_{name}", value)
    settings = Settings.load()
    assert settings.http_port == 9000
    assert list(settings.udp_ports) == [9100, 9101, 9102]
    assert (settings.web_processes, settings.roles, settings.bind) == (2, ("media",), "0.0.0.0")
    assert settings.public_ips == ("192.0.2.7", "2001:db8::7")
    assert settings.public_url == "https://rooms.example"
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.data_dir == tmp_path / "elsewhere"
    assert settings.database_url == "postgresql+asyncpg://parola@db/parola"
    assert not settings.embedded_nats
    assert (settings.stage_capacity, settings.host_away_s, settings.hand_away_s) == (7, 0, 90)
    assert (settings.oidc_client_id, settings.oidc_name, settings.mastodon) == ("parola", "The School", "off")
    assert settings.outbound_trusted == ("http://10.0.0.5:3000", "https://social.example")
    assert settings.issuer_origin == "https://accounts.example"
    assert "s3cret" not in repr(settings)
    assert (settings.evidence_minutes, settings.evidence_after_s, settings.evidence_days) == (5, 60, 7)
    assert (settings.blob_url, settings.registration, settings.limits) == ("s3://sounds", "invite", "off")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PORT", "abc"),
        ("HTTP_PORT", "0"),
        ("HTTP_PORT", "65536"),
        ("UDP_PORT", "-1"),
        ("UDP_PORT", "65535"),
        ("MEDIA_PROCESSES", "0"),
        ("WEB_PROCESSES", "1.5"),
        ("ROLES", "web,edge"),
        ("ROLES", ","),
        ("BIND", "localhost"),
        ("PUBLIC_IP", "192.0.2.7,example.org"),
        ("PUBLIC_IP", "0.0.0.0"),
        ("PUBLIC_URL", "rooms.example"),
        ("PUBLIC_URL", "https://rooms.example/parola"),
        ("PUBLIC_URL", "https://rooms.example:port"),
        ("PUBLIC_URL", "https://"),
        ("TRUSTED_PROXIES", "*"),
        ("DATABASE_URL", "mysql://db/parola"),
        ("DATABASE_URL", "parola.db"),
        ("NATS_URL", "http://nats"),
        ("BLOB_URL", "ftp://blobs"),
        ("REGISTRATION", "maybe"),
        ("LIMITS", "on"),
        ("STAGE_CAPACITY", "0"),
        ("STAGE_CAPACITY", "501"),
        ("OIDC_ISSUER", "accounts.example"),
        ("OIDC_ISSUER", "https://accounts.example/?realm=one"),
        ("MASTODON", "maybe"),
        ("OUTBOUND_TRUSTED", "10.0.0.5"),
        ("OUTBOUND_TRUSTED", "https://social.example/path"),
        ("HOST_AWAY_S", "14"),
        ("HOST_AWAY_S", "-1"),
        ("HAND_AWAY_S", "14"),
        ("EVIDENCE", "maybe"),
        ("EVIDENCE_AFTER_S", "601"),
        ("EVIDENCE_AFTER_S", "-1"),
        ("EVIDENCE_DAYS", "31"),
        ("EVIDENCE_DAYS", "0"),
    ],
)
def test_what_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("PAROLA_MEDIA_PROCESSES", "2")
    monkeypatch.setenv(f"PAROLA_{name}", value)
    with pytest.raises(SettingsError, match=f"^PAROLA_{name}: "):
        Settings.load()


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAROLA_HTTP_PORT", "x")
    monkeypatch.setenv("PAROLA_BIND", "y")
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "PAROLA_HTTP_PORT",
        "PAROLA_BIND",
    ]


def test_an_issuer_wants_to_know_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAROLA_OIDC_ISSUER", "https://accounts.example")
    with pytest.raises(SettingsError, match=r"^PAROLA_OIDC_CLIENT_ID: "):
        Settings.load()


def test_a_password_in_a_url_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAROLA_DATABASE_URL", "mysql://parola:s3cret@db/parola")
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    assert "s3cret" not in str(refused.value)
    settings = Settings.load(
        database_url="postgresql://parola:s3cret@db/parola",
        nats_url="nats://s3cret@n:4222",
        nats_token="s3cret",
    )
    assert "s3cret" not in repr(settings)


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAROLA_PUBLIC_IP", "")
    monkeypatch.setenv("PAROLA_HTTP_PORT", "")
    assert Settings.load().http_port == 8080
    assert Settings.load().public_ips == ("127.0.0.1",)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings.load().http_port = 1  # type: ignore[misc]


def test_changes_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAROLA_HTTP_PORT", "9000")
    assert Settings.load(http_port=9001).public_url == "http://localhost:9001"


def test_bound_everywhere_the_hosts_own_addresses_count() -> None:
    settings = Settings.load(bind="0.0.0.0")
    assert settings.public_ips == host_addresses()
    assert settings.public_ips[-1] == "127.0.0.1"
    assert all(ipaddress.ip_address(a).version == 4 for a in settings.public_ips)
    assert {"127.0.0.1", "::1"} <= set(Settings.load(bind="::").public_ips)


def test_two_data_folders_of_one_host_are_two_machines(tmp_path: Path) -> None:
    one, other = Settings.load(data_dir=tmp_path / "a"), Settings.load(data_dir=tmp_path / "b")
    assert one.machine == Settings.load(data_dir=tmp_path / "a").machine
    assert one.machine != other.machine
    assert len(one.machine) <= 120


@pytest.mark.parametrize(
    ("text", "stage", "percent"),
    [
        ("off", "off", 0),
        ("testers", "testers", 0),
        ("percent:2.5", "percent", 2.5),
        ("percent:0", "percent", 0),
        ("everyone", "everyone", 0),
    ],
)
def test_who_hosts_at_first(monkeypatch: pytest.MonkeyPatch, text: str, stage: str, percent: float) -> None:
    monkeypatch.setenv("PAROLA_HOSTING", text)
    plan = Settings.load().hosting_plan
    assert (plan.stage.value, plan.percent) == (stage, percent)


@pytest.mark.parametrize(
    "text", ["some", "percent", "percent:", "percent:101", "percent:-1", "percent:x", "off:1"]
)
def test_what_does_not_say_who_hosts_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PAROLA_HOSTING", text)
    with pytest.raises(SettingsError, match="PAROLA_HOSTING"):
        Settings.load()
