"""What the hub's library raises, as one line with what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cli.catalogue import Model
from services.errors import Unavailable


@contextlib.contextmanager
def explained(model: Model) -> Iterator[None]:
    """Raises Unavailable: MODEL_GATED, MODEL_NOT_ON_HUB, HUB_UNREACHABLE or PULL_FAILED."""
    import httpx2
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    elsewhere = (
        f"./glossa models pull {model.name} --from FOLDER brings in a copy made on another machine"
    )
    try:
        yield
    except GatedRepoError as error:
        raise Unavailable(
            "MODEL_GATED",
            f"{model.name} is given out only under its licence ({model.licence}): sign in and "
            f"accept it at {model.licence_url or 'https://huggingface.co/' + model.repo}, make a "
            "token for reading at https://huggingface.co/settings/tokens, and run this again with "
            f"HF_TOKEN set to it; or {elsewhere}",
            model=model.name,
        ) from error
    except (RevisionNotFoundError, EntryNotFoundError, RepositoryNotFoundError) as error:
        raise Unavailable(
            "MODEL_NOT_ON_HUB",
            f"the hub has no {model.repo} at {model.revision} for this account; it may have moved, "
            f"or HF_TOKEN is wrong; {elsewhere}",
            model=model.name,
        ) from error
    except HfHubHTTPError as error:
        raise Unavailable(
            "HUB_UNREACHABLE",
            f"the hub answers {error.response.status_code} for {model.repo}; run this again later, "
            "it goes on where it stopped",
            model=model.name,
        ) from error
    except (httpx2.HTTPError, OfflineModeIsEnabled, ConnectionError, TimeoutError) as error:
        raise Unavailable(
            "HUB_UNREACHABLE",
            f"no connection to the hub for {model.repo} ({type(error).__name__}); run this again "
            f"with one, it goes on where it stopped; or {elsewhere}",
            model=model.name,
        ) from error
    except OSError as error:
        raise Unavailable(
            "PULL_FAILED", f"{model.name} could not be pulled: {error}", model=model.name
        ) from error
