"""`gpujob encode`: a film, a sound, a GIF or a picture from files, by flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gpujob.errors import InvalidSpec
from gpujob.specs import Spec, parse_object
from gpujob_cli import encoding
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


def encode(
    session: Session,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="What to encode; several are joined.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the result; its ending is its format.")] = None,
    codec: Annotated[str | None, typer.Option(metavar="h264|h265|vp9|av1|copy", help="Of the picture.")] = None,
    audio_codec: Annotated[
        str | None, typer.Option(metavar="aac|opus|mp3|flac|copy|none", help="Of the sound.")
    ] = None,
    audio_bitrate: Annotated[str | None, typer.Option(metavar="128k", help="Of the sound.")] = None,
    crf: Annotated[int | None, typer.Option(metavar="N", help="Quality: lower is better and larger.")] = None,
    preset: Annotated[str | None, typer.Option(metavar="medium", help="ultrafast to veryslow.")] = None,
    scale: Annotated[
        str | None, typer.Option(metavar="WxH", help="1280x720; or 1280x, and the height follows.")
    ] = None,
    fps: Annotated[float | None, typer.Option(metavar="NUMBER", help="Frames a second.")] = None,
    trim: Annotated[str | None, typer.Option(metavar="START-END", help="A piece: 0:05-0:20, 90s-, -10s.")] = None,
    audio: Annotated[Path | None, typer.Option(metavar="FILE", help="Put this sound under the picture.")] = None,
    subtitles: Annotated[Path | None, typer.Option(metavar="FILE", help="Write these into the picture.")] = None,
    loudnorm: Annotated[bool, typer.Option("--loudnorm", help="Bring the sound to -16 LUFS, in two passes.")] = False,
    gif: Annotated[bool, typer.Option("--gif", help="Make an animated GIF.")] = False,
    thumbnail: Annotated[str | None, typer.Option(metavar="TIME", help="Take the frame at 3s or 0:03.")] = None,
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
    """Encode video with ffmpeg; the results come back into a folder.

    \b
    Example:
      gpujob encode screen.webm --crf 20 --scale 1280x720 -o film/
      gpujob encode intro.mp4 talk.mov --audio voice.mp3 --subtitles talk.srt --name talk.mp4
      gpujob encode screen.mp4 --trim 0:05-0:20 --gif --scale 480x

    Without --name the result is FILE.mp4; --gif and --thumbnail alone make only those. Without -o the files go to
    ./gpujob-out/<id>/. Of several wishes at once, what lies between comes back too, under parts/.
    """
    require_writable(out or DEFAULT_OUT)
    named = _named([*files, *filter(None, (audio, subtitles))])
    more = {"audio_bitrate": audio_bitrate, "crf": crf, "preset": preset, "fps": fps}
    wishes = encoding.Wishes(
        files=[named[path] for path in files],
        name=name,
        audio=named[audio] if audio else None,
        subtitles=named[subtitles] if subtitles else None,
        trim=encoding.parse_trim(trim) if trim else None,
        loudnorm=loudnorm,
        gif=gif,
        thumbnail=encoding.moment("--thumbnail", thumbnail) if thumbnail is not None else None,
        quality=encoding.quality(scale, codec, audio_codec, more),
    )
    target = Target(out or DEFAULT_OUT, force=force, by_id=out is None)
    shared = envelope(title, priority, label, idempotency_key, fallback, fallback_after)
    return do(session, _spec(wishes, named, shared), Wishes(target=target), wait=wait, dry_run=dry_run)


def _spec(wishes: encoding.Wishes, named: dict[Path, str], shared: dict[str, Any]) -> Spec:
    given: dict[str, Any] = {
        "kind": "video.encode",
        **shared,
        "input": {"operations": encoding.operations(wishes)},
        "files": [{"name": name, "source": str(path)} for path, name in named.items()],
    }
    return parse_object(given, source="<command line>")


def _named(paths: list[Path]) -> dict[Path, str]:
    """The files and their names in the job. Raises InvalidSpec for one that is not there."""
    for path in paths:
        if not path.is_file():
            raise InvalidSpec(f"there is no file {path}", hint="Look at the spelling, and from where you call.")
    return encoding.names_of(paths)
