#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A qcow2 image that is cut off or damaged is refused or read within its bounds; cut off, every
# length is refused.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires qemu-img

fill small.raw 65536 1 # whole clusters of all sizes: all of the last one is needed
qemu-img convert -f raw -O qcow2 -o cluster_size=512 small.raw plain.qcow2 || fail "convert"
qemu-img convert -f raw -O qcow2 -c -o cluster_size=4k small.raw packed.qcow2 || fail "convert"
qemu-img convert -f raw -O qcow2 -o cluster_size=16k,extended_l2=on small.raw sub.qcow2 ||
	fail "convert"
qemu-img create -q -f qcow2 -o cluster_size=512 snapped.qcow2 40k || fail "create"
for i in 1 2 3; do
	qemu-img snapshot -c "state $i" snapped.qcow2 || fail "snapshot"
done
for image in plain packed sub snapped; do
	hostile qcow2 $image.qcow2 1500
done

# The last cluster's packed data need not fill its sector, so that is not missed.
for image in plain sub; do
	"$builddir/tests/hostile-format" cut qcow2 $image.qcow2 >out
	grep -q ": \([0-9]*\) of \1 lengths refused" out || fail "cut: $(cat out)"
done
