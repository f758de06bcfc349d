#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# With a damaged primary GPT the backup is used, and both are said.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

make()
{
	new_disk 64M
	printf 'label: gpt\n,4M\n,8M,U\n,,S\n' | sfdisk -q "$img"
	truth=$(sfdisk_entries)
}

# Damage, from a flipped bit to everything up to the first partition.
for code in \
	'wr(512 + 57, bytes([rd(512 + 57, 1)[0] ^ 1]))' \
	'wr(512, bytes(512))' \
	'wr(1024 + 40, bytes([rd(1024 + 40, 1)[0] ^ 1]))' \
	'wr(1024, bytes(32 * 512))' \
	'wr(512, b"\xe5" * 33 * 512)' \
	'wr(0, bytes(34 * 512))' \
	'wr(0, bytes(range(256)) * 4096)' \
	'wr(512 + 72, struct.pack("<Q", 2**63)); seal(512, array=False)' \
	'wr(512 + 24, struct.pack("<Q", 7)); seal(512, array=False)'
do
	make
	edit "$code"
	info
	lists "$truth"
	is 'j["table"]["scheme"]' gpt
	is 'j["table"]["source"]' backup
	has_problem 'the primary GPT at LBA 1 is damaged'
	has_problem 'the backup GPT at LBA 131071 is used'
done
