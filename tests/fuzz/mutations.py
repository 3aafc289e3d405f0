"""Mutations that parsers trip over: changed bits, borders of integers, cut, doubled and spliced parts."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

CORPUS: Final = Path(__file__).parent / "corpus"
_BORDERS: Final = tuple(
    value.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
    for order in ("big", "little")
)
_MOST_CHANGES: Final = 8
_FAR: Final = 2**20

Change = Callable[[bytes], bytes]


def seeds(kind: str) -> list[Path]:
    """Files of the corpus: "photos", "catalogues" or "messages"."""
    return sorted(path for path in (CORPUS / kind).iterdir() if path.is_file())


def mutated(originals: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of the originals after up to eight changes."""
    changes = st.lists(_changes(originals), min_size=1, max_size=_MOST_CHANGES)
    return st.builds(_apply, st.sampled_from(originals), changes)


def _apply(data: bytes, changes: list[Change]) -> bytes:
    for change in changes:
        data = change(data)
    return data


def _changes(originals: Sequence[bytes]) -> st.SearchStrategy[Change]:
    place = st.integers(0, _FAR)
    length = st.one_of(st.integers(1, 16), st.integers(1, 4096))
    return st.one_of(
        st.builds(_overwrite, place, st.sampled_from(_BORDERS) | st.binary(min_size=1, max_size=4)),
        st.builds(_flip, place, st.integers(0, 7)),
        st.builds(_remove, place, length),
        st.builds(_double, place, length),
        st.builds(_insert, place, st.binary(max_size=64)),
        st.builds(_cut, place),
        st.builds(_splice, place, st.sampled_from(originals), place),
    )


def _overwrite(place: int, value: bytes) -> Change:
    def change(data: bytes) -> bytes:
        at = place % (len(data) + 1)
        return data[:at] + value + data[at + len(value) :]

    return change


def _flip(place: int, bit: int) -> Change:
    def change(data: bytes) -> bytes:
        if not data:
            return data
        at = place % len(data)
        return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]

    return change


def _remove(place: int, length: int) -> Change:
    return lambda data: data[: place % (len(data) + 1)] + data[place % (len(data) + 1) + length :]


def _double(place: int, length: int) -> Change:
    def change(data: bytes) -> bytes:
        at = place % (len(data) + 1)
        return data[: at + length] + data[at : at + length] + data[at + length :]

    return change


def _insert(place: int, value: bytes) -> Change:
    return lambda data: data[: place % (len(data) + 1)] + value + data[place % (len(data) + 1) :]


def _cut(place: int) -> Change:
    return lambda data: data[: place % (len(data) + 1)]


def _splice(place: int, other: bytes, other_place: int) -> Change:
    return lambda data: data[: place % (len(data) + 1)] + other[other_place % (len(other) + 1) :]
