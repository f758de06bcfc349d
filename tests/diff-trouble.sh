#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# To diff every failure is "trouble", exit 2 with one line on stderr and never "same": a wrong command
# line, no overlay, an image that is missing, another or changed, and what cannot be read.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso sfdisk

# trouble TEXT ARGUMENT...
trouble() {
	local text=$1

	shift
	expect 2 "$PLATTER" "$@"
	same "stdout of $*" "$(cat out)" ""
	same "lines on stderr of $*" "$(wc -l <err)" 1
	grep -q "^platter: .*$text" err || fail "$*: does not say '$text'"
}

make_iso disc.iso
truncate -s %4096 disc.iso
head -c 1M /dev/zero >disk.img
for image in disc.iso disk.img; do
	attach $image mnt --overlay=$image.overlay
	poke mnt/disk 100 x
	detach mnt
done

trouble 'too few operands' diff
trouble 'one operand too many' diff disk.img.overlay disc.iso.overlay
trouble '--frobnicate: no such option' diff --frobnicate disk.img.overlay
trouble '-p one: ' diff -p one disk.img.overlay
trouble 'no such option' diff -o ro disk.img.overlay
trouble 'needs a value' diff disk.img.overlay --base
trouble '--tar - ' diff --tar - --json disk.img.overlay
trouble 'no partition 4' diff -p 4 disk.img.overlay
trouble 'no partition 4' diff -p 4 --files disk.img.overlay
trouble 'nowhere: ' diff nowhere
trouble 'disk.img: is not a platter overlay' diff disk.img
mkdir empty
trouble 'empty: is not a regular file' diff empty
expect 2 sh -c '"$1" diff disk.img.overlay >/dev/full' sh "$PLATTER"

# ---- the image
mkdir elsewhere
mv disk.img elsewhere
trouble 'is not beside it; --base' diff disk.img.overlay
trouble 'No such file' diff --base nowhere disk.img.overlay
trouble "overlay .*disk.img.overlay: " diff --base disc.iso disk.img.overlay
expect 1 "$PLATTER" diff --base elsewhere/disk.img disk.img.overlay
mv elsewhere/disk.img .
expect 1 "$PLATTER" diff disk.img.overlay
cp disk.img kept.img
poke disk.img 8192 different
trouble 'contents' diff disk.img.overlay
truncate -s 512K disk.img
trouble 'disk.img.overlay: ' diff disk.img.overlay

# ---- what cannot be read: a directory of a filesystem, and the bytes of a file
cp disc.iso kept.iso
rm disc.iso.overlay
attach disc.iso mnt --overlay=disc.iso.overlay
at=$(grep -abo 'DATA.BIN' disc.iso | head -n 1 | cut -d: -f1)
printf '\003' | poke mnt/disk $((at - 33)) # the length of its record
detach mnt
expect 1 "$PLATTER" diff disc.iso.overlay
trouble 'dir/deeper: Input/output error' diff --files disc.iso.overlay
if grep -q 'undef HAVE_LIBARCHIVE' "$builddir/config.h" 2>/dev/null; then
	trouble 'without libarchive' diff --tar layer.tar disc.iso.overlay
else
	trouble 'dir/deeper: Input/output error' diff --tar layer.tar disc.iso.overlay
fi
[ ! -e layer.tar ] || fail "a bad archive was left"
expect 2 "$PLATTER" diff --files --json disc.iso.overlay
python3 -c 'import json; json.load(open("out"))' 2>/dev/null && fail "the JSON looks whole"

rm disc.iso.overlay
attach disc.iso mnt --overlay=disc.iso.overlay
printf '\377' | poke mnt/disk $((at - 33 + 5)) # where its bytes are: nowhere
detach mnt
trouble 'dir/deeper/data.bin: Input/output error' diff --files disc.iso.overlay

# ---- reads that fail
if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
	export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
	head -c 8M /dev/urandom >big.img
	attach big.img mnt --overlay=big.ov
	head -c 2M /dev/urandom | poke mnt/disk 4M
	detach mnt
	expect 1 "$PLATTER" diff big.ov
	# Those of a MiB are diff's own.
	strace -qq -f -o calls -e trace=pread64 "$PLATTER" diff big.ov >out 2>&1
	n=$(grep -n 'pread64(.*, 1048576, ' calls | tail -n 1 | cut -d: -f1)
	[ -n "$n" ] || skip "needs to see the reads"
	strace -qq -f -o calls -e inject=pread64:error=EIO:when="$n" "$PLATTER" diff --json big.ov \
		>out 2>err
	same "status after a failed read" $? 2
	same "lines" "$(wc -l <err)" 1
	grep -q 'comparing byte .* of the disk: Input/output error' err || fail "the message"
	python3 -c 'import json; json.load(open("out"))' 2>/dev/null && fail "the JSON looks whole"
fi
exit 0
