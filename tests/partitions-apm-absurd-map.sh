#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A map that lies about its length is read as far as it goes; two letters are no map.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99

map='
def entry(index, entries, kind):
    wr(512 * index, struct.pack(">2sHIII32s32s", b"PM", 0, entries, 2**32 - 1, 2**32 - 1, b"\xff\x1b[1m" * 6,
       kind))
wr(0, b"ER\x02\x00")
'
for entries in 0 3 256 257 4294967295; do
	new_disk 1M
	edit "$map
entry(1, $entries, b'Apple_partition_map')
entry(2, 7, b'Apple_HFS')"
	info
	is 'j["table"]["scheme"]' apm
	is '[p["number"] for p in j["partitions"]]' '[1, 2]'
	has_problem 'ends after 2'
	entry_problem 1 'the disk has 1048576'
	is '"\x1b" in j["partitions"][0]["name"]' False
done

new_disk 1M
edit 'wr(512, b"PM" + bytes(20) + b"all about the afternoon")'
info
is_no_table
