"""`gpujob worker notebook`: writes the notebook that serves this queue, and puts this gpujob into its bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpujob.errors import Conflict
from gpujob_cli.notebooks import filling
from gpujob_cli.session import Session
from gpujob_cli.wheels import this_wheel

DEFAULT_OUT = Path("worker.ipynb")


def notebook(
    session: Session,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write it.")] = DEFAULT_OUT,
    extra: Annotated[
        str, typer.Option(metavar="NAMES", help="What to install for the kinds it serves: tts,image,chat,video.")
    ] = "tts",
    upload: Annotated[
        bool, typer.Option("--upload/--no-upload", help="Put the wheel into the bucket, or only beside the notebook.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there and differs.")] = False,
) -> None:
    """Write a notebook that runs a worker for this queue on Colab, Kaggle or Jupyter.

    This version of gpujob goes into the bucket as a wheel, under its sha256. The notebook names the queue and that
    sha256, fetches the wheel with the credentials that it has there, and checks it. It holds no credentials itself.
    Where you sign your jobs, it names your public key, and runs only what you or those whom you trust signed.

    \b
    Example:
      gpujob worker notebook -o worker.ipynb --extra tts,image
    """
    extras = filling.known_extras(extra)
    store = session.store  # a queue of another protocol is refused here already
    session.out.status("making a wheel of this gpujob")
    wheel = this_wheel()
    text = filling.notebook_for(session.url, wheel, {"EXTRAS": extras, **filling.trusted(session.identity)})
    _write(out, text.encode(), force)
    if upload:
        new = filling.bring(store.bucket, wheel)
        session.out.say(f"{filling.key_of(wheel)} {'is in' if new else 'was already in'} {store.bucket.url}")
    else:
        _write(out.with_name(wheel.file_name), wheel.body, force)
        session.out.say(f"{out.with_name(wheel.file_name)} goes beside the notebook, wherever that is opened")
    reason = filling.only_here(session.url)
    if reason is not None:
        session.out.warn(reason)
    if session.out.json:
        facts = {"notebook": str(out), "store": session.url, "wheel": filling.key_of(wheel), "sha256": wheel.sha256}
        session.out.answer_json(facts | {"uploaded": upload})
    else:
        session.out.answer(out)
    session.out.say(
        "Colab: https://colab.research.google.com, Upload. Read docs/colab.md on what its free plan forbids."
    )


def _write(path: Path, body: bytes, force: bool) -> None:
    if path.exists() and not force and path.read_bytes() != body:
        raise Conflict(f"{path} is there and differs", hint="Give another name with -o, or --force to replace it.")
    path.write_bytes(body)
