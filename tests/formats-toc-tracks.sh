#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cdrdao's toc files: every track mode gives the same disk; tracks put together from pieces, zeros
# and files, with samples in either order; what toc2cue makes of one is the same disc.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires xorriso python3 toc2cue

small_iso disc.iso
py <<'PY'
import cdimage as cd
iso = cd.read("disc.iso")
n = len(iso) // 2048
time = lambda sector: "%02d:%02d:%02d" % cd.msf(sector)
m1, m2, mixed = cd.raw(iso), cd.raw(iso, "mode2"), cd.raw(iso, "mixed")
for name, mode, parts in (
        ("a", "MODE1", [iso]), ("b", "MODE1_RAW", m1), ("c", "MODE2", [s[16:] for s in m2]),
        ("d", "MODE2_RAW", m2), ("e", "MODE2_FORM1", [iso]), ("f", "MODE2_FORM_MIX", [s[16:] for s in mixed]),
        ("g", "MODE2_FORM2", [s[24:2348] for s in mixed]), ("h", "MODE1_RAW RW", [s + b"w" * 96 for s in m1])):
    cd.write(name + ".bin", *parts)
    with open(name + ".toc", "w") as f:
        f.write(f'// made by hand\nCD_ROM_XA\nTRACK {mode} // comment\nNO COPY\nDATAFILE "{name}.bin"\n')

# As cdrdao read-cd writes it: one file, big-endian samples, the second track's pregap in it.
one, two = cd.noise(2352 * 400), cd.noise(2352 * 310, 2)
cd.write("disc.bin", *m1, cd.swap(one), cd.swap(two))
with open("disc.toc", "w") as f:
    f.write(f'''CD_ROM

CATALOG "0123456789012"
CD_TEXT {{
  LANGUAGE_MAP {{
    0: 9
  }}
  LANGUAGE 0 {{
    TITLE "a \\"title\\" {{ \\101"
    SIZE_INFO {{ 0, 1, 2,
                3}}
  }}
}}

TRACK MODE1_RAW
NO COPY
DATAFILE "disc.bin" {time(n)} // length in bytes: {n * 2352}

TRACK AUDIO
NO COPY
NO PRE_EMPHASIS
TWO_CHANNEL_AUDIO
ISRC "USEM39600078"
SILENCE 00:02:00
START
FILE "disc.bin" #{n * 2352} 0 {time(400)}

TRACK AUDIO
FILE "disc.bin" #{n * 2352} {time(400)} {time(310)}
START 00:00:10
INDEX 00:01:00
''')
cd.write("1", iso)
cd.write("2", one + two[:2352 * 10])
cd.write("3", two[2352 * 10:])

# Pieces of files and silence, in samples; SWAP; a WAVE file.
cd.write("le.raw", one)
cd.write("be.raw", cd.swap(one))
cd.write("x.wav", cd.wave(one))
cd.write("x.be.wav", cd.wave(cd.swap(one)))
with open("pieces.toc", "w") as f:
    f.write('''track audio
AUDIOFILE "be.raw" 0
audiofile "le.raw" SWAP 1000 2000
silence 588
AUDIOFILE "x.wav" 00:00:10 00:00:01
AUDIOFILE "x.be.wav" SWAP #4 1 7
SILENCE 0:0:1
TRACK AUDIO PREGAP 0:2:0
AUDIOFILE "x.wav" 0 0''')
cd.write("p1", one, one[4000:12000], bytes(2352), one[23520:25872], one[8:36], bytes(2352))
cd.write("pieces", cd.read("p1"), one)
PY
for toc in [a-h].toc; do
	same_disk "$toc" disc.iso
done
same_disk disc.toc disc.iso
same_tracks disc.toc 1 2 3
same_disk pieces.toc pieces
same_tracks pieces.toc p1 le.raw

# Samples keep their order in the file, which cue sheets say in another way (toc2cue(1)); nor can
# they hold silence.
sed '/SILENCE/d; /START$/d' disc.toc >read.toc
toc2cue read.toc read.cue >log 2>&1 || fail "toc2cue: $(cat log)"
sed -i 's/ BINARY/ MOTOROLA/' read.cue
same_disk read.cue disc.iso
same_tracks read.toc 1 2 3
same_tracks read.cue 1 2 3
