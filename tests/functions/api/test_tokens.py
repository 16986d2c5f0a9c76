"""Whom the API believes."""

import base64
import hashlib
import hmac

import pytest

from functions.api.settings import ApiSettings, is_emulated
from functions.api.tokens import Signed, Unsigned, app_check_issuer, bearer, firebase_issuer
from shared.errors import MissingSettings, Unauthenticated
from tests.functions.api.support import NUMBER, OwnKeys, app_claims, encoded, signed, user_claims
from tests.functions.support import Clock

CLOCK = Clock()
NOW = CLOCK.now.timestamp()
USERS = firebase_issuer("demo", Signed(OwnKeys()))
APPS = app_check_issuer(NUMBER, Signed(OwnKeys()))
LOCAL = firebase_issuer("demo-project", Unsigned())


def claims(**changes):
    return {**user_claims("maria", NOW), **changes}


def unsigned(told, **header):
    return f"{encoded({'alg': 'none', 'typ': 'JWT', **header})}.{encoded(told)}."


def test_a_token_of_ours_names_its_user():
    assert USERS.verified(signed(claims()), CLOCK()) == "maria"


def test_a_token_may_come_from_a_clock_that_is_a_little_ahead():
    assert USERS.verified(signed(claims(iat=NOW + 30, auth_time=NOW + 30)), CLOCK()) == "maria"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": None}, {"aud": "another"}, {"aud": ["demo"]}, {"aud": 1}, {"iss": None},
        {"iss": "https://securetoken.google.com/another"}, {"iss": "https://accounts.google.com"},
        {"exp": None}, {"exp": NOW}, {"exp": NOW - 1}, {"exp": "tomorrow"}, {"exp": True},
        {"iat": None}, {"iat": NOW + 3600}, {"auth_time": None}, {"auth_time": NOW + 3600},
        {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "a/b"}, {"sub": ".."}, {"sub": "x" * 129}, {"sub": "__x__"},
    ],
)  # fmt: skip
def test_a_token_with_a_claim_that_is_not_right_is_refused(changes):
    with pytest.raises(Unauthenticated):
        USERS.verified(signed(claims(**changes)), CLOCK())


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS512"}, {"kid": "key-2"}, {"kid": None}]
)
def test_a_token_whose_header_is_not_right_is_refused(header):
    with pytest.raises(Unauthenticated):
        USERS.verified(signed(claims(), **header), CLOCK())


def test_a_token_that_another_key_signed_is_refused():
    with pytest.raises(Unauthenticated, match="signature"):
        USERS.verified(signed(claims(), key="forger"), CLOCK())


def test_a_token_whose_claims_were_changed_is_refused():
    header, _, signature = signed(claims()).split(".")
    with pytest.raises(Unauthenticated, match="signature"):
        USERS.verified(f"{header}.{encoded(claims(sub='carmen'))}.{signature}", CLOCK())


def test_a_token_that_was_signed_with_the_public_key_as_a_secret_is_refused():
    """The classic confusion of algorithms: HMAC with what everybody knows."""
    message = f"{encoded({'alg': 'HS256', 'kid': 'key-1'})}.{encoded(claims())}"
    number = OwnKeys().key("key-1").public_numbers().n.to_bytes(256)
    forged = f"{message}.{encoded(hmac.digest(number, message.encode(), hashlib.sha256))}"
    with pytest.raises(Unauthenticated):
        USERS.verified(forged, CLOCK())


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a.b", "a.b.c", "a.b.c.d", "ü.b.c", "e30.e30.e30", "e30.W10.e30", "e30.bnVsbA.e30", "x" * 9000,
        unsigned({"sub": "maria"}), f"{base64.b64encode(b'[' * 6000).decode()}.e30.e30",
    ],
)  # fmt: skip
def test_junk_is_no_token(token):
    with pytest.raises(Unauthenticated):
        USERS.verified(token, CLOCK())


def test_a_token_of_the_app_names_the_app():
    assert APPS.verified(signed(app_claims(NOW)), CLOCK()) == f"1:{NUMBER}:web:abc"


@pytest.mark.parametrize(
    "changes",
    [{"aud": f"projects/{NUMBER}"}, {"aud": []}, {"aud": None}, {"iss": "https://firebaseappcheck.googleapis.com/1"},
     {"exp": NOW - 1}, {"iat": NOW + 3600}, {"sub": None}],
)  # fmt: skip
def test_a_token_of_another_app_is_refused(changes):
    with pytest.raises(Unauthenticated):
        APPS.verified(signed({**app_claims(NOW), **changes}), CLOCK())


def test_a_users_token_is_none_of_an_app_and_the_other_way_round():
    with pytest.raises(Unauthenticated):
        APPS.verified(signed(claims()), CLOCK())
    with pytest.raises(Unauthenticated):
        USERS.verified(signed(app_claims(NOW)), CLOCK())


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "abc"])
def test_a_header_without_a_token_is_refused(header):
    with pytest.raises(Unauthenticated):
        bearer(header)


def test_the_scheme_is_known_in_any_case():
    assert bearer("bearer abc") == bearer("Bearer  abc ") == "abc"


# On emulators


def test_an_emulators_token_is_believed_where_unsigned_ones_are_asked_for():
    assert LOCAL.verified(unsigned(user_claims("maria", NOW, "demo-project")), CLOCK()) == "maria"


@pytest.mark.parametrize("changes", [{"aud": "demo"}, {"exp": NOW - 1}, {"sub": ""}, {"iss": "x"}])
def test_an_emulators_token_must_be_right_in_everything_else(changes):
    with pytest.raises(Unauthenticated):
        LOCAL.verified(unsigned({**user_claims("maria", NOW, "demo-project"), **changes}), CLOCK())


def test_an_emulator_takes_no_token_that_pretends_to_be_signed():
    with pytest.raises(Unauthenticated):
        LOCAL.verified(unsigned(user_claims("maria", NOW, "demo-project")) + "c2ln", CLOCK())
    with pytest.raises(Unauthenticated):
        LOCAL.verified(signed(user_claims("maria", NOW, "demo-project")), CLOCK())


HOSTS = {"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"}


def test_unsigned_tokens_are_believed_on_emulators_alone():
    assert is_emulated(HOSTS, "demo-dancebits") is True
    assert is_emulated({}, "demo-dancebits") is False
    assert is_emulated({}, "my-studio") is False


@pytest.mark.parametrize(
    ("environment", "project"),
    [
        (HOSTS, "my-studio"),
        ({**HOSTS, "K_SERVICE": "api"}, "demo-dancebits"),
        ({"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099"}, "demo-dancebits"),
    ],
)
def test_a_real_project_refuses_to_start_as_an_emulator(environment, project):
    with pytest.raises(MissingSettings, match="FIREBASE_AUTH_EMULATOR_HOST"):
        is_emulated(environment, project)


def test_app_check_is_required_unless_it_is_said_not_to_be():
    with pytest.raises(MissingSettings, match="PROJECT_NUMBER"):
        ApiSettings.read({})
    assert ApiSettings.read({"DANCEBITS_PROJECT_NUMBER": NUMBER}).app_check == "required"
    assert ApiSettings.read({"DANCEBITS_APP_CHECK": "off"}).app_check == "off"
    with pytest.raises(MissingSettings, match="neither"):
        ApiSettings.read({"DANCEBITS_APP_CHECK": "maybe"})


def test_pages_of_every_origin_cannot_be_allowed():
    with pytest.raises(MissingSettings, match="ORIGINS"):
        ApiSettings.read({"DANCEBITS_APP_CHECK": "off", "DANCEBITS_ORIGINS": "*"})


def test_lists_in_settings_are_separated_by_commas():
    lists = {"DANCEBITS_TEACHERS": " carmen, josé,", "DANCEBITS_ORIGINS": ""}
    settings = ApiSettings.read({"DANCEBITS_APP_CHECK": "off", **lists})
    assert settings.teacher_ids == {"carmen", "josé"}
    assert settings.allowed_origins == frozenset()
