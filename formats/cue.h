/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a cue sheet says: cue-sheet.c reads it, cue.c makes a disc of it. */
#ifndef PLATTER_CUE_H
#define PLATTER_CUE_H

#include "cddisc.h"
#include "cdsheet.h"

/* Two for each track. */
#define FILES_MAX (2 * CD_TRACKS_MAX)

enum file_type {
	FILE_BINARY,
	FILE_MOTOROLA,
	FILE_WAVE,
	FILE_AIFF,
};

struct cue_file {
	const char *name; /* in the sheet's text */
	enum file_type type;
	unsigned line;
};

struct cue_track {
	uint32_t number, session;
	struct cd_layout layout;
	int file, file0; /* that index 1 and 0 are in, -1: none so far */
	uint64_t index0, index1;
	uint64_t pregap, postgap;
	unsigned line;
};

struct cue {
	struct cd_sheet sheet;
	struct cue_file files[FILES_MAX];
	struct cue_track tracks[CD_TRACKS_MAX];
	int nfiles, ntracks;
	int64_t index; /* the last one of the track */
	uint32_t session;
	unsigned notes;
};

/* Take in every line of cue->sheet. */
int cue_parse(struct cue *cue, struct image *image, struct platter_error *err);

#endif
