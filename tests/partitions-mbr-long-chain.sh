#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A chain of a hundred thousand EBRs is cut at 256, in no time.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires timeout

new_disk 128M
edit '
n = 100000
wr(446, struct.pack("<8BII", 0, 0, 0, 0, 5, 0, 0, 0, 64, 2 * n) + bytes(48) + b"\x55\xaa")
for i in range(n):
    wr((64 + 2 * i) * 512 + 446,
       struct.pack("<8BII", 0, 0, 0, 0, 0x83, 0, 0, 0, 1, 1) +
       struct.pack("<8BII", 0, 0, 0, 0, 5, 0, 0, 0, 2 * i + 2, 2) + bytes(32) + b"\x55\xaa")
'
expect 0 timeout 5 "$PLATTER" info --json "$img" || exit 1
is 'len(j["partitions"])' 257
is 'j["partitions"][-1]["number"]' 260
has_problem 'more than 256'

# The same without data entries: nothing is listed, and still nothing runs away.
edit '
for i in range(100000):
    wr((64 + 2 * i) * 512 + 446, bytes(16))
'
expect 0 timeout 5 "$PLATTER" info --json "$img" || exit 1
is 'len(j["partitions"])' 1
has_problem 'more than 256'
