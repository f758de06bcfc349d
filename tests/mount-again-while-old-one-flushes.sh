#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A new mount on a directory whose old daemon has not ended yet stays: the old one's supervisor must
# not take it for its own (the kernel uses the numbers of mounts again).
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_root
requires sfdisk mkfs.ext4

make_ext4_disk disk.img
truncate -s 1M other.img
mkdir mnt
attach disk.img mnt --overlay
daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
kill -STOP "$daemon"
umount mnt || fail umount
attach other.img mnt
kill -CONT "$daemon"
wait_for 10 not kill -0 "$supervisor" || fail "the old supervisor does not end"
same "the new mount's disk" "$(stat -c %s mnt/disk)" 1048576
detach mnt
