"""Reading JSON files of any size in bounded memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from handssl.errors import DataError

_CHUNK: Final = 1 << 20
_LARGEST_VALUE: Final = 64 * _CHUNK
"""A single value longer than this many characters means a broken file, not a long entry."""

_AFTER: Final = frozenset(" \t\r\n,:]}")
"""What may follow a value."""

Keys = tuple[str | int, ...]


def walk_json(path: Path, *, depth: int) -> Iterator[tuple[Keys, object]]:
    """Yield (keys, value) for everything that lies `depth` containers deep, in file order.

    Objects contribute their key, arrays the position. Values above `depth` that are no containers
    are yielded with the keys they have. Only one value at a time is held in memory.

    Raises:
        DataError: The file is missing, unreadable, not UTF-8 or not JSON.
    """
    try:
        with path.open(encoding="utf-8") as file:
            reader = _Reader(file)
            yield from _walk(reader, (), depth)
            if reader.peek():
                raise ValueError(f"unexpected text after the end, near {reader.where()}")
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot read {path} ({reason}); unpack the data set again") from error
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); unpack it again") from error


def _walk(reader: "_Reader", keys: Keys, depth: int) -> Iterator[tuple[Keys, object]]:
    opening = reader.peek()
    if depth == 0 or opening not in ("[", "{"):
        yield keys, reader.value()
        return
    closing = "]" if opening == "[" else "}"
    reader.take(opening)
    position = 0
    while reader.peek() != closing:
        if position:
            reader.take(",")
        key: str | int = position
        if opening == "{":
            name = reader.value()
            if not isinstance(name, str):
                raise ValueError(f"expected a key near {reader.where()}")
            key = name
            reader.take(":")
        yield from _walk(reader, (*keys, key), depth - 1)
        position += 1
    reader.take(closing)


class _Reader:
    """A moving window over the file: at most one value plus one chunk of it is in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._buffer = ""
        self._start = 0
        self._before = 0
        self._ended = False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """Next character that is not white space, or the empty string at the end."""
        while True:
            while self._start < len(self._buffer):
                if not self._buffer[self._start].isspace():
                    return self._buffer[self._start]
                self._start += 1
            if not self._fill(_CHUNK):
                return ""

    def take(self, expected: str) -> None:
        """Step over one character of punctuation."""
        if self.peek() != expected:
            raise ValueError(f"expected {expected!r} near {self.where()}")
        self._start += 1

    def value(self) -> object:
        """Decode one complete value."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._start)
            except json.JSONDecodeError:
                end = len(self._buffer)
                complete = False
            else:
                complete = True
            # A number cut by the buffer's end decodes too, as "1" of "1.5" or of "12".
            if complete and (self._ended or self._buffer[end : end + 1] in _AFTER):
                self._start = end
                return value
            length = len(self._buffer) - self._start
            if not complete and (self._ended or length > _LARGEST_VALUE):
                raise ValueError(f"broken or cut off near {self.where()}")
            self._fill(max(_CHUNK, length))

    def where(self) -> str:
        """The position, for messages."""
        return f"character {self._before + self._start}"

    def _fill(self, count: int) -> bool:
        more = self._file.read(count)
        self._ended = not more
        self._before += self._start
        self._buffer = self._buffer[self._start :] + more
        self._start = 0
        return bool(more)
