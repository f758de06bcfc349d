/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ADC and LZFSE (with LZVN): every kind of code unpacks to what it should; what is cut, damaged or
 * makes another length is refused; and nothing is read or written past an end (so ASan or valgrind
 * say: all buffers are of their exact size).
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "testdev.h"

static int unpack(enum codec codec, const void *in, size_t in_len, void *out, size_t out_len)
{
	void *copy = malloc(in_len ? in_len : 1), *made = malloc(out_len ? out_len : 1);
	int r;

	CHECK(copy && made);
	memcpy(copy, in, in_len);
	r = codec_unpack(codec, copy, in_len, made, out_len);
	CHECK(r == 0 || r == -EIO);
	if (out && r == 0)
		memcpy(out, made, out_len);
	free(copy);
	free(made);
	return r;
}

/* packed makes exactly `text`; cut anywhere, or wanted in another length, it is refused. */
static void makes(int line, enum codec codec, const char *packed, size_t len, const char *text)
{
	size_t n = strlen(text);
	char out[1024];

	if (unpack(codec, packed, len, out, n) != 0 || memcmp(out, text, n) != 0) {
		fprintf(stderr, "%s:%d: not \"%s\"\n", __FILE__, line, text);
		exit(1);
	}
	CHECK(unpack(codec, packed, len, NULL, n + 1) == -EIO);
	if (codec == CODEC_LZFSE) /* ADC has no end of its own */
		CHECK(unpack(codec, packed, len, NULL, n - 1) == -EIO);
	for (size_t cut = 0; cut < len; cut++)
		CHECK(unpack(codec, packed, cut, NULL, n) == -EIO);
}

static void refused(int line, enum codec codec, const char *packed, size_t len, size_t n)
{
	if (unpack(codec, packed, len, NULL, n) != -EIO) {
		fprintf(stderr, "%s:%d: not refused\n", __FILE__, line);
		exit(1);
	}
}

#define MAKES(codec, packed, text)  makes(__LINE__, codec, packed, sizeof(packed) - 1, text)
#define REFUSED(codec, packed, len) refused(__LINE__, codec, packed, sizeof(packed) - 1, len)

static void adc_codes(void)
{
	MAKES(CODEC_ADC, "\x80q", "q");
	MAKES(CODEC_ADC,
	      "\x83"
	      "wxyz",
	      "wxyz");
	/* The short code: 3 from 3 back, 18 from 1 back. */
	MAKES(CODEC_ADC, "\x82xyz\x00\x02", "xyzxyz");
	MAKES(CODEC_ADC, "\x80x\x3c\x00", "xxxxxxxxxxxxxxxxxxx");
	/* The long one: 6 from 2 back, 4 from 4 back and literals behind it. */
	MAKES(CODEC_ADC, "\x82xyz\x42\x00\x01", "xyzyzyzyz");
	MAKES(CODEC_ADC, "\x83wxyz\x40\x00\x03\x81!?", "wxyzwxyz!?");
	/* From before the beginning; more than is wanted. */
	REFUSED(CODEC_ADC, "\x80x\x00\x01", 4);
	REFUSED(CODEC_ADC, "\x80x\x03\xff", 4);
	REFUSED(CODEC_ADC, "\x80x\x40\xff\xff", 5);
	REFUSED(CODEC_ADC, "\x00\x00", 3);
	REFUSED(CODEC_ADC, "\x80x\x00\x00", 3);
	REFUSED(CODEC_ADC, "\x83wxyz", 3);
}

/* Codes of LZVN in a block that says it makes n bytes; returns the stream's length. */
static size_t lzvn_stream(char *packed, const char *codes, size_t len, size_t n)
{
	memcpy(packed, "bvxn", 4);
	for (int i = 0; i < 4; i++) {
		packed[4 + i] = (char)(n >> 8 * i);
		packed[8 + i] = (char)((len + 8) >> 8 * i);
	}
	memcpy(packed + 12, codes, len);
	memcpy(packed + 12 + len, "\x06\0\0\0\0\0\0\0bvx$", 12);
	return 12 + len + 12;
}

static void lzvn(int line, const char *codes, size_t len, const char *text)
{
	char packed[512];

	makes(line, CODEC_LZFSE, packed, lzvn_stream(packed, codes, len, strlen(text)), text);
}

static void lzvn_refused(int line, const char *codes, size_t len, size_t n)
{
	char packed[512];

	refused(line, CODEC_LZFSE, packed, lzvn_stream(packed, codes, len, n), n);
}

#define LZVN(codes, text)      lzvn(__LINE__, codes, sizeof(codes) - 1, text)
#define LZVN_REFUSED(codes, n) lzvn_refused(__LINE__, codes, sizeof(codes) - 1, n)

static void lzvn_codes(void)
{
	/* Literals alone, in both lengths, and codes of nothing. */
	LZVN("\xe1x", "x");
	LZVN("\xe3xyz\x0e\x16\xe2pq", "xyzpq");
	LZVN("\xe0\x01ghijklmnopqrstuvw", "ghijklmnopqrstuvw");
	/* A small distance: 3 from 1 back behind 1 literal; 10 from 2 back. */
	LZVN("\x40\x01x", "xxxx");
	LZVN("\xe2xy\x38\x02", "xyxyxyxyxyxy");
	/* A large one: 4 from 3 back behind 3 literals. */
	LZVN("\xcf\x03\x00xyz", "xyzxyzx");
	/* A medium one: 3 from 1 back behind 1 literal; 34 of them. */
	LZVN("\xa8\x04\x00x", "xxxx");
	LZVN("\xaf\x07\x00x", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	/* The distance before, with 1 and 2 literals; matches alone, in both lengths. */
	LZVN("\x80\x02pq\x46r\x8est", "pqpqprprpststst");
	LZVN("\x40\x01x\xf2", "xxxxxx");
	LZVN("\x40\x01x\xf0\x01", "xxxxxxxxxxxxxxxxxxxxx");
	/* Too far back, no distance, none yet, too much, codes of no meaning. */
	LZVN_REFUSED("\x40\x02x", 4);
	LZVN_REFUSED("\x40\x00x", 4);
	LZVN_REFUSED("\xe1x\xf2", 3);
	LZVN_REFUSED("\xe1x\x46x", 5);
	LZVN_REFUSED("\xe2xy", 1);
	LZVN_REFUSED("\x40\x01x", 3);
	LZVN_REFUSED("\xe1x\x70", 1);
	LZVN_REFUSED("\xe1x\xd0", 1);
	LZVN_REFUSED("\xe1x\x1e", 1);
	LZVN_REFUSED("\xe1x\x3e", 1);
}

static void lzfse_blocks(void)
{
	MAKES(CODEC_LZFSE, "bvx-\x02\0\0\0xybvx-\x01\0\0\0zbvx$", "xyz");
	/* A match that reaches into the block before. */
	MAKES(CODEC_LZFSE, "bvx-\x02\0\0\0xybvxn\x03\0\0\0\x0a\0\0\0\x00\x02\x06\0\0\0\0\0\0\0bvx$",
	      "xyxyx");
	REFUSED(CODEC_LZFSE, "bvx3\x02\0\0\0xybvx$", 2);
	REFUSED(CODEC_LZFSE, "bvx-\xff\xff\xff\xffxybvx$", 2);
	REFUSED(CODEC_LZFSE, "bvx-\x02\0\0\0xy", 2);
	REFUSED(CODEC_LZFSE, "", 1);
}

/* "platter N reads what apple wrote; " for N from 0 to 8, by `tests/applecodecs.py lzfse`; 7-Zip
 * unpacks it as well. */
static const char bvx2[] = "\x62\x76\x78\x32\x32\x01\x00\x00\x2c\x00\x70\x01\x00\x09\x00\x20"
			   "\x09\x4f\xea\x9b\xe7\x10\x00\x40\x98\x00\x00\x00\x39\x00\x60\x0e"
			   "\x7c\x08\x00\x00\x00\x00\x1b\x00\x80\x0d\x00\xf0\x21\xc0\x33\x03"
			   "\x00\x00\x3c\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			   "\x00\x00\x00\x00\x00\x00\x00\x00\xc0\xef\x01\x00\x00\x00\xdc\xdf"
			   "\xdf\xdf\xdf\xdf\xdf\xdf\x7f\x0b\x70\x0f\x00\x00\x00\x00\x00\x00"
			   "\x00\x00\xc0\x17\x01\xf7\x5f\x04\xdc\x03\x6f\x01\xdc\x7f\x0b\x7c"
			   "\x0b\xf7\x5f\x04\xbc\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			   "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			   "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x31\xa6\xcb\x4d\xb5\x35"
			   "\xc0\x37\x67\xa2\xe2\x62\x80\xeb\xa0\xe9\x48\xb6\x33\x0e\x05\x00"
			   "\x00\x00\x00\x00\x00\x00\x00\x21\xa5\x94\xa4\x94\x0c\x64\x10\x62"
			   "\x76\x78\x24";

static void entropy(void)
{
	char text[512] = "";
	uint64_t rng = 1;
	size_t n = 0;

	for (int i = 0; i < 9; i++)
		n += (size_t)sprintf(text + n, "platter %d reads what apple wrote; ", i);
	MAKES(CODEC_LZFSE, bvx2, text);
	for (int i = 0; i < 200000; i++) {
		char copy[sizeof bvx2 - 1];

		memcpy(copy, bvx2, sizeof copy);
		for (int j = 0; j < 2; j++) {
			rng = rng * 6364136223846793005u + 1442695040888963407u;
			copy[4 + (rng >> 33) % (sizeof copy - 8)] ^= (char)(1 << (rng >> 61));
		}
		(void)unpack(CODEC_LZFSE, copy, sizeof copy, NULL, n);
	}
}

int main(void)
{
	adc_codes();
	lzvn_codes();
	lzfse_blocks();
	entropy();
	return 0;
}
