"""Checkpoints of microsoft/KBLaM: the imported adapter's logits against an implementation written from the equations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Phi3Config

from kblam_core import cli, decoder
from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.answer import AskOptions
from kblam_core.errors import InputError
from kblam_core.model import Kblam
from kblam_core.official import PROMPTS, import_official
from kblam_core.triples import Triple
from tests.core.official_reference import Checkpoint, reference_logits
from tests.core.tiny import COMMON, ENCODER_WIDTH, HashEncoder, token_ids, vectors

CONFIGS = {"llama": LlamaConfig, "phi3": Phi3Config}
LAYERS = 6  # divides by 3: the last slot belongs to no layer, and yet the norm is over it too


@pytest.fixture
def tiny(tmp_path):
    """Makes (model, its folder, a random official checkpoint for it)."""

    def make(family: str = "llama", *, frequency: int = 3, scale: int | None = None, layers: int = LAYERS):
        torch.manual_seed(0)
        config = CONFIGS[family](**COMMON | {"num_hidden_layers": layers})
        model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
        folder = tmp_path / "backbone"
        model.save_pretrained(folder)
        return model, folder, Checkpoint.random(config, ENCODER_WIDTH, frequency=frequency, scale=scale)

    return make


@torch.no_grad()
def agreement(model, adapter: KblamAdapter, checkpoint: Checkpoint, *, triples: int = 7) -> None:
    ids, (keys, values) = token_ids(1, 9), vectors(1, triples)
    expected = reference_logits(model.state_dict(), model.config, ids[0], checkpoint, keys[0], values[0])
    base = model(ids).logits[0]
    decoder.attach(model, adapter)
    ours = model(ids, knowledge=adapter.knowledge(keys, values)).logits[0]
    decoder.detach(model)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)
    assert (ours - base).abs().max() > 0.1, "the knowledge is felt"


@pytest.mark.parametrize("layout", ["beside", "sharded", "bin", "separate"])
@pytest.mark.parametrize("family", CONFIGS)
def test_logits_agree_with_the_equations(tiny, tmp_path, family, layout):
    model, folder, checkpoint = tiny(family, scale=100)
    path = checkpoint.write(tmp_path / "official", layout=layout)
    import_official(path, tmp_path / "out", backbone=str(folder), encoder="hashes")
    agreement(model, KblamAdapter.load(tmp_path / "out"), checkpoint)


@pytest.mark.parametrize(("frequency", "layers"), [(1, 3), (2, 5), (3, 6), (3, 7), (4, 3)])
@pytest.mark.parametrize("scale", [None, 10, 100])
def test_every_frequency_and_scale(tiny, tmp_path, frequency, layers, scale):
    model, folder, checkpoint = tiny(frequency=frequency, scale=scale, layers=layers)
    path = checkpoint.write(tmp_path / "official", layout="beside")
    adapter, notes = import_official(path, tmp_path / "out", backbone=str(folder), encoder="hashes")
    assert adapter.config.layers == tuple(range(0, layers, frequency))
    assert not notes
    for triples in (1, 30):
        agreement(model, adapter, checkpoint, triples=triples)


def test_the_encoder_folder_may_be_named_and_options_stand_in_for_a_missing_config(tiny, tmp_path):
    model, folder, checkpoint = tiny(frequency=2, scale=50)
    path = checkpoint.write(tmp_path / "official", layout="sharded")
    next(path.glob("kb_config*.json")).unlink()
    encoder = path.with_name(path.name + "_encoder")
    with pytest.raises(InputError, match=r"does not fit.*KB layer every 3.*Check --backbone and --frequency"):
        import_official(encoder, tmp_path / "out", backbone=str(folder), encoder="hashes")
    adapter, notes = import_official(encoder, tmp_path / "out", backbone=str(folder), encoder="hashes", frequency=2, scale=50)
    assert "no kb_config" in notes[0]
    agreement(model, adapter, checkpoint)


@pytest.mark.parametrize("layout", ["beside", "separate"])
def test_tensors_in_bfloat16_are_read_as_they_are(tiny, tmp_path, layout):
    model, folder, checkpoint = tiny(scale=100)
    narrow = checkpoint.bfloat16()
    adapter, notes = import_official(
        narrow.write(tmp_path / "official", layout=layout), tmp_path / "out", backbone=str(folder), encoder="hashes"
    )
    assert not notes
    assert {tensor.dtype for tensor in adapter.state_dict().values()} == {torch.float32}
    assert torch.equal(adapter.key_map.weight, narrow.encoder["projector_k.weight"].float())
    agreement(model, KblamAdapter.load(tmp_path / "out"), narrow.float32())


def test_a_checkpoint_that_read_the_strongest_facts_only_says_so(tiny, tmp_path, capsys):
    model, folder, checkpoint = tiny(scale=100)
    checkpoint.sparse = True
    path = checkpoint.write(tmp_path / "official", layout="beside")
    adapter, notes = import_official(path, tmp_path / "out", backbone=str(folder), encoder="hashes")
    (note,) = notes
    assert note == "It was set to read the 100 strongest facts in each layer; here all facts are read."
    arguments = ["import-official", str(path), "--out", str(tmp_path / "again"), "--backbone", str(folder), "--encoder", "hashes"]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr()
    assert "the 100 strongest facts in each layer" in " ".join((shown.out + shown.err).split())
    agreement(model, adapter, checkpoint)


def test_the_command_writes_an_adapter_that_answers_in_paper_mode(tiny, tmp_path, tokenizer, capsys):
    model, folder, checkpoint = tiny("phi3")
    path = checkpoint.write(tmp_path / "official", layout="beside")
    arguments = ["import-official", str(path), "--out", str(tmp_path / "out"), "--backbone", str(folder), "--encoder", "hashes"]
    assert cli.main(arguments) == 0
    assert "KB layers 0, 3" in capsys.readouterr().out
    adapter = KblamAdapter.load(tmp_path / "out")
    assert adapter.config.prompt == PROMPTS["phi3"] and adapter.config.card["kb_config"]["kb_layer_frequency"] == 3
    kblam = Kblam(model, tokenizer, HashEncoder(), adapter)
    base = kblam.knowledge_base([Triple("Halden", "head", "Ingrid"), Triple("Linden", "head", "Aksel")])
    question = "What is the {question} of Halden?"
    default, paper = (kblam.ask(base, question, options=AskOptions(mode=mode, max_new_tokens=8)) for mode in ("kblam", "paper"))
    assert default.text == paper.text
    assert len(default.nearest) == 2
    with pytest.raises(InputError, match="'paper' only, not 'no-copy'"):
        kblam.ask(base, question, options=AskOptions(mode="no-copy"))


def test_the_encoder_is_told_by_its_width():
    from kblam_core.official import ENCODERS

    assert ENCODERS[1536] == "text-embedding-ada-002" and ENCODERS[384] == "all-MiniLM-L6-v2"


def broken(path: Path, what: str) -> None:
    encoder = path.with_name(path.name + "_encoder") / "encoder.pt"
    state = torch.load(encoder)
    if what == "no encoder":
        encoder.unlink()
    elif what == "no tensors":
        encoder.write_bytes(b"this is no file of tensors")
    elif what == "mlp":
        torch.save({f"{name.replace('.', '.0.', 1)}": tensor for name, tensor in state.items()}, encoder)
    elif what == "no heads":
        (path / "model.safetensors").unlink()
    elif what == "other width":
        torch.save(state | {"projector_k.weight": state["projector_k.weight"][:-8]}, encoder)
    elif what in ("shared head", "broken config"):
        config = json.loads((path / "config.json").read_text())
        text = json.dumps(config | {"sep_query_head": False}) if what == "shared head" else "{"
        (path / "config.json").write_text(text)
    elif what == "list":
        torch.save([1, 2], encoder)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no encoder", r"no encoder.pt in .*_encoder beside it"),
        ("no tensors", "encoder.pt could not be read as a file of tensors"),
        ("list", "holds list, not a state dict"),
        ("mlp", "projector_k in encoder.pt is an MLP"),
        ("no heads", "--query-heads FILE"),
        ("other width", "does not fit"),
        ("shared head", "no separate query head"),
        ("broken config", "config.json is not JSON"),
    ],
)
def test_what_cannot_be_imported_is_said_in_words(tiny, tmp_path, what, words):
    _, folder, checkpoint = tiny()
    path = checkpoint.write(tmp_path / "official", layout="beside")
    broken(path, what)
    with pytest.raises(InputError, match=words):
        import_official(path, tmp_path / "out", backbone=str(folder), encoder="hashes")
    assert not (tmp_path / "out").exists()


def test_wrong_places_are_said_in_words(tiny, tmp_path):
    _, folder, checkpoint = tiny()
    path = checkpoint.write(tmp_path / "official", layout="beside")
    with pytest.raises(InputError, match="no folder"):
        import_official(tmp_path / "nowhere", tmp_path / "out", backbone=str(folder))
    with pytest.raises(InputError, match=r"Which sentence encoder is 16 wide.*--encoder"):
        import_official(path, tmp_path / "out", backbone=str(folder))
    with pytest.raises(InputError, match="no query-head file"):
        import_official(path, tmp_path / "out", backbone=str(folder), query_heads=path.with_name(path.name + "_encoder") / "encoder.pt")


@pytest.mark.parametrize(("option", "words"), [({"key_norm": "none"}, "key_norm"), ({"slots": 1}, "slots")])
def test_options_of_an_adapter_are_checked(option, words):
    with pytest.raises(InputError, match=words):
        AdapterConfig("a", "b", 4, 8, 2, 4, (0, 1), **option)
