"""Checkpoints of microsoft/KBLaM, read into an adapter of ours that computes the same in paper mode.

A checkpoint holds encoder.pt (projector_k, projector_v: linear maps E -> slots x hidden, with one slot more than the layers need where
the frequency divides their number), a query head q_proj_new for the layers whose index is a multiple of the frequency, in the saved
language model or in a file of its own, and, mostly, a kb_config JSON. The language model itself is the public one and is not copied.
"""

import json
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.backbones import find_backbone, read_config
from kblam_core.errors import InputError

FREQUENCY = 3
ENCODERS = {384: "all-MiniLM-L6-v2", 1536: "text-embedding-ada-002", 3072: "text-embedding-3-large"}  # by width, as trained there
PROMPTS = {  # what the official code shows the model, by model type
    "llama": "<|begin_of_text|><|start_header_id|>user<|end_header_id|> {question}<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
    "phi3": "<|user|>\n{question}<|end|>\n<|assistant|>\n",
}
_QUERY_HEAD = re.compile(r"layers\.(\d+)\.self_attn\.q_proj_new\.(weight|bias)$")


@dataclass(frozen=True)
class Official:
    """The parts of a checkpoint: key and value maps as (weight, bias), query heads by layer, settings of the kb_config."""

    key_map: tuple[Tensor, Tensor]
    value_map: tuple[Tensor, Tensor]
    query_heads: dict[int, Tensor]
    settings: dict
    notes: list[str]


def import_official(
    checkpoint: Path,
    out: Path,
    *,
    backbone: str,
    encoder: str | None = None,
    query_heads: Path | None = None,
    frequency: int | None = None,
    scale: float | None = None,
) -> tuple[KblamAdapter, list[str]]:
    """Write the adapter of a checkpoint to `out`; returns it with remarks a person should read.

    frequency, scale: kb_layer_frequency and kb_scale_factor where the checkpoint holds no kb_config, or holds others than are wanted.
    Raises InputError when something is missing or does not fit the backbone, and MissingWeightsError without the backbone's config.
    """
    model = read_config(backbone)
    official = read_official(checkpoint, query_heads)
    settings, notes = official.settings, list(official.notes)
    if settings.get("sep_query_head") is False:
        raise InputError(
            "This checkpoint has no separate query head (sep_query_head is false): its knowledge is read with the rotated queries of "
            "the model itself, which an adapter cannot hold. Take a checkpoint that was trained with --sep_query_head."
        )
    every = frequency or settings.get("kb_layer_frequency") or FREQUENCY
    length = scale if scale is not None else settings.get("kb_scale_factor")
    if settings.get("dynamic_sparsify"):
        notes.append(f"It was set to read the {settings.get('top_k_kb', 100)} strongest facts in each layer; here all facts are read.")
    hidden, heads = model.hidden_size, model.num_attention_heads
    head_width = getattr(model, "head_dim", None) or hidden // heads
    layers, slots = tuple(range(0, model.num_hidden_layers, every)), 1 + model.num_hidden_layers // every
    width = official.key_map[0].shape[1]
    adapter = KblamAdapter(
        AdapterConfig(
            backbone=find_backbone(backbone).name,
            encoder=encoder or _encoder_of(width),
            encoder_width=width,
            hidden=hidden,
            heads=heads,
            head_width=head_width,
            layers=layers,
            card={"imported": "microsoft/KBLaM", "checkpoint": checkpoint.name, "kb_config": settings},
            key_norm="all",
            slots=slots,
            length_scale=float(length) if length is not None else None,
            paper_only=True,
            prompt=PROMPTS.get(model.model_type),
        )
    )
    state = {
        "key_map.weight": official.key_map[0],
        "key_map.bias": official.key_map[1],
        "value_map.weight": official.value_map[0],
        "value_map.bias": official.value_map[1],
    }
    for slot, layer in enumerate(layers):
        if layer not in official.query_heads:
            held = ", ".join(map(str, sorted(official.query_heads)))
            raise InputError(f"The checkpoint holds no query head for layer {layer} (it has layers {held}). Is the frequency {every}?")
        state[f"query_heads.{slot}.weight"] = official.query_heads[layer]
    own = adapter.state_dict()
    for name, tensor in state.items():
        if tensor.shape != own[name].shape:
            raise InputError(
                f"The checkpoint does not fit '{backbone}' with a KB layer every {every}: its {name} is "
                f"{_shape(tensor)}, expected {_shape(own[name])}. Check --backbone and --frequency."
            )
    adapter.load_state_dict(own | {name: tensor.float() for name, tensor in state.items()})
    # In float32, as it was: rounding would be felt in the fourth digit of the logits.
    adapter.eval().requires_grad_(False).save(out, half=False)
    return adapter, notes


def read_official(checkpoint: Path, query_heads: Path | None = None) -> Official:
    """Find and read the parts. `checkpoint`: the saved model's folder NAME (encoder.pt may lie in NAME_encoder beside it), the
    NAME_encoder folder, or one folder that holds all. Raises InputError."""
    if not checkpoint.is_dir():
        raise InputError(f"There is no folder {checkpoint}. Give the folder of a microsoft/KBLaM checkpoint.")
    folders = [checkpoint, checkpoint.with_name(checkpoint.name + "_encoder"), checkpoint / "encoder"]
    if checkpoint.name.endswith("_encoder"):
        folders.append(checkpoint.with_name(checkpoint.name.removesuffix("_encoder")))
    folders = [folder for folder in folders if folder.is_dir()]
    file = next((folder / "encoder.pt" for folder in folders if (folder / "encoder.pt").is_file()), None)
    if file is None:
        raise InputError(f"There is no encoder.pt in {checkpoint} or in {checkpoint.name}_encoder beside it.")
    state = _load(file)
    maps = []
    for name in ("projector_k", "projector_v"):
        if f"{name}.weight" not in state:
            kind = "an MLP" if any(key.startswith(f"{name}.0.") for key in state) else "missing"
            raise InputError(f"The {name} in {file.name} is {kind}; only linear projectors can be imported.")
        weight = state[f"{name}.weight"]
        maps.append((weight, state.get(f"{name}.bias", torch.zeros(len(weight)))))
    heads = _separate_heads(query_heads) if query_heads else _heads_in(folders)
    if not heads:
        raise InputError(
            f"No query heads (q_proj_new) were found in {checkpoint}. If they are in a file of their own, give it as --query-heads FILE."
        )
    settings, notes = _settings(folders)
    return Official(*maps, heads, settings, notes)


def _heads_in(folders: list[Path]) -> dict[int, Tensor]:
    found: dict[int, Tensor] = {}
    for folder in folders:
        for name, tensor in _model_tensors(folder):
            match = _QUERY_HEAD.search(name)
            if match and match[2] == "bias" and tensor.any():
                raise InputError("The query heads of this checkpoint have a bias, which an adapter cannot hold.")
            if match and match[2] == "weight":
                found[int(match[1])] = tensor
    separate = [file for folder in folders for file in sorted(folder.glob("*query_head*.p*t*"))]
    return found or (_separate_heads(separate[0]) if separate else {})


def _model_tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Query heads of a saved model; of other tensors nothing is read where the format allows it."""
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118
                    if _QUERY_HEAD.search(name):
                        yield name, tensors.get_tensor(name)
        except SafetensorError as error:
            raise InputError(f"{file.name} could not be read: {error}") from error
    for file in sorted(folder.glob("pytorch_model*.bin")):
        yield from _load(file).items()


def _separate_heads(file: Path) -> dict[int, Tensor]:
    """{"layer_0": {"weight": ...}, ...}"""
    state = _load(file)
    numbered = {re.fullmatch(r"layer_(\d+)", name): part for name, part in state.items()}
    if None in numbered or not all(isinstance(part, dict) and "weight" in part for part in numbered.values()):
        raise InputError(f"{file.name} is no query-head file: it should hold a state dict with `weight` for each layer_N.")
    return {int(match[1]): part["weight"] for match, part in numbered.items()}


def _settings(folders: list[Path]) -> tuple[dict, list[str]]:
    """The kb_config, which is a file of that name or part of the saved model's config.json."""
    files = [file for folder in folders for file in (*sorted(folder.glob("kb_config*.json")), folder / "config.json")]
    for file in files:
        if not file.is_file():
            continue
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{file.name} is not JSON: {error}") from error
        if isinstance(settings, dict) and "kb_layer_frequency" in settings:
            names = ("kb_layer_frequency", "kb_scale_factor", "sep_query_head", "top_k_kb", "dynamic_sparsify")
            return {name: settings[name] for name in names if name in settings}, []
    note = f"It holds no kb_config: a KB layer every {FREQUENCY} layers and no kb_scale_factor are taken (--frequency, --scale)."
    return {}, [note]


def _load(file: Path) -> dict:
    """A state dict, without running any code that the file may hold."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise InputError(f"There is no file {file}.") from None
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{file.name} could not be read as a file of tensors: {str(error).splitlines()[0][:200]}") from error
    if not isinstance(state, dict):
        raise InputError(f"{file.name} holds {type(state).__name__}, not a state dict.")
    return state


def _encoder_of(width: int) -> str:
    if width not in ENCODERS:
        raise InputError(f"Which sentence encoder is {width} wide? Name the one this checkpoint was trained with: --encoder NAME.")
    return ENCODERS[width]


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape))
