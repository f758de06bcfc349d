#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An overlay that was cut short still stands on its layers: flatten and discard of the overlay
# beside it leave them, since what is left of the damaged one may yet be wanted.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

head -c 1M /dev/urandom >disk.img
mkdir mnt
attach --overlay=o disk.img mnt
printf one | dd of=mnt/disk conv=notrunc bs=4096 seek=3 status=none
detach mnt
expect 0 "$PLATTER" snapshot o first
cp o branch
truncate -s -4096 branch
expect 32 "$PLATTER" status branch
grep -q 'it was cut' err || fail 'the branch is not one that was cut'

expect 0 "$PLATTER" flatten o
[ -e o.first ] || fail 'flatten removed what a cut overlay stands on'
rm branch
expect 0 "$PLATTER" snapshot o second
expect 0 "$PLATTER" flatten o
[ ! -e o.second ] || fail 'flatten left a layer that nobody stands on'
