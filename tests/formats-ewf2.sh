#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ex01 images, packed by zlib and bzip2, with chunks that are stored, packed or only a pattern, in one
# segment and in several, are the disk that they were made of; encrypted ones and damaged ones are
# refused. There is no program in Debian that makes them: see lib-forensic.sh.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-forensic.sh" || exit 99
requires python3
requires_fuse

fill disk.raw 2000384
printf 'pattern!%.0s' {1..8192} | dd of=disk.raw bs=32768 seek=20 conv=notrunc status=none

make_ex01 a.Ex01 disk.raw 64 zlib
same_disk a.Ex01 disk.raw
make_ex01 a.Ex01 disk.raw 1 zlib
same_disk a.Ex01 disk.raw
make_ex01 n.Ex01 disk.raw 64 none
same_disk n.Ex01 disk.raw
make_ex01 b.Ex01 disk.raw 64 bzip2
if grep -q 'HAVE_BZIP2 1' "$builddir/config.h"; then
	same_disk b.Ex01 disk.raw
else
	refuses b.Ex01 "needs libbz2, which this build lacks"
fi
make_ex01 s.Ex01 disk.raw 64 zlib 1
[ -e s.Ex04 ] || fail "one segment is not several"
same_disk s.Ex01 disk.raw
refuses s.Ex03 'segment 3 of an image, open the first one, "s.Ex01"'
make_ex01 t.Ex01 disk.raw 64 zlib 1
cp t.Ex02 s.Ex02
refuses s.Ex01 'segment "s.Ex02": belongs to image '
rm s.Ex02
refuses s.Ex01 'segment "s.Ex02" is not there'

# Zeros are holes.
mkdir m
make_ex01 z.Ex01 disk.raw 64 zlib
attach z.Ex01 m
python3 - <<'PY' || fail "chunks of zeros are no holes"
import os
fd = os.open("m/disk", os.O_RDONLY)
want = open("disk.raw", "rb").read()
hole = next(i for i in range(0, len(want), 32768) if not any(want[i:i + 32768]))
assert os.lseek(fd, hole, os.SEEK_HOLE) == hole
PY
detach m

# Chunks with their places in the table damaged, and sections that say that they are encrypted.
python3 - <<'PY'
import struct, zlib
b = bytearray(open("a.Ex01", "rb").read())
def redo(off):
    struct.pack_into("<I", b, off + 60, zlib.adler32(bytes(b[off:off + 60])))
end = len(b) - 64
c = b[:]
struct.pack_into("<I", b, end + 4, 2)
redo(end)
open("encrypted.Ex01", "wb").write(b)
b = c[:]
struct.pack_into("<Q", b, end + 8, end)
redo(end)
open("loop.Ex01", "wb").write(b)
b = c[:]
off = end
while struct.unpack_from("<I", b, off)[0] != 4:
    off = struct.unpack_from("<Q", b, off + 8)[0]
size = struct.unpack_from("<Q", b, off + 16)[0]
b[off - size + 40] ^= 1
open("table.Ex01", "wb").write(b)
PY
refuses encrypted.Ex01 "encrypted, which is not supported"
refuses loop.Ex01 "ends behind"
refuses table.Ex01 "the table of chunks 3904 to 3906 is damaged"
head -c -1 a.Ex01 >cut.Ex01
refuses cut.Ex01 "no section descriptor at"
