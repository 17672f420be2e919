/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/question.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "cli/memory.h"
#include "resolve/channel.h"
#include "wire/message.h"

#include <stdlib.h>
#include <string.h>

struct heard {
	bool is_heard;
	enum sm_status status;
	uint8_t *message; /* owned */
	size_t size;
};

static void hear(void *context, enum sm_status status, const uint8_t *message, size_t size, int64_t now_ns)
{
	struct heard *heard = context;

	(void)now_ns;
	if (status == SM_FULL)
		return; /* the whole comes yet */
	heard->is_heard = true;
	heard->status = status;
	heard->message = status == SM_OK ? sm_memory(malloc(size)) : NULL;
	heard->size = size;
	if (heard->message)
		memcpy(heard->message, message, size);
}

static void wait_for(const struct sm_transport *transport, struct sm_connection *connection, struct heard *heard,
                     int64_t until_ns)
{
	int64_t now_ns = sm_clock_now_ns();

	while (!heard->is_heard && now_ns < until_ns) {
		struct pollfd fds[SM_TRANSPORT_FDS_MAX];
		size_t n = transport->fds(connection, fds);
		enum sm_status status = sm_descriptor_wait(fds, n, sm_sooner(until_ns, transport->wakes_ns(connection)) - now_ns,
		                                           &now_ns);

		if (status != SM_OK && status != SM_SILENT)
			return;
		transport->process(connection, fds, n, now_ns);
	}
}

static bool has_records(const struct sm_reply *reply, enum sm_rr_type type)
{
	for (uint32_t i = 0; i < reply->n_records; i++)
		if (reply->records[i].type == type && !reply->records[i].is_additional)
			return true;
	return false;
}

static enum sm_question_outcome judge(const struct heard *heard, const char *name, enum sm_rr_type type, bool *ret_has)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_REPLY_MEMORY_MAX);
	struct sm_reply reply;

	*ret_has = false;
	if (!heard->is_heard)
		return SM_QUESTION_SILENT;
	if (heard->status != SM_OK || !heard->message)
		return SM_QUESTION_UNREACHABLE;
	if (sm_message_decode(heard->message, heard->size, name, type, &arena, &reply) != SM_OK)
		return SM_QUESTION_BAD;
	if (reply.rcode == SM_RCODE_REFUSED || reply.rcode == SM_RCODE_NOTIMP)
		return SM_QUESTION_REFUSED;
	if (reply.rcode == SM_RCODE_NXDOMAIN)
		return SM_QUESTION_NO_NAME;
	if (reply.is_referral)
		return SM_QUESTION_REFERRAL;
	*ret_has = has_records(&reply, type);
	return sm_message_settles(&reply) ? SM_QUESTION_GOOD : SM_QUESTION_BAD;
}

enum sm_question_outcome sm_question_ask(const struct sm_server *server, const char *name, enum sm_rr_type type,
                                         int64_t timeout_ns, bool *ret_has)
{
	const struct sm_transport *transport = &sm_channel_transport;
	struct heard heard = {.is_heard = false};
	struct sm_connection *connection;
	int64_t now_ns = sm_clock_now_ns();
	enum sm_question_outcome outcome;

	*ret_has = false;
	if (transport->open(transport, server, &connection) != SM_OK)
		return SM_QUESTION_UNREACHABLE;
	transport->ask(connection, name, type, server->is_stream ? SM_ASK_STREAM : 0U, hear, &heard, now_ns);
	wait_for(transport, connection, &heard, now_ns + timeout_ns);
	outcome = judge(&heard, name, type, ret_has);
	free(heard.message);
	heard.message = NULL;
	transport->close(connection); /* which is heard, too */
	free(heard.message);
	return outcome;
}
