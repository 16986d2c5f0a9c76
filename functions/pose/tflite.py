"""Small changes to a TFLite network that leave its weights where they are.

Offsets in a flatbuffer only point forward. So a changed network is a new root in front of the old
file: it refers to what it keeps, and the weights keep their bytes and their 16-byte alignment.
(Unpacking the file and packing it again loses the alignment, and the runtime then copies the weights
to the heap.) Field numbers are those of the TFLite schema, version 3, and of its metadata schema
(``schema.fbs``, ``metadata_schema.fbs``). The result depends on the arguments alone, byte for byte.
This module knows nothing of poses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flatbuffers import Builder, number_types
from flatbuffers.table import Table

ALIGNMENT = 16  # of the weights in a TFLite file

# Tables of the schema, by the numbers of their fields.
VERSION, SUBGRAPHS, BUFFERS, METADATA, MODEL_FIELDS = 0, 2, 4, 6, 8
INPUTS, OUTPUTS, OPERATORS, SUBGRAPH_FIELDS = 1, 2, 3, 5
OPERATOR_INPUTS, OPERATOR_OUTPUTS = 1, 2
SUBGRAPH_METADATA, INPUT_TENSOR_METADATA, PROCESS_UNITS = 3, 2, 4
NORMALIZATION_OPTIONS = 1  # the member of union ProcessUnitOptions


def with_normalization(model: bytes, mean: float, std: float) -> bytes:
    """The same network, saying: give me (pixel - ``mean``) / ``std``.

    ``model`` does not say so yet. MediaPipe's landmarkers refuse a network that does not.
    """
    extension = Extension(model)
    builder, root = extension.builder, extension.root
    buffers, metadata = extension.kept_tables(root, BUFFERS), extension.kept_tables(root, METADATA)
    metadata.append(_metadata_entry(builder, "TFLITE_METADATA", buffer=len(buffers)))
    buffers.append(_table(builder, {0: _bytes(builder, _normalization(mean, std))}))
    return extension.finished({BUFFERS: _vector(builder, buffers), METADATA: _vector(builder, metadata)})


def without_output(model: bytes, dropped: int, stand_in: int) -> bytes:
    """The network without the work that only its output ``dropped`` needs.

    The output ``stand_in`` is given in its place too, so that the others keep their numbers. The
    network has one subgraph.
    """
    extension = Extension(model)
    (subgraph,) = _tables(extension.root, SUBGRAPHS)
    outputs = _integers(subgraph, OUTPUTS)
    outputs[dropped] = outputs[stand_in]
    operators = _needed(_tables(subgraph, OPERATORS), outputs)
    builder = extension.builder
    changed = _table(builder, extension.kept_fields(subgraph, range(SUBGRAPH_FIELDS)) | {
        OUTPUTS: _int_vector(builder, outputs),
        OPERATORS: _vector(builder, [extension.kept(operator) for operator in operators]),
    })  # fmt: skip
    return extension.finished({SUBGRAPHS: _vector(builder, [changed])})


def _needed(operators: Sequence[Table], outputs: Sequence[int]) -> list[Table]:
    """Those of the operators, in the order in which they run, that ``outputs`` come from."""
    wanted, needed = set(outputs), list[Table]()
    for operator in reversed(operators):
        if wanted.intersection(_integers(operator, OPERATOR_OUTPUTS)):
            wanted.update(_integers(operator, OPERATOR_INPUTS))
            needed.append(operator)
    return needed[::-1]


class Extension:
    """An old file at the end of a new one. What is kept of it is named by offsets into the new one.

    A builder works from back to front and counts offsets from the back.
    """

    def __init__(self, model: bytes) -> None:
        self.root = Table(model, int.from_bytes(model[:4], "little"))
        self.builder = Builder(len(model) + 65536)
        self.builder.Prep(ALIGNMENT, len(model))
        _prepend(self.builder, model)
        self._old_start = self.builder.Offset()

    def kept(self, table: Table) -> int:
        return self._old_start - table.Pos

    def kept_tables(self, table: Table, field: int) -> list[int]:
        return [self.kept(entry) for entry in _tables(table, field)]

    def kept_fields(self, table: Table, fields: range) -> dict[int, int]:
        """Those of ``fields`` that are set, all of them references."""
        return {field: self._old_start - _target(table, field) for field in fields if _is_set(table, field)}

    def finished(self, changed: Mapping[int, int]) -> bytes:
        """The new file: the old root with the ``changed`` references."""
        version = self.root.Get(number_types.Uint32Flags, _place(self.root, VERSION))
        fields = self.kept_fields(self.root, range(VERSION + 1, MODEL_FIELDS)) | dict(changed)
        self.builder.StartObject(MODEL_FIELDS)
        self.builder.PrependUint32Slot(VERSION, version, 0)
        _put_references(self.builder, fields)
        self.builder.Finish(self.builder.EndObject(), file_identifier=b"TFL3")
        return bytes(self.builder.Output())


# Reading


def _is_set(table: Table, field: int) -> bool:
    return table.Offset(4 + 2 * field) != 0


def _place(table: Table, field: int) -> int:
    """Where in the file the value of a field lies."""
    return table.Pos + table.Offset(4 + 2 * field)


def _target(table: Table, field: int) -> int:
    """Where in the file that lies to which a field refers."""
    return table.Indirect(_place(table, field))


def _entries(table: Table, field: int) -> list[int]:
    """Where in the file the entries, 4 bytes each, of a vector lie; none where it is not set."""
    if not _is_set(table, field):
        return []
    vector = _target(table, field)
    return [vector + 4 + 4 * i for i in range(table.Get(number_types.UOffsetTFlags, vector))]


def _tables(table: Table, field: int) -> list[Table]:
    return [Table(table.Bytes, table.Indirect(entry)) for entry in _entries(table, field)]


def _integers(table: Table, field: int) -> list[int]:
    return [table.Get(number_types.Int32Flags, entry) for entry in _entries(table, field)]


# Writing: each returns the offset of what it wrote


def _prepend(builder: Builder, data: bytes) -> None:
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data


def _bytes(builder: Builder, data: bytes) -> int:
    builder.StartVector(1, len(data), ALIGNMENT)
    _prepend(builder, data)
    return builder.EndVector()


def _vector(builder: Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _int_vector(builder: Builder, values: Sequence[int]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependInt32(value)
    return builder.EndVector()


def _float_vector(builder: Builder, value: float) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return builder.EndVector()


def _put_references(builder: Builder, fields: Mapping[int, int]) -> None:
    for field, offset in sorted(fields.items()):
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)


def _table(builder: Builder, fields: Mapping[int, int]) -> int:
    """A table whose fields all are references."""
    builder.StartObject(max(fields) + 1)
    _put_references(builder, fields)
    return builder.EndObject()


def _metadata_entry(builder: Builder, name: str, buffer: int) -> int:
    label = builder.CreateString(name)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, label, 0)
    builder.PrependUint32Slot(1, buffer, 0)
    return builder.EndObject()


def _normalization(mean: float, std: float) -> bytes:
    """A file of metadata: the one process unit of the one input tensor of the one subgraph."""
    builder = Builder(256)
    options = _table(builder, {0: _float_vector(builder, mean), 1: _float_vector(builder, std)})
    builder.StartObject(2)
    builder.PrependUint8Slot(0, NORMALIZATION_OPTIONS, 0)
    builder.PrependUOffsetTRelativeSlot(1, options, 0)
    unit = builder.EndObject()
    tensor = _table(builder, {PROCESS_UNITS: _vector(builder, [unit])})
    subgraph = _table(builder, {INPUT_TENSOR_METADATA: _vector(builder, [tensor])})
    root = _table(builder, {SUBGRAPH_METADATA: _vector(builder, [subgraph])})
    builder.Finish(root, file_identifier=b"M001")
    return bytes(builder.Output())
