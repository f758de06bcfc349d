#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Nero's images, old and new, disc at once and track at once, with every mode: the same disk, the
# tracks beside it, the last session of several; nrg2iso reads the plain ones too. What is broken
# or cut off is refused with the reason.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires xorriso genisoimage python3 nrg2iso

small_iso disc.iso
two_sessions
py <<'PY'
import os, struct
import cdimage as cd
second = int(os.environ["second"])
iso = cd.read("disc.iso")
n = len(iso) // 2048
m1, m2 = cd.raw(iso), cd.raw(iso, "mixed")
gap = lambda size: bytes(150 * size)
j = b"".join
for name, kind, size, body in (
        ("a", "mode1", 2048, iso), ("b", "mode2", 2048, iso), ("c", "mode2", 2336, j(s[16:] for s in m2)),
        ("d", "mode1", 2352, j(m1)), ("e", "mode2", 2352, j(m2)), ("f", "mode1", 2448, j(s + bytes(96) for s in m1)),
        ("g", "mode2", 2448, j(s + bytes(96) for s in m2))):
    for old in (False, True):
        cd.nrg(f"{name}{old:d}dao.nrg", [[(kind, size, 0, gap(size), body)]], old)
        cd.nrg(f"{name}{old:d}tao.nrg", [[(kind, size, 0, b"", body)]], old, tao=True)
one, two = cd.noise(2352 * 30), cd.noise(2352 * 40, 2)
tracks = [("mode1", 2048, 0, gap(2048), iso), ("audio", 2352, n + 150, gap(2352), one),
          ("audio", 2448, n + 190, b"", j(s + b"q" * 96 for s in cd.sectors(two, 2352)))]
cd.nrg("mixed.nrg", [tracks])
cd.nrg("pregap.nrg", [[("audio", 2352, 0, gap(2352), one), ("audio", 2352, 40, two[:23520], two[23520:])]])
cd.write("1", one)
cd.write("2", two)
cd.write("1and", one, two[:23520])
cd.write("2rest", two[23520:])
s1, s2 = cd.read("s1.iso"), cd.read("s2.iso")
for old in (False, True):
    cd.nrg(f"sessions{old:d}.nrg", [[("mode1", 2048, 0, gap(2048), s1)], [("mode1", 2048, second, gap(2048), s2)]], old)
cd.nrg("sessions2.nrg", [[("mode1", 2048, 0, b"", s1)], [("mode1", 2048, second, b"", s2)]], tao=True)
cd.write("sessions", s1, bytes(second * 2048 - len(s1)), s2)

# What is refused. The header of the track's table stands 40 bytes after that of the cue table.
image = cd.read("a0dao.nrg")
at = image.index(b"DAOX")
def bad(name, off, data):
    cd.write(name, image[:off], data, image[off + len(data):])
bad("mode.nrg", at + 8 + 22 + 14, b"\x09")
bad("size.nrg", at + 8 + 22 + 12, b"\x08\x01")
bad("order.nrg", at + 8 + 22 + 18, struct.pack(">Q", 1 << 40))
bad("past.nrg", at + 8 + 22 + 34, struct.pack(">Q", 1 << 40))
bad("track.nrg", at + 8 + 20, b"\x64")
bad("chunk.nrg", at + 4, b"\x00\xff\xff\xff")
bad("end.nrg", image.index(b"END!"), b"DONE")
bad("footer.nrg", len(image) - 8, struct.pack(">Q", 1 << 40))
bad("none.nrg", at, b"DAOY")
cd.nrg("small.nrg", [[("mode1", 2352, 0, b"x" * 2352, j(m1[:4])), ("audio", 2352, 4, b"", one[:4704])]])
cd.nrg("wraps.nrg", [[("mode1", 2352, 10, b"", j(m1[:4])), ("mode1", 2048, 0, b"", iso[:8192])]])
cd.nrg("oldsmall.nrg", [[("mode2", 2336, 0, b"", j(s[16:] for s in m2[:4]))]], old=True, tao=True)
PY
for image in [a-g]0dao.nrg [a-g]1tao.nrg a1dao.nrg d0tao.nrg; do
	same_disk "$image" disc.iso
done
nrg2iso a0dao.nrg got.iso >log 2>&1 || fail "nrg2iso: $(cat log)"
cmp -n "$(stat -c %s disc.iso)" got.iso disc.iso || fail "what nrg2iso makes of it"
same_disk mixed.nrg disc.iso
same_tracks mixed.nrg disc.iso 1 2
cat 1 2 >both
same_disk pregap.nrg both
same_tracks pregap.nrg 1and 2rest
for n in 0 1 2; do
	same_disk sessions$n.nrg sessions
	same_tracks sessions$n.nrg s1.iso s2.iso
	last_session_shows sessions$n.nrg
done

refuses mode.nrg 'track 1: mode 9 is not known'
refuses size.nrg 'track 1: sectors of 2049 bytes in mode 0, expected 2048'
refuses order.nrg 'track 1: from 1099511627776 over'
refuses past.nrg "bytes at 307200, but the file has"
refuses track.nrg 'track 100, expected 1 to 99'
refuses chunk.nrg 'a chunk of 16777215 bytes, but the chain ends after'
refuses end.nrg 'the chain of chunks has no END!'
refuses footer.nrg 'chunks at 1099511627776, but the file has'
refuses none.nrg 'there is no track'
# The first track's sectors say that it stands 10 sectors before where it is recorded.
refuses wraps.nrg 'track 2 is recorded at sector 0, track 1 at 10'
unreadable nrg small.nrg oldsmall.nrg
hostile nrg small.nrg
hostile nrg oldsmall.nrg 1000
