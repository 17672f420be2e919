/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A transport without sockets, in virtual time: servers are scripts, and what they know is a zone, both as text.
 *
 * A script is one word for each question that reaches the server, and the last word goes on for ever: a letter, and after
 * how many milliseconds.
 *
 *   a20  the zone's answer            f20  SERVFAIL                 u0  the server cannot be reached (ICMP)
 *   n20  NXDOMAIN                     r20  REFUSED                  x20 the server breaks off the connection
 *   e20  no data, with a SOA          b20  a broken message         m   this process has no memory to send it
 *   y20  no data and no SOA, from     o20  an answer to another     -   silence
 *        a server that only refers         question                 d20 the answer, to questions without EDNS0 alone
 *   z20  NS records, and no SOA, from  v20 BADVERS                  g20 FORMERR to questions with EDNS0, else the answer
 *        a forwarder that recurses
 *
 * A zone is records by ';': "NAME TYPE DATA...", with "@MS" behind it for an answer that comes so much later ("@-": never),
 * "+" before it for a record that is also put into the additional section of SRV answers. A name with any record exists. */
#pragma once

#include "tests/test.h"
#include "wire/transport.h"

#include <arpa/inet.h>
#include <stdio.h>

#define VIRTUAL_SERVERS_MAX 8
#define VIRTUAL_MESSAGES_MAX 512
#define MS 1000000LL

struct sm_connection {
	struct virtual *of;
	int server;
	bool is_open;
};

struct virtual_message {
	bool is_due;
	struct sm_connection *to;
	int64_t at_ns;
	enum sm_status status;
	sm_transport_hear *hear;
	void *context;
	uint8_t bytes[1400];
	size_t size;
};

static struct virtual {
	struct sm_transport is;
	int64_t now_ns;
	const char *zone;
	char scripts[VIRTUAL_SERVERS_MAX][128];
	const char *next[VIRTUAL_SERVERS_MAX]; /* of the script */
	enum sm_status open_status, socket_status;
	struct sm_connection connections[64];
	int n_connections;
	struct virtual_message messages[VIRTUAL_MESSAGES_MAX];
	int n_messages;
	int n_sent;           /* questions on the wire */
	int n_plain;          /* of them without EDNS0 */
	int n_stream;         /* of them by TCP */
	int n_sent_to[VIRTUAL_SERVERS_MAX];
	char sent[4096];      /* "NAME TYPE" of each, by ", " */
} virtual;

/* ---- messages */

struct virtual_writer {
	uint8_t *bytes;
	size_t at;
};

static inline void virtual_u16(struct virtual_writer *writer, unsigned value)
{
	writer->bytes[writer->at++] = (uint8_t)(value >> 8);
	writer->bytes[writer->at++] = (uint8_t)value;
}

static inline void virtual_name(struct virtual_writer *writer, const char *name)
{
	while (*name && strcmp(name, ".") != 0) {
		size_t length = strcspn(name, ".");

		writer->bytes[writer->at++] = (uint8_t)length;
		memcpy(writer->bytes + writer->at, name, length);
		writer->at += length;
		name += length + (name[length] == '.');
	}
	writer->bytes[writer->at++] = 0;
}

static inline unsigned virtual_type(const char *text)
{
	static const struct { const char *text; unsigned type; } types[] = {
		{"A", SM_RR_A}, {"AAAA", SM_RR_AAAA}, {"SRV", SM_RR_SRV}, {"CNAME", SM_RR_CNAME},
	};

	for (size_t i = 0; i < COUNT(types); i++)
		if (strcmp(types[i].text, text) == 0)
			return types[i].type;
	fail_msg("no such type: %s", text);
	return 0;
}

/* One record of a zone. */
struct virtual_record {
	char name[256], type[8], data[300];
	bool is_glue;
	int64_t late_ns; /* -1: never */
};

static inline bool virtual_next_record(const char **at, struct virtual_record *ret)
{
	char line[600], *end;

	*at += strspn(*at, "; \n");
	if (**at == '\0')
		return false;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(*at, ";"), *at);
	*at += strcspn(*at, ";");
	ret->late_ns = 0;
	end = strchr(line, '@');
	if (end) {
		ret->late_ns = end[1] == '-' ? -1 : atoll(end + 1) * MS;
		*end = '\0';
	}
	ret->is_glue = line[0] == '+';
	assert_int_equal(sscanf(line + ret->is_glue, "%255s %7s %299[^\n]", ret->name, ret->type, ret->data), 3);
	return true;
}

static inline void virtual_put_record(struct virtual_writer *writer, const struct virtual_record *record)
{
	size_t length;
	unsigned priority, weight, port;
	char target[256];

	virtual_name(writer, record->name);
	virtual_u16(writer, virtual_type(record->type));
	virtual_u16(writer, 1);
	virtual_u16(writer, 0);
	virtual_u16(writer, 60); /* TTL */
	length = writer->at;
	virtual_u16(writer, 0);
	if (strcmp(record->type, "SRV") == 0) {
		assert_int_equal(sscanf(record->data, "%u %u %u %255s", &priority, &weight, &port, target), 4);
		virtual_u16(writer, priority);
		virtual_u16(writer, weight);
		virtual_u16(writer, port);
		virtual_name(writer, target);
	} else if (strcmp(record->type, "CNAME") == 0) {
		assert_int_equal(sscanf(record->data, "%255s", target), 1);
		virtual_name(writer, target);
	} else {
		assert_int_equal(sscanf(record->data, "%255s", target), 1);
		assert_int_equal(inet_pton(record->type[1] ? AF_INET6 : AF_INET, target, writer->bytes + writer->at), 1);
		writer->at += record->type[1] ? 16 : 4;
	}
	writer->bytes[length] = (uint8_t)((writer->at - length - 2) >> 8);
	writer->bytes[length + 1] = (uint8_t)(writer->at - length - 2);
}

static inline void virtual_put_soa(struct virtual_writer *writer)
{
	virtual_name(writer, "mesh");
	virtual_u16(writer, SM_RR_SOA);
	virtual_u16(writer, 1);
	virtual_u16(writer, 0);
	virtual_u16(writer, 30);
	virtual_u16(writer, 22);
	virtual_name(writer, ".");
	virtual_name(writer, ".");
	for (int i = 0; i < 9; i++)
		virtual_u16(writer, 0);
	virtual_u16(writer, 30); /* minimum */
}

static inline void virtual_head(struct virtual_message *message, unsigned flags, const char *name, unsigned type)
{
	struct virtual_writer writer = {message->bytes, 0};

	virtual_u16(&writer, 1);
	virtual_u16(&writer, flags);
	virtual_u16(&writer, 1);
	virtual_u16(&writer, 0);
	virtual_u16(&writer, 0);
	virtual_u16(&writer, 0);
	virtual_name(&writer, name);
	virtual_u16(&writer, type);
	virtual_u16(&writer, 1);
	message->size = writer.at;
}

/* What the zone says of a question; returns how much later. */
static inline int64_t virtual_answer(struct virtual_message *message, const char *name, unsigned type)
{
	struct virtual_writer writer;
	struct virtual_record record;
	const char *at = virtual.zone ? virtual.zone : "";
	bool exists = false;
	unsigned n_answers = 0, n_glue = 0;
	int64_t late_ns = 0;

	virtual_head(message, 0x8180, name, type);
	writer = (struct virtual_writer){message->bytes, message->size};
	while (virtual_next_record(&at, &record)) {
		bool is_alias = strcmp(record.type, "CNAME") == 0;

		exists |= strcmp(record.name, name) == 0;
		if (strcmp(record.name, name) != 0 || (virtual_type(record.type) != type && !is_alias))
			continue;
		virtual_put_record(&writer, &record);
		n_answers++;
		late_ns = record.late_ns;
	}
	for (at = virtual.zone ? virtual.zone : ""; n_answers > 0 && type == SM_RR_SRV && virtual_next_record(&at, &record);) {
		if (!record.is_glue)
			continue;
		virtual_put_record(&writer, &record);
		n_glue++;
	}
	if (n_answers == 0)
		virtual_put_soa(&writer);
	message->bytes[3] |= exists ? 0 : SM_RCODE_NXDOMAIN;
	message->bytes[7] = (uint8_t)n_answers;
	message->bytes[9] = n_answers == 0;
	message->bytes[11] = (uint8_t)n_glue;
	message->size = writer.at;
	return late_ns;
}

/* ---- the transport */

static inline enum sm_status virtual_open(const struct sm_transport *transport, const struct sm_server *server,
                                          struct sm_connection **ret)
{
	struct sm_connection *connection = &virtual.connections[virtual.n_connections];

	assert_ptr_equal(transport, &virtual.is);
	if (virtual.open_status != SM_OK)
		return virtual.open_status;
	assert_true(virtual.n_connections++ < (int)COUNT(virtual.connections));
	*connection = (struct sm_connection){.of = &virtual, .server = server->address.bytes[3], .is_open = true};
	*ret = connection;
	return SM_OK;
}

static inline void virtual_close(struct sm_connection *connection)
{
	if (!connection)
		return;
	assert_true(connection->is_open);
	for (int i = 0; i < virtual.n_messages; i++) {
		struct virtual_message *message = &virtual.messages[i];

		if (message->to != connection || !message->is_due)
			continue;
		message->is_due = false;
		message->hear(message->context, SM_REFUSED, NULL, 0, virtual.now_ns);
	}
	connection->is_open = false;
}

/* An OPT record whose extended rcode is `upper`. */
static inline void virtual_put_opt(struct virtual_message *message, unsigned upper)
{
	struct virtual_writer writer = {message->bytes, message->size};

	virtual_name(&writer, ".");
	virtual_u16(&writer, SM_RR_OPT);
	virtual_u16(&writer, 1232);
	virtual_u16(&writer, upper << 8);
	virtual_u16(&writer, 0);
	virtual_u16(&writer, 0);
	message->bytes[11] = 1;
	message->size = writer.at;
}

static inline void virtual_put_ns(struct virtual_message *message)
{
	struct virtual_writer writer = {message->bytes, message->size};

	virtual_name(&writer, "mesh");
	virtual_u16(&writer, SM_RR_NS);
	virtual_u16(&writer, 1);
	virtual_u16(&writer, 0);
	virtual_u16(&writer, 60);
	virtual_u16(&writer, 4);
	virtual_name(&writer, "ns");
	message->bytes[9] = 1;
	message->size = writer.at;
}

static inline void virtual_make(struct virtual_message *message, char what, const char *name, unsigned type, bool is_plain)
{
	struct virtual_writer writer;

	if (what == 'd')
		what = is_plain ? 'a' : '-';
	if (what == 'g' && is_plain)
		what = 'a';

	switch (what) {
	case 'a':
		message->at_ns = virtual_answer(message, name, type) < 0 ? INT64_MAX : message->at_ns + virtual_answer(message, name, type);
		return;
	case 'n':
	case 'e':
		virtual_head(message, what == 'n' ? 0x8183 : 0x8180, name, type);
		writer = (struct virtual_writer){message->bytes, message->size};
		virtual_put_soa(&writer);
		message->bytes[9] = 1;
		message->size = writer.at;
		return;
	case 'f':
		virtual_head(message, 0x8182, name, type);
		return;
	case 'r':
		virtual_head(message, 0x8185, name, type);
		return;
	case 'y':
		virtual_head(message, 0x8000, name, type);
		return;
	case 'z':
		virtual_head(message, 0x8180, name, type);
		virtual_put_ns(message);
		return;
	case 'v':
		virtual_head(message, 0x8180, name, type);
		virtual_put_opt(message, 1);
		return;
	case 'g':
		virtual_head(message, 0x8181, name, type);
		return;
	case 'b':
		message->size = 5;
		return;
	case 'o':
		virtual_head(message, 0x8180, "other.mesh", type);
		return;
	case 'u':
	case 'x':
		message->status = what == 'u' ? SM_REFUSED : SM_SILENT;
		return;
	case '-':
		message->at_ns = INT64_MAX;
		return;
	}
	fail_msg("no such word of a script: %c", what);
}

/* The word for the next question to this server. */
static inline const char *virtual_word(int server)
{
	const char *word = virtual.next[server], *end = word + strcspn(word, " ");

	if (*end)
		virtual.next[server] = end + 1;
	return word;
}

static inline void virtual_ask(struct sm_connection *connection, const char *name, enum sm_rr_type type, unsigned flags,
                               sm_transport_hear *hear, void *context, int64_t now_ns)
{
	const char *word = virtual_word(connection->server);
	struct virtual_message *message = &virtual.messages[virtual.n_messages];
	size_t used = strlen(virtual.sent);

	assert_true(connection->is_open);
	assert_int_equal(now_ns, virtual.now_ns);
	if (word[0] == 'm') {
		hear(context, SM_EXHAUSTED, NULL, 0, now_ns);
		return;
	}
	virtual.n_sent++;
	virtual.n_plain += (flags & SM_ASK_PLAIN) != 0;
	virtual.n_stream += (flags & SM_ASK_STREAM) != 0;
	virtual.n_sent_to[connection->server]++;
	snprintf(virtual.sent + used, sizeof(virtual.sent) - used, "%s%s %s", used ? ", " : "", name,
	         type == SM_RR_SRV ? "SRV" : type == SM_RR_A ? "A" : "AAAA");
	if (word[0] == 'u' && atoll(word + 1) == 0) {
		hear(context, SM_REFUSED, NULL, 0, now_ns); /* the kernel knows already */
		return;
	}
	assert_true(virtual.n_messages++ < VIRTUAL_MESSAGES_MAX);
	*message = (struct virtual_message){
		.is_due = true, .to = connection, .status = SM_OK, .hear = hear, .context = context,
		.at_ns = now_ns + atoll(word + 1) * MS,
	};
	virtual_make(message, word[0], name, type, flags & SM_ASK_PLAIN);
}

static inline size_t virtual_fds(const struct sm_connection *connection, struct pollfd *ret)
{
	*ret = (struct pollfd){.fd = 1000 + connection->server, .events = POLLIN};
	return 1;
}

static inline int64_t virtual_wakes_ns(const struct sm_connection *connection)
{
	int64_t wakes_ns = INT64_MAX;

	for (int i = 0; i < virtual.n_messages; i++)
		if (virtual.messages[i].is_due && virtual.messages[i].to == connection && virtual.messages[i].at_ns < wakes_ns)
			wakes_ns = virtual.messages[i].at_ns;
	return wakes_ns;
}

static inline void virtual_process(struct sm_connection *connection, const struct pollfd *fds, size_t n, int64_t now_ns)
{
	(void)fds;
	(void)n;
	for (int i = 0; i < virtual.n_messages; i++) {
		struct virtual_message *message = &virtual.messages[i];

		if (!message->is_due || message->to != connection || message->at_ns > now_ns)
			continue;
		message->is_due = false;
		message->hear(message->context, message->status, message->status == SM_OK ? message->bytes : NULL, message->size, now_ns);
	}
}

static inline enum sm_status virtual_socket_status(const struct sm_connection *connection)
{
	(void)connection;
	return virtual.socket_status;
}

/* Begins at virtual time 1 s; `scripts`, by '/', are those of servers 10.0.0.0, 10.0.0.1, ... Returns how many. */
static inline uint32_t virtual_begin(const char *scripts, const char *zone)
{
	uint32_t n = 0;

	memset(&virtual, 0, sizeof(virtual));
	virtual.is = (struct sm_transport){
		.open = virtual_open,
		.close = virtual_close,
		.ask = virtual_ask,
		.fds = virtual_fds,
		.wakes_ns = virtual_wakes_ns,
		.process = virtual_process,
		.socket_status = virtual_socket_status,
	};
	virtual.now_ns = 1000 * MS;
	virtual.zone = zone;
	while (*scripts) {
		size_t length = strcspn(scripts, "/");

		snprintf(virtual.scripts[n], sizeof(virtual.scripts[n]), "%.*s", (int)length, scripts);
		virtual.next[n] = virtual.scripts[n];
		n++;
		scripts += length + (scripts[length] == '/');
	}
	return n;
}

static inline void virtual_set_servers(struct sm_rule *rule, uint32_t first, uint32_t n)
{
	rule->n_servers = n;
	for (uint32_t i = 0; i < n; i++)
		rule->servers[i] = (struct sm_server){
			.address = {.family = SM_IPV4, .bytes = {10, 0, 0, (uint8_t)(first + i)}}, .port = 53};
}

/* On to `ns`. */
static inline void virtual_advance(int64_t ns)
{
	assert_true(ns >= virtual.now_ns);
	virtual.now_ns = ns;
}

/* Nothing stays open, and nothing unheard. */
static inline void virtual_end(void)
{
	for (int i = 0; i < virtual.n_connections; i++)
		assert_false(virtual.connections[i].is_open);
	for (int i = 0; i < virtual.n_messages; i++)
		assert_false(virtual.messages[i].is_due);
}
