#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A qcow2 image over a backing file reads as QEMU reads it: written, zeroed, discarded and compressed
# here and there, with and without subclusters, over files that are shorter, longer, in other formats
# and themselves over others.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires qemu-img qemu-io

SIZE=2000384
# scribble IMAGE SEED ZERO: random writes by qemu-io; ZERO: of zeros too.
scribble() {
	python3 - "$2" "$3" $SIZE >ops <<'PY'
import random, sys
rng, zeros, size = random.Random(int(sys.argv[1])), sys.argv[2] == "zeros", int(sys.argv[3])
for i in range(40):
    n = rng.choice((512, 1024, 4096, 20480, 65536, 131072, 200192))
    off = rng.randrange(0, size - n + 1) // 512 * 512
    op = rng.choice(("write -P %d" % (i + 1), "write -P %d" % (i + 1), "write -z", "write -z -u",
                     "discard") if zeros else ("write -P %d" % (i + 1),))
    print(op, off, n)
for i in range(3): # whole clusters, where nothing was written yet
    off = rng.randrange(0, size // 65536) * 65536
    print("write -c -P %d" % (i + 100), off, 65536)
print("quit")
PY
	# A compressed write to what is there already fails, as it may.
	qemu-io -f qcow2 "$1" <ops >log 2>&1
}

like_qemu() {
	expect 0 qemu-img convert -f qcow2 -O raw "$1" want.raw
	same_disk "$1" want.raw
}

fill short.raw 900000 1
truncate -s 900096 short.raw
fill long.raw 5000192 2
seed=0
while read -r base options zeros; do
	rm -f over.qcow2
	expect 0 qemu-img create -q -f qcow2 -o "$options" -b "$base.raw" -F raw over.qcow2 $SIZE
	scribble over.qcow2 $((++seed)) "$zeros"
	like_qemu over.qcow2
done <<END
short compat=0.10
long compat=1.1,cluster_size=4k zeros
short compat=1.1 zeros
long extended_l2=on zeros
short extended_l2=on,cluster_size=16k zeros
END

# Four generations, of which the middle ones are of other sizes; the lowest is compressed, and
# another is in a format that QEMU calls vpc and platter vhd.
expect 0 qemu-img convert -c -f raw -O qcow2 long.raw 0.qcow2
expect 0 qemu-img create -q -f qcow2 -b 0.qcow2 -F qcow2 1.qcow2 1000448
scribble 1.qcow2 20 zeros
expect 0 qemu-img create -q -f qcow2 -b 1.qcow2 -F qcow2 2.qcow2 3000320
expect 0 qemu-img create -q -f qcow2 -o extended_l2=on -b 2.qcow2 -F qcow2 3.qcow2 $SIZE
scribble 3.qcow2 21 zeros
like_qemu 3.qcow2

expect 0 qemu-img convert -f raw -O vpc long.raw base.vhd
expect 0 qemu-img create -q -f qcow2 -b base.vhd -F vpc over-vhd.qcow2 $SIZE
if "$PLATTER" info over-vhd.qcow2 >out 2>&1; then
	like_qemu over-vhd.qcow2
else
	grep -q 'no container format vhd' out || fail "vhd: $(cat out)"
fi

# A base in a format of its own, when the image does not say so, is not guessed; raw is.
expect 0 qemu-img rebase -u -F raw -b short.raw over.qcow2
python3 - over.qcow2 <<'PY'
import sys
with open(sys.argv[1], "r+b") as f: # the extension becomes one that nobody knows
    head = f.read(65536)
    f.seek(head.index(bytes.fromhex("e2792aca")))
    f.write(b"\x12\x34\x56\x78")
PY
expect 0 "$PLATTER" info over.qcow2
cp 0.qcow2 short.raw
refuses over.qcow2 'backing file "short.raw": the image does not record its format, which looks like qcow2 and is not guessed (qemu-img rebase -u -F records it)'
expect 0 qemu-img rebase -u -F qcow2 -b short.raw over.qcow2
expect 0 "$PLATTER" info over.qcow2

# Changing what lies below is noticed by an overlay over the top.
expect 0 "$PLATTER" attach --overlay=top.overlay 3.qcow2 "$(mkdir mnt && echo mnt)"
poke mnt/disk 5000 "mine"
detach mnt
cp -p 3.qcow2 3.kept
attach --overlay=top.overlay 3.qcow2 mnt
same "what was written" "$(peek mnt/disk 5000 4)" mine
detach mnt
expect 0 qemu-io -f qcow2 -c 'write -P 77 0 65536' 1.qcow2
expect 32 "$PLATTER" attach --overlay=top.overlay 3.qcow2 mnt
grep -q 'the contents of the image are not those that the overlay was made for\|made for an image of' err ||
	fail "a changed base"
cmp -s 3.qcow2 3.kept || fail "the image was written to"
