#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An E01 image whose chunks take more than 2 GiB in one section, as EnCase 6.7.1 makes them, is the disk
# that it was made of: offsets go on in what is the flag of packed chunks before.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires python3
requires_fuse

cat >make.py <<'END'
import random, struct, zlib
CHUNK, COUNT, rng = 1 << 20, 2100, random.Random(1)

def summed(b):
    return b + struct.pack("<I", zlib.adler32(b))

def section(kind, end):
    at = f.tell()
    f.write(summed(struct.pack("<16sQQ40x", kind, end, end - at if end > at else 0)))

# Chunks that hold something: packed ones in front, and not packed ones on both sides of 2 GiB.
data = {i: (b"packed %4d" % i).ljust(CHUNK, b"\1") for i in range(4)}
data.update({i: rng.randbytes(CHUNK) for i in (4, 2045, 2046, 2047, 2048, 2049, 2050, 2060, COUNT - 1)})
with open("wide.E01", "wb") as f, open("disk.raw", "wb") as raw:
    raw.truncate(CHUNK * COUNT)
    f.write(b"EVF\x09\r\n\xff\0" + struct.pack("<BHH", 1, 1, 0))
    section(b"volume", f.tell() + 76 + 1052)
    volume = struct.pack("<IIIIQ", 1, COUNT, CHUNK // 512, 512, CHUNK * COUNT // 512)
    f.write(summed(volume.ljust(1048, b"\0")))
    base = at = f.tell()
    at += 76
    entries = []
    for i in range(COUNT):
        flag = 0
        stored = data.get(i)
        length = CHUNK + 4
        if stored:
            raw.seek(i * CHUNK)
            raw.write(stored)
        if stored and i < 4:
            stored, flag = zlib.compress(stored), 1 << 31
            length = len(stored)
        elif stored:
            stored = summed(stored)
        if stored:
            f.seek(at)
            f.write(stored)
        entries.append(at - base | flag)
        at += length
    assert entries[-1] >= 1 << 31 and 1 << 31 not in entries
    f.seek(base)
    section(b"sectors", at)
    table = summed(struct.pack("<I4xQ4x", COUNT, base)) + summed(struct.pack("<%dI" % COUNT, *entries))
    f.seek(at)
    for kind in b"table", b"table2":
        section(kind, f.tell() + 76 + len(table))
        f.write(table)
    section(b"done", f.tell())
END
python3 make.py || fail "make.py"
mkdir m
attach wide.E01 m
python3 - <<'PY' || fail "not the disk that it was made of"
import os, sys
got, want = (os.open(p, os.O_RDONLY) for p in ("m/disk", "disk.raw"))
size = os.fstat(want).st_size
if os.fstat(got).st_size != size:
    sys.exit("another size")
for i in (2099, 2060, 2061, 2048, 2050, 2049, 2047, 2046, 2045, 1000, 4, 5, 3, 0, 1, 2):
    for off in i << 20, (i << 20) + 1048000:
        if os.pread(got, 70000, off) != os.pread(want, 70000, off):
            sys.exit(f"differ in {off} to {off + 70000}")
PY
detach m
