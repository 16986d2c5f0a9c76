"""Google's keys: fetched when needed, kept as long as they may be, and never for each token."""

import base64
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.local.web import HttpError, Request, Response, serving
from shared.errors import Unavailable
from shared.gcp.keys import GoogleKeys


@dataclass
class Issuer:
    """Publishes its keys at an address of this machine."""

    names: list[str] = field(default_factory=lambda: ["one"])
    max_age: str = "public, max-age=1000, must-revalidate"
    is_down: bool = False
    asked: int = 0
    body: bytes | None = None

    def answer(self, _: Request) -> Response:
        self.asked += 1
        if self.is_down:
            raise HttpError(503, "down", "not now")
        keys = [{"kid": name, "kty": "RSA", "alg": "RS256", "use": "sig", **numbers(name)} for name in self.names]
        body = json.dumps({"keys": [*keys, {"kid": "curve", "kty": "EC"}]}).encode() if self.body is None else self.body
        return Response(200, body, {"Cache-Control": self.max_age, "Content-Type": "application/json"})


KEYS: dict[str, rsa.RSAPublicKey] = {}


def key(name: str) -> rsa.RSAPublicKey:
    return KEYS.setdefault(name, rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key())


def numbers(name: str) -> dict[str, str]:
    told = key(name).public_numbers()
    return {"n": encoded(told.n, 256), "e": encoded(told.e, 3)}


def encoded(number: int, length: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(length)).rstrip(b"=").decode()


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@contextmanager
def published(issuer: Issuer) -> Generator[tuple[GoogleKeys, Clock]]:
    clock = Clock()
    with serving(issuer.answer) as port:
        yield GoogleKeys(f"http://127.0.0.1:{port}/keys", clock), clock


def test_a_key_is_fetched_once_and_kept_as_long_as_the_answer_says():
    issuer = Issuer()
    with published(issuer) as (keys, clock):
        for now_s in (0, 500, 999):
            clock.now_s = now_s
            found = keys.key("one")
            assert found is not None
            assert found.public_numbers() == key("one").public_numbers()
        assert issuer.asked == 1
        clock.now_s = 1000
        assert keys.key("one")
        assert issuer.asked == 2


def test_an_answer_that_does_not_say_how_long_counts_for_an_hour():
    issuer = Issuer(max_age="")
    with published(issuer) as (keys, clock):
        for now_s, asked in ((0, 1), (3599, 1), (3600, 2)):
            clock.now_s = now_s
            keys.key("one")
            assert issuer.asked == asked


def test_a_new_key_is_found_before_the_old_ones_are_due():
    issuer = Issuer()
    with published(issuer) as (keys, clock):
        assert keys.key("two") is None
        issuer.names = ["two"]
        clock.now_s = 100
        assert keys.key("two")
        assert keys.key("one") is None, "it was taken back"


def test_invented_keys_cost_one_fetch_a_minute():
    issuer = Issuer()
    with published(issuer) as (keys, clock):
        for i in range(100):
            clock.now_s = i
            assert keys.key(f"invented-{i}") is None
        assert issuer.asked == 2


def test_known_keys_serve_on_where_the_issuer_is_down():
    issuer = Issuer()
    with published(issuer) as (keys, clock):
        assert keys.key("one")
        issuer.is_down = True
        clock.now_s = 5000
        assert keys.key("one")
        issuer.is_down, issuer.names = False, ["two"]
        clock.now_s = 5100
        assert keys.key("one") is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"keys": [{"kty": "RSA"}]}', b'{"keys": []}'])
def test_without_keys_nobody_is_verified(body):
    with published(Issuer(body=body)) as (keys, _), pytest.raises(Unavailable):
        keys.key("one")


def test_without_keys_it_is_tried_again_soon():
    issuer = Issuer(is_down=True)
    with published(issuer) as (keys, clock):
        for _ in range(3):
            with pytest.raises(Unavailable):
                keys.key("one")
        assert issuer.asked == 1
        issuer.is_down, clock.now_s = False, 1.0
        assert keys.key("one")


def test_without_an_answer_nobody_is_verified():
    with published(Issuer()) as (keys, _):
        pass
    with pytest.raises(Unavailable):
        keys.key("one")
