#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Entries that cannot be are listed with a problem each.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
printf 'label: gpt\n,4M\n,4M\n,4M\n,4M\n,4M\n' | sfdisk -q "$img"
edit '
def entry(number, first, last):
    wr(1024 + (number - 1) * 128 + 32, struct.pack("<QQ", first, last))
entry(1, 5000, 4000)
entry(2, 2**63, 2**64 - 1)
entry(3, 0, 2**64 - 1)
entry(4, 200000, 300000)
seal(512)
'
info
is '[p["number"] for p in j["partitions"]]' '[1, 2, 3, 4, 5]'
is 'j["partitions"][0]["size"]' 0
entry_problem 1 'ends at LBA 4000, before its start at 5000'
entry_problem 2 'more than 64 bits'
entry_problem 3 'more than 64 bits'
entry_problem 4 'LBA 200000 to 300000'
has_problem 'differ'
