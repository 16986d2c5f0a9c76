"""A service on ports in memory, an issuer of tokens with a key of its own, and requests as the app makes them."""

import base64
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from functions.api.handler import answer
from functions.api.service import Service
from functions.api.settings import ApiSettings
from functions.api.tokens import Signed, app_check_issuer, firebase_issuer
from functions.api.web import Request, Response
from shared.job import Job, Kind, Source, State
from shared.memory import MemoryBlobStore, MemoryJobStore, MemoryQuota, MemoryUrlSigner
from tests.functions.support import SETTINGS, Clock

NUMBER = "123456789012"
KEY_ID = "key-1"
API = ApiSettings(origins="https://app.example.com", project_number=NUMBER, teachers="carmen")
VIDEO = {"kind": "segment", "file_name": "Mi baile.mp4", "content_type": "video/mp4", "size": 5}


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class OwnKeys:
    """As an issuer publishes them."""

    def key(self, key_id: str) -> rsa.RSAPublicKey | None:
        return private_key(KEY_ID).public_key() if key_id == KEY_ID else None


def encoded(part: bytes | Mapping[str, Any]) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims: Mapping[str, Any], key: str = KEY_ID, **header: Any) -> str:
    """A token; ``key`` names the one that it is truly signed with. A claim that is None is not there."""
    told = {name: value for name, value in claims.items() if value is not None}
    message = f"{encoded({'alg': 'RS256', 'kid': KEY_ID, 'typ': 'JWT', **header})}.{encoded(told)}"
    return f"{message}.{encoded(private_key(key).sign(message.encode(), PKCS1v15(), SHA256()))}"


def user_claims(user: str, now: float, project: str = SETTINGS.project) -> dict[str, Any]:
    return {
        "iss": f"https://securetoken.google.com/{project}", "aud": project, "sub": user, "user_id": user,
        "iat": now - 60, "auth_time": now - 120, "exp": now + 3540, "firebase": {"sign_in_provider": "password"},
    }  # fmt: skip


def app_claims(now: float, number: str = NUMBER) -> dict[str, Any]:
    return {
        "iss": f"https://firebaseappcheck.googleapis.com/{number}", "aud": [f"projects/{number}", "projects/demo"],
        "sub": f"1:{number}:web:abc", "iat": now - 60, "exp": now + 3540,
    }  # fmt: skip


@dataclass
class App:
    """The app in somebody's hand, and the service that it asks."""

    clock: Clock = field(default_factory=Clock)
    api: ApiSettings = API
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.jobs, self.blobs, self.quota = MemoryJobStore(self.clock), MemoryBlobStore(), MemoryQuota()
        self.signer = MemoryUrlSigner(self.blobs, self.clock)
        numbers = itertools.count(1)
        service = Service(
            SETTINGS, self.api, self.jobs, self.blobs, self.signer, self.quota,
            firebase_issuer(SETTINGS.project, Signed(OwnKeys())), app_check_issuer(NUMBER, Signed(OwnKeys())),
            lambda: f"{next(numbers):032x}", self.clock,
        )  # fmt: skip
        self.service = replace(service, **self.changes)

    @property
    def seconds(self) -> float:
        return self.clock.now.timestamp()

    def headers(self, user: str) -> dict[str, str]:
        tokens = {"authorization": f"Bearer {signed(user_claims(user, self.seconds))}"}
        return {**tokens, "x-firebase-appcheck": signed(app_claims(self.seconds))}

    def ask(
        self, method: str, path: str, user: str = "maria", body: Any = None, headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:  # fmt: skip
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"content-type": "application/json"} if content else {}
        told |= self.headers(user) if headers is None else headers
        return answer(Request(method, path, query or {}, told, content), self.service)

    def upload(self, user: str = "maria", content: bytes = b"dance", **changes: Any) -> Source:
        """Asked for, and complete."""
        told = said(self.ask("POST", "/v1/uploads", user, {**VIDEO, **changes, "size": len(content)}), 201)
        return self.signer.put(told["request"]["url"], told["request"]["headers"], content)

    def job(self, user: str = "maria", state: State = State.DONE, **fields: Any) -> Job:
        """Of an upload that intake has seen."""
        source = self.upload(user)
        job = Job(source.job_id, Kind.SEGMENT, user, source, self.clock(), self.clock() + KEEP, state=state)
        return self.jobs.create(replace(job, **fields))


KEEP = SETTINGS.step_lease * 1000


def said(response: Response, status: int) -> Any:
    assert response.status == status, response.body
    return json.loads(response.body) if response.body else None


def refused(response: Response, status: int) -> str:
    """The code of the one form in which errors are told."""
    told = said(response, status)
    assert set(told) == {"error"}
    assert set(told["error"]) == {"code", "message"}
    assert told["error"]["message"]
    return told["error"]["code"]
