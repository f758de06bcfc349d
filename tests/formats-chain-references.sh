#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Of the files that an image names, only plain names in its own folder, or in that of --chain=DIR, are
# opened; whatever else is refused, by name and with the way out, and nothing of that name is opened.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires qemu-img mkfifo

fill base.raw 300032 1
fill elsewhere.raw 300032 2
mkdir here away away/deeper
cp base.raw here/
mv elsewhere.raw away/
qemu-img convert -f raw -O qcow2 base.raw here/base.qcow2 || fail "convert"

# refer REF [FORMAT]: here/image.qcow2 is backed by that, whatever it is.
refer() {
	rm -f here/image.qcow2
	qemu-img create -q -f qcow2 -u -b "$1" -F "${2:-raw}" here/image.qcow2 300032 || fail "create"
}

works() {
	refer "$1"
	shift
	same_disk here/image.qcow2 "${RAW:-base.raw}" "$@"
}

# rejects REF TEXT [OPTION...]: refused; the message names the reference and says TEXT.
rejects() {
	local ref=$1 text=$2

	shift 2
	refer "$ref"
	refuses here/image.qcow2 "backing file \"$ref\": $text" "$@"
}

# What may be.
works base.raw
works ./base.raw
works "$tmp/here/base.raw"
ln -s "$tmp/here" door # the image may be reached through a symbolic link
refer base.raw
same_disk door/image.qcow2 base.raw
works "$tmp/here/base.raw" --chain=away

# What may not.
only='only a plain name in the image'"'"'s folder, or in that of --chain=DIR, is opened'
rejects ../base.raw "a path; $only"
rejects ../here/base.raw "a path; $only"
rejects ./../base.raw "a path; $only"
rejects sub/base.raw "a path; $only"
rejects ".//base.raw" "a path; $only"
rejects .. "no file's name; $only"
rejects . "no file's name; $only"
rejects ./ "no file's name; $only"
rejects "$tmp/here/" "no file's name; $only"
rejects "$tmp/base.raw" "another folder; $only"
rejects "$tmp/here/../base.raw" "another folder; $only"
rejects "$tmp/door/base.raw" "another folder; $only"
rejects /etc/passwd "another folder; $only"
rejects /dev/zero "another folder; $only"
rejects 'json:{"driver":"file","filename":"base.raw"}' "not in the image's folder; --chain=DIR adds one"
rejects 'json:{"driver":"file","filename":"/etc/passwd"}' "a path; $only"
rejects file:base.raw "not in the image's folder"
rejects nbd://127.0.0.1:9/base.raw "a path; $only"
rejects https://127.0.0.1/base.raw "a path; $only"
rejects missing.raw "not in the image's folder; --chain=DIR adds one"
rejects "base.raw " "not in the image's folder"
rejects $'base\nraw' ""
truncate -s 0 here/image.qcow2

# A name of no bytes: qemu-img makes none.
refer base.raw
printf '\0\0\0\0' | poke here/image.qcow2 16
refuses here/image.qcow2 'backing file "": no file'"'"'s name'

# Files of other kinds, which are not even opened: a FIFO would wait.
ln -s base.raw here/link.raw
ln -s base.raw "here/-"
mkfifo here/fifo.raw
mkdir here/folder.raw
rejects link.raw "a symbolic link"
rejects fifo.raw "a special file, expected a regular file"
rejects folder.raw "a directory, expected a regular file"
if [ "$(id -u)" = 0 ] && mknod here/zero.raw c 1 5 2>/dev/null; then
	rejects zero.raw "a special file, expected a regular file"
fi

# The folder that --chain=DIR adds: names that the image's own does not have, and absolute paths.
RAW=away/elsewhere.raw works elsewhere.raw --chain=away
RAW=away/elsewhere.raw works "$tmp/away/elsewhere.raw" --chain=away
cp base.raw away/base.raw
printf 'not this one' | poke away/base.raw 0
works base.raw --chain=away # its own folder first
RAW=away/base.raw works "$tmp/away/base.raw" --chain=away
rejects missing.raw "not in the image's folder nor in that of --chain" --chain=away
rejects "$tmp/away/deeper/base.raw" "another folder; $only" --chain=away
rejects deeper/base.raw "a path; $only" --chain=away
# What stands there may refer to what stands there.
qemu-img create -q -f qcow2 -u -b elsewhere.raw -F raw away/middle.qcow2 300032 || fail "create"
refer middle.qcow2 qcow2
same_disk here/image.qcow2 away/elsewhere.raw --chain=away

# --chain=no refuses all.
rejects base.raw "not opened, because of --chain=no" --chain=no
if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
	refer base.raw
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o calls -e trace=%file "$PLATTER" \
		info --chain=no here/image.qcow2 >out 2>&1
	grep -q image.qcow2 calls || fail "traced nothing"
	not grep -q base.raw calls || fail "opened: $(grep base.raw calls)"
	refer /etc/hostname
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o calls -e trace=%file "$PLATTER" \
		info here/image.qcow2 >out 2>&1
	not grep -q hostname calls || fail "opened: $(grep hostname calls)"
fi

# Circles, and chains without an end.
refer image.qcow2 qcow2
refuses here/image.qcow2 'backing file "image.qcow2": the image stands on itself'
qemu-img create -q -f qcow2 -u -b image.qcow2 -F qcow2 here/other.qcow2 300032 || fail "create"
refer other.qcow2 qcow2
refuses here/image.qcow2 'backing file "image.qcow2": the image stands on itself'
ln here/image.qcow2 here/hard.qcow2 # the same file by another name
qemu-img create -q -f qcow2 -u -b hard.qcow2 -F qcow2 here/other.qcow2 300032 || fail "create"
refuses here/image.qcow2 'backing file "hard.qcow2": the image stands on itself'

cp base.raw here/0
format=raw
for i in {1..17}; do
	qemu-img create -q -f qcow2 -u -b $((i - 1)) -F $format here/"$i" 300032 || fail "create"
	format=qcow2
done
same_disk here/16 base.raw # that many parents
refuses here/17 'backing file "0": more than 16 generations'

# The format is what the image says, not what the file looks like.
refer base.qcow2 raw
expect 0 "$PLATTER" info --json here/image.qcow2
same "as raw" "$(json out 'j["image"]["parents"]')" "[{'name': 'base.qcow2', 'format': 'raw'}]"
cp here/base.qcow2 want.raw
truncate -s 300032 want.raw
same_disk here/image.qcow2 want.raw
refer base.raw qcow2
refuses here/image.qcow2 'backing file "base.raw": is not in qcow2 format'
