/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml.h and plist.h: tokens come out as written, what is malformed or too much is refused, and no
 * cut or damaged text is read past its end. */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "plist.h"
#include "testdev.h"
#include "xml.h"

/* The tokens of text as "<a", ">a" and "'text", each followed by a blank; then "." or "!". */
static const char *tokens(const char *text, size_t len)
{
	static char out[4096];
	/* Of the exact size, so that valgrind and ASan see one byte too many. */
	char *copy = malloc(len ? len : 1);
	struct platter_error err;
	struct xml x;
	size_t n = 0;
	int r;

	CHECK(copy);
	memcpy(copy, text, len);
	xml_begin(&x, copy, len);
	while ((r = xml_next(&x, &err)) >= 0 && r != XML_DONE)
		n += (size_t)snprintf(out + n, sizeof out - n, "%c%.*s ", "<>'"[r], (int)x.text.len,
		                      x.text.p);
	if (r < 0)
		CHECK(strncmp(err.text, "XML: ", 5) == 0);
	snprintf(out + n, sizeof out - n, r < 0 ? "!" : ".");
	free(copy);
	return out;
}

static void same(int line, const char *text, const char *expected)
{
	const char *got = tokens(text, strlen(text));

	if (strcmp(got, expected) != 0) {
		fprintf(stderr, "%s:%d: %s: \"%s\"\n", __FILE__, line, text, got);
		exit(1);
	}
}

#define SAME(text, expected) same(__LINE__, text, expected)

static void tokens_are_those_of_the_text(void)
{
	SAME("<a/>", "<a >a .");
	SAME("\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <b> -->\n<a></a>\n<!-- c -->\n", "<a >a .");
	SAME("<!DOCTYPE a [ <!ENTITY b '>]'> ]><a>x</a >", "<a 'x >a .");
	SAME("<a> x <b c='>' d=\"/\" /> <!-- y -->z</a>", "<a ' x  <b >b 'z >a .");
	SAME("<a.b-c:d_1 e = 'f'/>", "<a.b-c:d_1 >a.b-c:d_1 .");
}

static void what_is_malformed_is_refused(void)
{
	SAME("", "!");
	SAME("  ", "!");
	SAME("text", "!");
	SAME("<a>", "<a !");
	SAME("<a></b>", "<a !");
	SAME("<a></a", "<a !");
	SAME("<a></a><b/>", "<a >a !");
	SAME("<a/>text", "<a >a !");
	SAME("</a>", "!");
	SAME("<a b='c></a>", "!");
	SAME("<a <b/>", "!");
	SAME("< a/>", "!");
	SAME("<!-- <a/>", "!");
	SAME("<!DOCTYPE a [ <!ENTITY b 'c'> <a/>", "!");
	SAME("<a><!DOCTYPE b></a>", "<a !");
	SAME("<a><![CDATA[b]]></a>", "<a !");
	SAME("<a>text", "<a !");
}

static void depth_is_bounded(void)
{
	char text[8 * XML_DEPTH_MAX] = "";

	for (int i = 0; i < XML_DEPTH_MAX; i++)
		strcat(text, "<a>");
	CHECK(strchr(tokens(text, strlen(text)), '!'));
	for (int i = 0; i < XML_DEPTH_MAX; i++)
		strcat(text, "</a>");
	CHECK(strchr(tokens(text, strlen(text)), '.'));
	memmove(text + 3, text, strlen(text) + 1);
	memcpy(text, "<a>", 3);
	strcat(text, "</a>");
	CHECK(strchr(tokens(text, strlen(text)), '!'));
}

static void content_and_attributes(void)
{
	static const char text[] = "<r v='1' w=\"a&amp;b\" x=''><s> a&lt;b&gt;&quot;&apos; </s>"
				   "<t/><u><v/></u><w>&nbsp;</w><x>\xff</x><y>z</y></r>";
	struct platter_error err;
	struct xml x;
	char out[16];

	xml_begin(&x, text, sizeof text - 1);
	CHECK(xml_next(&x, &err) == XML_START);
	CHECK(xml_attribute(&x, "w", out, sizeof out, &err) == 0 && strcmp(out, "a&b") == 0);
	CHECK(xml_attribute(&x, "v", out, sizeof out, &err) == 0 && strcmp(out, "1") == 0);
	CHECK(xml_attribute(&x, "w", out, 3, &err) < 0);
	CHECK(xml_attribute(&x, "none", out, sizeof out, &err) == 0 && !*out);
	CHECK(xml_next(&x, &err) == XML_START && xml_is(&x, "s"));
	CHECK(xml_content(&x, out, 6, &err) < 0);
	xml_begin(&x, strstr(text, "<s>"), strlen(strstr(text, "<s>")));
	CHECK(xml_next(&x, &err) == XML_START && xml_is(&x, "s"));
	CHECK(xml_content(&x, out, 7, &err) == 0 && strcmp(out, "a<b>\"'") == 0);
	xml_begin(&x, text, sizeof text - 1);
	CHECK(xml_next(&x, &err) == XML_START);
	CHECK(xml_next(&x, &err) == XML_START && xml_skip(&x, &err) == 0);
	CHECK(xml_next(&x, &err) == XML_START && xml_is(&x, "t"));
	CHECK(xml_content(&x, out, sizeof out, &err) == 0 && !*out);
	CHECK(xml_next(&x, &err) == XML_START && xml_is(&x, "u"));
	CHECK(xml_skip(&x, &err) == 0);
	CHECK(xml_next(&x, &err) == XML_START && xml_content(&x, out, sizeof out, &err) < 0);
	CHECK(xml_next(&x, &err) == XML_START && xml_content(&x, out, sizeof out, &err) < 0);
	CHECK(xml_next(&x, &err) == XML_START && xml_is(&x, "y"));
	CHECK(xml_next(&x, &err) == XML_TEXT && xml_next(&x, &err) == XML_END);
	CHECK(xml_next(&x, &err) == XML_END && xml_next(&x, &err) == XML_DONE);
}

static const char list[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://a/b.dtd\">\n"
	"<plist version=\"1.0\">\n<dict>\n\t<key>size</key>\n\t<integer>18446744073709551615"
	"</integer>\n\t<key>skip</key><array><dict><key>k</key><true/></dict></array>\n"
	"\t<key>name &amp; all</key><string>a b</string>\n"
	"\t<key>data</key><data>\n\t\taGVs\n\t\tbG8=\n\t</data><key>no</key><integer>-1</integer>\n"
	"</dict>\n</plist>\n";

static void property_lists(void)
{
	struct platter_error err;
	struct plist p;
	uint64_t v;
	uint8_t *data;
	size_t len;
	char out[32];

	CHECK(plist_begin(&p, list, sizeof list - 1, &err) == 0);
	CHECK(plist_next(&p, &err) == PLIST_DICT);
	CHECK(plist_next(&p, &err) == PLIST_KEY && plist_is(&p, "size"));
	CHECK(plist_next(&p, &err) == PLIST_INTEGER);
	CHECK(plist_integer(&p, &v, &err) == 0 && v == UINT64_MAX);
	CHECK(plist_next(&p, &err) == PLIST_KEY && plist_is(&p, "skip"));
	CHECK(plist_skip(&p, plist_next(&p, &err), &err) == 0);
	CHECK(plist_next(&p, &err) == PLIST_KEY);
	CHECK(plist_string(&p, out, sizeof out, &err) == 0 && strcmp(out, "name & all") == 0);
	CHECK(plist_next(&p, &err) == PLIST_STRING && plist_is(&p, "a b"));
	CHECK(plist_integer(&p, &v, &err) < 0);
	CHECK(plist_next(&p, &err) == PLIST_KEY && plist_next(&p, &err) == PLIST_DATA);
	CHECK(plist_data(&p, &data, &len, &err) == 0 && len == 5 && !memcmp(data, "hello", 5));
	free(data);
	CHECK(plist_next(&p, &err) == PLIST_KEY && plist_next(&p, &err) == PLIST_INTEGER);
	CHECK(plist_integer(&p, &v, &err) < 0);
	CHECK(plist_next(&p, &err) == PLIST_END && plist_next(&p, &err) == PLIST_DONE);
	CHECK(plist_begin(&p, "<html/>", 7, &err) < 0);
}

static void base64(const char *text, const char *expected)
{
	struct plist p = {.text = {text, strlen(text)}};
	struct platter_error err;
	uint8_t *data = NULL;
	size_t len;
	int r = plist_data(&p, &data, &len, &err);

	CHECK((r == 0) == (expected != NULL));
	CHECK(!expected || (len == strlen(expected) && memcmp(data, expected, len) == 0));
	free(data);
}

static void data_is_base64(void)
{
	/* RFC 4648, section 10 */
	base64("", "");
	base64("Zg==", "f");
	base64("Zm8=", "fo");
	base64("Zm9v", "foo");
	base64("Zm9vYg==", "foob");
	base64(" Zm\n9v\tYmFy ", "foobar");
	base64("+/+/", "\xfb\xff\xbf");
	base64("Z", NULL);
	base64("Zm9v*", NULL);
	base64("Zg==Zg==", NULL);
}

static void cut_and_damaged(void)
{
	uint64_t rng = 1;

	for (size_t n = 0; n < sizeof list - 2; n++)
		CHECK(strchr(tokens(list, n), '!'));
	for (int i = 0; i < 20000; i++) {
		char copy[sizeof list];

		memcpy(copy, list, sizeof list);
		for (int j = 0; j < 3; j++) {
			rng = rng * 6364136223846793005u + 1442695040888963407u;
			copy[(rng >> 33) % (sizeof list - 1)] = "<>/'\"!-?[]&; x\xff"[rng >> 60];
		}
		(void)tokens(copy, sizeof list - 1);
	}
}

int main(void)
{
	tokens_are_those_of_the_text();
	what_is_malformed_is_refused();
	depth_is_bounded();
	content_and_attributes();
	property_lists();
	data_is_base64();
	cut_and_damaged();
	return 0;
}
