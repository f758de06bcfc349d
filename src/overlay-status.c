/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an overlay's file says of itself, without opening it for use. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "overlay-top.h"
#include "platter.h"

static uint64_t count_bits(const struct ovl_page *page)
{
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof page->bits; i++)
		n += (unsigned)__builtin_popcount(page->bits[i]);
	return n;
}

/* Blocks that the map on disk says are here. */
static int count_blocks(struct overlay_io *io, const struct ovl_header *h, uint64_t *blocks)
{
	struct ovl_page pair[2];
	uint64_t i = 0;
	int r;

	for (*blocks = 0; !(r = ovl_page_next(io, h, &i, pair)) && i < le64_get(h->npages); i++) {
		int slot = ovl_page_choose(h, i, pair);

		if (slot >= 0)
			*blocks += count_bits(&pair[slot]);
	}
	return r;
}

/*
 * The path in the header is for people: an overlay that came from elsewhere may name any file in
 * it. What is looked at is a regular file of that name beside the overlay itself.
 */
static bool find_beside(const char *overlay, const char *hint, char *path, size_t size)
{
	const char *name = strrchr(hint, '/'), *slash = strrchr(overlay, '/');
	struct stat st;

	name = name ? name + 1 : hint;
	snprintf(path, size, "%.*s%s", slash ? (int)(slash + 1 - overlay) : 0, overlay, name);
	return *name && lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int platter_overlay_find_image(const char *overlay, char **image, struct platter_error *err)
{
	char path[4096], hint[OVL_HINT_MAX + 1] = "";
	struct ovl_header h;
	int r = overlay_peek(overlay, &h, err);

	*image = NULL;
	if (r) {
		err_prefix(err, "%s", overlay);
		return r;
	}
	memcpy(hint, h.hint, le16_get(h.hint_len));
	if (!find_beside(overlay, hint, path, sizeof path))
		return err_set(err, ENOENT,
		               "%s: its image, %s, is not beside it; --base says where it is",
		               overlay, hint);
	*image = strdup(path);
	return *image ? 0 : err_set(err, ENOMEM, "no memory");
}

/* Whether the image beside it is the one that it was made for: what opening them together says. */
static void look_at_base(const char *overlay, struct platter_overlay_status *st)
{
	struct platter_options opt = {.overlay = overlay, .overlay_ro = true, .overlay_live = true};
	struct platter_error err = {0};
	struct platter *p = NULL;
	char path[4096];

	if (!find_beside(overlay, st->base, path, sizeof path)) {
		err_set(&err, ENOENT, "no image of that name is beside the overlay");
	} else {
		st->base_found = true;
		st->fits = platter_open(path, &opt, &p, &err) == 0;
	}
	snprintf(st->misfit, sizeof st->misfit, "%.*s", (int)sizeof st->misfit - 1, err.text);
	platter_abandon(p);
}

/* A snapshot is called by what its file's name has more than the overlay's. */
static void name_layer(const char *overlay, const char *file, struct platter_overlay_layer *l)
{
	const char *own = strrchr(overlay, '/');
	size_t len;

	own = own ? own + 1 : overlay;
	len = strlen(own);
	if (strncmp(file, own, len) == 0 && file[len] == '.')
		file += len + 1;
	snprintf(l->name, sizeof l->name, "%s", file);
}

static void describe(const char *overlay, const char *file, struct ovl_file *f,
                     struct platter_overlay_layer *l)
{
	name_layer(overlay, file, l);
	if (count_blocks(f->io, &f->h, &l->blocks) != 0)
		l->blocks = 0;
	l->bytes_on_disk = (uint64_t)f->st.st_blocks * 512;
	l->created = (int64_t)(le64_get(f->h.created_ns) / 1000000000u);
}

/* The layers below, the uppermost first; what is wrong with one is said by look_at_base. */
static void look_at_layers(const char *overlay, const struct ovl_header *top,
                           struct platter_overlay_status *st)
{
	struct ovl_header h = *top;

	while (h.parent[0] && st->nlayers < PLATTER_LAYERS_MAX) {
		struct platter_overlay_layer *l = &st->layers[st->nlayers];
		struct ovl_file f;
		char *path;

		if (overlay_parent_open(overlay, &h, OVL_LOCK_NONE, &path, &f, NULL) != 0)
			break;
		free(path);
		describe(overlay, h.parent, &f, l);
		h = f.h;
		st->nlayers++;
		ovl_file_close(&f);
	}
}

/* Snapshots from before a rollback, say: what they are is told as far as they can be read. */
static void look_at_others(const char *overlay, const struct ovl_file *top,
                           struct platter_overlay_status *st)
{
	struct family family;

	if (family_read(overlay, top, &family, NULL) != 0)
		return;
	for (size_t i = family.below; i < family.count && st->nothers < PLATTER_LAYERS_MAX; i++) {
		const struct family_member *m = &family.members[i];
		struct ovl_file f;

		if (m->h.state != OVL_SEALED ||
		    ovl_file_open(m->path, OVL_LOCK_NONE, 0, &f, NULL) != 0)
			continue;
		describe(overlay, strrchr(m->path, '/') + 1, &f, &st->others[st->nothers++]);
		ovl_file_close(&f);
	}
	family_free(&family);
}

static int read_file(const char *path, struct ovl_file *f, struct platter_overlay_status *st,
                     struct platter_error *err)
{
	const struct ovl_header *h = &f->h;
	int r = count_blocks(f->io, h, &st->blocks);

	if (r)
		return err_set(err, -r, "the map cannot be read: %s", strerror(-r));
	look_at_layers(path, h, st);
	if (h->state != OVL_SEALED)
		look_at_others(path, f, st);
	st->in_use = ovl_file_locked(f);
	memcpy(st->base, h->hint, le16_get(h->hint_len));
	st->pid = h->state == OVL_OPEN ? le32_get(h->pid) : 0;
	st->clean = h->state != OVL_OPEN;
	st->frozen = h->state == OVL_SEALED;
	st->committing = le32_get(h->incompat) & OVL_INCOMPAT_COMMITTING;
	st->virtual_size = le64_get(h->virtual_size);
	st->block_size = OVL_BLOCK;
	st->bytes_on_disk = (uint64_t)f->st.st_blocks * 512;
	st->created = (int64_t)(le64_get(h->created_ns) / 1000000000u);
	st->opened = (int64_t)(le64_get(h->opened_ns) / 1000000000u);
	/* The clean mark is the last thing that is written. */
	st->closed = st->clean ? f->st.st_mtim.tv_sec : 0;
	return 0;
}

int platter_overlay_get_status(const char *path, struct platter_overlay_status *st,
                               struct platter_error *err)
{
	char *real = realpath(path, NULL);
	struct ovl_file f = {.fd = -1};
	int r;

	memset(st, 0, sizeof *st);
	if (!real)
		r = err_set(err, errno, "%s", strerror(errno));
	else
		r = ovl_file_open(real, OVL_LOCK_NONE, 0, &f, err);
	if (!r)
		r = read_file(real, &f, st, err);
	ovl_file_close(&f);
	if (!r)
		look_at_base(real, st);
	free(real);
	if (r)
		err_prefix(err, "%s", path);
	return r;
}
