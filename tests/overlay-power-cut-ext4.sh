#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ext4 in use on a node when the power is cut, at any moment: platter attaches, the kernel
# mounts it and replays the journal, every file that an fsync covered is there, and e2fsck finds
# nothing. Its blocks are smaller than those of the overlay, which also begin elsewhere,
# and those are in two pages of its map.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-cuts.sh" || exit 99
requires_cuts
requires_filesystem ext4
requires sfdisk mkfs.ext4 e2fsck

truncate -s 144M disk.img
start=$((111 * 2048 + 2))
echo "$start,65536,83" | sfdisk -q disk.img >/dev/null || fail sfdisk
fill_base
head -c 15M /dev/urandom >top/filler # leaves not much other room
mkfs.ext4 -q -F -b 1024 -J size=4 -d top -E offset=$((start * 512)) disk.img 32M >log 2>&1 ||
	fail "$(cat log)"
cut_power ext4 parts/1 200 100
