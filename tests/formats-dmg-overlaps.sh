#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmg tables that tell of one sector twice: of two chunks the one that begins earlier counts, of two
# that begin together the one whose data stands first, however the tables are ordered; and sectors
# that no table tells of are zeros. Half a million chunks, out of order, open within the bounds of
# hostile-format.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires python3

cat >make.py <<'END'
import os, random, sys, time
sys.path.insert(0, os.environ["srcdir"] + "/tests")
from udif import *

rng = random.Random(4)
SECTORS = 3000
data, chunks = b"", []
for i in range(120):
    start, n = rng.randrange(SECTORS - 100), rng.randrange(1, 100)
    if i % 10 == 9:
        start = chunks[-1][0]
    plain = b"".join(b"%03d %508d" % (i, s) for s in range(n))
    name = ("raw", "zlib")[i % 2]
    packed = pack(name, plain)
    chunks.append((start, len(data), KINDS[name], n, len(packed), plain))
    data += packed
disk = bytearray(SECTORS * 512)
for start, offset, kind, n, length, plain in sorted(chunks, reverse=True):
    disk[start * 512:(start + n) * 512] = plain
# What begins earlier is written over what begins later, and hides all of it that it covers.
rng.shuffle(chunks)
tables = [table(c[0], c[3], [entry(c[2], 0, c[3], c[1], c[4]), entry(0xffffffff, c[3], 0, 0, 0)], 0)
          for c in chunks]
text = plist(tables)
with open("overlaps.dmg", "wb") as f:
    f.write(data + text + trailer(SECTORS, (0, len(data)), tables=(len(data), len(text))))
with open("overlaps", "wb") as f:
    f.write(disk)

# Raw chunks that are neighbours in the disk and not in the file.
text = plist([table(0, 4, [entry(1, i, 1, (i ^ 1) * 512, 512) for i in range(4)], 0)])
with open("swapped.dmg", "wb") as f:
    f.write(bytes(disk[:2048]) + text + trailer(4, (0, 2048), tables=(2048, len(text))))
with open("swapped", "wb") as f:
    f.write(disk[512:1024] + disk[:512] + disk[1536:2048] + disk[1024:1536])

def many(name, n):
    plain = pack("zlib", bytes(511) + b"1")
    entries = [entry(KINDS["zlib"], n - 1 - i if i % 2 else i, 1, 0, len(plain)) for i in range(n)]
    text = plist([table(0, n, entries, 0)])
    with open(name, "wb") as f:
        f.write(plain + text + trailer(n, (0, len(plain)), tables=(len(plain), len(text))))
many("many.dmg", 512 << 10)
many("too-many.dmg", (512 << 10) + 1)
END
srcdir=$srcdir python3 make.py || fail "make.py"
same_disk overlaps.dmg overlaps
same_disk swapped.dmg swapped

expect 0 "$builddir/tests/hostile-format" replay dmg many.dmg
expect 0 "$PLATTER" info many.dmg
grep -q '268435456 bytes' out || fail "$(cat out)"
refuses too-many.dmg "more than 524288 chunks"
