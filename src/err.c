/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct platter_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		err->code = code;
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof err->text, fmt, ap);
		va_end(ap);
	}
	return -code;
}

void err_prefix(struct platter_error *err, const char *fmt, ...)
{
	char text[sizeof err->text];
	va_list ap;
	int n;

	if (!err)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n + 3 > sizeof text)
		return;
	memcpy(text + n, ": ", 2);
	/* The end of a message that gets too long is cut. */
	n += 2;
	memcpy(text + n, err->text, sizeof text - (size_t)n);
	text[sizeof text - 1] = '\0';
	memcpy(err->text, text, sizeof text);
}
