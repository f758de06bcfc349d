#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# DiskCopy 4.2 images are the bytes between header and tags; sizes that do not fit are refused; what
# only looks a little like one is raw; cut and damaged images hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires python3

fill disk 819200
cat >make.py <<'END'
import struct

disk = open("disk", "rb").read()

def checksum(data):
    c = 0
    for (word,) in struct.iter_unpack(">H", data):
        c = c + word & 0xffffffff
        c = c >> 1 | (c & 1) << 31
    return c

def write(name, title=b"Untitled", size=len(disk), tags=19200, magic=0x100, kind=1, length=None):
    with open(name + ".image", "wb") as f:
        f.write(bytes([len(title) if length is None else length]) + title.ljust(63, b"\0")
                + struct.pack(">IIIIBBH", size, tags, checksum(disk), 0, kind, 0x22, magic))
        f.write(disk + bytes(tags if tags < 1 << 20 else 0))

write("tags")
write("plain", tags=0, title=b"-not a Macintosh disk-", kind=2)
write("unnamed", title=b"")
write("lisa", tags=32000)
write("odd-tags", tags=19201)
write("past", size=len(disk) + 512, tags=0)
write("far", tags=0xffffffff)
write("magic", magic=0x101)
write("name", title=b"x" * 63, length=64)
write("control", title=b"a\nb")
write("odd-size", size=len(disk) - 1)
END
python3 make.py || fail "make.py"
for image in tags plain unnamed lisa; do
	same_disk $image.image disk
	expect 0 "$PLATTER" info --json $image.image
	same format "$(json out 'j["image"]["format"]')" dc42
done
for image in magic name control odd-size; do
	expect 0 "$PLATTER" info --json $image.image
	same format "$(json out 'j["image"]["format"]')" raw
done
refuses odd-tags.image "19201 bytes of tags for 1600 sectors"
refuses past.image "a disk of 819712 bytes and 0 of tags in a file of 819284"
refuses far.image "and 4294967295 of tags in a file of 819284"
head -c 800000 tags.image >cut.image
refuses cut.image "a disk of 819200 bytes and 19200 of tags in a file of 800000"
head -c 4096 disk >small && mv small disk
sed -i 's/tags=19200/tags=96/' make.py
python3 make.py || fail "make.py"
hostile dc42 tags.image 1500
