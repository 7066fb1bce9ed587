"""A Stable Diffusion of 0.7 MB with random weights: everything that a real one has, but for having learnt anything.

No text-to-image weights come in a package of a registry, so the tests make their own. Its pictures mean nothing, yet
prompt, size, seed and all else change them as they change those of a model that was trained.
Invariant: the same versions make the same bytes.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from tests.sizing import require_or_skip

HOW = "make test SIZE=full, or: .venv/bin/pip install '.[image]' (2.8 GB)"
LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "PIL")
START, END = "<|startoftext|>", "<|endoftext|>"
SIDE = 64  # pixels: eight latent ones, each of which four blocks of the VAE make 8


def need_diffusers() -> None:
    """Skips, or fails where they are required, without the libraries of images."""
    require_or_skip("diffusers", HOW, there=all(importlib.util.find_spec(name) for name in LIBRARIES))


def make(folder: Path) -> Path:
    """Writes the model into `folder`, as `save_pretrained` lays it out, and returns it."""
    torch, diffusers = importlib.import_module("torch"), importlib.import_module("diffusers")
    torch.manual_seed(0)
    pipeline = diffusers.StableDiffusionPipeline(
        vae=_vae(diffusers),
        text_encoder=_text_encoder(),
        tokenizer=_tokenizer(folder),
        unet=_unet(diffusers),
        scheduler=diffusers.PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            skip_prk_steps=True,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _tokenizer(folder: Path) -> Any:
    """Reads letter by letter: the alphabet of bytes, each also as the end of a word, and no merges."""
    letters = [chr(number) for number in (*range(33, 127), *range(161, 173), *range(174, 256))]
    letters += [chr(256 + number) for number in range(256 - len(letters))]  # stand for the bytes that cannot be shown
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), START, END]
    words = folder / "words"
    words.mkdir(parents=True)
    (words / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(vocabulary)}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    transformers = importlib.import_module("transformers")
    return transformers.CLIPTokenizer.from_pretrained(words, model_max_length=77)


def _text_encoder() -> Any:
    transformers = importlib.import_module("transformers")
    config = transformers.CLIPTextConfig(
        vocab_size=514,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    return transformers.CLIPTextModel(config).eval()


def _unet(diffusers: Any) -> Any:
    return diffusers.UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
    )


def _vae(diffusers: Any) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIDE,
    )
