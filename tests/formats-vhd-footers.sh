#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Which footer of a VHD counts: the one at the end, of 512 or 511 bytes, else the copy at the front.
# How large the disk is: what the geometry holds where Virtual PC or QEMU made it.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3
requires_fuse

PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 python3 - <<'E' || fail "writing the images"
import random, vhdwriter as vhd
uid = b"u" * 16
def save(name, data):
    open(name, "wb").write(data)

data = random.Random(4).randbytes(1 << 20)
save("fixed.raw", data)
save("fixed-511.vhd", vhd.fixed(data, uid)[:-1])
# The guest of a fixed disk may write what it likes to its first sector.
disguised = b"QFI\xfb\0\0\0\3" + data[8:]
save("disguised.raw", disguised)
save("disguised.vhd", vhd.fixed(disguised, uid))
# 100 * 4 * 5 sectors of 512 bytes are 1024000 bytes, of the 1048576 that the size says.
save("geometry.raw", data[:1024000])
for creator in (b"vpc ", b"vs  ", b"qemu"):
    save(f"geometry-{creator[:2].decode()}.vhd",
         vhd.fixed(data, uid, creator=creator, geometry=(100, 4, 5)))
for creator in (b"win ", b"d2v ", b"qem2", b"tap\0", b"vbox", b"wa\0\0"):
    save(f"size-{creator[:3].decode().strip(chr(0))}.vhd",
         vhd.fixed(data, uid, creator=creator, geometry=(100, 4, 5)))
save("size-max.vhd", vhd.fixed(data, uid, creator=b"vpc ", geometry=(65535, 16, 255)))

blocks = {0: {5: b"x" * 512}}
image = vhd.sparse(3 << 20, 3, uid, blocks)
disk = bytearray(3 << 20)
disk[2560:3072] = b"x" * 512
save("dynamic.raw", disk)
save("no-end.vhd", image[:-512])
save("torn-end.vhd", image[:-100])
save("bad-end.vhd", image[:-500] + b"?" + image[-499:])
save("bad-front.vhd", image[:20] + b"?" + image[21:])
save("no-front.vhd", bytes(512) + image[512:])
save("saved.vhd", vhd.sparse(3 << 20, 3, uid, blocks, saved=1))
save("both-bad.vhd", image[:20] + b"?" + image[21:-500] + b"?" + image[-499:])
# The bitmap of a dynamic disk is not asked, as Windows and QEMU do not.
clear = bytearray(image)
clear[2048:2560] = bytes(512)
save("clear-bitmap.vhd", clear)
E

same_disk fixed-511.vhd fixed.raw
same_disk disguised.vhd disguised.raw
for image in geometry-*.vhd; do same_disk "$image" geometry.raw; done
for image in size-*.vhd; do same_disk "$image" fixed.raw; done
for image in no-end torn-end bad-end bad-front no-front saved clear-bitmap; do
	same_disk $image.vhd dynamic.raw
done
refuses both-bad.vhd 'the checksum of the footer at its end is'
