#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Four entries of length 0 are no table, nor are flags that no table has.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 16M
echo 'label: dos' | sfdisk -q "$img"
info
is_no_table

new_disk 16M
edit 'wr(446, struct.pack("<8BII", 0x7b, 0, 0, 0, 0x83, 0, 0, 0, 64, 64)); wr(510, b"\x55\xaa")'
info
is_no_table

# A disk shorter than a sector, and one without a byte.
for size in 511 1 0; do
	new_disk $size
	"$PLATTER" info --json "$img" >/dev/null 2>&1 || [ $? = 32 ] || fail "$size bytes"
done
