#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Toc files that cannot be used: the message says what is wrong, in which line or file. Texts that
# are none are raw.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
requires python3

head -c $((2352 * 100)) /dev/zero >x.bin

# bad TEXT LINE...: the toc file of these lines is refused, saying TEXT.
bad() {
	local text=$1
	shift
	printf '%s\n' "$@" >bad.toc
	refuses bad.toc "$text"
}

track='TRACK MODE1_RAW' file='DATAFILE "x.bin"'
bad 'line 3: CATALOG, expected 13 digits in quotes' '//' CATALOG "$track" "$file"
bad 'line 1: CATALOG, expected 13 digits in quotes' 'CATALOG "12345678901x3"' "$track" "$file"
bad 'line 1: track mode "MODE3" is not known' 'TRACK MODE3' "$file"
bad 'line 2: "WHAT" is not known' "$track" WHAT "$file"
bad 'line 2: "FILE" before the first track' CD_ROM 'FILE "x.bin" 0' "$track"
bad 'line 2: expected a file name in quotes' "$track" 'FILE x.bin 0'
bad 'line 2: time "0:60:0", expected mm:ss:ff' "$track" 'DATAFILE "x.bin" 0:60:0'
bad 'line 2: offset "#x"' "$track" 'DATAFILE "x.bin" #x'
bad 'line 2: ISRC, expected a code in quotes' 'TRACK AUDIO' 'ISRC 1' "$file"
bad 'a } is missing' "$track" 'CD_TEXT { LANGUAGE 0 {' '}'
bad 'line 2: expected {' "$track" 'CD_TEXT 1'
bad 'more than 16 braces' "$track" 'CD_TEXT {{{{{{{{{{{{{{{{{{{{{{'
bad 'line 4: time "", expected mm:ss:ff' "$track" 'START 0:0:1' 'INDEX'
bad 'line 2: 2352 bytes at 235200 of file "x.bin", which has 235200' "$track" \
	'FILE "x.bin" 00:01:25 00:00:01'
bad 'the track is not longer than its pregap' "$track" "$file" 'START 00:01:25'
bad 'no track holds anything' "$track"
bad 'file "y.bin": not in the image'"'"'s folder' "$track" 'DATAFILE "y.bin"'
bad 'file "../x.bin": a path' "$track" 'DATAFILE "../x.bin"'
cp x.bin x.wav
bad 'file "x.wav": no WAVE file' 'TRACK AUDIO' 'FILE "x.wav" 0'
{ for _ in $(seq 100); do printf 'TRACK AUDIO\nSILENCE 1\n'; done; } >bad.toc
refuses bad.toc 'more than 99 tracks'
{ echo TRACK AUDIO; for _ in $(seq 4801); do echo SILENCE 588; done; } >bad.toc
refuses bad.toc 'line 4802: more than 4800 statements'
{ echo TRACK AUDIO; for i in $(seq 199); do echo "FILE \"$i\" 0"; done; } >bad.toc
refuses bad.toc 'more than 198 files'
for text in 'CD_ROM of mine' 'CD_ROM
TRACK 01'; do
	printf '%s\n' "$text" >text.toc
	expect 0 "$PLATTER" info --json text.toc
	same "$text" "$(json out 'j["image"]["format"]')" raw
done
