"""Who may do what in which collection: what the rules shall say, and asking the emulator whether they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from typing import Any

from tests.infra.gcp.asking import NOW, Database, Verdict, token


class Who(StrEnum):
    OWNER = "owner"
    OTHER = "other user"
    NOBODY = "anonymous"
    FORGED = "forged"
    """A token in the owner's name that Firebase did not issue."""
    EXPIRED = "expired"


class What(StrEnum):
    GET = "get"
    LIST = "list"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


HERS, HIS = "maria", "jose"
EVERYTHING = frozenset(What)
READ = frozenset({What.GET, What.LIST})
NOTHING = frozenset[What]()


@dataclass(frozen=True, slots=True)
class Collection:
    """``document`` is Maria's, where it is somebody's. ``fields`` are such as may be written, where anything may."""

    document: str
    fields: Mapping[str, Any]
    owner: frozenset[What] = NOTHING
    other: frozenset[What] = NOTHING
    query: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.document.rpartition("/")[0]

    def allows(self, who: Who, what: What) -> bool:
        return what in {Who.OWNER: self.owner, Who.OTHER: self.other}.get(who, frozenset())


def own_jobs(owner: str) -> dict[str, Any]:
    """The query of docs/schema.md: a user's jobs, latest first."""
    mine = {"field": {"fieldPath": "owner"}, "op": "EQUAL", "value": {"stringValue": owner}}
    latest = [{"field": {"fieldPath": "createdAt"}, "direction": "DESCENDING"}]
    return {"where": {"fieldFilter": mine}, "orderBy": latest, "limit": 20}


PROFILE: Mapping[str, Any] = {"name": "María", "language": "es-419", "updatedAt": NOW}
WISH: Mapping[str, Any] = {
    "name": "Friday's class", "difficulty": "advanced", "energy": "auto", "style": "sensual", "updatedAt": NOW,
}  # fmt: skip
DEVICE: Mapping[str, Any] = {"token": "f" * 163, "platform": "android", "updatedAt": NOW}
JOB: Mapping[str, Any] = {"owner": HERS, "state": "RUNNING", "createdAt": NOW}

COLLECTIONS: tuple[Collection, ...] = (
    Collection("jobs/0123", JOB, owner=READ, query=own_jobs(HERS)),
    Collection("jobs/0123/steps/audio", {"state": "DONE"}),
    Collection("jobs/0123/notes/one", {"owner": HERS}),
    Collection("executors/0", {"state": "RUNNING"}),
    Collection(f"quota/{HERS}~jobs", {"owner": HERS}),
    Collection(
        f"quota/{HERS}~jobs/slots/0", {"schema": 1, "expireAt": NOW, "holder": "videos/maria/1/a", "since": NOW}
    ),
    Collection("library/basic-01", {"label": "basic"}, owner=READ, other=READ, query={"limit": 100}),
    Collection("library/basic-01/notes/one", {"label": "basic"}),
    Collection(f"users/{HERS}", PROFILE, owner=EVERYTHING - {What.LIST}),
    Collection(f"users/{HERS}/wishes/friday", WISH, owner=EVERYTHING),
    Collection(f"users/{HERS}/devices/phone", DEVICE, owner=EVERYTHING),
    Collection(f"users/{HERS}/secrets/one", {"owner": HERS, "updatedAt": NOW}),
    Collection("whatever/else", {"owner": HERS}),
)


@dataclass(frozen=True, slots=True)
class Case:
    collection: Collection
    who: Who
    what: What

    @property
    def is_allowed(self) -> bool:
        return self.collection.allows(self.who, self.what)

    def __str__(self) -> str:
        return f"{self.who} {self.what} {self.collection.name}"


CASES = tuple(Case(*case) for case in product(COLLECTIONS, Who, What))


def tokens(project: str) -> Mapping[Who, str]:
    return {
        Who.OWNER: token(HERS, project),
        Who.OTHER: token(HIS, project),
        Who.NOBODY: "",
        Who.FORGED: token(HERS, project, iss="https://accounts.example"),
        Who.EXPIRED: token(HERS, project, iat=1_700_000_000, exp=1_700_003_600),
    }


def asked(case: Case, server: Database) -> Verdict:
    """What becomes of it where the document is there, or, for a creation, is not."""
    place = case.collection
    prepare: Callable[[], Verdict] = lambda: server.put(place.document, place.fields)  # noqa: E731
    if case.what is What.CREATE:
        prepare = lambda: server.delete(place.document)  # noqa: E731
    assert prepare() is Verdict.ALLOWED
    asker = server.asked_by(tokens(server.project)[case.who])
    match case.what:
        case What.GET:
            return asker.get(place.document)
        case What.LIST:
            return asker.find(place.name, place.query)
        case What.CREATE:
            return asker.create(place.document, place.fields)
        case What.UPDATE:
            return asker.update(place.document, place.fields)
        case What.DELETE:
            return asker.delete(place.document)


@dataclass(frozen=True, slots=True)
class Writing:
    """What the owner writes at a place of hers, and whether it is fit to be kept."""

    reason: str
    path: str
    fields: Mapping[str, Any]
    is_fit: bool = False


def _with(fields: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """Those with other values; a value None takes a field away."""
    return {name: value for name, value in {**fields, **others}.items() if value is not None}


def _writings() -> Iterator[Writing]:
    """Each rule on a field, at its limits and beyond."""
    me, wish, device = f"users/{HERS}", f"users/{HERS}/wishes/one", f"users/{HERS}/devices/one"
    yield Writing("a profile needs neither name nor language", me, {"updatedAt": NOW}, is_fit=True)
    yield Writing("a name as long as it may be", me, _with(PROFILE, name="á" * 80), is_fit=True)
    yield Writing("a name too long", me, _with(PROFILE, name="á" * 81))
    yield Writing("an empty name", me, _with(PROFILE, name=""))
    yield Writing("a name that is a number", me, _with(PROFILE, name=7))
    yield Writing("a language that is none", me, _with(PROFILE, language="Spanish, please"))
    yield Writing("a language that is a map", me, _with(PROFILE, language={"es": True}))
    yield Writing("a field that a profile has not", me, _with(PROFILE, admin=True))
    yield Writing("a profile without a stamp", me, _with(PROFILE, updatedAt=None))
    yield Writing("a stamp of the phone's own", me, _with(PROFILE, updatedAt="2026-01-01"))
    for difficulty in ("beginner", "intermediate", "advanced"):
        yield Writing(f"a wish for {difficulty}", wish, _with(WISH, difficulty=difficulty), is_fit=True)
    for energy in ("low", "medium", "high", "auto"):
        yield Writing(f"a wish for {energy} energy", wish, _with(WISH, energy=energy), is_fit=True)
    for style in ("traditional", "modern", "sensual"):
        yield Writing(f"a wish for {style}", wish, _with(WISH, style=style), is_fit=True)
    yield Writing("a wish for nothing in particular", wish, {"name": "any", "updatedAt": NOW}, is_fit=True)
    yield Writing("a wish without a name", wish, _with(WISH, name=None))
    yield Writing("a wish with a name too long", wish, _with(WISH, name="x" * 81))
    yield Writing("a difficulty that is none", wish, _with(WISH, difficulty="low"))
    yield Writing("an energy that is none", wish, _with(WISH, energy="wild"))
    yield Writing("a style that is none", wish, _with(WISH, style="salsa"))
    yield Writing("a field that a wish has not", wish, _with(WISH, price=0))
    yield Writing("a wish without a stamp", wish, _with(WISH, updatedAt=None))
    yield Writing("an id as long as it may be", f"users/{HERS}/wishes/{'w' * 64}", WISH, is_fit=True)
    yield Writing("an id too long", f"users/{HERS}/wishes/{'w' * 65}", WISH)
    yield Writing("an id with other signs", f"users/{HERS}/wishes/a.b", WISH)
    for platform in ("android", "ios", "web"):
        yield Writing(f"a device of {platform}", device, _with(DEVICE, platform=platform), is_fit=True)
    yield Writing("a platform that is none", device, _with(DEVICE, platform="fridge"))
    yield Writing("a device without a platform", device, _with(DEVICE, platform=None))
    yield Writing("a device without a token", device, _with(DEVICE, token=None))
    yield Writing("a token as long as it may be", device, _with(DEVICE, token="t" * 4096), is_fit=True)
    yield Writing("a token too long", device, _with(DEVICE, token="t" * 4097))
    yield Writing("a field that a device has not", device, _with(DEVICE, owner=HIS))
    yield Writing("a device without a stamp", device, _with(DEVICE, updatedAt=None))
    yield Writing("a device of an id with other signs", f"users/{HERS}/devices/a b", DEVICE)


WRITINGS = tuple(_writings())


@dataclass(frozen=True, slots=True)
class Asking:
    """A query of the owner's, and whether it is answered."""

    reason: str
    collection: str
    query: Mapping[str, Any]
    is_allowed: bool = False
    everywhere: bool = False


def _askings() -> Iterator[Asking]:
    hers = own_jobs(HERS)
    yield Asking("a hundred jobs of her own", "jobs", {**hers, "limit": 100}, is_allowed=True)
    yield Asking("more than a hundred", "jobs", {**hers, "limit": 101})
    yield Asking("jobs without end", "jobs", {name: part for name, part in hers.items() if name != "limit"})
    yield Asking("anybody's jobs", "jobs", {"limit": 20})
    yield Asking("another's jobs", "jobs", own_jobs(HIS))
    yield Asking("a hundred moves", "library", {"limit": 100}, is_allowed=True)
    yield Asking("more moves", "library", {"limit": 101})
    yield Asking("moves without end", "library", {})
    for name in ("jobs", "steps", "users", "wishes", "devices", "executors", "library", "quota", "slots"):
        yield Asking(f"{name} wherever they are", name, {"limit": 1}, everywhere=True)


ASKINGS = tuple(_askings())


def answer(asking: Asking, asker: Database) -> Verdict:
    return asker.find(asking.collection, asking.query, everywhere=asking.everywhere)


FORGERIES: tuple[Mapping[str, Any], ...] = (
    {"iss": "https://securetoken.google.com.example/demo"},
    {"iss": ""},
    {"exp": 1},
    {"sub": None, "user_id": None},
    {"sub": "", "user_id": ""},
)
"""Claims in place of a user's own that Firebase would not issue."""


def ask_everything(server: Database) -> None:
    """All that stands in the tables, once."""
    owner = server.asked_by(tokens(server.project)[Who.OWNER])
    for case in CASES:
        asked(case, server)
    for asking in ASKINGS:
        answer(asking, owner)
    for writing in WRITINGS:
        owner.put(writing.path, writing.fields)
    for claims in FORGERIES:
        server.asked_by(token(HERS, server.project, **claims)).get("jobs/0123")
    owner.get("jobs/still-to-come")
