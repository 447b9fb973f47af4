"""Memory is compared before anything is loaded; half width and quantised loading get to transformers as they should."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM, BertConfig, LlamaConfig

from kblam_core import memory, model, precision
from kblam_core.errors import InputError, NotEnoughMemoryError, UnsupportedModelError
from kblam_core.memory import WORKING, check_memory, count_weights, free, needed
from kblam_core.model import Kblam
from kblam_core.triples import Triple
from tests.core.tiny import FAMILIES, HashEncoder, byte_tokenizer, tiny_adapter, tiny_model

LARGE = LlamaConfig(
    vocab_size=128_256,
    hidden_size=4096,
    intermediate_size=14_336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    tie_word_embeddings=False,
)


@pytest.fixture
def large(tmp_path) -> str:
    """A folder with the configuration of a model of eight thousand million weights, and no weights."""
    LARGE.save_pretrained(tmp_path / "large")
    return str(tmp_path / "large")


@pytest.fixture
def folder(tmp_path) -> Path:
    """A whole tiny model."""
    tiny_model().save_pretrained(tmp_path / "tiny")
    byte_tokenizer().save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def adapter(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(model, "load_encoder", lambda *args, **options: HashEncoder())
    return tiny_adapter().save(tmp_path / "adapter")


def test_weights_are_counted_without_loading_any(family):
    whole = tiny_model(family)
    total, linear = count_weights(FAMILIES[family]())
    assert total == sum(parameter.numel() for parameter in whole.parameters())
    assert 0 < linear < total


def test_the_default_model_needs_what_its_weights_need(monkeypatch, tmp_path):
    monkeypatch.setenv("KBLAM_CACHE", str(tmp_path))
    assert needed("smollm2-135m", dtype=torch.float32) == 134_515_008 * 4 + WORKING


def test_fewer_bits_need_less(large):
    whole = needed(large, dtype=torch.float32)
    assert whole == pytest.approx(8_030_261_248 * 4 + WORKING)
    assert needed(large, dtype=torch.bfloat16) - WORKING == (whole - WORKING) / 2
    assert needed(large, dtype=torch.bfloat16, quantize="8bit") == pytest.approx(9.08e9 + WORKING, rel=0.01)
    assert needed(large, dtype=torch.bfloat16, quantize="4bit") == pytest.approx(6.02e9 + WORKING, rel=0.01)


@pytest.mark.parametrize(
    ("there", "device", "dtype", "words"),
    [
        (7e9, "cpu", torch.float32, "'.*large' in float32 needs about 33 GB of memory, and 7.0 GB are free on this machine. Try a smaller"),
        (20e9, "cpu", torch.float32, r"Try --dtype bfloat16 \(about 17 GB\), a smaller model, or --force"),
        (20.4e9, "cuda", torch.float32, r"Try --dtype bfloat16 \(about 17 GB\), --quantize 4bit \(about 6.5 GB\), a smaller model"),
        (7.2e9, "cuda", torch.bfloat16, r"in bfloat16 needs about 17 GB.*Try --quantize 4bit \(about 6.5 GB\), a smaller model"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_what_would(monkeypatch, large, there, device, dtype, words):
    monkeypatch.setattr(memory, "free", lambda place: there)
    with pytest.raises(NotEnoughMemoryError, match=words) as caught:
        check_memory(large, dtype=dtype, device=device)
    assert isinstance(caught.value, MemoryError) and "\n" not in str(caught.value)


def test_a_gpu_counts_beside_the_machine_and_alone_when_quantised(monkeypatch, large):
    monkeypatch.setattr(memory, "free", lambda place: 7e9 if place == "cuda" else 64e9)
    with pytest.raises(NotEnoughMemoryError, match="free on the GPU"):
        check_memory(large, dtype=torch.bfloat16, device="cuda")
    check_memory(large, dtype=torch.bfloat16, device="cuda", quantize="4bit")
    monkeypatch.setattr(memory, "free", lambda place: 64e9)
    check_memory(large, dtype=torch.bfloat16, device="cuda")


def test_what_is_no_language_model_is_refused_in_words():
    with pytest.raises(UnsupportedModelError, match="kind 'vit'"):
        from transformers import ViTConfig

        count_weights(ViTConfig())
    assert count_weights(BertConfig(num_hidden_layers=1))[0]


def test_free_memory_is_the_machines_the_containers_or_the_gpus(monkeypatch, tmp_path):
    assert 0 < free("cpu") <= psutil.virtual_memory().total
    for name, content in (("memory.max", "3000"), ("memory.current", "2500"), ("memory.stat", "anon 1\ninactive_file 200\n")):
        (tmp_path / name).write_text(content)
    assert memory._container(tmp_path) == 700
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._container(tmp_path) == memory._container(tmp_path / "none") == float("inf")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5, 9))
    assert free("cuda") == 5


def test_loading_refuses_unless_forced_and_half_width_answers(monkeypatch, folder, adapter):
    monkeypatch.setattr(memory, "free", lambda place: 1e6)
    with pytest.raises(NotEnoughMemoryError, match="--force"):
        Kblam.load(str(folder), adapter=adapter, device="cpu")
    kblam = Kblam.load(str(folder), adapter=adapter, device="cpu", dtype="bfloat16", force=True)
    assert next(kblam.backbone.parameters()).dtype == torch.bfloat16
    assert kblam.ask(kblam.knowledge_base([Triple("Halden", "head", "Ann")]), "head of Halden?").state in ("answered", "refused")


def test_an_adapter_brings_its_backbone(monkeypatch, folder, tmp_path):
    monkeypatch.setattr(model, "load_encoder", lambda *args, **options: HashEncoder())
    made = tiny_adapter()
    object.__setattr__(made.config, "backbone", str(folder))
    kblam = Kblam.load(adapter=made.save(tmp_path / "adapter"), device="cpu")
    assert kblam.backbone_name == str(folder)


# ------------------------------------------------------------------------------------------------------------------ precision
def test_auto_is_half_width_on_a_gpu_only():
    assert precision.pick_dtype("auto", device="cuda") == precision.pick_dtype("bfloat16", device="cpu") == torch.bfloat16
    assert precision.pick_dtype("auto", device="cpu") == torch.float32
    with pytest.raises(InputError, match="no dtype 'int8'"):
        precision.pick_dtype("int8", device="cpu")


@pytest.mark.parametrize(
    ("choice", "device", "words"),
    [
        ("4bit", "cpu", "--quantize 4bit needs a CUDA GPU, but the model is to run on 'cpu'. Leave it out"),
        ("8bit", "cuda", "needs the library bitsandbytes: `pip install bitsandbytes`, or leave it out"),
        ("3bit", "cuda", "no quantisation '3bit'. Choose one of 4bit, 8bit"),
    ],
)
def test_quantised_loading_that_cannot_be_is_said_in_words(monkeypatch, choice, device, words):
    monkeypatch.setattr(precision, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=words):
        Kblam.load("smollm2-135m", device=device, quantize=choice)


@pytest.mark.parametrize(("choice", "in_4bit"), [("4bit", True), ("8bit", False)])
def test_quantised_loading_reaches_transformers(monkeypatch, folder, adapter, choice, in_4bit):
    given: dict = {}

    def from_pretrained(source, **options):
        given.update(options, source=source)
        raise StopIteration

    monkeypatch.setattr(precision, "find_spec", lambda name: object())
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", from_pretrained)
    monkeypatch.setattr(memory, "free", lambda place: 80e9)
    with pytest.raises(StopIteration):
        Kblam.load(str(folder), adapter=adapter, device="cuda", quantize=choice)
    config = given["quantization_config"]
    assert (config.load_in_4bit, config.load_in_8bit) == (in_4bit, not in_4bit)
    assert not in_4bit or (config.bnb_4bit_quant_type, config.bnb_4bit_compute_dtype) == ("nf4", torch.bfloat16)
    assert given["device_map"] == {"": "cuda"} and given["dtype"] == torch.bfloat16 and given["attn_implementation"] == "eager"
