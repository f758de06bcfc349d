#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# XFS in use on a node when the power is cut, at any moment: platter attaches, the kernel mounts it
# and recovers its log, every file that an fsync covered is there, and xfs_repair finds nothing.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-cuts.sh" || exit 99
requires_cuts xfs mkfs.xfs xfs_repair

truncate -s 300M disk.img
fill_base
mkfs.xfs -q disk.img >log 2>&1 || fail "$(cat log)"
mkdir first
loop=$(losetup -f --show disk.img) || fail losetup
expect 0 mount -t xfs "$loop" first
expect 0 cp -r top/base first/
expect 0 umount first
expect 0 losetup -d "$loop"
cut_power xfs disk 60 100
