/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "json.h"

#include <inttypes.h>
#include <string.h>

#include "text.h"

static void put_text(FILE *out, const char *s)
{
	putc('"', out);
	while (*s) {
		unsigned char c = (unsigned char)*s;
		uint32_t point;
		size_t n;

		if (c == '"' || c == '\\') {
			fprintf(out, "\\%c", c);
			s++;
		} else if (c < 0x20 || c == 0x7f) {
			fprintf(out, "\\u%04x", c);
			s++;
		} else if ((n = text_utf8_decode(s, strnlen(s, 4), &point)) > 0) {
			fwrite(s, 1, n, out);
			s += n;
		} else {
			fputs("\\ufffd", out);
			s++;
		}
	}
	putc('"', out);
}

static void begin(struct json *j, const char *key)
{
	if (j->more)
		putc(',', j->out);
	j->more = true;
	if (key) {
		put_text(j->out, key);
		putc(':', j->out);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	putc(bracket, j->out);
	j->more = false;
}

void json_close(struct json *j, char bracket)
{
	putc(bracket, j->out);
	j->more = true;
}

void json_number(struct json *j, const char *key, uint64_t value)
{
	begin(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	fputs(value ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	fputs("null", j->out);
}

void json_string(struct json *j, const char *key, const char *value)
{
	begin(j, key);
	put_text(j->out, value);
}

void json_string_or_null(struct json *j, const char *key, const char *value)
{
	if (value && *value)
		json_string(j, key, value);
	else
		json_null(j, key);
}
