#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A damaged or missing backup is a problem, and the primary is used.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
printf 'label: gpt\n,4M\n,8M\n' | sfdisk -q "$img"
truth=$(sfdisk_entries)
edit 'wr(size - 512, bytes(512))'
info
lists "$truth"
is 'j["table"]["source"]' primary
has_problem 'the backup GPT at LBA 131071 is damaged'

# An image that was cut off.
truncate -s 20M "$img"
info
lists "$truth"
has_problem 'the backup GPT is said to be at LBA 131071, the disk has LBA 0 to 40959'
