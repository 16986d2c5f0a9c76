"""Which of Google's errors may pass, and what we call them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import requests
from google.api_core import exceptions
from google.auth import exceptions as auth

from shared.errors import Unavailable

PASSING = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.TooManyRequests,
    exceptions.ServerError,
    exceptions.RetryError,
    auth.TransportError,
    requests.ConnectionError,
    requests.Timeout,
    TimeoutError,
)
"""What the client has already tried again for as long as it is worth, and the next delivery may not meet.
Anything else, such as a missing permission or bucket, is ours to mend, and is raised as it is."""


@contextmanager
def translated(service: str) -> Generator[None]:
    """Raises Unavailable for what passes by itself."""
    try:
        yield
    except PASSING as error:
        raise Unavailable(f"{service} does not answer: {error}") from error
