#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `platter verify` compares the checksums that an image stores with what it holds: 0 when they are the
# same, 32 with both values when one is not, and 32 with the first byte that cannot be read.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-forensic.sh" || exit 99
requires ewfacquire python3

fill disk.raw 5000192
md5=$(md5sum disk.raw | cut -d' ' -f1)
sha1=$(sha1sum disk.raw | cut -d' ' -f1)
ewfacquire -u -q -f encase6 -c none -d sha1 -S 1048576 -t d disk.raw >log 2>&1 || fail "$(cat log)"
if ! grep -q 'HAVE_LIBCRYPTO 1' "$builddir/config.h"; then
	expect 32 "$PLATTER" verify d.E01
	grep -q 'md5: needs libcrypto, which this build lacks' err || fail "no reason"
	exit 0
fi

expect 0 "$PLATTER" verify d.E01
same "what was said" "$(cat out)" "md5 of the disk: $md5, as stored
sha1 of the disk: $sha1, as stored"
[ ! -s err ] || fail "something on stderr"
expect 0 "$PLATTER" verify --json --hash crc32 d.E01
same "JSON" "$(json out '[(s["digest"], s["value"] == s["stored"], s["same"], s["start"], s["length"])
	for s in j["sums"]] + [j["good"], j["format"]]')" \
	"[('md5', True, True, 0, 5000192), ('sha1', True, True, 0, 5000192), ('crc32', False, None, 0, 5000192), True, 'ewf']"

# A byte in a chunk that is stored as it is.
printf 'X' | poke d.E03 500000
expect 32 "$PLATTER" verify d.E01
"$PLATTER" cat -p 0 d.E01 >now
same "what was said" "$(cat out)" "md5 of the disk: $(md5sum now | cut -d' ' -f1), but $md5 is stored
sha1 of the disk: $(sha1sum now | cut -d' ' -f1), but $sha1 is stored"
expect 32 "$PLATTER" verify --json d.E01
same "JSON" "$(json out '[s["same"] for s in j["sums"]] + [j["good"]]')" "[False, False, False]"

# Ex01 has sums of its own, and one of its chunks that cannot be unpacked.
make_ex01 x.Ex01 disk.raw 64 zlib
expect 0 "$PLATTER" verify x.Ex01
same "what was said" "$(cat out)" "md5 of the disk: $md5, as stored
sha1 of the disk: $sha1, as stored"
read -r chunk byte < <(python3 - <<'PY'
import struct
b = open("x.Ex01", "rb").read()
off = len(b) - 64
while struct.unpack_from("<I", b, off)[0] != 4:
    off = struct.unpack_from("<Q", b, off + 8)[0]
at = off - struct.unpack_from("<Q", b, off + 16)[0]
first, count = struct.unpack_from("<QI", b, at)
for i in range(count):
    where, size, flags = struct.unpack_from("<QII", b, at + 32 + 16 * i)
    if flags == 1:
        print(first + i, where + size // 2)
        break
PY
)
printf '\x5a\xa5' | poke x.Ex01 "$byte"
expect 32 "$PLATTER" verify x.Ex01
same "what was said" "$(cat err)" \
	"platter: $tmp/x.Ex01: the disk cannot be read at $((chunk * 32768)): Input/output error"
[ ! -s out ] || fail "a sum of what cannot be read"
