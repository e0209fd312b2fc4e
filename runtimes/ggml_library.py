"""whisper.cpp's C functions, called through ctypes.

pywhispercpp binds most of them but gives one number of all the logits, and one token at a time. Its
extension module is linked to whisper.cpp's own library, though, so the functions are found through
it, wherever a wheel has put the library.

Two structures cross the border. Where the fields that are used lie in them is checked: their
defaults are known, and a length that is too long has to be refused.

Source: ggml-org/whisper.cpp ``include/whisper.h``.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..edge.errors import ArtifactError, InferenceError, MissingDependencyError
from ..edge.types import FloatArray

try:
    import _pywhispercpp
except ModuleNotFoundError as error:
    raise MissingDependencyError("pywhispercpp", "ggml", "running ggml artifacts") from error
except ImportError as error:
    raise InferenceError(f"pywhispercpp cannot be loaded: {error}") from error

_GREEDY = 0
_SHORTEST_MS = 100  # of sound: as short as whisper.cpp takes, and too short for it to encode
_SOUND = np.zeros(3200, np.float32)  # 200 ms, of which that much is to be looked at
_TOO_LONG = -5  # what whisper_full answers to a context beyond the model's
_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR
_LOST = "this build of pywhispercpp holds another whisper.cpp than its adapter knows"
_LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class _ContextParams(ctypes.Structure):
    """``whisper_context_params``."""

    _fields_ = (
        ("use_gpu", ctypes.c_bool),
        ("flash_attn", ctypes.c_bool),
        ("gpu_device", ctypes.c_int),
        ("dtw_token_timestamps", ctypes.c_bool),
        ("dtw_aheads_preset", ctypes.c_int),
        ("dtw_n_top", ctypes.c_int),
        ("dtw_n_heads", ctypes.c_size_t),
        ("dtw_heads", ctypes.c_void_p),
        ("dtw_mem_size", ctypes.c_size_t),
    )


class _FullParams(ctypes.Structure):
    """The start of ``whisper_full_params``, and room for what follows and is left as it is."""

    _fields_ = (
        ("strategy", ctypes.c_int),
        ("n_threads", ctypes.c_int),
        ("n_max_text_ctx", ctypes.c_int),
        ("offset_ms", ctypes.c_int),
        ("duration_ms", ctypes.c_int),
        ("translate", ctypes.c_bool),
        ("no_context", ctypes.c_bool),
        ("no_timestamps", ctypes.c_bool),
        ("single_segment", ctypes.c_bool),
        ("print_special", ctypes.c_bool),
        ("print_progress", ctypes.c_bool),
        ("print_realtime", ctypes.c_bool),
        ("print_timestamps", ctypes.c_bool),
        ("token_timestamps", ctypes.c_bool),
        ("thold_pt", ctypes.c_float),
        ("thold_ptsum", ctypes.c_float),
        ("max_len", ctypes.c_int),
        ("split_on_word", ctypes.c_bool),
        ("max_tokens", ctypes.c_int),
        ("debug_mode", ctypes.c_bool),
        ("audio_ctx", ctypes.c_int),
        ("rest", ctypes.c_uint64 * 30),
        # Passed on the stack or behind a pointer, so a longer structure than the library's is no
        # harm, and should the library's have grown, what it finds here is off.
        ("margin", ctypes.c_uint64 * 32),
    )


class _Log:
    """Keeps what whisper.cpp would print, as far as it is an error."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.callback = _LogCallback(self._take)  # must live as long as the library

    def _take(self, level: int, text: bytes, _: int | None) -> None:
        if level == _ERROR_LEVEL:
            self.errors.append(text.decode(errors="replace").strip())

    def cause(self) -> str:
        """The first error since this was asked; what follows from it comes later."""
        found = self.errors[0] if self.errors else "it gives no reason"
        self.errors.clear()
        return found


_LOG = _Log()


@functools.cache
def _library() -> ctypes.CDLL:
    """The C functions that are used, with their types.

    Raises:
        InferenceError: They are not there, or not as this adapter knows them.
    """
    library = ctypes.CDLL(_pywhispercpp.__file__)
    context, count, pointer = ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
    types: dict[str, tuple[object, Sequence[object]]] = {
        "whisper_version": (ctypes.c_char_p, ()),
        "whisper_log_set": (None, (_LogCallback, pointer)),
        "whisper_context_default_params_by_ref": (ctypes.POINTER(_ContextParams), ()),
        "whisper_full_default_params_by_ref": (pointer, (ctypes.c_int,)),
        "whisper_init_from_file_with_params": (context, (ctypes.c_char_p, _ContextParams)),
        "whisper_full": (ctypes.c_int, (context, _FullParams, pointer, count)),
        "whisper_set_mel": (ctypes.c_int, (context, pointer, count, count)),
        "whisper_encode": (ctypes.c_int, (context, count, count)),
        "whisper_decode": (ctypes.c_int, (context, pointer, count, count, count)),
        "whisper_get_logits": (ctypes.POINTER(ctypes.c_float), (context,)),
        "whisper_free": (None, (context,)),
    }
    for name, (result, arguments) in types.items():
        try:
            function = getattr(library, name)
        except AttributeError as error:
            raise InferenceError(f"{_LOST}: it has no {name}") from error
        function.restype, function.argtypes = result, arguments
    library.whisper_log_set(_LOG.callback, None)
    return library


def version() -> str:
    """Of whisper.cpp."""
    found: bytes = _library().whisper_version()
    return found.decode()


def _context_params() -> _ContextParams:
    params: _ContextParams = _library().whisper_context_default_params_by_ref().contents
    known = (params.use_gpu, params.flash_attn, params.dtw_n_top, params.dtw_mem_size)
    if known != (True, True, -1, 1 << 27):
        raise InferenceError(f"{_LOST}: its context's defaults are {known}")
    params.use_gpu = False
    # Flash attention looks at the filling of a window as well, which holds what the last one left
    # there: equal sound would not give equal numbers.
    params.flash_attn = False
    return params


def _full_params() -> _FullParams:
    params = _FullParams()
    size = _FullParams.margin.offset
    ctypes.memmove(
        ctypes.byref(params), _library().whisper_full_default_params_by_ref(_GREEDY), size
    )
    thresholds = (params.thold_pt, params.thold_ptsum)
    known = (params.strategy, params.n_max_text_ctx, params.print_progress, params.audio_ctx)
    if known != (_GREEDY, 1 << 14, True, 0) or not np.allclose(thresholds, 0.01):
        raise InferenceError(f"{_LOST}: its defaults are {known}, {thresholds}")
    params.n_threads, params.duration_ms, params.print_progress = 1, _SHORTEST_MS, False
    return params


class WhisperCpp:
    """One model, loaded.

    Args:
        path: Of a file whose structure was checked: whisper.cpp believes what it says.
        n_audio_ctx: The model's longest window.
        n_vocab: Its tokens.
        n_threads: Compute threads.

    Raises:
        ArtifactError: whisper.cpp refuses the file.
        InferenceError: The library is another than this adapter knows.
    """

    def __init__(self, path: Path, n_audio_ctx: int, n_vocab: int, n_threads: int) -> None:
        self._library = _library()
        self._n_vocab, self._n_threads = n_vocab, n_threads
        self._params = _full_params()
        _LOG.errors.clear()
        self._context = self._library.whisper_init_from_file_with_params(
            str(path).encode(), _context_params()
        )
        if not self._context:
            raise ArtifactError(f"whisper.cpp refuses {path}: {_LOG.cause()}")
        # The proof that the length of a window lies where it is written.
        if self._resized(n_audio_ctx + 1) != _TOO_LONG or self._resized(n_audio_ctx) != 0:
            self.close()
            raise InferenceError(f"{_LOST}: it takes any length of a window")
        _LOG.errors.clear()
        self._n_positions = n_audio_ctx

    def _resized(self, n_positions: int) -> int:
        """Set the length of the next window; nothing else of whisper.cpp's does."""
        self._params.audio_ctx = n_positions
        answer: int = self._library.whisper_full(
            self._context, self._params, _SOUND.ctypes.data, len(_SOUND)
        )
        return answer

    def encode(self, mel: FloatArray) -> None:
        """Encode one window: (n_mels, 2 * n_positions)."""
        mel = np.ascontiguousarray(mel, np.float32)
        n_mels, n_frames = mel.shape
        if n_frames // 2 != self._n_positions:
            self._done(self._resized(n_frames // 2), "set the length of a window")
            self._n_positions = n_frames // 2
        self._done(
            self._library.whisper_set_mel(self._context, mel.ctypes.data, n_frames, n_mels),
            "take the features",
        )
        self._done(self._library.whisper_encode(self._context, 0, self._n_threads), "encode")

    def decode(self, tokens: Sequence[int], n_past: int) -> FloatArray:
        """Logits after the last of some tokens, (n_vocab,); until the next call.

        Args:
            tokens: What comes after the first ``n_past`` tokens of the cache; others are forgotten.
            n_past: How many those are.
        """
        ids = np.array(tokens, np.int32)
        self._done(
            self._library.whisper_decode(
                self._context, ids.ctypes.data, len(ids), n_past, self._n_threads
            ),
            "decode",
        )
        logits = self._library.whisper_get_logits(self._context)
        rows: FloatArray = np.ctypeslib.as_array(logits, (len(ids), self._n_vocab))
        last: FloatArray = rows[-1]  # the others are not written
        return last

    def _done(self, answer: int, what: str) -> None:
        if answer:
            raise InferenceError(f"whisper.cpp could not {what}: {_LOG.cause()}")

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        if self._context:
            self._library.whisper_free(self._context)
            self._context = None
