"""Settings, and the only module that reads the environment.

    defaults < user config.toml < its chosen profile < project gpujob.toml < .env < GPUJOB_* < flags

A profile that a flag chooses ranks with the flags, since it was asked for by hand. Invariant: every value remembers
which file, variable or flag it came from, so that a bad one is refused by that name.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gpujob.errors import Configuration
from gpujob.home_paths import at_home
from gpujob.redaction import without_passwords
from gpujob.settings_files import nearest_project_file, read_dotenv, read_toml, working_folder

PREFIX = "GPUJOB_"
SIGN_WITH = f"{PREFIX}SIGN_WITH"
TRUST_SUBMITTERS = f"{PREFIX}TRUST_SUBMITTERS"
TRUST_LISTS = ("trust_submitters", "trust_workers")
GOOGLE_ENDPOINT = "https://storage.googleapis.com"
SCHEMES = ("s3", "gs", "file", "memory")
OLD_NAMES = {
    "WORKER_ID": "worker_id",
    "OLLAMA_PRELOAD_MODELS": "chat_preload",
    "IMAGEN_MODEL_ID": "image_model",
    "GPU_MAX_PENDING_JOBS": "max_pending",
}
NOT_YET = (
    "GPU_WORKER_TOKEN", "STACK_WORKER_TOKEN", "STACK_API_BASE", "GPU_JOB_ENDPOINT", "GPU_JOB_LEASE_SECONDS",
    "COLAB_TTS_DRIVE_PATH",
)  # fmt: skip
"""Names of the earlier HTTP server and Drive folder: they have no effect until the gateway and the bridge come."""

_CREDENTIAL = re.compile(
    r"^AWS_|^GOOGLE_|^MINIO_|SECRET|TOKEN|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE", re.IGNORECASE
)

_WITHHELD = {SIGN_WITH}


def _words(value: object) -> object:
    """`a, b` as people write it in a variable; a list as it stands in a file."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _store_url(value: object) -> object:
    """A store's URL; a plain path means a folder store."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        raise ValueError("empty")
    scheme, found, rest = value.partition("://")
    if not found and (slip := value.partition(":"))[1] and slip[0] in SCHEMES:
        raise ValueError(f"a store's URL begins with {slip[0]}://, and a folder of this name is ./{value}")
    if not found:
        return at_home(value).absolute().as_uri()
    if scheme not in SCHEMES:
        raise ValueError(
            f"{scheme}:// is no store; s3://bucket/prefix, gs://bucket/prefix, file:///path, memory:// are"
        )
    if "@" in rest.partition("/")[0]:
        raise ValueError("it holds a user name or password; credentials belong in the environment or a profile of AWS")
    if scheme in ("s3", "gs") and not rest.strip("/"):
        raise ValueError(f"the bucket is missing: {scheme}://bucket/prefix")
    return value


def _named(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("it names no key, and an empty list would trust everybody")
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Trusted = Annotated[Words, AfterValidator(_named)]


class Settings(BaseModel):
    """What can be set. Each field is `GPUJOB_<NAME>` in the environment and `<name>` in a file."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)

    store: Annotated[str, BeforeValidator(_store_url)] = ""
    worker_id: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")
    allow_secrets: Words = ()
    """Names of the environment variables that this machine's worker may hand to jobs that ask for them."""
    allow_models: Words = ()
    """Patterns (`owner/*`) of the models that jobs may make this machine's worker fetch, beside its own defaults."""
    model_cache: bool | None = None
    """Whether a worker keeps models in the queue's bucket; by the store's address where nobody says."""
    sign_with: str | None = None
    """The key that signs what this machine submits or finishes: a pair's name, or the path of a private key."""
    trust_submitters: Trusted = ()
    """Public keys, or files of them: a worker runs only what one of these signed."""
    trust_workers: Trusted = ()
    """Public keys, or files of them: whoever waits believes only results that one of these signed."""
    submitted_by: str | None = Field(None, max_length=200)
    max_pending: int | None = Field(None, ge=1)
    chat_preload: Words = ()
    image_model: str | None = None
    debug: bool = False


@dataclass(frozen=True)
class Loaded:
    """The settings with where each came from, and lines that the user should see once."""

    settings: Settings
    origins: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    profile: str | None = None


@dataclass(frozen=True)
class Terminal:
    """What the environment wishes of a terminal: colour forced (True), forbidden (False) or as it comes (None)."""

    color: bool | None
    dumb: bool


def load(
    *,
    flags: Mapping[str, Any] | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    profile_may_lack: bool = False,
) -> Loaded:
    """All settings together, for a program that runs in `folder`. Flags that are None do not count.

    With `profile_may_lack` a chosen profile that is not there says nothing: for who is about to write it.
    Raises Configuration for a file that cannot be read, an unknown name or a bad value, and says which and where.
    """
    environ = os.environ if environ is None else environ
    gathering = _Gathering()
    user_file = config_file()
    user = read_toml(user_file)
    folder = folder or working_folder()
    project_file = nearest_project_file(folder)
    project = read_toml(project_file) if project_file else {}
    dotenv_file = folder / ".env"
    dotenv = read_dotenv(dotenv_file)

    profiles = user.pop("profiles", {})
    usual, here = _profile_named(user, user_file), _profile_named(project, project_file)
    default = here or usual
    chosen = profile or environ.get(PREFIX + "PROFILE") or dotenv.get(PREFIX + "PROFILE") or default
    from_profile = _profile(profiles, chosen, user_file, may_lack=profile_may_lack)

    gathering.add(user, str(user_file))
    gathering.add(from_profile, f"profile {chosen} in {user_file}")
    gathering.add(_seen_from(project, project_file), str(project_file))
    gathering.add_variables(dotenv, str(dotenv_file))
    gathering.add_variables(environ, "the environment")
    if profile:
        gathering.add(from_profile, f"profile {chosen} in {user_file}")
    gathering.add({name: value for name, value in (flags or {}).items() if value is not None}, "flag", flag=True)
    return Loaded(gathering.settings(), gathering.origins, tuple(gathering.notices), chosen)


def config_file() -> Path:
    """The user's own config.toml, whether it exists or not."""
    return platformdirs.user_config_path("gpujob") / "config.toml"


def keys_folder() -> Path:
    """Where this user's key pairs are."""
    return config_file().parent / "keys"


def state_dir() -> Path:
    """Where this user's gpujob keeps what it remembers between commands."""
    return platformdirs.user_state_path("gpujob")


def default_store() -> str:
    """The folder store that everything uses when no store is set."""
    return (platformdirs.user_data_path("gpujob") / "store").absolute().as_uri()


def terminal(environ: Mapping[str, str] | None = None) -> Terminal:
    """NO_COLOR, FORCE_COLOR and TERM, as their conventions have it."""
    environ = os.environ if environ is None else environ
    color = False if environ.get("NO_COLOR") else True if environ.get("FORCE_COLOR", "0") not in ("", "0") else None
    return Terminal(color, environ.get("TERM") == "dumb")


def debugging() -> bool:
    """Whether tracebacks are asked for. Where another setting is wrong, only GPUJOB_DEBUG in the environment counts."""
    asked = os.environ.get(PREFIX + "DEBUG")
    if asked is not None:
        return asked.lower() in ("1", "true", "yes", "on")
    try:
        return load().settings.debug
    except (Configuration, OSError):
        return False


def secret_values(names: tuple[str, ...]) -> dict[str, str]:
    """The values of those environment variables that are set. For the worker, and only for names it allows."""
    return {name: os.environ[name] for name in names if name in os.environ}


def environment(**more: str) -> dict[str, str]:
    """This process's environment with these variables in it: what another gpujob on this machine gets."""
    return {**os.environ, **more}


def withhold(names: Iterable[str]) -> None:
    """From here on no executor's process inherits these variables, whatever they are called: a job that asks for one is
    handed it, and no other job."""
    _WITHHELD.update(names)


def child_environment() -> dict[str, str]:
    """This process's environment without what looks like a credential, or is withheld: what an executor's process gets.

    Our own settings stay, whatever their names: none of them is a secret. But the one that leads to the private key
    goes, since code that a job brings along must not learn where the signature of this worker comes from.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _WITHHELD and (name.startswith(PREFIX) or not _CREDENTIAL.search(name))
    }


def ollama_host(environ: Mapping[str, str] | None = None) -> str:
    """OLLAMA_HOST, where Ollama's own tools look for its daemon; empty where it is not set."""
    environ = os.environ if environ is None else environ
    return environ.get("OLLAMA_HOST", "").strip()


def google_endpoint(environ: Mapping[str, str] | None = None) -> str:
    """Where gs:// stores are: GPUJOB_GCS_ENDPOINT (a regional or private address), else Google's own."""
    environ = os.environ if environ is None else environ
    endpoint = environ.get(PREFIX + "GCS_ENDPOINT", "").strip().rstrip("/") or GOOGLE_ENDPOINT
    if not re.fullmatch(r"https?://[^/?#@\s]+", endpoint):
        raise Configuration(
            "GPUJOB_GCS_ENDPOINT is not the address of a server.", hint=f"Write it like {GOOGLE_ENDPOINT}, or unset it."
        )
    return endpoint


def google_project(environ: Mapping[str, str] | None = None) -> str:
    """The Google Cloud project that the environment names, for making a bucket; empty where it names none."""
    environ = os.environ if environ is None else environ
    return environ.get("GOOGLE_CLOUD_PROJECT", "").strip()


def on_kaggle(environ: Mapping[str, str] | None = None) -> bool:
    """Whether Kaggle says that this is one of its kernels: it sets KAGGLE_KERNEL_RUN_TYPE."""
    environ = os.environ if environ is None else environ
    return bool(environ.get("KAGGLE_KERNEL_RUN_TYPE"))


def visible_gpus(environ: Mapping[str, str] | None = None) -> tuple[str, ...] | None:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, by number or UUID; None where it is not set, and all are seen."""
    environ = os.environ if environ is None else environ
    named = environ.get("CUDA_VISIBLE_DEVICES")
    return None if named is None else tuple(word.strip() for word in named.split(",") if word.strip())


def without_effect(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> dict[str, str]:
    """Names of earlier systems that are set and have no effect yet, and where each is set."""
    environ = os.environ if environ is None else environ
    dotenv_file = (folder or working_folder()) / ".env"
    places = ((read_dotenv(dotenv_file), str(dotenv_file)), (environ, "the environment"))
    return {name: origin for variables, origin in places for name in NOT_YET if name in variables}


def this_user() -> str:
    """`user@host`, as jobs are signed when no setting says otherwise."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


class _Gathering:
    """Values by name, each with its latest origin."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[str, str] = {}
        self.notices: list[str] = []

    def add(self, values: Mapping[str, Any], origin: str, *, flag: bool = False) -> None:
        for name, value in values.items():
            if name not in Settings.model_fields:
                raise Configuration(
                    f"{origin}: {name!r} is not a setting{_nearest(name)}",
                    hint=f"The settings are {', '.join(Settings.model_fields)}.",
                )
            self.values[name] = value
            self.origins[name] = f"--{name.replace('_', '-')}" if flag else f"{name} in {origin}"

    def add_variables(self, variables: Mapping[str, str], origin: str) -> None:
        self._add_old_names(variables)
        for variable, value in variables.items():
            name = variable.removeprefix(PREFIX).lower()
            if not variable.startswith(PREFIX) or name == "profile":
                continue
            if name in TRUST_LISTS and not value.strip():  # it must not switch off the list of a file
                continue
            if name in Settings.model_fields:
                self.values[name], self.origins[name] = value, f"{variable} in {origin}"
            elif near := get_close_matches(name, Settings.model_fields, n=1, cutoff=0.8):
                self.notices.append(f"{variable} is not a setting. Did you mean {PREFIX}{near[0].upper()}?")

    def _add_old_names(self, variables: Mapping[str, str]) -> None:
        for old, name in OLD_NAMES.items():
            new = PREFIX + name.upper()
            if not variables.get(old) or new in variables:
                continue
            self.values[name], self.origins[name] = variables[old], old
            self.notices.append(f"{old} still works; its new name is {new}.")

    def settings(self) -> Settings:
        try:
            settings = Settings(**self.values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0])
            reason = str(first["msg"]).removeprefix("Value error, ")
            raise Configuration(
                f"{self.origins[name]}: {without_passwords(str(first['input']))[:80]!r} does not do: {reason}",
                hint=f"Correct {self.origins[name]}, then run the same command again.",
            ) from None
        return settings if settings.store else settings.model_copy(update={"store": default_store()})


def _seen_from(values: dict[str, Any], path: Path | None) -> dict[str, Any]:
    """The values of a project file, its folder store being relative to the file."""
    store = values.get("store")
    if path is None or not isinstance(store, str) or not store.strip() or "://" in store:
        return values
    return values | {"store": str(path.parent / at_home(store))}


def _profile_named(found: dict[str, Any], path: Path | None) -> str | None:
    """Takes the choice of a profile out of a file's settings."""
    name = found.pop("profile", None)
    if name is None or isinstance(name, str):
        return name
    raise Configuration(
        f"{path}: profile is the name of one, not {name!r}", hint="Its settings stand in a table [profiles.NAME]."
    )


def _profile(profiles: Any, chosen: str | None, path: Path, *, may_lack: bool) -> Mapping[str, Any]:
    if isinstance(profiles, dict) and isinstance(profiles.get(chosen), dict):
        return profiles[chosen]  # type: ignore[no-any-return]
    if chosen is None or may_lack:
        return {}
    known = ", ".join(profiles) if isinstance(profiles, dict) and profiles else "none"
    raise Configuration(
        f"there is no profile {chosen!r} in {path} (there: {known})",
        hint="`gpujob init URL --profile NAME` writes one.",
    )


def _nearest(name: str) -> str:
    near = get_close_matches(name, Settings.model_fields, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
