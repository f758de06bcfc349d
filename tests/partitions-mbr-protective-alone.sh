#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A protective MBR without a GPT is shown as such, with a problem: nothing is hidden.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 16M
printf 'label: gpt\n,4M\n' | sfdisk -q "$img"
edit 'wr(512, bytes(34 * 512)); wr(size - 512, bytes(512))'
info
is 'j["table"]["scheme"]' mbr
is '[p["type"] for p in j["partitions"]]' "['0xee']"
has_problem 'no GPT was found'
entry_problem 1 'there is none'
