/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing JSON: commas and escapes, nothing else. */
#ifndef PLATTER_JSON_H
#define PLATTER_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out; /* errors are found by ferror() at the end */
	bool more; /* the next member needs a comma */
};

/* key NULL: an element of an array (or the top). */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
/* Bytes that are not UTF-8 become U+FFFD; the second writes NULL and "" as null. */
void json_string(struct json *j, const char *key, const char *value);
void json_string_or_null(struct json *j, const char *key, const char *value);

#endif
