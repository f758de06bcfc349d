/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of an overlay. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "newfile.h"
#include "overlay-top.h"
#include "platter.h"

/* Also asked of one that is not frozen: a snapshot that was cut off left its layer so. */
static int check_needed(const struct ovl_top *t, const struct family *family,
                        struct platter_error *err)
{
	const struct family_member *m = family_child(family, t->path, t->f.h.uuid);

	return m ? err_set(err, EBUSY, "%s stands on it", m->path) : 0;
}

static int discard(struct ovl_top *t, struct platter_error *err)
{
	bool frozen = t->f.h.state == OVL_SEALED;
	struct family family;
	char *prefix = NULL;
	int r = family_read(t->path, &t->f, &family, err);

	if (!r)
		r = check_needed(t, &family, err);
	if (!r && asprintf(&prefix, "%s.", t->path) < 0) {
		prefix = NULL;
		r = err_set(err, ENOMEM, "no memory");
	}
	/* The one that is written goes first: cut off here, layers are left that hurt nobody. */
	if (!r && unlink(t->path) < 0)
		r = err_set(err, errno, "%s", strerror(errno));
	if (!r)
		newfile_sync_folder(t->path);
	/* A frozen layer goes alone. */
	if (!r && !frozen)
		r = family_remove(&family, prefix, err);
	free(prefix);
	family_free(&family);
	return r;
}

int platter_overlay_discard(const char *path, struct platter_error *err)
{
	struct ovl_top t;
	struct stat st;
	int r = ovl_top_open(path, OVL_TOP_FROZEN, &t, err);

	if (!r && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		r = err_set(err, EINVAL, "is a symbolic link");
	if (!r)
		r = discard(&t, err);
	return ovl_top_close(&t, path, r, err);
}
