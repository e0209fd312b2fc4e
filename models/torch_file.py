"""PyTorch files, read without PyTorch and without running anything in them.

``torch.save`` writes a zip archive: a pickle that describes the objects, and the arrays beside it,
uncompressed. A pickle may name any function of any module to be called; this reader knows a
handful of names, maps them to inert objects of its own, and refuses the rest.

Source: ``torch/serialization.py`` for the archive's layout.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..edge.errors import CheckpointError
from .stored_tensor import StoredTensor

_STORAGES = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
}
_LOCAL_HEADER = 30  # bytes before the name in a zip entry
_MAX_PICKLE = 256 << 20  # bytes; that of whisper-large has 200 thousand


def read_torch_file(path: Path) -> object:
    """The object that ``torch.save`` wrote, with a ``StoredTensor`` for every tensor.

    Raises:
        CheckpointError: The file is missing, truncated, in the format before PyTorch 1.6, or
            holds anything but tensors in plain containers.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise CheckpointError(_not_an_archive(path, file))
            with zipfile.ZipFile(file) as archive:
                return _read_archive(path, file, archive)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path} is a corrupt PyTorch file: {error}") from error


def _not_an_archive(path: Path, file: IO[bytes]) -> str:
    file.seek(0)
    start = file.read(2)
    if start == b"\x80\x02":  # a bare pickle
        return (
            f"{path} is in the PyTorch format before 1.6; "
            "load it once with torch and write it again with torch.save"
        )
    if start == b"PK":
        return f"{path} is truncated; download it again"
    return f"{path} is not a PyTorch file"


def _read_archive(path: Path, file: IO[bytes], archive: zipfile.ZipFile) -> object:
    names = archive.namelist()
    main = next((name for name in names if name.split("/", 1)[-1] == "data.pkl"), None)
    if main is None:
        raise CheckpointError(f"{path} is a zip archive, but not a PyTorch file (no data.pkl)")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
        raise CheckpointError(f"{path} is a compressed archive, which torch.save never writes")
    if archive.getinfo(main).file_size > _MAX_PICKLE:
        raise CheckpointError(f"{path} has an implausibly large data.pkl")
    folder = main.removesuffix("data.pkl")
    if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") == b"big":
        raise CheckpointError(f"{path} was written on a big-endian machine; save it on another")
    with archive.open(main) as pickled:
        reader = _Unpickler(pickled, _Archive(path, file, archive, folder))
        try:
            return reader.load()
        except CheckpointError:
            raise
        except Exception as error:  # a broken or hostile pickle may raise anything
            raise CheckpointError(f"{path} is a corrupt PyTorch file: {error}") from error


@dataclass(frozen=True)
class _Archive:
    path: Path
    file: IO[bytes]
    zip: zipfile.ZipFile
    folder: str

    def locate(self, key: str, n_bytes: int) -> int:
        """Offset of the array ``key`` in the file."""
        try:
            entry = self.zip.getinfo(f"{self.folder}data/{key}")
        except KeyError:
            raise CheckpointError(f"{self.path} is corrupt: array {key} is missing") from None
        if entry.file_size < n_bytes:
            raise CheckpointError(f"{self.path} is corrupt: array {key} is too short")
        self.file.seek(entry.header_offset)
        header = self.file.read(_LOCAL_HEADER)
        n_name = int.from_bytes(header[26:28], "little")
        n_extra = int.from_bytes(header[28:30], "little")
        return entry.header_offset + _LOCAL_HEADER + n_name + n_extra


@dataclass(frozen=True, slots=True)
class _Storage:
    path: Path
    offset: int
    dtype: str
    n_elements: int
    itemsize: int


# What the pickle gets for a name is an instance without attributes: it can be called with what
# the pickle holds, and nothing about it can be changed.


class _StorageType:
    __slots__ = ("_kind",)

    def __init__(self, kind: tuple[str, int]) -> None:
        self._kind = kind

    @property
    def kind(self) -> tuple[str, int]:
        return self._kind


class _RebuildTensor:
    __slots__ = ()

    def __call__(
        self,
        storage: _Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_: object,
    ) -> StoredTensor:
        steps = zip(shape, strides, strict=True)
        last = offset + sum((n - 1) * step for n, step in steps)
        if min((offset, *shape, *strides)) < 0 or (0 not in shape and last >= storage.n_elements):
            raise ValueError("a tensor reaches outside its array")
        start = storage.offset + offset * storage.itemsize
        in_order = strides == _c_order(shape) or 0 in shape
        return StoredTensor(
            storage.path, start, storage.dtype, tuple(shape), None if in_order else tuple(strides)
        )


class _RebuildParameter:
    __slots__ = ()

    def __call__(self, tensor: StoredTensor, *_: object) -> StoredTensor:
        return tensor


def _c_order(shape: tuple[int, ...]) -> tuple[int, ...]:
    steps = [1]
    for n in reversed(shape[1:]):
        steps.append(steps[-1] * n)
    return tuple(reversed(steps[: len(shape)]))


class _Unpickler(pickle.Unpickler):
    """Unpickles tensors in dicts, lists and numbers; every other name is refused."""

    def __init__(self, file: IO[bytes], archive: _Archive) -> None:
        super().__init__(file)
        self._archive = archive

    def find_class(self, module: str, name: str) -> object:
        """The inert stand-in for an allowed name."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _RebuildTensor()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _RebuildParameter()
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _StorageType(_STORAGES[name])
        raise CheckpointError(
            f"{self._archive.path} was refused: it asks for {module}.{name}, which no weights need"
        )

    def persistent_load(self, pid: object) -> _Storage:
        """An array of the archive, by the tuple that torch.save puts in its place."""
        match pid:
            case ("storage", _StorageType() as storage_type, str(key), str(), int(n_elements)):
                dtype, itemsize = storage_type.kind
                offset = self._archive.locate(key, n_elements * itemsize)
                return _Storage(self._archive.path, offset, dtype, n_elements, itemsize)
        raise ValueError("unknown kind of array")
