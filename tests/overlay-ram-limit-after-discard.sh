#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ram:SIZE is a limit too where blocks were discarded before (as mkfs does): a discarded block is
# present but takes no memory until it is written to.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires fallocate

truncate -s 32M disk.img
attach disk.img mnt --overlay=ram:2M
fallocate -p -o 0 -l 32M mnt/disk || fail "punching"
expect 1 dd if=/dev/zero of=mnt/disk bs=1M count=16 conv=notrunc
grep -q 'No space left' err || fail "no ENOSPC"
# What has its memory can be written again.
dd if=/dev/urandom of=mnt/disk bs=64k count=1 conv=notrunc status=none || fail "overwriting"
detach mnt
