/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Error messages of everything that opens, probes or scans. The data path (pread, pwrite, map)
 * returns only -errno.
 *
 * A message says what was found and what was expected, with both numbers; who opened the image
 * puts its name in front. Functions that take a struct platter_error never look at what it held,
 * set it exactly when they fail, and return -errno then.
 */
#ifndef PLATTER_ERR_H
#define PLATTER_ERR_H

#include "platter.h"

/* Set the message and return -code (code: a positive errno). err may be NULL. */
int err_set(struct platter_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "PREFIX: " before the message. err may be NULL. */
void err_prefix(struct platter_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
