/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a toc file says: toc-sheet.c reads it, toc.c makes a disc of it. */
#ifndef PLATTER_TOC_H
#define PLATTER_TOC_H

#include "cddisc.h"
#include "cdsheet.h"

/* Two for each track; and one statement for every second of a disc of 80 minutes. */
#define TOC_FILES_MAX      (2 * CD_TRACKS_MAX)
#define TOC_STATEMENTS_MAX 4800

/* A stretch of a track, in stored bytes. */
struct toc_statement {
	int file;        /* -1: zeros */
	bool swapped;    /* SWAP */
	uint64_t offset; /* of the file, at which counting begins */
	uint64_t start, length;
	bool rest; /* to the end of the file, length is not said */
	unsigned line;
};

struct toc_track {
	struct cd_layout layout;
	int first, count;  /* statements */
	int start_after;   /* statements that are its pregap, -1: so many bytes: */
	uint64_t start;    /* ... which are the head of the statements */
	uint64_t unstored; /* PREGAP: sectors that stand nowhere */
	unsigned line;
};

struct toc {
	struct cd_sheet sheet;
	const char *at;   /* in the text */
	char word[512];   /* the last one */
	bool quoted, has; /* it was in quotes; it is not used yet */
	char *files[TOC_FILES_MAX];
	struct toc_track tracks[CD_TRACKS_MAX];
	struct toc_statement statements[TOC_STATEMENTS_MAX];
	int nfiles, ntracks, nstatements;
};

/* Whether a text looks like a toc file. */
bool toc_probe(const struct cd_sheet *sheet);

/* Take in toc->sheet. */
int toc_parse(struct toc *toc, struct platter_error *err);

#endif
