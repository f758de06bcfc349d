/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checkpoints. `OVERLAY` is always the layer that is written; a snapshot gives the file that it was
 * the name OVERLAY.NAME and puts a new, empty one in its place, at one stroke. Whatever is cut off
 * leaves the old state or the new one.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "newfile.h"
#include "overlay-top.h"
#include "platter.h"

static int layer_path(const char *real, const char *name, char **out, struct platter_error *err)
{
	const char *slash = strrchr(real, '/'), *own = slash ? slash + 1 : real;
	bool good = *name != '\0';

	*out = NULL;
	for (const char *p = name; *p; p++)
		good = good && *p != '/' && !iscntrl((unsigned char)*p);
	if (!good)
		return err_set(err, EINVAL, "'%s' cannot be the name of a snapshot", name);
	if (strlen(own) + 1 + strlen(name) >= OVL_PARENT_MAX)
		return err_set(err, ENAMETOOLONG,
		               "a layer named %s.%s has more than %u bytes in its name", own, name,
		               OVL_PARENT_MAX - 1);
	if (asprintf(out, "%s.%s", real, name) < 0) {
		*out = NULL;
		return err_set(err, ENOMEM, "no memory");
	}
	return 0;
}

/* A header for a new overlay on parent, which is frozen by header number hseq. */
static int init_child(struct ovl_header *h, const struct ovl_header *parent, uint64_t hseq,
                      const char *path, struct platter_error *err)
{
	uint32_t depth = le32_get(parent->depth) + 1;
	int r = ovl_header_init(h, le64_get(parent->virtual_size), err);

	if (r)
		return r;
	if (depth > OVL_DEPTH_MAX)
		return err_set(err, EMLINK,
		               "would have %u layers, at most %u; platter flatten merges them",
		               depth, OVL_DEPTH_MAX);
	ovl_header_inherit(h, parent);
	h->incompat = le32_put(le32_get(h->incompat) | OVL_INCOMPAT_LAYERED);
	h->depth = le32_put(depth);
	h->parent_hseq = le64_put(hseq);
	memcpy(h->parent_uuid, parent->uuid, sizeof h->parent_uuid);
	snprintf(h->parent, sizeof h->parent, "%s", strrchr(path, '/') + 1);
	return 0;
}

/* Give the top's file its second name. One that a snapshot was cut off after is taken up again. */
static int name_layer(const char *real, const char *layer, const struct stat *top,
                      struct platter_error *err)
{
	struct stat st;

	if (link(real, layer) < 0) {
		int r = errno;

		if (r != EEXIST)
			return err_set(err, r, "%s: %s", layer, strerror(r));
		if (lstat(layer, &st) < 0 || st.st_dev != top->st_dev || st.st_ino != top->st_ino)
			return err_set(err, EEXIST, "there is a %s already", layer);
	}
	/* Durable before the new one stands on it. */
	if (newfile_sync_folder(layer) != 0)
		return err_set(err, EIO, "%s: its name cannot be made durable", layer);
	return 0;
}

int platter_overlay_snapshot(const char *path, const char *name, struct platter_error *err)
{
	char *layer = NULL;
	struct ovl_header h;
	struct ovl_top t;
	int r = ovl_top_open(path, 0, &t, err);

	if (!r)
		r = layer_path(t.path, name, &layer, err);
	if (!r)
		r = init_child(&h, &t.f.h, le64_get(t.f.h.hseq) + 1, layer, err);
	if (!r)
		r = name_layer(t.path, layer, &t.f.st, err);
	if (!r)
		r = ovl_file_create(t.path, &h, true, err);
	if (!r) {
		/* Cut off before this, the layer is told by its header's number; see
		 * check_parent in overlay-layers.c. */
		t.f.h.state = OVL_SEALED;
		r = ovl_file_put_header(&t.f);
		if (r)
			err_set(err, -r, "%s: its header cannot be written: %s", layer,
			        strerror(-r));
	}
	free(layer);
	return ovl_top_close(&t, path, r, err);
}

/* The layer must be whole down to the image, or rolling back to it would lose what there is. */
static int check_chain(const char *path, const struct ovl_header *h, struct platter_error *err)
{
	struct ovl_file f;
	char *parent;
	int r;

	if (!h->parent[0])
		return 0;
	r = overlay_parent_open(path, h, OVL_LOCK_NONE, &parent, &f, err);
	if (r)
		return r;
	r = check_chain(parent, &f.h, err);
	ovl_file_close(&f);
	free(parent);
	return r;
}

static int roll_back(const char *real, const char *layer, const struct ovl_file *top,
                     struct platter_error *err)
{
	struct ovl_header h;
	struct ovl_file f;
	int r = ovl_file_open(layer, OVL_LOCK_SHARED, 0, &f, err);

	if (r) {
		err_prefix(err, "layer %s", layer);
		return r;
	}
	if (f.h.state != OVL_SEALED)
		r = err_set(err, EINVAL, "layer %s: was never frozen", layer);
	else if (memcmp(&f.h.base.seed, &top->h.base.seed, sizeof f.h.base.seed) != 0)
		r = err_set(err, ESTALE, "layer %s: belongs to another overlay", layer);
	if (!r)
		r = check_chain(layer, &f.h, err);
	if (!r)
		r = init_child(&h, &f.h, le64_get(f.h.hseq), layer, err);
	/* What is known of the image by now. */
	if (!r)
		h.base = top->h.base;
	if (!r)
		r = ovl_file_create(real, &h, true, err);
	ovl_file_close(&f);
	return r;
}

int platter_overlay_rollback(const char *path, const char *name, struct platter_error *err)
{
	char *layer = NULL;
	struct ovl_top t;
	int r = ovl_top_open(path, 0, &t, err);

	if (!r)
		r = layer_path(t.path, name, &layer, err);
	if (!r)
		r = roll_back(t.path, layer, &t.f, err);
	free(layer);
	return ovl_top_close(&t, path, r, err);
}
