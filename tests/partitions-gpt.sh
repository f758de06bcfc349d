#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Entries of a GPT: places, types, names, identities and flags as sfdisk sees them.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

new_disk 64M
sfdisk -q "$img" <<EOF
label: gpt
label-id: 01234567-89AB-CDEF-0123-456789ABCDEF
start=2048, size=8192, type=U, name="EFI system", uuid=11111111-2222-3333-4444-555555555555
start=16384, size=4096, type=L, attrs="LegacyBIOSBootable"
EOF
echo 'start=32768, size=8192, type=S' | sfdisk -q -a -N 7 "$img" 2>/dev/null || :
edit '
name = "Gr\u00f6\u00dfe \U0001f5fb".encode("utf-16le").ljust(72, b"\0")
for header, array in [(512, 1024), (size - 512, size - 33 * 512)]:
    wr(array + 128 + 56, name)
    seal(header)
'
info
lists "$(sfdisk_entries)"
is 'j["table"]["scheme"]' gpt
is 'j["table"]["source"]' primary
is 'j["table"]["uuid"]' 01234567-89ab-cdef-0123-456789abcdef
is 'j["partitions"][0]["type"]' c12a7328-f81f-11d2-ba4b-00a0c93ec93b
is 'j["partitions"][0]["type_name"]' 'EFI System'
is 'j["partitions"][0]["name"]' 'EFI system'
is 'j["partitions"][0]["uuid"]' 11111111-2222-3333-4444-555555555555
is 'j["partitions"][1]["name"].encode()' "b'Gr\\xc3\\xb6\\xc3\\x9fe \\xf0\\x9f\\x97\\xbb'"
is '[p["bootable"] for p in j["partitions"]][:2]' '[False, True]'
no_problems
