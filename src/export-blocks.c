/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "export-blocks.h"

#include <string.h>

#include "ondisk.h"

/* ---- tables ---- */

static uint64_t entries_in_page(const struct export_table *t)
{
	return TABLE_PAGE / t->entry;
}

void export_table_begin(struct export_table *t)
{
	t->page = 0;
	t->used = false;
	memset(t->bytes, t->unset, sizeof t->bytes);
}

/* Write the page that is held, and begin the next. */
static int next_page(struct export_table *t)
{
	uint64_t first = t->page * entries_in_page(t);
	size_t len = (size_t)min64(entries_in_page(t), t->count - first) * t->entry;
	int r = 0;

	if (t->used || t->unset) {
		r = export_write_sparse(t->x, t->bytes, len, t->at + first * t->entry);
		if (!r && t->copy)
			r = export_write_sparse(t->x, t->bytes, len, t->copy + first * t->entry);
	}
	if (t->used)
		memset(t->bytes, t->unset, sizeof t->bytes);
	t->used = false;
	t->page++;
	return r;
}

/* Get on to page. */
static int go_to(struct export_table *t, uint64_t page)
{
	int r = 0;

	if (page > t->page && !t->unset) {
		r = next_page(t);
		t->page = page;
	}
	while (!r && t->page < page) {
		r = export_check_stop(t->x);
		if (!r)
			r = next_page(t);
	}
	return r;
}

int export_table_set(struct export_table *t, uint64_t index, const void *entry)
{
	int r = go_to(t, index / entries_in_page(t));

	memcpy(t->bytes + index % entries_in_page(t) * t->entry, entry, t->entry);
	t->used = true;
	return r;
}

int export_table_finish(struct export_table *t)
{
	return t->count ? go_to(t, (t->count - 1) / entries_in_page(t) + 1) : 0;
}

/* ---- blocks ---- */

/* What lies in one block. */
static int put_piece(struct export_blocks *b, const char *buf, size_t len, uint64_t off)
{
	uint64_t index = off / b->block;
	int r = 0;

	if (export_zero(buf, len))
		return 0;
	if (!b->at || index != b->index) {
		b->index = index;
		b->at = b->next + b->before;
		b->next += b->before + b->block;
		b->count++;
		r = b->placed(b->self, index, b->at);
	}
	return r ? r : export_write_sparse(b->x, buf, len, b->at + off % b->block);
}

static int put_item(void *self, const struct export_item *item)
{
	struct export_blocks *b = self;
	int r = 0;

	for (size_t at = 0, n; at < item->len && !r; at += n) {
		uint64_t off = item->off + at;

		n = (size_t)min64(item->len - at, b->block - off % b->block);
		r = put_piece(b, item->buf + at, n, off);
	}
	return r;
}

int export_blocks_put(struct export_blocks *b)
{
	return export_walk(b->x, put_item, b);
}
