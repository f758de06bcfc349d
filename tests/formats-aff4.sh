#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# AFF4 images with a map and without, of all ways of packing, in one volume or striped over several, are
# the disk that they were made of, and their stored sums are as `verify` finds them. There is no program
# in Debian that makes them: see lib-forensic.sh.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-forensic.sh" || exit 99
requires python3
requires_fuse

fill disk.raw 3000320
head -c 200000 /dev/zero | tr '\0' '\377' | poke disk.raw 1310720
python3 -c 'print(end="UNREADABLEDATA" * 4682)' | head -c 65536 | poke disk.raw 1638400

# has MACRO: what this build was configured with.
has() {
	grep -q "$1 1" "$builddir/config.h"
}

for method in snappy:HAVE_SNAPPY:libsnappy lz4:HAVE_LIBLZ4:liblz4 zlib deflate none; do
	IFS=: read -r name macro library <<<"$method"
	make_aff4 "$name.aff4" disk.raw "$name"
	if [ -n "$macro" ] && ! has "$macro"; then
		refuses "$name.aff4" "needs $library, which this build lacks"
		continue
	fi
	same_disk "$name.aff4" disk.raw
	make_aff4 "$name.aff4" disk.raw "$name" stream unpadded chunk=4096 zip64 deflate
	same_disk "$name.aff4" disk.raw
	! has HAVE_LIBCRYPTO || expect 0 "$PLATTER" verify "$name.aff4"
done
make_aff4 gaps.aff4 disk.raw zlib gaps reversed deflate
same_disk gaps.aff4 disk.raw
make_aff4 shuffled.aff4 disk.raw none shuffled piece=16384 chunk=4096
same_disk shuffled.aff4 disk.raw
make_aff4 shuffled.aff4 disk.raw zlib shuffled piece=4096
same_disk shuffled.aff4 disk.raw
make_aff4 unpadded.aff4 disk.raw zlib unpadded chunk=65536 per=3
same_disk unpadded.aff4 disk.raw
# Of more than a MiB, the text begins again.
python3 - <<'PY'
t = ("UNREADABLEDATA" * 75000)[:1 << 20]
open("text.raw", "w").write(t + t + "END" * 1024)
PY
make_aff4 text.aff4 text.raw none piece=2097152 chunk=512
same_disk text.aff4 text.raw

# An image that is one byte or text all over.
for name in SymbolicStream41 UnknownData Zero; do
	python3 - "$name" <<'PY'
import sys, zipfile
z = zipfile.ZipFile(sys.argv[1] + ".aff4", "w")
z.writestr("container.description", "aff4://v")
z.writestr("version.txt", "major=1\nminor=0\n")
z.writestr("information.turtle", """@prefix aff4: <http://aff4.org/Schema#> .
<aff4://v/i> a aff4:Image ; aff4:dataStream aff4:%s .
aff4:%s aff4:size 1100000 .
""" % (sys.argv[1], sys.argv[1]))
z.close()
text = {"SymbolicStream41": b"A", "UnknownData": b"UNKNOWN", "Zero": b"\0"}[sys.argv[1]]
text = (text * (1 << 20))[:1 << 20] * 2
open("all.raw", "wb").write(text[:1100000])
PY
	same_disk "$name.aff4" all.raw
done

# A map that is not held: more than 8 MiB of entries.
truncate -s 200M sparse.raw
printf here | poke sparse.raw 100000000
make_aff4 many.aff4 sparse.raw zlib piece=512
same_disk many.aff4 sparse.raw

make_aff4 s.aff4 disk.raw zlib stripes=3
same_disk s_1.aff4 disk.raw
same_disk s_3.aff4 disk.raw
! has HAVE_LIBCRYPTO || expect 0 "$PLATTER" verify s_2.aff4
mv s_2.aff4 other.aff4
refuses s_1.aff4 "which is not among the files here with names like this one's"
refuses s_3.aff4 "which is not among the files here"
refuses s_1.aff4 "which is not among the files here" --chain=no

# Zeros are holes.
mkdir m
attach many.aff4 m
same "first data" "$(python3 -c 'import os; print(os.lseek(os.open("m/disk", os.O_RDONLY), 0, os.SEEK_DATA))')" \
	99999744
detach m
