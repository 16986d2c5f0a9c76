"""The storage fake, asked by the real client and by plain HTTP: what both may rely on in the real one."""

import base64
import gzip
import hashlib
import http.client
import io
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import google_crc32c
import pytest
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    MethodNotImplemented,
    NotFound,
    NotModified,
    PreconditionFailed,
)
from google.auth.credentials import AnonymousCredentials
from google.cloud import pubsub_v1, storage
from google.oauth2 import service_account

from infra.local.storage_fake import storage_fake
from infra.local.storage_objects import CHUNK_BYTES
from infra.local.storage_signing import make_key
from infra.local.web import Response, serving

PROJECT = "demo-dancebits"


@pytest.fixture(scope="module")
def key():
    return make_key(PROJECT)


@pytest.fixture
def fake(tmp_path, key):
    with storage_fake(tmp_path / "objects", key=key) as running:
        yield running


@pytest.fixture
def bucket(fake):
    client = client_of(fake)
    yield client.create_bucket("bucket-1")
    client.close()


def client_of(fake):
    return storage.Client(PROJECT, AnonymousCredentials(), client_options=ClientOptions(api_endpoint=fake.url))


class TestBuckets:
    def test_a_bucket_is_made_once(self, bucket):
        with pytest.raises(Conflict):
            bucket.client.create_bucket("bucket-1")
        assert [each.name for each in bucket.client.list_buckets()] == ["bucket-1"]
        assert bucket.exists()

    def test_a_bucket_that_is_not_there_is_not_found(self, bucket):
        assert bucket.client.lookup_bucket("bucket-2") is None
        with pytest.raises(NotFound):
            bucket.client.bucket("bucket-2").blob("a").upload_from_string(b"x")

    def test_only_an_empty_bucket_is_deleted(self, bucket):
        blob = bucket.blob("a")
        blob.upload_from_string(b"x")
        with pytest.raises(Conflict):
            bucket.delete()
        blob.delete()
        bucket.delete()
        assert not bucket.exists()


class TestObjects:
    def test_what_goes_in_comes_out(self, bucket):
        bucket.blob("folder/a b&ü?.bin").upload_from_string(b"hello", content_type="video/mp4")
        blob = bucket.get_blob("folder/a b&ü?.bin")
        assert blob.download_as_bytes() == b"hello"
        assert (blob.size, blob.content_type, blob.metageneration) == (5, "video/mp4", 1)
        assert blob.md5_hash == base64.b64encode(hashlib.md5(b"hello").digest()).decode()
        assert blob.crc32c == base64.b64encode(google_crc32c.Checksum(b"hello").digest()).decode()

    def test_an_empty_object_is_an_object(self, bucket):
        bucket.blob("empty").upload_from_string(b"")
        assert bucket.get_blob("empty").size == 0
        assert bucket.blob("empty").download_as_bytes() == b""

    def test_a_generation_grows_and_the_one_before_is_gone(self, bucket):
        blob = bucket.blob("a")
        blob.upload_from_string(b"one")
        first = blob.generation
        blob.upload_from_string(b"two")
        assert blob.generation > first
        with pytest.raises(NotFound):
            bucket.blob("a", generation=first).download_as_bytes()
        assert bucket.blob("a", generation=blob.generation).download_as_bytes() == b"two"
        assert bucket.get_blob("a", generation=first) is None

    def test_the_space_of_the_generation_before_is_freed(self, bucket, tmp_path):
        for content in (b"one", b"two"):
            bucket.blob("a").upload_from_string(content)
        assert [file.read_bytes() for file in (tmp_path / "objects").iterdir()] == [b"two"]

    def test_a_reader_keeps_what_it_began_to_read(self, bucket):
        content = os.urandom(4_000_000)
        bucket.blob("a").upload_from_string(content)
        with bucket.blob("a").open("rb", chunk_size=CHUNK_BYTES) as file:
            assert file.read(10) == content[:10]
            file.seek(3_000_000)
            assert file.read() == content[3_000_000:]

    def test_metadata_is_changed_and_counted(self, bucket):
        blob = bucket.blob("a")
        blob.metadata = {"owner": "ada", "level": "2"}
        blob.upload_from_string(b"x")
        blob.metadata = {"owner": "bea", "level": None}
        blob.cache_control = "no-store"
        blob.patch()
        found = bucket.get_blob("a")
        assert found.metadata == {"owner": "bea"}
        assert (found.cache_control, found.metageneration) == ("no-store", 2)

    def test_what_is_deleted_is_gone(self, bucket):
        bucket.blob("a").upload_from_string(b"x")
        bucket.blob("a").delete()
        assert not bucket.blob("a").exists()
        with pytest.raises(NotFound):
            bucket.blob("a").delete()

    def test_damaged_content_is_refused(self, fake, bucket):
        with pytest.raises(HTTPError) as refused:
            media_upload(fake, "a", b"hello", {"x-goog-hash": "crc32c=AAAAAA=="})
        assert refused.value.code == 400
        refused.value.close()
        assert not bucket.blob("a").exists()

    def test_checksums_are_checked_by_the_client_too(self, bucket):
        for checksum in ("md5", "crc32c"):
            blob = bucket.blob(checksum)
            blob.upload_from_string(b"hello", checksum=checksum)
            assert blob.download_as_bytes(checksum=checksum) == b"hello"

    def test_a_media_upload_needs_no_parts(self, fake, bucket):
        media_upload(fake, "plain", b"hello")
        assert bucket.get_blob("plain").download_as_bytes() == b"hello"


class TestRanges:
    @pytest.mark.parametrize(
        ("start", "end", "expected"), [(0, 3, b"0123"), (7, None, b"789"), (8, 99, b"89"), (-3, None, b"789")]
    )
    def test_a_range_is_read(self, bucket, start, end, expected):
        bucket.blob("a").upload_from_string(b"0123456789")
        assert bucket.blob("a").download_as_bytes(start=start, end=end) == expected

    def test_a_range_beyond_the_end_is_refused(self, fake, bucket):
        bucket.blob("a").upload_from_string(b"0123456789")
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(f"{fake.url}/storage/v1/b/bucket-1/o/a?alt=media", headers={"Range": "bytes=10-"}))
        assert (refused.value.code, refused.value.headers["Content-Range"]) == (416, "bytes */10")
        refused.value.close()

    def test_a_part_says_where_it_belongs(self, fake, bucket):
        bucket.blob("a").upload_from_string(b"0123456789")
        with urlopen(Request(f"{fake.url}/storage/v1/b/bucket-1/o/a?alt=media", headers={"Range": "bytes=2-4"})) as got:
            assert (got.status, got.headers["Content-Range"], got.read()) == (206, "bytes 2-4/10", b"234")


class TestPreconditions:
    def test_zero_means_that_there_is_none(self, bucket):
        bucket.blob("a").upload_from_string(b"one", if_generation_match=0)
        with pytest.raises(PreconditionFailed):
            bucket.blob("a").upload_from_string(b"two", if_generation_match=0)
        assert bucket.blob("a").download_as_bytes() == b"one"

    def test_of_many_who_create_one_wins(self, bucket):
        def create(content):
            try:
                bucket.blob("a").upload_from_string(content, if_generation_match=0)
            except PreconditionFailed:
                return None
            return content

        with ThreadPoolExecutor(8) as pool:
            winners = [won for won in pool.map(create, [b"%d" % number for number in range(24)]) if won]
        assert winners == [bucket.blob("a").download_as_bytes()]

    def test_another_generation_is_neither_read_changed_nor_deleted(self, bucket):
        blob = bucket.blob("a")
        blob.upload_from_string(b"one")
        other = blob.generation + 1
        for refused in (blob.reload, blob.patch, blob.delete, blob.download_as_bytes):
            with pytest.raises(PreconditionFailed):
                refused(if_generation_match=other)
        blob.delete(if_generation_match=blob.generation)

    def test_a_reader_who_has_it_is_told_so(self, bucket):
        blob = bucket.blob("a")
        blob.upload_from_string(b"one")
        with pytest.raises(NotModified):
            blob.reload(if_generation_not_match=blob.generation)

    def test_metadata_is_changed_only_as_it_was_read(self, bucket):
        blob = bucket.blob("a")
        blob.upload_from_string(b"one")
        blob.metadata = {"owner": "ada"}
        blob.patch(if_metageneration_match=1)
        with pytest.raises(PreconditionFailed):
            blob.patch(if_metageneration_match=1)
        blob.patch(if_metageneration_not_match=1)

    def test_a_resumable_upload_is_refused_at_its_start(self, bucket):
        bucket.blob("a").upload_from_string(b"one")
        with pytest.raises(PreconditionFailed):
            bucket.blob("a").create_resumable_upload_session(if_generation_match=0)

    def test_a_resumable_upload_is_refused_at_its_end(self, bucket):
        session = bucket.blob("a").create_resumable_upload_session(if_generation_match=0)
        bucket.blob("a").upload_from_string(b"one")
        assert put(session, b"two").status == 412
        assert bucket.blob("a").download_as_bytes() == b"one"


def original(bucket):
    blob = bucket.blob("videos/a.mp4")
    blob.metadata = {"owner": "ada"}
    blob.upload_from_string(b"x" * (3 * CHUNK_BYTES + 7), "video/mp4")
    return blob


class TestCopies:
    def test_a_copy_has_what_is_known_of_its_original(self, bucket):
        source = original(bucket)
        copy = bucket.blob("copy ü.mp4")
        assert copy.rewrite(source) == (None, source.size, source.size)
        assert (copy.metadata, copy.content_type) == (source.metadata, source.content_type)
        assert copy.download_as_bytes() == source.download_as_bytes()
        assert copy.generation != source.generation

    def test_what_is_told_of_a_copy_takes_its_place(self, bucket):
        source, copy = original(bucket), bucket.blob("copy.mp4")
        copy.metadata = {"owner": "eve"}
        copy.rewrite(source)
        assert copy.metadata == {"owner": "eve"}

    def test_a_copy_that_is_there_already_is_refused_where_none_is_wanted(self, bucket):
        source = original(bucket)
        bucket.blob("copy.mp4").rewrite(source, if_generation_match=0)
        with pytest.raises(PreconditionFailed):
            bucket.blob("copy.mp4").rewrite(source, if_generation_match=0)

    def test_what_is_not_there_is_not_copied(self, bucket):
        with pytest.raises(NotFound):
            bucket.blob("copy.mp4").rewrite(bucket.blob("nothing.mp4"))


class TestLists:
    @pytest.fixture
    def names(self, bucket):
        names = ["a/1", "a/2", "a/b/3", "c", "d/4", "é"]
        for name in names:
            bucket.blob(name).upload_from_string(b"x")
        return names

    def test_all_objects_are_listed_in_order(self, bucket, names):
        assert [blob.name for blob in bucket.list_blobs()] == names

    @pytest.mark.usefixtures("names")
    def test_a_prefix_selects(self, bucket):
        assert [blob.name for blob in bucket.list_blobs(prefix="a/")] == ["a/1", "a/2", "a/b/3"]
        assert [blob.name for blob in bucket.list_blobs(start_offset="a/2", end_offset="d")] == ["a/2", "a/b/3", "c"]

    @pytest.mark.usefixtures("names")
    def test_a_delimiter_folds(self, bucket):
        listed = bucket.list_blobs(delimiter="/")
        assert [blob.name for blob in listed] == ["c", "é"]
        assert listed.prefixes == {"a/", "d/"}

    def test_pages_join_to_the_whole(self, bucket, names):
        pages = [[blob.name for blob in page] for page in bucket.list_blobs(page_size=2).pages]
        assert pages == [names[:2], names[2:4], names[4:]]

    @pytest.mark.usefixtures("names")
    def test_pages_of_folders_join_to_the_whole(self, bucket):
        listed = bucket.list_blobs(delimiter="/", page_size=1)
        assert [blob.name for blob in listed] == ["c", "é"]
        assert listed.prefixes == {"a/", "d/"}

    def test_an_empty_bucket_lists_nothing(self, bucket):
        assert list(bucket.list_blobs()) == []


class TestResumableUploads:
    def test_the_client_uploads_in_chunks(self, bucket):
        content = os.urandom(5 * CHUNK_BYTES + 17)
        blob = bucket.blob("video", chunk_size=2 * CHUNK_BYTES)
        blob.metadata = {"owner": "ada"}
        blob.upload_from_file(io.BytesIO(content), content_type="video/mp4", if_generation_match=0)
        found = bucket.get_blob("video")
        assert found.download_as_bytes() == content
        assert (found.content_type, found.metadata) == ("video/mp4", {"owner": "ada"})

    def test_the_client_uploads_what_has_no_known_length(self, bucket):
        with bucket.blob("stream").open("wb", chunk_size=CHUNK_BYTES) as file:
            for _ in range(5):
                file.write(b"x" * 100_000)
        assert bucket.get_blob("stream").size == 500_000

    def test_a_multiple_of_the_chunk_ends_too(self, bucket):
        blob = bucket.blob("video", chunk_size=CHUNK_BYTES)
        blob.upload_from_file(io.BytesIO(bytes(2 * CHUNK_BYTES)))
        assert bucket.get_blob("video").size == 2 * CHUNK_BYTES

    def test_a_lost_connection_is_resumed_from_what_arrived(self, bucket):
        content = os.urandom(4 * CHUNK_BYTES)
        session = bucket.blob("video").create_resumable_upload_session(size=len(content))
        break_off(session, content, after=2 * CHUNK_BYTES + 1000)
        arrived = f"bytes=0-{2 * CHUNK_BYTES - 1}"
        assert put_until(session, lambda answer: answer.headers.get("Range") == arrived).status == 308
        rest = f"bytes {2 * CHUNK_BYTES}-{len(content) - 1}/{len(content)}"
        assert put(session, content[2 * CHUNK_BYTES :], rest).status == 200
        assert bucket.get_blob("video").download_as_bytes() == content

    def test_a_client_that_comes_back_overtakes_its_hanging_connection(self, bucket):
        content = os.urandom(3 * CHUNK_BYTES)
        session = bucket.blob("video").create_resumable_upload_session()
        with hanging(session, content, after=CHUNK_BYTES):
            put_until(session, lambda answer: answer.headers.get("Range") is not None)
            assert put(session, content).status == 200
        assert bucket.get_blob("video").download_as_bytes() == content

    def test_a_status_query_tells_how_far_it_is(self, bucket):
        session = bucket.blob("video").create_resumable_upload_session()
        assert "Range" not in put(session, b"", "bytes */*").headers
        put(session, bytes(CHUNK_BYTES), f"bytes 0-{CHUNK_BYTES - 1}/*")
        assert put(session, b"", "bytes */*").headers["Range"] == f"bytes=0-{CHUNK_BYTES - 1}"
        done = put(session, b"", f"bytes */{CHUNK_BYTES}")
        assert (done.status, json.loads(done.read())["size"]) == (200, str(CHUNK_BYTES))

    def test_the_end_may_be_asked_for_again(self, bucket):
        session = bucket.blob("video").create_resumable_upload_session()
        first, again = (json.loads(put(session, b"hello").read()) for _ in range(2))
        assert first == again
        assert json.loads(put(session, b"", "bytes */5").read()) == first

    def test_bytes_that_were_sent_twice_count_once(self, bucket):
        content = os.urandom(2 * CHUNK_BYTES)
        session = bucket.blob("video").create_resumable_upload_session()
        for _ in range(2):
            put(session, content[:CHUNK_BYTES], f"bytes 0-{CHUNK_BYTES - 1}/*")
        assert put(session, content).status == 200
        assert bucket.get_blob("video").download_as_bytes() == content

    @pytest.mark.parametrize(
        ("body", "range_", "status"),
        [
            (b"x" * 1000, "bytes 0-999/*", 400),
            (b"x" * 1000, "bytes 0-99/100", 400),
            (b"x", "bytes one", 400),
            (b"x", f"bytes {CHUNK_BYTES}-{CHUNK_BYTES}/{CHUNK_BYTES + 1}", 503),
        ],
    )
    def test_a_chunk_that_does_not_fit_is_refused(self, bucket, body, range_, status):
        session = bucket.blob("video").create_resumable_upload_session()
        assert put(session, body, range_).status == status

    def test_more_or_less_than_announced_is_refused(self, bucket):
        session = bucket.blob("video").create_resumable_upload_session(size=10)
        assert put(session, b"hello").status == 400

    def test_a_cancelled_upload_is_over(self, bucket, tmp_path):
        session = bucket.blob("video").create_resumable_upload_session()
        put(session, bytes(CHUNK_BYTES), f"bytes 0-{CHUNK_BYTES - 1}/*")
        assert put(session, method="DELETE").status == 499
        assert put(session, b"", "bytes */*").status == 499
        assert not bucket.blob("video").exists()
        assert not list((tmp_path / "objects").iterdir())

    def test_an_upload_that_nobody_began_is_not_found(self, bucket):
        session = bucket.blob("video").create_resumable_upload_session()
        assert put(session + "x", b"hello").status == 404


class TestSignedUrls:
    def url(self, fake, blob, method="GET", **options):
        options = {"version": "v4", "expiration": timedelta(minutes=5), "credentials": fake.credentials} | options
        return blob.generate_signed_url(method=method, api_access_endpoint=fake.url, **options)

    def test_what_is_put_can_be_got(self, fake, bucket):
        blob = bucket.blob("videos/a b.mp4")
        headers = {"x-goog-meta-owner": "ada"}
        url = self.url(fake, blob, "PUT", content_type="video/mp4", headers=dict(headers))
        answer = put(url, b"hello", headers={**headers, "Content-Type": "video/mp4"})
        assert answer.status == 200
        blob.reload()
        assert (blob.content_type, blob.metadata) == ("video/mp4", {"owner": "ada"})
        assert answer.headers["X-Goog-Generation"] == str(blob.generation)
        with urlopen(self.url(fake, blob)) as got:
            assert (got.read(), got.headers["Content-Type"]) == (b"hello", "video/mp4")

    def test_a_range_of_one_generation_is_got_under_another_name(self, fake, bucket):
        bucket.blob("a").upload_from_string(b"0123456789")
        generation = bucket.get_blob("a").generation
        disposition = 'attachment; filename="dance.mp4"'
        url = self.url(fake, bucket.blob("a"), generation=generation, response_disposition=disposition)
        with urlopen(Request(url, headers={"Range": "bytes=2-4"})) as got:
            assert (got.status, got.read(), got.headers["Content-Disposition"]) == (206, b"234", disposition)

    def test_a_resumable_upload_is_begun_by_a_signature_and_continued_without(self, fake, bucket):
        content = os.urandom(2 * CHUNK_BYTES + 5)
        blob = bucket.blob("videos/a.mp4")
        url = self.url(fake, blob, "RESUMABLE", content_type="video/mp4")
        started = put(url, b"", method="POST", headers={"x-goog-resumable": "start", "Content-Type": "video/mp4"})
        assert started.status == 201
        session = started.headers["Location"]
        assert put(session, content[:CHUNK_BYTES], f"bytes 0-{CHUNK_BYTES - 1}/{len(content)}").status == 308
        assert (
            put(session, content[CHUNK_BYTES:], f"bytes {CHUNK_BYTES}-{len(content) - 1}/{len(content)}").status == 200
        )
        assert bucket.get_blob("videos/a.mp4").download_as_bytes() == content

    def test_the_most_that_may_be_sent_is_signed_too(self, fake, bucket):
        headers = {"x-goog-content-length-range": "1,10"}
        url = self.url(fake, bucket.blob("a"), "PUT", headers=dict(headers))
        assert put(url, bytes(11), headers=headers).status == 400
        assert put(url, b"", headers=headers).status == 400
        assert put(url, bytes(10), headers=headers).status == 200

    def test_only_the_first_may_create(self, fake, bucket):
        headers = {"x-goog-if-generation-match": "0"}
        url = self.url(fake, bucket.blob("a"), "PUT", headers=dict(headers))
        assert [put(url, b"x", headers=headers).status for _ in range(2)] == [200, 412]

    def test_an_expired_url_is_refused(self, fake, bucket):
        bucket.blob("a").upload_from_string(b"x")
        url = self.url(fake, bucket.blob("a"), expiration=timedelta(seconds=1))
        time.sleep(2.1)
        assert refusal(url) == (400, "ExpiredToken")

    def test_a_url_for_something_else_is_refused(self, fake, bucket):
        bucket.blob("a").upload_from_string(b"x")
        bucket.blob("b").upload_from_string(b"x")
        url = self.url(fake, bucket.blob("a"))
        assert refusal(url.replace("/bucket-1/a?", "/bucket-1/b?")) == (403, "SignatureDoesNotMatch")
        assert refusal(url, method="DELETE") == (403, "SignatureDoesNotMatch")
        assert refusal(url.replace("Expires=300", "Expires=3000")) == (403, "SignatureDoesNotMatch")

    def test_a_stranger_s_signature_is_refused(self, fake, bucket):
        bucket.blob("a").upload_from_string(b"x")
        stranger = make_key(PROJECT)
        url = self.url(
            fake, bucket.blob("a"), credentials=service_account.Credentials.from_service_account_info(stranger)
        )
        assert refusal(url) == (403, "SignatureDoesNotMatch")

    def test_nobody_reads_without_a_signature(self, fake, bucket):
        bucket.blob("a").upload_from_string(b"x")
        assert refusal(f"{fake.url}/bucket-1/a") == (403, "AccessDenied")

    def test_a_header_for_google_must_be_signed(self, fake, bucket):
        url = self.url(fake, bucket.blob("a"), "PUT")
        assert refusal(url, method="PUT", headers={"x-goog-meta-owner": "eve"}) == (400, "MalformedSecurityHeader")


class TestWhatItDoesNotDo:
    def test_a_composition_is_refused_in_words(self, bucket):
        bucket.blob("a").upload_from_string(b"x")
        with pytest.raises(MethodNotImplemented, match="this stand-in does not do"):
            bucket.blob("b").compose([bucket.blob("a")])

    def test_a_copy_by_the_older_way_is_refused(self, bucket):
        bucket.blob("a").upload_from_string(b"x")
        with pytest.raises(MethodNotImplemented):
            bucket.copy_blob(bucket.blob("a"), bucket, "b")

    def test_parameters_and_fields_without_meaning_here_are_refused(self, bucket):
        with pytest.raises(MethodNotImplemented, match="versions"):
            list(bucket.list_blobs(versions=True))
        with pytest.raises(MethodNotImplemented, match="predefinedAcl"):
            bucket.blob("a").upload_from_string(b"x", predefined_acl="private")
        blob = bucket.blob("a")
        blob.retention.mode = "Unlocked"
        with pytest.raises(MethodNotImplemented, match="retention"):
            blob.upload_from_string(b"x")

    def test_what_is_compressed_is_not_unpacked_for_those_who_cannot(self, fake, bucket):
        blob = bucket.blob("a")
        blob.content_encoding = "gzip"
        blob.upload_from_string(gzip.compress(b"x"))
        assert blob.download_as_bytes() == b"x"
        url = f"{fake.url}/storage/v1/b/bucket-1/o/a?alt=media"
        with pytest.raises(HTTPError, match="501"):
            urlopen(url)

    def test_notifications_need_a_pubsub(self, bucket):
        with pytest.raises(MethodNotImplemented, match="without Pub/Sub"):
            bucket.notification("topic-1").create()

    def test_nonsense_is_a_bad_request(self, fake):
        connection = http.client.HTTPConnection(fake.host)
        connection.request("POST", "/storage/v1/b", b"[1, 2")
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]["errors"][0]["reason"]) == (400, "parseError")
        connection.close()


def test_two_hundred_uploads_at_once_all_arrive(fake, bucket):
    contents = {f"video-{number}": os.urandom(300_000) for number in range(200)}
    barrier = threading.Barrier(len(contents))

    def upload(name):
        session = bucket.blob(name).create_resumable_upload_session()
        barrier.wait(timeout=60)
        return put(session, contents[name]).status

    with ThreadPoolExecutor(len(contents)) as pool:
        assert set(pool.map(upload, contents)) == {200}
    assert {blob.name for blob in bucket.list_blobs()} == set(contents)
    assert all(bucket.blob(name).download_as_bytes() == content for name, content in contents.items())


def test_an_upload_is_answered_only_when_it_is_told(tmp_path, key):
    """Pub/Sub fails twice before it takes the message."""
    attempts = []

    def pubsub(request):
        if request.method == "POST":
            attempts.append(request.json()["messages"][0]["attributes"]["objectId"])
        return Response(503 if 0 < len(attempts) < 3 else 200)

    with serving(pubsub) as port, storage_fake(tmp_path, f"127.0.0.1:{port}", key=key) as fake:
        bucket = client_of(fake).create_bucket("bucket-1")
        bucket.notification("uploads", PROJECT).create()
        bucket.blob("a").upload_from_string(b"x")
    assert attempts == ["a", "a", "a"]


def media_upload(fake, name, content, headers=None):
    url = f"{fake.url}/upload/storage/v1/b/bucket-1/o?uploadType=media&name={name}"
    with urlopen(Request(url, content, {"Content-Type": "video/mp4", **(headers or {})}, method="POST")) as answer:
        return json.loads(answer.read())


def put(url, content=b"", range_=None, method="PUT", headers=None):
    """By plain HTTP, as an app would: neither redirects nor errors are followed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    all_headers = {**({"Content-Range": range_} if range_ else {}), **(headers or {})}
    connection.request(method, f"{parts.path}?{parts.query}", content, all_headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    answer.read = lambda: body
    return answer


def put_until(session, satisfied):
    for _ in range(500):
        answer = put(session, b"", "bytes */*")
        if satisfied(answer):
            return answer
    raise AssertionError("the upload never got on")


def refusal(url, method="GET", headers=None):
    answer = put(url, method=method, headers=headers)
    return answer.status, answer.read().decode().partition("<Code>")[2].partition("</Code>")[0]


def hanging(session, content, after):
    """A connection that sends so much of the content, and then nothing more."""
    parts = urlsplit(session)
    connection = socket.create_connection((parts.hostname, parts.port))
    head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content[:after])
    return connection


def break_off(session, content, after):
    hanging(session, content, after).close()


@pytest.mark.emulator
class TestNotifications:
    TOPIC = f"projects/{PROJECT}/topics/uploads"
    SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/uploads"

    @pytest.fixture
    def subscriber(self, pubsub_host, monkeypatch):
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_host)
        publisher = pubsub_v1.PublisherClient()
        with pubsub_v1.SubscriberClient() as subscriber:
            publisher.create_topic(name=self.TOPIC)
            subscriber.create_subscription(name=self.SUBSCRIPTION, topic=self.TOPIC)
            yield subscriber
            subscriber.delete_subscription(subscription=self.SUBSCRIPTION)
            publisher.delete_topic(topic=self.TOPIC)
        publisher.stop()
        publisher.transport.close()

    def test_an_upload_is_told(self, tmp_path, key, pubsub_host, subscriber):
        with storage_fake(tmp_path, pubsub_host, key=key) as fake:
            bucket = client_of(fake).create_bucket("bucket-1")
            self.notify(bucket)
            blob = bucket.blob("videos/a.mp4")
            blob.metadata = {"owner": "ada"}
            blob.upload_from_string(b"hello", content_type="video/mp4")
            (message,) = self.messages(subscriber, 1)
        assert dict(message.attributes) == {
            "notificationConfig": "projects/_/buckets/bucket-1/notificationConfigs/1",
            "eventType": "OBJECT_FINALIZE",
            "payloadFormat": "JSON_API_V1",
            "bucketId": "bucket-1",
            "objectId": "videos/a.mp4",
            "objectGeneration": str(blob.generation),
            "eventTime": message.attributes["eventTime"],
        }
        resource = json.loads(message.data)
        assert (resource["size"], resource["metadata"]) == ("5", {"owner": "ada"})
        assert resource["generation"] == str(blob.generation)

    def test_only_what_was_asked_for_is_told(self, tmp_path, key, pubsub_host, subscriber):
        with storage_fake(tmp_path, pubsub_host, key=key) as fake:
            bucket = client_of(fake).create_bucket("bucket-1")
            self.notify(bucket, prefix="videos/")
            for name in ("notes/a", "videos/a", "videos/a"):
                bucket.blob(name).upload_from_string(b"x")
            bucket.blob("videos/a").delete()
            first, second = self.messages(subscriber, 2)
        assert {message.attributes["objectId"] for message in (first, second)} == {"videos/a"}
        overwrote = {message.attributes.get("overwroteGeneration") for message in (first, second)}
        assert None in overwrote
        assert len(overwrote) == 2

    def test_an_unknown_topic_is_refused(self, tmp_path, key, pubsub_host):
        with storage_fake(tmp_path, pubsub_host, key=key) as fake:
            bucket = client_of(fake).create_bucket("bucket-1")
            with pytest.raises(BadRequest):
                bucket.notification("no-such-topic", PROJECT).create()

    def notify(self, bucket, prefix=None):
        notification = bucket.notification(
            "uploads", PROJECT, event_types=["OBJECT_FINALIZE"], payload_format="JSON_API_V1", blob_name_prefix=prefix
        )
        notification.create()
        assert [each.topic_name for each in bucket.list_notifications()] == ["uploads"]

    def messages(self, subscriber, count):
        found = []
        while len(found) < count:
            pulled = subscriber.pull(subscription=self.SUBSCRIPTION, max_messages=10, timeout=10)
            found += [each.message for each in pulled.received_messages]
            subscriber.acknowledge(
                subscription=self.SUBSCRIPTION, ack_ids=[each.ack_id for each in pulled.received_messages]
            )
        assert len(found) == count
        return found
