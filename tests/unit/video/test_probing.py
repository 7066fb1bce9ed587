"""Both readers of a file's facts, on what ffprobe and ffmpeg really print."""

from __future__ import annotations

import json

from gpujob_worker.video.probing import Media, Picture, Sound, from_banner, from_ffprobe, not_media

BANNER = """\
Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'op0-in0':
  Metadata:
    major_brand     : isom
    comment         : made
                    : Stream #0:9: Video: liar, 1x1
    title           : Input #0, fake, from
  Duration: 00:01:02.50, start: 0.000000, bitrate: 75 kb/s
  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p, 320x240 [SAR 1:1 DAR 4:3], 29.97 fps (default)
    Metadata:
      handler_name    : VideoHandler
  Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono, fltp, 69 kb/s (default)
  Stream #0:2: Video: mjpeg (Baseline), yuvj420p(pc), 600x600, 90k tbr, 90k tbn (attached pic)
At least one output file must be specified
"""


def ffprobe(**more: object) -> str:
    streams = [
        {"codec_type": "video", "codec_name": "mjpeg", "width": 9, "height": 9, "disposition": {"attached_pic": 1}},
        {"codec_type": "video", "codec_name": "h264", "width": 320, "height": 240, "avg_frame_rate": "30000/1001"},
        {"codec_type": "audio", "codec_name": "aac", "sample_rate": "44100", "channels": 1},
    ]
    streams[1].update(more)
    return json.dumps({"streams": streams, "format": {"format_name": "mov,mp4", "duration": "62.500000"}})


def test_both_readers_agree() -> None:
    banner, probed = from_banner(BANNER), from_ffprobe(ffprobe())
    assert banner is not None and probed is not None
    assert banner.duration_s == probed.duration_s == 62.5
    assert banner.picture == probed.picture == Picture("h264", 320, 240, 29.97)
    assert banner.sound == probed.sound == Sound("aac", 44_100, 1)


def test_a_picture_that_lies_on_its_side_is_turned() -> None:
    turned = BANNER.replace(
        "VideoHandler\n", "VideoHandler\n      Side data:\n        displaymatrix: rotation of -90.00 degrees\n"
    )
    expected = Picture("h264", 240, 320, 29.97)
    banner = from_banner(turned)
    probed = from_ffprobe(ffprobe(side_data_list=[{"side_data_type": "Display Matrix", "rotation": -90}]))
    assert banner is not None and banner.picture == expected
    assert probed is not None and probed.picture == expected


def test_older_banners_and_more_channels() -> None:
    said = """\
Input #0, matroska,webm, from 'op0-in0':
  Duration: N/A, start: 0.000000, bitrate: N/A
    Stream #0:0(eng): Audio: opus, 48000 Hz, 5.1(side), fltp (default)
"""
    assert from_banner(said) == Media("matroska,webm", None, None, Sound("opus", 48_000, 6))
    still = "Input #0, png_pipe, from 'x':\n  Duration: N/A\n  Stream #0:0: Video: png, rgb24(pc), 161x121, 25 fps\n"
    assert from_banner(still) == Media("png_pipe", None, Picture("png", 161, 121, 25.0))


def test_what_is_no_answer_is_none() -> None:
    assert from_banner("op0-in0: Invalid data found when processing input\n") is None
    for text in ("", "{}", "[]", "null", '{"streams": []}'):
        assert from_ffprobe(text) is None


def test_a_playlist_is_named_as_what_it_is_not() -> None:
    said = "[hls @ 0x1] Format not on whitelist 'mov'\nError opening input: Invalid argument\n"
    assert "playlists and lists of files are not followed" in str(not_media("x.mp4", said))
    assert "moov atom not found" in str(not_media("x.mp4", "[mov @ 0x1] moov atom not found\n"))
