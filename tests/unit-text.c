/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h: what comes out is UTF-8, terminated, and cut between characters at every length. */
#include "config.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testdev.h"

static void same(int line, const char *got, const char *expected)
{
	if (strcmp(got, expected) != 0) {
		fprintf(stderr, "%s:%d: \"%s\", expected \"%s\"\n", __FILE__, line, got, expected);
		exit(1);
	}
}

/* units: big-endian, as they read. */
static void utf16(int line, const char *units, size_t count, const char *expected)
{
	char little[64], out[128];

	for (size_t i = 0; i < count; i++) {
		little[2 * i] = units[2 * i + 1];
		little[2 * i + 1] = units[2 * i];
	}
	CHECK(text_from_utf16(units, count, true, out, sizeof out) == strlen(expected));
	same(line, out, expected);
	CHECK(text_from_utf16(little, count, false, out, sizeof out) == strlen(expected));
	same(line, out, expected);
}

#define UTF16(units, expected) utf16(__LINE__, units, (sizeof(units) - 1) / 2, expected)

static void utf16_becomes_utf8(void)
{
	UTF16("", "");
	UTF16("\0A\0b", "Ab");
	UTF16("\0A\0\0\0b", "A");
	UTF16("\0\x7f\0\x80\x07\xff\x08\0\xff\xfd", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbd");
	UTF16("\xd8\x3d\xdd\xfb", "\xf0\x9f\x97\xbb");
	UTF16("\xd8\0\xdc\0\xdb\xff\xdf\xff", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
	/* Lone surrogates: at the end, before something else, in the wrong order. */
	UTF16("\xd8\x3d", "\xef\xbf\xbd");
	UTF16("\xd8\x3d\0A", "\xef\xbf\xbd"
	                     "A");
	UTF16("\xdd\xfb\xd8\x3d", "\xef\xbf\xbd\xef\xbf\xbd");
	UTF16("\xd8\x3d\xd8\x3d\xdd\xfb", "\xef\xbf\xbd\xf0\x9f\x97\xbb");
}

static void utf16_is_cut_between_characters(void)
{
	/* a, e acute, euro sign, mount fuji: 1, 2, 3 and 4 bytes. */
	static const char units[] = "\0a\0\xe9\x20\xac\xd8\x3d\xdd\xfb";
	static const size_t lengths[] = {0, 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};

	for (size_t size = 0; size < sizeof lengths / sizeof *lengths; size++) {
		char *out = malloc(size + 1);

		memset(out, 'x', size + 1);
		CHECK(text_from_utf16(units, 5, true, out, size) == lengths[size]);
		CHECK(size == 0 || out[lengths[size]] == '\0');
		CHECK(out[size] == 'x');
		free(out);
	}
}

static void guid_is_mixed_endian(void)
{
	static const uint8_t guid[16] = {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
	                                 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};
	char out[37];

	text_guid(guid, out);
	same(__LINE__, out, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
}

static void udev(int line, const char *in, const char *expected)
{
	char out[128];

	text_udev(in, out, sizeof out);
	same(line, out, expected);
}

static void udev_escapes_bytes(void)
{
	udev(__LINE__, "", "");
	udev(__LINE__, "Az09#+-.:=@_", "Az09#+-.:=@_");
	udev(__LINE__, "EFI system/..", "EFI\\x20system\\x2f..");
	udev(__LINE__, "a\\b\n\x7f", "a\\x5cb\\x0a\\x7f");
	udev(__LINE__,
	     "Gr\xc3\xb6\xc3\x9f"
	     "e",
	     "Gr\xc3\xb6\xc3\x9f"
	     "e");
	/* No UTF-8: a lone byte, a long form, a surrogate, too large, cut short. */
	udev(__LINE__, "\xe4", "\\xe4");
	udev(__LINE__, "\xc0\xaf", "\\xc0\\xaf");
	udev(__LINE__, "\xed\xa0\x80", "\\xed\\xa0\\x80");
	udev(__LINE__, "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	udev(__LINE__, "\xe2\x82", "\\xe2\\x82");
	udev(__LINE__, "\xff\xfe", "\\xff\\xfe");
	/* UTF-8, but no character. */
	udev(__LINE__, "\xef\xbf\xbf", "\\xef\\xbf\\xbf");
	udev(__LINE__, "\xef\xb7\x90", "\\xef\\xb7\\x90");
}

static void udev_is_cut_between_pieces(void)
{
	char out[8];

	text_udev("ab cd", out, 8);
	same(__LINE__, out, "ab\\x20c");
	text_udev("ab cd", out, 6);
	same(__LINE__, out, "ab");
	text_udev("ab", out, 1);
	same(__LINE__, out, "");
	out[0] = 'x';
	text_udev("ab", out, 0);
	CHECK(out[0] == 'x');
}

static void plain(int line, const char *in, size_t len, const char *expected)
{
	char out[128];

	text_plain(in, len, out, sizeof out);
	same(line, out, expected);
}

#define PLAIN(in, expected) plain(__LINE__, in, sizeof(in) - 1, expected)

static void plain_is_one_printable_line(void)
{
	PLAIN("", "");
	PLAIN("a name", "a name");
	PLAIN("a\nb\tc\0d\x1b[31m\x7f", "a?b?c?d?[31m?");
	PLAIN("\xc3\xb6\xe4", "\xc3\xb6?");
	PLAIN("\xe2\x82", "??");
	/* C1 controls, line separators, marks that turn text round. */
	PLAIN("\xc2\x9b"
	      "1m\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6",
	      "?1m???");
}

/* Whatever the bytes, nothing is written past the end, and the result is stable. */
static void random_bytes_do_no_harm(void)
{
	srandom(1);
	for (int round = 0; round < 100000; round++) {
		char in[24], out[32], again[32];
		size_t len = (size_t)random() % sizeof in, size = (size_t)random() % sizeof out;

		for (size_t i = 0; i < len; i++)
			in[i] = (char)(random() % 3 ? random() | 0x80 : random());
		memset(out, 'x', sizeof out);
		text_plain(in, len, out, size);
		CHECK(size == 0 || memchr(out, '\0', size));
		CHECK(size == sizeof out || out[size] == 'x');
		if (size == 0)
			continue;
		text_plain(out, strlen(out), again, sizeof again);
		same(__LINE__, again, out);
		text_from_utf16(in, len / 2, false, out, size);
		text_udev(out, again, sizeof again);
		CHECK(strlen(out) < size);
	}
}

int main(void)
{
	utf16_becomes_utf8();
	utf16_is_cut_between_characters();
	guid_is_mixed_endian();
	udev_escapes_bytes();
	udev_is_cut_between_pieces();
	plain_is_one_printable_line();
	random_bytes_do_no_harm();
	return 0;
}
