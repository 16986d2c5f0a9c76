"""What passes by itself is tried again; what we must mend is not called by that name."""

import pytest
import requests
from google.api_core import exceptions
from google.auth import exceptions as auth

from shared.errors import Unavailable
from shared.gcp.errors import translated


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ServiceUnavailable("down"),
        exceptions.DeadlineExceeded("slow"),
        exceptions.GatewayTimeout("slow"),
        exceptions.InternalServerError("oops"),
        exceptions.BadGateway("oops"),
        exceptions.Unknown("oops"),
        exceptions.TooManyRequests("less"),
        exceptions.ResourceExhausted("less"),
        exceptions.Aborted("contended"),
        exceptions.RetryError("tried long", cause=None),
        auth.TransportError("no metadata server"),
        requests.ConnectionError("refused"),
        requests.ReadTimeout("slow"),
        TimeoutError("slow"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable, match="Firestore does not answer") as caught, translated("Firestore"):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        exceptions.PermissionDenied("no"),
        exceptions.Forbidden("no"),
        exceptions.Unauthenticated("who?"),
        exceptions.InvalidArgument("what?"),
        exceptions.NotFound("where?"),
        exceptions.PreconditionFailed("else"),
        auth.DefaultCredentialsError("none"),
        ValueError("ours"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_ours_to_mend_stays_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, translated("Firestore"):
        raise error
    assert caught.value is error
