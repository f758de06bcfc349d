#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Entries that overlap say with which other; logical ones in their container do not.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99

new_disk 64M
edit '
def mbr(at, *entries):
    wr(at + 446, b"".join(struct.pack("<8BII", 0, 0, 0, 0, t, 0, 0, 0, start, n)
                          for t, start, n in entries).ljust(64, b"\0") + b"\x55\xaa")
mbr(0, (0x83, 2048, 4096), (0x83, 6143, 100), (0x83, 8192, 10), (0x83, 8202, 10))
'
info
entry_problem 1 'overlaps 2'
entry_problem 2 'overlaps 1'
is '[p["number"] for p in j["partitions"] if not p["problem"]]' '[3, 4]'

# A primary inside an extended partition, and one logical partition inside another.
edit '
def mbr(at, *entries):
    wr(at + 446, b"".join(struct.pack("<8BII", 0, 0, 0, 0, t, 0, 0, 0, start, n)
                          for t, start, n in entries).ljust(64, b"\0") + b"\x55\xaa")
mbr(0, (0x05, 2048, 20000), (0x83, 20000, 100))
mbr(2048 * 512, (0x83, 1, 100), (0x05, 200, 1000))
mbr(2248 * 512, (0x83, 1, 500), (0x05, 300, 1000))
mbr(2348 * 512, (0x83, 1, 100))
'
info
is '[p["number"] for p in j["partitions"]]' '[1, 2, 5, 6, 7]'
entry_problem 1 'overlaps 2'
entry_problem 2 'overlaps 1'
entry_problem 6 'overlaps 7'
entry_problem 7 'overlaps 6'
is 'j["partitions"][2]["problem"]' None
