/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of lookup: is the name ours? then the host map; the process's own memory cache; the daemon; DNS from
 * inside the process. An answer past its TTL is kept meanwhile, and given to the program if nothing better comes in
 * time. */
#include "find/find.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/usdt.h"
#include "find/trace.h"
#include "find/wish.h"
#include "ipc/client.h"
#include "mesh/expand.h"
#include "mesh/record.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define SMALL_RECORD 1536 /* on the stack; a larger record is fetched again into allocated memory */
#define SMALL_ANSWER 1024 /* on the stack; the arrays of a larger one are allocated */
#define SIGN_SHARE 3      /* the daemon has a third of the available time to show that it is alive */
#define ABSENT_NS SM_NS_PER_S       /* between tries at a daemon that does not listen, */
#define SILENT_NS (5 * SM_NS_PER_S) /* and at one that does not answer */
#define SPARE_NS (50 * SM_NS_PER_MS) /* extra time for the daemon to report that the time is up */

SM_USDT_DEFINE(lookup_start);
SM_USDT_DEFINE(lookup_end);

/* Tells the daemon that the name is in use and near its end. */
static void send_hint(struct wish *wish, const void *bytes)
{
	struct sm_request hint = {
		.format = sm_process_format(wish->now_ns),
		.kind = SM_FRAME_HINT,
		.families = SM_IPV4_AND_IPV6,
		.name = wish->name,
	};
	struct sm_client_socket socket;
	uint64_t record;

	memcpy(&record, bytes, sizeof(record)); /* the record's checksum */
	if (!sm_process_has_daemon(wish->generation, wish->now_ns) || !sm_process_takes_hint(record, wish->now_ns) ||
	    sm_process_socket(wish->generation, wish->now_ns, &socket) != SM_OK)
		return;
	sm_inside_guard(&wish->stay);
	hint.bypass = sm_process_take_bypass(wish->now_ns);
	if (sm_client_hint(socket.path, &hint) != SM_OK)
		sm_process_untake_hint(record);
}

static enum sm_status miss(struct wish *wish, const struct sm_answer *answer)
{
	wish->is_plain = sm_answer_is_plain(answer);
	if (answer->kind == SM_ANSWER_ADDRESSES)
		wish->keeps = sm_answer_known_families(answer);
	return SM_MISS;
}

static enum sm_status use_record(struct wish *wish, bool is_shared, const void *bytes, size_t size, enum sm_verdict *ret)
{
	_Alignas(uint64_t) char room[SMALL_ANSWER];
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing_from(room, sizeof(room), SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_times times;
	enum sm_freshness freshness;

	if (sm_record_decode(&wish->name, bytes, size, &arena, &answer, &times) != SM_OK)
		return SM_MISS;
	sm_wish_take(wish, is_shared, &answer);
	wish->place = is_shared ? SM_PLACE_MAP : SM_PLACE_MEMORY;
	if (answer.unawaited_families & wish->families)
		return miss(wish, &answer);
	if (wish->lacking && wish->now_ns >= times.recheck_ns && sm_lifetime_freshness(&times, wish->now_ns) != SM_DEAD) {
		if (wish->lacking == wish->families)
			sm_wish_keep_partial(wish, bytes, size);
		else
			sm_wish_keep_old(wish, bytes, size, &times);
		return miss(wish, &answer);
	}
	freshness = sm_lifetime_freshness(&times, wish->now_ns);
	switch (freshness) {
	case SM_DUE:
		if (is_shared)
			send_hint(wish, bytes);
		break;
	case SM_OLD:
		sm_wish_keep_old(wish, bytes, size, &times);
		return miss(wish, &answer);
	case SM_DEAD:
		return miss(wish, &answer);
	case SM_FRESH:
	case SM_STALE:
		break;
	}
	if (answer.kind == SM_ANSWER_FAILURE && sm_wish_is_over(wish, &times))
		return SM_MISS;
	*ret = sm_wish_choose(wish, &answer, &times);
	if (freshness == SM_FRESH && *ret == SM_VERDICT_FOUND)
		sm_wish_note(wish, &answer, &times);
	return SM_OK;
}

/* ---- the host map, and the memory of the process */

/* SM_MISS: it is not there. Else nothing can be said, or a larger buffer is needed. */
typedef enum sm_status getter(const struct wish *wish, void *bytes, size_t size, size_t *ret_size);

static enum sm_status get_from_map(const struct wish *wish, void *bytes, size_t size, size_t *ret_size)
{
	const struct sm_view *view = atomic_load_explicit(&wish->generation->view, memory_order_acquire);
	uint8_t key[SM_MAP_KEY_MAX];

	if (!view)
		return SM_REFUSED; /* nothing is mapped */
	return sm_reader_get(&view->mapped, key, sm_map_key(SM_MAP_SERVICE, &wish->name, key), bytes, size, ret_size);
}

static enum sm_status get_from_memory(const struct wish *wish, void *bytes, size_t size, size_t *ret_size)
{
	return sm_memory_get(&wish->generation->memory, &wish->name, bytes, size, ret_size);
}

static enum sm_status find_large(struct wish *wish, getter *get, size_t size, enum sm_verdict *ret)
{
	SM_SCOPE_FREE void *bytes = malloc(size);

	if (!bytes || get(wish, bytes, size, &size) != SM_OK)
		return SM_MISS;
	return use_record(wish, get == get_from_map, bytes, size, ret);
}

static enum sm_status find_kept(struct wish *wish, getter *get, enum sm_verdict *ret)
{
	uint8_t bytes[SMALL_RECORD];
	size_t size;
	enum sm_status status = get(wish, bytes, sizeof(bytes), &size);

	if (status == SM_FULL)
		return find_large(wish, get, size, ret);
	return status == SM_OK ? use_record(wish, get == get_from_map, bytes, size, ret) : status;
}

/* ---- the daemon */

/* An answer of the daemon may be used even if it is past its TTL. If there is no host map, the process caches the
 * answer. */
static enum sm_status use_reply(struct wish *wish, const void *bytes, size_t size, enum sm_verdict *ret)
{
	_Alignas(uint64_t) char room[SMALL_ANSWER];
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing_from(room, sizeof(room), SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_times times;
	enum sm_status status = sm_record_decode(&wish->name, bytes, size, &arena, &answer, &times);

	if (status != SM_OK)
		return status == SM_EXHAUSTED ? SM_EXHAUSTED : SM_CORRUPT;
	sm_wish_take(wish, true, &answer);
	/* a record from the future comes from a daemon in another time namespace */
	if (!atomic_load_explicit(&wish->generation->view, memory_order_relaxed) && times.made_ns <= wish->now_ns)
		sm_wish_keep(wish, bytes, size, times.expires_ns);
	wish->place = SM_PLACE_DAEMON;
	*ret = sm_wish_choose(wish, &answer, &times);
	return SM_OK;
}

static enum sm_status ask_daemon(struct wish *wish, enum sm_verdict *ret)
{
	int64_t until_ns = sm_wish_patience_ns(wish, wish->rule->stale_after_ms, SPARE_NS), left_ns = until_ns - wish->now_ns;
	const struct sm_request request = {
		.format = sm_process_format(wish->now_ns),
		.kind = SM_FRAME_LOOKUP,
		.wait_ms = (uint32_t)(left_ns / SM_NS_PER_MS),
		.families = sm_wish_families(wish),
		.bypass = (uint8_t)sm_process_take_bypass(wish->now_ns),
		.name = wish->name,
	};
	struct sm_client_socket socket;
	struct sm_client_reply reply;
	enum sm_status status = sm_process_socket(wish->generation, wish->now_ns, &socket);

	if (status == SM_OK)
		status = sm_client_ask(&socket, &request, wish->now_ns + left_ns / SIGN_SHARE, until_ns, &wish->has_daemon,
		                       &reply);
	wish->now_ns = sm_clock_now_ns();
	if (status != SM_OK)
		return status;
	sm_process_set_format(reply.format, wish->now_ns);
	if (reply.kind == SM_FRAME_NOT_OURS)
		sm_process_note_bypass(SM_BYPASS_CONFIG_DIFFERS);
	status = reply.kind == SM_FRAME_NOT_OURS || reply.kind == SM_FRAME_BUSY ? SM_MISS : SM_CORRUPT;
	if (reply.kind == SM_FRAME_RECORD)
		status = use_reply(wish, reply.content, reply.size, ret);
	free(reply.bytes);
	return status;
}

static void give_up(const struct wish *wish, enum sm_bypass why, int64_t ns)
{
	sm_process_give_daemon_up(wish->now_ns + ns);
	sm_process_note_bypass(why);
}

static enum sm_status find_by_daemon(struct wish *wish, enum sm_verdict *ret)
{
	enum sm_status status;

	if (wish->now_ns >= wish->deadline_ns || !sm_process_has_daemon(wish->generation, wish->now_ns))
		return SM_MISS;
	status = ask_daemon(wish, ret);
	if (status == SM_REFUSED)
		give_up(wish, SM_BYPASS_SOCKET_REFUSED, ABSENT_NS);
	if (status == SM_INVALID)
		give_up(wish, SM_BYPASS_SOCKET_UNTRUSTED, ABSENT_NS);
	/* it is not to blame where a short name left it little time */
	if (status == SM_CORRUPT || (status == SM_SILENT && !wish->has_daemon && wish->spent_ns == 0))
		give_up(wish, SM_BYPASS_SILENT, SILENT_NS);
	return status == SM_OK ? SM_OK : SM_MISS;
}

/* ---- the order */

__attribute__((cold)) /* with all that it leads to: beside a question to a server its own time is nothing */
static enum sm_verdict find_by_asking(struct wish *wish)
{
	enum sm_verdict verdict;

	sm_inside_guard(&wish->stay);
	if (find_by_daemon(wish, &verdict) == SM_OK)
		return verdict;
	if (wish->generation->conf->host.is_embedded)
		return sm_wish_ask_dns(wish);
	return SM_VERDICT_TRY_AGAIN;
}

/* A map that could be read, and does not have the name, is not looked at again: who writes it would say the same. */
static enum sm_status find_anything_kept(struct wish *wish, enum sm_verdict *ret)
{
	enum sm_status of_map = find_kept(wish, get_from_map, ret);

	if (of_map == SM_OK || find_kept(wish, get_from_memory, ret) == SM_OK)
		return SM_OK;
	if (of_map == SM_MISS)
		return SM_MISS;
	sm_inside_guard(&wish->stay);
	return sm_process_look_at_map(wish->generation) ? find_kept(wish, get_from_map, ret) : SM_MISS;
}

/* If the host map holds a failure, the process may still have an older answer, which is then used. */
static enum sm_verdict find_somewhere(struct wish *wish)
{
	enum sm_verdict verdict, other;
	enum sm_status status = find_anything_kept(wish, &verdict);

	if (status != SM_OK)
		verdict = find_by_asking(wish);
	if (verdict != SM_VERDICT_TRY_AGAIN && verdict != SM_VERDICT_NOT_OURS)
		return verdict;
	if (status == SM_OK && !wish->old && find_kept(wish, get_from_memory, &other) == SM_OK)
		return other;
	return sm_wish_use_old(wish, &other) == SM_OK ? other : verdict;
}

static void begin(struct wish *wish)
{
	wish->began_ns = wish->now_ns;
	wish->deadline_ns = wish->now_ns + wish->rule->deadline_ms * SM_NS_PER_MS - wish->spent_ns;
	wish->old = NULL;
	wish->pin = NULL;
	wish->lacking = wish->keeps = 0;
	wish->partial = NULL;
	wish->is_plain = wish->is_cut_short = wish->has_daemon = false;
	wish->place = SM_PLACE_NOWHERE;
}

static void release(struct wish *wish)
{
	if (!wish->old && !wish->partial)
		return;
	free(wish->old);
	free(wish->partial);
}

/* Inlined twice: every lookup comes through here. */
__attribute__((always_inline))
static inline enum sm_verdict find_ours(struct wish *wish, const char *name, size_t length, const char *proto)
{
	enum sm_verdict verdict;

	begin(wish);
	if (sm_name_parse(name, length, &wish->name) != SM_OK)
		return SM_VERDICT_NO_NAME; /* under our suffix, but not a valid name: no server is asked */
	if (wish->service && proto && strcmp(proto, wish->rule->proto) != 0)
		return SM_VERDICT_NO_NAME; /* glibc asks for six protocols; SRV records are for one */
	wish->pin = wish->found ? sm_pin_get(&wish->name, wish->families, wish->now_ns) : NULL;
	verdict = find_somewhere(wish);
	release(wish);
	return verdict;
}

/* A short name, completed by the search list: the first domain that has it, all within one deadline; in an outage, as in glibc,
 * the first of which something is kept. A name that is not found is another module's. */
static enum sm_verdict find_short(struct wish *wish, const struct sm_rules *rules, const char *name, size_t length,
                                  const char *proto)
{
	int64_t began_ns = wish->now_ns;
	uint32_t index = 0;
	struct sm_name full;

	while ((wish->rule = sm_rules_search(rules, name, length, &index, &full))) {
		enum sm_verdict verdict;

		wish->spent_ns = wish->now_ns - began_ns;
		verdict = find_ours(wish, full.text, full.length, proto);
		if (verdict == SM_VERDICT_FOUND)
			return verdict;
	}
	return SM_VERDICT_NOT_OURS;
}

/* A file of the configuration cannot be read, so it is not known whether a name is ours. A name in the host map is
 * ours, because srvmeshd was able to read the file. */
static enum sm_verdict find_unknown(struct wish *wish, const char *name, size_t length)
{
	enum sm_verdict verdict = SM_VERDICT_NOT_OURS;

	wish->rule = &wish->generation->conf->rules.elsewhere;
	begin(wish);
	if (sm_name_parse(name, length, &wish->name) != SM_OK)
		return SM_VERDICT_NOT_OURS;
	if (find_kept(wish, get_from_map, &verdict) != SM_OK && sm_wish_use_old(wish, &verdict) != SM_OK)
		verdict = SM_VERDICT_NOT_OURS;
	release(wish);
	return verdict;
}

/* No section has the name as it stands. */
static enum sm_verdict find_other(struct wish *wish, const struct sm_conf *conf, const char *name, size_t length,
                                  const char *proto)
{
	enum sm_verdict verdict = SM_VERDICT_NOT_OURS;

	if (conf->rules.search)
		verdict = find_short(wish, &conf->rules, name, length, proto);
	if (verdict == SM_VERDICT_NOT_OURS && conf->has_unread)
		verdict = find_unknown(wish, name, length);
	return verdict;
}

static enum sm_verdict find_in(struct wish *wish, const struct sm_conf *conf, const char *name, const char *proto)
{
	size_t length = strlen(name);

	if (conf->rules.elsewhere.is_disabled)
		return SM_VERDICT_NOT_OURS;
	wish->rule = sm_rules_match(&conf->rules, name, length);
	if (!wish->rule)
		return find_other(wish, conf, name, length, proto);
	return wish->rule->is_disabled ? SM_VERDICT_NOT_OURS : find_ours(wish, name, length, proto);
}

__attribute__((noinline))
static enum sm_verdict find_and_trace(struct wish *wish, const struct sm_conf *conf, const char *name, const char *proto)
{
	struct sm_trace trace;
	struct sm_watcher watcher = sm_trace_begin(&trace, name, wish->families, wish->now_ns);
	enum sm_verdict verdict;

	sm_inside_guard(&wish->stay);
	wish->watcher = &watcher;
	verdict = find_in(wish, conf, name, proto);
	sm_trace_end(&trace, verdict, sm_clock_now_ns());
	return verdict;
}

/* No rule has the name as it stands. */
static bool is_foreign(const struct sm_conf *conf)
{
	return !conf->rules.search && !conf->has_unread && sm_process_is_settled_by_ticks();
}

/* `rule`: of the name, as the generation `before` has it; NULL: not known. */
static enum sm_verdict find_settled(struct wish *wish, const char *name, size_t length, const char *proto,
                                    const struct sm_generation *before, const struct sm_rule *rule)
{
	wish->generation = sm_process_settle(&wish->stay, wish->now_ns);
	if (!wish->generation)
		return SM_VERDICT_TRY_AGAIN; /* no memory or descriptor: which names are ours is not known */
	if (rule && wish->generation == before) {
		wish->rule = rule;
		return rule->is_disabled ? SM_VERDICT_NOT_OURS : find_ours(wish, name, length, proto);
	}
	wish->hash = 0; /* what was noted for it is of another generation */
	if (!wish->generation->conf)
		return SM_VERDICT_NOT_OURS;
	if (wish->generation->is_traced && !wish->watcher)
		return find_and_trace(wish, wish->generation->conf, name, proto);
	return find_in(wish, wish->generation->conf, name, proto);
}

__attribute__((noinline))
static enum sm_verdict find_patiently(struct wish *wish, const char *name, size_t length, const char *proto,
                                      const struct sm_generation *before, const struct sm_rule *rule)
{
	int saved = errno;
	enum sm_verdict verdict = find_settled(wish, name, length, proto, before, rule);

	errno = saved;
	return verdict;
}

__attribute__((always_inline))
static inline enum sm_verdict find_name(struct wish *wish, const char *name, const char *proto)
{
	struct sm_generation *generation = sm_process_step_in(&wish->stay);
	const struct sm_rule *rule = NULL;
	size_t length = strlen(name);

	wish->place = SM_PLACE_NOWHERE;
	wish->hash = 0;
	if (generation && generation->is_quiet) {
		rule = sm_rules_match(&generation->conf->rules, name, length);
		if (!rule && is_foreign(generation->conf))
			return SM_VERDICT_NOT_OURS;
	}
	wish->now_ns = sm_clock_now_ns();
	wish->spent_ns = 0;
	wish->generation = generation;
	if (rule && !rule->is_disabled && wish->found && !wish->watcher &&
	    sm_wish_recall(wish, name, length))
		return SM_VERDICT_FOUND;
	return find_patiently(wish, name, length, proto, generation, rule);
}

__attribute__((noinline, cold))
static void tell_probe(const struct wish *wish, const char *name, enum sm_verdict verdict)
{
	SM_USDT_4(lookup_end, name, verdict, wish->place, sm_clock_now_ns() - wish->entered_ns);
}

__attribute__((always_inline))
static inline enum sm_verdict find_and_leave(struct wish *wish, const char *name, const char *proto)
{
	enum sm_verdict verdict;

	SM_USDT_1(lookup_start, name);
	wish->entered_ns = SM_USDT_IS_WATCHED(lookup_end) ? sm_clock_now_ns() : 0;
	verdict = find_name(wish, name, proto);
	sm_process_leave(&wish->stay);
	if (wish->entered_ns)
		tell_probe(wish, name, verdict);
	return verdict;
}

__attribute__((noinline))
static enum sm_verdict find_seldom(struct wish *wish, const char *name, const char *proto)
{
	return find_and_leave(wish, name, proto);
}

enum sm_verdict sm_find(const char *name, uint8_t families, struct sm_found *ret)
{
	struct wish wish;

	/* field by field: an initializer would clear the whole name first, also in lookups that are not ours */
	wish.families = families;
	wish.found = ret;
	wish.service = NULL;
	wish.watcher = NULL;
	return find_and_leave(&wish, name, NULL);
}

enum sm_verdict sm_find_watched(const char *name, uint8_t families, const struct sm_watcher *watcher, struct sm_found *ret)
{
	struct wish wish;

	wish.families = families;
	wish.found = ret;
	wish.service = NULL;
	wish.watcher = watcher;
	return find_seldom(&wish, name, NULL);
}

enum sm_verdict sm_find_service(const char *name, const char *proto, struct sm_found_service *ret)
{
	struct wish wish;

	wish.families = SM_IPV4_AND_IPV6;
	wish.found = NULL;
	wish.service = ret;
	wish.watcher = NULL;
	return find_seldom(&wish, name, proto);
}
