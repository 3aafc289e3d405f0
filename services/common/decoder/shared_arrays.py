"""Arrays in memory files (memfd_create(2)): no name that could leak, no /dev/shm, gone with their last user."""

import fcntl
import math
import mmap
import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# Without these the child could take pages away under the service, which would die of SIGBUS.
_FIXED_SIZE: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW

# At once: all will be touched, and a fault for each costs more.
_ALL_PAGES: Final = mmap.MAP_POPULATE


class SharedArrays:
    """Makes arrays whose memory another process can map; for a process that ends soon, as nothing is closed."""

    def __init__(self) -> None:
        self._files: list[tuple[NDArray[Any], int]] = []

    def empty(self, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        """An array like `np.empty`'s, filled with zeros.

        Raises:
            MemoryError: there is not so much.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        file = os.memfd_create("pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(file, size)
            memory = mmap.mmap(file, size, flags=mmap.MAP_SHARED | _ALL_PAGES)
        except OSError as error:
            raise MemoryError(f"{size} bytes of pixels: {error.strerror}") from error
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _FIXED_SIZE | fcntl.F_SEAL_SEAL)
        array: NDArray[Any] = np.frombuffer(memory, dtype).reshape(shape)
        self._files.append((array, file))
        return array

    def file_of(self, array: NDArray[Any]) -> int:
        """Descriptor of an array's memory; of a copy, where the array was not made here."""
        for known, file in self._files:
            if known is array:
                return file
        copy = self.empty(array.shape, array.dtype.type)
        copy[...] = array
        return self.file_of(copy)


def map_array(file: int, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """The array in a memory file, read-only; its memory is given back with the array.

    Raises:
        ValueError: the file is not a memory file of that size that stays so.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        seals = fcntl.fcntl(file, fcntl.F_GET_SEALS)
    except OSError as error:
        raise ValueError("the pixels do not lie in a memory file") from error
    if seals & _FIXED_SIZE != _FIXED_SIZE or os.fstat(file).st_size != size:
        raise ValueError(f"the memory file is not {size} bytes for good")
    memory = mmap.mmap(file, size, flags=mmap.MAP_SHARED | _ALL_PAGES, prot=mmap.PROT_READ)
    return np.frombuffer(memory, dtype).reshape(shape)
