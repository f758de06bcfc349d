#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# CloneCD's images: data of both modes gives the same disk (and what ccd2iso makes of the .img), the
# tracks stand beside it, the last session shows, with the pregap of a later session in the .img or
# not. What is broken is refused with the line or the reason.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires xorriso genisoimage python3 ccd2iso

small_iso disc.iso
two_sessions
py <<'PY'
import os
import cdimage as cd
second = int(os.environ["second"])
iso = cd.read("disc.iso")
n = len(iso) // 2048
one, two = cd.noise(2352 * 30), cd.noise(2352 * 40, 2)
cd.write("mode1.img", *cd.raw(iso))
cd.ccd("mode1.ccd", [(n, [("mode1", 0, None, 0)])])
cd.write("Mode2.IMG", *cd.raw(iso, "mixed"))
cd.ccd("Mode2.ccd", [(n, [("mode2", 0, None, 0)])], "\n")
gap = bytes(2352 * 10)
cd.write("mixed.img", *cd.raw(iso), gap, one, two)
cd.ccd("mixed.ccd", [(n + 80, [("mode1", 0, None, 0), ("audio", n + 10, n, n + 10), ("audio", n + 40, None, n + 40)])])
cd.write("1", one)
cd.write("2", two)
s1, s2 = cd.read("s1.iso"), cd.read("s2.iso")
for name, filled, said in (("without", 0, 0), ("within", 150, 150), ("unsaid", 150, 0), ("wrong", 0, 150)):
    cd.write(name + ".img", *cd.raw(s1), bytes(2352 * filled), *cd.raw(s2, "mode1", second))
    cd.ccd(name + ".ccd", [(len(s1) // 2048, [("mode1", 0, None, 0)]),
                           (second + len(s2) // 2048, [("mode1", second, None, said)])])
cd.write("sessions", s1, bytes(second * 2048 - len(s1)), s2)
# CD Extra: the session of data comes second, its pregap is in the file.
cd.write("extra.img", one, two, bytes(2352 * 150), *cd.raw(s1, "mode1", 70 + 11400))
cd.ccd("extra.ccd", [(70, [("audio", 0, None, 0), ("audio", 30, None, 30)]),
                     (70 + 11400 + len(s1) // 2048, [("mode1", 70 + 11400, None, 150)])])
cd.write("extra", s1[:65536], bytes((70 + 11400 - 32) * 2048), s1)

text = cd.read("mode1.ccd").decode()
def bad(name, old, new):
    assert old in text
    with open(name + ".ccd", "w", newline="") as f:
        f.write(text.replace(old, new, 1))
    cd.write(name + ".img", bytes(2352 * 10))
bad("short", "MODE=1", "MODE=1")
bad("nimg", "MODE=1", "MODE=1")
bad("scrambled", "Scrambled=0", "Scrambled=1")
bad("number", f"PLBA={n}", "PLBA=soon")
bad("section", "[Entry 0]", "[Entry 0")
bad("entry", "[Entry 0]", "[Entry x]")
bad("track", "[TRACK 1]", "[TRACK 100]")
bad("key", "Version=3", "Version")
bad("session", "Session=1\r\nPoint=0x01", "Session=0\r\nPoint=0x01")
bad("out", "0xa2", "0xa3")
bad("none", "Point=0x01", "Point=0xb0")
bad("back", f"PLBA={n}", "PLBA=-5")
PY
rm nimg.img
same_disk mode1.ccd disc.iso
same_disk Mode2.ccd disc.iso
ccd2iso mode1.img got.iso >log 2>&1 || fail "ccd2iso: $(cat log)"
same_disk mode1.ccd got.iso
same_disk mixed.ccd disc.iso
same_tracks mixed.ccd disc.iso 1 2
for image in without within unsaid wrong; do
	same_disk $image.ccd sessions
	same_tracks $image.ccd s1.iso s2.iso
	last_session_shows $image.ccd
done
same_disk extra.ccd extra
same_tracks extra.ccd 1 2 s1.iso

refuses short.ccd 'bytes at 0, but the file has 23520 bytes'
refuses nimg.ccd 'file "nimg.img": not in the image'"'"'s folder'
refuses scrambled.ccd 'line 6: scrambled data tracks cannot be read'
refuses number.ccd 'PLBA=soon is no number'
refuses section.ccd 'line 10: a section without ]'
refuses entry.ccd 'line 10: section [Entry x]'
refuses track.ccd 'section [TRACK 100]'
refuses key.ccd 'line 2: expected KEY=VALUE'
refuses session.ccd 'session 0, expected 1 to 99'
refuses out.ccd 'session 1 has no lead-out'
refuses none.ccd 'there is no track'
refuses back.ccd 'track 1 from sector 0 to -5'
head -c 3000 extra.ccd >small.ccd
hostile ccd small.ccd

# Where the headers of sectors cannot be read, nothing is put elsewhere than they say.
if command -v gcc >/dev/null; then
	gcc -shared -fPIC -O1 -o shim.so "$srcdir/tests/fault-shim.c" -ldl 2>err || fail "the shim"
	export ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0
	expect 0 "$PLATTER" cat --format ccd -p 0 within.ccd
	mv out wanted
	refused=0
	for n in {1..100}; do
		rm -f met
		if FAULT_CALL=pread FAULT_WHEN=$n FAULT_MET=met LD_PRELOAD=$PWD/shim.so \
			"$PLATTER" cat --format ccd -p 0 within.ccd >out 2>err; then
			same_bytes out wanted
		else
			grep -q 'Input/output error' err || fail "read $n: $(cat err)"
			! grep -q 'header of sector .* cannot be read' err || refused=$((refused + 1))
		fi
		[ -e met ] || break
	done
	[ ! -e met ] || fail "more than 100 reads"
	[ $refused -ge 6 ] || fail "$refused headers that could not be read"
fi
