"""The icon files of Windows (.ico) and macOS (.icns), made of the PNG files in resources/icons.

Both are lists of PNG pictures with a heading, so no drawing program is needed. Owns the two formats and nothing else.
"""

from __future__ import annotations

import struct
from pathlib import Path

ICO_SIZES = (16, 24, 32, 48, 64, 128, 256)
ICNS_KINDS = {"icp4": 16, "icp5": 32, "icp6": 64, "ic07": 128, "ic08": 256, "ic11": 32, "ic12": 64, "ic13": 256}
"""What macOS calls a picture of so many pixels; ic11 to ic13 are those of 16, 32 and 128 points on fine screens."""


def write_ico(folder: Path, file: Path) -> Path:
    pictures = [(size, _png(folder, size)) for size in ICO_SIZES]
    offset = 6 + 16 * len(pictures)
    head, body = struct.pack("<HHH", 0, 1, len(pictures)), b""
    for size, picture in pictures:
        # 0 stands for 256.
        head += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(picture), offset + len(body))
        body += picture
    return _write(file, head + body)


def write_icns(folder: Path, file: Path) -> Path:
    body = b""
    for kind, size in ICNS_KINDS.items():
        picture = _png(folder, size)
        body += kind.encode() + struct.pack(">I", 8 + len(picture)) + picture
    return _write(file, b"icns" + struct.pack(">I", 8 + len(body)) + body)


def _png(folder: Path, size: int) -> bytes:
    return (folder / f"crmtray-{size}.png").read_bytes()


def _write(file: Path, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file
