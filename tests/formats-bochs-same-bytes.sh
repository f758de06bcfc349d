#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Growing images as bximage writes them, and one of the older version: the bytes that went in, and
# what qemu-img reads.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires bximage qemu-img python3
requires_fuse

# By whole cylinders: 20 and 65 of 16 heads and 63 sectors.
for size in 10321920 33546240; do
	rm -f disk.img
	fill raw $size
	bximage -q -func=convert -imgmode=growing raw disk.img >log 2>&1 || fail "bximage"
	same_disk disk.img raw
	qemu-img convert -f bochs -O raw disk.img want
	same_bytes raw want
done
expect 0 "$PLATTER" info --json disk.img
same "format" "$(json "$tmp/out" 'j["image"]["format"]')" bochs

# Version 1 has the size where version 2 has a time; a bitmap of 600 bytes takes two sectors.
python3 - <<'E' || fail "writing the image"
import random, struct
rng = random.Random(9)
extent, count, bitmap = 65536, 20, 600
size = count * extent - 512 * 3
entries, out = [0xffffffff] * 32, bytearray(512 + 4 * 32)
disk = bytearray(count * extent)
for k, n in enumerate(rng.sample(range(count - 1), 8) + [count - 1]):
    entries[n] = k
    bits, data = bytearray(1024), bytearray(b"\xee" * extent)
    for s in range(128):
        if rng.random() < .5:
            bits[s // 8] |= 1 << s % 8
            disk[n * extent + s * 512:n * extent + s * 512 + 512] = data[s * 512:s * 512 + 512] = \
                rng.randbytes(512)
    out += bits + data
struct.pack_into("<32s16s16sIIIIIQ", out, 0, b"Bochs Virtual HD Image", b"Redolog", b"Growing",
                 0x10000, 512, 32, bitmap, extent, size)
struct.pack_into("<32I", out, 512, *entries)
open("old.img", "wb").write(out)
open("old.raw", "wb").write(disk[:size])
E
same_disk old.img old.raw
