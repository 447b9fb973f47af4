"""With how many bits the backbone computes: float32, a half-width type, or quantised weights on a GPU."""

from importlib.util import find_spec
from typing import Any

import torch

from kblam_core.errors import InputError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
QUANTIZE = ("4bit", "8bit")


def pick_dtype(name: str, *, device: str) -> torch.dtype:
    """The type of that name; "auto" is bfloat16 on a GPU and float32 elsewhere. Raises InputError."""
    if name == "auto":
        return torch.bfloat16 if device.startswith("cuda") else torch.float32
    if name not in DTYPES:
        raise InputError(f"There is no dtype {name!r}. Choose one of auto, {', '.join(DTYPES)}.")
    return DTYPES[name]


def quantization_config(choice: str, *, device: str, dtype: torch.dtype) -> Any:
    """What transformers' from_pretrained takes to load weights in 4 or 8 bit. Raises InputError where that cannot be done."""
    if choice not in QUANTIZE:
        raise InputError(f"There is no quantisation {choice!r}. Choose one of {', '.join(QUANTIZE)}.")
    if not device.startswith("cuda"):
        raise InputError(
            f"--quantize {choice} needs a CUDA GPU, but the model is to run on '{device}'. "
            "Leave it out; --dtype bfloat16 halves the memory, too."
        )
    if find_spec("bitsandbytes") is None:
        raise InputError(f"--quantize {choice} needs the library bitsandbytes: `pip install bitsandbytes`, or leave it out.")
    from transformers import BitsAndBytesConfig

    if choice == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
