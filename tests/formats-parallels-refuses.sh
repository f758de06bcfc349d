#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Parallels images that are broken or cut are refused, each with its reason; cut anywhere and damaged
# anywhere they hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3

python3 - <<'E' || fail "writing the images"
import struct
def write(name, version=2, tracks=8, entries=9, sectors=70, table=(1, 0, 2, 3, 0, 4), cut=None):
    out = bytearray(5 * 8 * 512)
    struct.pack_into("<16sIIIIIQIIIQ", out, 0, b"WithouFreSpacExt", version, 16, 10, tracks,
                     entries, sectors, 0, 8, 0, 0)
    struct.pack_into(f"<{len(table)}I", out, 64, *table)
    out[4096:] = bytes(range(1, 129)) * (len(out[4096:]) // 128)
    open(name, "wb").write(out[:cut])
write("good.hds")
write("version.hds", version=3)
write("tracks.hds", tracks=0)
write("no-sectors.hds", sectors=0)
write("sectors.hds", sectors=2 ** 55)
write("entries.hds", entries=8)
write("table.hds", entries=2 ** 32 - 1, sectors=2 ** 34)
write("away.hds", table=(1, 5))
write("far.hds", table=(1, 2 ** 32 - 1), tracks=2 ** 22, sectors=2 ** 23)
write("large.hds", tracks=2 ** 22 + 1)
write("cut.hds", cut=-1)
write("head.hds", cut=80)
E
expect 0 "$PLATTER" info good.hds
refuses version.hds 'version 3 of Parallels images, expected 2'
refuses tracks.hds 'clusters of 0 sectors'
refuses no-sectors.hds 'a disk of 0 sectors'
refuses sectors.hds 'a disk of 36028797018963968 sectors'
refuses entries.hds 'a disk of 9 clusters, the block allocation table has 8'
refuses table.hds 'the block allocation table, 2147483648 entries, passes the end'
refuses away.hds 'cluster 1 stands at 20480 and passes the end of the file at 20480 bytes'
refuses far.hds 'cluster 0 stands at 2147483648 and passes the end of the file'
refuses large.hds 'clusters of 4194305 sectors, expected 1 to 4194304'
refuses cut.hds 'cluster 5 stands at 16384 and passes the end of the file at 20479 bytes'
refuses head.hds 'the block allocation table, 9 entries, passes the end'
hostile parallels good.hds
