#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An entry of type 0 that has a length is listed: hybrid discs have one.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 16M
edit '
wr(446, struct.pack("<8BII", 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 32768) +
   struct.pack("<8BII", 0, 0, 0, 0, 0xef, 0, 0, 0, 256, 64) + bytes(32) + b"\x55\xaa")
'
info
lists '[(1, 0, 16777216), (2, 131072, 32768)]'
is 'j["partitions"][0]["type"]' 0x00
entry_problem 1 'overlaps 2'
entry_problem 2 'overlaps 1'
