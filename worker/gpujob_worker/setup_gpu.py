"""`gpujob worker setup-gpu`: installs the build of onnxruntime that suits this machine, and proves that CUDA runs.

Invariant: without a GPU nothing is changed; success is said only of a session that ran on CUDA in a fresh process.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Annotated

import typer

from gpujob.errors import Configuration

from . import machine
from .speech import builds
from .speech.devices import gpu_present

BAD_SET_UP = 3
PROOF = "from gpujob_worker.speech.proof import session_device; print(session_device())"
LISTING_S = 20.0
PROOF_S = 120.0

RunPip = Callable[[builds.Pip], int]
Prove = Callable[[], str]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def setup_gpu(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the pip commands and run none.")] = False,
) -> None:
    """Install the onnxruntime that suits this machine's GPU, in the order that works, and prove that CUDA runs.

    \b
    Example:
      gpujob worker setup-gpu --dry-run

    Each pip command is printed before it runs. Exit 3 where there is no GPU (nothing is changed then), where the driver
    is too old, or where CUDA still does not run.
    """
    try:
        if dry_run:
            show(look())
        else:
            set_up(look(), run_pip=_run_pip, prove=_prove)
    except Configuration as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        raise typer.Exit(BAD_SET_UP) from None


def look() -> builds.Facts:
    """This machine."""
    return builds.Facts(bool(machine.gpus()) or gpu_present(), _cuda(), _installed())


def show(facts: builds.Facts) -> None:
    """Prints what `set_up` would do."""
    build = _build(facts)
    for arguments in builds.plan(facts, build):
        typer.echo(_command(arguments))
    typer.echo(f"# and only where CUDA does not start then:\n{_command(builds.bring_libraries(build))}")


def set_up(facts: builds.Facts, *, run_pip: RunPip, prove: Prove) -> None:
    """Brings the right build and proves it; CUDA's libraries come only if it does not start without. Configuration."""
    build = _build(facts)
    if builds.GPU_BUILD in facts.installed and prove() == "cuda":
        typer.echo("onnxruntime computes on CUDA already; nothing was changed.")
        return
    for arguments in builds.plan(facts, build):
        _do(arguments, run_pip)
    if prove() != "cuda":
        typer.echo("CUDA does not start yet; its libraries may be missing.", err=True)
        _do(builds.bring_libraries(build), run_pip)
        if prove() != "cuda":
            raise Configuration(
                f"{builds.GPU_BUILD} is installed, and a session still runs on the CPU",
                hint=f"It needs CUDA {build.cuda} and cuDNN 9; the lines above may say which library is missing.",
            )
    typer.echo("A session ran on CUDA: speech will run on the GPU.")


def _build(facts: builds.Facts) -> builds.Build:
    if not facts.gpu:
        raise Configuration(
            "there is no NVIDIA GPU here, as far as the driver shows; nothing was changed",
            hint="On Colab choose a GPU: Runtime, Change runtime type. A worker on the CPU needs no set-up.",
        )
    build = builds.suitable(facts)
    if build is None:
        seen = "nvidia-smi does not say which CUDA this driver runs"
        if facts.cuda is not None:
            seen = f"this driver runs CUDA {facts.cuda[0]}.{facts.cuda[1]} at most, and onnxruntime-gpu needs 12"
        raise Configuration(f"{seen}; nothing was changed", hint="A newer NVIDIA driver is needed.")
    return build


def _do(arguments: builds.Pip, run_pip: RunPip) -> None:
    typer.echo(_command(arguments))
    if run_pip(arguments):
        raise Configuration(f"`{_command(arguments)}` failed; its own words are above", hint="Run it again.")


def _command(arguments: builds.Pip) -> str:
    return shlex.join(["pip", *arguments])


def _run_pip(arguments: builds.Pip) -> int:
    return subprocess.run([sys.executable, "-m", "pip", *arguments], check=False).returncode


def _prove() -> str:
    """`cuda` or `cpu`, from a session in a process of its own; empty where it ran none.

    onnxruntime says on the same stream which libraries it did not find, also where it does without them.
    """
    command = [sys.executable, "-c", PROOF]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=PROOF_S, check=False)
    except subprocess.TimeoutExpired:
        return ""
    *talk, device = done.stdout.splitlines() or [""]
    for line in talk:
        typer.echo(line, err=True)
    return device if done.returncode == 0 else ""


def _cuda() -> tuple[int, int] | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        printed = subprocess.run([tool], capture_output=True, text=True, timeout=LISTING_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return builds.driver_cuda(printed)


def _installed() -> dict[str, str]:
    found = {}
    for name in builds.LOOKED_AT:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    """The program."""
    app(prog_name="gpujob worker setup-gpu")


if __name__ == "__main__":
    main()
