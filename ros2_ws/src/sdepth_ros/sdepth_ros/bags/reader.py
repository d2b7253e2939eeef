"""Bags in all their forms, opened by all tools: rosbag2 (MCAP, SQLite) whole or not, and ROS 1."""

from __future__ import annotations

import heapq
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml
from rosbags.interfaces import Connection
from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2.storage_mcap import McapReader, zstd
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from sdepth.errors import DataError, SdepthError
from sdepth_ros.bags.cut import CutMcap
from sdepth_ros.bags.ros1 import as_ros2, to_cdr

_log = logging.getLogger(__name__)
_OTHERS = {
    "foxglove_msgs/msg/CompressedVideo": (
        "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format"
    ),
    "ffmpeg_image_transport_msgs/msg/FFMPEGPacket": (
        "std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\n"
        "uint8 flags\nbool is_bigendian\nuint8[] data"
    ),
    "theora_image_transport/msg/Packet": (
        "std_msgs/Header header\nuint8[] data\nint32 b_o_s\nint32 e_o_s\nint64 granulepos\n"
        "int64 packetno"
    ),
}


def _known_messages() -> Typestore:
    """Return the definitions of ROS 2's own messages, and of video."""
    store = get_typestore(Stores.ROS2_KILTED)
    for name, text in _OTHERS.items():
        store.register(get_types_from_msg(text, name))
    return store


STORE: Final = _known_messages()
"""Definitions of the messages; those used here are the same from Humble on."""
_PACKED = ".zstd"
_FILES: dict[str, Callable[[Path], Any]] = {
    ".mcap": McapReader,
    ".db3": Sqlite3Reader,
    ".bag": Ros1Reader,
}
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
"""No CDR message begins so."""
_EXPECTED = "expected a rosbag2 (its folder, or a lone .mcap or .db3), or a ROS 1 .bag"
Message = tuple[Connection, int, bytes]


class Bag:
    """An open bag.

    Attributes:
        path: of it.
        connections: its topics, in ROS 2's types; those of one topic and type are one.
        start_time: of the first message, nanoseconds.
    """

    def __init__(self, path: Path, storages: Sequence[Any], stack: ExitStack) -> None:
        """Take open storages and what closes them."""
        self.path, self._stack = path, stack
        self._parts: list[tuple[Any, list[tuple[Connection, Connection]]]] = []
        known: dict[tuple[str, str], Connection] = {}
        for storage in storages:
            pairs = [(own, _readable(own, path)) for own in storage.connections]
            for own, shown in pairs:
                if shown is not None:
                    before = known.get((shown.topic, shown.msgtype), shown._replace(msgcount=0))
                    total = before.msgcount + own.msgcount
                    known[shown.topic, shown.msgtype] = before._replace(msgcount=total)
            self._parts.append((storage, [(own, c) for own, c in pairs if c is not None]))
        self.connections = list(known.values())
        times = [s.metadata.start_time if hasattr(s, "metadata") else s.start_time
                 for s, pairs in self._parts if any(own.msgcount for own, _ in pairs)]  # fmt: skip
        self.start_time = min(times, default=0)

    def __enter__(self) -> Bag:
        """Return the bag."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close all files."""
        self._stack.close()

    def messages(self, connections: Sequence[Connection] = ()) -> Iterator[Message]:
        """Yield connection, time (ns) and serialised message (CDR) of these topics, or of all.

        Raises:
            DataError: the bag is damaged.
        """
        wanted = {(c.topic, c.msgtype): c for c in connections or self.connections}
        streams = [self._stream(storage, pairs, wanted) for storage, pairs in self._parts]
        try:
            yield from heapq.merge(*streams, key=lambda message: message[1])
        except SdepthError:
            raise
        except Exception as err:  # a damaged file makes its readers raise anything
            raise _damaged(self.path, err) from err

    def _stream(
        self,
        storage: Any,
        pairs: list[tuple[Connection, Connection]],
        wanted: dict[tuple[str, str], Connection],
    ) -> Iterator[Message]:
        """Yield the messages of one file."""
        shown = {
            own.id: (wanted[c.topic, c.msgtype], to_cdr(own, STORE))
            for own, c in pairs
            if (c.topic, c.msgtype) in wanted
        }
        if not shown:
            return
        chosen = [own for own, _ in pairs if own.id in shown]
        for own, time_ns, data in storage.messages(chosen):
            connection, convert = shown[own.id]
            if data[:4] == _ZSTD_MAGIC and not convert:
                data = zstd.decompress(data)
            yield connection, time_ns, bytes(convert(data)) if convert else data


def open_bag(path: Path) -> Bag:
    """Return an open bag, to be closed.

    A bag that a crash cut off is opened as far as it goes, and a warning says how far that is.

    Raises:
        DataError: there is none, or it is damaged.
    """
    files = _bag_files(path)
    with ExitStack() as stack:
        try:
            bag = Bag(path, [_open_file(file, stack) for file in files], stack.pop_all())
        except SdepthError:
            raise
        except Exception as err:  # a damaged file makes its readers raise anything
            raise _damaged(path, err) from err
    return bag


def is_bag(path: Path) -> bool:
    """Tell whether a path is that of a bag, in any of its forms."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or bool(_storages(path))
    return path.is_file() and _kind(path) in _FILES


@cache
def warn_once(text: str) -> None:
    """Log a warning, the first time that it is given."""
    _log.warning(text)


def _kind(file: Path) -> str:
    """Return the ending of a bag's file, packed or not, in small letters."""
    return Path(file.name.removesuffix(_PACKED)).suffix.lower()


def _storages(folder: Path) -> list[Path]:
    """Return the files of a rosbag2 in a folder."""
    found = [p for p in folder.glob("[!.]*") if _kind(p) in (".mcap", ".db3") and p.is_file()]
    return sorted(found, key=lambda p: (len(p.name), p.name))  # of drive_2 and drive_10


def _bag_files(path: Path) -> list[Path]:
    """Return the files of a bag.

    Raises:
        DataError: there is none, or some are missing.
    """
    if not path.exists():
        raise DataError(f"{path}: no such bag; {_EXPECTED}")
    if path.is_file():
        if path.suffix == ".active":
            raise DataError(f"{path}: was not closed; `rosbag reindex` (ROS 1) makes a .bag of it")
        if _kind(path) not in _FILES:
            raise DataError(f"{path}: not a bag; {_EXPECTED}")
        return [path]
    try:
        text = yaml.safe_load((path / "metadata.yaml").read_text())
        names = text["rosbag2_bagfile_information"]["relative_file_paths"]
        named = [path / PurePath(name).name for name in names]
    except Exception as err:  # YAML raises much
        found = _storages(path)
        if not found:
            held = "damaged" if (path / "metadata.yaml").exists() else "no"
            raise DataError(
                f"{path}: not a bag: {held} metadata.yaml, and no .mcap or .db3 in it; {_EXPECTED}"
            ) from err
        why = "missing" if isinstance(err, FileNotFoundError) else f"damaged ({_line(err)})"
        warn_once(
            f"{path}: metadata.yaml is {why}; reading {len(found)} files beside it "
            f"(`ros2 bag reindex {path}` writes it anew)"
        )
        return found
    missing = [file.name for file in named if not file.is_file()]
    if missing or not named:
        raise DataError(
            f"{path}: {', '.join(missing) or 'all files'} of metadata.yaml missing; copy the bag "
            f"again, or `ros2 bag reindex {path}` for what is there"
        )
    return named


def _open_file(file: Path, stack: ExitStack) -> Any:
    """Return the open reader of a file of a bag."""
    if file.suffix == _PACKED:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="sdepth-bag-")))
        whole = scratch / file.name.removesuffix(_PACKED)
        with file.open("rb") as packed, zstd.open(packed, "rb") as source, whole.open("wb") as out:
            shutil.copyfileobj(source, out)
        file = whole
    journal = file.with_name(f"{file.name}-wal")
    if journal.is_file() and journal.stat().st_size:
        warn_once(
            f"{file}: was not closed; what is in {journal.name} is not read "
            f"(`sqlite3 {file} 'PRAGMA wal_checkpoint'` puts it in)"
        )
    reader = _FILES[_kind(file)](file)
    try:
        reader.open()
    except Exception:  # no end, no index, another profile: the records are read one by one
        if _kind(file) != ".mcap":
            raise
        reader = _recover(file)
    stack.callback(reader.close)
    return reader


def _recover(file: Path) -> CutMcap:
    """Return the reader of an MCAP whose end or index is not as it should be."""
    reader = CutMcap(file)
    reader.open()
    if not reader.whole:
        count = sum(c.msgcount for c in reader.connections)
        start, end = reader.metadata
        warn_once(
            f"{file}: cut off; read as far as it goes: {count} messages, "
            f"{(end - start) * 1e-9:.1f} s (`mcap recover {file} -o whole.mcap` makes a whole one)"
        )
    return reader


def _readable(own: Connection, path: Path) -> Connection | None:
    """Return a topic as ROS 2 has it, None with a warning where its messages cannot be read."""
    shown = as_ros2(own, STORE)
    if shown is None:
        form = getattr(own.ext, "serialization_format", "ros1")
        warn_once(f"{path}: {own.topic}: {form} messages of {own.msgtype} are left out")
    return shown


def _damaged(path: Path, err: Exception) -> DataError:
    """Return the error that names a damaged bag."""
    ways = {
        ".mcap": "`mcap recover` saves what is whole",
        ".db3": "`sqlite3 FILE .recover` saves what is whole",
        ".bag": "`rosbag reindex` (ROS 1) may mend it",
    }
    kinds = [_kind(path)] if path.is_file() else [_kind(file) for file in _storages(path)]
    way = next((ways[kind] for kind in kinds if kind in ways), "record it again")
    return DataError(f"{path}: damaged ({_line(err)}); copy it again, or {way}")


def _line(err: Exception) -> str:
    """Return an error in a line."""
    said = " ".join(str(err).split())
    return f"{type(err).__name__}: {said[:200]}" if said else type(err).__name__
