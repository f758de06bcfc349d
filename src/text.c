/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that images hold, turned into UTF-8 that is safe to print and to name files with. All
 * functions terminate what they write and cut only between characters.
 *
 * UTF-8 as in RFC 3629, UTF-16 as in RFC 2781, GUIDs as in UEFI 2.10 appendix A.
 */
#include "config.h"

#include "text.h"

#include <stdio.h>
#include <string.h>

#define REPLACEMENT 0xfffdu

/* Output that never passes its end: once a piece did not fit, nothing more is taken. */
struct sink {
	char *out;
	size_t size, len;
	bool full;
};

static struct sink sink_open(char *out, size_t size)
{
	if (size != 0)
		out[0] = '\0';
	return (struct sink){.out = out, .size = size, .full = size == 0};
}

static void sink_put(struct sink *s, const char *bytes, size_t n)
{
	if (s->full || n >= s->size - s->len) {
		s->full = true;
		return;
	}
	memcpy(s->out + s->len, bytes, n);
	s->len += n;
	s->out[s->len] = '\0';
}

static size_t utf8_encode(uint32_t c, char b[4])
{
	if (c < 0x80) {
		b[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		b[0] = (char)(0xc0 | c >> 6);
		b[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		b[0] = (char)(0xe0 | c >> 12);
		b[1] = (char)(0x80 | (c >> 6 & 0x3f));
		b[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	b[0] = (char)(0xf0 | c >> 18);
	b[1] = (char)(0x80 | (c >> 12 & 0x3f));
	b[2] = (char)(0x80 | (c >> 6 & 0x3f));
	b[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/*
 * The character at in, of which len bytes (at least one) are there: its length in bytes, 0 when
 * they are no UTF-8. Long forms, surrogates and values past U+10FFFF are not.
 */
size_t text_utf8_decode(const char *in, size_t len, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *b = (const unsigned char *)in;
	size_t n = b[0] < 0x80       ? 1
	           : b[0] >> 5 == 6  ? 2
	           : b[0] >> 4 == 14 ? 3
	           : b[0] >> 3 == 30 ? 4
	                             : 0;
	uint32_t v;

	if (n == 0 || n > len)
		return 0;
	v = n == 1 ? b[0] : b[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (b[i] >> 6 != 2)
			return 0;
		v = v << 6 | (b[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*c = v;
	return n;
}

static uint32_t utf16_unit(const unsigned char *in, size_t i, bool big_endian)
{
	unsigned a = in[2 * i], b = in[2 * i + 1];

	return big_endian ? a << 8 | b : b << 8 | a;
}

size_t text_from_utf16(const void *in, size_t count, bool big_endian, char *out, size_t size)
{
	struct sink s = sink_open(out, size);
	char b[4];

	for (size_t i = 0; i < count && !s.full; i++) {
		uint32_t c = utf16_unit(in, i, big_endian);

		if (c == 0)
			break;
		if (c >= 0xd800 && c <= 0xdbff && i + 1 < count) {
			uint32_t low = utf16_unit(in, i + 1, big_endian);

			if (low >= 0xdc00 && low <= 0xdfff) {
				c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
				i++;
			}
		}
		if (c >= 0xd800 && c <= 0xdfff)
			c = REPLACEMENT;
		sink_put(&s, b, utf8_encode(c, b));
	}
	return s.len;
}

void text_guid(const uint8_t guid[16], char out[37])
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	static const char hex[] = "0123456789abcdef";
	char *p = out;

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[guid[order[i]] >> 4];
		*p++ = hex[guid[order[i]] & 15];
	}
	*p = '\0';
}

/* udev takes none of the code points that are no characters (U+FDD0.., U+xFFFE, U+xFFFF). */
static bool udev_keeps(uint32_t c)
{
	if (c >= 0x80)
		return (c < 0xfdd0 || c > 0xfdef) && (c & 0xfffe) != 0xfffe;
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return true;
	return c != 0 && strchr("#+-.:=@_", (int)c) != NULL;
}

void text_udev(const char *in, char *out, size_t size)
{
	struct sink s = sink_open(out, size);
	size_t left = strlen(in);

	while (left > 0 && !s.full) {
		uint32_t c;
		size_t n = text_utf8_decode(in, left, &c);
		char hex[5];

		if (n > 0 && udev_keeps(c)) {
			sink_put(&s, in, n);
		} else {
			/* A multi-byte character that is not kept goes one byte at a time. */
			n = 1;
			snprintf(hex, sizeof hex, "\\x%02x", (unsigned char)*in);
			sink_put(&s, hex, 4);
		}
		in += n;
		left -= n;
	}
}

/*
 * What a terminal would act on instead of showing: C0 and C1 controls, line and paragraph
 * separators, and the marks that change the direction in which text is written.
 */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f;
}

void text_plain(const char *in, size_t len, char *out, size_t size)
{
	struct sink s = sink_open(out, size);

	while (len > 0 && !s.full) {
		uint32_t c;
		size_t n = text_utf8_decode(in, len, &c);

		if (n == 0 || is_control(c))
			sink_put(&s, "?", 1);
		else
			sink_put(&s, in, n);
		n = n ? n : 1;
		in += n;
		len -= n;
	}
}
