"""The real ffmpeg does every operation, and what comes out is decoded again."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpujob import JobStore, MemoryBucket
from gpujob.errors import JobCancelled, JobFailed
from gpujob.specs import parse_object
from gpujob_worker import Limits, Worker
from gpujob_worker.executors.encode import EncodeExecutor
from tests.acceptance.clips import RATE, clip, ffmpeg, frames, need_ffmpeg, samples, tags, working_below
from tests.fake_job import FakeJob

SUBTITLES = "1\n00:00:00,500 --> 00:00:01,500\nHello, <i>it's</i> me: [a];{b}\n"


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of inputs: two clips of different kinds, a song, a picture, subtitles."""
    need_ffmpeg()
    folder = tmp_path_factory.mktemp("material")
    clip(folder / "a.mp4")
    clip(folder / "b.webm", size="98x130", fps=12, seconds=1, sound=False)
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=300:duration=3", "-af", "volume=0.05", folder / "song.mp3")
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=161x121:duration=1", "-frames:v", 1, folder / "p.png")
    (folder / "s.srt").write_text(SUBTITLES)
    return folder


class Job(FakeJob):
    """A job of operations on a folder's files. `cancel_at` is the progress at which it is cancelled."""

    cancel_at: float | None = None

    def __init__(self, folder: Path, files: Mapping[str, Path], operations: list[dict[str, Any]]) -> None:
        listed = [{"name": name, "source": name} for name in files]
        spec = parse_object(
            {"kind": "video.encode", "input": {"operations": operations}, "files": listed}, source="<test>"
        )
        super().__init__(folder, spec.canonical()["input"])
        self.kind = "video.encode"
        self.files = dict(files)
        self.cancelled_s: float | None = None

    def check(self) -> None:
        if self.cancel_at is not None and self.reports and self.reports[-1][0] > self.cancel_at:
            self.cancelled_s = self.cancelled_s or time.monotonic()
            raise JobCancelled("the test cancelled the job")


def run(tmp_path: Path, material: Path, *operations: dict[str, Any]) -> tuple[Job, dict[str, Any], Path]:
    """The job, the record of the last file, and that file."""
    files = {path.name: path for path in material.iterdir() if path.is_file()}
    job = Job(tmp_path, files, list(operations))
    outcome = EncodeExecutor().run(job)
    record = outcome.output["files"][-1]
    path = tmp_path / f"result{Path(record['file']).suffix}"
    path.write_bytes(job.artifacts[record["file"]])
    assert record["bytes"] == path.stat().st_size
    assert job.reports[-1][:2] == (len(operations), len(operations))
    assert outcome.engine is not None and outcome.engine.name == "ffmpeg" and outcome.engine.version
    return job, record, path


CODECS = ("video_codec", "audio_codec", "encoder")


@pytest.mark.parametrize(
    ("output", "wishes", "codecs"),
    [
        ("o.mp4", {"crf": 30, "preset": "ultrafast", "video_codec": "libx264"}, ("h264", "aac", "libx264")),
        ("o.mkv", {"video_codec": "libx265", "preset": "ultrafast", "audio_codec": "flac"}, ("hevc", "flac", "libx265")),
        ("o.webm", {"preset": "ultrafast"}, ("vp9", "opus", "libvpx-vp9")),
        ("o.mov", {"video_codec": "copy", "audio_codec": "pcm_s16le"}, ("h264", "pcm_s16le", "copy")),
        ("o.mp4", {"video_codec": "libsvtav1", "preset": "ultrafast", "audio_codec": "copy"}, ("av1", "aac", "libsvtav1")),
    ],
)  # fmt: skip
def test_transcode(
    tmp_path: Path, material: Path, output: str, wishes: dict[str, Any], codecs: tuple[str, ...]
) -> None:
    _, record, path = run(tmp_path, material, {"type": "transcode", "input": "a.mp4", "output": output, **wishes})
    assert tuple(record[name] for name in CODECS) == codecs
    assert (record["width"], record["height"], record["fps"]) == (160, 120, 10.0)
    assert record["duration"] == pytest.approx(2.0, abs=0.1)
    assert len(frames(path, 160, 120)) == 20
    assert len(samples(path)) == pytest.approx(2 * RATE, abs=0.1 * RATE)


@pytest.mark.parametrize(
    ("ending", "codec"),
    [("mp3", "mp3"), ("m4a", "aac"), ("opus", "opus"), ("ogg", "opus"), ("flac", "flac"), ("wav", "pcm_s16le")],
)
def test_the_sound_alone(tmp_path: Path, material: Path, ending: str, codec: str) -> None:
    operation = {"type": "transcode", "input": "a.mp4", "output": f"o.{ending}", "audio_bitrate": "64k"}
    _, record, path = run(tmp_path, material, operation)
    assert record["audio_codec"] == codec and "video_codec" not in record
    assert len(samples(path)) == pytest.approx(2 * RATE, abs=0.1 * RATE)


def test_auto_is_an_encoder_that_works_here_and_the_tags_name_it(tmp_path: Path, material: Path) -> None:
    executor = EncodeExecutor()
    job, record, path = run(tmp_path, material, {"type": "transcode", "input": "a.mp4", "output": "my film.mp4"})
    assert record["encoder"] == ("h264_nvenc" if executor.device().name == "nvenc" else "libx264")
    assert tags(path)["title"] == "my film"
    assert "gpujob" in tags(path)["comment"] and job.id in tags(path)["comment"]
    assert record["encoder"] in tags(path)["comment"]
    assert job.media_types == {"my film.mp4": "video/mp4"}


def test_concat_joins_different_sizes_codecs_and_a_silent_one(tmp_path: Path, material: Path) -> None:
    inputs = ["a.mp4", "b.webm", "a.mp4", "b.webm"]
    _, record, path = run(tmp_path, material, {"type": "concat", "inputs": inputs, "output": "all/o.mp4"})
    assert record["duration"] == pytest.approx(6.0, abs=0.15)
    assert len(frames(path, 160, 120)) == pytest.approx(60, abs=2)
    sound = np.abs(samples(path).astype(float))
    seconds = [sound[int(at * RATE) : int((at + 0.6) * RATE)].mean() for at in (0.2, 2.2, 3.2, 5.2)]
    assert seconds[0] > 500 and seconds[2] > 500
    assert seconds[1] < 5 and seconds[3] < 5
    beside = frames(path, 160, 120)[25][:, :20]  # bars left of the upright picture
    assert beside.mean() < 20


def test_mux_audio_puts_another_sound_under_the_picture(tmp_path: Path, material: Path) -> None:
    operation = {"type": "mux_audio", "input": "a.mp4", "audio": "song.mp3", "output": "o.mp4", "video_codec": "copy"}
    _, record, path = run(tmp_path, material, operation)
    assert (record["encoder"], record["audio_codec"]) == ("copy", "aac")
    assert len(frames(path, 160, 120)) == 20
    sound = samples(path)
    assert len(sound) == pytest.approx(2 * RATE, abs=0.1 * RATE)
    assert pitch(sound) == pytest.approx(300, abs=5)


def test_mux_audio_shows_a_still_as_long_as_the_sound_lasts(tmp_path: Path, material: Path) -> None:
    _, record, path = run(
        tmp_path, material, {"type": "mux_audio", "input": "p.png", "audio": "song.mp3", "output": "o.mp4"}
    )
    assert record["duration"] == pytest.approx(3.0, abs=0.1)
    assert len(frames(path, 160, 120)) == pytest.approx(75, abs=2)


def test_mux_audio_of_a_still_ends_with_a_sound_of_unknown_length(tmp_path: Path, material: Path) -> None:
    """As a browser records it, with no length in its header. It never ended, and filled the disk."""
    recorded = material / "recorded.webm"
    ffmpeg("-i", material / "song.mp3", "-t", 1, "-f", "webm", "-live", 1, recorded)
    operation = {"type": "mux_audio", "input": "p.png", "audio": "recorded.webm", "output": "o.mp4"}
    _, record, path = run(tmp_path, material, operation)
    assert record["duration"] == pytest.approx(1.0, abs=0.2)
    assert len(samples(path)) == pytest.approx(RATE, abs=0.2 * RATE)


def test_subtitles_are_in_the_picture_while_they_last(tmp_path: Path, material: Path) -> None:
    operation = {"type": "burn_subtitles", "input": "a.mp4", "subtitles": "s.srt", "output": "o.mp4", "crf": 10}
    _, _, path = run(tmp_path, material, operation)
    before, after = frames(material / "a.mp4", 160, 120).astype(int), frames(path, 160, 120).astype(int)
    changed = np.abs(before - after)[:, 90:, :].mean(axis=(1, 2))
    assert changed[6:14].min() > 4 * max(changed[:4].max(), changed[16:].max())


def test_a_worker_without_fonts_says_so(tmp_path: Path, material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "fonts.conf"
    config.write_text(f"<fontconfig><dir>{tmp_path / 'none'}</dir><cachedir>{tmp_path}</cachedir></fontconfig>")
    monkeypatch.setenv("FONTCONFIG_FILE", str(config))
    files = {name: material / name for name in ("a.mp4", "s.srt")}
    operation = {"type": "burn_subtitles", "input": "a.mp4", "subtitles": "s.srt", "output": "o.mp4"}
    warnings = EncodeExecutor().run(Job(tmp_path, files, [operation])).warnings
    assert any("no font for the subtitles" in warning for warning in warnings)


def test_scale_and_trim(tmp_path: Path, material: Path) -> None:
    _, record, path = run(
        tmp_path,
        material,
        {"type": "scale", "input": "a.mp4", "width": 81, "output": "small.mp4"},
        {"type": "trim", "input": "small.mp4", "start": 0.5, "end": 1.5, "output": "o.mp4", "fps": 20},
    )
    assert (record["width"], record["height"], record["fps"]) == (80, 60, 20.0)
    assert len(frames(path, 80, 60)) == 20
    assert record["duration"] == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(("output", "codec"), [("o.png", "png"), ("o.jpg", "mjpeg"), ("sub/o.webp", "webp")])
def test_thumbnail(tmp_path: Path, material: Path, output: str, codec: str) -> None:
    operation = {"type": "thumbnail", "input": "a.mp4", "at": 1, "output": output, "width": 80}
    _, record, path = run(tmp_path, material, operation)
    assert (record["video_codec"], record["width"], record["height"]) == (codec, 80, 60)
    assert "duration" not in record
    assert len(frames(path, 80, 60)) == 1


def test_loudnorm_reaches_its_aim(tmp_path: Path, material: Path) -> None:
    operation = {"type": "loudnorm", "input": "song.mp3", "output": "o.wav", "integrated": -16}
    _, record, path = run(tmp_path, material, operation)
    assert record["sample_rate"] == 44_100
    assert loudness(material / "song.mp3") < -35
    assert loudness(path) == pytest.approx(-16, abs=1)


def test_silence_keeps_its_loudness_with_a_warning(tmp_path: Path, material: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono", "-t", 1, tmp_path / "quiet.wav")
    job = Job(
        tmp_path,
        {"quiet.wav": tmp_path / "quiet.wav"},
        [{"type": "loudnorm", "input": "quiet.wav", "output": "o.wav"}],
    )
    assert "too quiet" in EncodeExecutor().run(job).warnings[0]


def test_gif(tmp_path: Path, material: Path) -> None:
    operation = {"type": "gif", "input": "a.mp4", "start": 0.5, "end": 1.5, "fps": 10, "width": 80, "output": "o.gif"}
    _, record, path = run(tmp_path, material, operation)
    assert (record["video_codec"], record["width"], record["height"]) == ("gif", 80, 60)
    assert len(frames(path, 80, 60)) == 10


def test_names_that_mean_something_elsewhere_are_only_names(tmp_path: Path, material: Path) -> None:
    film, text = "sub dir/-i 'x' [a];%03d,b=c.mp4", "it's,[x];%d=y|z.srt"
    files = {film: material / "a.mp4", text: material / "s.srt"}
    operations = [
        {"type": "burn_subtitles", "input": film, "subtitles": text, "output": "-y [0,v],'out'.mp4"},
        {"type": "concat", "inputs": [film, "-y [0,v],'out'.mp4"], "output": "%d.mkv"},
        {"type": "thumbnail", "input": "%d.mkv", "output": "frame-%03d.png"},
    ]
    job = Job(tmp_path, files, operations)
    EncodeExecutor().run(job)
    assert list(job.artifacts) == ["-y [0,v],'out'.mp4", "%d.mkv", "frame-%03d.png"]


@pytest.fixture
def server() -> Any:
    """A web server on this machine; `asked` holds the paths that it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield web
    web.shutdown()
    web.server_close()


def playlist(target: str) -> str:
    return f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"


def test_no_file_leads_to_another(tmp_path: Path, material: Path, server: Any) -> None:
    """The baits are taken by an ffmpeg without our limits, so that the test can fail."""
    secret = tmp_path / "secret.ts"
    ffmpeg("-i", material / "a.mp4", "-c", "copy", secret)
    web = f"http://127.0.0.1:{server.server_port}"
    baits = {
        "list.mp4": "ffconcat version 1.0\nfile secret.ts\n",
        "list.m3u8": playlist("secret.ts"),
        "web.m3u8": playlist(f"{web}/x.ts"),
        "web.mp4": f"ffconcat version 1.0\nfile {web}/y.ts\n",
        "passwd.mp4": f"ffconcat version 1.0\nfile {Path('/etc/passwd')}\n",
        "page.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    }
    for name, text in baits.items():
        (tmp_path / name).write_text(text)
    for name in ("list.mp4", "list.m3u8"):
        assert ffmpeg("-i", name, "-f", "framecrc", "-", folder=tmp_path)
    for name in baits:
        for operation in (
            {"type": "transcode", "input": name, "output": "o.mkv"},
            {"type": "burn_subtitles", "input": "a.mp4", "subtitles": name, "output": "o.mkv"},
        ):
            job = Job(tmp_path, {name: tmp_path / name, "a.mp4": material / "a.mp4"}, [operation])
            with pytest.raises(JobFailed) as failure:
                EncodeExecutor().run(job)
            assert (failure.value.type, failure.value.retryable) == ("invalid_input", False)
            assert job.artifacts == {}
    assert server.asked == []


def test_a_file_that_is_none_is_named(tmp_path: Path, material: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes((material / "a.mp4").read_bytes()[:5000])
    (tmp_path / "empty.mp4").touch()
    for name, said in (("cut.mp4", "moov atom not found"), ("empty.mp4", "can be read")):
        job = Job(tmp_path, {name: tmp_path / name}, [{"type": "transcode", "input": name, "output": "o.mp4"}])
        with pytest.raises(JobFailed, match=rf"{name}: .*{said}") as failure:
            EncodeExecutor().run(job)
        assert failure.value.type == "invalid_input"


def test_all_operations_are_looked_at_before_the_first_begins(tmp_path: Path, material: Path) -> None:
    operations = [
        {"type": "transcode", "input": "a.mp4", "output": "o.mp4"},
        {"type": "transcode", "input": "a.mp4", "output": "o.webm", "video_codec": "libx264"},
    ]
    job = Job(tmp_path, {"a.mp4": material / "a.mp4"}, operations)
    with pytest.raises(JobFailed, match=r"operations\[1\].video_codec: libx264 does not go into o.webm"):
        EncodeExecutor().run(job)
    assert job.artifacts == {}


def test_a_gpu_encoder_that_fails_gives_way_to_the_cpu(
    tmp_path: Path, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if EncodeExecutor().device().name == "nvenc":
        pytest.skip("this GPU's encoder works")
    monkeypatch.setattr("gpujob_worker.video.nvenc.works", lambda program: True)
    job = Job(tmp_path, {"a.mp4": material / "a.mp4"}, [{"type": "transcode", "input": "a.mp4", "output": "o.mp4"}])
    outcome = EncodeExecutor().run(job)
    assert outcome.output["files"][0]["encoder"] == "libx264"
    assert "so the CPU encodes" in outcome.warnings[0]


@pytest.mark.timeout(120)
def test_a_cancel_stops_ffmpeg_within_two_seconds(tmp_path: Path) -> None:
    clip(tmp_path / "long.mp4", size="64x48", seconds=60, sound=False)
    operation = {
        "type": "transcode",
        "input": "long.mp4",
        "output": "o.mp4",
        "width": 1920,
        "fps": 60,
        "preset": "slow",
    }
    job = Job(tmp_path, {"long.mp4": tmp_path / "long.mp4"}, [operation])
    job.cancel_at = 0.0
    with pytest.raises(JobCancelled):
        EncodeExecutor().run(job)
    ended_s = time.monotonic()
    assert job.cancelled_s is not None and ended_s - job.cancelled_s < 2.0
    assert working_below(tmp_path) == []
    assert 0 < job.reports[-1][0] < 1 and job.reports[-1][2] == "step 1/1: transcode"


def test_through_the_whole_queue(tmp_path: Path, material: Path) -> None:
    store = JobStore(MemoryBucket())
    spec = {
        "kind": "video.encode",
        "input": {
            "operations": [
                {"type": "trim", "input": "in.mp4", "end": "1s", "output": "cut.mp4"},
                {"type": "thumbnail", "input": "cut.mp4", "output": "poster.png"},
            ]
        },
        "files": [{"name": "in.mp4", "source": "a.mp4"}],
    }
    job_id = store.submit(spec, base_dir=material).id
    assert Worker(store, [EncodeExecutor()], worker_id="w", limits=Limits(once=True)).run().jobs == 1
    result = store.wait(job_id, timeout_s=30)
    assert (result.state, result.error) == ("succeeded", None)
    assert [one["file"] for one in result.output["files"]] == ["cut.mp4", "poster.png"]
    store.download(result, tmp_path / "out")
    assert len(frames(tmp_path / "out" / "cut.mp4", 160, 120)) == 10
    assert len(frames(tmp_path / "out" / "poster.png", 160, 120)) == 1


def pitch(sound: Any) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(sound.astype(float)))
    return float(np.argmax(spectrum) * RATE / len(sound))


def loudness(path: Path) -> float:
    """RMS of the sound in dB, moved so that a tone's figure is its loudness in LUFS at 300 Hz (BS.1770: about -0.7)."""
    sound = samples(path).astype(float)[RATE // 2 : -RATE // 2] / 32768
    return float(20 * np.log10(np.sqrt(np.mean(sound**2)))) - 0.7
