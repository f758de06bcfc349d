/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "windows-parent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

void windows_parent_offer(struct windows_parent *parent, const char *ref)
{
	char plain[sizeof parent->ref];
	bool usable;

	text_plain(ref, strlen(ref), plain, sizeof plain);
	usable = strcmp(ref, plain) == 0;
	if (strncmp(ref, ".\\", 2) == 0 || strncmp(ref, "./", 2) == 0)
		ref += 2;
	usable = usable && *ref && (*ref == '/' || !strpbrk(ref, "/\\:"));
	if (*plain == '\0' || parent->usable || (*parent->ref && !usable))
		return;
	parent->usable = usable;
	snprintf(parent->ref, sizeof parent->ref, "%s", usable ? ref : plain);
}

int windows_parent_open(struct image *image, const struct windows_parent *parent,
                        const char *format, struct platter_error *err)
{
	if (parent->ref[0] == '\0')
		return err_set(err, EINVAL, "a differencing disk that does not name its parent");
	if (!parent->usable)
		return err_set(err, EPERM,
		               "parent \"%s\": a path; only a plain name in the image's folder, or "
		               "in that of --chain=DIR, is opened",
		               parent->ref);
	return image_open_parent(image, "parent", parent->ref, format, err);
}
