#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The number of an entry is its place in the array, holes and all.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sgdisk

new_disk 64M
sgdisk -n 3:0:+1M -n 128:0:+2M -n 40:0:+1M "$img" >/dev/null || fail sgdisk
info
lists '[(3, 1048576, 1048576), (40, 4194304, 1048576), (128, 2097152, 2097152)]'
no_problems
