"""Training that goes on from an existing adapter, to adjust it to a table or to train it longer."""

from kblam_core.adapter import KblamAdapter
from kblam_core.errors import InputError
from kblam_core.hub import adapter_folder
from kblam_core.remote_encoder import recorded_name

SLOWER = 0.3  # learning rates are multiplied with it: most is in place already


def starting_adapter(name: str, fresh: KblamAdapter) -> KblamAdapter:
    """The adapter in a folder or on the Hub, ready to be trained, if it fits what `fresh` was made for.

    Raises MissingWeightsError, or InputError with what does not fit.
    """
    found = KblamAdapter.load(adapter_folder(name))
    given, wanted = found.config, fresh.config
    if given.paper_only or given.prompt is not None:
        raise InputError(f"The adapter {name} is a checkpoint of plain KBLaM, which has other parts; start from one that `train` made.")
    if recorded_name(given.encoder) != recorded_name(wanted.encoder):
        raise InputError(f"The adapter {name} was trained with the encoder '{given.encoder}'. Go on with it: --encoder {given.encoder}")
    for part in ("encoder_width", "hidden", "heads", "head_width"):
        if getattr(given, part) != getattr(wanted, part):
            raise InputError(
                f"The adapter {name} was trained for '{given.backbone}' ({part} {getattr(given, part)}), but here {part} is "
                f"{getattr(wanted, part)}. Go on with the same language model: --backbone {given.backbone}"
            )
    return found.requires_grad_(True)
