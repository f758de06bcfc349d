#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A BSD disklabel behind an MBR is named in the problems.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 16M
printf 'label: dos\n,4M,a5\n' | sfdisk -q "$img"
edit '
b = bytearray(0x94 + 16)
struct.pack_into("<I", b, 0, 0x82564557)
struct.pack_into("<I", b, 0x28, 512)
struct.pack_into("<I", b, 0x84, 0x82564557)
struct.pack_into("<H", b, 0x8a, 1)
struct.pack_into("<IIIB", b, 0x94, 4096, 64, 0, 7)
wr(512, b)
'
info
is 'j["table"]["scheme"]' mbr
lists "$(sfdisk_entries)"
has_problem 'scheme bsd'
