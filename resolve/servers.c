/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of servers. */
#include "resolve/servers.h"

#include "base/clock.h"
#include "base/random.h"

#include <string.h>

#define HEDGE_LEAST_NS (20 * SM_NS_PER_MS)
#define HEDGE_UNKNOWN_NS (150 * SM_NS_PER_MS)
#define SLOW_FACTOR 4
#define SLOW_LEAST_US 50000
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 30000
#define SECOND_LOOK_NS (30 * SM_NS_PER_S) /* at a server that was overtaken, or is slow */
#define PLAIN_NS (300 * SM_NS_PER_S) /* then EDNS0 is tried again */
#define PLAIN_PROVEN 2
#define RTT_MAX_US 60000000

void sm_servers_init(struct sm_servers *servers, uint64_t seed)
{
	memset(servers, 0, sizeof(*servers));
	servers->seed = seed;
}

const struct sm_server_known *sm_servers_find(const struct sm_servers *servers, const struct sm_server *server)
{
	for (uint32_t i = 0; i < servers->n; i++)
		if (sm_server_equals(&servers->known[i].server, server))
			return &servers->known[i];
	return NULL;
}

static struct sm_server_known *find(struct sm_servers *servers, const struct sm_server *server)
{
	return (struct sm_server_known *)sm_servers_find(servers, server);
}

/* A place that is free, or that of the server unused for longest. */
static struct sm_server_known *free_place(struct sm_servers *servers)
{
	struct sm_server_known *oldest = &servers->known[0];

	if (servers->n < SM_SERVERS_KNOWN_MAX) {
		oldest = &servers->known[servers->n++];
		oldest->changed_ns = INT64_MIN;
		return oldest;
	}
	for (uint32_t i = 1; i < servers->n; i++)
		if (servers->known[i].changed_ns < oldest->changed_ns)
			oldest = &servers->known[i];
	return oldest;
}

/* The place of a server: a new one where there is none yet. */
static struct sm_server_known *place_of(struct sm_servers *servers, const struct sm_server *server)
{
	struct sm_server_known *known = find(servers, server);

	if (known)
		return known;
	known = free_place(servers);
	*known = (struct sm_server_known){.server = *server};
	return known;
}

void sm_servers_learn(struct sm_servers *servers, const struct sm_server_known *known)
{
	struct sm_server_known *place = find(servers, &known->server);

	if (!place)
		place = free_place(servers);
	if (known->changed_ns > place->changed_ns)
		*place = *known;
}

void sm_servers_merge(struct sm_servers *servers, const struct sm_servers *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		sm_servers_learn(servers, &from->known[i]);
	if (from->n_questions <= servers->n_questions)
		return;
	servers->n_questions = from->n_questions;
	servers->n_hedges = from->n_hedges;
	memcpy(servers->hedges, from->hedges, sizeof(servers->hedges));
}

static void note_change(struct sm_servers *servers, struct sm_server_known *known, int64_t now_ns)
{
	known->changed_ns = now_ns;
	servers->n_changes++;
}

static void forgive(struct sm_server_known *known)
{
	known->is_overtaken = false;
	known->n_failures = known->n_poor = known->n_names = 0;
	known->backoff_ms = 0;
	known->retry_ns = 0;
}

/* Links come and go on a host with containers: what failed is tried at once, but by nobody's lookup first. */
static void forget_network(struct sm_server_known *known, int64_t now_ns)
{
	known->n_failures = known->n_poor = known->n_names = known->n_plain = 0;
	known->speaks_edns = false;
	known->plain_ns = known->probed_ns = 0;
	if (known->backoff_ms > 0) {
		known->back_ns = now_ns;
		known->backoff_ms = BACKOFF_FIRST_MS;
		known->retry_ns = now_ns;
	}
	if (known->is_overtaken)
		known->overtaken_ns = now_ns > SECOND_LOOK_NS ? now_ns - SECOND_LOOK_NS : 0;
}

void sm_servers_forget_network(struct sm_servers *servers, int64_t now_ns)
{
	for (uint32_t i = 0; i < servers->n; i++) {
		forget_network(&servers->known[i], now_ns);
		note_change(servers, &servers->known[i], now_ns);
	}
}

/* ---- whom to ask */

/* In the order in which the servers are asked. */
enum standing { DUE, USABLE, BEHIND, BACKING_OFF };

/* The shortest round trip among the usable servers; 0: not known. */
static uint32_t best_srtt_us(const struct sm_servers *servers, const struct sm_rule *rule)
{
	uint32_t best_us = 0;

	for (uint32_t i = 0; i < rule->n_servers; i++) {
		const struct sm_server_known *known = sm_servers_find(servers, &rule->servers[i]);

		if (!known || known->backoff_ms > 0 || known->is_overtaken || known->srtt_us == 0)
			continue;
		if (best_us == 0 || known->srtt_us < best_us)
			best_us = known->srtt_us;
	}
	return best_us;
}

static bool is_slow(const struct sm_server_known *known, uint32_t best_us)
{
	return best_us > 0 && known->srtt_us / SLOW_FACTOR > best_us && known->srtt_us > best_us + SLOW_LEAST_US;
}

static enum standing standing_of(const struct sm_server_known *known, uint32_t best_us)
{
	if (!known)
		return USABLE;
	if (known->backoff_ms > 0)
		return BACKING_OFF;
	return known->is_overtaken || is_slow(known, best_us) ? BEHIND : USABLE;
}

/* Has the time of a server come that is not asked in its turn? */
static bool is_due(const struct sm_server_known *known, uint32_t best_us, int64_t now_ns)
{
	if (!known || now_ns < known->probed_ns)
		return false;
	if (known->backoff_ms > 0)
		return now_ns >= known->retry_ns;
	if (known->is_overtaken)
		return now_ns >= known->overtaken_ns + SECOND_LOOK_NS;
	return is_slow(known, best_us) && now_ns >= known->heard_ns + SECOND_LOOK_NS;
}

bool sm_servers_take_probe(struct sm_servers *servers, const struct sm_rule *rule, uint32_t index, int64_t now_ns)
{
	struct sm_server_known *known = find(servers, &rule->servers[index]);

	if (!is_due(known, best_srtt_us(servers, rule), now_ns))
		return false;
	known->probed_ns = now_ns + rule->timeout_ms * SM_NS_PER_MS;
	known->changed_ns = now_ns;
	return true;
}

void sm_servers_order(struct sm_servers *servers, const struct sm_rule *rule, bool tries_due, int64_t now_ns,
                      uint8_t ret[SM_SERVERS_MAX])
{
	enum standing standings[SM_SERVERS_MAX];
	uint32_t best_us = best_srtt_us(servers, rule), n = 0;

	for (uint32_t i = 0; i < rule->n_servers; i++) {
		standings[i] = standing_of(sm_servers_find(servers, &rule->servers[i]), best_us);
		if (tries_due && sm_servers_take_probe(servers, rule, i, now_ns)) {
			standings[i] = DUE;
			tries_due = false;
		}
	}
	for (enum standing standing = DUE; standing <= BACKING_OFF; standing++)
		for (uint32_t i = 0; i < rule->n_servers; i++)
			if (standings[i] == standing)
				ret[n++] = (uint8_t)i;
}

int64_t sm_servers_usual_ns(const struct sm_servers *servers, const struct sm_server *server)
{
	const struct sm_server_known *known = sm_servers_find(servers, server);

	return known && known->srtt_us > 0 ? ((int64_t)known->srtt_us + 4 * (int64_t)known->var_us) * 1000 : 0;
}

bool sm_servers_is_backing_off(const struct sm_servers *servers, const struct sm_server *server)
{
	const struct sm_server_known *known = sm_servers_find(servers, server);

	return known && known->backoff_ms > 0;
}

int64_t sm_servers_hedge_ns(const struct sm_servers *servers, const struct sm_rule *rule, uint32_t index, int64_t now_ns)
{
	const struct sm_server_known *known = sm_servers_find(servers, &rule->servers[index]);
	int64_t most_ns = rule->timeout_ms * SM_NS_PER_MS / 2, ns = sm_servers_usual_ns(servers, &rule->servers[index]);

	if (ns == 0)
		ns = HEDGE_UNKNOWN_NS;
	if (ns < HEDGE_LEAST_NS || (known && (known->n_failures > 0 || known->is_overtaken || now_ns < known->probed_ns)))
		ns = HEDGE_LEAST_NS;
	return ns < most_ns ? ns : most_ns;
}

bool sm_servers_is_worse_since(const struct sm_servers *servers, const struct sm_server *server, int64_t sent_ns)
{
	const struct sm_server_known *known = sm_servers_find(servers, server);

	return known && ((known->is_overtaken && known->overtaken_ns > sent_ns) ||
	                 (known->backoff_ms > 0 && known->silent_ns > sent_ns));
}

bool sm_servers_is_known(const struct sm_servers *servers, const struct sm_rule *rule)
{
	for (uint32_t i = 0; i < rule->n_servers; i++) {
		const struct sm_server_known *known = sm_servers_find(servers, &rule->servers[i]);

		if (known && known->srtt_us > 0)
			return true;
	}
	return false;
}

bool sm_servers_is_plain(const struct sm_servers *servers, const struct sm_server *server, int64_t now_ns)
{
	const struct sm_server_known *known = sm_servers_find(servers, server);

	return known && now_ns < known->plain_ns;
}

uint64_t sm_servers_count_question(struct sm_servers *servers)
{
	uint64_t number = servers->n_questions++;
	uint8_t *hedges = &servers->hedges[number % SM_HEDGE_WINDOW];

	servers->n_hedges -= *hedges;
	*hedges = 0;
	return number;
}

bool sm_servers_may_hedge(const struct sm_servers *servers)
{
	return servers->n_hedges < SM_HEDGE_WINDOW / 10;
}

void sm_servers_count_hedges(struct sm_servers *servers, uint64_t number, uint8_t n)
{
	uint8_t *hedges = &servers->hedges[number % SM_HEDGE_WINDOW];

	if (servers->n_questions > number + SM_HEDGE_WINDOW)
		return;
	servers->n_hedges += n;
	servers->n_hedges -= *hedges;
	*hedges = n;
}

/* ---- what has happened */

struct sm_sent sm_servers_sent(struct sm_servers *servers, const struct sm_server *server, int64_t now_ns)
{
	const struct sm_server_known *known = place_of(servers, server);

	return (struct sm_sent){.at_ns = now_ns, .backoff_ms = known->backoff_ms, .n_failures = known->n_failures};
}

static uint8_t larger(uint8_t a, unsigned b)
{
	return b > UINT8_MAX ? UINT8_MAX : b > a ? (uint8_t)b : a;
}

/* One second, or twice as long as when the question was sent, a quarter more or less, so that many hosts that failed
 * together do not ask together. */
static void back_off(struct sm_servers *servers, struct sm_server_known *known, const struct sm_sent *sent, int64_t now_ns)
{
	uint32_t ms = sent->backoff_ms == 0 ? BACKOFF_FIRST_MS : sent->backoff_ms * 2;
	int64_t jittered_ms;

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	if (ms <= known->backoff_ms && (sent->backoff_ms != BACKOFF_MAX_MS || now_ns < known->retry_ns))
		return;
	known->backoff_ms = ms;
	jittered_ms = sm_random_around(ms, sm_random_step(&servers->seed));
	known->retry_ns = now_ns + (jittered_ms < BACKOFF_MAX_MS ? jittered_ms : BACKOFF_MAX_MS) * SM_NS_PER_MS;
}

/* SERVFAIL alone never makes a server unusable: one bad zone is not a bad server. */
static void judge(struct sm_servers *servers, struct sm_server_known *known, const struct sm_sent *sent, int64_t now_ns)
{
	if (known->n_names >= 2 || (known->n_failures > 0 && 2 * known->n_failures + known->n_poor >= 4))
		back_off(servers, known, sent, now_ns);
	note_change(servers, known, now_ns);
}

/* RFC 6298, 2. */
static void take_rtt(struct sm_server_known *known, int64_t rtt_ns)
{
	int64_t rtt_us = rtt_ns / 1000, off_us;

	if (rtt_us < 1)
		rtt_us = 1;
	if (rtt_us > RTT_MAX_US)
		rtt_us = RTT_MAX_US;
	if (known->srtt_us == 0) {
		known->srtt_us = (uint32_t)rtt_us;
		known->var_us = (uint32_t)rtt_us / 2;
		return;
	}
	off_us = rtt_us > known->srtt_us ? rtt_us - known->srtt_us : known->srtt_us - rtt_us;
	known->var_us = (uint32_t)((3 * (int64_t)known->var_us + off_us) / 4);
	known->srtt_us = (uint32_t)((7 * (int64_t)known->srtt_us + rtt_us + 7) / 8);
}

static void hear_good(struct sm_servers *servers, struct sm_server_known *known, const struct sm_sent *sent, int64_t now_ns)
{
	bool is_new = known->srtt_us == 0 || known->is_overtaken || known->n_failures > 0 || known->n_poor > 0;

	take_rtt(known, now_ns - sent->at_ns);
	known->good_ns = now_ns;
	known->probed_ns = 0;
	forgive(known);
	if (is_new)
		note_change(servers, known, now_ns);
}

/* Whatever it says: it is there. If it says nothing against itself, all silence before is forgiven. */
static void end_silence(struct sm_servers *servers, struct sm_server_known *known, enum sm_heard what, int64_t now_ns)
{
	known->n_names = 0;
	if (known->silent_ns > known->heard_ns && what != SM_HEARD_BAD) {
		if (known->backoff_ms > 0)
			known->back_ns = now_ns;
		forgive(known);
		note_change(servers, known, now_ns);
	}
	known->is_overtaken = false;
	known->heard_ns = known->changed_ns = now_ns;
}

static void begin_silence(struct sm_server_known *known, int64_t now_ns)
{
	if (known->silent_ns <= known->heard_ns)
		known->since_ns = now_ns;
	known->silent_ns = now_ns;
}

/* What was known when the question was sent; but a good message since then has made that void. */
static struct sm_sent basis_of(const struct sm_server_known *known, const struct sm_sent *sent)
{
	struct sm_sent basis = *sent;

	if (known->good_ns > sent->at_ns) {
		basis.n_failures = known->n_failures;
		basis.backoff_ms = known->backoff_ms;
	}
	return basis;
}

static void count_failure(struct sm_servers *servers, struct sm_server_known *known, const struct sm_sent *sent, int64_t now_ns)
{
	struct sm_sent basis = basis_of(known, sent);

	known->n_failures = larger(known->n_failures, basis.n_failures + 1U);
	judge(servers, known, &basis, now_ns);
}

void sm_servers_heard(struct sm_servers *servers, const struct sm_server *server, const struct sm_sent *sent,
                      enum sm_heard what, int64_t now_ns)
{
	struct sm_server_known *known = place_of(servers, server);
	bool is_overtaken = known->is_overtaken;

	if (what != SM_HEARD_UNREACHABLE)
		end_silence(servers, known, what, now_ns);
	switch (what) {
	case SM_HEARD_GOOD:
		known->is_overtaken = is_overtaken;
		hear_good(servers, known, sent, now_ns);
		return;
	case SM_HEARD_ALIVE:
		return;
	case SM_HEARD_POOR:
		known->n_poor = larger(known->n_poor, known->n_poor + 1U);
		if (known->backoff_ms == 0)
			judge(servers, known, sent, now_ns);
		return;
	case SM_HEARD_UNREACHABLE:
		begin_silence(known, now_ns);
		count_failure(servers, known, sent, now_ns);
		return;
	case SM_HEARD_BAD:
		count_failure(servers, known, sent, now_ns);
		return;
	}
}

static void add_name(struct sm_server_known *known, uint32_t name)
{
	if (known->n_names == 2 || (known->n_names == 1 && known->names[0] == name))
		return;
	known->names[known->n_names++] = name;
}

void sm_servers_silent(struct sm_servers *servers, const struct sm_server *server, const struct sm_sent *sent,
                       uint32_t name, int64_t now_ns)
{
	struct sm_server_known *known = place_of(servers, server);

	if (known->heard_ns > sent->at_ns)
		return; /* it answered others meanwhile: the trouble is this name's, or of one packet */
	add_name(known, name);
	begin_silence(known, now_ns);
	known->n_failures = larger(known->n_failures, sent->n_failures + 1U + known->is_overtaken);
	known->is_overtaken = false;
	judge(servers, known, sent, now_ns);
}

void sm_servers_overtaken(struct sm_servers *servers, const struct sm_server *server, const struct sm_sent *sent,
                          int64_t now_ns)
{
	struct sm_server_known *known = place_of(servers, server);

	if (known->heard_ns > sent->at_ns)
		return;
	if (known->backoff_ms > 0)
		back_off(servers, known, sent, now_ns); /* a process gave it a try, and closes without having heard it */
	servers->n_overtaken += !known->is_overtaken;
	known->is_overtaken = true;
	known->overtaken_ns = now_ns;
	note_change(servers, known, now_ns);
}

void sm_servers_note_edns(struct sm_servers *servers, const struct sm_server *server, int64_t now_ns)
{
	struct sm_server_known *known = place_of(servers, server);

	known->speaks_edns = true;
	known->n_plain = 0;
	known->plain_ns = 0;
	known->changed_ns = now_ns;
}

void sm_servers_note_plain(struct sm_servers *servers, const struct sm_server *server, bool has_rejected, int64_t now_ns)
{
	struct sm_server_known *known = place_of(servers, server);

	known->n_plain = has_rejected ? PLAIN_PROVEN : larger(known->n_plain, known->n_plain + 1U);
	known->changed_ns = now_ns;
	if (known->n_plain < PLAIN_PROVEN)
		return;
	known->speaks_edns = false;
	known->plain_ns = now_ns + PLAIN_NS;
}

bool sm_servers_take_scout(struct sm_servers *servers, const struct sm_rule *rule, bool if_due, int64_t now_ns)
{
	bool may = false;

	for (uint32_t i = 0; i < rule->n_servers; i++) {
		const struct sm_server_known *known = place_of(servers, &rule->servers[i]);

		may |= now_ns >= known->scouted_ns + SM_SCOUT_PAUSE_NS && (!if_due || now_ns >= known->retry_ns);
	}
	for (uint32_t i = 0; may && i < rule->n_servers; i++) {
		struct sm_server_known *known = place_of(servers, &rule->servers[i]);

		known->scouted_ns = known->changed_ns = now_ns;
	}
	return may;
}
