/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check: whether an overlay's file is what its format says, what is lost where it is not, and,
 * where that loses nothing, making it so again.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "overlay-top.h"
#include "platter.h"

struct check {
	struct ovl_file f;
	uint64_t npages, map[2], data_off, disk;
	const char *layer; /* name of the layer that is looked at; NULL: the top */
	bool repair;
	struct platter_overlay_check *result;
	void (*say)(void *arg, const char *line);
	void *arg;
};

static void say(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct check *c, const char *fmt, ...)
{
	char text[512], line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (c->layer)
		snprintf(line, sizeof line, "layer %.400s: %s", c->layer, text);
	c->say(c->arg, c->layer ? line : text);
}

/* Something is wrong; r: how its repair went, 1 when there was none. */
static void problem(struct check *c, int r)
{
	c->result->problems++;
	if (r == 0)
		c->result->repaired++;
	else if (r < 0)
		say(c, "  the repair failed: %s", strerror(-r));
	else
		say(c, "  not repaired");
}

/* ---- headers and size ---- */

/* The slot that does not hold is written anew. */
static void check_headers(struct check *c)
{
	bool sound[2];
	int bad, r = ovl_header_sound(c->f.io, sound);

	if (r) {
		say(c, "the headers cannot be read: %s", strerror(-r));
		problem(c, 1);
	}
	if (r || (sound[0] && sound[1]))
		return;
	bad = sound[0];
	say(c, "header %d is damaged; header %d holds, nothing is lost", bad, !bad);
	problem(c, c->repair ? ovl_file_put_header(&c->f) : 1);
}

/* Blocks at or past the file's end that the map has. */
static void check_size(struct check *c, uint64_t beyond)
{
	uint64_t size = (uint64_t)c->f.st.st_size, want = le64_get(c->f.h.file_size);
	int r = 1;

	if (size >= want)
		return;
	say(c,
	    "the file has %llu bytes, its header says %llu: it was cut, and %llu blocks are lost",
	    (unsigned long long)size, (unsigned long long)want, (unsigned long long)beyond);
	c->result->lost += beyond;
	/* Without a loss it only lacks a hole. */
	if (c->repair && !beyond)
		r = ftruncate(c->f.fd, (off_t)want) < 0 ? -errno : 0;
	problem(c, r);
}

/* ---- the map ---- */

static bool is_zero(const void *p, size_t n)
{
	const char *b = p;

	return n == 0 || (b[0] == 0 && memcmp(b, b + 1, n - 1) == 0);
}

static bool bit(const struct ovl_page *page, unsigned i)
{
	return page->bits[i / 8] >> i % 8 & 1;
}

/* Blocks of page i that the disk has. */
static unsigned blocks_in(const struct check *c, uint64_t i)
{
	uint64_t blocks = align_up(c->disk, OVL_BLOCK) / OVL_BLOCK;

	return (unsigned)min64(blocks - i * OVL_BLOCKS_PER_PAGE, OVL_BLOCKS_PER_PAGE);
}

/* Bits go from 0 to 1 only, so the older slot has nothing that the newer lacks. */
static void check_subset(struct check *c, uint64_t i, const struct ovl_page pair[2], int chosen)
{
	const struct ovl_page *newer = &pair[chosen], *older = &pair[!chosen];
	unsigned missing = 0;

	if (!ovl_page_sound(&c->f.h, i, older))
		return;
	if (memcmp(&older->seq, &newer->seq, sizeof older->seq) == 0 &&
	    memcmp(older->bits, newer->bits, sizeof older->bits) != 0) {
		say(c, "map page %llu: both slots have number %llu and differ",
		    (unsigned long long)i, (unsigned long long)le64_get(newer->seq));
		problem(c, 1);
	}
	for (unsigned b = 0; b < OVL_BLOCKS_PER_PAGE; b++)
		missing += bit(older, b) && !bit(newer, b);
	if (!missing)
		return;
	say(c, "map page %llu: %u blocks are in its older slot and not in its newer one",
	    (unsigned long long)i, missing);
	c->result->lost += missing;
	problem(c, 1);
}

/* Counts what the page holds; *beyond: past the file's end. */
static void check_bits(struct check *c, uint64_t i, const struct ovl_page *page, uint64_t *beyond)
{
	uint64_t first = i * OVL_BLOCKS_PER_PAGE, size = (uint64_t)c->f.st.st_size;
	unsigned n = blocks_in(c, i), outside = 0;

	for (unsigned b = 0; b < OVL_BLOCKS_PER_PAGE; b++) {
		if (!bit(page, b))
			continue;
		outside += b >= n;
		c->result->blocks += b < n;
		*beyond += b < n && c->data_off + (first + b + 1) * OVL_BLOCK > size;
	}
	if (!outside)
		return;
	say(c, "map page %llu: %u blocks past the end of the disk", (unsigned long long)i, outside);
	problem(c, 1);
}

/* ---- data without a bit ---- */

/* What is to be done with data in the file that belongs to no block of the disk. */
enum junk { JUNK_COUNT, JUNK_CLEAR };

/* Blocks [from, to) of the disk, all in page i, are data in the file. */
static int junk_among(struct check *c, uint64_t i, const struct ovl_page *page, uint64_t from,
                      uint64_t to, enum junk what, uint64_t *bytes)
{
	uint64_t first = i * OVL_BLOCKS_PER_PAGE, n;
	int r = 0;

	for (uint64_t b = from; b < to && !r; b += n) {
		bool held = page && bit(page, (unsigned)(b - first));

		for (n = 1; b + n < to; n++)
			if ((page && bit(page, (unsigned)(b + n - first))) != held)
				break;
		if (held)
			continue;
		*bytes += n * OVL_BLOCK;
		if (what == JUNK_CLEAR)
			r = c->f.io->ops->punch(c->f.io, c->data_off + b * OVL_BLOCK,
			                        n * OVL_BLOCK);
	}
	return r;
}

/* The same for all that the file has in page i's part of the disk; page NULL: no bit is set. */
static int junk_in(struct check *c, uint64_t i, const struct ovl_page *page, enum junk what,
                   uint64_t *bytes)
{
	uint64_t b = i * OVL_BLOCKS_PER_PAGE, end = b + blocks_in(c, i), n;
	struct dev_extent ext;
	int r = 0;

	for (; b < end && !r; b += n) {
		r = c->f.io->ops->extent(c->f.io, c->data_off + b * OVL_BLOCK, &ext);
		n = min64(end - b, align_up(ext.length, OVL_BLOCK) / OVL_BLOCK);
		if (!r && !ext.hole)
			r = junk_among(c, i, page, b, b + n, what, bytes);
	}
	return r;
}

/* ---- a page and its data ---- */

static bool is_damaged(struct check *c, uint64_t i, const struct ovl_page *slot)
{
	return !ovl_page_sound(&c->f.h, i, slot) && !is_zero(slot, sizeof *slot);
}

/* An empty slot is as good as a damaged one, and says nothing wrong. */
static int clear_slot(struct check *c, uint64_t i, int slot)
{
	const struct overlay_io_ops *ops = c->f.io->ops;
	int r = ops->punch(c->f.io, c->map[slot] + i * OVL_PAGE_SIZE, OVL_PAGE_SIZE);

	return r ? r : ops->sync(c->f.io);
}

/*
 * A slot that a power cut tore and one that rotted look alike. Data that the other slot does not
 * have tells that blocks may be lost; it is left where it is.
 */
static int check_damaged(struct check *c, uint64_t i, int slot, const struct ovl_page *holds)
{
	uint64_t bytes = 0;
	int r = junk_in(c, i, holds, JUNK_COUNT, &bytes);

	if (r)
		return r;
	say(c,
	    "map page %llu (the disk from byte %llu on): slot %d is damaged, %s; %llu bytes of "
	    "data stand there that the map has not",
	    (unsigned long long)i, (unsigned long long)(i * OVL_BLOCKS_PER_PAGE * OVL_BLOCK), slot,
	    holds ? "the other one holds" : "no other holds", (unsigned long long)bytes);
	c->result->lost += bytes / OVL_BLOCK;
	problem(c, c->repair && holds && !bytes ? clear_slot(c, i, slot) : 1);
	return 0;
}

static int check_page(struct check *c, uint64_t i, const struct ovl_page pair[2], uint64_t *beyond)
{
	int chosen = ovl_page_choose(&c->f.h, i, pair), r = 0;
	const struct ovl_page *holds = chosen >= 0 ? &pair[chosen] : NULL;
	bool damaged = false;

	for (int slot = 0; slot < 2 && !r; slot++)
		if (is_damaged(c, i, &pair[slot]) && (holds || !damaged)) {
			r = check_damaged(c, i, slot, holds);
			damaged = true;
		}
	if (!r && holds) {
		check_subset(c, i, pair, chosen);
		check_bits(c, i, holds, beyond);
	}
	if (!r && !damaged)
		r = junk_in(c, i, holds, c->repair ? JUNK_CLEAR : JUNK_COUNT, &c->result->junk);
	return r;
}

/* Where both slots of many pages are holes, data can only be junk. */
static int check_unmapped(struct check *c, uint64_t from, uint64_t to)
{
	int r = 0;

	for (uint64_t i = from; i < to && !r; i++) {
		struct dev_extent ext;

		r = c->f.io->ops->extent(c->f.io, c->data_off + i * OVL_BLOCKS_PER_PAGE * OVL_BLOCK,
		                         &ext);
		if (!r && ext.hole)
			i += ext.length / ((uint64_t)OVL_BLOCKS_PER_PAGE * OVL_BLOCK);
		if (!r && i < to)
			r = junk_in(c, i, NULL, c->repair ? JUNK_CLEAR : JUNK_COUNT,
			            &c->result->junk);
	}
	return r;
}

static int check_pages(struct check *c, uint64_t *beyond)
{
	struct ovl_page pair[2];
	uint64_t next = 0;
	int r = 0;

	*beyond = 0;
	for (uint64_t i = 0; !r && i < c->npages; next = ++i) {
		r = ovl_page_next(c->f.io, &c->f.h, &i, pair);
		if (!r)
			r = check_unmapped(c, next, i);
		if (!r && i < c->npages)
			r = check_page(c, i, pair, beyond);
	}
	return r;
}

/* ---- all of it ---- */

static int check_file(struct check *c, struct platter_error *err)
{
	const struct ovl_header *h = &c->f.h;
	uint64_t beyond;
	int r;

	c->npages = le64_get(h->npages);
	c->map[0] = le64_get(h->map_a);
	c->map[1] = le64_get(h->map_b);
	c->data_off = le64_get(h->data_off);
	c->disk = le64_get(h->virtual_size);
	check_headers(c);
	r = check_pages(c, &beyond);
	if (!r)
		check_size(c, beyond);
	if (!r && c->result->junk)
		say(c, "%llu bytes of data that no flush took up%s",
		    (unsigned long long)c->result->junk, c->repair ? "; given back" : "");
	return r ? err_set(err, -r, "%s", strerror(-r)) : 0;
}

/* Frozen layers are looked at and left alone. */
static int check_layers(struct check *c, const char *top, const struct ovl_header *h,
                        struct platter_error *err)
{
	struct ovl_header child = *h;
	int r = 0;

	/* Depths go down by one, so that this comes to an end. */
	while (!r && child.parent[0]) {
		char *path;

		r = overlay_parent_open(top, &child, OVL_LOCK_NONE, &path, &c->f, err);
		if (r)
			break;
		free(path);
		c->layer = child.parent;
		c->repair = false;
		c->result->junk = 0;
		r = check_file(c, err);
		if (r)
			err_prefix(err, "layer %s", child.parent);
		child = c->f.h;
		ovl_file_close(&c->f);
	}
	return r;
}

int platter_overlay_check(const char *path, bool repair, void (*tell)(void *arg, const char *line),
                          void *arg, struct platter_overlay_check *result,
                          struct platter_error *err)
{
	struct check c = {.repair = repair, .result = result, .say = tell, .arg = arg};
	char *real = realpath(path, NULL);
	struct ovl_header h;
	int r;

	*result = (struct platter_overlay_check){0};
	if (!real)
		r = err_set(err, errno, "%s", strerror(errno));
	else
		r = ovl_file_open_cut(real, repair ? OVL_LOCK_EXCLUSIVE : OVL_LOCK_SHARED, 0, &c.f,
		                      err);
	if (!r) {
		h = c.f.h;
		r = check_file(&c, err);
		ovl_file_close(&c.f);
		if (!r)
			r = check_layers(&c, real, &h, err);
	}
	free(real);
	if (r)
		err_prefix(err, "%s", path);
	return r;
}
