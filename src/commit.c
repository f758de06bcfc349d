/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commit: the changes in an overlay go into its image, the one thing that ever writes to an
 * original. In this order, each step durable before the next:
 *
 *   1  the undo overlay, when wanted: what the image has where it is going to change
 *   2  the overlay's header: committing, and a fingerprint of the disk as the overlay shows it
 *   3  everything that the overlay holds, into the image
 *   4  the overlay is removed, then the layers that it stood on
 *
 * Cut off between 2 and 4, the image is part old, part new; but the overlay holds every block that
 * differs, so what it shows stays the same from 1 to 4. That is how an image that is being
 * committed to is known again, and why doing it all once more finishes it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "newfile.h"
#include "overlay-top.h"

struct commit {
	struct ovl_top top;
	struct family family;
	struct platter *p; /* the image, seen through the overlay */
	struct dev *target;
	int fd; /* target's */
	bool resumed;
	uint8_t merged[32]; /* fingerprint of what the overlay shows */
};

static int check_relatives(struct commit *c, struct platter_error *err)
{
	int r = family_read(c->top.path, &c->top.f, &c->family, err);

	/* Where a commit was cut off, it is too late to ask. */
	if (!r && !c->resumed && c->family.count > c->family.below)
		return err_set(err, EBUSY,
		               "%s does not lie below it and would not fit the image any more; "
		               "platter discard removes it",
		               c->family.members[c->family.below].path);
	return r;
}

/* The image for writing, the very file that was opened for reading. */
static int open_target(struct commit *c, struct platter_error *err)
{
	struct stat st, now;
	int flags = O_RDWR | O_CLOEXEC | O_NOCTTY, r;

	if (fstat(dev_file_fd(image_file(c->p->container, 0)), &st) < 0)
		return err_set(err, errno, "%s", strerror(errno));
	/* A block device that is mounted says EBUSY. */
	c->fd = open(c->p->path, S_ISBLK(st.st_mode) ? flags | O_EXCL : flags);
	if (c->fd < 0)
		return err_set(err, errno, "%s cannot be written to: %s", c->p->path,
		               strerror(errno));
	if (fstat(c->fd, &now) < 0 || now.st_ino != st.st_ino || now.st_dev != st.st_dev)
		return err_set(err, ESTALE, "%s was replaced meanwhile", c->p->path);
	r = dev_target(c->fd, c->p->image->size, &c->target);
	return r ? err_set(err, -r, "no memory") : 0;
}

static int prepare(struct commit *c, const char *image, struct platter_error *err)
{
	/* The lock is the top's already. */
	struct platter_options opt = {.overlay = c->top.path,
	                              .overlay_ro = true,
	                              .overlay_live = true};
	int r = platter_open(image, &opt, &c->p, err);

	if (!r && strcmp(c->p->format_name, "raw") != 0)
		r = err_set(err, ENOTSUP,
		            "%s: a commit writes to raw images only, this one is in %s format; "
		            "platter export makes a copy",
		            image, c->p->format_name);
	if (!r)
		r = overlay_base_become_writer(c->p->base_id, err);
	if (!r)
		r = open_target(c, err);
	if (!r) {
		r = overlay_fingerprint(overlay_dev(c->p->overlay), le64_get(c->top.f.h.base.seed),
		                        c->merged);
		if (r)
			err_set(err, -r, "the disk cannot be fingerprinted: %s", strerror(-r));
	}
	c->resumed = le32_get(c->top.f.h.incompat) & OVL_INCOMPAT_COMMITTING;
	return r ? r : check_relatives(c, err);
}

/* ---- undo ---- */

/* The number of the overlay's header before the commit marked it. */
static uint64_t unmarked_hseq(const struct commit *c)
{
	return le64_get(c->top.f.h.hseq) - c->resumed;
}

/*
 * Whether h is an undo of this very commit, made when the overlay held what it holds now, and never
 * used since. No fingerprint would do: a write may be where it does not look.
 */
static bool is_undo(const struct commit *c, const struct ovl_header *h)
{
	return !h->parent[0] && le64_get(h->base.ino) == 0 &&
	       memcmp(h->parent_uuid, c->top.f.h.uuid, sizeof h->parent_uuid) == 0 &&
	       le64_get(h->parent_hseq) == unmarked_hseq(c);
}

/* It is for the image as it will be. Times and inode are left out: they are of a moment to come. */
static int describe_undo(struct commit *c, struct ovl_header *h)
{
	const struct ovl_base *base = &c->top.f.h.base;

	h->base.virtual_size = base->virtual_size;
	h->base.file_size = base->file_size;
	h->base.format = base->format;
	ovl_header_set_hint(h, c->p->path);
	memcpy(h->parent_uuid, c->top.f.h.uuid, sizeof h->parent_uuid);
	h->parent_hseq = le64_put(unmarked_hseq(c));
	return overlay_fingerprint(overlay_dev(c->p->overlay), le64_get(h->base.seed),
	                           h->base.quick);
}

static int write_undo(struct commit *c, struct newfile *n, const struct platter_progress *progress,
                      struct platter_error *err)
{
	struct ovl_header h;
	int r = ovl_header_init(&h, c->p->image->size, err);

	if (r)
		return r;
	r = describe_undo(c, &h);
	if (r)
		return err_set(err, -r, "the disk cannot be fingerprinted: %s", strerror(-r));
	r = overlay_copy_to_file(c->p->overlay, c->p->image, n->fd, &h, c->p->image, progress, err);
	if (r)
		err_prefix(err, "%s", n->path);
	return r;
}

static int make_undo(struct commit *c, const char *path, const struct platter_progress *progress,
                     struct platter_error *err)
{
	struct ovl_header h;
	struct newfile n;
	int r;

	/* Of a commit that was cut off. */
	if (overlay_peek(path, &h, NULL) == 0 && is_undo(c, &h))
		return 0;
	if (c->resumed)
		return err_set(err, ENOENT,
		               "the commit that was interrupted has no undo in %s, and what the "
		               "image held is overwritten in part",
		               path);
	r = newfile_open(path, OVL_FILE_MODE, &n, err);
	if (!r)
		r = write_undo(c, &n, progress, err);
	if (!r)
		r = newfile_place(&n, false, err);
	newfile_drop(&n);
	return r;
}

/* ---- the commit ---- */

static int mark(struct commit *c, struct platter_error *err)
{
	struct ovl_header *h = &c->top.f.h;
	int r;

	h->incompat = le32_put(le32_get(h->incompat) | OVL_INCOMPAT_COMMITTING);
	memcpy(h->merged, c->merged, sizeof h->merged);
	r = ovl_file_put_header(&c->top.f);
	return r ? err_set(err, -r, "its header cannot be written: %s", strerror(-r)) : 0;
}

static int write_image(struct commit *c, const struct platter_progress *progress,
                       struct platter_error *err)
{
	struct overlay *o = c->p->overlay;
	int r = overlay_copy(o, overlay_dev(o), c->target, progress);

	if (!r)
		r = dev_flush(c->target);
	return r ? err_set(err, -r,
	                   "writing to %s: %s; what the overlay shows is whole, and a commit of it "
	                   "can be run again",
	                   c->p->path, strerror(-r))
	         : 0;
}

static int remove_overlay(struct commit *c, struct platter_error *err)
{
	if (unlink(c->top.path) < 0)
		return err_set(err, errno, "cannot be removed: %s", strerror(errno));
	/* Come back after a power cut, it would need its layers. */
	if (newfile_sync_folder(c->top.path) != 0)
		return err_set(err, EIO, "its removal cannot be made durable");
	return family_remove(&c->family, NULL, err);
}

static int run(struct commit *c, const char *image, const char *undo,
               const struct platter_progress *progress, struct platter_error *err)
{
	int r = prepare(c, image, err);

	if (!r && undo)
		r = make_undo(c, undo, progress, err);
	if (!r && !c->resumed)
		r = mark(c, err);
	if (!r)
		r = write_image(c, progress, err);
	return r ? r : remove_overlay(c, err);
}

int platter_overlay_commit(const char *path, const char *image, const char *undo,
                           const struct platter_progress *progress, struct platter_error *err)
{
	struct commit c = {.fd = -1};
	int r = ovl_top_open(path, OVL_TOP_COMMITTING, &c.top, err);

#ifndef HAVE_LIBCRYPTO
	if (!r)
		r = err_set(err, ENOTSUP,
		            "this build has no libcrypto (Debian: libssl-dev), without which a "
		            "commit that was cut off could not be told from a changed image");
#endif
	if (!r)
		r = run(&c, image, undo, progress, err);
	dev_unref(c.target);
	if (c.fd >= 0 && close(c.fd) < 0 && !r)
		r = err_set(err, errno, "%s: %s", image, strerror(errno));
	platter_abandon(c.p);
	family_free(&c.family);
	return ovl_top_close(&c.top, path, r, err);
}
