"""The smallest pictures there are."""

import struct
import zlib


def png(*, red: int = 200) -> bytes:
    """A picture of one pixel; other colours are other files of the same size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    # Not compressed, so that the size is the same whatever the colour.
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes([0, red, 0, 0]), 0))
        + chunk(b"IEND", b"")
    )
