#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A chain that goes back to a lower sector is no loop: what sfdisk makes of a hole.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
sfdisk -q "$img" <<EOF
label: dos
,4M,83
,,E
,2M
,2M
,2M
EOF
sfdisk -q --delete "$img" 6
echo ',1M' | sfdisk -q -a "$img"
info
lists "$(sfdisk_entries)"
[ "$(json "$tmp/out" 'j["partitions"][4]["start"] < j["partitions"][3]["start"]')" = True ] ||
	fail "sfdisk did not go back"
no_problems
