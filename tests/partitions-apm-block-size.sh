#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Block 0 says where the map stands; where it does not stand there it is looked for.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99

# The map as a function of the size of its blocks.
map='
def entry(block, index, start, count, name, kind, entries=2):
    wr(block * index, struct.pack(">2sHIII32s32sIII", b"PM", 0, entries, start, count, name, kind,
       0, count, 0x33))
def describe(block):
    wr(0, struct.pack(">2sHI", b"ER", block, size // block))
def build(block, first):
    entry(block, 1, 1, 2, b"Apple", b"Apple_partition_map")
    entry(block, 2, first, 100, b"disc", b"Apple_HFS")
'
for block in 512 1024 2048 4096; do
	new_disk 4M
	edit "$map
describe($block)
build($block, 64)"
	info
	lists "[(1, $block, $((2 * block))), (2, $((64 * block)), $((100 * block)))]"
	is 'j["image"]["sector_size"]' $block
	no_problems
done

# Both maps of a hybrid disc: the one that block 0 speaks of. 2048 is the fourth block of 512.
new_disk 4M
edit "$map
build(512, 64)
build(2048, 128)
describe(2048)"
info
lists '[(1, 2048, 4096), (2, 262144, 204800)]'

# Block 0 is wrong.
new_disk 4M
edit "$map
build(512, 64)
describe(2048)"
info
lists '[(1, 512, 1024), (2, 32768, 51200)]'
has_problem 'says that blocks have 2048 bytes'
