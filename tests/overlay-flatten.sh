#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# flatten merges an overlay's layers into it: the view stays the same byte for byte, holes stay
# holes, and the layers go, but for those that another snapshot stands on. Copies that somebody
# made of the overlay or of its layers are nobody's layers: they stay.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse

truncate -s 9000448 disk.img
head -c 5M /dev/urandom | poke disk.img 1M
image=$(sha256 disk.img)
room() {
	stat -c %b "$@" | awk '{ n += $1 } END { print n * 512 }'
}
for i in 1 2 3; do
	change changes disk.img "import random as r
r.seed($i)
for _ in range(40):
    at, n = r.randrange(f.seek(0, 2)), r.choice((1, 100, 4096, 70000))
    n = min(n, f.seek(0, 2) - at)
    zero(at, n) if r.random() < 0.4 else put(at, r.randbytes(n))
zero((2 + $i) << 20, 1 << 20)"
	[ $i = 3 ] || expect 0 "$PLATTER" snapshot changes s$i
done
look changes disk.img view
cp changes.s1 a-copy
cp changes.s1 changes.copy
cp changes changes.backup
sums a-copy changes.copy changes.backup >copies
before=$(room changes changes.s1 changes.s2)
expect 0 "$PLATTER" flatten changes
same "what flatten prints" "$(cat out err)" ""
shows "after flatten" changes disk.img view
sums a-copy changes.copy changes.backup | cmp -s copies - || fail "a copy was changed"
# The backup of the whole stands on s2, and s2 on s1.
for i in 1 2; do
	[ -e changes.s$i ] || fail "layer s$i, which the backup needs, is gone"
done
shows "the backup" changes.backup disk.img view
expect 0 "$PLATTER" discard --yes changes.backup
expect 0 "$PLATTER" discard --yes changes.s2
expect 0 "$PLATTER" discard --yes changes.s1
after=$(room changes)
[ "$after" -le "$before" ] || fail "the merged overlay takes $after bytes, its layers took $before"
expect 0 "$PLATTER" status --json changes
same "status" "$(json out 'j["layers"], j["fits"], j["clean"]')" "([], True, True)"
same "mode" "$(stat -c %a changes)" 600
expect 0 "$PLATTER" flatten changes
shows "flattened again" changes disk.img view
change changes disk.img 'put(77, b"writable")'

# Two branches on s1: what the other one needs stays.
look changes disk.img view
expect 0 "$PLATTER" snapshot changes s1
change changes disk.img 'put(1 << 20, b"left")'
look changes disk.img left
expect 0 "$PLATTER" snapshot changes left
expect 0 "$PLATTER" rollback --yes changes s1
change changes disk.img 'put(1 << 20, b"right"); zero(2 << 20, 1 << 19)'
expect 0 "$PLATTER" snapshot changes right
change changes disk.img 'put(3 << 20, b"top")'
look changes disk.img right
expect 0 "$PLATTER" flatten changes
[ ! -e changes.right ] || fail "the layer that nothing stands on is still there"
[ -e changes.s1 ] || fail "the layer under the other branch is gone"
shows "the right branch" changes disk.img right
expect 0 "$PLATTER" rollback --yes changes left
shows "the left branch" changes disk.img left
expect 0 "$PLATTER" rollback --yes changes s1
shows "where both begin" changes disk.img view
expect 0 "$PLATTER" flatten changes
[ -e changes.left ] && [ -e changes.s1 ] || fail "the layers of the left branch are gone"
shows "flattened" changes disk.img view

# discard takes the snapshots along, on whatever branch, but no copy of an overlay.
cp changes changes.backup
expect 0 "$PLATTER" discard --yes changes
same "what discard leaves" "$(echo changes*)" changes.backup
expect 0 "$PLATTER" discard --yes changes.backup
same "the image" "$(sha256 disk.img)" "$image"
