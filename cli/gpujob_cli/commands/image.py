"""`gpujob image`: a set of pictures from flags."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from gpujob.specs import parse_object
from gpujob_cli.collecting import Target, require_writable
from gpujob_cli.commands.tts import DEFAULT_OUT
from gpujob_cli.flags import (
    DryRunFlag,
    FallbackAfterFlag,
    FallbackFlag,
    ForceFlag,
    KeyFlag,
    LabelFlag,
    OutFlag,
    PriorityFlag,
    TitleFlag,
    WaitFlag,
)
from gpujob_cli.following import Wishes
from gpujob_cli.session import Session
from gpujob_cli.shortcuts import do, envelope


def image(
    session: Session,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to paint; - is stdin.")],
    negative: Annotated[str | None, typer.Option(metavar="TEXT", help="What to keep out.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="In pixels; the model's own if left out.")] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Steps of denoising.")] = None,
    guidance: Annotated[float | None, typer.Option(metavar="NUMBER", help="How closely to follow PROMPT.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Image i uses seed + i; drawn if left out.")] = None,
    n: Annotated[int | None, typer.Option("--n", "-n", metavar="N", help="How many images, 1 to 16.")] = None,
    model: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="A model of the hub.")] = None,
    revision: Annotated[str | None, typer.Option(metavar="NAME", help="A branch, tag or commit of MODEL.")] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="CLASS", help="Another scheduler of diffusers.")] = None,
    form: Annotated[str | None, typer.Option("--format", metavar="png|jpeg|webp", help="Of the files; png.")] = None,
    out: OutFlag = None,
    force: ForceFlag = False,
    title: TitleFlag = None,
    priority: PriorityFlag = None,
    label: LabelFlag = None,
    idempotency_key: KeyFlag = None,
    fallback: FallbackFlag = None,
    fallback_after: FallbackAfterFlag = None,
    dry_run: DryRunFlag = False,
    wait: WaitFlag = True,
) -> int:
    """Paint a text; the pictures come back into a folder.

    \b
    Example:
      gpujob image "a lighthouse at dawn, oil painting" -o pictures/
      gpujob image "a lighthouse" --negative fog --size 768x512 --steps 25 --seed 7 -n 4

    Without -o the files go to ./gpujob-out/<id>/.
    """
    require_writable(out or DEFAULT_OUT)
    given: dict[str, Any] = {
        "prompt": sys.stdin.read().strip() if prompt == "-" else prompt,
        "negative_prompt": negative,
        "size": size,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "seed": seed,
        "n": n,
        "model": model,
        "revision": revision,
        "scheduler": scheduler,
        "output_format": form,
    }
    shared = envelope(title, priority, label, idempotency_key, fallback, fallback_after)
    spec = parse_object(
        {
            "kind": "image.generate",
            **shared,
            "input": {name: value for name, value in given.items() if value is not None},
        },
        source="<command line>",
    )
    target = Target(out or DEFAULT_OUT, force=force, by_id=out is None)
    return do(session, spec, Wishes(target=target), wait=wait, dry_run=dry_run)
