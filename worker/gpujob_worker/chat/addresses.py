"""Where an Ollama daemon is, as OLLAMA_HOST says it. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from gpujob.errors import Configuration

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 11434
_PORTS = {"http": 80, "https": 443}
_EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - what a daemon listens on is no place to call


def url_of(host: str) -> str:
    """The daemon's URL for a value of OLLAMA_HOST, read as Ollama's own tools read it. Raises Configuration."""
    scheme, found, rest = host.strip().partition("://")
    if not found:
        scheme, rest = "http", host.strip()
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        name, port = parts.hostname or LOOPBACK, parts.port
        default = _PORTS[scheme] if found else DEFAULT_PORT
    except (ValueError, KeyError):
        raise Configuration(
            f"OLLAMA_HOST: {host!r} is not the address of a daemon", hint="Write it as host:port, or http://host:port."
        ) from None
    name = _EVERYWHERE.get(name, name)
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}:{port or default}{parts.path.rstrip('/')}"


def is_loopback(name: str) -> bool:
    """Whether a host's name, or its address, means this machine."""
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def is_here(url: str) -> bool:
    """Whether a URL leads to this machine."""
    return is_loopback(urlsplit(url).hostname or "")
