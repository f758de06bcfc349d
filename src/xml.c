/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "xml.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "text.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.' || c == ':' || (unsigned char)c >= 0x80;
}

static int broken(const struct xml *x, const char *what, struct platter_error *err)
{
	return err_set(err, EINVAL, "XML: %s at byte %zu", what, (size_t)(x->at - x->begin));
}

void xml_begin(struct xml *x, const void *text, size_t len)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (len == 0)
		text = ""; /* a table of no bytes is NULL */
	*x = (struct xml){.begin = text, .at = text, .end = (const char *)text + len};
	if (len >= 3 && memcmp(text, mark, 3) == 0)
		x->at += 3;
}

static size_t left(const struct xml *x)
{
	return (size_t)(x->end - x->at);
}

static bool looking_at(const struct xml *x, const char *s)
{
	size_t n = strlen(s);

	return left(x) >= n && memcmp(x->at, s, n) == 0;
}

/* Go behind the next `what`. */
static int pass(struct xml *x, const char *what, struct platter_error *err)
{
	const char *found = memmem(x->at, left(x), what, strlen(what));

	if (!found)
		return broken(x, "something that begins and does not end", err);
	x->at = found + strlen(what);
	return 0;
}

/* <!DOCTYPE name "..." [ declarations ]>: to the > that stands in no quotes and no brackets. */
static int pass_doctype(struct xml *x, struct platter_error *err)
{
	unsigned brackets = 0;
	char quote = 0;

	for (const char *p = x->at; p < x->end; p++) {
		if (quote)
			quote = *p == quote ? 0 : quote;
		else if (*p == '"' || *p == '\'')
			quote = *p;
		else if (*p == '[')
			brackets++;
		else if (*p == ']' && brackets)
			brackets--;
		else if (*p == '>' && !brackets) {
			x->at = p + 1;
			return 0;
		}
	}
	return broken(x, "a document type that does not end", err);
}

static struct xml_slice take_name(struct xml *x)
{
	const char *p = x->at;

	while (x->at < x->end && is_name(*x->at))
		x->at++;
	return (struct xml_slice){p, (size_t)(x->at - p)};
}

static void pass_space(struct xml *x)
{
	while (x->at < x->end && is_space(*x->at))
		x->at++;
}

static int end_tag(struct xml *x, struct platter_error *err)
{
	struct xml_slice name, open;

	x->at += 2;
	name = take_name(x);
	pass_space(x);
	if (x->depth == 0)
		return broken(x, "an end without a beginning", err);
	open = x->names[x->depth - 1];
	if (name.len != open.len || memcmp(name.p, open.p, name.len) != 0 || !looking_at(x, ">"))
		return broken(x, "the end of another element than the one that began", err);
	x->at++;
	x->depth--;
	x->text = name;
	return XML_END;
}

/* The attributes stand between the name and the > or />, which quotes may hold as well. */
static int start_tag(struct xml *x, struct platter_error *err)
{
	const char *p;
	char quote = 0;

	x->at++;
	x->text = take_name(x);
	if (x->text.len == 0)
		return broken(x, "an element without a name", err);
	if (x->depth == XML_DEPTH_MAX)
		return broken(x, "elements more than 32 deep", err);
	for (p = x->at; p < x->end && (quote || *p != '>'); p++) {
		if (quote)
			quote = *p == quote ? 0 : quote;
		else if (*p == '"' || *p == '\'')
			quote = *p;
		else if (*p == '<')
			break;
	}
	if (p == x->end || *p != '>')
		return broken(x, "a tag that does not end", err);
	x->empty = p > x->at && p[-1] == '/';
	x->attributes = (struct xml_slice){x->at, (size_t)(p - x->at) - x->empty};
	x->names[x->depth++] = x->text;
	x->at = p + 1;
	x->started = true;
	return XML_START;
}

static int markup(struct xml *x, struct platter_error *err)
{
	if (looking_at(x, "</"))
		return end_tag(x, err);
	if (x->started && x->depth == 0)
		return broken(x, "a second root element", err);
	return start_tag(x, err);
}

static int text(struct xml *x, struct platter_error *err)
{
	const char *next = memchr(x->at, '<', left(x)), *p = x->at;

	if (!next)
		return broken(x, "text that no tag follows", err);
	if (x->depth == 0)
		return broken(x, "text outside of any element", err);
	x->text = (struct xml_slice){p, (size_t)(next - p)};
	x->at = next;
	return XML_TEXT;
}

/* What stands here that is no token: 1 when it was passed, 0 when there is none, or -errno. */
static int pass_over(struct xml *x, struct platter_error *err)
{
	int r;

	if (looking_at(x, "<!--"))
		r = pass(x, "-->", err);
	else if (looking_at(x, "<?"))
		r = pass(x, "?>", err);
	else if (looking_at(x, "<!DOCTYPE") && !x->started)
		r = pass_doctype(x, err);
	else if (looking_at(x, "<!"))
		r = broken(x, "a declaration or CDATA section", err);
	else
		return 0;
	return r ? r : 1;
}

int xml_next(struct xml *x, struct platter_error *err)
{
	int r;

	if (x->empty) {
		x->empty = false;
		x->depth--;
		return XML_END; /* .text is still its name */
	}
	for (;;) {
		const char *p = x->at;

		pass_space(x);
		if (x->at == x->end) {
			if (x->started && x->depth == 0)
				return XML_DONE;
			return broken(x, x->started ? "it ends too early" : "no element", err);
		}
		r = pass_over(x, err);
		if (r < 0)
			return r;
		if (r)
			continue;
		if (*x->at == '<')
			return markup(x, err);
		x->at = p;
		return text(x, err);
	}
}

bool xml_is(const struct xml *x, const char *s)
{
	return x->text.len == strlen(s) && memcmp(x->text.p, s, x->text.len) == 0;
}

int xml_skip(struct xml *x, struct platter_error *err)
{
	unsigned outside = x->depth - 1;
	int r;

	do
		r = xml_next(x, err);
	while (r >= 0 && x->depth > outside);
	return r < 0 ? r : 0;
}

/* The character that the entity at the head of in stands for, 0 when it is none; *n: its length. */
static char entity(const char *in, size_t len, size_t *n)
{
	static const struct {
		const char *name;
		char c;
	} known[] = {
		{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		*n = strlen(known[i].name);
		if (*n <= len && memcmp(in, known[i].name, *n) == 0)
			return known[i].c;
	}
	return 0;
}

int xml_unescape(struct xml_slice in, char *out, size_t size, struct platter_error *err)
{
	size_t used = 0, n;
	uint32_t point;

	while (in.len && is_space(in.p[in.len - 1]))
		in.len--;
	while (in.len && is_space(in.p[0])) {
		in.p++;
		in.len--;
	}
	while (in.len) {
		char c = in.p[0] == '&' ? entity(in.p, in.len, &n) : 0;

		if (in.p[0] == '&' && !c)
			return err_set(err, EINVAL, "XML: an entity that is not known");
		if (!c)
			n = text_utf8_decode(in.p, in.len, &point);
		if (n == 0 || in.p[0] == '\0')
			return err_set(err, EINVAL, "XML: text that is no UTF-8");
		if ((c ? 1 : n) >= size - used)
			return err_set(err, EINVAL, "XML: text of more than %zu bytes", size - 1);
		memcpy(out + used, c ? &c : in.p, c ? 1 : n);
		used += c ? 1 : n;
		in.p += n;
		in.len -= n;
	}
	out[used] = '\0';
	return 0;
}

int xml_content(struct xml *x, char *out, size_t size, struct platter_error *err)
{
	struct xml_slice in = {"", 0};
	int r = xml_next(x, err);

	if (r == XML_TEXT) {
		in = x->text;
		r = xml_next(x, err);
	}
	if (r < 0)
		return r;
	if (r != XML_END)
		return broken(x, "more than text in an element", err);
	return xml_unescape(in, out, size, err);
}

int xml_attribute(const struct xml *x, const char *name, char *out, size_t size,
                  struct platter_error *err)
{
	struct xml in = {.begin = x->begin,
	                 .at = x->attributes.p,
	                 .end = x->attributes.p + x->attributes.len};

	for (;;) {
		struct xml_slice value;
		const char *end;

		pass_space(&in);
		if (in.at == in.end)
			break;
		in.text = take_name(&in);
		pass_space(&in);
		if (in.text.len == 0 || !looking_at(&in, "="))
			return broken(&in, "an attribute without a value", err);
		in.at++;
		pass_space(&in);
		end = in.at < in.end && (*in.at == '"' || *in.at == '\'')
		              ? memchr(in.at + 1, *in.at, left(&in) - 1)
		              : NULL;
		if (!end)
			return broken(&in, "an attribute's value without quotes", err);
		value = (struct xml_slice){in.at + 1, (size_t)(end - in.at - 1)};
		in.at = end + 1;
		if (xml_is(&in, name))
			return xml_unescape(value, out, size, err);
	}
	out[0] = '\0';
	return 0;
}
