#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 2IMG images in ProDOS and DOS order are the bytes between header and comment; raw tracks, other
# versions and what passes the end of the file are refused; cut and damaged images hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires python3

fill disk 143360
cat >make.py <<'END'
import struct, sys

disk = open("disk", "rb").read()

def write(name, kind=1, version=1, blocks=len(disk) // 512, offset=64, length=len(disk), magic=b"2IMG"):
    with open(name + ".2mg", "wb") as f:
        f.write(magic + b"test" + struct.pack("<HHIIIIIIIII", 64, version, kind, 0, blocks, offset,
                                              length, offset + length & 0xffffffff, 7, 0, 0) + bytes(16))
        f.write(bytes(max(0, min(offset, 4096) - 64)) + disk + b"comment")

write("prodos")
write("dos", kind=0, blocks=0)
write("no-length", length=0)
write("version-0", version=0)
write("further", offset=100)
write("nibbles", kind=2)
write("kind", kind=3)
write("version", version=2)
write("nothing", length=0, blocks=0)
write("past", length=len(disk) + 8)
write("in-header", offset=63)
write("far", offset=0xffffffff)
END
python3 make.py || fail "make.py"
for image in prodos dos no-length version-0 further; do
	same_disk $image.2mg disk
done
refuses nibbles.2mg "the raw tracks of a drive (nibbles), which are not supported"
refuses kind.2mg "image format 3, expected 0 (DOS) or 1 (ProDOS)"
refuses version.2mg "2IMG version 2, at most 1"
refuses nothing.2mg "a disk of 0 bytes at 64"
refuses past.2mg "a disk of 143368 bytes at 64 in a file of 143431"
refuses in-header.2mg "a disk of 143360 bytes at 63"
refuses far.2mg "at 4294967295 in a file of"
head -c 63 prodos.2mg >short.2mg
refuses short.2mg "63 bytes, expected a header of 64"
head -c 20064 prodos.2mg >cut.2mg
refuses cut.2mg "a disk of 143360 bytes at 64 in a file of 20064"
head -c 4096 disk >small && mv small disk
python3 make.py || fail "make.py"
hostile 2img prodos.2mg 2000
