/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of a cue sheet; the head of cue.c has the format. */
#include "config.h"

#include "cue.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "text.h"

/* Commands that are not known: more than some are not worth telling. */
#define NOTES_MAX 8

static struct cue_track *last_track(struct cue *cue)
{
	return cue->ntracks ? &cue->tracks[cue->ntracks - 1] : NULL;
}

static int parse_file(struct cue *cue, char *args, struct platter_error *err)
{
	static const char *const names[] = {"BINARY", "MOTOROLA", "WAVE", "AIFF"};
	struct cue_file *file = &cue->files[cue->nfiles];
	const char *type = NULL;

	args += strspn(args, " \t");
	if (*args == '"') {
		file->name = cd_line_word(&args).text;
		type = cd_line_word(&args).text;
	} else {
		/* A name with blanks that should be in quotes: the last word is the type. */
		size_t n = strlen(args);
		char *blank;

		while (n && strchr(" \t", args[n - 1]))
			args[--n] = '\0';
		blank = n ? strrchr(args, ' ') : NULL;
		if (blank) {
			*blank = '\0';
			file->name = args;
			type = blank + 1;
		}
	}
	if (!file->name || !*file->name || !type)
		return cd_sheet_error(&cue->sheet, err, "FILE, expected a name and a type");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(type, names[i]) != 0)
			continue;
		if (cue->nfiles == FILES_MAX - 1)
			return cd_sheet_error(&cue->sheet, err, "more than %u files",
			                      FILES_MAX - 1);
		file->type = (enum file_type)i;
		file->line = cue->sheet.line;
		cue->nfiles++;
		return 0;
	}
	return cd_sheet_error(&cue->sheet, err,
	                      "a file of type %.16s cannot be read, only BINARY, MOTOROLA, WAVE "
	                      "and AIFF",
	                      type);
}

static bool parse_mode(const char *text, struct cd_layout *layout)
{
	static const struct {
		const char *name;
		enum cd_mode mode;
	} modes[] = {{"MODE1/", CD_MODE1}, {"MODE2/", CD_MODE2}, {"CDI/", CD_MODE2}};
	int64_t stored;

	if (strcasecmp(text, "AUDIO") == 0)
		return cd_layout_find(CD_AUDIO, CD_RAW_SECTOR, layout);
	if (strcasecmp(text, "CDG") == 0)
		return cd_layout_find(CD_AUDIO, CD_RAW_SECTOR + 96, layout);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		size_t n = strlen(modes[i].name);

		if (strncasecmp(text, modes[i].name, n) == 0)
			return cd_number(text + n, 0, CD_STORED_MAX, &stored) &&
			       cd_layout_find(modes[i].mode, (uint32_t)stored, layout);
	}
	return false;
}

static int parse_track(struct cue *cue, char *args, struct platter_error *err)
{
	const char *number = cd_line_word(&args).text, *mode = cd_line_word(&args).text;
	struct cue_track track = {.file = -1, .file0 = -1, .session = cue->session};
	int64_t n;

	if (!cue->nfiles)
		return cd_sheet_error(&cue->sheet, err, "TRACK before FILE");
	if (!cd_number(number, 1, CD_TRACKS_MAX, &n))
		return cd_sheet_error(&cue->sheet, err, "track \"%.16s\", expected 1 to %u",
		                      number ? number : "", CD_TRACKS_MAX);
	if (cue->ntracks && n <= last_track(cue)->number)
		return cd_sheet_error(&cue->sheet, err, "track %d after track %u", (int)n,
		                      last_track(cue)->number);
	if (!mode || !parse_mode(mode, &track.layout))
		return cd_sheet_error(&cue->sheet, err,
		                      "track mode \"%.32s\" is not known, expected such as AUDIO, "
		                      "MODE1/2048 or MODE2/2352",
		                      mode ? mode : "");
	if (cue->ntracks && last_track(cue)->file < 0)
		return cd_sheet_error(&cue->sheet, err, "track %u has no INDEX 01",
		                      last_track(cue)->number);
	track.number = (uint32_t)n;
	track.line = cue->sheet.line;
	cue->tracks[cue->ntracks++] = track;
	cue->index = -1;
	return 0;
}

static int parse_time(struct cue *cue, const char *text, uint64_t *out, struct platter_error *err)
{
	if (cd_time(text, out))
		return 0;
	return cd_sheet_error(&cue->sheet, err,
	                      "time \"%.16s\", expected mm:ss:ff with ss below 60 and ff below 75",
	                      text ? text : "");
}

/* Times in one file never go back. */
static bool goes_back(const struct cue *cue, const struct cue_track *track, uint64_t time)
{
	const struct cue_track *before = track > cue->tracks ? track - 1 : NULL;
	int file = cue->nfiles - 1;

	return (track->file == file && time < track->index1) ||
	       (track->file0 == file && time < track->index0) ||
	       (before && before->file == file && time < before->index1);
}

static int parse_index(struct cue *cue, char *args, struct platter_error *err)
{
	const char *number = cd_line_word(&args).text, *text = cd_line_word(&args).text;
	struct cue_track *track = last_track(cue);
	uint64_t time;
	int64_t n;
	int r;

	if (!track)
		return cd_sheet_error(&cue->sheet, err, "INDEX before TRACK");
	if (!cd_number(number, 0, 99, &n) || n <= cue->index)
		return cd_sheet_error(&cue->sheet, err, "index \"%.16s\" after index %d",
		                      number ? number : "", (int)cue->index);
	if (n > 1 && track->file < 0)
		return cd_sheet_error(&cue->sheet, err, "index %d, but there is no index 1",
		                      (int)n);
	r = parse_time(cue, text, &time, err);
	if (r)
		return r;
	if (goes_back(cue, track, time))
		return cd_sheet_error(&cue->sheet, err,
		                      "time %.16s is before that of the index "
		                      "above it",
		                      text);
	cue->index = n;
	if (n == 0) {
		track->index0 = time;
		track->file0 = cue->nfiles - 1;
	} else if (n == 1) {
		track->index1 = time;
		track->file = cue->nfiles - 1;
	}
	return 0;
}

static int parse_gap(struct cue *cue, char *args, bool before, struct platter_error *err)
{
	struct cue_track *track = last_track(cue);
	const char *text = cd_line_word(&args).text;

	if (!track)
		return cd_sheet_error(&cue->sheet, err, "%s before TRACK",
		                      before ? "PREGAP" : "POSTGAP");
	return parse_time(cue, text, before ? &track->pregap : &track->postgap, err);
}

static int parse_remark(struct cue *cue, char *args, struct platter_error *err)
{
	const char *rest;
	int64_t n;

	if (!cd_line_is(args, "SESSION", &rest) || !isdigit((unsigned char)*rest))
		return 0;
	args += rest - args;
	if (!cd_number(cd_line_word(&args).text, cue->session, CD_TRACKS_MAX, &n))
		return cd_sheet_error(&cue->sheet, err,
		                      "a session after session %u, expected one "
		                      "of a number up to %u",
		                      cue->session, CD_TRACKS_MAX);
	cue->session = (uint32_t)n;
	return 0;
}

static int parse_catalog(struct cue *cue, struct image *image, char *args)
{
	const char *text = cd_line_word(&args).text;

	if ((!text || strlen(text) != 13 || strspn(text, "0123456789") != 13) &&
	    cue->notes++ < NOTES_MAX)
		image_note(image, "line %u: a catalog number that has not 13 digits",
		           cue->sheet.line);
	return 0;
}

static int parse_line(struct cue *cue, struct image *image, char *line, struct platter_error *err)
{
	static const char *const ignored[] = {"CDTEXTFILE", "FLAGS",      "ISRC",
	                                      "PERFORMER",  "SONGWRITER", "TITLE"};
	const char *rest;
	char *args;

	line += strspn(line, " \t");
	args = line + strcspn(line, " \t");
	if (*line == '\0' || *line == ';')
		return 0;
	if (cd_line_is(line, "REM", &rest))
		return parse_remark(cue, args, err);
	if (cd_line_is(line, "FILE", &rest))
		return parse_file(cue, args, err);
	if (cd_line_is(line, "TRACK", &rest))
		return parse_track(cue, args, err);
	if (cd_line_is(line, "INDEX", &rest))
		return parse_index(cue, args, err);
	if (cd_line_is(line, "PREGAP", &rest))
		return parse_gap(cue, args, true, err);
	if (cd_line_is(line, "POSTGAP", &rest))
		return parse_gap(cue, args, false, err);
	if (cd_line_is(line, "CATALOG", &rest))
		return parse_catalog(cue, image, args);
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		if (cd_line_is(line, ignored[i], &rest))
			return 0;
	if (cue->notes++ < NOTES_MAX) {
		char word[32];

		text_plain(line, strcspn(line, " \t"), word, sizeof word);
		image_note(image, "line %u: the command %s is not known", cue->sheet.line, word);
	}
	return 0;
}

int cue_parse(struct cue *cue, struct image *image, struct platter_error *err)
{
	const struct cue_track *last;
	char *line;
	int r = 0;

	cue->session = 1;
	while (!r && (line = cd_sheet_line(&cue->sheet)))
		r = parse_line(cue, image, line, err);
	last = last_track(cue);
	if (!r && last->file < 0)
		r = cd_sheet_error(&cue->sheet, err, "track %u has no INDEX 01", last->number);
	return r;
}
