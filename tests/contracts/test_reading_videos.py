"""Videos are read where they lie: in Cloud Storage, in S3, by ranges, through the decoder."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.local.sample.video import write_sample
from shared.errors import BadOption, MissingSettings, NotFound, SourceGone, Unavailable
from shared.media import frames, probe
from shared.s3 import S3BlobStore
from tests.contracts.shelves import Shelf

NAME = "videos/dance.mp4"
OVERWRITTEN: dict[str, Callable[[Shelf], None]] = {
    "overwritten": lambda shelf: shelf.put(NAME, b"another video"),
    "deleted": lambda shelf: shelf.delete(NAME) if shelf.delete else None,
}

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "dance.mp4"
    write_sample(path, duration_s=3.0, width=320, height=180)
    return path


@pytest.fixture(params=["cloud", "s3"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    return request.getfixturevalue(f"{request.param}_shelf")


def test_a_video_in_a_bucket_is_the_same_as_on_the_disk(shelf: Shelf, video: Path) -> None:
    shelf.put(NAME, video.read_bytes())
    source = shelf.store.stat(shelf.bucket, NAME).source
    with shelf.store.open(source) as file:
        assert probe(file) == probe(video)
    with shelf.store.open(source) as file:
        shown = [frame.picture.tobytes() for frame in frames(file, rate_hz=5.0)]
    assert shown == [frame.picture.tobytes() for frame in frames(video, rate_hz=5.0)]


@pytest.mark.parametrize("fate", OVERWRITTEN)
def test_a_video_that_goes_while_it_is_read_is_gone_and_not_damaged(shelf: Shelf, video: Path, fate: str) -> None:
    shelf.put(NAME, video.read_bytes())
    with shelf.store.open(shelf.store.stat(shelf.bucket, NAME).source) as file:
        OVERWRITTEN[fate](shelf)
        with pytest.raises(SourceGone):
            probe(file)


def test_an_s3_address_names_an_object(s3_shelf: Shelf) -> None:
    store = S3BlobStore()
    s3_shelf.put("clips/salsa #1? ü.mp4", b"video")
    found = store.locate(f"s3://{s3_shelf.bucket}/clips/salsa #1? ü.mp4")
    assert found == store.stat(s3_shelf.bucket, "clips/salsa #1? ü.mp4")
    with store.open(found.source) as file:
        assert file.read() == b"video"


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3:///clip.mp4", "s3:clip", "https://b/clip.mp4", ""])
def test_another_address_is_a_bad_option(url: str) -> None:
    with pytest.raises(BadOption, match="s3://bucket/name"):
        S3BlobStore().locate(url)


def test_an_s3_address_of_nothing_is_not_found(s3_shelf: Shelf) -> None:
    with pytest.raises(NotFound):
        S3BlobStore().locate(f"s3://{s3_shelf.bucket}/nothing.mp4")
    with pytest.raises(NotFound):
        S3BlobStore().locate("s3://no-such-bucket-anywhere/nothing.mp4")


def test_versions_of_an_s3_object_with_the_same_bytes_are_told_apart(s3_shelf: Shelf) -> None:
    s3_client = S3BlobStore()._client
    s3_client.put_bucket_versioning(Bucket=s3_shelf.bucket, VersioningConfiguration={"Status": "Enabled"})
    s3_shelf.put(NAME, b"same")
    first = s3_shelf.store.stat(s3_shelf.bucket, NAME).source
    s3_shelf.put(NAME, b"same")
    assert s3_shelf.store.stat(s3_shelf.bucket, NAME).source.generation != first.generation
    with pytest.raises(SourceGone):
        s3_shelf.store.open(first)


def test_s3_without_credentials_says_so(s3_shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(MissingSettings, match="credentials"):
        S3BlobStore().stat(s3_shelf.bucket, NAME)


def test_s3_that_does_not_answer_is_unavailable(s3_shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(Unavailable, match="S3 does not answer"):
        S3BlobStore().stat(s3_shelf.bucket, NAME)


def test_a_bucket_that_cannot_be_one_is_a_bad_option(s3_shelf: Shelf) -> None:
    with pytest.raises(BadOption, match="Bad Bucket"):
        s3_shelf.store.stat("Bad Bucket", NAME)


def test_a_profile_that_is_not_there_is_told(s3_shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(MissingSettings, match="nobody"):
        s3_shelf.store.stat(s3_shelf.bucket, NAME)


@pytest.mark.parametrize(
    ("status", "code", "fate"),
    [
        (400, "ExpiredToken", MissingSettings),
        (301, "PermanentRedirect", MissingSettings),
        (400, "RequestTimeout", Unavailable),
        (404, "NoSuchKey", NotFound),
        (429, "SlowDown", Unavailable),
        (503, "SlowDown", Unavailable),
    ],
)
def test_a_refusal_of_s3_is_told_by_what_may_mend_it(
    s3_shelf: Shelf, monkeypatch: pytest.MonkeyPatch, status: int, code: str, fate: type[Exception]
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with refusing(status, code) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(fate, match=code):
            S3BlobStore().create(s3_shelf.bucket, NAME, b"", "video/mp4")


@pytest.mark.parametrize("status", [301, 400])
def test_a_refusal_without_reasons_asks_for_region_and_credentials(
    s3_shelf: Shelf, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with refusing(status, "") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(MissingSettings, match=r"region.*credentials"):
            S3BlobStore().stat(s3_shelf.bucket, NAME)


@contextmanager
def refusing(status: int, code: str) -> Generator[str]:
    """An S3 that refuses everything; a HEAD without saying why."""
    body = f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()

    class Refusal(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(body)

        def _answer(self, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("x-amz-bucket-region", "eu-west-1")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
