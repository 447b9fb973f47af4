"""The adapter's file and the shapes of what it makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.errors import InputError, KblamError, MissingWeightsError
from tests.core.tiny import ENCODER_WIDTH, HEAD_WIDTH, HEADS, LAYERS, WIDTH, tiny_adapter, vectors

WIDE = AdapterConfig("tiny", "hashes", 64, WIDTH, HEADS, HEAD_WIDTH, (0, 1, 2, 3, 4, 5), {"steps": 7, "note": "число"})


@pytest.fixture
def saved(tmp_path) -> Path:
    return tiny_adapter().save(tmp_path / "one" / "adapter")


def test_a_saved_adapter_comes_back(tmp_path):
    torch.manual_seed(0)
    adapter = KblamAdapter(WIDE)
    assert adapter.key_map.weight.numel() > 10_000, "wide enough to be stored in float16"
    again = KblamAdapter.load(adapter.save(tmp_path / "adapter"))
    assert again.config == WIDE
    before, after = adapter.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=1e-3, rtol=1e-3)
        assert after[name].dtype == torch.float32
    assert torch.equal(after["prior_offset"], before["prior_offset"])


def test_saving_what_was_loaded_changes_nothing(tmp_path):
    once = KblamAdapter.load(KblamAdapter(WIDE).save(tmp_path / "one"))
    twice = KblamAdapter.load(once.save(tmp_path / "two"))
    for name, tensor in once.state_dict().items():
        assert torch.equal(tensor, twice.state_dict()[name]), name


def test_a_loaded_adapter_is_frozen_and_in_evaluation_mode(saved):
    adapter = KblamAdapter.load(str(saved))
    assert not adapter.training
    assert not any(parameter.requires_grad for parameter in adapter.parameters())


def test_a_fingerprint_names_the_weights(saved):
    one, two = KblamAdapter.load(saved), KblamAdapter.load(saved)
    assert one.fingerprint() == two.fingerprint()
    with torch.no_grad():
        next(two.parameters()).add_(1e-3)
    assert one.fingerprint() != two.fingerprint()


def test_the_card_is_plain_json(tmp_path):
    folder = KblamAdapter(WIDE).save(tmp_path)
    card = json.loads((folder / "adapter.json").read_text(encoding="utf-8"))
    assert card["layers"] == [0, 1, 2, 3, 4, 5]
    assert card["card"] == WIDE.card


@pytest.mark.parametrize("gone", ["adapter.json", "adapter.safetensors"])
def test_a_missing_file_is_said_in_words(saved, gone):
    (saved / gone).unlink()
    with pytest.raises(MissingWeightsError, match=r"needs adapter.json and adapter.safetensors.*kblam_core train"):
        KblamAdapter.load(saved)


def test_a_missing_folder_is_said_in_words(tmp_path):
    with pytest.raises(MissingWeightsError, match="No adapter in"):
        KblamAdapter.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "broken",
    ["", "{", "[]", "null", "{}", '{"layers": 3}', '{"layers": [0], "colour": "red"}', '{"layers": []}'],
)
def test_a_broken_card_is_said_in_words(saved, broken):
    (saved / "adapter.json").write_text(broken)
    with pytest.raises(InputError, match="could not be read"):
        KblamAdapter.load(saved)


@pytest.mark.parametrize("broken", [b"", b"not tensors at all", b"\xff" * 64])
def test_broken_weights_are_said_in_words(saved, broken):
    (saved / "adapter.safetensors").write_bytes(broken)
    with pytest.raises(KblamError, match="could not be read"):
        KblamAdapter.load(saved)


def test_cut_off_weights_are_said_in_words(saved):
    path = saved / "adapter.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(KblamError, match="could not be read"):
        KblamAdapter.load(saved)


def test_weights_of_another_shape_are_said_in_words(saved):
    card = json.loads((saved / "adapter.json").read_text())
    (saved / "adapter.json").write_text(json.dumps(card | {"hidden": 48}))
    with pytest.raises(InputError, match="could not be read"):
        KblamAdapter.load(saved)


@pytest.mark.parametrize("layers", [(), (2, 0), (0, 0, 1)])
def test_layers_must_rise(layers):
    with pytest.raises(InputError, match="rising"):
        AdapterConfig("a", "b", 4, 8, 2, 4, layers)


@pytest.mark.parametrize("triples", [0, 1, 7])
def test_shapes_of_the_knowledge(triples):
    knowledge = tiny_adapter().knowledge(*vectors(2, triples))
    assert knowledge.keys.shape == knowledge.values.shape == (len(LAYERS), 2, HEADS, triples, HEAD_WIDTH)
    assert knowledge.log_scale.shape == (2, 1, 1, 1)
    assert knowledge.prior is None
    assert knowledge.padding is None


def test_keys_are_normalised_per_head():
    keys = tiny_adapter().knowledge(*vectors(1, 4)).keys
    torch.testing.assert_close(keys.mean(-1), torch.zeros(keys.shape[:-1]), atol=1e-5, rtol=0)
    torch.testing.assert_close(keys.square().mean(-1), torch.ones(keys.shape[:-1]), atol=1e-3, rtol=0)


def test_padding_counts_for_the_size_only_where_there_are_triples():
    adapter = tiny_adapter()
    padding = torch.tensor([[False, False, True, True], [False, False, False, False]])
    both = adapter.knowledge(*vectors(2, 4), padding=padding).log_scale.flatten()
    assert both[0] == adapter.knowledge(*vectors(1, 2)).log_scale
    assert both[1] == adapter.knowledge(*vectors(1, 4)).log_scale


def test_shares_ignore_how_much_went_to_the_text():
    adapter = tiny_adapter()
    weights = torch.rand(len(LAYERS), 2, HEADS, 3, 5) / 10
    shares, mass = adapter.fact_shares(weights)
    halved, half_mass = adapter.fact_shares(weights / 2)
    torch.testing.assert_close(shares, halved)
    torch.testing.assert_close(mass, 2 * half_mass)
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 3))


def test_the_copy_gate_is_a_probability():
    adapter = tiny_adapter()
    with torch.no_grad():
        adapter.gate.weight.normal_()
    gate = adapter.copy_probability(torch.randn(2, 3, WIDTH), *torch.rand(3, 2, 3))
    assert gate.shape == (2, 3)
    assert ((gate > 0) & (gate < 1)).all()


def test_a_fresh_adapter_has_width_of_its_encoder():
    assert tiny_adapter().key_map.in_features == ENCODER_WIDTH


def test_the_cross_encoder_is_stored_in_one_byte_a_weight(tmp_path):
    torch.manual_seed(0)
    shape = {"below": 1, "layers": 1, "heads": 4, "inner": 256}
    adapter = KblamAdapter(AdapterConfig("tiny", "hashes", 64, 32, 4, 8, (0, 2), cross=shape))
    adapter.save(tmp_path)
    with safe_open(tmp_path / "adapter.safetensors", framework="pt") as file:
        kinds = {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    assert kinds["cross.layers.0.linear1.weight"] == torch.int8
    again = KblamAdapter.load(tmp_path)
    for name, tensor in adapter.cross.state_dict().items():
        step = tensor.abs().max() / 127
        assert (again.cross.state_dict()[name] - tensor).abs().max() <= step, name
