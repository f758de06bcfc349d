/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The statements of a toc file; the head of toc.c has the format. */
#include "config.h"

#include "toc.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* CD_TEXT { LANGUAGE 0 { SIZE_INFO { ... */
#define BRACES_MAX 16

/* No file has as many bytes or samples, and sums of some fit. */
#define NUMBER_MAX ((int64_t)1 << 48)

bool toc_probe(const struct cd_sheet *sheet)
{
	static const char *const begins[] = {"CATALOG", "CD_DA", "CD_ROM", "CD_ROM_XA",
	                                     "CD_I",    "TRACK", "CD_TEXT"};
	const char *begin = cd_sheet_begin(sheet, "//"), *rest;

	if (!begin || !cd_sheet_find(sheet, "TRACK", &rest) || !isalpha((unsigned char)*rest))
		return false;
	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
		if (cd_line_is(begin, begins[i], &rest))
			return true;
	return false;
}

/* ---- words ---- */

static void skip_blanks(struct toc *toc)
{
	for (;; toc->at++) {
		if (toc->at[0] == '/' && toc->at[1] == '/')
			toc->at += strcspn(toc->at, "\r\n");
		if (*toc->at == '\n' || (*toc->at == '\r' && toc->at[1] != '\n'))
			toc->sheet.line++;
		else if (*toc->at == '\0' || !isspace((unsigned char)*toc->at))
			return;
	}
}

/* A string may hold a quote, and any byte as \nnn. */
static char string_byte(struct toc *toc)
{
	const char *p = toc->at++;
	unsigned n = 0;

	if (*p != '\\' || p[1] == '\0')
		return *p;
	if (strspn(p + 1, "01234567") < 3) {
		toc->at++;
		return p[1];
	}
	for (int i = 1; i <= 3; i++)
		n = n * 8 + (unsigned)(p[i] - '0');
	toc->at += 3;
	return (char)n;
}

/* The next word into toc->word; what does not fit is left out. False at the end. */
static bool peek(struct toc *toc)
{
	size_t n = 0;

	if (toc->has)
		return true;
	skip_blanks(toc);
	if (*toc->at == '\0')
		return false;
	toc->quoted = *toc->at == '"';
	if (toc->quoted) {
		for (toc->at++; *toc->at && !strchr("\"\r\n", *toc->at);) {
			char c = string_byte(toc);

			if (n < sizeof toc->word - 1)
				toc->word[n++] = c;
		}
		toc->at += *toc->at == '"';
	} else if (strchr("{}", *toc->at)) {
		toc->word[n++] = *toc->at++;
	} else {
		for (; *toc->at && !isspace((unsigned char)*toc->at) && !strchr("{}\"", *toc->at);
		     toc->at++)
			if (n < sizeof toc->word - 1)
				toc->word[n++] = *toc->at;
	}
	toc->word[n] = '\0';
	toc->has = true;
	return true;
}

/* Whether the next word is that one, which is then taken. */
static bool take(struct toc *toc, const char *word)
{
	if (!peek(toc) || toc->quoted || strcasecmp(toc->word, word) != 0)
		return false;
	toc->has = false;
	return true;
}

/* A string in quotes; NULL: there is none. It stays until the next word is looked at. */
static const char *take_string(struct toc *toc)
{
	if (!peek(toc) || !toc->quoted)
		return NULL;
	toc->has = false;
	return toc->word;
}

/* Whether the next word begins as a number or a time does. */
static bool is_number(struct toc *toc)
{
	return peek(toc) && !toc->quoted && isdigit((unsigned char)toc->word[0]);
}

static int take_time(struct toc *toc, uint64_t *sectors, struct platter_error *err)
{
	if (!is_number(toc) || !cd_time(toc->word, sectors))
		return cd_sheet_error(&toc->sheet, err,
		                      "time \"%.16s\", expected mm:ss:ff with ss below 60 and ff "
		                      "below 75",
		                      peek(toc) ? toc->word : "");
	toc->has = false;
	return 0;
}

/* A place or a length in a track: a time, or a number of samples or bytes. In stored bytes. */
static int take_length(struct toc *toc, uint64_t *bytes, struct platter_error *err)
{
	const struct cd_layout *layout = &toc->tracks[toc->ntracks - 1].layout;
	int64_t n;

	if (is_number(toc) && cd_number(toc->word, 0, NUMBER_MAX, &n)) {
		*bytes = (uint64_t)n * (layout->audio ? 4 : 1);
		toc->has = false;
		return 0;
	}
	if (take_time(toc, bytes, err))
		return -EINVAL;
	*bytes *= layout->stored;
	return 0;
}

static int skip_braces(struct toc *toc, struct platter_error *err)
{
	unsigned depth = 0;

	do {
		if (take(toc, "{"))
			depth++;
		else if (take(toc, "}"))
			depth--;
		else if (!depth)
			return cd_sheet_error(&toc->sheet, err, "expected {");
		toc->has = false;
		if (depth > BRACES_MAX)
			return cd_sheet_error(&toc->sheet, err, "more than %d braces", BRACES_MAX);
	} while (depth && peek(toc));
	return depth ? cd_sheet_error(&toc->sheet, err, "a } is missing") : 0;
}

/* ---- statements ---- */

static int take_track(struct toc *toc, struct platter_error *err)
{
	static const struct {
		const char *name;
		enum cd_mode mode;
		uint32_t stored;
	} modes[] = {
		{"AUDIO", CD_AUDIO, 2352},       {"MODE1", CD_MODE1, 2048},
		{"MODE1_RAW", CD_MODE1, 2352},   {"MODE2", CD_MODE2, 2336},
		{"MODE2_FORM1", CD_MODE2, 2048}, {"MODE2_FORM2", CD_MODE2, 2324},
		{"MODE2_RAW", CD_MODE2, 2352},   {"MODE2_FORM_MIX", CD_MODE2, 2336},
	};
	struct toc_track *track = &toc->tracks[toc->ntracks];

	if (toc->ntracks == (int)CD_TRACKS_MAX)
		return cd_sheet_error(&toc->sheet, err, "more than %u tracks", CD_TRACKS_MAX);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		uint32_t stored = modes[i].stored;

		if (!take(toc, modes[i].name))
			continue;
		if (take(toc, "RW") || take(toc, "RW_RAW"))
			stored += 96;
		*track = (struct toc_track){
			.first = toc->nstatements,
			.start_after = -1,
			.line = toc->sheet.line,
		};
		if (!cd_layout_find(modes[i].mode, stored, &track->layout))
			break;
		toc->ntracks++;
		return 0;
	}
	return cd_sheet_error(&toc->sheet, err, "track mode \"%.32s\" is not known",
	                      peek(toc) ? toc->word : "");
}

static int find_file(struct toc *toc, const char *name, int *file, struct platter_error *err)
{
	for (*file = 0; *file < toc->nfiles; ++*file)
		if (strcmp(toc->files[*file], name) == 0)
			return 0;
	if (toc->nfiles == TOC_FILES_MAX)
		return cd_sheet_error(&toc->sheet, err, "more than %u files", TOC_FILES_MAX);
	toc->files[toc->nfiles] = strdup(name);
	if (!toc->files[toc->nfiles])
		return err_set(err, ENOMEM, "no memory");
	toc->nfiles++;
	return 0;
}

static int add_statement(struct toc *toc, const struct toc_statement *s, struct platter_error *err)
{
	if (toc->nstatements == TOC_STATEMENTS_MAX)
		return cd_sheet_error(&toc->sheet, err, "more than %d statements",
		                      TOC_STATEMENTS_MAX);
	toc->statements[toc->nstatements] = *s;
	toc->statements[toc->nstatements++].line = toc->sheet.line;
	toc->tracks[toc->ntracks - 1].count++;
	return 0;
}

/* AUDIOFILE "name" [SWAP] [#offset] start [length], DATAFILE "name" [#offset] [length]; toc files
 * of libcdio have a start with data as well. */
static int take_file(struct toc *toc, bool data, struct platter_error *err)
{
	struct toc_statement s = {.rest = true};
	const char *name = take_string(toc);
	int64_t offset;
	int r;

	if (!name || !*name)
		return cd_sheet_error(&toc->sheet, err, "expected a file name in quotes");
	r = find_file(toc, name, &s.file, err);
	if (r)
		return r;
	s.swapped = take(toc, "SWAP");
	if (peek(toc) && !toc->quoted && toc->word[0] == '#') {
		if (!cd_number(toc->word + 1, 0, NUMBER_MAX, &offset))
			return cd_sheet_error(&toc->sheet, err, "offset \"%.24s\"", toc->word);
		toc->has = false;
		s.offset = (uint64_t)offset;
	}
	if (!data && is_number(toc))
		r = take_length(toc, &s.start, err);
	if (!r && is_number(toc))
		r = take_length(toc, &s.length, err);
	s.rest = s.length == 0;
	return r ? r : add_statement(toc, &s, err);
}

static int take_zeros(struct toc *toc, struct platter_error *err)
{
	struct toc_statement s = {.file = -1};
	int r = take_length(toc, &s.length, err);

	return r ? r : add_statement(toc, &s, err);
}

static int take_start(struct toc *toc, struct platter_error *err)
{
	struct toc_track *track = &toc->tracks[toc->ntracks - 1];
	int r;

	if (!is_number(toc)) {
		track->start_after = track->count;
		return 0;
	}
	r = take_time(toc, &track->start, err);
	track->start *= track->layout.stored;
	return r;
}

static int take_catalog(struct toc *toc, struct platter_error *err)
{
	const char *number = take_string(toc);

	if (number && strlen(number) == 13 && strspn(number, "0123456789") == 13)
		return 0;
	return cd_sheet_error(&toc->sheet, err, "CATALOG, expected 13 digits in quotes");
}

static int take_index(struct toc *toc, struct platter_error *err)
{
	uint64_t ignored;

	return take_time(toc, &ignored, err);
}

/* What may only stand in a track. */
static int take_in_track(struct toc *toc, struct platter_error *err)
{
	static const char *const flags[] = {"NO", "COPY", "PRE_EMPHASIS", "TWO_CHANNEL_AUDIO",
	                                    "FOUR_CHANNEL_AUDIO"};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (take(toc, flags[i]))
			return 0;
	if (take(toc, "ISRC"))
		return take_string(toc) ? 0
		                        : cd_sheet_error(&toc->sheet, err,
		                                         "ISRC, expected a code in quotes");
	if (take(toc, "FILE") || take(toc, "AUDIOFILE"))
		return take_file(toc, false, err);
	if (take(toc, "DATAFILE"))
		return take_file(toc, true, err);
	if (take(toc, "SILENCE") || take(toc, "ZERO"))
		return take_zeros(toc, err);
	if (take(toc, "START"))
		return take_start(toc, err);
	if (take(toc, "INDEX"))
		return take_index(toc, err);
	if (take(toc, "PREGAP"))
		return take_time(toc, &toc->tracks[toc->ntracks - 1].unstored, err);
	return cd_sheet_error(&toc->sheet, err, "\"%.32s\" is not known", toc->word);
}

static int take_statement(struct toc *toc, struct platter_error *err)
{
	static const char *const types[] = {"CD_DA", "CD_ROM", "CD_ROM_XA", "CD_I"};

	if (take(toc, "TRACK"))
		return take_track(toc, err);
	if (take(toc, "CD_TEXT"))
		return skip_braces(toc, err);
	if (toc->ntracks)
		return take_in_track(toc, err);
	if (take(toc, "CATALOG"))
		return take_catalog(toc, err);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (take(toc, types[i]))
			return 0;
	return cd_sheet_error(&toc->sheet, err, "\"%.32s\" before the first track", toc->word);
}

int toc_parse(struct toc *toc, struct platter_error *err)
{
	int r = 0;

	toc->at = toc->sheet.text;
	toc->sheet.line = 1;
	while (!r && peek(toc))
		r = take_statement(toc, err);
	if (!r && !toc->ntracks)
		r = cd_sheet_error(&toc->sheet, err, "there is no track");
	return r;
}
