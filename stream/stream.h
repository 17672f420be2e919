/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection, by TCP or to a local socket, that is kept open: where it ends or cannot be made, it is made again after 1 s,
 * 2 s, ... 60 s, a quarter more or less. What it carries is its user's. Nothing here waits: the user polls, and says what time
 * it is. */
#pragma once

#include "base/status.h"
#include "mesh/rule.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#define SM_STREAM_FIRST_NS 1000000000LL
#define SM_STREAM_MAX_NS (60 * 1000000000LL)

/* Where to. */
struct sm_stream_end {
	const char *path; /* of a local socket; NULL: `server` */
	const struct sm_server *server;
};

struct sm_stream_user {
	/* It is connected, and may be written to. */
	void (*on_open)(void *context, int64_t now_ns);
	/* All bytes that have come and were not consumed; *ret_used: how many are consumed now. SM_MISS: none, until more have
	 * come. Anything else but SM_OK: they are nothing that the user understands, and the connection is given up. */
	enum sm_status (*on_bytes)(void *context, const uint8_t *bytes, size_t size, int64_t now_ns, size_t *ret_used);
	/* It has ended, or was not made: `why`, an errno; 0: the other side has closed it, or sent what nobody understands. */
	void (*on_end)(void *context, int why, int64_t now_ns);
};

struct sm_stream;

/* `timeout_ns`: for making a connection, and for data that the other side does not acknowledge. `read_max`, `write_max`: bytes
 * that are held at most, each way. The first connection is due at once. `user` and `context` must outlive it. SM_EXHAUSTED. */
enum sm_status sm_stream_begin(const struct sm_stream_user *user, void *context, int64_t timeout_ns, size_t read_max,
                               size_t write_max, struct sm_stream **ret) SM_MUST_CHECK;
void sm_stream_end(struct sm_stream *stream);

/* While it is closed, and its time has come (sm_stream_wakes_ns): makes a connection to `end`, which is borrowed for this
 * call. */
void sm_stream_connect(struct sm_stream *stream, const struct sm_stream_end *end, int64_t now_ns);
bool sm_stream_is_open(const struct sm_stream *stream);

/* What to poll (fd -1: nothing), until when, and what to do with the result. */
struct pollfd sm_stream_poll(const struct sm_stream *stream);
int64_t sm_stream_wakes_ns(const struct sm_stream *stream);
void sm_stream_process(struct sm_stream *stream, short revents, int64_t now_ns);

/* Room of so many bytes to write, until sm_stream_wrote. SM_FULL: `write_max` is reached, or it is not open. */
enum sm_status sm_stream_room(struct sm_stream *stream, size_t size, void **ret) SM_MUST_CHECK;
/* So many bytes of the room are written, and go out when it is processed next. */
void sm_stream_wrote(struct sm_stream *stream, size_t size);

/* The other side is what it should be: the next connection, if this one ends, is made soon. */
void sm_stream_is_good(struct sm_stream *stream);
/* Gives the connection up, as if it had ended. */
void sm_stream_break(struct sm_stream *stream, int64_t now_ns);
