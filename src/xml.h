/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pull tokenizer for the XML that disk images hold: elements, attributes and text (XML 1.0, fifth
 * edition, in UTF-8). Comments, processing instructions and the document type are skipped; nothing
 * is ever fetched or expanded but the five entities that XML itself defines. CDATA sections, which
 * no image has, are refused.
 *
 * It takes time and no memory in proportion to the text, which stays where it is: names and text
 * are slices of it.
 */
#ifndef PLATTER_XML_H
#define PLATTER_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* Elements in elements. */
#define XML_DEPTH_MAX 32

enum xml_token {
	XML_START, /* .text is the element's name; an empty one, <a/>, ends right afterwards */
	XML_END,   /* .text is its name again */
	XML_TEXT,  /* .text is what stands between two tags, and is not only white space */
	XML_DONE,  /* the root element has ended */
};

struct xml_slice {
	const char *p;
	size_t len;
};

struct xml {
	struct xml_slice text; /* of the token */

	/* Private. */
	const char *begin, *at, *end;
	struct xml_slice attributes, names[XML_DEPTH_MAX];
	unsigned depth;
	bool empty, started;
};

/* text is borrowed. */
void xml_begin(struct xml *x, const void *text, size_t len);

/* The next token, an enum xml_token, or -EINVAL with what is wrong and where. */
int xml_next(struct xml *x, struct platter_error *err);

/* Whether the token's text is exactly that. */
bool xml_is(const struct xml *x, const char *text);

/* After XML_START: pass over everything in the element, its end included. 0 or -errno. */
int xml_skip(struct xml *x, struct platter_error *err);

/*
 * After XML_START of an element that holds only text: that text, entities resolved and white space
 * around it left out, "" for an empty one; the element's end is passed. Text that is longer than
 * size - 1 bytes, no UTF-8 or not alone in its element is an error.
 */
int xml_content(struct xml *x, char *out, size_t size, struct platter_error *err);

/* The same of a slice. */
int xml_unescape(struct xml_slice text, char *out, size_t size, struct platter_error *err);

/* After XML_START: the value of an attribute; "" when the element has none of that name. */
int xml_attribute(const struct xml *x, const char *name, char *out, size_t size,
                  struct platter_error *err);

#endif
