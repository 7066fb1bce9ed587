"""Which files make a model, when all are here, and what identifies a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpujob.errors import JobFailed
from gpujob_worker.image import snapshots

MODEL = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.0",
    "scheduler": ["diffusers", "PNDMScheduler"],
    "image_encoder": [None, None],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "requires_safety_checker": True,
}
UNET = "unet/diffusion_pytorch_model"
NAMES = [
    "model_index.json", "README.md", "v1-5-pruned.safetensors", "v1-5-pruned.ckpt",
    "scheduler/scheduler_config.json", "tokenizer/vocab.json",
    "text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder/pytorch_model.bin",
    "unet/config.json", "unet/backdoor.py",
    f"{UNET}.safetensors", f"{UNET}.fp16.safetensors", f"{UNET}.non_ema.safetensors", f"{UNET}.bin",
]  # fmt: skip


def make(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    (folder / "model_index.json").write_text(json.dumps(MODEL))
    return folder


def test_only_what_is_needed_is_fetched() -> None:
    plain = [
        "model_index.json", "scheduler/scheduler_config.json",
        "text_encoder/config.json", "text_encoder/model.safetensors",
        "unet/config.json", f"{UNET}.safetensors",
    ]  # fmt: skip
    assert snapshots.files_to_fetch(MODEL, NAMES, half=False) == sorted(plain)
    half = [name.replace(f"{UNET}.safe", f"{UNET}.fp16.safe") for name in plain]
    assert snapshots.files_to_fetch(MODEL, NAMES, half=True) == sorted(half)


def test_pickled_weights_are_refused_by_name() -> None:
    names = [name for name in NAMES if not name.startswith(f"{UNET}.") or name.endswith(".bin")]
    with pytest.raises(JobFailed, match="weights of unet are not saved as safetensors") as failure:
        snapshots.files_to_fetch(MODEL, names, half=False)
    assert (failure.value.type, failure.value.retryable) == ("model_not_found", False)


@pytest.mark.parametrize(
    ("gone", "missing"),
    [
        ("README.md", []),
        ("unet/config.json", []),
        (f"{UNET}.safetensors", ["unet"]),
        ("scheduler/scheduler_config.json", ["scheduler"]),
        ("model_index.json", ["model_index.json"]),
    ],
)
def test_what_is_missing(tmp_path: Path, gone: str, missing: list[str]) -> None:
    make(tmp_path, snapshots.files_to_fetch(MODEL, NAMES, half=False))
    (tmp_path / gone).unlink(missing_ok=True)
    assert snapshots.missing_parts(tmp_path) == missing


def test_a_model_in_pieces_is_whole_with_its_last_piece(tmp_path: Path) -> None:
    pieces = [f"{UNET}-0000{number}-of-00002.safetensors" for number in (1, 2)]
    names = [name for name in NAMES if not name.startswith(f"{UNET}.")] + pieces
    chosen = snapshots.files_to_fetch(MODEL, names, half=True)
    assert [name for name in chosen if name.endswith("of-00002.safetensors")] == pieces
    make(tmp_path, chosen)
    assert snapshots.missing_parts(tmp_path) == []
    (tmp_path / pieces[1]).unlink()
    assert snapshots.missing_parts(tmp_path) == ["unet"]


def test_half_precision_is_seen(tmp_path: Path) -> None:
    make(tmp_path, snapshots.files_to_fetch(MODEL, NAMES, half=False))
    assert (snapshots.has_half(tmp_path), snapshots.needs_half(tmp_path)) == (False, False)
    (tmp_path / f"{UNET}.fp16.safetensors").touch()
    assert (snapshots.has_half(tmp_path), snapshots.needs_half(tmp_path)) == (True, False)
    (tmp_path / f"{UNET}.safetensors").unlink()
    assert (snapshots.has_half(tmp_path), snapshots.needs_half(tmp_path)) == (True, True)


def test_a_folder_is_identified_by_what_is_painted_with(tmp_path: Path) -> None:
    make(tmp_path, NAMES)
    first = snapshots.identity(tmp_path)
    (tmp_path / "README.md").write_text("another text")
    assert snapshots.identity(tmp_path) == first and first.startswith("sha256:")
    (tmp_path / f"{UNET}.safetensors").write_text("other weights")
    second = snapshots.identity(tmp_path)
    (tmp_path / "scheduler/scheduler_config.json").write_text('{"beta_end": 1}')
    assert len({first, second, snapshots.identity(tmp_path)}) == 3


def test_bfloat16_is_what_a_part_says(tmp_path: Path) -> None:
    make(tmp_path, NAMES)
    assert not snapshots.wants_bfloat16(tmp_path)
    (tmp_path / "text_encoder/config.json").write_text('{"torch_dtype": "bfloat16"}')
    assert snapshots.wants_bfloat16(tmp_path)
