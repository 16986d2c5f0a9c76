"""What only the API is told: whom it believes, and what a user may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.config import read_settings
from shared.errors import MissingSettings

EMULATOR = "FIREBASE_AUTH_EMULATOR_HOST"
"""As Google's own libraries name it: where it is set, tokens are unsigned."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Named as in :class:`shared.config.Settings`. Lists are separated by commas."""

    origins: str = ""
    """Whose pages may call from a browser: ``https://app.example.com``."""
    app_check: str = "required"
    """Or ``off``: then a script may call as well as the app."""
    project_number: str = ""
    """By which App Check's tokens name the project; needed where these are required."""
    teachers: str = ""
    """Ids of the studio's teachers: anybody may compare with their videos, and they alone add to the library."""
    signer: str = ""
    """The service account that signs addresses; empty: the one that the function runs as."""
    signing_key: str = ""
    """A key file to sign with: for emulators, where there is no account."""

    uploads_a_day: int = 50
    jobs_in_flight: int = 5
    requests_a_minute: int = 120

    @property
    def allowed_origins(self) -> frozenset[str]:
        return _listed(self.origins)

    @property
    def teacher_ids(self) -> frozenset[str]:
        return _listed(self.teachers)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> ApiSettings:
        """Raises MissingSettings."""
        settings = read_settings(cls, environment)
        if settings.app_check not in {"required", "off"}:
            raise MissingSettings("DANCEBITS_APP_CHECK is neither required nor off")
        if settings.app_check == "required" and not settings.project_number:
            raise MissingSettings("DANCEBITS_PROJECT_NUMBER is needed where App Check is required")
        if "*" in settings.origins:
            raise MissingSettings("DANCEBITS_ORIGINS must name the origins")
        return settings


def is_emulated(environment: Mapping[str, str], project: str) -> bool:
    """Whether unsigned tokens are to be believed. Raises MissingSettings where that is asked for in a real project:
    whatever is wrong with the environment, nobody gets in by it."""
    if not environment.get(EMULATOR):
        return False
    is_real = not project.startswith("demo-") or "K_SERVICE" in environment  # so Cloud Run names its services
    if is_real or not environment.get("FIRESTORE_EMULATOR_HOST"):
        raise MissingSettings(f"{EMULATOR} is set, and this is no system on emulators")
    return True


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())
