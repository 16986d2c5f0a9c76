"""The pose model: built for real, checked, cached, and asked for in every way that may fail."""

import dataclasses
import hashlib
import http.server
import multiprocessing
import subprocess
import sys
import threading
import zipfile
from functools import partial
from pathlib import Path

import flatbuffers
import pytest

from functions.pose import model
from functions.pose.model import BUILT_SHA256, ENTRY_ALIGNMENT, LANDMARKS, OFFICIAL, Official, bundle
from functions.pose.tflite import with_normalization, without_output
from shared.errors import MissingTool, Unavailable
from tests.functions.pose_model import pose_model

NOBODY_LISTENS = "http://127.0.0.1:9"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def built() -> Path:
    return pose_model()


@pytest.fixture
def offline(monkeypatch):
    """No package index and no web."""
    for name in ("PIP_INDEX_URL", "https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, NOBODY_LISTENS)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


class TestBuilt:
    @pytest.mark.usefixtures("built")
    def test_it_is_downloaded_built_and_found_again(self, tmp_path, monkeypatch):
        path = bundle(None, tmp_path / "new")  # a folder of its own, so this one is fetched for real
        assert sha256(path) == BUILT_SHA256
        monkeypatch.setattr(subprocess, "run", None)  # nothing is fetched twice
        assert bundle("", tmp_path / "new") == path
        assert [entry.name for entry in path.parent.iterdir()] == [path.name], "no parts are left lying about"

    def test_a_damaged_one_is_built_again(self, built, tmp_path, monkeypatch):
        monkeypatch.setattr(model, "_build", built.read_bytes)
        path = tmp_path / built.name
        path.write_bytes(b"half of it")
        assert sha256(bundle(None, tmp_path)) == BUILT_SHA256

    def test_processes_that_build_at_once_do_not_disturb_each_other(self, built, tmp_path):
        context = multiprocessing.get_context("spawn")
        with context.Pool(3) as pool:
            paths = pool.map(partial(build_from, built), [tmp_path] * 6)
        assert {sha256(path) for path in paths} == {BUILT_SHA256}
        assert len(list(tmp_path.iterdir())) == 1

    def test_it_is_stored_unpacked_with_its_networks_aligned(self, built):
        with zipfile.ZipFile(built) as archive:
            entries = archive.infolist()
            assert [entry.filename for entry in entries] == ["pose_detector.tflite", "pose_landmarks_detector.tflite"]
            whole = built.read_bytes()
            for entry in entries:
                assert entry.compress_type == zipfile.ZIP_STORED
                start = whole.index(archive.read(entry))
                assert start % ENTRY_ALIGNMENT == 0


def build_from(built: Path, cache: Path) -> Path:
    model._build = built.read_bytes
    return bundle(None, cache)


class TestNotToBeHad:
    @pytest.mark.usefixtures("offline")
    def test_without_a_package_index_it_says_what_is_missing(self, tmp_path):
        with pytest.raises(MissingTool, match=r"inside the package mediapipe==0\.10\.21, and pip could not download"):
            bundle(None, tmp_path)
        assert not list(tmp_path.iterdir())

    def test_without_pip_it_says_so(self, tmp_path, monkeypatch):
        no_pip = tmp_path / "python"
        no_pip.write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
        no_pip.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(no_pip))
        with pytest.raises(MissingTool, match="No module named pip"):
            bundle(None, tmp_path / "cache")

    def test_pip_that_hangs_is_given_up(self, tmp_path, monkeypatch):
        slow = tmp_path / "python"
        slow.write_text("#!/bin/sh\nexec sleep 60\n")
        slow.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(slow))
        monkeypatch.setattr(model, "PIP_TIMEOUT_S", 0.2)
        with pytest.raises(MissingTool, match="more than"):
            bundle(None, tmp_path / "cache")

    def test_a_wheel_without_the_networks_says_so(self, tmp_path, monkeypatch):
        wheel = tmp_path / "mediapipe.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("mediapipe/__init__.py", "")
        monkeypatch.setattr(model, "_pip_download", lambda _: wheel)
        with pytest.raises(MissingTool, match="does not hold"):
            bundle(None, tmp_path / "cache")

    def test_networks_that_are_not_the_ones_we_know_are_refused(self, tmp_path, monkeypatch):
        wheel = tmp_path / "mediapipe.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(model.DETECTOR.member, b"another network")
            archive.writestr(LANDMARKS.member, b"another network")
        monkeypatch.setattr(model, "_pip_download", lambda _: wheel)
        with pytest.raises(MissingTool, match=r"pose_detection\.tflite is not the pose model we expect"):
            bundle(None, tmp_path / "cache")

    def test_a_result_that_is_not_the_one_we_know_is_refused_and_not_kept(self, tmp_path, monkeypatch):
        monkeypatch.setattr(model, "_build", lambda: b"something else")
        with pytest.raises(MissingTool, match="is not the pose model we expect"):
            bundle(None, tmp_path / "cache")
        assert not (tmp_path / "cache").exists()


class TestOfficial:
    @pytest.mark.parametrize("size", ["lite", "full", "heavy"])
    def test_its_address_names_a_version(self, size):
        assert OFFICIAL[size].url.endswith(f"/pose_landmarker_{size}/float16/1/pose_landmarker_{size}.task")

    @pytest.mark.parametrize("size", ["lite", "full", "heavy"])
    @pytest.mark.usefixtures("offline")
    def test_a_server_that_does_not_answer_is_unavailable(self, size, tmp_path):
        with pytest.raises(Unavailable, match=f"pose_landmarker_{size}"):
            bundle(size, tmp_path)

    def test_what_is_served_is_checked_and_kept(self, served, tmp_path, monkeypatch):
        address, content = served
        monkeypatch.setitem(OFFICIAL, "lite", Served("lite", hashlib.sha256(content).hexdigest(), address))
        path = bundle("lite", tmp_path)
        assert path.read_bytes() == content
        monkeypatch.setattr(model, "_download", None)
        assert bundle("lite", tmp_path) == path

    def test_something_else_than_the_model_is_refused(self, served, tmp_path, monkeypatch):
        monkeypatch.setitem(OFFICIAL, "lite", Served("lite", OFFICIAL["lite"].sha256, served[0]))
        with pytest.raises(MissingTool, match="is not the pose model we expect"):
            bundle("lite", tmp_path)

    def test_a_page_that_is_not_there_is_unavailable(self, served, tmp_path, monkeypatch):
        monkeypatch.setitem(OFFICIAL, "lite", Served("lite", "", served[0] + "-not"))
        with pytest.raises(Unavailable, match="404"):
            bundle("lite", tmp_path)


@dataclasses.dataclass(frozen=True, slots=True)
class Served(Official):
    address: str

    @property
    def url(self) -> str:
        return self.address


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server with one file."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "model.task").write_bytes(b"a model")
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/model.task", b"a model"
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):  # noqa: A002
        pass


class TestOneOfTheirOwn:
    def test_a_path_is_taken_as_it_is(self, tmp_path):
        path = tmp_path / "mine.task"
        path.write_bytes(b"mine")
        assert bundle(str(path), tmp_path) == path

    def test_its_checksum_is_checked_where_one_is_given(self, tmp_path):
        path = tmp_path / "mine.task"
        path.write_bytes(b"mine")
        assert bundle(f"{path}#sha256={sha256(path).upper()}", tmp_path) == path
        with pytest.raises(MissingTool, match=r"mine\.task is not the pose model we expect"):
            bundle(f"{path}#sha256={'0' * 64}", tmp_path)

    @pytest.mark.parametrize("setting", ["nowhere.task", "medium", "nowhere.task#sha256=00"])
    def test_a_path_that_is_not_there_is_said(self, setting, tmp_path):
        with pytest.raises(MissingTool, match="There is no pose model at"):
            bundle(setting, tmp_path)


@pytest.fixture(scope="module")
def schemas():
    tflite = pytest.importorskip("mediapipe.tasks.metadata.schema_py_generated")
    metadata = pytest.importorskip("mediapipe.tasks.metadata.metadata_schema_py_generated")
    return tflite, metadata


@pytest.fixture(scope="module")
def changed(built) -> bytes:
    with zipfile.ZipFile(built) as archive:
        return archive.read(LANDMARKS.entry)


class TestNetwork:
    """The changes to a network, read back by MediaPipe's own schema."""

    def test_it_says_how_its_picture_is_normalised(self, schemas, changed):
        tflite, metadata = schemas
        network = tflite.ModelT.InitFromPackedBuf(changed)
        (entry,) = [entry for entry in network.metadata if entry.name == b"TFLITE_METADATA"]
        told = metadata.ModelMetadataT.InitFromPackedBuf(bytes(network.buffers[entry.buffer].data))
        (unit,) = told.subgraphMetadata[0].inputTensorMetadata[0].processUnits
        assert unit.optionsType == metadata.ProcessUnitOptions.NormalizationOptions
        assert (list(unit.options.mean), list(unit.options.std)) == ([0.0], [255.0])

    def test_its_weights_stay_where_they_were_and_aligned(self, schemas, changed):
        tflite, _ = schemas
        network = tflite.Model.GetRootAsModel(changed, 0)
        places = [weights_at(network.Buffers(i)) for i in range(network.BuffersLength())]
        assert sum(place is not None for place in places) > 200
        assert all(place % 16 == 0 for place in places if place is not None)

    def test_the_mask_and_what_only_it_needs_are_gone(self, schemas, changed):
        tflite, _ = schemas
        (graph,) = tflite.ModelT.InitFromPackedBuf(changed).subgraphs
        presence, mask = graph.outputs[model.PRESENCE_OUTPUT], graph.outputs[model.MASK_OUTPUT]
        assert presence == mask
        made = {tensor for operator in graph.operators for tensor in operator.outputs}
        needed = {tensor for operator in graph.operators for tensor in operator.inputs} | set(graph.outputs)
        assert made <= needed, "no operator works for nothing"
        shapes = [tuple(graph.tensors[tensor].shape) for tensor in made]
        assert (1, 256, 256, 1) not in shapes

    def test_a_small_network_can_be_changed_by_hand(self, schemas):
        tflite, _ = schemas
        network = packed(tflite, chains=((0, 1), (0, 2), (2, 3)), outputs=(1, 3))
        (graph,) = tflite.ModelT.InitFromPackedBuf(without_output(network, dropped=1, stand_in=0)).subgraphs
        assert list(graph.outputs) == [1, 1]
        assert [list(operator.outputs) for operator in graph.operators] == [[1]]
        assert len(graph.tensors) == 4
        assert graph.name == b"small"

    def test_the_same_change_gives_the_same_bytes(self, schemas):
        tflite, _ = schemas
        network = packed(tflite, chains=((0, 1),), outputs=(1,))
        once, again = (with_normalization(network, 1.5, 2.5) for _ in range(2))
        assert once == again
        assert with_normalization(network, 1.5, 3.5) != once
        assert network in once


def weights_at(buffer) -> int | None:
    """Where in the file the bytes of a buffer start."""
    return buffer._tab.Vector(buffer._tab.Offset(4)) if buffer.DataLength() else None


def packed(tflite, chains, outputs) -> bytes:
    """A network whose operators make one tensor from another each."""
    graph = tflite.SubGraphT()
    graph.name, graph.inputs, graph.outputs = "small", [0], list(outputs)
    graph.tensors = [tflite.TensorT() for _ in range(1 + max(max(chain) for chain in chains))]
    graph.operators = [tflite.OperatorT() for _ in chains]
    for operator, (source, target) in zip(graph.operators, chains, strict=True):
        operator.inputs, operator.outputs = [source], [target]
    network = tflite.ModelT()
    network.version, network.description = 3, "small"
    network.subgraphs, network.buffers, network.operatorCodes = [graph], [tflite.BufferT()], [tflite.OperatorCodeT()]
    builder = flatbuffers.Builder(0)
    builder.Finish(network.Pack(builder), b"TFL3")
    return bytes(builder.Output())
