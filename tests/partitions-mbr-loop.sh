#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A chain of EBRs that comes back ends there, and the table says so.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

make()
{
	new_disk 64M
	printf 'label: dos\n,4M\n,,E\n,2M\n,3M\n,4M\n' | sfdisk -q "$img"
}

# link(ebr, to): set the link of the EBR at a sector to another, both counted from the start of
# the extended partition.
code='ext, = struct.unpack("<I", rd(446 + 16 + 8, 4))
def link(ebr, to):
    wr((ext + ebr) * 512 + 446 + 16, struct.pack("<8B", 0, 0, 0, 0, 5, 0, 0, 0) +
       struct.pack("<II", to, 8192))
def next_of(ebr):
    return struct.unpack("<I", rd((ext + ebr) * 512 + 446 + 16 + 8, 4))[0]
'
# The first EBR leads to itself.
make
edit "$code
link(0, 0)"
info
is '[p["number"] for p in j["partitions"]]' '[1, 2, 5]'
has_problem 'comes back'

# The third leads to the second.
make
edit "$code
second = next_of(0)
link(next_of(second), second)"
info
is '[p["number"] for p in j["partitions"]]' '[1, 2, 5, 6, 7]'
has_problem 'comes back'
