"""The models a visitor can choose from: those the page was started with, and the shipped ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.host import ModelHost
from kblam_core import InputError

SHIPPED = Path(__file__).parent.parent / "assets" / "adapters"
CARD = "adapter.json"


@dataclass(frozen=True)
class Choice:
    """A backbone with an adapter. backbone None: the one the adapter was trained for; adapter None: the shipped one."""

    backbone: str | None
    adapter: str | None

    @property
    def label(self) -> str:
        """What the page calls it: "smollm2-135m", or "smollm2-135m · my-adapter"."""
        if self.adapter is None:
            return str(self.backbone)
        name = Path(self.adapter).name if Path(self.adapter).is_dir() else self.adapter
        backbone = self.backbone or _recorded(Path(self.adapter))
        return f"{backbone} · {name}" if backbone else name


def find_choices(backbone: str | None, adapters: Sequence[str] = (), folder: str | None = None) -> dict[str, Choice]:
    """What to offer by name, the default first: each of `adapters` (with `backbone` where it is named), those in the folders of
    `folder`, and those shipped with the project. Raises InputError for a `folder` without any."""
    given = [Choice(backbone, adapter) for adapter in adapters]
    if backbone and not adapters:
        given.append(Choice(backbone, None))
    found = [Choice(None, str(path)) for path in _adapters(Path(folder))] if folder else []
    if folder and not found:
        raise InputError(f"There is no adapter in the folders of {folder}: --adapters takes a folder that holds adapters' folders.")
    shipped = [Choice(path.name.replace("--", "/"), None) for path in _adapters(SHIPPED)]
    named: dict[str, Choice] = {}
    for choice in dict.fromkeys([*given, *found, *shipped]):
        label, number = choice.label, 2
        while label in named:  # two folders of one name
            label, number = f"{choice.label} ({number})", number + 1
        named[label] = choice
    return named


class Models:
    """The model hosts of this process by name; the first is the default. What was loaded once stays loaded."""

    def __init__(self, hosts: Iterable[ModelHost]) -> None:
        self._hosts = {host.name: host for host in hosts}

    @property
    def names(self) -> list[str]:
        return list(self._hosts)

    @property
    def default(self) -> ModelHost:
        return next(iter(self._hosts.values()))

    def named(self, name: str) -> ModelHost:
        """The host of that name; the default where there is none of it."""
        return self._hosts.get(name, self.default)


def host_of(name: str, choice: Choice, **options: Any) -> ModelHost:
    """Loads the choice when it is first needed. options: of Kblam.load."""

    def load():
        from kblam_core import Kblam  # late: it brings torch, and the page should be up before

        return Kblam.load(choice.backbone, adapter=choice.adapter, **options)

    return ModelHost(load, name=name)


def _adapters(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"*/{CARD}"))


def _recorded(folder: Path) -> str | None:
    """The backbone an adapter in a local folder was trained for."""
    try:
        return Path(json.loads((folder / CARD).read_text(encoding="utf-8"))["backbone"]).name
    except (OSError, ValueError, KeyError, TypeError):
        return None  # on the Hub, or broken: loading says what is wrong
