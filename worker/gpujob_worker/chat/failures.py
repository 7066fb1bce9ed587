"""What a daemon's error means for a job. Pure."""

from __future__ import annotations

import re

import httpx
import ollama

from gpujob.errors import JobFailed

TROUBLE = (ollama.ResponseError, ollama.RequestError, httpx.HTTPError, ConnectionError)
"""What the `ollama` package raises when a call does not succeed."""

_MEMORY = re.compile(
    r"out of memory|more system memory|cudaMalloc|insufficient memory|(unable|failed) to allocate|cannot allocate"
    r"|signal: killed",
    re.IGNORECASE,
)
_ABSENT = re.compile(r"not found|file does not exist|invalid model name|model is required", re.IGNORECASE)
_REFUSED = 400


def failure(error: Exception, *, model: str, where: str) -> JobFailed:
    """The failure of the attempt that a call about `model` ended with. `where` names the daemon, or its log."""
    if not isinstance(error, ollama.ResponseError):
        return JobFailed(
            f"the Ollama daemon went away before it had finished: {_said(error)}",
            hint=f"Its own words, if it said any: {where}.",
        )
    text = str(error.error).strip()[:2000] or f"status {error.status_code}"
    if _MEMORY.search(text):
        return JobFailed(
            f"{model} does not fit into the memory of the worker: {text}",
            type="out_of_memory",
            hint="A smaller model, a stronger quantisation or a smaller options.num_ctx takes less.",
        )
    if error.status_code == 404 or _ABSENT.search(text):
        return absent(model, text)
    if error.status_code == _REFUSED:
        return JobFailed(f"Ollama refused the request: {text}", type="invalid_input", retryable=False)
    return JobFailed(f"Ollama failed: {text}", hint=f"More may stand in {where}.")


def not_fetched(error: Exception, *, model: str, where: str) -> JobFailed:
    """The failure of the attempt that fetching a model ended with."""
    if not isinstance(error, ollama.ResponseError):
        return failure(error, model=model, where=where)
    text = str(error.error).strip()[:2000]
    if _ABSENT.search(text):
        return absent(model, f"its registry has no such model ({text})")
    return JobFailed(
        f"{model} could not be fetched: {text}",
        type="model_not_found",
        hint="What has been fetched of it is kept, and the next attempt goes on from there.",
    )


def absent(model: str, text: str) -> JobFailed:
    """There is no such model."""
    return JobFailed(
        f"there is no model {model}: {text}",
        type="model_not_found",
        retryable=False,
        hint="https://ollama.com/library lists the models and their tags.",
    )


def forbidden(model: str, here: list[str]) -> JobFailed:
    """The model is not here, and the worker's rules do not let a job fetch it."""
    return JobFailed(
        f"the worker has no model {model} and may not fetch it (it has {', '.join(sorted(here)) or 'none'})",
        type="model_not_found",
        retryable=False,
        hint=f"Start the worker with GPUJOB_ALLOW_MODELS={model}, or a pattern such as '{model.partition(':')[0]}:*'.",
    )


def _said(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
