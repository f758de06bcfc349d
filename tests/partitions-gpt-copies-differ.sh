#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two good copies that do not say the same: the primary is used, and it is said.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
printf 'label: gpt\n,4M\n,8M\n' | sfdisk -q "$img"
truth=$(sfdisk_entries)
edit 'wr(size - 33 * 512 + 128, bytes(128)); seal(size - 512)'
info
lists "$truth"
is 'j["table"]["source"]' primary
has_problem 'differ'
