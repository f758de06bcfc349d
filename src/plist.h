/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Property lists in XML (plist(5), PropertyList-1.0.dtd), token by token. A dict is keys and values
 * in turn; dicts and arrays in each other nest at most XML_DEPTH_MAX deep. Dates and reals come as
 * PLIST_OTHER: nothing in a disk image needs them.
 */
#ifndef PLATTER_PLIST_H
#define PLATTER_PLIST_H

#include <stddef.h>
#include <stdint.h>

#include "xml.h"

enum plist_token {
	PLIST_DICT,  /* begins; its members follow, then PLIST_END */
	PLIST_ARRAY, /* the same */
	PLIST_END,
	PLIST_KEY, /* with the functions below: its text */
	PLIST_STRING,
	PLIST_INTEGER,
	PLIST_DATA,
	PLIST_TRUE,
	PLIST_FALSE,
	PLIST_OTHER,
	PLIST_DONE,
};

struct plist {
	struct xml xml;
	struct xml_slice text; /* of a key or value, as it stands in the file */
};

/* bytes are borrowed. 0, or -EINVAL with a message when they are no property list. */
int plist_begin(struct plist *p, const void *bytes, size_t len, struct platter_error *err);

/* The next token, an enum plist_token, or -EINVAL with a message. */
int plist_next(struct plist *p, struct platter_error *err);

/* Whether the key or string just read is that. */
bool plist_is(const struct plist *p, const char *text);

/* Having just read token, what began a value: pass over what is left of it. */
int plist_skip(struct plist *p, int token, struct platter_error *err);

/* The text of a key or string; longer than size - 1 bytes is an error. */
int plist_string(const struct plist *p, char *out, size_t size, struct platter_error *err);

/* The value of an integer that is not negative. */
int plist_integer(const struct plist *p, uint64_t *out, struct platter_error *err);

/* The bytes of data, which the caller frees; never more than the text takes. */
int plist_data(const struct plist *p, uint8_t **out, size_t *len, struct platter_error *err);

#endif
