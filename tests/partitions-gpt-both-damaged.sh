#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No good header: still a GPT, empty, with the reasons; never the MBR before it.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
printf 'label: gpt\n,4M\n,8M\n' | sfdisk -q "$img"
edit 'wr(512 + 60, b"\xff\xff"); wr(size - 512 + 60, b"\xff\xff")'
info
is 'j["table"]["scheme"]' gpt
is 'j["table"]["source"]' None
is 'j["partitions"]' '[]'
is 'j["gaps"]' "[{'start': 0, 'size': 67108864}]"
has_problem 'the primary GPT at LBA 1 is damaged: the CRC'
has_problem 'the backup GPT at LBA 131071 is damaged: the CRC'
has_problem 'neither copy'
