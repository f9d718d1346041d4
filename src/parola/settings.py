"""Configuration: environment variables, read once into a frozen value. Whoever needs a setting gets it from here."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import subprocess
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_EVERYWHERE = ("0.0.0.0", "::")


class SettingsError(Exception):
    """One line for each variable that cannot be used."""


class Settings(BaseSettings):
    """Each field is `PAROLA_` and its name in capitals. The last four are set by the supervisor for its children."""

    model_config = SettingsConfigDict(env_prefix="PAROLA_", frozen=True, extra="ignore")

    http_port: Annotated[int, Field(ge=1, le=65535)] = 8080
    udp_port: Annotated[int, Field(ge=1, le=65535)] = 7882
    media_processes: Annotated[int, Field(ge=1, le=64)] = max(1, (os.cpu_count() or 2) - 1)
    web_processes: Annotated[int, Field(ge=1, le=64)] = 1
    roles: Annotated[tuple[Literal["web", "media"], ...], NoDecode] = ("web", "media")
    bind: str = "127.0.0.1"
    public_ip: Annotated[tuple[str, ...], NoDecode] = ()
    public_url: str = ""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    data_dir: Path = Path("data")
    database_url: str = ""
    nats_url: str = ""
    blob_url: str = ""
    registration: Literal["open", "invite", "closed"] = "open"
    limits: Literal["default", "off"] = "default"

    nats_token: str | None = None
    process_id: str = Field(default_factory=lambda: secrets.token_urlsafe(16))
    machine: str = Field(default_factory=socket.gethostname)

    @classmethod
    def load(cls, **changes: object) -> Settings:
        """From the environment; `changes` win. Raises SettingsError."""
        try:
            return cls(**changes)  # type: ignore[arg-type]
        except ValidationError as error:
            lines = [f"PAROLA_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]
            raise SettingsError("\n".join(lines)) from error

    @property
    def public_ips(self) -> tuple[str, ...]:
        """What stands in ICE candidates."""
        if self.public_ip:
            return self.public_ip
        return (self.bind,) if self.bind not in _EVERYWHERE else host_addresses()

    @property
    def host_addresses(self) -> tuple[str, ...]:
        return host_addresses()

    @property
    def embedded_nats(self) -> bool:
        return not self.nats_url

    @field_validator("roles", "public_ip", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("bind")
    @classmethod
    def _is_address(cls, value: str) -> str:
        ipaddress.ip_address(value)
        return value

    @field_validator("public_ip")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            ipaddress.ip_address(address)
        return value

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("an address such as https://rooms.example is wanted")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        if not self.roles:
            raise ValueError("at least one of web, media")
        defaults = {
            "public_url": f"http://localhost:{self.http_port}",
            "database_url": f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'parola.db'}",
            "blob_url": f"file://{self.data_dir.absolute() / 'blobs'}",
        }
        for name, value in defaults.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        if self.database_url.startswith("postgresql://"):
            url = self.database_url.replace("postgresql://", "postgresql+asyncpg://", 1)
            object.__setattr__(self, "database_url", url)
        return self


def host_addresses() -> tuple[str, ...]:
    """The addresses of this host that others may reach, loopback at the end: one machine is a network too."""
    found: list[str] = []
    try:
        listed = subprocess.run(["hostname", "-I"], capture_output=True, text=True, timeout=2, check=True)
        found = [a for a in listed.stdout.split() if not a.startswith("fe80")]
    except (OSError, subprocess.SubprocessError):
        found = [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return tuple(dict.fromkeys([*found, "127.0.0.1"]))
