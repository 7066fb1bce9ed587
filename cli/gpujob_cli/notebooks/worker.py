# %% [markdown]
"""
# A gpujob worker

This notebook serves the jobs of one queue on this machine and leaves when nothing is left to do. It fetches gpujob out
of the queue's own bucket, checks its sha256, installs it and runs a worker. *Run all* does everything; the stop button
of the last cell finishes the job in hand and leaves, pressed twice it gives the job back.

**On Colab, know what is allowed.** Runtimes that are free of charge, without a positive balance of compute units, may
not run distributed computing workers, and that is what this is; Colab may end such a runtime without warning. Buy
compute units first. Nothing here keeps a runtime awake: the worker leaves when it was idle for a while, and the runtime
is handed back.

**Credentials** come from the environment, else from Colab's secrets (the key symbol on the left), else from Kaggle's,
under the names `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`. They are never printed. Give a worker keys of its own.
For a store on Google Cloud Storage (gs://) they are an HMAC key; without one, Colab asks for your Google account, and
then whatever runs here may do what you may.
"""

# %%
# @title The queue, and what to serve
STORE = ""  # @param {type:"string"}
ENDPOINT = ""  # @param {type:"string"}
REGION = ""  # @param {type:"string"}
WHEEL = ""  # @param {type:"string"}
EXTRAS = "tts"  # @param {type:"string"}
KINDS = ""  # @param {type:"string"}
MODELS = ""  # @param {type:"string"}
MODEL_CACHE = "auto"  # @param ["auto", "true", "false"]
IMAGE_MODEL = ""  # @param {type:"string"}
CHAT_PRELOAD = ""  # @param {type:"string"}
ALLOW_MODELS = ""  # @param {type:"string"}
ALLOW_SECRETS = ""  # @param {type:"string"}
IDLE_EXIT = "20m"  # @param {type:"string"}
MAX_LIFETIME = "11h"  # @param {type:"string"}
WORKER_ID = ""  # @param {type:"string"}
TRUST_SUBMITTERS = ""  # @param {type:"string"}
TRUST_WORKERS = ""  # @param {type:"string"}
REQUIRE_GPU = False  # @param {type:"boolean"}
HAND_BACK = True  # @param {type:"boolean"}

# %%
# @title How programs are run here
import os
import queue
import signal
import subprocess
import sys
import threading
import time

ON_KAGGLE = "KAGGLE_KERNEL_RUN_TYPE" in os.environ  # whose image has Colab's modules too
SILENCE_S = 20  # longer than that nobody should wonder whether it is still at it
os.environ |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def run(*words: str) -> int:
    """Runs Python with these words and shows what it says; the stop button becomes its Ctrl-C. Its exit code."""
    command = [sys.executable, *words]
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True
    )
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in program.stdout or ():
            lines.put(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    silent_since = time.monotonic()
    while reader.is_alive() or not lines.empty():
        try:
            print(lines.get(timeout=0.5), end="", flush=True)
            silent_since = time.monotonic()
        except queue.Empty:
            if time.monotonic() - silent_since > SILENCE_S:
                print(f"({' '.join(words[:3])} is at it)", flush=True)
                silent_since = time.monotonic()
        except KeyboardInterrupt:
            program.send_signal(signal.SIGINT)
    return program.wait()


def must(*words: str) -> None:
    """As `run`; an error where the program fails."""
    if run(*words):
        raise RuntimeError(f"{' '.join(words[:3])} failed: its own words are above")


# %%
# @title Credentials
import importlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

must("-m", "pip", "install", "--quiet", "boto3>=1.37")
import boto3

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
GOOGLE = "https://storage.googleapis.com"
SECRET_S = 20  # a person may have to allow it; where nobody is, nobody answers


def in_time(look: Callable[[str], str], name: str) -> str:
    """What `look` says of a name; TimeoutError where it does not answer."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECRET_S, 1)
    try:
        return look(name)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def of_colab(name: str) -> str:
    return str(importlib.import_module("google.colab.userdata").get(name))


def of_kaggle(name: str) -> str:
    return str(importlib.import_module("kaggle_secrets").UserSecretsClient().get_secret(name))


def secrets() -> dict[str, Callable[[str], str]]:
    """Where this notebook's secrets may be, in the order in which they are looked for."""
    colab: dict[str, Callable[[str], str]] = {} if ON_KAGGLE else {"Colab's secrets": of_colab}
    return {**colab, "Kaggle's secrets": of_kaggle}


def has_keys() -> bool:
    """Whether there are keys for this store. Google's begin with GOOG, and others are none of its business."""
    found = boto3.session.Session().get_credentials()
    if not found:
        return False
    return not STORE.startswith("gs:") or str(found.access_key).startswith("GOOG")


def find_credentials() -> str:
    """Where the credentials came from; they are in the environment then. Empty where there are none."""
    sent = Path("gpujob-credentials.json")  # `gpujob worker launch` sends it
    if sent.exists():
        os.environ |= json.loads(sent.read_text())
        sent.unlink()
    if has_keys():
        return "the environment"
    for place, look in secrets().items():
        try:
            os.environ |= {name: in_time(look, name) for name in KEYS}
        except Exception as error:
            print(f"not from {place}: {type(error).__name__}")
            continue
        with suppress(Exception):  # few have one
            os.environ["AWS_SESSION_TOKEN"] = in_time(look, "AWS_SESSION_TOKEN")
        return place
    return ""


def log_in() -> str:
    """Whose login to Google is used: on Colab that of whoever opened this notebook, who is asked for it."""
    must("-m", "pip", "install", "--quiet", "google-auth[urllib3]>=2.40")
    with suppress(ImportError):
        if not ON_KAGGLE:
            importlib.import_module("google.colab.auth").authenticate_user()
            return "your Google account"
    return "this machine's login to Google"


if not STORE:
    raise RuntimeError("STORE is empty: fill in the queue's URL above, such as s3://bucket/prefix")
given = {"GPUJOB_STORE": STORE, "AWS_DEFAULT_REGION": REGION}
given["GPUJOB_GCS_ENDPOINT" if STORE.startswith("gs:") else "AWS_ENDPOINT_URL_S3"] = ENDPOINT
given |= {"GPUJOB_TRUST_SUBMITTERS": TRUST_SUBMITTERS, "GPUJOB_MODEL_CACHE": MODEL_CACHE.replace("auto", "")}
given |= {"GPUJOB_IMAGE_MODEL": IMAGE_MODEL, "GPUJOB_CHAT_PRELOAD": CHAT_PRELOAD}
given |= {"GPUJOB_ALLOW_MODELS": ALLOW_MODELS, "GPUJOB_ALLOW_SECRETS": ALLOW_SECRETS}
given["GPUJOB_TRUST_WORKERS"] = TRUST_WORKERS
os.environ |= {name: value for name, value in given.items() if value}
if STORE.startswith(("s3:", "gs:")):
    place = find_credentials() or (log_in() if STORE.startswith("gs:") else "")
    if not place:
        raise RuntimeError(f"no credentials: put {' and '.join(KEYS)} into the secrets of this notebook")
    print(f"credentials from {place}")
for name in ALLOW_SECRETS.replace(",", " ").split():
    for look in secrets().values():
        if name not in os.environ:
            with suppress(Exception):  # a job that asks for it is told what is missing
                os.environ[name] = in_time(look, name)

# %%
# @title gpujob, out of the bucket
import hashlib
import tempfile
import urllib.request
from urllib.parse import quote, unquote

from botocore.config import Config


def by_login(bucket: str, key: str) -> bytes:
    """An object of Google Cloud Storage, for whoever is logged in here."""
    auth = importlib.import_module("google.auth")
    who, _ = auth.default(scopes=["https://www.googleapis.com/auth/devstorage.read_only"])
    http = importlib.import_module("urllib3").PoolManager()
    who.refresh(importlib.import_module("google.auth.transport.urllib3").Request(http))
    address = f"{ENDPOINT or GOOGLE}/{bucket}/{quote(key)}"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {who.token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def fetch(name: str) -> bytes:
    """The wheel: a file of that name beside this notebook, else out of the bucket."""
    if Path(name).exists():
        return Path(name).read_bytes()
    scheme, _, rest = STORE.partition("://")
    if scheme == "file":  # a folder store begins each object with a line of its own
        return (Path(unquote(rest)) / f"{WHEEL}@").read_bytes().partition(b"\n")[2]
    bucket, _, prefix = rest.strip("/").partition("/")
    plain = Config(
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    key = f"{prefix}/{WHEEL}".lstrip("/")
    if scheme == "gs" and not has_keys():
        return by_login(bucket, key)
    where = (ENDPOINT or GOOGLE) if scheme == "gs" else None
    client = boto3.session.Session().client("s3", config=plain, endpoint_url=where)
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()


if WHEEL.count("/") != 2:
    raise RuntimeError("WHEEL is empty: `gpujob worker notebook` puts gpujob into the bucket and writes it in")
_, sha256, name = WHEEL.split("/")
body = fetch(name)
if hashlib.sha256(body).hexdigest() != sha256:
    raise RuntimeError(f"{name} is not the file that this notebook names (sha256 {sha256}): nothing was installed")
wheel = Path(tempfile.mkdtemp()) / name
wheel.write_bytes(body)
must("-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", str(wheel))
chosen = EXTRAS.replace(",", " ").split()
signed = TRUST_SUBMITTERS or TRUST_WORKERS
extras = ",".join(filter(None, [*chosen, "sign" if signed else "", "gcs" if STORE.startswith("gs:") else ""]))
must("-m", "pip", "install", "--quiet", f"{wheel}[{extras}]" if extras else str(wheel))
print(f"installed {name}, sha256 {sha256[:12]}")

# %%
# @title The GPU, and the models
import shutil

gpu = shutil.which("nvidia-smi") is not None and subprocess.run(["nvidia-smi"], check=False).returncode == 0
if gpu and "tts" in chosen:
    run("-m", "gpujob_worker.setup_gpu")
for model in MODELS.replace(",", " ").split() or (["kokoro-fp16" if gpu else "kokoro"] if "tts" in chosen else []):
    run("-m", "gpujob_cli", "models", "pull", model)  # out of the bucket, where that keeps models
if "chat" in chosen and not shutil.which("ollama"):
    print(
        "chat needs Ollama: https://ollama.com/download/linux has the line that installs it, for a cell before this one"
    )
serving = ["--kinds", KINDS] if KINDS else []
serving += ["--require-gpu"] if REQUIRE_GPU else []
must("-m", "gpujob_worker", "--check", *serving)

# %%
# @title Serve, then hand the runtime back
runtime = None  # on Kaggle and Jupyter whoever opened it closes it
if not ON_KAGGLE:
    with suppress(ImportError):
        runtime = importlib.import_module("google.colab.runtime")
limits = ["--idle-exit", IDLE_EXIT, "--max-lifetime", MAX_LIFETIME, "--heartbeat", "15s"]
name = WORKER_ID or ("colab" if runtime else "")
ended = run("-m", "gpujob_worker", *serving, *limits, *(["--id", name] if name else []))
if ended in (2, 3):
    raise RuntimeError("the worker did not start: its own words are above")
if runtime and HAND_BACK:
    print("handing the runtime back")
    try:
        runtime.unassign()
    except Exception as error:
        print(f"Colab did not take it ({type(error).__name__}): end it by hand, under Runtime, Manage sessions")
