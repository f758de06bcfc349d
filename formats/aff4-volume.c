/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A volume of an AFF4 image: an archive, what it says of itself, and the names of its members. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aff4.h"

#define SMALL_MAX  ((size_t)4096)
#define TURTLE_MAX ((size_t)8 << 20)

/* The URN is the archive's comment, or a member of its own. */
static int read_urn(struct aff4_volume *v, struct platter_error *err)
{
	const char *from = v->zip.comment;
	char *loaded = NULL;
	size_t len;
	int r = 0;

	if (strncmp(from, "aff4://", 7) != 0) {
		r = aff4_zip_load(&v->zip, "container.description", SMALL_MAX, &loaded, &len, err);
		from = loaded;
	}
	if (!r) {
		len = strcspn(from, " \t\r\n");
		if (len >= sizeof v->urn)
			r = err_set(err, EINVAL,
			            "the name of the volume has %zu bytes, at most %zu", len,
			            sizeof v->urn - 1);
		else
			memcpy(v->urn, from, len);
	}
	free(loaded);
	return r;
}

/* version.txt: lines like "major=1". 1.1 is logical images, whose streams are the same. */
static int check_version(struct aff4_volume *v, struct platter_error *err)
{
	const char *major;
	char *text;
	size_t len;
	int r = aff4_zip_load(&v->zip, "version.txt", SMALL_MAX, &text, &len, err);

	if (r == -ENOENT)
		return err_set(
			err, EOPNOTSUPP,
			"AFF4 from before version 1.0 (no version.txt), which is not supported");
	if (r)
		return r;
	major = strstr(text, "major=");
	if (!major || strtoul(major + 6, NULL, 10) != 1)
		r = err_set(err, EOPNOTSUPP, "AFF4 version %.8s, expected 1",
		            major ? major + 6 : "that is not said");
	free(text);
	return r;
}

static int read_turtle(struct aff4_volume *v, struct platter_error *err)
{
	char *text;
	size_t len;
	int r = aff4_zip_load(&v->zip, "information.turtle", TURTLE_MAX, &text, &len, err);

	if (!r)
		r = aff4_graph_parse(text, len, &v->graph, err);
	free(text);
	return r;
}

int aff4_volume_open(struct dev *dev, struct aff4_volume *v, struct platter_error *err)
{
	int r;

	*v = (struct aff4_volume){0};
	r = aff4_zip_open(dev, &v->zip, err);
	if (!r)
		r = read_urn(v, err);
	if (!r)
		r = check_version(v, err);
	if (!r)
		r = read_turtle(v, err);
	if (r)
		aff4_volume_close(v);
	return r;
}

void aff4_volume_close(struct aff4_volume *v)
{
	aff4_zip_close(&v->zip);
	aff4_graph_free(&v->graph);
}

int aff4_member_name(const struct aff4_volume *v, const char *urn, const char *rest, char *out,
                     size_t size)
{
	size_t len = strlen(v->urn);
	int n;

	if (strncmp(urn, v->urn, len) == 0 && urn[len] == '/')
		n = snprintf(out, size, "%s%s", urn + len + 1, rest);
	else if (strncmp(urn, "aff4://", 7) == 0)
		n = snprintf(out, size, "aff4%%3A%%2F%%2F%s%s", urn + 7, rest);
	else
		return -ENOENT;
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}
