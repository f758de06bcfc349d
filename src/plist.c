/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "plist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int plist_begin(struct plist *p, const void *bytes, size_t len, struct platter_error *err)
{
	int r;

	*p = (struct plist){0};
	xml_begin(&p->xml, bytes, len);
	r = xml_next(&p->xml, err);
	if (r < 0)
		return r;
	return xml_is(&p->xml, "plist") ? 0
	                                : err_set(err, EINVAL, "XML, but no property list in it");
}

/* The element that has just begun holds text or nothing; its end is passed. */
static int leaf(struct plist *p, int token, struct platter_error *err)
{
	int r = xml_next(&p->xml, err);

	p->text = (struct xml_slice){"", 0};
	if (r == XML_TEXT) {
		p->text = p->xml.text;
		r = xml_next(&p->xml, err);
	}
	if (r < 0)
		return r;
	return r == XML_END ? token
	                    : err_set(err, EINVAL, "property list: elements inside a value");
}

int plist_next(struct plist *p, struct platter_error *err)
{
	static const struct {
		const char *name;
		int token;
	} leaves[] = {
		{"key", PLIST_KEY},    {"string", PLIST_STRING}, {"integer", PLIST_INTEGER},
		{"data", PLIST_DATA},  {"true", PLIST_TRUE},     {"false", PLIST_FALSE},
		{"date", PLIST_OTHER}, {"real", PLIST_OTHER},
	};
	int r = xml_next(&p->xml, err);

	if (r < 0)
		return r;
	if (r == XML_TEXT)
		return err_set(err, EINVAL, "property list: text between values");
	if (r == XML_DONE)
		return PLIST_DONE;
	if (r == XML_END) /* that of <plist> itself is not told */
		return xml_is(&p->xml, "plist") ? plist_next(p, err) : PLIST_END;
	if (xml_is(&p->xml, "dict"))
		return PLIST_DICT;
	if (xml_is(&p->xml, "array"))
		return PLIST_ARRAY;
	for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
		if (xml_is(&p->xml, leaves[i].name))
			return leaf(p, leaves[i].token, err);
	return err_set(err, EINVAL, "property list: an element of a kind that is not known");
}

bool plist_is(const struct plist *p, const char *text)
{
	return p->text.len == strlen(text) && memcmp(p->text.p, text, p->text.len) == 0;
}

int plist_skip(struct plist *p, int token, struct platter_error *err)
{
	if (token != PLIST_DICT && token != PLIST_ARRAY)
		return token < 0 ? token : 0;
	return xml_skip(&p->xml, err);
}

int plist_string(const struct plist *p, char *out, size_t size, struct platter_error *err)
{
	return xml_unescape(p->text, out, size, err);
}

int plist_integer(const struct plist *p, uint64_t *out, struct platter_error *err)
{
	char text[24], *end;
	int r = xml_unescape(p->text, text, sizeof text, err);

	if (r)
		return r;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno)
		return err_set(err, EINVAL, "property list: an integer that is none");
	return 0;
}

/* The six bits of a base64 digit (RFC 4648, section 4), -1 for anything else. */
static int digit(unsigned char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+'             ? 62
	       : c == '/'             ? 63
	                              : -1;
}

static int decode(struct xml_slice in, uint8_t *out, size_t *len)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0, i;

	for (i = 0; i < in.len && in.p[i] != '='; i++) {
		unsigned char c = (unsigned char)in.p[i];
		int d = digit(c);

		if (d < 0) {
			if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
				return -EINVAL;
			continue;
		}
		bits = bits << 6 | (unsigned)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	/* After the padding nothing but padding and white space. */
	for (; i < in.len; i++)
		if (!strchr("= \t\r\n", in.p[i]) || !in.p[i])
			return -EINVAL;
	*len = n;
	return have < 6 ? 0 : -EINVAL;
}

int plist_data(const struct plist *p, uint8_t **out, size_t *len, struct platter_error *err)
{
	*len = 0;
	*out = malloc(p->text.len / 4 * 3 + 3);
	if (!*out)
		return err_set(err, ENOMEM, "no memory");
	if (decode(p->text, *out, len) != 0) {
		free(*out);
		*out = NULL;
		return err_set(err, EINVAL, "property list: data that is no base64");
	}
	return 0;
}
