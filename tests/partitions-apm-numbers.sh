#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The number of an Apple partition is its place in the map, in whatever order they lie.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires parted partx

new_disk 64M
parted -s "$img" mklabel mac mkpart one hfs 1MiB 4MiB mkpart two hfs 5MiB 9MiB 2>/dev/null ||
	fail parted
edit 'a, b = rd(512, 512), rd(1024, 512); wr(512, b); wr(1024, a)'
info
is '[(p["number"], p["name"]) for p in j["partitions"]]' "[(1, 'one'), (2, 'Apple'), (3, 'two')]"
is '"\n".join("%d %d" % (p["number"], p["start"] // 512) for p in j["partitions"])' \
	"$(partx -g -o NR,START,TYPE "$img" | awk '$3 != "Apple_Free" {print $1, $2}')"
