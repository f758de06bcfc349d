#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An EBR without a data entry, only a link, takes no number.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
printf 'label: dos\n,4M\n,,E\n,2M\n,3M\n' | sfdisk -q "$img"
edit 'ext, = struct.unpack("<I", rd(446 + 16 + 8, 4)); wr(ext * 512 + 446, bytes(16))'
info
is '[p["number"] for p in j["partitions"]]' '[1, 2, 5]'
lists "$(sfdisk_entries)"
