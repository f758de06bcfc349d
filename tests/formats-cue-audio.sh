#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Cue sheets of audio discs: the tracks are little-endian samples whatever file they come from, the
# disk is all of them. A track reaches to the next one's index 1, as a drive counts; where no pregap
# is marked, bchunk gives the same tracks.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires python3 bchunk

py <<'PY'
import cdimage as cd
s = 2352
pcm = cd.noise(160 * s)
one, two, three = pcm[:40 * s], pcm[40 * s:100 * s], pcm[100 * s:]
for name, part in (("1", one), ("2", two), ("3", three), ("all", pcm)):
    cd.write(name, part)
cd.write("x.bin", pcm)
cd.write("x.mot", cd.swap(pcm))
cd.write("x.wav", cd.wave(pcm))
cd.write("x.aiff", cd.aiff(pcm))
cd.write("x.cdg", *(p + b"g" * 96 for p in cd.sectors(pcm, s)))
sheet = '''FILE "%s" %s
  TRACK 01 %s
    INDEX 01 00:00:00
  TRACK 02 %s
    INDEX 00 00:00:30
    INDEX 01 00:00:40
    INDEX 02 00:00:50
  TRACK 03 %s
    INDEX 01 00:01:25
'''
for name, kind in (("bin", "BINARY"), ("mot", "MOTOROLA"), ("wav", "WAVE"), ("aiff", "AIFF"), ("cdg", "BINARY")):
    mode = "CDG" if name == "cdg" else "AUDIO"
    with open(name + ".cue", "w") as f:
        f.write(sheet % ("x." + name, kind, mode, mode, mode))

# A file for each track, the pregap of the second at the end of the first, the last one ending
# within a sector.
cd.write("a.wav", cd.wave(one, tag=0xfffe, size=0xffffffff))
cd.write("a.wav", cd.wave(one))
cd.write("b.aiff", cd.aiff(two))
cd.write("c.wav", cd.wave(three[:-1000], size=0xffffffff))
cd.write("3short", three[:-1000])
cd.write("allshort", pcm[:-1000])
with open("files.cue", "w") as f:
    f.write('''FILE "a.wav" WAVE
TRACK 01 AUDIO
INDEX 01 00:00:00
TRACK 02 AUDIO
INDEX 00 00:00:30
FILE "b.aiff" AIFF
INDEX 01 00:00:00
POSTGAP 00:02:00
FILE "c.wav" WAVE
TRACK 07 AUDIO
PREGAP 00:02:00
INDEX 01 00:00:00
''')
PY
for cue in bin mot wav aiff cdg; do
	same_disk $cue.cue all
	same_tracks $cue.cue 1 2 3
done
same_disk files.cue allshort
same_tracks files.cue 1 2 3short

sed '/INDEX 0[02]/d' bin.cue >plain.cue
bchunk x.bin plain.cue t >log 2>&1 || fail "bchunk: $(cat log)"
same_tracks plain.cue t01.cdr t02.cdr t03.cdr

expect 0 "$PLATTER" info --json files.cue
same "the tracks" "$(json out '[(t["number"], t["type"], t["size"]) for t in j["tracks"]]')" \
	"[(1, 'audio', 94080), (2, 'audio', 141120), (7, 'audio', 140120)]"
expect 0 "$PLATTER" info files.cue
grep -qE '^track  7 +140120 .* audio$' out || fail "info does not show the tracks: $(cat out)"
