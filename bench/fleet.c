/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fleet in virtual time: every host uses every name all the time, for an hour, and the questions at the DNS servers are
 * counted. What decides is srvmeshd's own code: lifetimes and the moment of a renewal (mesh/lifetime), the memory of servers
 * (resolve/servers), the use of the tier (tier/course, tier/breaker, tier/value). What is modelled is the rest: when a name is
 * looked up, how long DNS and the store take, and when they are silent.
 *
 * One event is the next lookup that matters of one name on one host, a renewal that pauses, or a host that hears of a flush.
 * Events lie in a wheel of milliseconds. A value that a host writes is visible to others when it has reached the store. */
#include "base/random.h"
#include "conf/keys.h"
#include "resolve/outlook.h"
#include "tier/breaker.h"
#include "tier/course.h"
#include "tier/value.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MS 1000000LL
#define S (1000 * MS)
#define WHEEL (1U << 20) /* milliseconds: more than any event lies ahead */
#define HUGE (2U << 20)
#define NONE UINT32_MAX
#define NEVER INT64_MIN
#define WALL_MS 1800000000000LL
#define FLUSH_SPREAD_MS 2000
#define FLUSH_RENEWALS 64 /* at a time, in each host */

struct pair {
	int64_t made_ns; /* of what the host has of the name; NEVER: nothing */
	uint32_t next;   /* in its place of the wheel */
};

struct host {
	uint32_t next;
	uint32_t n_broken;    /* connections in a row */
	int64_t connects_ns;  /* NEVER: it is connected */
	uint64_t flush;
	struct sm_breaker breaker;
	struct sm_servers servers;
};

/* A renewal that pauses, or that a flush began. */
struct slot {
	struct sm_course course;
	uint32_t pair, next;
	bool is_extra; /* the pair lies in the wheel, too */
};

struct written {
	int64_t made_ns, visible_ns;
	uint64_t flush;
};

/* What the store has of a name. */
struct shared {
	struct written now, before;
	int64_t claimed_ns;
	uint64_t claim_flush;
};

struct span {
	int64_t from_s, to_s;
};

struct scenario {
	const char *name;
	bool has_tier, has_no_jitter, is_dead, is_cold;
	struct span dns_down, tier_down;
	int64_t restart_s, flush_s; /* 0: none */
};

static const struct scenario scenarios[] = {
	{.name = "alone-cold-without-jitter", .has_no_jitter = true, .is_cold = true},
	{.name = "shared", .has_tier = true},
	{.name = "alone-cold", .is_cold = true},
	{.name = "shared-cold", .has_tier = true, .is_cold = true},
	{.name = "alone-in-trouble", .dns_down = {1200, 1800}, .restart_s = 3000},
	{.name = "shared-in-trouble", .has_tier = true, .flush_s = 600, .dns_down = {1200, 1800}, .tier_down = {2100, 2700},
	 .restart_s = 3000},
	{.name = "without-srvmeshd", .is_dead = true},
};

#define N_SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static struct {
	uint32_t n_hosts, n_names, ttl_s, seconds, gap_ms, dns_ms, store_us, from_s;
	uint64_t seed;
	const struct scenario *scenario;
	struct sm_rule rule;
	struct sm_answer answer;
	struct pair *pairs;
	struct host *hosts;
	struct shared *shared;
	struct slot *slots;
	uint32_t n_slots, free_slot;
	uint32_t *wheel;
	uint64_t flush;
	uint32_t *questions, *reads; /* by second */
	uint64_t n_failed; /* lookups that got nothing */
} world;

/* ---- the wheel: pairs, then hosts, then slots */

static uint32_t n_pairs(void)
{
	return world.n_hosts * world.n_names;
}

static uint32_t *next_of(uint32_t event)
{
	if (event < n_pairs())
		return &world.pairs[event].next;
	event -= n_pairs();
	return event < world.n_hosts ? &world.hosts[event].next : &world.slots[event - world.n_hosts].next;
}

static void schedule(uint32_t event, int64_t at_ns)
{
	uint32_t *place = &world.wheel[(at_ns + MS - 1) / MS % WHEEL];

	*next_of(event) = *place;
	*place = event;
}

static int64_t within(int64_t ns)
{
	return (int64_t)(sm_random_step(&world.seed) % (uint64_t)(ns > 0 ? ns : 1));
}

/* ---- records */

static struct sm_times times_of(uint32_t pair)
{
	if (world.pairs[pair].made_ns == NEVER)
		return (struct sm_times){.made_ns = 0};
	return sm_lifetime_times(&world.answer, &world.rule, world.pairs[pair].made_ns);
}

static int64_t due_ns(const struct sm_times *times)
{
	if (world.scenario->is_dead)
		return times->expires_ns; /* nobody renews it ahead */
	if (world.scenario->has_no_jitter)
		return times->expires_ns - (times->expires_ns - times->made_ns) / 10;
	return sm_lifetime_due_ns(times);
}

/* The next lookup that changes anything. */
static void wait_for_use(uint32_t pair, int64_t now_ns)
{
	struct sm_times times = times_of(pair);
	int64_t at_ns = due_ns(&times);

	schedule(pair, (at_ns > now_ns ? at_ns : now_ns) + within(world.gap_ms * MS));
}

static void use_later(uint32_t pair, bool is_extra, int64_t now_ns)
{
	if (!is_extra)
		schedule(pair, now_ns + within(world.gap_ms * MS));
}

static void keep(uint32_t pair, bool is_extra, int64_t made_ns, int64_t now_ns)
{
	world.pairs[pair].made_ns = made_ns;
	if (!is_extra)
		wait_for_use(pair, now_ns);
}

/* ---- what DNS and the store do */

static bool is_in(const struct span *span, int64_t now_ns)
{
	return now_ns >= span->from_s * S && now_ns < span->to_s * S;
}

static void count(uint32_t *by_second, int64_t now_ns)
{
	if (now_ns / S < world.seconds)
		by_second[now_ns / S]++;
}

static bool may_write(const struct host *host, int64_t now_ns)
{
	return world.scenario->has_tier && host->connects_ns == NEVER && !is_in(&world.scenario->tier_down, now_ns);
}

static void write_value(uint32_t pair, int64_t made_ns, uint64_t flush)
{
	struct shared *shared = &world.shared[pair % world.n_names];

	shared->before = shared->now;
	shared->now = (struct written){made_ns, made_ns + world.store_us * 1000LL, flush};
}

/* `is_scout`: it is asked once; else as often as `attempts` and the deadline allow. */
static void ask_dns(uint32_t pair, bool is_extra, bool is_scout, int64_t now_ns)
{
	struct host *host = &world.hosts[pair / world.n_names];
	const struct sm_server *server = &world.rule.servers[0];
	struct sm_sent sent = sm_servers_sent(&host->servers, server, now_ns);
	int64_t timeout_ns = world.rule.timeout_ms * MS, answered_ns = now_ns + world.dns_ms * MS, again_ns = now_ns;
	uint64_t flush = host->flush;

	count(world.questions, now_ns);
	if (!is_in(&world.scenario->dns_down, now_ns)) {
		sm_servers_heard(&host->servers, server, &sent, SM_HEARD_GOOD, answered_ns);
		if (may_write(host, answered_ns))
			write_value(pair, answered_ns, flush);
		keep(pair, is_extra, answered_ns, answered_ns);
		return;
	}
	for (uint32_t i = 1; !is_scout && i < world.rule.attempts; i++) {
		again_ns += timeout_ns << (i - 1);
		if (again_ns < now_ns + world.rule.deadline_ms * MS)
			count(world.questions, again_ns);
	}
	sm_servers_silent(&host->servers, server, &sent, pair % world.n_names, now_ns + timeout_ns);
	world.n_failed += world.pairs[pair].made_ns == NEVER;
	again_ns = now_ns + (is_scout ? timeout_ns : world.rule.deadline_ms * MS);
	use_later(pair, is_extra, again_ns + world.rule.failure_ttl_ms * MS);
}

/* ---- the tier */

/* `is_extra`: a flush has made the answer old. */
static enum sm_course_found read_value(uint32_t pair, bool is_extra, const struct sm_course *course, int64_t now_ns,
                                       int64_t *ret_made_ns)
{
	const struct shared *shared = &world.shared[pair % world.n_names];
	const struct written *written = shared->now.visible_ns <= now_ns ? &shared->now : &shared->before;
	int64_t wall_ms = WALL_MS + now_ns / MS;
	struct sm_times times, renewed = {.made_ns = NEVER};
	struct sm_value value = {.made_ms = WALL_MS + written->made_ns / MS, .lifetime_ms = world.ttl_s * 1000,
	                         .stale_ms = world.rule.stale_ms, .flush = written->flush};

	if (written->made_ns == NEVER || value.flush < world.hosts[pair / world.n_names].flush)
		return SM_COURSE_NOTHING;
	if (world.pairs[pair].made_ns != NEVER && !is_extra)
		renewed = times_of(pair);
	*ret_made_ns = written->made_ns;
	switch (sm_value_age(&value, &world.answer, &world.rule, -1, wall_ms, now_ns, &times)) {
	case SM_VALUE_FRESH:
		return course->is_renewal && !sm_value_renews(&times, &renewed) ? SM_COURSE_SAME : SM_COURSE_FRESH;
	case SM_VALUE_OLD:
		return SM_COURSE_OLD;
	case SM_VALUE_ENDED:
	case SM_VALUE_AHEAD:
		break;
	}
	return SM_COURSE_NOTHING;
}

static bool claim(uint32_t pair, int64_t now_ns)
{
	struct shared *shared = &world.shared[pair % world.n_names];
	uint64_t flush = world.hosts[pair / world.n_names].flush;

	if (shared->claim_flush == flush && now_ns < shared->claimed_ns + SM_COURSE_CLAIM_MS * MS)
		return false;
	shared->claimed_ns = now_ns;
	shared->claim_flush = flush;
	return true;
}

/* The store is silent: after three jobs the connection is given up, and made again later and later. */
static int64_t lose_read(struct host *host, const struct sm_course *course, int64_t now_ns)
{
	if (sm_breaker_failed(&host->breaker))
		host->connects_ns = now_ns + sm_random_pause(S, 60 * S, host->n_broken++, sm_random_step(&world.seed));
	return course->is_renewal ? now_ns + 100 * MS : course->wakes_ns;
}

static bool is_connected(struct host *host, int64_t now_ns)
{
	if (host->connects_ns == NEVER)
		return true;
	if (now_ns < host->connects_ns)
		return false;
	if (is_in(&world.scenario->tier_down, now_ns)) {
		host->connects_ns = now_ns + sm_random_pause(S, 60 * S, host->n_broken++, sm_random_step(&world.seed));
		return false;
	}
	host->connects_ns = NEVER;
	host->n_broken = 0;
	host->flush = world.flush;
	sm_breaker_begin(&host->breaker, 1);
	return true;
}

static uint32_t take_slot(uint32_t pair, const struct sm_course *course, bool is_extra)
{
	uint32_t slot = world.free_slot;

	if (slot == NONE) {
		world.slots = realloc(world.slots, (world.n_slots + 1) * 2 * sizeof(*world.slots));
		for (uint32_t i = world.n_slots; i < (world.n_slots + 1) * 2; i++)
			world.slots[i].next = i + 1 < (world.n_slots + 1) * 2 ? i + 1 : NONE;
		slot = world.n_slots;
		world.n_slots = (world.n_slots + 1) * 2;
	}
	world.free_slot = world.slots[slot].next;
	world.slots[slot] = (struct slot){.course = *course, .pair = pair, .is_extra = is_extra};
	return n_pairs() + world.n_hosts + slot;
}

/* Goes on with a job as far as it can. */
static void run(uint32_t pair, struct sm_course course, bool is_extra, bool is_scout, bool may_ask, int64_t now_ns)
{
	struct host *host = &world.hosts[pair / world.n_names];
	int64_t made_ns = NEVER, took_ns = world.store_us * 1000LL;

	while (course.state == SM_COURSE_READ || course.state == SM_COURSE_CLAIM) {
		if (!is_connected(host, now_ns)) {
			sm_course_fail(&course);
		} else if (is_in(&world.scenario->tier_down, now_ns)) {
			now_ns = lose_read(host, &course, now_ns);
			sm_course_fail(&course);
		} else if (course.state == SM_COURSE_READ) {
			count(world.reads, now_ns);
			now_ns += took_ns;
			sm_breaker_heard(&host->breaker, took_ns, 10 * MS, now_ns);
			sm_course_heard(&course, read_value(pair, is_extra, &course, now_ns, &made_ns));
		} else {
			now_ns += took_ns;
			sm_course_claimed(&course, claim(pair, now_ns), now_ns, sm_random_step(&world.seed));
		}
	}
	if (course.state == SM_COURSE_PAUSE)
		schedule(take_slot(pair, &course, is_extra), course.wakes_ns);
	else if (course.state == SM_COURSE_DONE)
		keep(pair, is_extra, made_ns, now_ns);
	else if (may_ask && course.state == SM_COURSE_ASK)
		ask_dns(pair, is_extra, is_scout, now_ns);
	else
		use_later(pair, is_extra, now_ns + world.rule.failure_ttl_ms * MS);
}

static void begin(uint32_t pair, bool is_renewal, bool is_scout, bool may_ask, int64_t now_ns)
{
	struct host *host = &world.hosts[pair / world.n_names];
	struct sm_course course = sm_course_without();

	if (world.scenario->has_tier && is_connected(host, now_ns) && sm_breaker_way(&host->breaker, now_ns) == SM_BREAKER_WAIT)
		course = sm_course_begin(is_renewal, true, is_renewal ? 100 * MS : 10 * MS, now_ns);
	run(pair, course, false, is_scout, may_ask, now_ns);
}

/* ---- a lookup */

/* While all servers are down, and another name sees whether they are back, a lookup gets what is kept and changes nothing: few of
 * them are events. */
static void wait_for_dns(uint32_t pair, int64_t now_ns)
{
	int64_t at_ns = now_ns + within(10 * world.gap_ms * MS), back_ns = world.scenario->dns_down.to_s * S;

	if (now_ns < back_ns && at_ns > back_ns)
		at_ns = back_ns + within(world.gap_ms * MS);
	schedule(pair, at_ns);
}

static bool may_scout(struct host *host, int64_t now_ns)
{
	return !sm_outlook_is_down(&host->servers, &world.rule, now_ns) ||
	       sm_servers_take_scout(&host->servers, &world.rule, false, now_ns);
}

static void use_name(uint32_t pair, int64_t now_ns)
{
	struct host *host = &world.hosts[pair / world.n_names];
	struct sm_times times = times_of(pair);
	struct sm_outlook outlook = sm_outlook_of(&host->servers, &world.rule, now_ns);
	enum sm_use use = sm_lifetime_use(&times, SM_ANSWER_ADDRESSES, &outlook, now_ns);
	bool is_fresh = now_ns < times.expires_ns && world.pairs[pair].made_ns != NEVER;

	if (use == SM_USE && is_fresh && now_ns >= due_ns(&times))
		use = SM_USE_AND_ASK; /* without jitter */
	world.n_failed += use == SM_ASK_OR_FAIL;
	switch (use) {
	case SM_USE:
		wait_for_use(pair, now_ns);
		break;
	case SM_USE_AND_ASK:
	case SM_ASK_OR_FAIL:
		if (may_scout(host, now_ns))
			begin(pair, is_fresh, true, true, now_ns);
		else if (use == SM_ASK_OR_FAIL && world.scenario->has_tier)
			begin(pair, false, true, false, now_ns);
		else
			wait_for_dns(pair, now_ns);
		break;
	case SM_ASK:
		begin(pair, false, false, true, now_ns);
		break;
	}
}

/* A host hears of the flush: all its names are renewed. */
static void flush_host(uint32_t number, int64_t now_ns)
{
	struct sm_course course;

	world.hosts[number].flush = world.flush;
	for (uint32_t i = 0; i < world.n_names; i++) {
		uint32_t pair = number * world.n_names + i;
		int64_t at_ns = now_ns + i / FLUSH_RENEWALS * world.dns_ms * MS;

		course = sm_course_begin(true, true, 100 * MS, at_ns);
		course.state = SM_COURSE_PAUSE;
		course.wakes_ns = at_ns;
		schedule(take_slot(pair, &course, true), at_ns);
	}
}

static void run_slot(uint32_t number, int64_t now_ns)
{
	struct slot slot = world.slots[number];

	world.slots[number].next = world.free_slot;
	world.free_slot = number;
	sm_course_wake(&slot.course, now_ns > slot.course.wakes_ns ? now_ns : slot.course.wakes_ns);
	run(slot.pair, slot.course, slot.is_extra, false, true, now_ns);
}

static void happen(uint32_t event, int64_t now_ns)
{
	if (event < n_pairs())
		use_name(event, now_ns);
	else if (event < n_pairs() + world.n_hosts)
		flush_host(event - n_pairs(), now_ns);
	else
		run_slot(event - n_pairs() - world.n_hosts, now_ns);
}

/* ---- a scenario */

static void empty_wheel(void)
{
	for (uint32_t i = 0; i < WHEEL; i++)
		world.wheel[i] = NONE;
	world.n_slots = 0;
	world.free_slot = NONE;
}

/* All hosts start, without anything. */
static void start_all(int64_t now_ns)
{
	empty_wheel();
	for (uint32_t i = 0; i < world.n_hosts; i++) {
		world.hosts[i] = (struct host){.connects_ns = NEVER, .flush = world.flush};
		sm_servers_init(&world.hosts[i].servers, sm_random_step(&world.seed));
		sm_breaker_begin(&world.hosts[i].breaker, 1);
	}
	for (uint32_t i = 0; i < n_pairs(); i++) {
		world.pairs[i].made_ns = NEVER;
		schedule(i, now_ns + within(world.gap_ms * MS));
	}
}

/* A fleet that has been running for long: each name, and where nothing is shared each name in each host, is somewhere in its
 * life. */
static void warm_up(void)
{
	int64_t life_ns = world.ttl_s * S / 10 * 9;

	empty_wheel();
	for (uint32_t i = 0; i < world.n_names; i++) {
		int64_t made_ns = -within(life_ns);

		world.shared[i].now = (struct written){made_ns, made_ns, 0};
		for (uint32_t host = 0; host < world.n_hosts; host++) {
			uint32_t pair = host * world.n_names + i;

			world.pairs[pair].made_ns = world.scenario->has_tier ? made_ns : -within(life_ns);
			wait_for_use(pair, 0);
		}
	}
}

static void begin_flush(int64_t now_ns)
{
	world.flush++;
	for (uint32_t i = 0; i < world.n_hosts; i++)
		schedule(n_pairs() + i, now_ns + within(FLUSH_SPREAD_MS * MS));
}

/* The memory of an event that comes soon. */
static void fetch(uint32_t event)
{
	const char *host;

	__builtin_prefetch(next_of(event));
	if (event >= n_pairs())
		return;
	host = (const char *)&world.hosts[event / world.n_names];
	for (size_t i = 0; i < 512; i += 64)
		__builtin_prefetch(host + i);
}

static void play(void)
{
	const struct scenario *scenario = world.scenario;

	world.flush = world.n_failed = 0;
	memset(world.questions, 0, world.seconds * sizeof(uint32_t));
	memset(world.reads, 0, world.seconds * sizeof(uint32_t));
	for (uint32_t i = 0; i < world.n_names; i++)
		world.shared[i] = (struct shared){.now = {NEVER, NEVER, 0}, .before = {NEVER, NEVER, 0}, .claimed_ns = -S};
	start_all(0);
	if (!scenario->is_cold)
		warm_up();
	for (int64_t ms = 0; ms < world.seconds * 1000LL; ms++) {
		uint32_t event = world.wheel[ms % WHEEL];

		if (scenario->restart_s && ms == scenario->restart_s * 1000) {
			start_all(ms * MS);
			event = NONE;
		}
		if (scenario->flush_s && ms == scenario->flush_s * 1000)
			begin_flush(ms * MS);
		world.wheel[ms % WHEEL] = NONE;
		while (event != NONE) {
			uint32_t next = *next_of(event);

			if (next != NONE)
				fetch(next);
			happen(event, ms * MS);
			event = next;
		}
	}
}

/* ---- results */

struct result {
	double mean, peak, reads_mean, reads_peak;
};

static struct result result_between(int64_t from_s, int64_t to_s)
{
	struct result result = {0};

	for (int64_t i = from_s; i < to_s && i < world.seconds; i++) {
		result.mean += world.questions[i] / (double)(to_s - from_s);
		result.reads_mean += world.reads[i] / (double)(to_s - from_s);
		result.peak = world.questions[i] > result.peak ? world.questions[i] : result.peak;
		result.reads_peak = world.reads[i] > result.reads_peak ? world.reads[i] : result.reads_peak;
	}
	return result;
}

static void print_part(const char *part, int64_t from_s, int64_t to_s)
{
	struct result result = result_between(from_s, to_s);

	printf("%s\t%s\t%.2f\t%.0f\t%.3f\t%.0f\t%.0f\n", world.scenario->name, part, result.mean, result.peak,
	       result.mean * world.ttl_s / world.n_names, result.reads_mean, result.reads_peak);
}

static void print_results(const char *series)
{
	const struct scenario *scenario = world.scenario;
	FILE *file;

	print_part("all", world.from_s, world.seconds);
	if (scenario->dns_down.to_s && !scenario->has_tier)
		print_part("quiet", 0, scenario->dns_down.from_s);
	if (scenario->is_cold)
		print_part("second-half", world.seconds / 2, world.seconds);
	if (scenario->dns_down.to_s) {
		print_part("dns-down", scenario->dns_down.from_s, scenario->dns_down.to_s);
		print_part("dns-back", scenario->dns_down.to_s, scenario->dns_down.to_s + 60);
	}
	if (scenario->flush_s)
		print_part("flush", scenario->flush_s, scenario->flush_s + 10);
	if (scenario->tier_down.to_s) {
		print_part("store-down", scenario->tier_down.from_s, scenario->tier_down.to_s);
		print_part("store-back", scenario->tier_down.to_s, scenario->tier_down.to_s + 120);
	}
	if (scenario->restart_s)
		print_part("restart", scenario->restart_s, scenario->restart_s + 60);
	printf("%s\tfailed\t%llu\n", scenario->name, (unsigned long long)world.n_failed);
	fflush(stdout);
	file = series ? fopen(series, "a") : NULL;
	if (!file)
		return;
	for (uint32_t i = 0; i < world.seconds; i++)
		fprintf(file, "%s\t%u\t%u\n", scenario->name, i, world.questions[i]);
	fclose(file);
}

/* Zeroed, in huge pages where the kernel gives them: events touch it at random. */
static void *take(size_t n, size_t size)
{
	size_t whole = (n * size + HUGE - 1) / HUGE * HUGE;
	void *memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		fputs("fleet: out of memory\n", stderr);
		exit(1);
	}
	madvise(memory, whole, MADV_HUGEPAGE);
	return memory;
}

static void set_up(void)
{
	struct sm_host_conf host;

	sm_keys_defaults(&world.rule, &host);
	world.rule.n_servers = 1;
	world.rule.servers[0] = (struct sm_server){.address = {SM_IPV4, {10, 0, 0, 53}}, .port = 53};
	world.answer = (struct sm_answer){.kind = SM_ANSWER_ADDRESSES, .ttl_s = world.ttl_s};
	world.pairs = take(n_pairs(), sizeof(*world.pairs));
	world.hosts = take(world.n_hosts, sizeof(*world.hosts));
	world.shared = take(world.n_names, sizeof(*world.shared));
	world.wheel = take(WHEEL, sizeof(*world.wheel));
	world.questions = take(world.seconds, sizeof(uint32_t));
	world.reads = take(world.seconds, sizeof(uint32_t));
}

static const char *parse(int argc, char **argv)
{
	static const struct option known[] = {
		{"hosts", required_argument, NULL, 'h'}, {"names", required_argument, NULL, 'n'},
		{"ttl", required_argument, NULL, 't'},   {"seconds", required_argument, NULL, 's'},
		{"gap", required_argument, NULL, 'g'},   {"dns", required_argument, NULL, 'd'},
		{"store", required_argument, NULL, 'r'}, {"from", required_argument, NULL, 'f'},
		{"series", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0},
	};
	uint32_t *const numbers[128] = {
		['h'] = &world.n_hosts, ['n'] = &world.n_names, ['t'] = &world.ttl_s,    ['s'] = &world.seconds,
		['g'] = &world.gap_ms,  ['d'] = &world.dns_ms,  ['r'] = &world.store_us, ['f'] = &world.from_s,
	};
	const char *series = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'o')
			series = optarg;
		else if (option > 0 && option < 128 && numbers[option])
			*numbers[option] = (uint32_t)strtoul(optarg, NULL, 10);
		else
			exit(2);
	}
	return series;
}

int main(int argc, char **argv)
{
	const char *series;

	world.n_hosts = 10000;
	world.n_names = 1000;
	world.ttl_s = 150;
	world.seconds = 3600;
	world.gap_ms = 10000;
	world.dns_ms = 5;
	world.store_us = 500;
	world.seed = 1;
	series = parse(argc, argv);
	set_up();
	puts("scenario\tpart\tquestions/s\tpeak\tper name and TTL\treads/s\tpeak");
	for (int i = optind; i < argc; i++) {
		size_t k = 0;

		while (k < N_SCENARIOS && strcmp(scenarios[k].name, argv[i]) != 0)
			k++;
		if (k == N_SCENARIOS) {
			fprintf(stderr, "fleet: no such scenario: %s\n", argv[i]);
			return 2;
		}
		world.scenario = &scenarios[k];
		play();
		print_results(series);
	}
	return 0;
}
