#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An Apple partition map: entries under their numbers as parted and libblkid see them.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires parted partx

new_disk 64M
parted -s "$img" mklabel mac mkpart one hfs 1MiB 4MiB mkpart two hfs 5MiB 9MiB 2>/dev/null ||
	fail parted
info
is 'j["table"]["scheme"]' apm
truth=$(parted -sm "$img" unit B print 2>/dev/null | python3 -c '
import sys
print([(int(f[0]), int(f[1][:-1]), int(f[3][:-1])) for f in (l.split(":") for l in sys.stdin)
       if f[0].isdigit()])')
lists "$truth"
is '[p["name"] for p in j["partitions"]]' "['Apple', 'one', 'two']"
is '[p["type"] for p in j["partitions"]]' "['Apple_partition_map', 'Apple_HFS', 'Apple_HFS']"
# What the map calls free is a gap, not an entry.
is '[(g["start"], g["start"] + g["size"]) for g in j["gaps"]]' \
	'[(0, 512), (32768, 1048576), (4194304, 5242880), (9437184, 67108864)]'
no_problems

# Without block 0 the map vouches for itself.
edit 'wr(0, bytes(512))'
info
lists "$truth"
has_problem 'block 0 says'
