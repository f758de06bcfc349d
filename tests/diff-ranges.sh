#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# diff tells what an overlay changes, to the sector: neighbours are one range, the first and the last
# sector count, and so does what was punched out. As text and as JSON; 1 when there is anything. A
# sparse disk of 2 TiB takes seconds.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

head -c 3000000 /dev/urandom >disk.img
head -c 300 /dev/urandom >>disk.img # the last sector is cut short
attach disk.img mnt --overlay=ov
poke mnt/disk 100 one
head -c 10000 /dev/urandom | poke mnt/disk 8192 # 8192 to 18432
head -c 512 /dev/urandom | poke mnt/disk 18432
head -c 512 /dev/urandom | poke mnt/disk 19456
head -c 2097152 /dev/urandom | poke mnt/disk 500224 # across what is read at a time
poke mnt/disk 3000299 "$(peek disk.img 3000299 1 | tr '\000-\377' 'y[x*]')"
expect 0 fallocate -p -o 28672 -l 8192 mnt/disk
cmp -l disk.img mnt/disk >bytes
detach mnt

# The same by cmp, in sectors.
awk '{ s = int(($1 - 1) / 512) } NR == 1 { from = last = s }
	s > last + 1 { print from * 512, (last + 1) * 512; from = s }
	{ last = s } END { print from * 512, (last + 1) * 512 }' bytes |
	awk '{ end = $2 > 3000300 ? 3000300 : $2; print $1, end, end - $1, "-"; sum += end - $1 }
		END { print sum, "bytes in", NR, "ranges" }' >want
expect 1 "$PLATTER" diff ov
same "stderr" "$(cat err)" ""
same "heading" "$(head -n 1 out | xargs)" "start end size partition"
same "ranges" "$(tail -n +2 out | sed 's/^ *//; s/  */ /g')" "$(cat want)"
same "their number" "$(wc -l <want)" 7
expect 1 "$PLATTER" diff -q ov
same "quiet" "$(sed 's/^ *//; s/  */ /g' out)" "$(head -n -1 want)"
same "columns" "$(awk '{ print length }' out | sort -u | wc -l)" 1

expect 1 "$PLATTER" diff --json ov
same "keys" "$(json out '" ".join(sorted(j))')" "changed_bytes image overlay ranges"
same "paths" "$(json out 'j["overlay"], j["image"]')" "('$tmp/ov', '$tmp/disk.img')"
same "ranges of JSON" "$(json out '"\n".join("%d %d %d -" % (r["start"], r["start"] + r["size"], r["size"])
	for r in j["ranges"] if r["partition"] is None)')" "$(head -n -1 want)"
same "sum" "$(json out 'j["changed_bytes"] == sum(r["size"] for r in j["ranges"])')" True
expect 1 "$PLATTER" diff -p 0 ov
same "the whole disk" "$(sed 's/^ *//; s/  */ /g' out | tail -n +2)" "$(cat want)"

# ---- a large one, with a map of 16513 pages, most of which hold nothing
truncate -s 2T large.img 2>/dev/null || exit 0
"$PLATTER" attach large.img large --overlay=large.ov >out 2>err ||
	skip "needs room for sparse files of 2 TiB"
for at in 1000000 500000000000 2199023255551; do poke large/disk $at x; done
# Held, but nothing on either side: nothing to read.
expect 0 fallocate -p -o 700G -l 30G large/disk
detach large
from=$(date +%s%N)
expect 1 timeout 60 "$PLATTER" diff --json large.ov
ms=$((($(date +%s%N) - from) / 1000000))
same "large" "$(json out '[(r["start"], r["size"]) for r in j["ranges"]]')" \
	"[(999936, 512), (500000000000, 512), (2199023255040, 512)]"
[ $ms -lt 20000 ] || fail "2 TiB took $ms ms"
exit 0
