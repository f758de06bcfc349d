#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# XFS in use on a node when the power is cut, at any moment: platter attaches, the kernel mounts it
# and recovers its log, every file that an fsync covered is there, and xfs_repair finds nothing.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-cuts.sh" || exit 99
requires_cuts
requires_filesystem xfs
requires sfdisk mkfs.xfs xfs_repair

truncate -s 301M disk.img
echo '2048,614400,83' | sfdisk -q disk.img >/dev/null || fail sfdisk
fill_base
loop=$(losetup -f --show -o 1M --sizelimit 300M disk.img) || fail losetup
mkfs.xfs -q "$loop" >log 2>&1 || fail "$(cat log)"
mkdir first
expect 0 mount -t xfs "$loop" first
expect 0 cp -r top/base first/
expect 0 fallocate -l 180M first/filler # leaves not much other room
expect 0 umount first
expect 0 losetup -d "$loop"
cut_power xfs parts/1 60 100
