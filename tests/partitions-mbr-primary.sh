#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Primary entries: places, types, flags and identities as sfdisk and libblkid see them.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk partx

new_disk 64M
sfdisk -q "$img" <<EOF
label: dos
label-id: 0x0badcafe
start=2048, size=8192, type=83, bootable
start=16384, size=4096, type=7
start=32768, size=16384, type=ef
EOF
info
lists "$(sfdisk_entries)"
is 'j["table"]["scheme"]' mbr
is 'j["table"]["uuid"]' 0badcafe
is 'j["table"]["source"]' None
is '[p["type"] for p in j["partitions"]]' "['0x83', '0x07', '0xef']"
is '[p["type_name"] for p in j["partitions"]]' "['Linux', 'HPFS/NTFS/exFAT', 'EFI (FAT-12/16/32)']"
is '[p["bootable"] for p in j["partitions"]]' '[True, False, False]'
is '"\n".join(p["uuid"] for p in j["partitions"])' "$(partx -g -o UUID "$img")"
no_problems
