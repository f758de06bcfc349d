#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow2 images whose data is in a file of its own, raw or not; the file is opened by the rules for
# all files that an image names.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires qemu-img qemu-io

fill disk.raw 2000384 1
for options in "" ,data_file_raw=on ,extended_l2=on ,cluster_size=4k; do
	rm -f out.qcow2 out.data
	expect 0 qemu-img create -q -f qcow2 -o "data_file=out.data$options" out.qcow2 2000384
	expect 0 qemu-img convert -n -f raw -O qcow2 disk.raw out.qcow2
	expect 0 qemu-io -f qcow2 -c 'write -P 3 0 4096' -c 'write -z 70000 100000' \
		-c 'discard 300000 200000' out.qcow2
	expect 0 qemu-img convert -f qcow2 -O raw out.qcow2 want.raw
	same_disk out.qcow2 want.raw
	[ "$options" != ,data_file_raw=on ] || cmp -n 2000384 out.data want.raw || fail "the data file"
done

# It may also be over a backing file.
rm -f out.qcow2 out.data
expect 0 qemu-img create -q -f qcow2 -o data_file=out.data -b disk.raw -F raw out.qcow2
expect 0 qemu-io -f qcow2 -c 'write -P 3 0 65536' -c 'write -P 4 900000 1000' out.qcow2
expect 0 qemu-img convert -f qcow2 -O raw out.qcow2 want.raw
same_disk out.qcow2 want.raw

refuses out.qcow2 'data file "out.data": not opened, because of --chain=no' --chain=no
mkdir away
mv out.data away/
refuses out.qcow2 'data file "out.data": not in the image'"'"'s folder; --chain=DIR adds one'
same_disk out.qcow2 want.raw --chain=away
truncate -s 65536 away/out.data
refuses out.qcow2 'passes the end at 65536' --chain=away

# The name is in the image, or nowhere.
python3 - out.qcow2 <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(f.read(65536).index(b"DATA"))
    f.write(b"data")
PY
refuses out.qcow2 "whose name it does not hold"
