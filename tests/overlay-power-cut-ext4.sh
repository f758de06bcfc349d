#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ext4 in use on a node when the power is cut, at any moment: platter attaches, the journal is
# replayed and nothing else is damaged, and every file that an fsync covered is there. The
# partition begins at an odd sector, so that the filesystem's blocks and the overlay's do not fit.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-cuts.sh" || exit 99
requires_cuts ext4 sfdisk mkfs.ext4 e2fsck debugfs

truncate -s 33M disk.img
echo '63,65536,83' | sfdisk -q disk.img >/dev/null || fail sfdisk
fill_base
mkfs.ext4 -q -F -b 1024 -d top -E offset=$((63 * 512)) disk.img 32M >log 2>&1 || fail "$(cat log)"
cut_power ext4 parts/1 200 150
