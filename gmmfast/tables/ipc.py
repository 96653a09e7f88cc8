"""The size of Arrow IPC data once they are decoded.

pyarrow says how many rows and bytes a record batch has once it has decoded it. Both are written
before the buffers, in flatbuffers (Arrow's format/Message.fbs and File.fbs); this reads what it
needs of them.
"""

import struct
from collections.abc import Iterator

MAGIC = b"ARROW1"  # begins and ends a file; a stream has none
CONTINUES = 0xFFFFFFFF  # before the length of a message, since version 0.15 of the format

# fields, by their position in their table
DICTIONARIES, BATCHES = 2, 3  # of a Footer
HEADER_TYPE, HEADER, BODY_LENGTH = 1, 2, 3  # of a Message
DICTIONARY_BATCH, RECORD_BATCH = 2, 3  # types of headers
DATA = 1  # of a DictionaryBatch: a RecordBatch
LENGTH, BUFFERS, COMPRESSION = 0, 2, 3  # of a RecordBatch


def decoded_size(data: memoryview) -> tuple[int, int]:
    """Return the rows of all record batches, and the bytes of all buffers, decoded.

    Parameters
    ----------
    data : memoryview
        A file or a stream of Arrow IPC.

    Raises
    ------
    OSError
        If the data are damaged, as pyarrow does.
    """
    messages = _of_file(data) if data[: len(MAGIC)] == MAGIC else _of_stream(data)
    try:
        sizes = [_sizes(data, message, body) for message, body in messages]
    except (struct.error, IndexError):
        raise OSError("the metadata of an Arrow message are damaged") from None
    return sum(rows for rows, _ in sizes), sum(size for _, size in sizes)


def _of_file(data: memoryview) -> Iterator[tuple[int, int]]:
    """Yield the places of the message and the body of each block in the footer."""
    end = len(data) - len(MAGIC) - 4
    footer = _follow(data, end - _number(data, end, "<i"))
    for kind in (DICTIONARIES, BATCHES):
        blocks = _field(data, footer, kind)
        if blocks:
            begin = _follow(data, blocks)
            for i in range(_number(data, begin, "<I")):
                offset, size = struct.unpack_from("<qi", data, begin + 4 + 24 * i)
                yield _after_length(data, offset), offset + size


def _of_stream(data: memoryview) -> Iterator[tuple[int, int]]:
    """Yield the places of the message and the body of each part, until one is empty."""
    at = 0
    while at + 8 <= len(data):
        message = _after_length(data, at)
        size = _number(data, message - 4, "<I")
        if size == 0:
            return
        yield message, message + size
        length = _field(data, _follow(data, message), BODY_LENGTH)
        at = message + size + (_number(data, length, "<Q") if length else 0)


def _after_length(data: memoryview, at: int) -> int:
    return at + (8 if _number(data, at, "<I") == CONTINUES else 4)


def _sizes(data: memoryview, at: int, body: int) -> tuple[int, int]:
    """Rows and decoded bytes of one message; a dictionary has no rows of its own."""
    message = _follow(data, at)
    kind, header = _field(data, message, HEADER_TYPE), _field(data, message, HEADER)
    kind = data[kind] if kind else 0
    if kind not in (DICTIONARY_BATCH, RECORD_BATCH):
        return 0, 0
    batch = _follow(data, header)
    if kind == DICTIONARY_BATCH:
        batch = _follow(data, _field(data, batch, DATA))
    length, buffers = _field(data, batch, LENGTH), _field(data, batch, BUFFERS)
    n_rows = max(_number(data, length, "<q"), 0) if length and kind == RECORD_BATCH else 0
    if not buffers:
        return n_rows, 0
    begin, n_bytes = _follow(data, buffers), 0
    for i in range(_number(data, begin, "<I")):
        offset, size = struct.unpack_from("<qq", data, begin + 4 + 16 * i)
        if size > 0 and _field(data, batch, COMPRESSION):
            decoded = _number(data, body + offset, "<q")
            size = size - 8 if decoded == -1 else decoded  # -1: stored, as it does not shrink
        n_bytes += max(size, 0)
    return n_rows, n_bytes


def _number(data: memoryview, at: int, kind: str) -> int:
    return int(struct.unpack_from(kind, data, at)[0])


def _follow(data: memoryview, at: int) -> int:
    """Return the position that an offset points to."""
    return at + _number(data, at, "<I")


def _field(data: memoryview, table: int, number: int) -> int:
    """Return the position of a table's field, or 0 if it is left out."""
    fields, place = table - _number(data, table, "<i"), 4 + 2 * number
    offset = _number(data, fields + place, "<H") if place < _number(data, fields, "<H") else 0
    return table + offset if offset else 0
