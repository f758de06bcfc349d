#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Good headers, but both entry arrays fail their CRC: listed, and said.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
printf 'label: gpt\n,4M\n,8M\n' | sfdisk -q "$img"
truth=$(sfdisk_entries)
edit 'wr(1024 + 56, b"X"); wr(size - 33 * 512 + 56, b"Y")'
info
lists "$truth"
is 'j["table"]["source"]' primary
is 'j["partitions"][0]["name"]' X
has_problem 'listed without a valid CRC'

# With the primary header gone as well, the backup is what is left.
edit 'wr(512, bytes(512))'
info
lists "$truth"
is 'j["table"]["source"]' backup
is 'j["partitions"][0]["name"]' Y
has_problem 'listed without a valid CRC'
