"""Attach a KB branch to a frozen causal language model through hooks; no model is forked.

A forward pre-hook on each self-attention replaces the knowledge of all layers, which travels as a keyword of the model's forward, by
that layer's slice and its own query. Layers without a KB branch drop it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from kblam_core.adapter import KblamAdapter
from kblam_core.attention import ATTENTION_NAME, Knowledge, register
from kblam_core.errors import UnsupportedModelError


def attention_modules(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The self-attention of each decoder layer, in order. Raises UnsupportedModelError for other architectures."""
    layers = getattr(getattr(model, "model", model), "layers", None)
    modules = [getattr(layer, "self_attn", None) for layer in layers] if layers is not None else []
    if not modules or any(module is None for module in modules):
        raise UnsupportedModelError(
            f"{type(model).__name__} keeps its layers elsewhere than model.layers[i].self_attn; "
            "KBLaM needs a decoder that goes through transformers' attention interface."
        )
    if any(hasattr(module, "kv_lora_rank") or hasattr(module, "kv_a_proj_with_mqa") for module in modules):
        raise UnsupportedModelError(
            f"{type(model).__name__} has multi-head latent attention (MLA): its keys are wider than its values and partly shared by all "
            "heads, so that knowledge tokens of one head width cannot stand beside them. Choose a backbone without MLA."
        )
    return modules


def query_weight(attention: torch.nn.Module, width: int) -> Tensor:
    """The layer's own query weights (H*D, hidden): q_proj, or the first rows of a fused qkv_proj (Phi-3)."""
    projection = getattr(attention, "q_proj", None) or getattr(attention, "qkv_proj", None)
    if projection is None:
        raise UnsupportedModelError(f"{type(attention).__name__} has neither q_proj nor qkv_proj to start the query heads from.")
    return projection.weight[:width]


def output_logits(model: torch.nn.Module, hidden: Tensor) -> Tensor:
    """Logits (N, vocabulary) of final hidden states (N, hidden), with what a family does to its logits (scaling, soft cap).

    Flat on purpose: a sliced (B, T, hidden) would make torch copy the output matrix once per row of the batch.
    """
    logits = model.get_output_embeddings()(hidden)
    logits = logits / getattr(model.config, "logits_scaling", 1.0)  # Granite
    scale = getattr(model.config, "logit_scale", None)  # Cohere
    logits = logits if scale is None else logits * scale
    cap = getattr(model.config, "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if cap else logits


def attach(model: torch.nn.Module, adapter: KblamAdapter) -> None:
    """Let `model` read knowledge through `adapter`. Afterwards `model(..., knowledge=Knowledge | None)` works, and so does generate().

    The adapter is kept outside the model: its parameters are not among model.parameters(). Attaching twice raises
    UnsupportedModelError, because two hooks would each add a query.
    """
    if getattr(model, "_kblam_handles", None):
        raise UnsupportedModelError("A KB branch is already attached to this model; detach it first.")
    modules = attention_modules(model)
    last = adapter.config.layers[-1]
    if last >= len(modules):
        raise UnsupportedModelError(f"The adapter has a KB branch in layer {last}, but the model has {len(modules)} layers.")
    register()
    model.set_attn_implementation(ATTENTION_NAME)
    slots = {layer: slot for slot, layer in enumerate(adapter.config.layers)}
    model._kblam_handles = [
        module.register_forward_pre_hook(_hook(adapter, slots.get(index)), with_kwargs=True) for index, module in enumerate(modules)
    ]
    _let_generate_pass_knowledge(model)


def detach(model: torch.nn.Module) -> None:
    """Undo attach()."""
    for handle in getattr(model, "_kblam_handles", []):
        handle.remove()
    model._kblam_handles = []
    model.set_attn_implementation("eager")
    model.__dict__.pop("prepare_inputs_for_generation", None)


def _hook(adapter: KblamAdapter, slot: int | None):
    def give_layer_knowledge(_: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        knowledge: Knowledge | None = kwargs.pop("knowledge", None)
        if knowledge is not None and slot is not None:
            hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            kwargs["knowledge"] = adapter.layer_knowledge(slot, hidden, knowledge)
        return args, kwargs

    return give_layer_knowledge


def _let_generate_pass_knowledge(model: torch.nn.Module) -> None:
    # generate() refuses keywords that prepare_inputs_for_generation does not name.
    prepare = model.prepare_inputs_for_generation

    def prepare_inputs_for_generation(*args, knowledge: Knowledge | None = None, **kwargs) -> dict:
        return prepare(*args, **kwargs) | {"knowledge": knowledge}

    model.prepare_inputs_for_generation = prepare_inputs_for_generation


def kb_layers(num_layers: int, *, every: int = 3, first: int | None = None) -> Sequence[int]:
    """Which layers get a KB branch: every third as in the paper, from `first` on (default 0)."""
    return tuple(range(first or 0, num_layers, every))
