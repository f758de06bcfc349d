#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The index that a pass over a compressed stream makes is kept in XDG_CACHE_HOME/platter, for its user
# alone, and used again; it is bound to the file, and one that is damaged, foreign, or of a file that
# has changed is not used. Without a place to keep it everything works as well. Old ones go.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires gzip strace

fill raw 30000000
head -c 4000000 /dev/urandom | dd of=raw conv=notrunc status=none
gzip -1 -c raw >disk.gz
want=$(sha256 raw)
size=$(stat -c %s disk.gz)

# reads: bytes of the file that opening it reads.
reads() {
	strace -f -e trace=pread64 -o calls -P "$PWD/disk.gz" "$PLATTER" info disk.gz >info 2>err || fail "info"
	awk '{ n += $NF } END { print n }' calls
}
kept() {
	find "$XDG_CACHE_HOME/platter" -name "*.index" | wc -l
}
right() {
	expect 0 "$PLATTER" cat -p 0 disk.gz
	same "$1" "$(sha256 out)" "$want"
}
requires_strace
[ "$(reads)" -ge "$size" ] || fail "no pass over the file"
same kept "$(kept)" 1
index=$(ls "$XDG_CACHE_HOME"/platter/*.index)
same modes "$(stat -c %a "$XDG_CACHE_HOME/platter" "$index" | paste -sd' ')" "700 600"
[ "$(reads)" -lt $((size / 2)) ] || fail "the index is not used"
right "with an index"

# Damaged anywhere, and cut: made again.
len=$(stat -c %s "$index")
for at in 3 20 90 $((len / 2)) $((len - 1)); do
	cp "$index" good
	python3 -c 'import sys; d = bytearray(open(sys.argv[1], "rb").read()); d[int(sys.argv[2])] ^= 1; open(sys.argv[1], "wb").write(d)' "$index" "$at"
	[ "$(reads)" -ge "$size" ] || fail "an index that is damaged at $at is used"
	cmp -s "$index" good || fail "an index that is damaged at $at is not made again"
done
head -c 1000 good >"$index"
right "with an index that was cut"
cmp -s "$index" good || fail "an index that was cut is not made again"

# Another's file, a link, a folder that others may write to: not used.
chmod 777 "$XDG_CACHE_HOME/platter"
[ "$(reads)" -ge "$size" ] || fail "an index is used that anybody could have written"
chmod 700 "$XDG_CACHE_HOME/platter"
mv "$index" elsewhere
ln -s "$PWD/elsewhere" "$index"
[ "$(reads)" -ge "$size" ] || fail "a link is followed"
[ ! -L "$index" ] || fail "a link is not replaced"

# The file changes: same size and inode, but another time; the same time, but other bytes.
touch -d '2001-02-03' disk.gz
[ "$(reads)" -ge "$size" ] || fail "the time of last change does not count"
python3 - <<'PY'
d = open("disk.gz", "rb").read()
new = bytearray(d)
new[4:8] = b"abcd" # MTIME: as good, and another file
open("disk.gz", "r+b").write(new)
PY
touch -d '2001-02-03' disk.gz
[ "$(reads)" -ge "$size" ] || fail "the contents do not count"
right "after a change"
same kept "$(kept)" 1

# No more than 64 of them.
for i in $(seq 80); do
	head -c 10 /dev/zero >"$XDG_CACHE_HOME/platter/0-0-$i.index"
	touch -d "2001-01-01 00:00:$((i % 60))" "$XDG_CACHE_HOME/platter/0-0-$i.index"
done
rm "$index"
reads >/dev/null
same kept "$(kept)" 64
[ -e "$index" ] || fail "the newest index went"

# No cache, one that cannot be made: served all the same.
HOME="" XDG_CACHE_HOME="" right "without a cache"
touch file
XDG_CACHE_HOME=$PWD/file right "with a file for a cache"
