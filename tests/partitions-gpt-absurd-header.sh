#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No number in a GPT header crashes, hangs or takes memory; the backup is used.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sfdisk

make()
{
	new_disk 64M
	printf 'label: gpt\n,4M\n,8M\n' | sfdisk -q "$img"
}
make
truth=$(sfdisk_entries)
cp "$img" "$tmp/good.img"

# offset:format:value, with the CRC of the header set right after it.
for change in 12:I:0 12:I:91 12:I:513 12:I:4294967295 80:I:0 80:I:16385 80:I:4294967295 \
	80:I:33554433 84:I:0 84:I:1 84:I:64 84:I:129 84:I:384 84:I:8192 84:I:2147483648 \
	84:I:4294967295 72:Q:18446744073709551615 72:Q:36028797018963968 72:Q:131072 24:Q:0 24:Q:2
do
	cp "$tmp/good.img" "$img"
	at=${change%%:*}
	rest=${change#*:}
	edit "wr(512 + $at, struct.pack('<${rest%%:*}', ${rest#*:})); seal(512, array=False)"
	info
	[ "$(entries)" = "$truth" ] || fail "$change: lists $(entries)"
	is 'j["table"]["source"]' backup
done

# The most that is allowed: 16384 entries of 256 bytes.
make
edit '
array = (bytes.fromhex("af3dc60f838472478e793d69d8477de4") * 2 + struct.pack("<QQQ", 20000, 20000, 0)).ljust(256, b"\0")
wr(10000 * 512, array * 16384)
wr(512 + 72, struct.pack("<QII", 10000, 16384, 256))
seal(512)
'
info
is 'len(j["partitions"])' 16384
is 'j["partitions"][-1]["number"]' 16384
is 'j["table"]["source"]' primary
