/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The descriptor of a VMDK (Virtual Disk Format 5.0, "The Descriptor File"): lines of text, which
 * are comments, NAME=VALUE, or extents:
 *
 *	# Disk DescriptorFile
 *	version=1
 *	CID=fffffffe
 *	parentCID=ffffffff
 *	createType="twoGbMaxExtentSparse"
 *	RW 4192256 SPARSE "disk-s001.vmdk"
 *	RW 2048 FLAT "disk-f002.vmdk" 0
 *
 * Sizes and the offset at the end are in sectors. createType only repeats what the extents say.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"
#include "vmdk.h"

/* An 8 TiB disk in extents of 2 GB has a quarter of that. */
#define TEXT_MAX ((size_t)1 << 20)
/* Twice what can be files (CHAIN_FILES_MAX): ZERO extents have none. */
#define LINES_MAX 8192

static const char first_line[] = "# Disk DescriptorFile";
static const char locked_line[] = "# Encryption DescriptorFile";

bool vmdk_is_descriptor(const uint8_t *head, size_t len)
{
	static const uint8_t mark[] = {0xef, 0xbb, 0xbf}; /* editors on Windows put it there */

	if (len > sizeof mark && memcmp(head, mark, sizeof mark) == 0) {
		head += sizeof mark;
		len -= sizeof mark;
	}
	return (len >= sizeof first_line - 1 &&
	        strncasecmp((const char *)head, first_line, sizeof first_line - 1) == 0) ||
	       (len >= sizeof locked_line - 1 &&
	        strncasecmp((const char *)head, locked_line, sizeof locked_line - 1) == 0);
}

static int encrypted(struct platter_error *err)
{
	return err_set(err, ENOTSUP, "is encrypted by VMware, which is not supported");
}

/* ---- words of a line ---- */

static char *skip_blanks(char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* Cut the word at *p off; *p is behind it then. */
static char *take_word(char **p)
{
	char *word = skip_blanks(*p), *end = word;

	while (*end && *end != ' ' && *end != '\t')
		end++;
	*p = end;
	if (*end) {
		*end = '\0';
		*p = end + 1;
	}
	return word;
}

/* The same for what stands between quotes; NULL when nothing does. */
static char *take_quoted(char **p)
{
	char *start = skip_blanks(*p), *end;

	if (*start != '"')
		return NULL;
	end = strchr(start + 1, '"');
	if (!end)
		return NULL;
	*end = '\0';
	*p = end + 1;
	return start + 1;
}

static bool parse_number(const char *text, int base, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	if (!isxdigit((unsigned char)*text))
		return false;
	*out = strtoull(text, &end, base);
	return errno == 0 && *end == '\0' && *out <= max;
}

/* ---- extents ---- */

static int parse_type(const char *name, enum vmdk_type *type, struct platter_error *err)
{
	static const struct {
		const char *name;
		enum vmdk_type type;
	} types[] = {
		{"FLAT", VMDK_FLAT},     {"VMFS", VMDK_FLAT},         {"ZERO", VMDK_ZERO},
		{"SPARSE", VMDK_SPARSE}, {"VMFSSPARSE", VMDK_SPARSE}, {"SESPARSE", VMDK_SESPARSE},
	};
	char shown[64];

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcasecmp(name, types[i].name) == 0) {
			*type = types[i].type;
			return 0;
		}
	text_plain(name, strlen(name), shown, sizeof shown);
	return err_set(err, ENOTSUP, "extents of type %s are not supported", shown);
}

static struct vmdk_line *new_line(struct vmdk_descriptor *d)
{
	struct vmdk_line *more = d->lines;

	if ((d->nlines & (d->nlines - 1)) == 0)
		more = reallocarray(d->lines, d->nlines ? d->nlines * 2 : 1, sizeof *more);
	if (!more)
		return NULL;
	d->lines = more;
	return &more[d->nlines++];
}

static int parse_extent(struct vmdk_descriptor *d, char *p, struct platter_error *err)
{
	struct vmdk_line line = {.name = ""};
	size_t number = d->nlines + 1;
	const char *access, *word, *name;
	struct vmdk_line *added;
	char shown[64];
	int r;

	if (number > LINES_MAX)
		return err_set(err, E2BIG, "more than %d extents", LINES_MAX);
	access = take_word(&p);
	word = take_word(&p);
	if (!parse_number(word, 10, VMDK_SECTORS_MAX, &line.sectors)) {
		text_plain(word, strlen(word), shown, sizeof shown);
		return err_set(err, EINVAL,
		               "extent %zu: a size of \"%s\" sectors, expected a number up to "
		               "%" PRIu64,
		               number, shown, VMDK_SECTORS_MAX);
	}
	r = parse_type(take_word(&p), &line.type, err);
	if (r)
		return r;
	if (strcasecmp(access, "NOACCESS") == 0 && line.type != VMDK_ZERO)
		return err_set(err, EACCES, "extent %zu is marked as not to be accessed", number);
	name = take_quoted(&p);
	if (name)
		line.name = name;
	else if (line.type != VMDK_ZERO)
		return err_set(err, EINVAL, "extent %zu has no file name in quotes", number);
	word = take_word(&p);
	if (*word && line.type == VMDK_FLAT &&
	    !parse_number(word, 10, VMDK_SECTORS_MAX, &line.offset)) {
		text_plain(word, strlen(word), shown, sizeof shown);
		return err_set(err, EINVAL,
		               "extent %zu: an offset of \"%s\" sectors, expected a "
		               "number up to %" PRIu64,
		               number, shown, VMDK_SECTORS_MAX);
	}
	added = new_line(d);
	if (!added)
		return err_set(err, ENOMEM, "no memory");
	*added = line;
	return 0;
}

/* ---- names and values ---- */

static int parse_cid(const char *name, const char *value, uint32_t *cid, struct platter_error *err)
{
	char shown[64];
	uint64_t n;

	if (!parse_number(value, 16, UINT32_MAX, &n)) {
		text_plain(value, strlen(value), shown, sizeof shown);
		return err_set(err, EINVAL, "%s is \"%s\", expected up to 8 hexadecimal digits",
		               name, shown);
	}
	*cid = (uint32_t)n;
	return 0;
}

static int parse_value(struct vmdk_descriptor *d, const char *name, const char *value,
                       struct platter_error *err)
{
	if (strcasecmp(name, "CID") == 0) {
		d->has_cid = true;
		return parse_cid("CID", value, &d->cid, err);
	}
	if (strcasecmp(name, "parentCID") == 0)
		return parse_cid("parentCID", value, &d->parent_cid, err);
	if (strcasecmp(name, "parentFileNameHint") == 0)
		d->parent_hint = value;
	else if (strcasecmp(name, "encoding") == 0)
		d->encoding = value;
	else if (strncasecmp(name, "encryption", 10) == 0)
		return encrypted(err);
	/* vSphere's encryption is a filter that the data went through. */
	else if (strcasecmp(name, "ddb.iofilters") == 0 && strstr(value, "vmwarevmcrypt"))
		return encrypted(err);
	return 0;
}

/* NAME = VALUE, with quotes around the value or without. Anything else means nothing. */
static int parse_pair(struct vmdk_descriptor *d, char *line, struct platter_error *err)
{
	char *equals = strchr(line, '='), *value, *end;

	if (!equals)
		return 0;
	for (end = equals; end > line && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	*end = '\0';
	value = equals + 1;
	end = take_quoted(&value);
	if (end)
		return parse_value(d, line, end, err);
	value = skip_blanks(value);
	for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	*end = '\0';
	return parse_value(d, line, value, err);
}

static bool is_extent(const char *line)
{
	static const char *const access[] = {"RW", "RDONLY", "NOACCESS"};

	for (size_t i = 0; i < sizeof access / sizeof *access; i++) {
		size_t n = strlen(access[i]);

		if (strncasecmp(line, access[i], n) == 0 && (line[n] == ' ' || line[n] == '\t'))
			return true;
	}
	return false;
}

static int parse(struct vmdk_descriptor *d, struct platter_error *err)
{
	char *line, *rest = d->text;
	int r = 0;

	while (!r && (line = strsep(&rest, "\r\n"))) {
		line = skip_blanks(line);
		if (is_extent(line))
			r = parse_extent(d, line, err);
		else if (*line != '#')
			r = parse_pair(d, line, err);
	}
	return r;
}

int vmdk_descriptor_read(struct dev *dev, uint64_t off, uint64_t len, struct vmdk_descriptor *d,
                         struct platter_error *err)
{
	int r;

	*d = (struct vmdk_descriptor){
		.parent_hint = "",
		.encoding = "",
		.parent_cid = UINT32_MAX,
	};
	if (len > TEXT_MAX)
		return err_set(err, E2BIG, "a descriptor of %" PRIu64 " bytes, at most %zu", len,
		               TEXT_MAX);
	if (!range_ok(off, len, dev->size))
		return err_set(err, EINVAL,
		               "its descriptor at byte %" PRIu64 " passes the end of the file at "
		               "%" PRIu64,
		               off, dev->size);
	d->text = calloc(1, (size_t)len + 1);
	if (!d->text)
		return err_set(err, ENOMEM, "no memory");
	r = dev_pread(dev, d->text, (size_t)len, off);
	if (r)
		return err_set(err, -r, "its descriptor cannot be read: %s", strerror(-r));
	if (strncasecmp(d->text, locked_line, sizeof locked_line - 1) == 0)
		return encrypted(err);
	if (!vmdk_is_descriptor((const uint8_t *)d->text, (size_t)len))
		return err_set(err, EINVAL, "its descriptor does not begin with \"%s\"",
		               first_line);
	return parse(d, err);
}

void vmdk_descriptor_free(struct vmdk_descriptor *d)
{
	free(d->text);
	free(d->lines);
	*d = (struct vmdk_descriptor){0};
}

/* ---- names of files ---- */

static bool is_utf8(const char *s)
{
	size_t len = strlen(s);

	while (len) {
		uint32_t c;
		size_t n = text_utf8_decode(s, len, &c);

		if (!n)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

/* A byte of windows-1252, which is ISO 8859-1 but for the control characters 80 to 9f. */
static uint32_t from_1252(uint8_t b)
{
	static const uint16_t high[32] = {
		0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
		0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
		0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
		0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178,
	};

	return b >= 0x80 && b < 0xa0 ? high[b - 0x80] : b;
}

int vmdk_name(const struct vmdk_descriptor *d, const char *name, char out[VMDK_NAME_MAX],
              struct platter_error *err)
{
	/* What is UTF-8 is taken as such: VMware on Linux writes it whatever it says. Names in
	 * other encodings are looked up as they are. */
	bool convert = !is_utf8(name) && (strcasecmp(d->encoding, "windows-1252") == 0 ||
	                                  strcasecmp(d->encoding, "ISO-8859-1") == 0);
	uint8_t *o = (uint8_t *)out, *end = o + VMDK_NAME_MAX - 4;

	for (const uint8_t *p = (const uint8_t *)name; *p; p++) {
		uint32_t c = convert ? from_1252(*p) : *p;

		if (o >= end)
			return err_set(err, ENAMETOOLONG, "a file name of more than %d bytes",
			               VMDK_NAME_MAX - 4);
		if (c < 0x20 || c == 0x7f)
			return err_set(err, EINVAL,
			               "a file name that holds the control character %02x", c);
		if (!convert || c < 0x80) {
			*o++ = (uint8_t)c;
			continue;
		}
		if (c >= 0x800)
			*o++ = (uint8_t)(0xe0 | c >> 12);
		*o++ = (uint8_t)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6);
		*o++ = (uint8_t)(0x80 | (c & 0x3f));
	}
	*o = '\0';
	return 0;
}
