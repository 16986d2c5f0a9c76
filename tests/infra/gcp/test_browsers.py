"""A browser may send to a bucket only what the bucket names beforehand: all that an address is signed with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from infra.local.storage_signing import make_key
from shared.gcp.signing import CloudUrlSigner
from shared.job import FOLDER_OF, Kind, Source
from shared.logs import bound, carried
from shared.options import OPTIONS
from shared.ports import Grant, SignedRequest
from tests.infra.gcp.hcl import local

BY_ITSELF = {"host"}
"""What a browser sends without being asked whether it may."""
ANSWERED = {"location", "range"}
"""What the page reads of the answers: where the upload goes on, and how far it is."""
SENT_LATER = {"content-range", "content-type"}
"""With each part, to that address."""


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> CloudUrlSigner:
    key: Path = tmp_path_factory.mktemp("keys") / "key.json"
    key.write_text(json.dumps(make_key("demo-studio")))
    return CloudUrlSigner("demo-studio", key=str(key))


def allowed() -> set[str]:
    """The headers that the uploads bucket lets a page send and read, in small letters, as they are compared."""
    metadata = (f"X-Goog-Meta-{name}" for name in local("upload_metadata"))
    return {header.lower() for header in (*local("upload_headers"), *metadata)}


def signed_headers(request: SignedRequest) -> set[str]:
    (told,) = parse_qs(urlsplit(request.url).query)["X-Goog-SignedHeaders"]
    return set(told.split(";")) - BY_ITSELF


def everything(kind: Kind) -> Mapping[str, str]:
    """The metadata of an upload that asks for all that can be asked for, within a trace."""
    with bound(trace="4d" * 16):
        return {"owner": "maria", **carried(), **dict.fromkeys(OPTIONS[kind], "1")}


@pytest.mark.parametrize("kind", Kind)
def test_a_browser_may_send_all_that_an_upload_is_signed_with(kind: Kind, signer: CloudUrlSigner) -> None:
    grant = Grant("uploads", f"{FOLDER_OF[kind]}/maria/1/dance.mp4", "video/mp4", 1, everything(kind))
    request = signer.upload(grant, timedelta(minutes=1))
    assert signed_headers(request) == {name.lower() for name in request.headers} > {"x-goog-meta-traceparent"}
    assert signed_headers(request) <= allowed()


def test_nothing_is_allowed_that_no_upload_needs(signer: CloudUrlSigner) -> None:
    grants = (Grant("uploads", "videos/a", "video/mp4", 1, everything(kind)) for kind in Kind)
    signed = (signed_headers(signer.upload(grant, timedelta(minutes=1))) for grant in grants)
    assert allowed() == set().union(*signed, ANSWERED, SENT_LATER)


def test_the_uploads_bucket_names_these_headers_and_the_methods_of_an_upload() -> None:
    cors = local("buckets")["uploads"]["cors"]
    assert cors["methods"] == ["POST", "PUT"]
    assert "local.upload_headers" in cors["headers"]
    assert 'local.upload_metadata : "X-Goog-Meta-${name}"' in cors["headers"]


def test_a_browser_needs_no_header_to_read_a_result(signer: CloudUrlSigner) -> None:
    request = signer.download(Source("results", "job/result.json", 1), timedelta(minutes=1))
    assert signed_headers(request) == set()
