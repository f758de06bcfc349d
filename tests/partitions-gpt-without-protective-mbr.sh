#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A GPT behind a blank first sector is still one, and that is said.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
printf 'label: gpt\n,4M\n,8M\n' | sfdisk -q "$img"
truth=$(sfdisk_entries)
edit 'wr(0, bytes(512))'
info
is 'j["table"]["scheme"]' gpt
is 'j["table"]["source"]' primary
lists "$truth"
has_problem 'no protective MBR'
