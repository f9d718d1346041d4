"""Configuration: environment variables, read once into a frozen value that has every default filled in.

Whatever is wrong is found here and named with its variable, so that nothing further down has to doubt a setting.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import re
import secrets
import socket
import struct
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, PositiveInt, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from parola.domain.evidence import AFTER_END_S, DAYS, MINUTES
from parola.domain.rollout import Plan, Stage

_EVERYWHERE = ("0.0.0.0", "::")
_Port = Annotated[int, Field(ge=1, le=65535)]
_Processes = Annotated[int, Field(ge=1, le=64)]
_DATABASES = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


class SettingsError(Exception):
    """One line for each variable that cannot be used."""


def _cores() -> int:
    # Where a container or taskset leaves fewer of them, those count.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """Each field is `PAROLA_` and its name in capitals; docs/protocol.md says what they mean."""

    model_config = SettingsConfigDict(
        env_prefix="PAROLA_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    http_port: _Port = 8080
    udp_port: _Port = 7882
    media_processes: _Processes = Field(default_factory=lambda: min(64, max(1, _cores() - 1)))
    web_processes: _Processes = 1
    roles: Annotated[tuple[Literal["web", "media"], ...], NoDecode] = ("web", "media")
    bind: str = "127.0.0.1"
    public_ip: Annotated[tuple[str, ...], NoDecode] = ()
    public_url: str = ""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    data_dir: Path = Path("data")
    database_url: str = Field("", repr=False)
    nats_url: str = Field("", repr=False)
    blob_url: str = ""
    registration: Literal["open", "invite", "closed"] = "open"
    hosting: str = "everyone"
    invitations: Annotated[int, Field(ge=0, le=10_000)] = 5
    smtp_url: str = Field("", repr=False)
    mail_from: str = ""
    push_key: str = Field("", repr=False)
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = Field("", repr=False)
    oidc_name: str = ""
    mastodon: Literal["on", "off"] = "on"
    outbound_trusted: Annotated[tuple[str, ...], NoDecode] = ()
    limits: Literal["default", "off"] = "default"
    packet_ms: Literal["auto", "20", "40", "60", "80", "100", "120"] = "auto"
    long_packets_from: Annotated[tuple[PositiveInt, PositiveInt], NoDecode] = (300, 1500)
    fanout: Literal["auto", "plain"] = "auto"
    sender_threads: Annotated[int, Field(ge=1, le=16)] = 1
    stage_capacity: Annotated[int, Field(ge=1, le=500)] = 50
    host_away_s: Annotated[int, Field(le=86400)] = 120
    hand_away_s: Annotated[int, Field(le=86400)] = 60
    evidence: Literal["on", "off"] = "on"
    evidence_key: str = Field("", repr=False)
    evidence_after_s: Annotated[int, Field(ge=0, le=AFTER_END_S)] = AFTER_END_S
    evidence_days: Annotated[int, Field(ge=1, le=DAYS)] = DAYS

    # The supervisor sets these for its children.
    nats_token: str | None = Field(None, repr=False)
    process_id: str = Field(default_factory=lambda: secrets.token_urlsafe(16))
    machine: str = ""
    child: str = "web"

    @classmethod
    def load(cls, **changes: object) -> Settings:
        """From the environment; `changes` win. Raises SettingsError."""
        try:
            return cls(**changes)  # type: ignore[arg-type]
        except ValidationError as error:
            raise SettingsError("\n".join(_complaints(error))) from error

    @property
    def public_ips(self) -> tuple[str, ...]:
        """What stands in ICE candidates."""
        return self.public_ip or self.local_addresses

    @property
    def local_addresses(self) -> tuple[str, ...]:
        """Each single address that `bind` means."""
        return host_addresses(ipv6=self.bind == "::") if self.bind in _EVERYWHERE else (self.bind,)

    @property
    def host_addresses(self) -> tuple[str, ...]:
        return host_addresses(ipv6=self.bind == "::")

    @property
    def udp_ports(self) -> range:
        """One for each media process."""
        return range(self.udp_port, self.udp_port + self.media_processes)

    @property
    def fixed_frames(self) -> int | None:
        """How many frames of 20 ms go into the audience's packets; None where that may change."""
        return None if self.packet_ms == "auto" else int(self.packet_ms) // 20

    @property
    def hosting_plan(self) -> Plan:
        """Who opens rooms for as long as no administrator has said anything about it."""
        stage, _, percent = self.hosting.partition(":")
        return Plan(Stage(stage), float(percent or 0))

    @property
    def evidence_minutes(self) -> int | None:
        """What is kept of each live room; None where nothing is."""
        return MINUTES if self.evidence == "on" else None

    @property
    def evidence_file(self) -> Path:
        return self.data_dir / "evidence.key"

    @property
    def issuer_origin(self) -> str:
        """What signing in there asks, whatever its address: the operator has named it."""
        issuer = urlsplit(self.oidc_issuer)
        return f"{issuer.scheme}://{issuer.netloc}"

    @property
    def embedded_nats(self) -> bool:
        return not self.nats_url

    @field_validator("roles", "public_ip", "trusted_proxies", "outbound_trusted", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))

    @field_validator("long_packets_from", mode="before")
    @classmethod
    def _pair(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",")]
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):
            raise ValueError("two numbers of listeners are wanted, such as 300,1500")
        return tuple(map(int, parts))

    @field_validator("hosting")
    @classmethod
    def _is_stage(cls, value: str) -> str:
        stage, colon, percent = value.partition(":")
        if stage == Stage.PERCENT:
            fine = percent.replace(".", "", 1).isdecimal() and 0 <= float(percent) <= 100
        else:
            fine = not colon and stage in tuple(Stage)
        if not fine:
            raise ValueError("off, testers, everyone, or percent:N with N from 0 to 100 is wanted")
        return value

    @field_validator("roles")
    @classmethod
    def _has_roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name web, media, or both")
        return value

    @field_validator("host_away_s", "hand_away_s")
    @classmethod
    def _is_certain(cls, value: int) -> int:
        if value and value < 15:
            raise ValueError("at least 15 seconds are wanted, or 0 for ever: sooner nobody is certain of it")
        return value

    @field_validator("bind")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return _address(value)

    @field_validator("public_ip")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(address in _EVERYWHERE for address in value):
            raise ValueError("an address that others can reach is wanted")
        return tuple(_address(address) for address in value)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise ValueError(
                    f"{network!r} is neither an address nor a network such as 10.0.0.0/8"
                ) from None
        return value

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        return _origin(value) if value else value

    @field_validator("data_dir")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if value and (not separator or scheme not in _DATABASES):
            raise ValueError("postgresql://USER:PASSWORD@HOST/NAME or sqlite:////PATH is wanted")
        return f"{_DATABASES[scheme]}://{rest}" if value else value

    @field_validator("nats_url")
    @classmethod
    def _is_nats(cls, value: str) -> str:
        for server in value.split(",") if value else ():
            if _parts(server.strip()).scheme not in ("nats", "tls", "ws", "wss"):
                raise ValueError("nats://HOST:4222 is wanted, or several with commas")
        return value

    @field_validator("blob_url")
    @classmethod
    def _is_blob(cls, value: str) -> str:
        if value and _parts(value).scheme not in ("file", "s3"):
            raise ValueError("s3://BUCKET or file:///FOLDER is wanted")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_smtp(cls, value: str) -> str:
        if value and (_parts(value).scheme not in ("smtp", "smtps") or not _parts(value).hostname):
            raise ValueError("smtp://USER:PASSWORD@HOST:587 or smtps://USER:PASSWORD@HOST is wanted")
        return value

    @field_validator("push_key")
    @classmethod
    def _is_push_key(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z0-9_-]{43}=?", value):
            raise ValueError(
                "32 bytes in base64url are wanted, such as the file push-key in a data folder has"
            )
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _is_issuer(cls, value: str) -> str:
        parts = _parts(value)
        if value and (
            parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment
        ):
            raise ValueError(
                "an issuer such as https://accounts.example is wanted, as its discovery document says"
            )
        return value

    @field_validator("outbound_trusted")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_origin(origin) for origin in value)

    @field_validator("mail_from")
    @classmethod
    def _is_mailbox(cls, value: str) -> str:
        if value and not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", value):
            raise ValueError("an address such as parola@rooms.example is wanted")
        return value

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        if self.udp_ports[-1] > 65535:
            raise ValueError(
                f"PAROLA_UDP_PORT: {self.media_processes} processes need ports up to {self.udp_ports[-1]}"
            )
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("PAROLA_OIDC_CLIENT_ID: the issuer knows this server by one")
        data = self.data_dir.absolute()
        defaults = {
            "data_dir": data,
            "public_url": self.public_url or f"http://localhost:{self.http_port}",
            "database_url": self.database_url or f"sqlite+aiosqlite:///{data / 'parola.db'}",
            "blob_url": self.blob_url or (data / "blobs").as_uri(),
            "machine": self.machine or _machine(data),
        }
        defaults["mail_from"] = self.mail_from or f"parola@{urlsplit(str(defaults['public_url'])).hostname}"
        for name, value in defaults.items():
            object.__setattr__(self, name, value)  # frozen for everyone else
        return self


def host_addresses(ipv6: bool = False) -> tuple[str, ...]:
    """This host's own addresses; loopback comes last and is there too, since one machine is a network as well."""
    found = [*_ipv4_addresses(), *(_ipv6_addresses() if ipv6 else ())]
    loopback = ("127.0.0.1", "::1") if ipv6 else ("127.0.0.1",)
    return tuple(dict.fromkeys([*found, *loopback]))


def _ipv4_addresses() -> list[str]:
    """The first address of each interface that is up."""
    import fcntl

    siocgifflags, siocgifaddr, up, loopback = 0x8913, 0x8915, 0x1, 0x8  # linux/sockios.h, linux/if.h
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with contextlib.suppress(
                OSError
            ):  # an interface without an IPv4 address, or a system that is no Linux
                flags = struct.unpack_from("H", fcntl.ioctl(sock, siocgifflags, request), 16)[0]
                if flags & up and not flags & loopback:
                    found.append(socket.inet_ntoa(fcntl.ioctl(sock, siocgifaddr, request)[20:24]))
        with contextlib.suppress(OSError):
            sock.connect(("192.0.2.1", 9))  # sends nothing, and tells which address would
            found.append(sock.getsockname()[0])
    return found


def _ipv6_addresses() -> list[str]:
    """Those of global scope (Linux)."""
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return []
    scopes = [(line.split()[0], line.split()[3]) for line in lines]
    return [str(ipaddress.IPv6Address(int(digits, 16))) for digits, scope in scopes if scope == "00"]


def _complaints(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        text = problem["msg"].removeprefix("Value error, ")
        lines.append(f"PAROLA_{str(problem['loc'][0]).upper()}: {text}" if problem["loc"] else text)
    return list(dict.fromkeys(lines))


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(f"{value!r} is no IP address") from None


def _origin(value: str) -> str:
    """As browsers write it: no path, lower case, no port that the scheme implies."""
    parts = _parts(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("an address such as https://rooms.example is wanted")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("an origin without a path is wanted, such as https://rooms.example")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    implied = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if parts.port in (None, implied) else f":{parts.port}")


def _parts(value: str) -> SplitResult:
    parts = urlsplit(value)
    _ = parts.port  # raises ValueError where it is no port
    return parts


def _machine(data_dir: Path) -> str:
    """One name for each data folder of each host: two of them on one host are two machines to the others."""
    folder = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    return f"{socket.gethostname()[:100]}/{folder}"
