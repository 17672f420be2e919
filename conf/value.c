/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parsers of values: digits first, then a unit from a table. */
#include "conf/value.h"

#include "base/span.h"

#include <arpa/inet.h>
#include <string.h>

#define DNS_PORT 53

struct unit {
	char name[4];
	uint32_t factor; /* 0: behind the last */
};

/* Digits at *text; moves *text past them. */
static enum sm_status digits(const char **text, uint64_t *ret)
{
	const char *at = *text;
	uint64_t value = 0;

	while (*at >= '0' && *at <= '9') {
		value = value * 10 + (uint64_t)(*at++ - '0');
		if (value > UINT32_MAX)
			return SM_INVALID;
	}
	if (at == *text)
		return SM_INVALID;
	*text = at;
	*ret = value;
	return SM_OK;
}

static enum sm_status with_unit(const char *text, const struct unit *units, uint64_t *ret)
{
	uint64_t value;

	if (digits(&text, &value) != SM_OK)
		return SM_INVALID;
	for (; units->factor; units++) {
		if (strcmp(text, units->name) == 0) {
			*ret = value * units->factor;
			return SM_OK;
		}
	}
	return SM_INVALID;
}

enum sm_status sm_value_duration(const char *text, uint64_t *ret_ms)
{
	static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
	                                    {"h", 3600000}, {"d", 86400000}, {"", 0}};

	if (strcmp(text, "0") == 0) {
		*ret_ms = 0;
		return SM_OK;
	}
	return with_unit(text, units, ret_ms);
}

enum sm_status sm_value_size(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {{"", 1}, {"K", 1024}, {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024}, {"", 0}};

	return with_unit(text, units, ret_bytes);
}

enum sm_status sm_value_count(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {{"", 1}, {"", 0}};

	return with_unit(text, units, ret);
}

enum sm_status sm_value_percent(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {{"%", 1}, {"", 0}};

	return with_unit(text, units, ret);
}

enum sm_status sm_value_ratio(const char *text, uint64_t *ret_permille)
{
	uint64_t whole, fraction = 0, scale = 1000;

	if (digits(&text, &whole) != SM_OK)
		return SM_INVALID;
	if (*text == '.') {
		if (text[1] == '\0')
			return SM_INVALID;
		for (text++; *text >= '0' && *text <= '9' && scale > 1; text++) {
			scale /= 10;
			fraction += (uint64_t)(*text - '0') * scale;
		}
	}
	if (*text != '\0')
		return SM_INVALID;
	*ret_permille = whole * 1000 + fraction;
	return SM_OK;
}

/* The address before '%', and the zone behind it (RFC 4007, 11). */
static enum sm_status address_of(const char *text, size_t length, struct sm_server *ret)
{
	const char *percent = memchr(text, '%', length);
	size_t address_length = percent ? (size_t)(percent - text) : length;
	size_t zone_length = percent ? length - address_length - 1 : 0;
	char copy[INET6_ADDRSTRLEN];

	if (address_length >= sizeof(copy) || zone_length > SM_ZONE_MAX || (percent && zone_length == 0))
		return SM_INVALID;
	memcpy(copy, text, address_length);
	copy[address_length] = '\0';
	*ret = (struct sm_server){.port = DNS_PORT};
	if (inet_pton(AF_INET, copy, ret->address.bytes) == 1)
		ret->address.family = SM_IPV4;
	else if (inet_pton(AF_INET6, copy, ret->address.bytes) == 1)
		ret->address.family = SM_IPV6;
	if (!ret->address.family || sm_address_is_link_local(&ret->address) != (zone_length > 0))
		return SM_INVALID;
	if (percent)
		memcpy(ret->zone, percent + 1, zone_length);
	return SM_OK;
}

enum sm_status sm_value_address(const char *text, struct sm_server *ret)
{
	return address_of(text, strlen(text), ret);
}

static enum sm_status port_of(const char *text, uint16_t *ret)
{
	uint64_t port;

	if (sm_value_count(text, &port) != SM_OK || port == 0 || port > UINT16_MAX)
		return SM_INVALID;
	*ret = (uint16_t)port;
	return SM_OK;
}

/* 2001:db8::53 is not ambiguous, because 2001:db8: is not an address. */
bool sm_value_is_ambiguous(const char *text, struct sm_server *ret)
{
	const char *colon = strrchr(text, ':');
	struct sm_server server;

	if (!colon || address_of(text, (size_t)(colon - text), &server) != SM_OK || server.address.family != SM_IPV6 ||
	    port_of(colon + 1, &server.port) != SM_OK)
		return false;
	*ret = server;
	return true;
}

enum sm_status sm_value_server_with(const char *text, uint16_t port, struct sm_server *ret)
{
	const char *colon = strrchr(text, ':'), *close = strchr(text, ']');
	struct sm_server server, ambiguous;
	enum sm_status status;

	if (text[0] == '[') {
		if (!close || (close[1] != '\0' && close[1] != ':'))
			return SM_INVALID;
		status = address_of(text + 1, (size_t)(close - text - 1), &server);
		colon = close[1] == ':' ? close + 1 : NULL;
		if (status == SM_OK && server.address.family != SM_IPV6)
			return SM_INVALID;
	} else {
		if (colon && strchr(text, ':') != colon)
			colon = NULL; /* several colons: a bare IPv6 address */
		status = address_of(text, colon ? (size_t)(colon - text) : strlen(text), &server);
	}
	server.port = port;
	if (status == SM_OK && colon)
		status = port_of(colon + 1, &server.port);
	if (status != SM_OK || (text[0] != '[' && sm_value_is_ambiguous(text, &ambiguous)))
		return SM_INVALID;
	*ret = server;
	return SM_OK;
}

enum sm_status sm_value_server(const char *text, struct sm_server *ret)
{
	return sm_value_server_with(text, DNS_PORT, ret);
}

enum sm_status sm_value_template(const char *text)
{
	static const struct sm_name example = {.length = 5, .text = "a.c.b"}, domain = {.length = 1, .text = "b"};
	struct sm_rule rule = {.domain = domain, .n_templates = 1, .proto = "tcp"};
	struct sm_name owner;

	if (strlen(text) > SM_NAME_MAX || text[sm_span_without(text, " \t,")] != '\0')
		return SM_INVALID; /* it is more than one */
	rule.templates = text;
	return sm_rule_owner(&rule, &example, 0, &owner);
}

enum sm_status sm_value_word(const char **text, char *word, size_t size)
{
	const char *start = *text + sm_span(*text, " \t,");
	size_t length = sm_span_without(start, " \t,");

	if (length == 0)
		return SM_MISS;
	*text = start + length;
	if (length >= size)
		return SM_FULL;
	memcpy(word, start, length);
	word[length] = '\0';
	return SM_OK;
}

enum sm_status sm_value_name(const char **text, struct sm_name *ret)
{
	char word[SM_NAME_MAX + 2];
	enum sm_status status = sm_value_word(text, word, sizeof(word));

	return status == SM_OK ? sm_name_parse(word, strlen(word), ret) : status == SM_MISS ? SM_MISS : SM_INVALID;
}

/* RFC 6763, 6.4: printable US-ASCII. */
static bool is_key(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return length > 0;
}

enum sm_status sm_value_set_pair(struct sm_pair *pair, const char *value, size_t length)
{
	if (pair->key_length + 1U + length > SM_PAIR_MAX)
		return SM_INVALID;
	memcpy(pair->text + pair->key_length + 1, value, length);
	pair->length = (uint8_t)(pair->key_length + 1U + length);
	pair->text[pair->length] = '\0';
	pair->is_known = true;
	return SM_OK;
}

const char *sm_value_pair_path(const struct sm_pair *pair)
{
	const char *value = pair->text + pair->key_length + 1;

	return value[0] == '@' ? value + 1 : NULL;
}

enum sm_status sm_value_pair(const char **text, struct sm_pair *ret)
{
	char word[SM_PAIR_MAX + 1];
	enum sm_status status = sm_value_word(text, word, sizeof(word));
	size_t length = status == SM_OK ? sm_span_without(word, "=") : 0;
	const char *value = word[length] == '=' ? word + length + 1 : "true";

	if (status == SM_MISS)
		return SM_MISS;
	if (status != SM_OK || !is_key(word, length))
		return SM_INVALID;
	for (size_t i = 0; i < length; i++)
		ret->text[i] = sm_name_fold(word[i]);
	ret->text[length] = '=';
	ret->key_length = (uint8_t)length;
	if (value[0] == '@' && sm_value_path(value + 1) != SM_OK)
		return SM_INVALID;
	return sm_value_set_pair(ret, value, strlen(value));
}

enum sm_status sm_value_identifier(const char *text, size_t max)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (!sm_name_allows(sm_name_fold(text[i])) && text[i] != '.' && text[i] != ':')
			return SM_INVALID;
	return length > 0 && length <= max ? SM_OK : SM_INVALID;
}

enum sm_status sm_value_path(const char *text)
{
	if (text[0] != '/' || strlen(text) > SM_PATH_MAX)
		return SM_INVALID;
	while (*text == '/') {
		size_t length = sm_span_without(++text, "/");

		if (length == 0 || (length == 1 && text[0] == '.') || (length == 2 && text[0] == '.' && text[1] == '.'))
			return SM_INVALID;
		text += length;
	}
	return SM_OK;
}
