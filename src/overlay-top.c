/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "overlay-top.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "newfile.h"

/* Snapshots that are kept beside each other; a folder of more is somebody else's. */
#define MEMBERS_MAX 1024

static int add(struct family *f, const char *path, const struct ovl_header *h)
{
	struct family_member *grown = reallocarray(f->members, f->count + 1, sizeof *grown);
	char *copy = strdup(path);

	if (grown)
		f->members = grown;
	if (!grown || !copy) {
		free(copy);
		return -ENOMEM;
	}
	f->members[f->count++] = (struct family_member){.path = copy, .h = *h};
	return 0;
}

/*
 * Look at one name in the folder. What is no overlay, or cannot be looked at by this user, is no
 * relative. One that was cut is: what it stands on must not be removed. Trouble of the system is
 * passed on, since who cannot see the relatives had better do nothing.
 */
static int consider(struct family *f, const char *folder, const char *name,
                    const struct ovl_file *of)
{
	struct ovl_file m;
	char *path;
	int r = 0;

	if (f->count >= MEMBERS_MAX)
		return -EOVERFLOW;
	if (asprintf(&path, "%s%s", folder, name) < 0)
		return -ENOMEM;
	r = ovl_file_open_cut(path, OVL_LOCK_NONE, 0, &m, NULL);
	if (!r) {
		if (memcmp(&m.h.base.seed, &of->h.base.seed, sizeof m.h.base.seed) == 0 &&
		    (m.st.st_ino != of->st.st_ino || m.st.st_dev != of->st.st_dev))
			r = add(f, path, &m.h);
		ovl_file_close(&m);
	} else if (r != -ENOMEM && r != -EMFILE && r != -ENFILE && r != -EIO) {
		r = 0;
	}
	free(path);
	return r;
}

/* A copy of a layer has its uuid as well; the name that was written down tells them apart. */
static bool stands_on(const struct ovl_header *child, const char *path, const uint8_t uuid[16])
{
	const char *slash = strrchr(path, '/');

	return strcmp(child->parent, slash ? slash + 1 : path) == 0 &&
	       memcmp(child->parent_uuid, uuid, sizeof child->parent_uuid) == 0;
}

/* Bring those below to the front, in their order. */
static void sort_below(struct family *f, const struct ovl_header *h)
{
	const struct ovl_header *child = h;

	for (size_t i = f->below; child->parent[0] && i < f->count; i++) {
		struct family_member m = f->members[i];

		if (!stands_on(child, m.path, m.h.uuid))
			continue;
		m.below = true;
		f->members[i] = f->members[f->below];
		f->members[f->below] = m;
		child = &f->members[f->below].h;
		i = f->below++;
	}
}

int family_read(const char *path, const struct ovl_file *of, struct family *f,
                struct platter_error *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = strndup(path, slash ? (size_t)(slash + 1 - path) : 0);
	DIR *dir = folder ? opendir(*folder ? folder : ".") : NULL;
	struct dirent *ent;
	int r = dir ? 0 : -errno;

	*f = (struct family){0};
	while (!r && (errno = 0, ent = readdir(dir)))
		if (ent->d_type == DT_REG || ent->d_type == DT_UNKNOWN)
			r = consider(f, folder, ent->d_name, of);
	if (!r && dir && errno)
		r = -errno;
	if (dir)
		closedir(dir);
	free(folder);
	if (r) {
		family_free(f);
		return err_set(err, -r, "the layers beside it: %s", strerror(-r));
	}
	sort_below(f, &of->h);
	return 0;
}

void family_free(struct family *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->members[i].path);
	free(f->members);
	*f = (struct family){0};
}

const struct family_member *family_child(const struct family *f, const char *path,
                                         const uint8_t uuid[16])
{
	for (size_t i = 0; i < f->count; i++)
		if (f->members[i].path && stands_on(&f->members[i].h, path, uuid))
			return &f->members[i];
	return NULL;
}

/* Remove one that nothing stands on any more. */
static int remove_member(struct family_member *m, struct platter_error *err)
{
	if (unlink(m->path) < 0 && errno != ENOENT)
		return err_set(err, errno, "%s: %s", m->path, strerror(errno));
	newfile_sync_folder(m->path);
	free(m->path);
	m->path = NULL;
	return 0;
}

int family_remove(struct family *f, const char *prefix, struct platter_error *err)
{
	size_t len = prefix ? strlen(prefix) : 0;
	bool removed = true;
	int r = 0;

	/* Children come before their parents, however they are listed. */
	while (removed && !r) {
		removed = false;
		for (size_t i = 0; i < f->count && !r; i++) {
			struct family_member *m = &f->members[i];

			if (!m->path || family_child(f, m->path, m->h.uuid) ||
			    !(prefix ? strncmp(m->path, prefix, len) == 0 &&
			                       (m->below || m->h.state == OVL_SEALED)
			             : m->below))
				continue;
			r = remove_member(m, err);
			removed = true;
		}
	}
	return r;
}

/* ---- the top ---- */

static int check_allowed(const struct ovl_header *h, unsigned allow, struct platter_error *err)
{
	if (h->state == OVL_SEALED && !(allow & OVL_TOP_FROZEN))
		return err_set(err, EROFS, "is a frozen layer itself");
	if ((le32_get(h->incompat) & OVL_INCOMPAT_COMMITTING) && !(allow & OVL_TOP_COMMITTING))
		return err_set(err, EROFS,
		               "a commit of it was interrupted: platter commit finishes it");
	return 0;
}

int ovl_top_open(const char *path, unsigned allow, struct ovl_top *t, struct platter_error *err)
{
	int r;

	*t = (struct ovl_top){.path = realpath(path, NULL), .f.fd = -1};
	if (!t->path)
		return err_set(err, errno, "%s", strerror(errno));
	/* Nothing waits: who has it open has it for long. */
	r = ovl_file_open(t->path, OVL_LOCK_EXCLUSIVE, 0, &t->f, err);
	if (!r)
		r = check_allowed(&t->f.h, allow, err);
	if (!r)
		overlay_finish_snapshot(t->path, &t->f.h);
	return r;
}

int ovl_top_close(struct ovl_top *t, const char *path, int r, struct platter_error *err)
{
	ovl_file_close(&t->f);
	free(t->path);
	if (r)
		err_prefix(err, "%s", path);
	return r;
}

int ovl_top_start(struct ovl_top *t, struct dev *base, struct overlay **out,
                  struct platter_error *err)
{
	struct overlay_mode mode = {.read_only = true};

	return overlay_start_layered(t->path, &t->f, false, base, mode, NULL, out, err);
}
