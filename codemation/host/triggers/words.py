"""What went wrong, in the words that people find at a trigger; without secrets, for they are kept and shown."""

from __future__ import annotations

from codemation.core.credentials import without_secrets
from codemation.core.errors import CodemationError
from codemation.core.outputs import message_of


def in_words(error: BaseException) -> str:
    """An error of ours as it speaks for itself, one of the author's code with its class."""
    if isinstance(error, CodemationError):
        return without_secrets(error.message)
    return f"{type(error).__name__}: {message_of(error)}"
