#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lz4: what is served is what was packed: every size of block, dependent and independent blocks, with
# and without checksums and sizes, legacy frames, several frames with skippable ones between them.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires lz4
lz4 -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 10000001
for how in -B4 -B5 -B6 -B7 "-B4 -BD" "-B7 -BD" "-B4 -BX --no-frame-crc" "-B4 --content-size" "-BD --content-size" "-B65 -BX --content-size" -l; do
	# shellcheck disable=SC2086
	lz4 -q -c $how raw >"a${how// /}.lz4" || fail "lz4 $how"
done
{
	head -c 3000000 raw | lz4 -q -c -BD
	printf '\x53\x2a\x4d\x18\x05\0\0\0abcde'
	tail -c +3000001 raw | head -c 4000000 | lz4 -q -c -l
	tail -c +7000001 raw | lz4 -q -c -B4
} >frames.lz4
for image in a*.lz4 frames.lz4; do
	lz4 -q -d -c "$image" | cmp - raw || fail "$image: not what was packed"
	same_backwards "./$image" raw
done

# A block that its writer ended early, in the middle of a frame: there are just as many blocks as if
# it were the last one that is short. Stored blocks, by hand, as lz4 itself cannot be told to flush.
python3 - <<'PY'
import struct
M = 0xffffffff
def rol(x, n): return (x << n | x >> (32 - n)) & M
def xxh32(d): # of less than 16 bytes
    h, i = (374761393 + len(d)) & M, 0
    while i + 4 <= len(d):
        h = rol((h + struct.unpack_from("<I", d, i)[0] * 3266489917) & M, 17) * 668265263 & M
        i += 4
    for b in d[i:]:
        h = rol((h + b * 374761393) & M, 11) * 2654435761 & M
    h = (h ^ h >> 15) * 2246822519 & M
    h = (h ^ h >> 13) * 3266489917 & M
    return h ^ h >> 16
BLOCK = 256 << 10
raw = open("raw", "rb").read()
def frame(lengths, size=None):
    total = sum(lengths)
    d = b"\x68\x50" + struct.pack("<Q", total if size is None else size)
    out, off = struct.pack("<I", 0x184d2204) + d + bytes([xxh32(d) >> 8 & 255]), 0
    for n in lengths:
        out += struct.pack("<I", n | 1 << 31) + raw[off:off + n]
        off += n
    return out + bytes(4), raw[:off]
def write(name, *frames):
    open(name + ".lz4", "wb").write(b"".join(f[0] for f in frames))
    open(name + ".raw", "wb").write(b"".join(f[1] for f in frames))
half = BLOCK // 2
write("flushed-first", frame([half] + [BLOCK] * 31))
write("flushed-middle", frame([BLOCK] * 3 + [1000] + [BLOCK] * 8 + [BLOCK - 500]))
write("flushed-later", frame([BLOCK] * 5 + [77]), frame([BLOCK, half, BLOCK]), frame([BLOCK]))
write("full", frame([BLOCK] * 5 + [77]), frame([]), frame([BLOCK] * 2), frame([3]))
# It says that nothing is missing, and the last block agrees.
write("liar", frame([half] + [BLOCK] * 7, 8 * BLOCK))
PY
for image in flushed-first flushed-middle flushed-later full; do
	lz4 -q -d -c $image.lz4 | cmp - $image.raw || fail "$image: not what was packed"
	same_backwards $image.lz4 $image.raw
done
! lz4 -q -t liar.lz4 2>err || fail "what lz4 refuses was made wrong"
expect 32 "$PLATTER" cat -p 0 liar.lz4
