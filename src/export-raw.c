/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Byte for byte, but zeros become holes. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "export.h"
#include "ondisk.h"

/* Zeros are left out in units that filesystems allocate by. */
#define HOLE ((size_t)4096)

/* Write what is not zero: the file is a single hole to begin with. */
static int write_sparse(struct export_job *x, const char *buf, size_t len, uint64_t off)
{
	int r = 0;

	for (size_t at = 0, n; at < len && !r; at += n) {
		bool zero = export_zero(buf + at, min64(HOLE, len - at));

		for (n = HOLE; n < len - at; n += HOLE)
			if (export_zero(buf + at + n, min64(HOLE, len - at - n)) != zero)
				break;
		n = min64(n, len - at);
		if (!zero)
			r = export_write(x, buf + at, n, off + at);
	}
	return r;
}

int export_raw(struct export_job *x)
{
	uint64_t size = x->from->size, off = 0;
	size_t n;
	int r;

	if (ftruncate(x->fd, (off_t)size) < 0)
		return err_set(x->err, errno, "%s: cannot be made of %llu bytes: %s", x->dst,
		               (unsigned long long)size, strerror(errno));
	while (!(r = export_next(x, off, &off, &n)) && n) {
		n = (size_t)min64(n, size - off);
		r = export_read(x, x->from, x->buf, n, off);
		if (!r)
			r = write_sparse(x, x->buf, n, off);
		if (r)
			return r;
		off += n;
	}
	return r;
}
