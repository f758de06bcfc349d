#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The segments of an EWF image are found from the first, behind the 99th too, which is called EAA;
# one that is missing is named, another than the first says which is the first, and one of another
# image or of another place in the row is refused.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
requires ewfacquire python3
requires_fuse

fill disk.raw 4194304
ewfacquire -u -q -f encase6 -c none -S 1048576 -t a disk.raw >log 2>&1 || fail "$(cat log)"
head -c 3145728 disk.raw >less.raw
ewfacquire -u -q -f encase6 -c none -S 1048576 -t b less.raw >log 2>&1 || fail "$(cat log)"
[ -e a.E05 ] || fail "one segment is not several"
same_disk a.E01 disk.raw

# mark FILE SECTION BYTE: make that the identifier.
mark() {
	python3 - "$@" <<'PY'
import struct, sys, zlib
b = bytearray(open(sys.argv[1], "rb").read())
off = 13
while b[off:off + 16].rstrip(b"\0") != sys.argv[2].encode():
    off = struct.unpack_from("<Q", b, off + 16)[0]
b[off + 76 + 64:off + 76 + 80] = bytes([int(sys.argv[3])]) * 16
struct.pack_into("<I", b, off + 76 + 1048, zlib.adler32(bytes(b[off + 76:off + 76 + 1048])))
open(sys.argv[1], "wb").write(b)
PY
}

refuses a.E02 'segment 2 of an image, open the first one, "a.E01"'
mv a.E03 kept
refuses a.E01 'segment "a.E03" is not there, and segments 1 to 2 hold 62 of 128 chunks'
refuses a.E01 'segment "a.E02": not opened, because of --chain=no' --chain=no
cp a.E02 a.E03
refuses a.E01 'segment "a.E03": is segment 2 of version 1, expected 3 of version 1'
# Its sections say that it is of another image: of another size, or by the identifier of the set
# (which ewfacquire leaves away).
cp b.E03 a.E03
refuses a.E01 'segment "a.E03": is of a disk of 6144 sectors of 512 bytes, and the first segment of'
cp kept a.E03
mark a.E01 volume 1
same_disk a.E01 disk.raw
mark a.E03 data 2
refuses a.E01 'segment "a.E03": belongs to image 02020202-0202-0202-0202-020202020202, and the first'
mark a.E03 data 1
same_disk a.E01 disk.raw
echo "of something else altogether" >a.E03
refuses a.E01 'segment "a.E03": is no segment of an EWF image'
mkdir elsewhere
rm a.E03
mv kept elsewhere/a.E03
same_disk a.E01 disk.raw --chain=elsewhere
mv a.E01 a.bin
refuses a.bin 'segment 2, whose name cannot be made from "a.bin"'

# 105 segments of one chunk each, in small letters.
python3 - <<'PY'
import struct, zlib
def section(kind, off, body, last=False):
    size = 76 + len(body)
    d = kind.ljust(16, b"\0") + struct.pack("<QQ", off if last else off + size, 0 if last else size)
    d = d.ljust(72, b"\0")
    return d + struct.pack("<I", zlib.adler32(d)) + body
def summed(b):
    return b + struct.pack("<I", zlib.adler32(b))
disk, chunk, n = bytearray(), 1024, 105
for i in range(n):
    data = bytes([i % 251 + 1]) * chunk
    disk += data
    f = b"EVF\x09\r\n\xff\0\1" + struct.pack("<H", i + 1) + b"\0\0"
    if i == 0:
        f += section(b"volume", len(f), summed(struct.pack("<IIIII", 1, n, 2, 512, 2 * n).ljust(90, b"\0")))
    at = len(f) + 76
    f += section(b"sectors", len(f), summed(data))
    table = summed(struct.pack("<IIQI", 1, 0, 0, 0)) + summed(struct.pack("<I", at))
    f += section(b"table", len(f), table)
    f += section(b"done" if i == n - 1 else b"next", len(f), b"", True)
    k = i + 1 - 100
    suffix = "%02d" % (i + 1) if i < 99 else chr(97 + k // 26) + chr(97 + k % 26)
    open("many.e" + suffix, "wb").write(f)
open("many.raw", "wb").write(disk)
PY
same_disk many.e01 many.raw
rm many.eac
refuses many.e01 'segment "many.eac" is not there, and segments 1 to 101 hold 101 of 105 chunks'
refuses many.eab 'segment 101 of an image, open the first one, "many.e01"'
