#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where the MBR has entries and no protective one, it counts, and the GPT is named.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 16M
printf 'label: gpt\n,4M\n' | sfdisk -q "$img"
edit 'wr(446, struct.pack("<8BII", 0x80, 0, 0, 0, 0x17, 0, 0, 0, 64, 8192) + bytes(48))'
info
is 'j["table"]["scheme"]' mbr
lists "$(sfdisk_entries)"
has_problem 'a GPT stands behind'
