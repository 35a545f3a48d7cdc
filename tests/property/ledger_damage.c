/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_damage: see ledger_damage.h.
 */
#include "ledger_damage.h"

typedef void damage_fn(struct ch_rng *rng, struct ch_buf *value);

static size_t
any_place(struct ch_rng *rng, const struct ch_buf *value)
{
	return (size_t)ch_rng_below(rng, value->len);
}

static void
put_at(struct ch_buf *value, size_t at, struct ch_view text)
{
	struct ch_buf whole = CH_BUF_INIT;

	ch_buf_add(&whole, value->ptr, at);
	ch_buf_addv(&whole, text);
	ch_buf_add(&whole, value->ptr + at, value->len - at);
	ch_buf_free(value);
	*value = whole;
}

/* A member, with a comma on the side where others are. */
static void
put_member(struct ch_rng *rng, struct ch_buf *value, const char *member)
{
	bool first = ch_rng_chance(rng, 1, 2);
	const char *brace = first ? memchr(value->ptr, '{', value->len)
				  : memrchr(value->ptr, '}', value->len);
	struct ch_buf text = CH_BUF_INIT;

	if (brace != NULL) {
		ch_buf_printf(&text, first ? "%s," : ",%s", member);
		put_at(value, (size_t)(brace - value->ptr) + first,
			ch_buf_view(&text));
	}
	ch_buf_free(&text);
}

static void
cut_off(struct ch_rng *rng, struct ch_buf *value)
{
	value->len = any_place(rng, value);
}

static void
go_on(struct ch_rng *rng, struct ch_buf *value)
{
	static const char *const tails[] = {
		"}", " x", ",", "{}", "\"", " {\"id\":\"another\"}", "\xff"};

	ch_buf_adds(value, tails[ch_rng_below(rng, 7)]);
}

static char
odd_byte(struct ch_rng *rng)
{
	static const char odd[] = "\"\"\"\\\\{}[],::\n\x01\xff\xc3 a0";

	return odd[ch_rng_below(rng, sizeof(odd))]; /* its NUL, too */
}

static void
add_byte(struct ch_rng *rng, struct ch_buf *value)
{
	char byte = odd_byte(rng);

	put_at(value, any_place(rng, value), (struct ch_view){&byte, 1});
}

static void
change_byte(struct ch_rng *rng, struct ch_buf *value)
{
	value->ptr[any_place(rng, value)] = odd_byte(rng);
}

static void
lose_byte(struct ch_rng *rng, struct ch_buf *value)
{
	size_t at = any_place(rng, value);

	memmove(value->ptr + at, value->ptr + at + 1, value->len - at - 1);
	value->len--;
}

/* Some of them are what stands there already. */
static void
say_twice(struct ch_rng *rng, struct ch_buf *value)
{
	static const char *const members[] = {"\"org\":\"acme\"",
		"\"org\":\"b\xc3\xa9ta\"", "\"type\":\"transfer.post\"",
		"\"id\":\"0198c0de-0000-7000-8000-000000000001\"",
		"\"id\":null", "\"id\" \"x\"", "\"\\u0069d\" : \"twice\"",
		"\"org\":\"trading\"", "\"ref\":\"a\",\"ref\":\"b\"",
		"\"org\":\"acme\" \"b\"", "\"type\":\"\\n\""};

	put_member(rng, value, members[ch_rng_below(rng, 11)]);
}

static void
say_id_twice(struct ch_rng *rng, struct ch_buf *value)
{
	const char *id = memmem(value->ptr, value->len, "\"id\"", 4);
	const char *end = value->ptr + value->len;
	char member[128];
	size_t n = 0;

	(void)rng;
	for (int quotes = 0; id != NULL && id + n < end && quotes < 4 &&
		n < sizeof(member) - 1;
		n++) {
		member[n] = id[n];
		quotes += id[n] == '"';
	}
	member[n] = '\0';
	if (n > 0)
		put_member(rng, value, member);
}

static void
say_badly(struct ch_rng *rng, struct ch_buf *value)
{
	static const char *const members[] = {"\"ref\":\"a\\u0000b\"",
		"\"ref\":\"\xff\"", "\"ref\":\"\\ud800\"", "\"ref\":tru",
		"\"ref\":\"tab\there\"", "\"ref\":'x'", "ref:\"x\"",
		"\"ref\":", "\"meta\":[1,2", "\"meta\":{]", "", "\"\\u0000\":1",
		"\"ref\":01", "\"id\\u0000\":\"x\"", "\"a\":\"id\":\"x\"",
		"\"a\":{\"id\":\"x\"", "/* id */", "\"id\":\"\\x\""};

	put_member(rng, value, members[ch_rng_below(rng, 18)]);
}

static void
go_deep(struct ch_rng *rng, struct ch_buf *value)
{
	struct ch_buf member = CH_BUF_INIT;
	unsigned levels = 30 + (unsigned)ch_rng_below(rng, 4);

	ch_buf_adds(&member, "\"meta\":");
	for (unsigned i = 0; i < levels; i++)
		ch_buf_addc(&member, '[');
	for (unsigned i = 0; i < levels; i++)
		ch_buf_addc(&member, ']');
	put_member(rng, value, ch_buf_str(&member));
	ch_buf_free(&member);
}

static void
go_wide(struct ch_rng *rng, struct ch_buf *value)
{
	struct ch_buf member = CH_BUF_INIT;

	ch_buf_adds(&member, "\"ref\":[0");
	for (unsigned i = 0; i < 2100; i++)
		ch_buf_adds(&member, ",0");
	ch_buf_adds(&member, "]");
	put_member(rng, value, ch_buf_str(&member));
	ch_buf_free(&member);
}

/* Over 64 KiB: by one byte, or by so much that what stands last is lost. */
static void
go_large(struct ch_rng *rng, struct ch_buf *value)
{
	size_t at = ch_rng_chance(rng, 1, 2) ? 0 : any_place(rng, value);
	struct ch_buf spaces = CH_BUF_INIT;

	while (spaces.len + value->len <= (size_t)64 * 1024)
		ch_buf_addc(&spaces, ' ');
	put_at(value, at, ch_buf_view(&spaces));
	ch_buf_free(&spaces);
}

static void
begin_oddly(struct ch_rng *rng, struct ch_buf *value)
{
	static const char *const heads[] = {"\xef\xbb\xbf", "[", "\"", "x",
		"\xef\xbb", " \xef\xbb\xbf", "{", "}"};

	put_at(value, 0, ch_view_of(heads[ch_rng_below(rng, 8)]));
}

void
ledger_damage(struct ch_rng *rng, struct ch_buf *value)
{
	static const struct {
		unsigned weight; /* of 100 */
		damage_fn *damage;
	} kinds[] = {{14, cut_off}, {6, go_on}, {12, add_byte},
		{12, change_byte}, {10, lose_byte}, {14, say_twice},
		{8, say_id_twice}, {12, say_badly}, {4, go_deep}, {2, go_wide},
		{2, go_large}, {4, begin_oddly}};
	uint64_t roll = ch_rng_below(rng, 100);
	size_t kind = 0;

	while (roll >= kinds[kind].weight)
		roll -= kinds[kind++].weight;
	kinds[kind].damage(rng, value);
}
