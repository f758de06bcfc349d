#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lz4: damage is refused with its reason.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires lz4
lz4 -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 3000000
lz4 -q -c -B4 -BX raw >good.lz4
size=$(stat -c %s good.lz4)
change() { # OFFSET
	python3 - "$1" <<'PY'
import sys
d = bytearray(open("good.lz4", "rb").read())
d[int(sys.argv[1])] ^= 0x55
open("bad.lz4", "wb").write(d)
PY
}
change 4
refuses bad.lz4 "descriptor is damaged"
change $((size / 2))
refuses bad.lz4 "a block"
change $((size - 1))
refuses bad.lz4 "a frame's checksum is wrong"
lz4 -q -c -B4 -BD --no-frame-crc raw >good.lz4
size=$(stat -c %s good.lz4)
head -c $((size / 2)) good.lz4 >cut.lz4
refuses cut.lz4 "the file ends too early"
head -c $((size - 1)) good.lz4 >cut.lz4
refuses cut.lz4 "the file ends too early"
{ cat good.lz4; echo garbage; } >behind.lz4
refuses behind.lz4 "neither a frame nor the end of the file"
python3 - <<'PY'
import struct
def rot(v, n): return (v << n | v >> (32 - n)) & 0xffffffff
def xxh32(d): # of less than 16 bytes
    h = (0x165667b1 + len(d)) & 0xffffffff
    i = 0
    while i + 4 <= len(d):
        h = rot((h + struct.unpack_from("<I", d, i)[0] * 0xc2b2ae3d) & 0xffffffff, 17) * 0x27d4eb2f & 0xffffffff
        i += 4
    for b in d[i:]:
        h = rot((h + b * 0x165667b1) & 0xffffffff, 11) * 0x9e3779b1 & 0xffffffff
    h = (h ^ h >> 15) * 0x85ebca77 & 0xffffffff
    h = (h ^ h >> 13) * 0xc2b2ae3d & 0xffffffff
    return h ^ h >> 16
d = b"\x61\x40\x07\0\0\0"
open("dictionary.lz4", "wb").write(b"\x04\x22\x4d\x18" + d + bytes([xxh32(d) >> 8 & 255]) + bytes(4))
PY
refuses dictionary.lz4 "a dictionary"
lz4 -q -c /dev/null >empty.lz4
refuses empty.lz4 "unpacks to 0 bytes"
