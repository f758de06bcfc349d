#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Android sparse images: what is served is what simg2img writes: img2simg's images, and those with
# fills of zeros and of other values, longer headers, checksums and chunks of no blocks.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires img2simg simg2img

fill raw 6345728
img2simg raw tool.simg 4096 || fail "img2simg"
python3 - <<'PY'
import random, struct, zlib
rng = random.Random(1)
def sparse(name, block, pieces, hdr=28, chdr=12, checksum=False):
    out, disk, n = b"", b"", 0
    for kind, blocks, value in pieces:
        if kind == 0xcac1:
            data = rng.randbytes(blocks * block); disk += data
        elif kind == 0xcac2:
            data = struct.pack("<I", value); disk += data * (blocks * block // 4)
        elif kind == 0xcac3:
            data = b""; disk += bytes(blocks * block)
        else:
            data = struct.pack("<I", zlib.crc32(disk))
        out += struct.pack("<HHII", kind, 0, blocks, chdr + len(data)) + bytes(chdr - 12) + data
    head = struct.pack("<IHHHHIIII", 0xed26ff3a, 1, 0, hdr, chdr, block, len(disk) // block, len(pieces), zlib.crc32(disk) if checksum else 0)
    open(name + ".simg", "wb").write(head + bytes(hdr - 28) + out)
    open(name + ".raw", "wb").write(disk)
kinds = (0xcac1, 0xcac2, 0xcac3)
pieces = [(rng.choice(kinds), rng.choice((1, 2, 3, 100)), rng.choice((0, 0xdeadbeef))) for _ in range(150)]
sparse("pieces", 4096, pieces)
sparse("crc", 4096, pieces + [(0xcac4, 0, 0)])
sparse("headers", 1024, pieces, 40, 20, True)
sparse("small", 4, [(0xcac2, 70000, 0x01020304), (0xcac1, 3, 0), (0xcac2, 0, 1), (0xcac2, 1, 2)])
PY
for name in tool pieces crc; do
	simg2img $name.simg $name.back || fail "simg2img $name"
	same_disk $name.simg $name.back
done
cmp pieces.raw pieces.back || fail "the test's own writer is wrong"
for name in headers small; do
	same_disk $name.simg $name.raw
done
# Fills of zeros are holes.
mkdir mnt
attach tool.simg mnt
[ "$(du -B1 mnt/disk | cut -f1)" -le $(($(stat -c %s tool.simg) + 4096)) ] || fail "more than there is"
same "holes" "$(python3 -c 'import os; print(os.lseek(os.open("mnt/disk", 0), 0, os.SEEK_HOLE) < 6345728)')" True
detach mnt
