#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rollback goes back to any snapshot, also to a younger one again. What was written since the last
# one is dropped, with consent only; the snapshots and the image stay as they are.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse

truncate -s 2M disk.img
head -c 1M /dev/urandom | poke disk.img 0
for i in 1 2 3; do
	change changes disk.img "put($i << 14, random(5000)); put(100, random(50)); zero($i << 16, 9000)"
	look changes disk.img view$i
	expect 0 "$PLATTER" snapshot changes s$i
done
change changes disk.img 'put(0, b"to be dropped")'
look changes disk.img top
sums disk.img changes.s? >before

# Consent: without a terminal that is --yes.
expect 1 "$PLATTER" rollback changes s1
grep -q 's1.* 1 blocks.*--yes' err || fail "the question does not say what is dropped: $(cat err)"
shows "without consent" changes disk.img top
refused "nowhere: No such file" rollback --yes changes nowhere
refused "cannot be the name" rollback --yes changes ../changes.s1
refused "nowhere: No such file" rollback --yes nowhere s1
shows "after what was refused" changes disk.img top

for i in 1 3 2 2 3 1; do
	change changes disk.img 'put(0, b"dropped"); zero(1 << 14, 1 << 18)'
	expect 0 "$PLATTER" rollback --yes changes s$i
	same "what rollback prints" "$(cat out err)" ""
	shows "rolled back to s$i" changes disk.img view$i
	expect 0 "$PLATTER" status --json changes
	same "status at s$i" "$(json out 'j["blocks"], [l["name"] for l in j["layers"]]')" \
		"(0, $(python3 -c "print(['s3', 's2', 's1'][3 - $i:])"))"
done
sums disk.img changes.s? | cmp -s before - || fail "a layer or the image was changed"

# A branch: on s1 another snapshot is made, and both are reached from each other.
change changes disk.img 'put(1 << 20, b"another branch")'
look changes disk.img branch
expect 0 "$PLATTER" snapshot changes b1
expect 0 "$PLATTER" rollback --yes changes s3
shows "the first branch" changes disk.img view3
expect 0 "$PLATTER" status --json changes
same "the others" "$(json out '[[l["name"] for l in j[k]] for k in ("layers", "others")]')" \
	"[['s3', 's2', 's1'], ['b1']]"
expect 0 "$PLATTER" rollback --yes changes b1
shows "the second branch" changes disk.img branch

# A layer of another overlay, or one that is not whole below, is none to go back to.
change other disk.img 'put(0, b"other")'
expect 0 "$PLATTER" snapshot other s1
mv other.s1 changes.theirs
refused "belongs to another overlay" rollback --yes changes theirs
mv changes.s2 away
refused "layer changes.s2: No such file" rollback --yes changes s3
shows "after what was refused" changes disk.img branch
mv away changes.s2
expect 0 "$PLATTER" rollback --yes changes s3
shows "with the layer back" changes disk.img view3
echo "no overlay" >changes.text
refused "not a platter overlay" rollback --yes changes text
attach -q disk.img mnt --overlay=changes
refused "attached" rollback --yes changes s1
detach mnt
shows "in the end" changes disk.img view3
