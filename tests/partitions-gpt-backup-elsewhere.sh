#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A backup that is not in the last block is found through the damaged primary.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 32M
printf 'label: gpt\n,4M\n,8M\n' | sfdisk -q "$img"
truth=$(sfdisk_entries)
truncate -s 64M "$img"
info
lists "$truth"
is 'j["table"]["source"]' primary
has_problem 'expected it in the last one'

edit 'wr(1024 + 40, bytes([rd(1024 + 40, 1)[0] ^ 1]))'
info
lists "$truth"
is 'j["table"]["source"]' backup
has_problem 'the backup GPT at LBA 65535 is used'
