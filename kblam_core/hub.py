"""Adapters on the Hugging Face Hub: fetched by "owner/name", or "owner/name@revision", and pushed with a model card."""

import re
from pathlib import Path

from kblam_core.errors import InputError, MissingWeightsError, ServiceError

FILES = ("adapter.json", "adapter.safetensors")
_REPO = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


def adapter_folder(name: str | Path) -> Path:
    """The local folder of an adapter: `name` itself where it is one, else what the Hub holds under it, fetched or from the cache.

    Raises MissingWeightsError.
    """
    folder = Path(name)
    if folder.is_dir() or not _REPO.fullmatch(str(name)):
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError, RevisionNotFoundError

    repo, _, revision = str(name).partition("@")
    try:
        return Path(snapshot_download(repo, revision=revision or None, allow_patterns=list(FILES)))
    except GatedRepoError as error:
        raise MissingWeightsError(f"The adapter '{repo}' is gated: ask for access on its page on the Hub and set HF_TOKEN.") from error
    except RepositoryNotFoundError as error:
        raise MissingWeightsError(
            f"There is no folder {folder} and no adapter '{repo}' on the Hub, or it is private. Check the spelling, or set HF_TOKEN."
        ) from error
    except RevisionNotFoundError as error:
        raise MissingWeightsError(f"The adapter '{repo}' on the Hub has no revision '{revision}'.") from error
    except (HTTPError, OSError, ValueError) as error:
        raise MissingWeightsError(
            f"There is no folder {folder}, and the Hub could not be asked for the adapter '{repo}'. Check the network and the spelling."
        ) from error


def push(folder: Path, repo: str, card: str, *, private: bool = False) -> str:
    """Upload the adapter in `folder` with its model card in one commit; returns the repository's address.

    The token is HF_TOKEN or that of `hf auth login`. Raises InputError for a name the Hub does not take, ServiceError otherwise.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError  # the last is its HTTP client's

    if not _REPO.fullmatch(repo) or "@" in repo:
        raise InputError(f"A repository on the Hub is named owner/name, not {repo!r}.")
    operations = [CommitOperationAdd(name, str(folder / name)) for name in FILES]
    operations.append(CommitOperationAdd("README.md", card.encode()))
    api = HfApi()
    try:
        address = api.create_repo(repo, private=private, exist_ok=True)
        api.create_commit(repo, operations, commit_message="KBLaM adapter")
    except HFValidationError as error:
        raise InputError(f"The Hub takes no repository of the name {repo!r}: {' '.join(str(error).split())[:200]}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status in (401, 403):
            message = f"The Hub does not let you write to '{repo}'. Log in with `hf auth login` or set HF_TOKEN to a token that may write."
        else:
            message = f"The Hub did not take '{repo}' (error {status}). Try again later."
        raise ServiceError(message) from error
    except (HTTPError, OSError) as error:
        raise ServiceError(f"The Hub could not be reached, so '{repo}' was not uploaded. Check the network.") from error
    return str(address)
