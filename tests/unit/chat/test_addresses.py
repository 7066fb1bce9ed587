"""OLLAMA_HOST and the names of models, as Ollama itself reads them."""

from __future__ import annotations

import pytest

from gpujob.errors import Configuration
from gpujob_worker.chat.addresses import is_here, url_of
from gpujob_worker.chat.names import normal, registry_is_here


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        (":5000", "http://127.0.0.1:5000"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:5000", "http://[::1]:5000"),
        ("gpu-box", "http://gpu-box:11434"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("https://gpu-box/ollama/", "https://gpu-box:443/ollama"),
        ("[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_the_url(host: str, url: str) -> None:
    assert url_of(host) == url


@pytest.mark.parametrize("host", ["ftp://x", "x:port", "x:99999", "[::1"])
def test_what_is_no_address(host: str) -> None:
    with pytest.raises(Configuration, match="OLLAMA_HOST"):
        url_of(host)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://[::1]:1", True),
        ("http://localhost:1", True),
        ("http://10.0.0.1:1", False),
    ],
)
def test_this_machine(url: str, here: bool) -> None:
    assert is_here(url) == here


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SmolLM2", "smollm2:latest"),
        ("library/smollm2:135m", "smollm2:135m"),
        ("registry.ollama.ai/library/smollm2", "smollm2:latest"),
        ("127.0.0.1:5000/library/x", "127.0.0.1:5000/library/x:latest"),
        ("hf.co/Owner/Thing-GGUF:Q4_K_M", "hf.co/owner/thing-gguf:q4_k_m"),
    ],
)
def test_the_one_spelling_of_a_model(name: str, expected: str) -> None:
    assert normal(name) == expected


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("127.0.0.1:5000/library/x", True),
        ("localhost/library/x", True),
        ("hf.co/o/x", False),
        ("x", False),
        ("localhost", False),
    ],
)
def test_plain_http_goes_to_this_machine_alone(name: str, here: bool) -> None:
    assert registry_is_here(name) == here
