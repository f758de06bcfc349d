/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "formatdrive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "image.h"
#include "ondisk.h"

/* To open an image may take so many reads and bytes (SECURITY.md's budget for a parser). */
#define OPEN_READS ((uint64_t)64 << 10)
#define OPEN_BYTES ((uint64_t)128 << 20)

/* Runs that are looked at, bytes that are read out of each, and what it may cost in all. */
#define RUNS      2048
#define RUN_BYTES 4096

static void die(const char *what, uint64_t found, uint64_t limit)
{
	fprintf(stderr, "formatdrive: %s: %llu, at most %llu\n", what, (unsigned long long)found,
	        (unsigned long long)limit);
	abort();
}

/* ---- a device that counts ---- */

struct counting {
	struct dev dev;
	struct dev *lower;
	uint64_t reads, bytes;
};

static int counting_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	struct counting *c = (struct counting *)dev;

	c->reads++;
	c->bytes += len;
	return dev_pread(c->lower, buf, len, off);
}

static void counting_close(struct dev *dev)
{
	dev_unref(((struct counting *)dev)->lower);
	free(dev);
}

static const struct dev_ops counting_ops = {.pread = counting_pread, .close = counting_close};

static struct counting *count(struct dev *lower)
{
	struct counting *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	dev_init(&c->dev, &counting_ops, lower->size);
	c->lower = dev_ref(lower);
	return c;
}

/* ---- sparse inputs ---- */

struct stretch {
	uint64_t off;
	uint32_t len;
	const uint8_t *bytes;
};

struct sparse {
	struct dev dev;
	uint8_t *data;
	size_t count;
	struct stretch stretches[64];
};

static int sparse_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	struct sparse *s = (struct sparse *)dev;

	memset(buf, 0, len);
	for (size_t i = 0; i < s->count; i++) {
		const struct stretch *t = &s->stretches[i];
		uint64_t from = max64(off, t->off), to = min64(off + len, t->off + t->len);

		if (from < to)
			memcpy((char *)buf + (from - off), t->bytes + (from - t->off), to - from);
	}
	return 0;
}

static void sparse_close(struct dev *dev)
{
	free(((struct sparse *)dev)->data);
	free(dev);
}

static const struct dev_ops sparse_ops = {.pread = sparse_pread, .close = sparse_close};

static struct dev *sparse(const uint8_t *data, size_t len)
{
	struct sparse *s = calloc(1, sizeof *s);
	size_t at = 8;
	le64 size;

	if (!s)
		abort();
	memcpy(size.b, data, 8);
	s->data = malloc(len);
	if (!s->data)
		abort();
	memcpy(s->data, data, len);
	while (len - at >= 12 && s->count < 64) {
		struct stretch *t = &s->stretches[s->count];
		le64 off;
		le32 n;

		memcpy(off.b, data + at, 8);
		memcpy(n.b, data + at + 8, 4);
		at += 12;
		t->off = le64_get(off) & INT64_MAX;
		t->len = (uint32_t)min64(le32_get(n), len - at);
		t->bytes = s->data + at;
		at += t->len;
		s->count++;
	}
	dev_init(&s->dev, &sparse_ops, min64(le64_get(size), DEV_SIZE_MAX));
	return &s->dev;
}

struct dev *formatdrive_input(const uint8_t *data, size_t len)
{
	static const char magic[8] = "SPARSE01";
	struct dev *dev;

	if (len >= 16 && memcmp(data, magic, sizeof magic) == 0)
		return sparse(data + sizeof magic, len - sizeof magic);
	if (dev_memory(data, len, false, &dev) != 0)
		abort();
	return dev;
}

/* ---- driving ---- */

/* Follow the map from off on, reading a little of each run. */
static void walk(const struct run_source *src, uint64_t off, unsigned runs)
{
	static char buf[RUN_BYTES];

	while (off < src->size && runs-- > 0) {
		struct dev_extent ext;
		int r = run_extent(src, off, &ext);
		size_t n;

		if (r > 0)
			die("run_extent gave a positive number", (uint64_t)r, 0);
		if (r) { /* damage here; go on behind it */
			off += min64(1 << 20, src->size - off);
			continue;
		}
		if (ext.length == 0)
			die("an extent of no bytes", 0, 1);
		n = (size_t)min64(min64(ext.length, sizeof buf), src->size - off);
		r = run_read(src, buf, n, off);
		if (r > 0)
			die("run_read gave a positive number", (uint64_t)r, 0);
		off += min64(ext.length, src->size - off);
	}
}

static void drive(const struct image *image)
{
	struct run_source src = image->source;

	walk(&src, 0, RUNS);
	walk(&src, src.size / 2, 16);
	walk(&src, src.size - min64(src.size, 4096), 16);
	for (size_t i = 0; i < image->ntracks && i < 16; i++) {
		src.node = image->tracks[i].node;
		src.size = image->tracks[i].size;
		walk(&src, 0, 64);
	}
}

int formatdrive(struct dev *dev, const char *format, struct platter_error *err)
{
	struct counting *c = count(dev);
	struct cache *cache = cache_new((size_t)16 << 20);
	struct image_request req = {.format = format, .cache = cache};
	struct image *image;
	int r;

	if (!cache)
		abort();
	err->text[0] = '\0';
	r = image_open_dev(&c->dev, &req, &image, err);
	if (c->reads > OPEN_READS)
		die("reads to open it", c->reads, OPEN_READS);
	if (c->bytes > OPEN_BYTES)
		die("bytes read to open it", c->bytes, OPEN_BYTES);
	if (r > 0)
		die("open gave a positive number", (uint64_t)r, 0);
	if (r && err->text[0] == '\0')
		die("refused without a reason", (uint64_t)-r, 0);
	if (!r)
		drive(image);
	if (!r)
		image_close(image);
	cache_free(cache);
	dev_unref(&c->dev);
	return r;
}
