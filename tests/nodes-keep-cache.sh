#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What was read from a read-only node stays in the page cache from open to open: it is asked of the
# daemon once.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

head -c 8M /dev/urandom >disk.img
mkdir mnt
"$PLATTER" attach -d disk.img mnt >log 2>&1 &
wait_for 10 test -e mnt/disk || fail "no mount"
cat mnt/disk >/dev/null
first=$(grep -c 'opcode: READ ' log)
cat mnt/disk mnt/disk >/dev/null
[ "$first" -gt 0 ] || fail "no READ was seen"
same "READ requests after two more passes" "$(grep -c 'opcode: READ ' log)" "$first"
same_bytes disk.img mnt/disk
detach mnt
