#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Logical partitions count from 5, the extended one is listed at its full length.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
sfdisk -q "$img" <<EOF
label: dos
label-id: 0x0badcafe
,4M,83
,,E
,2M,83
,3M,82
,1M,7
EOF
info
lists "$(sfdisk_entries)"
is '[p["number"] for p in j["partitions"]]' '[1, 2, 5, 6, 7]'
is 'j["partitions"][1]["type"]' 0x05
is 'j["partitions"][1]["start"] + j["partitions"][1]["size"]' 67108864
is 'j["partitions"][4]["uuid"]' 0badcafe-07
no_problems

# Linux and LBA kinds of extended partition lead to the same.
for type in 0f 85; do
	edit "wr(446 + 16 + 4, bytes([0x$type]))"
	info
	is '[p["number"] for p in j["partitions"]]' '[1, 2, 5, 6, 7]'
	is 'j["partitions"][1]["type"]' "0x$type"
done
