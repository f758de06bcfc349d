#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bochs images that are broken, cut, or the difference to another one are refused, each with its
# reason; cut anywhere and damaged anywhere they hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3

python3 - <<'E' || fail "writing the images"
import struct
def write(name, kind=b"Redolog", sub=b"Growing", version=0x20000, header=512, catalog=16, bitmap=2,
          extent=8192, size=16 * 8192 - 512, entries=(0, 0xffffffff, 1), cut=None):
    out = bytearray(512 + 4 * 16)
    struct.pack_into("<32s16s16sIIIIIIQ", out, 0, b"Bochs Virtual HD Image", kind, sub, version,
                     header, catalog, bitmap, extent, 0, size)
    table = list(entries) + [0xffffffff] * (16 - len(entries))
    struct.pack_into("<16I", out, 512, *table)
    for i in 0, 1:
        out += b"\x0f\xf1".ljust(512, b"\0") + bytes(range(1, 129)) * 64
    open(name, "wb").write(out[:cut])
write("good.img")
write("type.img", kind=b"Price\nlist")
write("undoable.img", sub=b"Undoable")
write("volatile.img", sub=b"Volatile")
write("version.img", version=0x30000)
write("extent-zero.img", extent=0)
write("extent-odd.img", extent=8200)
write("extent-large.img", extent=2 ** 31)
write("bitmap.img", bitmap=1)
write("bitmap-large.img", bitmap=2 ** 32 - 1)
write("size.img", size=16 * 8192 + 1)
write("size-zero.img", size=0)
write("size-large.img", size=2 ** 64 - 1)
write("header.img", header=2 ** 32 - 1)
write("inside.img", header=16)
write("catalog.img", catalog=2 ** 32 - 1)
write("away.img", entries=(0, 2))
write("far.img", entries=(0xfffffffe,))
write("cut.img", cut=-1)
E
expect 0 "$PLATTER" info good.img
refuses type.img 'a Bochs image of type "Price?list"'
refuses undoable.img 'subtype "Undoable", which is the difference to an image that it does not name'
refuses volatile.img 'subtype "Volatile"'
refuses version.img 'version 00030000 of Bochs images'
refuses extent-zero.img 'extents of 0 bytes'
refuses extent-odd.img 'extents of 8200 bytes'
refuses extent-large.img 'extents of 2147483648 bytes'
refuses bitmap.img 'bitmaps of 1 bytes for extents of 16 sectors'
refuses bitmap-large.img 'bitmaps of 4294967295 bytes'
refuses size.img 'a disk of 131073 bytes, the catalogue has 16 extents of 8192'
refuses size-zero.img 'a disk of 0 bytes'
refuses size-large.img 'a disk of 18446744073709551615 bytes'
refuses header.img 'the catalogue at 4294967295'
refuses inside.img 'the catalogue at 16'
refuses catalog.img 'the catalogue at 512, 4294967295 entries, passes the end'
refuses away.img 'extent 1 stands at 17984 and passes the end of the file at 17984 bytes'
refuses far.img 'extent 0 stands at'
refuses cut.img 'extent 2 stands at 9280'
hostile bochs good.img
