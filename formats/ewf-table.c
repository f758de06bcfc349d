/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of chunks: an array of entries and their Adler-32. Version 1 keeps each twice (table and
 * table2). One of the usual size is held in the cache as a whole, so that it is checked whenever it
 * comes in; a larger one is read in blocks and only checked at open, as far as that goes.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "ewf.h"

size_t ewf_entry_size(const struct ewf *e)
{
	return e->version == 1 ? 4 : 16;
}

/* Read the entries that stand at `at` and their sum to data, which has room for it. */
static int read_summed(const struct ewf_table *t, uint64_t at, void *data, size_t size)
{
	int r = dev_pread(t->dev, data, size + 4, at);

	return r ? r : ewf_summed(data, size) ? 0 : -EIO;
}

/* The same of the table, or else of its copy. */
static int read_either(const struct ewf_table *t, void *data, size_t size)
{
	int r = read_summed(t, t->entries, data, size);

	return r && t->copy ? read_summed(t, t->copy, data, size) : r;
}

static int check_table(struct ewf *e, struct ewf_table *t, void *buf, struct platter_error *err)
{
	size_t size = t->count * ewf_entry_size(e);

	if (read_summed(t, t->entries, buf, size) == 0)
		return 0;
	if (!t->copy || read_summed(t, t->copy, buf, size) != 0)
		return err_set(err, EIO,
		               "the table of chunks %" PRIu64 " to %" PRIu64 " is damaged%s",
		               t->first, t->first + t->count - 1,
		               t->copy ? ", and so is its copy" : "");
	image_note(e->image,
	           "the table of chunks %" PRIu64 " to %" PRIu64 " is damaged, its copy is used",
	           t->first, t->first + t->count - 1);
	t->entries = t->copy;
	t->copy = 0;
	return 0;
}

int ewf_check_tables(struct ewf *e, struct platter_error *err)
{
	size_t left = EWF_CHECK_MAX;
	void *buf = malloc(EWF_CHECK_MAX + 4);
	int r = buf ? 0 : err_set(err, ENOMEM, "no memory");

	for (size_t i = 0; !r && i < e->ntables; i++) {
		struct ewf_table *t = &e->tables[i];

		if (!t->summed)
			continue;
		if (t->count * ewf_entry_size(e) > left)
			break;
		left -= t->count * ewf_entry_size(e);
		r = check_table(e, t, buf, err);
	}
	free(buf);
	return r;
}

/* Behind the entries, in place of their sum, which was looked at. */
static int make_whole(void *arg, void *data, size_t size)
{
	int r = read_either(arg, data, size - 4);
	uint32_t first = r ? 0 : ewf1_first_wide(arg, data);

	memcpy((char *)data + size - 4, &first, sizeof first);
	return r;
}

/* A block of entries; the last one of a table may be shorter. */
static int hold_block(const struct ewf *e, const struct ewf_table *t, uint64_t at,
                      const struct cache_chunk **chunk)
{
	uint64_t size = (uint64_t)t->count * ewf_entry_size(e), start = at / EWF_BLOCK * EWF_BLOCK;

	return run_table(e->cache, t->dev, t->entries + start,
	                 (size_t)min64(EWF_BLOCK, size - start), chunk);
}

int ewf_get_entry(const struct ewf *e, const struct ewf_table *t, uint32_t i, void *entry,
                  bool *wide)
{
	size_t each = ewf_entry_size(e);
	uint64_t size = (uint64_t)t->count * each, at = (uint64_t)i * each;
	bool whole = t->summed && size <= EWF_WHOLE_MAX;
	struct cache_key key = {t, 0};
	const struct cache_chunk *chunk;
	uint32_t first = t->count;
	int r;

	if (whole)
		r = cache_get(e->cache, key, (size_t)size + 4, make_whole, (void *)t, &chunk);
	else
		r = hold_block(e, t, at, &chunk);
	if (r)
		return r;
	memcpy(entry, (const char *)chunk->data + (whole ? at : at % EWF_BLOCK), each);
	if (whole)
		memcpy(&first, (const char *)chunk->data + size, sizeof first);
	*wide = i >= first;
	cache_put(e->cache, chunk);
	return 0;
}
