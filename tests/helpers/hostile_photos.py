"""Files that are small, valid by the letter, and ruinous to decode."""

import struct
import zlib
from typing import Final

from tests.helpers.photos import png_chunk

_BLOCK_PX: Final = 8
_LONGEST_RUN: Final = 32767  # blocks that one code of a progressive scan can skip (ITU-T T.81, G.1.2.2)


def memory_bomb(side_px: int = 8000) -> bytes:
    """A grey PNG of some kilobytes that unfolds into side² pixels: 64 million are allowed."""
    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + side_px // 8) * side_px), 9)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def endless_jpeg(side_px: int = 8000, scans: int = 20_000) -> bytes:
    """A progressive JPEG whose every scan says "nothing new" in a few bytes, and visits every block to do so."""
    blocks = (side_px // _BLOCK_PX) ** 2
    # The one Huffman code, "0", means a run of 2^14 blocks and as many more as the 14 bits after it say.
    bits = ("0" + "1" * 14) * -(-blocks // _LONGEST_RUN)
    bits += "1" * (-len(bits) % 8)
    entropy = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    scan = _segment(0xDA, b"\x01\x01\x00\x01\x3f\x00") + entropy
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xDB, b"\x00" + b"\x01" * 64),
            _segment(0xC2, struct.pack(">BHHB", 8, side_px, side_px, 1) + b"\x01\x11\x00"),
            _segment(0xC4, b"\x10\x01" + bytes(15) + b"\xe0"),
            scan * scans,
            b"\xff\xd9",
        )
    )


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
