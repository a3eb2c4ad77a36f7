"""The token that the services of a stack bring to each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from services.channels import client_identity
from services.token_file import Role, TokenEntry, change_tokens, hash_of, read_tokens

if TYPE_CHECKING:
    from cli.stack import StackPlan

_FILE = "GLOSSA_TOKENS_FILE"


def with_service_token(plan: StackPlan) -> StackPlan:
    """The same stack, its services with a token of theirs where tokens are wanted.

    A token for services that the environment names is taken; else one is made once, kept in
    <state dir>/service.token, and entered in the file of tokens. Without such a file the services
    bring none.

    Raises:
        InvalidInput: TOKENS_FILE_DAMAGED, TOKENS_FILE_NOT_WRITTEN, STATE_DIR_UNUSABLE,
            TOKEN_UNREADABLE.
        WrongState: TOKENS_FILE_BUSY.
    """
    from cli.lan import kept_token

    variables = dict(plan.environment)
    named = variables.get(_FILE)
    if not named:
        return plan
    path = Path(named).resolve()
    variables[_FILE] = str(path)
    entries = read_tokens(path)
    of_services = {entry.hash for entry in entries if entry.role is Role.SERVICE}
    if hash_of(client_identity(variables).token) not in of_services:
        own = plan.state_dir / "service.token"
        token_hash = hash_of(kept_token(own))
        if token_hash not in of_services:
            # Named by its hash: two stacks may share a file.
            entry = TokenEntry(f"services-{token_hash[:8]}", Role.SERVICE, token_hash)
            change_tokens(path, lambda kept: kept if entry in kept else (*kept, entry))
        variables.pop("GLOSSA_TOKEN", None)  # the operator's own, for this shell
        variables["GLOSSA_TOKEN_FILE"] = str(own)
    return replace(plan, environment=variables)
