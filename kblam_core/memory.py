"""Memory that a backbone needs against memory that is there, before anything of it is loaded.

The weights are counted on a model without data (torch's "meta" device), built from its configuration: that takes no memory and no
download of weights, and it is right for every family.
"""

from pathlib import Path

import psutil
import torch

from kblam_core.backbones import cache_folder, find_backbone, read_config
from kblam_core.errors import NotEnoughMemoryError, UnsupportedModelError

WORKING = 0.5e9  # bytes for what is not the backbone's weights: encoder, adapter, attention of a prompt
# Bytes for each quantised weight; 4bit keeps a float32 scale for every 64 of them.
QUANTISED = {"8bit": 1.0, "4bit": 0.5 + 4 / 64}


def count_weights(config) -> tuple[int, int]:
    """(all weights, those that quantised loading makes smaller: of linear layers, without the output matrix) of a transformers config.

    Raises UnsupportedModelError when it is none of a causal language model.
    """
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except ValueError as error:
        raise UnsupportedModelError(f"A model of the kind '{config.model_type}' is no causal language model. Choose another.") from error
    output = model.get_output_embeddings()
    linear = sum(module.weight.numel() for module in model.modules() if isinstance(module, torch.nn.Linear) and module is not output)
    return sum(parameter.numel() for parameter in model.parameters()), linear


def needed(name: str, *, dtype: torch.dtype, quantize: str | None = None) -> float:
    """Bytes that loading this backbone takes. Raises UnsupportedModelError for an unknown name, MissingWeightsError without a config."""
    backbone = find_backbone(name)
    if backbone.weights and not (cache_folder() / backbone.name / "complete").exists():
        total, linear = backbone.weights, 0  # nothing is fetched yet, and it is small
    else:
        total, linear = count_weights(read_config(name))
    if quantize is None:
        return total * dtype.itemsize + WORKING
    return (total - linear) * dtype.itemsize + linear * QUANTISED[quantize] + WORKING


def free(device: str) -> float:
    """Bytes that can still be used: of the GPU for "cuda", else of this machine (or of the container, where it has a limit)."""
    if device.startswith("cuda"):
        return float(torch.cuda.mem_get_info(device)[0])
    return min(float(psutil.virtual_memory().available), _container())


def check_memory(name: str, *, dtype: torch.dtype, device: str, quantize: str | None = None) -> None:
    """Raises NotEnoughMemoryError, with what would fit, when the backbone needs more than is free."""
    need = needed(name, dtype=dtype, quantize=quantize)
    # Weights pass through the machine's own memory, except quantised ones, which go to the GPU piece by piece.
    for place in dict.fromkeys([device] if quantize else ["cpu", device]):
        there = free(place)
        if need > there:
            where = "on the GPU" if place.startswith("cuda") else "on this machine"
            how = f"loaded in {quantize}" if quantize else f"in {str(dtype).removeprefix('torch.')}"
            raise NotEnoughMemoryError(
                f"The model '{find_backbone(name).name}' {how} needs about {_gb(need)} GB of memory, and {_gb(there)} GB are free {where}. "
                f"Try {_instead(name, dtype, device, quantize, there)}a smaller model, or --force to load it all the same."
            )


def _instead(name: str, dtype: torch.dtype, device: str, quantize: str | None, there: float) -> str:
    """Ways of loading the same model that fit."""
    ways = []
    if quantize is None and dtype == torch.float32:
        ways.append(("--dtype bfloat16", needed(name, dtype=torch.bfloat16)))
    if quantize != "4bit" and device.startswith("cuda"):
        ways.append(("--quantize 4bit", needed(name, dtype=torch.bfloat16, quantize="4bit")))
    return "".join(f"{way} (about {_gb(need)} GB), " for way, need in ways if need <= there)


def _gb(count: float) -> str:
    gigabytes = count / 1e9
    return f"{gigabytes:.0f}" if gigabytes >= 10 else f"{gigabytes:.1f}"


def _container(folder: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes left of the limit of this container (cgroup v2); infinity without one."""
    try:
        limit, used = int((folder / "memory.max").read_text()), int((folder / "memory.current").read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no cgroup, or its limit is "max"
        return float("inf")
    return float(limit - used + int(stat.get("inactive_file", 0)))  # files kept in memory give way
