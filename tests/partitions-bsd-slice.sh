#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The label in an image of one slice counts from the disk that it was cut from.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99

new_disk 4M
edit '
parts = [(10064, 1000, 7), (12000, 500, 1), (10000, 8192, 0), (64, 100, 7)]
b = bytearray(0x94 + 16 * len(parts))
struct.pack_into("<I", b, 0, 0x82564557)
struct.pack_into("<I", b, 0x28, 512)
struct.pack_into("<I", b, 0x84, 0x82564557)
struct.pack_into("<H", b, 0x8a, len(parts))
for i, (start, length, kind) in enumerate(parts):
    struct.pack_into("<IIIB", b, 0x94 + 16 * i, length, start, 0, kind)
wr(512, b)
'
info
lists '[(1, 32768, 512000), (2, 1024000, 256000), (3, 0, 4194304), (4, 32768, 51200)]'
has_problem 'cut out of another one at sector 10000'
entry_problem 4 'before its slice'
