/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tar archives: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format", and GNU
 * tar's long names and large numbers (GNU tar manual, "Basic Tar Format").
 *
 * A header takes a block and says how long the member is that follows. Names and sizes that do not
 * fit stand in a member of their own in front of it.
 */
#include "config.h"

#include "ova.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* An OVA has a handful of members. */
#define HEADERS_MAX 4096
/* Of a member that only says something about the next one. */
#define EXTENDED_MAX ((size_t)64 << 10)

struct tar_header {
	char name[100];    /* +0x000 */
	char mode[8];      /* +0x064 */
	char uid[8];       /* +0x06c */
	char gid[8];       /* +0x074 */
	uint8_t size[12];  /* +0x07c */
	char mtime[12];    /* +0x088 */
	uint8_t chksum[8]; /* +0x094 */
	char typeflag;     /* +0x09c */
	char linkname[100];
	char magic[6]; /* +0x101 */
	char version[2];
	char uname[32], gname[32];
	char devmajor[8], devminor[8];
	char prefix[155]; /* +0x159 */
	char pad[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "ustar header");
_Static_assert(offsetof(struct tar_header, prefix) == 0x159, "ustar header");

/* What extended headers said of the next member. */
struct extended {
	char name[TAR_NAME_MAX]; /* "" = nothing */
	bool has_size, sparse;
	uint64_t size;
};

static bool parse_octal(const uint8_t *p, size_t len, uint64_t *out)
{
	size_t i = 0;

	*out = 0;
	while (i < len && p[i] == ' ')
		i++;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		*out = *out << 3 | (p[i] - (uint8_t)'0'); /* 12 digits are 36 bits */
	return i == len || p[i] == ' ' || p[i] == '\0';
}

/* GNU's way for what needs more than 11 octal digits: a set bit, then the number, big-endian. */
static bool parse_size(const uint8_t p[12], uint64_t *out)
{
	be64 low;

	if (!(p[0] & 0x80))
		return parse_octal(p, 12, out);
	memcpy(low.b, p + 4, sizeof low);
	*out = be64_get(low);
	return p[0] == 0x80 && p[1] == 0 && p[2] == 0 && p[3] == 0;
}

/* The sum is that of the bytes with its own field as blanks. */
static bool sum_fits(const struct tar_header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	uint32_t sum = sizeof h->chksum * ' ';
	uint64_t recorded;

	for (size_t i = 0; i < sizeof *h; i++)
		sum += p[i];
	for (size_t i = 0; i < sizeof h->chksum; i++)
		sum -= h->chksum[i];
	return parse_octal(h->chksum, sizeof h->chksum, &recorded) && recorded == sum;
}

static bool is_header(const struct tar_header *h)
{
	return memcmp(h->magic, "ustar", 5) == 0 && sum_fits(h);
}

int tar_probe(struct dev *dev, struct platter_error *err)
{
	struct tar_header h;
	int r = image_read_head(dev, &h, sizeof h, err);

	return r ? r : is_header(&h) ? 0 : DRIVER_NOT_MINE;
}

/* ---- what stands in front of a member ---- */

/* A record of a pax header: "LENGTH KEY=VALUE\n". */
static int pax_record(const char *record, size_t len, struct extended *x)
{
	const char *key = memchr(record, ' ', len), *value;
	size_t n;

	value = key ? memchr(key, '=', len - (size_t)(key - record)) : NULL;
	if (!value || record[len - 1] != '\n')
		return -EINVAL;
	key++;
	value++;
	n = len - (size_t)(value - record) - 1;
	if (strncmp(key, "size=", 5) == 0) {
		char *end;

		errno = 0;
		x->size = strtoull(value, &end, 10);
		x->has_size = errno == 0 && n > 0 && *end == '\n';
		return x->has_size ? 0 : -EINVAL;
	}
	if (strncmp(key, "path=", 5) == 0) {
		if (n >= sizeof x->name)
			return -ENAMETOOLONG;
		memcpy(x->name, value, n);
		x->name[n] = '\0';
	}
	x->sparse = x->sparse || strncmp(key, "GNU.sparse.", 11) == 0;
	return 0;
}

static int pax_records(const char *text, size_t len, struct extended *x)
{
	while (len && *text) {
		char *end;
		uint64_t n = strtoull(text, &end, 10);
		int r = n > 4 && n <= len && *end == ' ' ? pax_record(text, (size_t)n, x) : -EINVAL;

		if (r)
			return r;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_extended(struct tar *tar, char type, uint64_t start, uint64_t size,
                         struct extended *x, struct platter_error *err)
{
	char *text;
	int r = 0;

	if (size > EXTENDED_MAX)
		return err_set(err, E2BIG,
		               "an extended tar header of %" PRIu64 " bytes, at most %zu", size,
		               EXTENDED_MAX);
	text = calloc(1, (size_t)size + 1);
	if (!text)
		return err_set(err, ENOMEM, "no memory");
	r = dev_pread(tar->dev, text, (size_t)size, start);
	tar->unread = r != 0;
	if (!r && type == 'x')
		r = pax_records(text, (size_t)size, x);
	else if (!r && strlen(text) >= sizeof x->name)
		r = -ENAMETOOLONG;
	else if (!r)
		strcpy(x->name, text);
	free(text);
	return r ? err_set(err, -r, "the extended tar header at byte %" PRIu64 " %s: %s", start,
	                   tar->unread ? "cannot be read" : "is damaged", strerror(-r))
	         : 0;
}

/* ---- members ---- */

static void set_name(struct tar_member *m, const struct tar_header *h, const struct extended *x)
{
	size_t prefix = strnlen(h->prefix, sizeof h->prefix);
	size_t name = strnlen(h->name, sizeof h->name), n = 0;

	if (x->name[0]) {
		memcpy(m->name, x->name, sizeof m->name);
		return;
	}
	/* Old GNU archives have other things there. */
	if (prefix && memcmp(h->magic, "ustar\0", sizeof h->magic) == 0) {
		memcpy(m->name, h->prefix, prefix);
		m->name[prefix] = '/';
		n = prefix + 1;
	}
	memcpy(m->name + n, h->name, name);
	m->name[n + name] = '\0';
}

static int check_header(const struct tar *tar, const struct tar_header *h, const struct extended *x,
                        uint64_t *size, struct platter_error *err)
{
	if (!is_header(h))
		return err_set(err, EINVAL, "no tar header at byte %" PRIu64, tar->next);
	if (!parse_size(h->size, size))
		return err_set(err, EINVAL,
		               "the tar header at byte %" PRIu64 " has no size that can be read",
		               tar->next);
	if (x->has_size && h->typeflag != 'x' && h->typeflag != 'L' && h->typeflag != 'g')
		*size = x->size;
	/* Links, devices and folders have no contents whatever they say. */
	if (h->typeflag >= '1' && h->typeflag <= '6')
		*size = 0;
	return 0;
}

static int check_end(const struct tar *tar, uint64_t size, struct platter_error *err)
{
	uint64_t start = tar->next + TAR_BLOCK;

	if (range_ok(start, size, tar->dev->size))
		return 0;
	return err_set(err, EINVAL,
	               "the member of %" PRIu64 " bytes at byte %" PRIu64 " passes the end of the "
	               "file at %" PRIu64,
	               size, start, tar->dev->size);
}

/* The end is where no header fits, or a block of zeros: many archives have but one of the two. */
static int read_header(struct tar *tar, struct tar_header *h, struct platter_error *err)
{
	static const struct tar_header zeros;
	int r;

	if (!range_ok(tar->next, sizeof *h, tar->dev->size))
		return 0;
	if (tar->headers++ == HEADERS_MAX)
		return err_set(err, E2BIG, "more than %d tar headers", HEADERS_MAX);
	r = dev_pread(tar->dev, h, sizeof *h, tar->next);
	tar->unread = r != 0;
	if (r)
		return err_set(err, -r, "the tar header at byte %" PRIu64 " cannot be read: %s",
		               tar->next, strerror(-r));
	return memcmp(h, &zeros, sizeof zeros) != 0;
}

int tar_next(struct tar *tar, struct tar_member *m, struct platter_error *err)
{
	struct extended x = {.name = ""};
	struct tar_header h;
	int r;

	while ((r = read_header(tar, &h, err)) > 0) {
		bool about_next = h.typeflag == 'x' || h.typeflag == 'L';
		uint64_t start = tar->next + TAR_BLOCK, size = 0;

		r = check_header(tar, &h, &x, &size, err);
		if (!r)
			r = check_end(tar, size, err);
		if (r)
			return r;
		tar->next = start + align_up(size, TAR_BLOCK);
		if (about_next) {
			r = read_extended(tar, h.typeflag, start, size, &x, err);
			if (r)
				return r;
		} else if (h.typeflag != 'g' && h.typeflag != 'K') {
			*m = (struct tar_member){
				.start = start,
				.size = size,
				.regular = strchr("07S", h.typeflag) != NULL, /* or a NUL */
				.sparse = x.sparse || h.typeflag == 'S',
			};
			set_name(m, &h, &x);
			return 1;
		}
	}
	return r;
}
