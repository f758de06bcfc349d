#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Gaps are what no partition but an extended one covers, over the whole disk, in order.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
sfdisk -q "$img" <<EOF
label: dos
start=40960, size=8192, type=83
start=2048, size=8192, type=83
start=65536, size=65536, type=5
start=67584, size=4096, type=83
start=81920, size=4096, type=83
EOF
info
is '[(g["start"] // 512, (g["start"] + g["size"]) // 512) for g in j["gaps"]]' \
	'[(0, 2048), (10240, 40960), (49152, 67584), (71680, 81920), (86016, 131072)]'

# Every byte is covered exactly once by gaps and partitions.
is 'sum(g["size"] for g in j["gaps"]) + sum(p["size"] for p in j["partitions"]
	if p["type"] != "0x05")' 67108864

# No table: no gaps to speak of, or one; never more.
new_disk 1M
info
[ "$(json "$tmp/out" 'len(j["gaps"])')" -le 1 ] || fail "gaps on a blank disk"
