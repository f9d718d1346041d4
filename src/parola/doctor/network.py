"""The network: ports, addresses, what people are told to open and where their sound is sent."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from parola.doctor.finding import Finding, ok, problem, warning


def port(kind: str, trouble: str, words: str, is_ours: bool) -> Finding:
    """`trouble` is why it cannot be had; `is_ours`: it is the running Parola of this data folder that has it."""
    about = f"{kind} port" if kind == "http" else f"{kind} ports"
    if not trouble:
        return ok(about, f"{words}: free")
    if is_ours:
        return ok(about, f"{words}: in use by the Parola that runs here")
    found, _, remedy = trouble.partition(". ")
    return problem(about, found, remedy or "Another user's process may have it: look as root.")


def bind(address: str, trusted_proxies: Sequence[str]) -> Finding:
    if not ipaddress.ip_address(address).is_loopback:
        return ok("bind", address)
    if trusted_proxies:
        return warning(
            "bind",
            f"{address}: pages come through the proxy, but nobody else's sound will come here",
            "PAROLA_BIND=0.0.0.0: media is UDP and goes past the proxy.",
        )
    return warning("bind", f"{address}: only this machine itself can come in", "PAROLA_BIND=0.0.0.0")


def public_addresses(told: Sequence[str], is_set: bool, bind: str) -> Finding:
    """`told` are the addresses that clients are told to send media to, `is_set` whether PAROLA_PUBLIC_IP names them."""
    words = ", ".join(told)
    addresses = [ipaddress.ip_address(address) for address in told]
    if ipaddress.ip_address(bind).is_loopback:
        if is_set and not all(address.is_loopback for address in addresses):
            return problem(
                "public address",
                f"{words}, but nothing listens there: PAROLA_BIND is {bind}",
                "PAROLA_BIND=0.0.0.0",
            )
        return ok("public address", words)
    if all(address.is_loopback for address in addresses):
        return problem(
            "public address",
            f"{words}: everybody would send their sound to their own machine",
            "PAROLA_PUBLIC_IP=the address under which others reach this machine",
        )
    if not any(address.is_global for address in addresses):
        return warning(
            "public address",
            f"{words}: private, reached from this network only",
            "Behind a router or in a cloud: PAROLA_PUBLIC_IP=its public address, and let the UDP ports through.",
        )
    return ok("public address", words)


def public_url(url: str, bind: str) -> Finding:
    """Browsers give the microphone to https and to localhost only."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_local = host == "localhost" or host.endswith(".localhost") or _is_loopback(host)
    if is_local and not ipaddress.ip_address(bind).is_loopback:
        return warning(
            "public url",
            f"{url}: on any other machine the rooms' links lead nowhere",
            "PAROLA_PUBLIC_URL=https://the name under which people reach this server",
        )
    if parts.scheme == "http" and not is_local:
        return warning(
            "public url",
            f"{url}: people can listen and cannot speak, since browsers give the microphone to https only",
            "A proxy with a certificate in front; PAROLA_PUBLIC_URL=https://…, PAROLA_TRUSTED_PROXIES=its address.",
        )
    return ok("public url", url)


def round_trip(address: str, result: float | Exception) -> Finding:
    """`result` in seconds, of a datagram from this address to itself."""
    if isinstance(result, Exception):
        return problem(
            "udp",
            f"a datagram to {address} does not come back: {str(result) or type(result).__name__}",
            "A firewall (nft list ruleset, iptables -L) or an address that this host does not have: PAROLA_BIND.",
        )
    return ok("udp", f"a datagram to {address} comes back after {result * 1000:.1f} ms")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
