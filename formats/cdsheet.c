/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "cdsheet.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ondisk.h"
#include "text.h"

/* ---- text ---- */

int cd_sheet_read(struct image *image, struct cd_sheet *sheet, struct platter_error *err)
{
	static const char bom[] = "\xef\xbb\xbf";
	uint64_t size = image->file->size;
	char head[512];
	int r;

	*sheet = (struct cd_sheet){0};
	if (size == 0 || size > CD_SHEET_MAX)
		return DRIVER_NOT_MINE;
	r = dev_pread(image->file, head, min64(size, sizeof head), 0);
	if (r)
		return err_set(err, -r, "%s", strerror(-r));
	if (memchr(head, '\0', min64(size, sizeof head)))
		return DRIVER_NOT_MINE;
	sheet->text = malloc(size + 1);
	if (!sheet->text)
		return err_set(err, ENOMEM, "no memory");
	r = dev_pread(image->file, sheet->text, size, 0);
	if (r) {
		cd_sheet_free(sheet);
		return err_set(err, -r, "%s", strerror(-r));
	}
	sheet->text[size] = '\0';
	if (strlen(sheet->text) != size) {
		cd_sheet_free(sheet);
		return DRIVER_NOT_MINE;
	}
	if (strncmp(sheet->text, bom, 3) == 0)
		memset(sheet->text, ' ', 3);
	sheet->next = sheet->text;
	return 0;
}

void cd_sheet_free(struct cd_sheet *sheet)
{
	free(sheet->text);
	sheet->text = NULL;
}

char *cd_sheet_line(struct cd_sheet *sheet)
{
	char *line = sheet->next, *end;

	if (*line == '\0')
		return NULL;
	end = line + strcspn(line, "\r\n");
	sheet->next = end;
	if (*end) {
		sheet->next += end[0] == '\r' && end[1] == '\n' ? 2 : 1;
		*end = '\0';
	}
	sheet->line++;
	return line;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool cd_line_is(const char *line, const char *word, const char **rest)
{
	size_t n = strlen(word);

	while (is_blank(*line))
		line++;
	if (strncasecmp(line, word, n) != 0 || (line[n] && !strchr(" \t\r\n", line[n])))
		return false;
	line += n;
	while (is_blank(*line))
		line++;
	*rest = line;
	return true;
}

/* Each line as it is in the text, the first with line NULL. */
static const char *each_line(const struct cd_sheet *sheet, const char *line)
{
	if (!line)
		return sheet->text;
	line += strcspn(line, "\r\n");
	return *line ? line + 1 : NULL;
}

const char *cd_sheet_begin(const struct cd_sheet *sheet, const char *comment)
{
	const char *line = NULL;

	while ((line = each_line(sheet, line))) {
		const char *p = line + strspn(line, " \t");

		if (*p && !strchr("\r\n", *p) && strncasecmp(p, comment, strlen(comment)) != 0)
			return p;
	}
	return NULL;
}

const char *cd_sheet_find(const struct cd_sheet *sheet, const char *word, const char **rest)
{
	const char *line = NULL;

	while ((line = each_line(sheet, line)))
		if (cd_line_is(line, word, rest))
			return line;
	return NULL;
}

struct cd_word cd_line_word(char **line)
{
	struct cd_word word = {0};
	char *p = *line, *end;

	while (is_blank(*p))
		p++;
	if (*p) {
		word.quoted = *p == '"';
		p += word.quoted;
		word.text = p;
		end = p + strcspn(p, word.quoted ? "\"" : " \t");
		p = end + (*end != '\0');
		*end = '\0';
	}
	*line = p;
	return word;
}

/* Up to four digits, which move *p on. */
static bool digits(const char **p, uint64_t *out)
{
	const char *start = *p;

	for (*out = 0; isdigit((unsigned char)**p) && *p - start < 4; ++*p)
		*out = *out * 10 + (uint64_t)(**p - '0');
	return *p != start;
}

bool cd_time(const char *text, uint64_t *sectors)
{
	uint64_t m, s, f;

	if (!text || !digits(&text, &m) || *text++ != ':' || !digits(&text, &s) || *text++ != ':' ||
	    !digits(&text, &f) || *text)
		return false;
	*sectors = (m * 60 + s) * CD_FRAMES + f;
	return s < 60 && f < CD_FRAMES;
}

bool cd_number(const char *text, int64_t low, int64_t high, int64_t *out)
{
	char *end;

	if (!text || !(isdigit((unsigned char)*text) || (low < 0 && *text == '-')))
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return !errno && !*end && *out >= low && *out <= high;
}

int cd_sheet_error(const struct cd_sheet *sheet, struct platter_error *err, const char *fmt, ...)
{
	char text[400], plain[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	text_plain(text, strlen(text), plain, sizeof plain);
	return err_set(err, EINVAL, "line %u: %s", sheet->line, plain);
}

/* ---- files ---- */

struct likeness {
	const char *name;
	char found[256];
};

static int look_alike(void *arg, const char *name)
{
	struct likeness *like = arg;

	if (strcasecmp(name, like->name) != 0 || strlen(name) >= sizeof like->found)
		return 0;
	strcpy(like->found, name);
	return 1;
}

int cd_file_open(struct image *image, const char *name, struct dev **file,
                 struct platter_error *err)
{
	struct likeness like = {.name = name};
	struct platter_error why;
	int r = chain_open(image->chain, "file", name, file, &why);

	if (r == -ENOENT && name[0] &&
	    chain_list(image->chain, name + 1, look_alike, &like, NULL) == 1)
		r = chain_open(image->chain, "file", like.found, file, &why);
	return r ? err_set(err, -r, "%s", why.text) : 0;
}

/* ---- sound ---- */

/* Chunks of a file that are looked at; what matters comes early. */
#define SOUND_CHUNKS 64

/* RIFF: Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0. */
struct riff_chunk {
	uint8_t id[4];
	le32 size;
};

struct wave_format {
	le16 tag; /* +0x00 1: PCM, 0xfffe: it stands at sub_format */
	le16 channels;
	le32 samples_per_sec;
	le32 avg_bytes_per_sec;
	le16 block_align;
	le16 bits_per_sample;
	uint8_t more[8];
	le16 sub_format; /* +0x18 */
};

_Static_assert(sizeof(struct wave_format) == 26, "WAVEFORMATEXTENSIBLE, to SubFormat");

/* AIFF: Audio Interchange File Format 1.3, Apple 1989. */
struct aiff_chunk {
	uint8_t id[4];
	be32 size;
};

struct aiff_common {
	be16 num_channels;
	be32 num_sample_frames;
	be16 sample_size;
	uint8_t sample_rate[10]; /* an 80-bit IEEE number */
};

_Static_assert(sizeof(struct aiff_common) == 18, "AIFF 1.3, Common Chunk");

static int not_cd(const char *what, struct platter_error *err)
{
	return err_set(err, EOPNOTSUPP,
	               "%s, expected uncompressed 16-bit stereo with 44100 samples a second", what);
}

static int wave_format_check(struct dev *file, uint64_t off, uint32_t size,
                             struct platter_error *err)
{
	struct wave_format f = {0};
	uint16_t tag;
	char what[100];

	if (size < 16 || dev_pread(file, &f, min64(size, sizeof f), off))
		return not_cd("a WAVE file without a format", err);
	tag = le16_get(f.tag);
	if (tag == 0xfffe && size >= sizeof f)
		tag = le16_get(f.sub_format);
	if (tag == 1 && le16_get(f.channels) == 2 && le32_get(f.samples_per_sec) == 44100 &&
	    le16_get(f.bits_per_sample) == 16)
		return 0;
	snprintf(what, sizeof what, "a WAVE file of format %u, %u bits, %u channels, %u a second",
	         tag, le16_get(f.bits_per_sample), le16_get(f.channels),
	         le32_get(f.samples_per_sec));
	return not_cd(what, err);
}

static int truncated(const char *what, uint64_t length, uint64_t rest, struct platter_error *err)
{
	return err_set(err, EIO, "a %s file with %llu bytes of samples, of which %llu are there",
	               what, (unsigned long long)length, (unsigned long long)rest);
}

int cd_wave(struct dev *file, struct cd_samples *samples, struct platter_error *err)
{
	bool known = false;
	uint64_t off = 12;
	uint8_t head[12];

	if (dev_pread(file, head, sizeof head, 0) || memcmp(head, "RIFF", 4) != 0 ||
	    memcmp(head + 8, "WAVE", 4) != 0)
		return not_cd("no WAVE file", err);
	for (unsigned i = 0; i < SOUND_CHUNKS; i++) {
		struct riff_chunk chunk;
		uint32_t size;

		if (dev_pread(file, &chunk, sizeof chunk, off))
			break;
		off += sizeof chunk;
		size = le32_get(chunk.size);
		if (memcmp(chunk.id, "fmt ", 4) == 0) {
			int r = wave_format_check(file, off, size, err);

			if (r)
				return r;
			known = true;
		} else if (known && memcmp(chunk.id, "data", 4) == 0) {
			uint64_t rest = file->size - off;

			/* Who writes to a pipe does not know the length. */
			if (size == 0 || size == UINT32_MAX)
				size = (uint32_t)min64(rest, UINT32_MAX);
			*samples = (struct cd_samples){.off = off, .length = size};
			return size > rest ? truncated("WAVE", size, rest, err) : 0;
		}
		off += (uint64_t)size + (size & 1);
	}
	return not_cd("a WAVE file without samples", err);
}

static int aiff_common_check(struct dev *file, uint64_t off, uint32_t size,
                             struct platter_error *err)
{
	/* 44100 = 0xac44 * 2^0 as sign and exponent 0x400e, then the fraction. */
	static const uint8_t rate[10] = {0x40, 0x0e, 0xac, 0x44};
	struct aiff_common c;

	if (size < sizeof c || dev_pread(file, &c, sizeof c, off))
		return not_cd("an AIFF file without a Common Chunk", err);
	if (be16_get(c.num_channels) != 2 || be16_get(c.sample_size) != 16 ||
	    memcmp(c.sample_rate, rate, sizeof rate) != 0)
		return not_cd("an AIFF file of other samples", err);
	return 0;
}

int cd_aiff(struct dev *file, struct cd_samples *samples, struct platter_error *err)
{
	bool known = false;
	uint64_t off = 12;
	uint8_t head[12];

	*samples = (struct cd_samples){.swapped = true};
	if (dev_pread(file, head, sizeof head, 0) || memcmp(head, "FORM", 4) != 0 ||
	    memcmp(head + 8, "AIFF", 4) != 0)
		return not_cd("no AIFF file", err);
	for (unsigned i = 0; i < SOUND_CHUNKS; i++) {
		struct aiff_chunk chunk;
		uint32_t size;
		be32 skip;

		if (dev_pread(file, &chunk, sizeof chunk, off))
			break;
		off += sizeof chunk;
		size = be32_get(chunk.size);
		if (memcmp(chunk.id, "COMM", 4) == 0) {
			int r = aiff_common_check(file, off, size, err);

			if (r)
				return r;
			known = true;
		} else if (memcmp(chunk.id, "SSND", 4) == 0) {
			/* offset and blockSize come before the samples. */
			if (size < 8 || dev_pread(file, &skip, sizeof skip, off) ||
			    be32_get(skip) > size - 8)
				return not_cd("an AIFF file with a broken Sound Data Chunk", err);
			samples->off = off + 8 + be32_get(skip);
			samples->length = size - 8 - be32_get(skip);
			if (!range_ok(samples->off, samples->length, file->size))
				return truncated("AIFF", samples->length,
				                 file->size - min64(samples->off, file->size), err);
		}
		if (known && samples->off)
			return 0;
		off += (uint64_t)size + (size & 1);
	}
	return not_cd("an AIFF file without samples", err);
}
