#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The boot sector of a filesystem is no partition table, whatever its code looks like.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires mkfs.vfat

for bits in 12 16 32; do
	new_disk 40M
	mkfs.vfat -F $bits "$img" >/dev/null 2>&1 || fail "mkfs.vfat -F $bits"
	info
	is_no_table
done

# With text that passes for entries.
edit 'wr(446, struct.pack("<8BII", 0x80, 0, 0, 0, 0x41, 0, 0, 0, 0x20202020, 0x20202020) + bytes(48))'
info
is_no_table

# mkfs.fat can write an entry of its own, for firmware that wants one.
if mkfs.vfat --help 2>&1 | grep -q -e --mbr; then
	new_disk 40M
	mkfs.vfat --mbr=y "$img" >/dev/null 2>&1 || fail "mkfs.vfat --mbr"
	[ "$(sfdisk_entries)" != '[]' ] || fail "mkfs.vfat --mbr wrote no entry"
	info
	is_no_table
fi

if command -v mkfs.ntfs >/dev/null; then
	new_disk 40M
	mkfs.ntfs -F -q "$img" >/dev/null 2>&1 || fail "mkfs.ntfs"
	info
	is_no_table
fi
