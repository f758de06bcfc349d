#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reading what the top layer holds touches no file below it, however many layers there are, and
# what a layer holds is read from that layer alone, in one call each.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse
requires_strace

truncate -s 8M disk.img
head -c 8M /dev/urandom | poke disk.img 0
for i in $(seq 8); do
	change changes disk.img "put($i << 16, random(4096))"
	expect 0 "$PLATTER" snapshot changes s$i
done
change changes disk.img 'put(5 << 20, random(65536))'
look changes disk.img wanted

# reads OFFSET LENGTH: which files the daemon reads for that, and how many bytes of each.
reads() {
	attach -q disk.img mnt --overlay=changes
	trace_daemon mnt -y -e trace=pread64,preadv,preadv2,read,splice
	peek mnt/disk "$1" "$2" | cmp - <(peek wanted "$1" "$2") || fail "reading at $1"
	detach mnt
	wait
	python3 - "$PWD" calls <<'PY'
import re, sys
took, begun = {}, {}
for line in open(sys.argv[2], errors="replace"):
    thread, _, rest = line.partition(" ")
    if m := re.match(r" *(?:p?read\w*|splice)\(\d+<([^>]*)>", rest):
        begun[thread] = m[1]
    m = re.search(r" = (\d+)$", rest)
    if m and begun.get(thread, "").startswith(sys.argv[1] + "/"):
        name = begun[thread].rpartition("/")[2]
        took[name] = took.get(name, 0) + int(m[1])
print(*(f"{name}:{n}" for name, n in sorted(took.items())))
PY
}
same "reading what the top holds" "$(reads $((5 << 20)) 65536)" "changes:65536"
same "reading what the layer at the bottom holds" "$(reads 65536 4096)" "changes.s1:4096"
same "reading what one in the middle holds" "$(reads $((5 << 16)) 4096)" "changes.s5:4096"
same "reading what only the image holds" "$(reads $((7 << 20)) 65536)" "disk.img:65536"
