/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the drivers for disc images in the form of a text (cue, toc, ccd) share: reading the text,
 * its words and times, and opening the files that it names.
 */
#ifndef PLATTER_CDSHEET_H
#define PLATTER_CDSHEET_H

#include "cdsector.h"
#include "drivers.h"

/* A sheet with CD-TEXT in several languages for 99 tracks has some 100 KiB. A larger file is no
 * sheet, so that what a guest writes to a raw disk is not taken for one. */
#define CD_SHEET_MAX ((size_t)1 << 20)

struct cd_sheet {
	char *text; /* terminated */
	char *next;
	unsigned line; /* that was taken last */
};

/* A word; quoted: it stood in quotes. NULL text: there is none. */
struct cd_word {
	const char *text;
	bool quoted;
};

/* Read image->file if it can be a text: DRIVER_NOT_MINE else. */
int cd_sheet_read(struct image *image, struct cd_sheet *sheet, struct platter_error *err);
void cd_sheet_free(struct cd_sheet *sheet);

/* Before the first line is taken: the first line that is not blank and does not begin with comment,
 * and the first that begins with word, in any case, with what follows it in *rest. NULL: none. */
const char *cd_sheet_begin(const struct cd_sheet *sheet, const char *comment);
const char *cd_sheet_find(const struct cd_sheet *sheet, const char *word, const char **rest);

/* The next line, which ends in LF, CR or both; NULL at the end. It may be cut into words. */
char *cd_sheet_line(struct cd_sheet *sheet);

/* Whether a line's first word is that, in any case; *rest is what follows it. */
bool cd_line_is(const char *line, const char *word, const char **rest);

/* Take a word off *line, which it cuts. */
struct cd_word cd_line_word(char **line);

/* "minutes:seconds:frames" as sectors. */
bool cd_time(const char *text, uint64_t *sectors);

/* A decimal number (with a sign when asked for) and nothing behind it. */
bool cd_number(const char *text, int64_t low, int64_t high, int64_t *out);

/* err_set with "line N: " before it. */
int cd_sheet_error(const struct cd_sheet *sheet, struct platter_error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* chain_open, but letters of another case will do where there is no file of just that name: sheets
 * come from systems that do not tell them apart. */
int cd_file_open(struct image *image, const char *name, struct dev **file,
                 struct platter_error *err);

/* Where in a file the samples are. */
struct cd_samples {
	uint64_t off, length;
	bool swapped; /* big-endian */
};

/* A WAVE (RIFF) file's or an AIFF file's; refused unless they are a CD's. */
int cd_wave(struct dev *file, struct cd_samples *samples, struct platter_error *err);
int cd_aiff(struct dev *file, struct cd_samples *samples, struct platter_error *err);

#endif
