#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# diff looks at an overlay that is mounted, by its directory or its file: what was written before is
# seen, what nobody made durable yet as well, and the mount goes on as if nothing had been.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso

make_iso disc.iso
truncate -s %4096 disc.iso
before=$(sha256 disc.iso)
attach disc.iso mnt --overlay=ov
for what in mnt ov "$tmp/mnt"; do
	expect 0 timeout 60 "$PLATTER" diff "$what"
	same "nothing written" "$(cat out err)" ""
done

at=$(grep -abo 'hello, world' disc.iso | head -n 1 | cut -d: -f1)
poke mnt/disk "$at" J
for what in mnt ov; do
	expect 1 timeout 60 "$PLATTER" diff --json "$what"
	same "range by $what" "$(json out '[(r["start"], r["size"]) for r in j["ranges"]]')" \
		"[($((at / 512 * 512)), 512)]"
	same "paths by $what" "$(json out 'j["overlay"], j["image"]')" "('$tmp/ov', '$tmp/disc.iso')"
	expect 1 timeout 60 "$PLATTER" diff --files "$what"
	same "files by $what" "$(cat out err)" "M hello.txt (content)"
done

# A second change is seen by a second look, and writing goes on.
poke mnt/disk $((at + 1)) E
expect 1 timeout 60 "$PLATTER" diff --json mnt
same "sectors after two changes" "$(json out 'j["changed_bytes"]')" 512
poke mnt/disk "$at" he
expect 0 timeout 60 "$PLATTER" diff mnt
poke mnt/disk 40960 "after diff"
expect 1 timeout 60 "$PLATTER" diff mnt
detach mnt
expect 1 "$PLATTER" diff -q ov
same "when it is detached" "$(xargs <out)" "40960 41472 512 -"
same "the image" "$(sha256 disc.iso)" "$before"

# Without an overlay, and with one in memory, there is nothing to compare.
attach disc.iso mnt
expect 2 "$PLATTER" diff mnt
grep -q '^platter: mnt: has no overlay' err || fail "the message"
detach mnt
attach disc.iso mnt --overlay=ram
expect 2 "$PLATTER" diff mnt
same "lines" "$(wc -l <err)" 1
detach mnt
exit 0
