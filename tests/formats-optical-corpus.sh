#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a fuzzer found in optical disc images once, and sheets cut off and damaged, hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99

for format in cue toc nrg mds ccd cso ecm; do
	[ -d "$srcdir/tests/corpus/$format" ] || continue
	expect 0 "$builddir/tests/hostile-format" replay $format "$srcdir/tests/corpus/$format"/*
done

cat >disc.cue <<'END'
REM made by hand
CATALOG 0123456789012
FILE "a b.bin" BINARY
  TRACK 01 MODE2/2352
    FLAGS DCP
    INDEX 01 00:00:00
REM SESSION 02
FILE b.wav WAVE
  TRACK 02 AUDIO
    TITLE "x"
    PREGAP 00:02:00
    INDEX 00 00:00:00
    INDEX 01 00:02:10
    POSTGAP 00:01:00
END
cat >disc.toc <<'END'
CD_ROM_XA
CATALOG "0123456789012"
CD_TEXT { LANGUAGE_MAP { 0 : 9 } LANGUAGE 0 { TITLE "a \"b\" \101" SIZE_INFO { 0, 1 } } }
TRACK MODE2_FORM_MIX RW // comment
NO COPY
DATAFILE "a.bin" #1234 00:10:00
TRACK AUDIO
PREGAP 00:02:00
SILENCE 588
FILE "b.wav" SWAP #44 1000 2000
START 00:01:00
INDEX 00:00:10
END
hostile cue disc.cue
hostile toc disc.toc
for sheet in disc.cue disc.toc; do
	sed 's/$/\r/' $sheet >crlf
	hostile "${sheet#*.}" crlf 500
done
