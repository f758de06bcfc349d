/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RDF 1.1 Turtle (W3C recommendation of 2014), as far as it is used to describe images: prefixes,
 * subjects with lists of predicates and objects, URIs, literals with types or languages, numbers.
 * No blank nodes with properties, no collections, no @base.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aff4.h"

/* A disk image has hundreds of lines; more would be a burden. */
#define TRIPLES_MAX  16384u
#define ARENA_MAX    ((size_t)16 << 20)
#define GROWTH       16u /* of the text, at most, when prefixes are written out */
#define PREFIXES_MAX 64u
#define URI_MAX      1024u

static const char rdf_type[] = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

struct prefix {
	const char *name; /* with its ":" */
	size_t len;
	const char *uri;
};

struct parser {
	const char *start, *p, *end;
	struct aff4_graph *g;
	struct prefix prefixes[PREFIXES_MAX];
	unsigned nprefixes;
};

/* ---- strings ---- */

/* Begin a string in the arena, with room for len bytes and a NUL. */
static char *room(struct parser *ps, size_t len)
{
	struct aff4_graph *g = ps->g;

	if (len >= g->room || g->used > g->room - len - 1)
		return NULL;
	return g->arena + g->used;
}

/* Keep what was put there. */
static const char *keep(struct parser *ps, char *s, size_t len)
{
	s[len] = '\0';
	ps->g->used += len + 1;
	return s;
}

static const char *copy(struct parser *ps, const char *a, size_t alen, const char *b, size_t blen)
{
	char *s = alen + blen > URI_MAX ? NULL : room(ps, alen + blen);

	if (!s)
		return NULL;
	memcpy(s, a, alen);
	memcpy(s + alen, b, blen);
	return keep(ps, s, alen + blen);
}

/* ---- tokens ---- */

static void skip_space(struct parser *ps)
{
	while (ps->p < ps->end) {
		if (*ps->p == '#')
			while (ps->p < ps->end && *ps->p != '\n')
				ps->p++;
		else if (!isspace((unsigned char)*ps->p))
			return;
		else
			ps->p++;
	}
}

/* Whether that character comes next; it is passed then. */
static bool take(struct parser *ps, char c)
{
	skip_space(ps);
	if (ps->p == ps->end || *ps->p != c)
		return false;
	ps->p++;
	return true;
}

/* A word: what is no punctuation. A dot belongs to it unless it ends it. */
static size_t word(const struct parser *ps)
{
	const char *p = ps->p;

	while (p < ps->end && !isspace((unsigned char)*p) && !strchr(";,<>\"'()[]#", *p)) {
		if (*p == '.' && (p + 1 == ps->end || isspace((unsigned char)p[1])))
			break;
		p++;
	}
	return (size_t)(p - ps->p);
}

static const char *uri(struct parser *ps)
{
	const char *from = ps->p;
	const char *close = memchr(from, '>', (size_t)(ps->end - from));

	if (!close)
		return NULL;
	ps->p = close + 1;
	return copy(ps, from, (size_t)(close - from), "", 0);
}

/* The URI that a word stands for; words without a known prefix stand for themselves (numbers). */
static const char *prefixed(struct parser *ps)
{
	const char *from = ps->p;
	size_t len = word(ps);

	if (len == 0)
		return NULL;
	ps->p += len;
	for (unsigned i = ps->nprefixes; i-- > 0;) {
		const struct prefix *x = &ps->prefixes[i];

		if (len >= x->len && memcmp(from, x->name, x->len) == 0)
			return copy(ps, x->uri, strlen(x->uri), from + x->len, len - x->len);
	}
	return copy(ps, from, len, "", 0);
}

static const char *name(struct parser *ps)
{
	skip_space(ps);
	return take(ps, '<') ? uri(ps) : prefixed(ps);
}

/* What is behind the opening quotes. Escapes lose their backslash, which is all that is needed. */
static const char *text(struct parser *ps, char quote)
{
	size_t left = (size_t)(ps->end - ps->p), n = 0;
	bool triple = left >= 2 && ps->p[0] == quote && ps->p[1] == quote;
	char *s = room(ps, left);

	if (!s)
		return NULL;
	ps->p += triple ? 2 : 0;
	for (; ps->p < ps->end; ps->p++) {
		if (*ps->p == quote &&
		    (!triple || (ps->end - ps->p >= 3 && ps->p[1] == quote && ps->p[2] == quote))) {
			ps->p += triple ? 3 : 1;
			return keep(ps, s, n);
		}
		if (*ps->p == '\\' && ps->end - ps->p > 1)
			ps->p++;
		s[n++] = *ps->p;
	}
	return NULL;
}

/* ---- statements ---- */

static bool object(struct parser *ps, struct aff4_triple *t)
{
	char quote;

	t->type = "";
	skip_space(ps);
	if (ps->p == ps->end)
		return false;
	quote = *ps->p;
	if (quote != '"' && quote != '\'') {
		t->object = name(ps);
		return t->object != NULL;
	}
	ps->p++;
	t->object = text(ps, quote);
	if (!t->object)
		return false;
	if (ps->end - ps->p >= 2 && ps->p[0] == '^' && ps->p[1] == '^') {
		ps->p += 2;
		t->type = name(ps);
	} else if (ps->p < ps->end && *ps->p == '@') {
		ps->p += word(ps);
	}
	return t->type != NULL;
}

static bool add(struct parser *ps, const struct aff4_triple *t)
{
	struct aff4_graph *g = ps->g;
	struct aff4_triple *more = g->triples;

	if (g->count == TRIPLES_MAX)
		return false;
	if ((g->count & (g->count - 1)) == 0)
		more = reallocarray(more, g->count ? g->count * 2 : 1, sizeof *more);
	if (!more)
		return false;
	g->triples = more;
	more[g->count++] = *t;
	return true;
}

static bool objects(struct parser *ps, struct aff4_triple *t)
{
	do
		if (!object(ps, t) || !add(ps, t))
			return false;
	while (take(ps, ','));
	return true;
}

static bool predicates(struct parser *ps, struct aff4_triple *t)
{
	do {
		t->predicate = name(ps);
		if (!t->predicate)
			return false;
		if (strcmp(t->predicate, "a") == 0)
			t->predicate = rdf_type;
		if (!objects(ps, t))
			return false;
		if (!take(ps, ';'))
			break;
		while (take(ps, ';'))
			;
		/* A ";" may stand before the "." too. */
		skip_space(ps);
	} while (ps->p == ps->end || *ps->p != '.');
	return take(ps, '.');
}

static bool directive(struct parser *ps)
{
	struct prefix *x = &ps->prefixes[ps->nprefixes];
	size_t len = word(ps);

	if (len != 7 || memcmp(ps->p, "@prefix", 7) != 0 || ps->nprefixes == PREFIXES_MAX)
		return false;
	ps->p += len;
	skip_space(ps);
	x->name = ps->p;
	x->len = word(ps);
	ps->p += x->len;
	if (x->len == 0 || x->name[x->len - 1] != ':' || !take(ps, '<'))
		return false;
	x->uri = uri(ps);
	ps->nprefixes++;
	return x->uri && take(ps, '.');
}

static bool statement(struct parser *ps)
{
	struct aff4_triple t = {0};

	if (*ps->p == '@')
		return directive(ps);
	t.subject = name(ps);
	return t.subject && predicates(ps, &t);
}

int aff4_graph_parse(const char *bytes, size_t len, struct aff4_graph *g, struct platter_error *err)
{
	struct parser ps = {.start = bytes, .p = bytes, .end = bytes + len, .g = g};

	*g = (struct aff4_graph){
		.room = (size_t)min64(ARENA_MAX, GROWTH * (uint64_t)len + URI_MAX)};
	g->arena = malloc(g->room);
	if (!g->arena)
		return err_set(err, ENOMEM, "no memory");
	for (skip_space(&ps); ps.p < ps.end; skip_space(&ps))
		if (!statement(&ps))
			return err_set(err, EINVAL,
			               "information.turtle is not understood at byte %zu of %zu",
			               (size_t)(ps.p - ps.start), len);
	return 0;
}

void aff4_graph_free(struct aff4_graph *g)
{
	free(g->triples);
	free(g->arena);
	*g = (struct aff4_graph){0};
}

/* ---- asking ---- */

bool aff4_is(const char *s, const char *wanted)
{
	return s && strncmp(s, AFF4_SCHEMA, sizeof AFF4_SCHEMA - 1) == 0 &&
	       strcmp(s + sizeof AFF4_SCHEMA - 1, wanted) == 0;
}

const struct aff4_triple *aff4_graph_find(const struct aff4_graph *g, size_t *at,
                                          const char *subject, const char *predicate)
{
	bool type = strcmp(predicate, "type") == 0;

	while (*at < g->count) {
		const struct aff4_triple *t = &g->triples[(*at)++];

		if (type ? strcmp(t->predicate, rdf_type) != 0 : !aff4_is(t->predicate, predicate))
			continue;
		if (!subject || strcmp(t->subject, subject) == 0)
			return t;
	}
	return NULL;
}

const char *aff4_graph_get(const struct aff4_graph *g, const char *subject, const char *predicate)
{
	size_t at = 0;
	const struct aff4_triple *t = aff4_graph_find(g, &at, subject, predicate);

	return t ? t->object : NULL;
}

uint64_t aff4_graph_number(const struct aff4_graph *g, const char *subject, const char *predicate)
{
	const char *s = aff4_graph_get(g, subject, predicate);

	return s && isdigit((unsigned char)*s) ? strtoull(s, NULL, 10) : 0;
}
