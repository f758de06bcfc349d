#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A chain that leaves its extended partition, or comes to no EBR, ends with a problem.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

make()
{
	new_disk 64M
	printf 'label: dos\n,4M\nstart=10240,size=65536,type=5\nstart=12288,size=4096\nstart=18432,size=6144\n' | sfdisk -q "$img"
}

make
edit 'ext, = struct.unpack("<I", rd(446 + 16 + 8, 4))
wr(ext * 512 + 446 + 16 + 8, struct.pack("<I", 70000))'
info
is '[p["number"] for p in j["partitions"]]' '[1, 2, 5]'
has_problem 'outside the extended partition 2'

make
edit 'ext, = struct.unpack("<I", rd(446 + 16 + 8, 4)); wr(ext * 512 + 510, b"\0\0")'
info
is '[p["number"] for p in j["partitions"]]' '[1, 2]'
has_problem 'expected 55aa'

# The disk ends before the EBR: an image that was cut off.
make
truncate -s 4M "$img"
info
is '[p["number"] for p in j["partitions"]]' '[1, 2]'
has_problem 'cannot be read'

# A logical partition that is longer than what is around it.
make
edit 'ext, = struct.unpack("<I", rd(446 + 16 + 8, 4))
wr(ext * 512 + 446 + 12, struct.pack("<I", 80000))'
info
entry_problem 5 'passes the extended partition 2'
