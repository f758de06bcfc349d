#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Entries that pass the end of the disk or start behind it are listed with both numbers.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
printf 'label: dos\nstart=2048,size=8192\nstart=20480,size=81920\nstart=110592,size=2048\n' |
	sfdisk -q "$img"
truth=$(sfdisk_entries)
truncate -s 32M "$img"
info
lists "$truth"
is 'j["partitions"][0]["problem"]' None
entry_problem 2 '41943040 bytes from byte 10485760, the disk has 33554432'
entry_problem 3 'starts at byte 56623104, the disk has 33554432'
is '[(g["start"], g["size"]) for g in j["gaps"]]' '[(0, 1048576), (5242880, 5242880)]'
