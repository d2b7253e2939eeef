"""An MCAP read from its start, record by record: one cut off by a crash, or without an index."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zlib import crc32

from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)
from rosbags.rosbag2 import ReaderError
from rosbags.rosbag2.metadata import parse_qos
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS, zstd

_MAGIC = b"\x89MCAP0\r\n"
_FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 2, 3, 4, 5, 6, 15
_PIECE = 1 << 16


class Span(NamedTuple):
    """First and last time, ns, of what was read."""

    start_time: int
    end_time: int


class CutMcap:
    """The messages of an MCAP as far as it goes, in the order they were written.

    Attributes:
        path: of the file.
        connections: its topics, with the messages that are there.
        metadata: their first and last time.
        whole: whether nothing is missing at the end.
    """

    def __init__(self, path: Path) -> None:
        """Name the file."""
        self.path = path
        self.connections: list[Connection] = []
        self.metadata = Span(0, 0)
        self.whole = False

    def open(self) -> None:
        """Read all of it once, to know what it holds.

        Raises:
            ReaderError: it is no MCAP.
        """
        with self.path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ReaderError("File magic is invalid.")
        schemas: dict[int, tuple[str, str, str]] = {}
        found: dict[int, Connection] = {}
        counts: Counter[int] = Counter()
        times: list[int] = []
        for kind, record in self._records():
            body = BytesIO(record)
            if kind == _SCHEMA:
                (key,) = _numbers(body, "<H")
                schemas[key] = _text(body), _text(body), _text(body)
            elif kind == _CHANNEL:
                key, schema = _numbers(body, "<HH")
                found[key] = self._connection(key, schemas.get(schema, ("", "", "")), body)
            elif kind == _MESSAGE:
                key, _, time = _numbers(body, "<HIQ")
                counts[key] += 1
                times = [min([*times, time]), max([*times, time])]
        self.connections = [c._replace(msgcount=counts[key]) for key, c in found.items()]
        self.metadata = Span(*times) if times else Span(0, 0)

    def close(self) -> None:
        """Nothing stays open."""

    def messages(
        self, connections: Collection[Connection]
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield connection, time (ns) and data of these topics' messages."""
        wanted = {connection.id: connection for connection in connections}
        for kind, record in self._records():
            if kind == _MESSAGE:
                key, _, time, _ = struct.unpack_from("<HIQQ", record)
                if key in wanted:
                    yield wanted[key], time, record[22:]

    def _connection(self, key: int, schema: tuple[str, str, str], body: BytesIO) -> Connection:
        """Return the topic of a channel's record."""
        topic, encoding = _text(body), _text(body)
        about = BytesIO(_bytes(body))
        qos = ""
        while name := _text(about):
            value = _text(about)
            qos = value if name == "offered_qos_profiles" else qos
        kinds = {"ros2idl": MessageDefinitionFormat.IDL, "omgidl": MessageDefinitionFormat.IDL}
        text = MessageDefinition(kinds.get(schema[1], MessageDefinitionFormat.MSG), schema[2])
        ext = ConnectionExtRosbag2(encoding, parse_qos(qos) if qos else [])
        return Connection(key, topic, schema[0], text, "", 0, ext, self)

    def _records(self) -> Iterator[tuple[int, bytes]]:
        """Yield kind and content of sound records, those of chunks one by one."""
        size = self.path.stat().st_size
        self.whole = False
        with self.path.open("rb") as file:
            file.seek(len(_MAGIC))
            while head := _head(file):
                kind, length = head
                if kind in (_FOOTER, _DATA_END):
                    self.whole = True
                    return
                content = file.read(min(length, size - file.tell()))
                sound = len(content) == length
                if kind == _CHUNK:
                    inner, sound = _chunk(content, sound)
                    yield from _inside(inner)
                elif sound:
                    yield kind, content
                if not sound:
                    return


def _chunk(content: bytes, whole: bool) -> tuple[bytes, bool]:
    """Return what a chunk holds, as far as it can be unpacked, and whether that is all."""
    body = BytesIO(content)
    try:
        _, _, size, checksum = _numbers(body, "<QQQI")
        compression = _text(body)
        (packed_size,) = _numbers(body, "<Q")
    except (struct.error, UnicodeDecodeError):
        return b"", False
    packed = body.read(packed_size if packed_size < len(content) else -1)
    inner = _unpacked(packed, compression)
    sound = whole and len(inner) == size and checksum in (0, crc32(inner))
    return (inner, sound) if sound or not whole else (b"", False)


def _unpacked(packed: bytes, compression: str) -> bytes:
    """Return what was packed, up to where it can be unpacked.

    Raises:
        ReaderError: it is packed in a way that is not known.
    """
    if compression not in DECOMPRESSORS:
        raise ReaderError(f"Compression {compression!r} is not supported.")
    out = bytearray()
    with suppress(Exception):  # the end of what is sound
        if compression != "zstd":  # lz4 unpacks all or nothing
            return DECOMPRESSORS[compression](packed, 0)
        unpack = zstd.ZstdDecompressor()
        for at in range(0, len(packed), _PIECE):
            out += unpack.decompress(packed[at : at + _PIECE])
    return bytes(out)


def _inside(inner: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of the whole records in a chunk."""
    body = BytesIO(inner)
    while head := _head(body):
        kind, length = head
        content = body.read(min(length, len(inner)))
        if len(content) < length:
            return
        yield kind, content


def _head(file: BinaryIO) -> tuple[int, int] | None:
    """Return kind and length of the record that begins, None at the end."""
    head = file.read(9)
    return struct.unpack("<BQ", head) if len(head) == 9 else None  # type: ignore[return-value]


def _numbers(body: BytesIO, form: str) -> tuple[Any, ...]:
    """Return the next numbers."""
    return struct.unpack(form, body.read(struct.calcsize(form)))


def _bytes(body: BytesIO) -> bytes:
    """Return the next bytes that their number stands before; none at the end."""
    head = body.read(4)
    return body.read(int.from_bytes(head, "little"))


def _text(body: BytesIO) -> str:
    """Return the next text; none at the end."""
    return _bytes(body).decode()
