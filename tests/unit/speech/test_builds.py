"""Which onnxruntime suits which machine, and in which order pip brings it. No GPU is asked; pip and the proof are fakes."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from gpujob.errors import Configuration
from gpujob_worker import setup_gpu
from gpujob_worker.setup_gpu import set_up, show
from gpujob_worker.speech import builds
from gpujob_worker.speech.builds import CUDA_12, CUDA_13, Build, Facts
from tests.sizing import require_or_skip

HEADER = """
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: {version}     |
|-----------------------------------------+------------------------+----------------------+
"""
SPEECH = {"gpujob": "0.1.0", "kokoro-onnx": "0.6.1", "onnxruntime": "1.31.1"}
AWAY = ("uninstall", "-y", "onnxruntime", "onnxruntime-gpu")


def machine(cuda: tuple[int, int] | None = (12, 4), **installed: str) -> Facts:
    return Facts(True, cuda, SPEECH | {name.replace("_", "-"): version for name, version in installed.items()})


class Pip:
    """Notes what it is asked to do, and fails where it is told to."""

    def __init__(self, fails_at: str = "") -> None:
        self.asked: list[builds.Pip] = []
        self.fails_at = fails_at

    def __call__(self, arguments: builds.Pip) -> int:
        self.asked.append(arguments)
        return int(bool(self.fails_at) and self.fails_at in arguments)


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (HEADER.format(version="12.4 "), (12, 4)),
        (HEADER.format(version="13.0 "), (13, 0)),
        ("| NVIDIA-SMI 600.1  KMD Version: 600.1   CUDA UMD Version: 13.2 |", (13, 2)),
        ("CUDA Version        : 12.8", (12, 8)),
        (HEADER.format(version="N/A  "), None),
        ("Failed to initialize NVML", None),
    ],
)
def test_the_drivers_cuda_is_read_from_nvidia_smi(header: str, version: tuple[int, int] | None) -> None:
    assert builds.driver_cuda(header) == version


@pytest.mark.parametrize(
    ("facts", "build"),
    [
        (machine((12, 0)), CUDA_12),
        (machine((12, 9)), CUDA_12),
        (machine((13, 0)), CUDA_13),
        (machine((14, 1)), CUDA_13),
        (machine((13, 0), nvidia_cudnn_cu12="9.10"), CUDA_12),
        (machine((13, 0), nvidia_cudnn_cu12="9.10", nvidia_cudnn_cu13="9.12"), CUDA_13),
        (machine((12, 8), nvidia_cudnn_cu13="9.12"), CUDA_12),
        (machine((11, 8)), None),
        (machine(None), None),
    ],
)
def test_the_driver_and_the_libraries_decide(facts: Facts, build: Build | None) -> None:
    assert builds.suitable(facts) == build


def test_the_builds_are_those_of_the_two_cudas() -> None:
    assert (CUDA_12.requirement, CUDA_13.requirement) == ("onnxruntime-gpu>=1.20,<1.27", "onnxruntime-gpu>=1.27")
    assert all("cu13" not in name for name in CUDA_12.libraries)
    assert all("cu12" not in name for name in CUDA_13.libraries)


def test_both_builds_go_before_the_right_one_comes_alone() -> None:
    wanted = [AWAY, ("install", "--no-deps", CUDA_12.requirement)]
    assert builds.plan(machine(), CUDA_12) == wanted
    assert builds.plan(machine(onnxruntime_gpu="1.26.0"), CUDA_12) == wanted


def test_what_speech_needs_comes_first_where_it_is_missing() -> None:
    first, *rest = builds.plan(Facts(True, (13, 0), {"gpujob": "0.1.0"}), CUDA_13)
    assert first == ("install", "gpujob[tts]==0.1.0")
    assert rest == [AWAY, ("install", "--no-deps", CUDA_13.requirement)]


def test_it_is_done_in_order_and_proven(capsys: pytest.CaptureFixture[str]) -> None:
    pip, answers = Pip(), iter(["cuda"])
    set_up(machine(), run_pip=pip, prove=lambda: next(answers))
    assert pip.asked == builds.plan(machine(), CUDA_12)
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        "pip uninstall -y onnxruntime onnxruntime-gpu",
        "pip install --no-deps 'onnxruntime-gpu>=1.20,<1.27'",
    ]
    assert "on the GPU" in printed[-1]


def test_libraries_come_only_where_cuda_does_not_start() -> None:
    pip, answers = Pip(), iter(["cpu", "cpu", "cuda"])
    set_up(machine((13, 1), onnxruntime_gpu="1.26.0"), run_pip=pip, prove=lambda: next(answers))
    assert pip.asked[-1] == ("install", *CUDA_13.libraries)


def test_what_runs_on_cuda_already_is_left_alone() -> None:
    pip = Pip()
    set_up(machine(onnxruntime_gpu="1.26.0"), run_pip=pip, prove=lambda: "cuda")
    assert pip.asked == []


@pytest.mark.parametrize(
    ("code", "device"),
    [
        ("print('Failed to load libcudnn.so.9'); print('cuda')", "cuda"),
        ("print('cpu')", "cpu"),
        ("print('cuda'); raise SystemExit(1)", ""),
        ("pass", ""),
    ],
)
def test_the_proof_is_the_last_line_of_a_process_that_ended_well(
    code: str, device: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup_gpu, "PROOF", code)
    assert setup_gpu._prove() == device
    assert ("libcudnn" in capsys.readouterr().err) is ("libcudnn" in code)


def test_the_proof_runs_where_onnxruntime_is() -> None:
    require_or_skip("kokoro", "pip install 'gpujob[tts]'", there=bool(find_spec("onnxruntime")))
    assert setup_gpu._prove() in ("cpu", "cuda")


def test_a_session_on_the_cpu_is_no_success() -> None:
    with pytest.raises(Configuration, match="still runs on the CPU"):
        set_up(machine(), run_pip=Pip(), prove=lambda: "cpu")


def test_a_pip_that_fails_ends_it() -> None:
    pip = Pip(fails_at="--no-deps")
    with pytest.raises(Configuration, match=r"--no-deps .* failed"):
        set_up(machine(), run_pip=pip, prove=lambda: "cpu")
    assert len(pip.asked) == 2


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (Facts(False, None, SPEECH), "no NVIDIA GPU"),
        (machine((11, 8)), "CUDA 11.8 at most"),
        (machine(None), "does not say which CUDA"),
    ],
)
def test_where_it_cannot_help_it_changes_nothing(facts: Facts, said: str) -> None:
    pip = Pip()
    with pytest.raises(Configuration, match=f"{said}.*nothing was changed"):
        set_up(facts, run_pip=pip, prove=lambda: "cuda")
    assert pip.asked == []
    with pytest.raises(Configuration, match=said):
        show(facts)


def test_a_dry_run_prints_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    show(machine())
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in printed if line.startswith("pip")] == [
        ["pip", "uninstall"],
        ["pip", "install"],
        ["pip", "install"],
    ]
