#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where the first EBR stands tells how long the sectors of an MBR are.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99

new_disk 4M
edit '
wr(446, struct.pack("<8BII", 0, 0, 0, 0, 0x83, 0, 0, 0, 8, 16) +
   struct.pack("<8BII", 0, 0, 0, 0, 0x05, 0, 0, 0, 64, 512) + bytes(32) + b"\x55\xaa")
wr(64 * 4096 + 446, struct.pack("<8BII", 0, 0, 0, 0, 0x83, 0, 0, 0, 8, 32) + bytes(48) + b"\x55\xaa")
'
info
lists '[(1, 32768, 65536), (2, 262144, 2097152), (5, 294912, 131072)]'
is 'j["image"]["sector_size"]' 4096
no_problems
