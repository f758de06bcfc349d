#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A BSD disklabel on the whole disk, as parted writes it.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires parted

new_disk 64M
parted -s "$img" mklabel bsd mkpart ext2 1MiB 4MiB mkpart ext2 5MiB 9MiB 2>/dev/null || fail parted
info
is 'j["table"]["scheme"]' bsd
lists "$(parted -sm "$img" unit B print 2>/dev/null | python3 -c '
import sys
print([(int(f[0]), int(f[1][:-1]), int(f[3][:-1])) for f in (l.split(":") for l in sys.stdin)
       if f[0].isdigit()])')"

# In sector 1, as on a PC, with the checksum and a raw partition "c" that lies under all others.
label='
def label(parts, secsize=512, at=512, count=None):
    b = bytearray(0x94 + 16 * len(parts))
    struct.pack_into("<I", b, 0, 0x82564557)
    struct.pack_into("<I", b, 0x28, secsize)
    struct.pack_into("<I", b, 0x84, 0x82564557)
    struct.pack_into("<H", b, 0x8a, len(parts) if count is None else count)
    for i, (start, length, kind) in enumerate(parts):
        struct.pack_into("<IIIB", b, 0x94 + 16 * i, length, start, 0, kind)
    x = 0
    for w, in struct.iter_unpack("<H", b):
        x ^= w
    struct.pack_into("<H", b, 0x88, x)
    wr(at, b)
'
new_disk 64M
edit "$label
label([(64, 1000, 7), (2000, 500, 1), (0, size // 512, 0), (0, 0, 0), (4000, 8000, 7)])"
info
lists '[(1, 32768, 512000), (2, 1024000, 256000), (3, 0, 67108864), (5, 2048000, 4096000)]'
is '[p["type_name"] for p in j["partitions"]]' "['4.2BSD', 'swap', 'unused', '4.2BSD']"
is 'j["gaps"][0]' "{'start': 0, 'size': 32768}"
no_problems

# The label says how long its sectors are.
edit "$label
label([(64, 1000, 7)], 2048)"
info
lists '[(1, 131072, 2048000)]'

# More partitions than there can be, and a sector size that cannot be.
edit "$label
label([(64, 1000, 7)], 12345, count=65535)"
info
is 'j["partitions"][0]["start"]' 32768
has_problem 'says that it has 65535 partitions'
has_problem '12345'
has_problem 'checksum'
