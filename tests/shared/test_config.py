"""Settings are read once, wholly or not at all."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import Settings
from shared.errors import MissingSettings

LEAST = {
    "DANCEBITS_PROJECT": "demo",
    "DANCEBITS_UPLOADS_BUCKET": "uploads",
    "DANCEBITS_FEATURES_BUCKET": "features",
    "DANCEBITS_RESULTS_BUCKET": "results",
    "DANCEBITS_LIBRARY_BUCKET": "library",
}
SOME = st.floats(min_value=1e-6, allow_infinity=False)
NAME = st.text(min_size=1)


def test_the_least_that_must_be_said() -> None:
    settings = Settings.read(LEAST | {"PATH": "/bin", "DANCEBITS": "x"})
    assert settings == Settings("demo", "uploads", "features", "results", "library")


def test_everything_that_is_missing_or_unreadable_is_named_at_once() -> None:
    wrong = {
        "DANCEBITS_PROJECT": "demo",
        "DANCEBITS_BATCH_SIZE": "many",
        "DANCEBITS_RATE_HZ": "",
        "DANCEBITS_CACHE": "",
    }
    with pytest.raises(MissingSettings) as caught:
        Settings.read(wrong)
    assert caught.value.message == (
        "DANCEBITS_UPLOADS_BUCKET is not set; DANCEBITS_FEATURES_BUCKET is not set; DANCEBITS_RESULTS_BUCKET is not "
        "set; DANCEBITS_LIBRARY_BUCKET is not set; DANCEBITS_RATE_HZ='' is no float; "
        "DANCEBITS_BATCH_SIZE='many' is no int"
    )


@pytest.mark.parametrize("name", LEAST)
def test_what_must_be_said_cannot_be_empty(name: str) -> None:
    with pytest.raises(MissingSettings, match=f"{name} is not set"):
        Settings.read({**LEAST, name: ""})


@given(
    st.builds(
        Settings, *[NAME] * 5, region=st.text(), rate_hz=st.floats(2, 120), step_lease_s=SOME, batch_size=st.integers(1)
    )
)
def test_settings_survive_the_environment(settings: Settings) -> None:
    assert Settings.read(settings.environment()) == settings


def test_leases_are_spans_of_time() -> None:
    settings = Settings.read(LEAST | {"DANCEBITS_STEP_LEASE_S": "90", "DANCEBITS_INFER_LEASE_S": "1.5"})
    assert settings.step_lease == timedelta(minutes=1, seconds=30)
    assert settings.infer_lease == timedelta(seconds=1.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE_HZ", "-1"),
        ("RATE_HZ", "0.001"),
        ("RATE_HZ", "nan"),
        ("BATCH_SIZE", "0"),
        ("MAX_EXECUTIONS", "-3"),
        ("KEEP_DAYS", "inf"),
    ],
)
def test_an_absurd_number_is_refused(name: str, value: str) -> None:
    with pytest.raises(MissingSettings, match=name):
        Settings.read({**LEAST, f"DANCEBITS_{name}": value})
