#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A backup left behind a new MBR is not the disk's table.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
printf 'label: gpt\n,4M\n,8M\n' | sfdisk -q "$img"
edit 'wr(0, bytes(34 * 512))'
printf 'label: dos\n,10M\n' | sfdisk -q --wipe never "$img"
info
is 'j["table"]["scheme"]' mbr
lists "$(sfdisk_entries)"
