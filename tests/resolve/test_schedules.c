/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lookups and the memory of servers in virtual time, against servers that follow random schedules. Nothing here knows what
 * the right moment for a question is; the invariants below hold for any.
 *
 *   ends        no lookup ends after its deadline, nor turns in a circle
 *   reached     no question ends in vain before the deadline, unless every server has said something bad, or had the question
 *               for `timeout`
 *   kept        no question ends in vain while a good answer to its first sending to a server is in flight, for `timeout`
 *   right       where every question got such an answer, the lookup has the whole answer
 *   modest      where no message is lost: questions on the wire ≤ 1.1 × questions + 16, and one more for each bad answer
 *   sane        the memory of servers is within its bounds
 *
 * `SCHEDULES=N SEED=N` in the environment: other ones. */
#include "resolve/lookup.h"

#include "base/random.h"
#include "tests/resolve/virtual.h"

#define SERVERS 5
#define QUESTIONS 8 /* of one lookup */
#define FLIGHTS 512

/* A server. Times are those of the schedule. */
struct server {
	int64_t delay_ms, jitter_ms;
	unsigned loss_percent; /* each way together */
	int64_t from_ms, to_ms; /* meanwhile it does this: */
	char does;              /* '-' silent, 'f' SERVFAIL, 'r' REFUSED, 'b' lies, 'u' unreachable, 's' slow */
};

/* What one question has met. */
struct question {
	char name[32];
	enum sm_rr_type type;
	bool is_answered, is_answered_in_time; /* the second: by a first sending, within `timeout` */
	int64_t first_sent_ns[SERVERS]; /* 0: not sent */
	bool is_bad[SERVERS];           /* it has said something bad */
};

struct flight {
	struct sm_connection *to;
	int64_t at_ns;
	char what;
	bool is_in_time;
	struct question *question;
	sm_transport_hear *hear;
	void *context;
};

static struct {
	struct sm_transport is;
	uint64_t seed, random;
	int64_t now_ns, timeout_ns;
	uint32_t n_servers;
	struct server servers[SERVERS];
	struct question questions[QUESTIONS];
	int n_questions;
	struct flight flights[FLIGHTS];
	int n_flights;
	struct sm_connection connections[SERVERS];
	int n_sent, n_asked, n_bad; /* in the whole schedule */
	bool is_gone[SERVERS]; /* for the rest of the lookup */
	bool is_lossless;
} world;

static uint64_t below(uint64_t n)
{
	return sm_random_step(&world.random) % n;
}

static enum sm_status open_server(const struct sm_transport *transport, const struct sm_server *server, struct sm_connection **ret)
{
	(void)transport;
	*ret = &world.connections[server->address.bytes[3]];
	(*ret)->server = server->address.bytes[3];
	return SM_OK;
}

static void close_server(struct sm_connection *connection)
{
	for (int i = 0; i < world.n_flights; i++) {
		struct flight flight = world.flights[i];

		if (flight.to != connection)
			continue;
		world.flights[i--] = world.flights[--world.n_flights];
		world.n_bad++;
		flight.hear(flight.context, SM_REFUSED, NULL, 0, world.now_ns);
	}
}

static struct question *question_of(const char *name, enum sm_rr_type type)
{
	struct question *question;

	for (int i = 0; i < world.n_questions; i++)
		if (world.questions[i].type == type && strcmp(world.questions[i].name, name) == 0)
			return &world.questions[i];
	assert_true(world.n_questions < QUESTIONS);
	question = &world.questions[world.n_questions++];
	*question = (struct question){.type = type};
	snprintf(question->name, sizeof(question->name), "%s", name);
	world.n_asked++;
	return question;
}

/* What becomes of a question that is sent now, and when. */
static char fate_of(const struct server *server, int64_t *ret_ns)
{
	int64_t now_ms = world.now_ns / MS;
	bool is_on = now_ms >= server->from_ms && now_ms < server->to_ms;

	*ret_ns = world.now_ns + (server->delay_ms + (int64_t)below((uint64_t)server->jitter_ms + 1)) * MS + 1 + (int64_t)below(MS);
	if (is_on && server->does == 's')
		*ret_ns += 450 * MS;
	if (below(100) < server->loss_percent || (is_on && server->does == '-')) {
		*ret_ns = INT64_MAX;
		return '-';
	}
	return is_on && server->does != 's' ? server->does : 'a';
}

static void ask_server(struct sm_connection *connection, const char *name, enum sm_rr_type type, unsigned flags,
                       sm_transport_hear *hear, void *context, int64_t now_ns)
{
	struct question *question = question_of(name, type);
	struct flight *flight = &world.flights[world.n_flights++];

	(void)flags;
	assert_int_equal(now_ns, world.now_ns);
	assert_true(world.n_flights < FLIGHTS);
	world.n_sent++;
	*flight = (struct flight){.to = connection, .question = question, .hear = hear, .context = context};
	flight->what = fate_of(&world.servers[connection->server], &flight->at_ns);
	flight->is_in_time = !question->first_sent_ns[connection->server] && flight->at_ns < now_ns + world.timeout_ns;
	if (!question->first_sent_ns[connection->server])
		question->first_sent_ns[connection->server] = now_ns;
}

/* A service of two targets, without glue. */
static size_t write_answer(const struct question *question, uint8_t bytes[256])
{
	struct virtual_writer writer = {bytes, 0};
	static const unsigned head[] = {1, 0x8180, 1, 0, 0, 0};
	unsigned n = question->type == SM_RR_SRV ? 2 : 1;

	for (size_t i = 0; i < COUNT(head); i++)
		virtual_u16(&writer, head[i]);
	bytes[7] = (uint8_t)n;
	virtual_name(&writer, question->name);
	virtual_u16(&writer, question->type);
	virtual_u16(&writer, 1);
	for (unsigned i = 0; i < n; i++) {
		virtual_u16(&writer, 0xc00c);
		virtual_u16(&writer, question->type);
		virtual_u16(&writer, 1);
		virtual_u16(&writer, 0);
		virtual_u16(&writer, 60);
		virtual_u16(&writer, question->type == SM_RR_SRV ? 14 : question->type == SM_RR_A ? 4 : 16);
		if (question->type == SM_RR_SRV) {
			virtual_u16(&writer, 0);
			virtual_u16(&writer, 1);
			virtual_u16(&writer, 80);
			virtual_name(&writer, i == 0 ? "a.mesh" : "b.mesh");
		} else {
			memset(bytes + writer.at, 7, 16);
			writer.at += question->type == SM_RR_A ? 4 : 16;
		}
	}
	return writer.at;
}

static void deliver(const struct flight *flight)
{
	uint8_t bytes[256];
	size_t size = write_answer(flight->question, bytes);
	int server = flight->to->server;

	flight->question->is_answered |= flight->what == 'a';
	flight->question->is_answered_in_time |= flight->what == 'a' && flight->is_in_time;
	flight->question->is_bad[server] |= flight->what != 'a';
	world.n_bad += flight->what != 'a';
	if (flight->what == 'u') {
		world.is_gone[server] = true; /* with the connection, and all that is under way on it */
		flight->hear(flight->context, SM_REFUSED, NULL, 0, world.now_ns);
		close_server(flight->to);
		return;
	}
	if (flight->what == 'f' || flight->what == 'r') {
		bytes[3] = flight->what == 'f' ? 0x82 : 0x85;
		bytes[7] = 0;
		size = 12 + strlen(flight->question->name) + 2 + 4;
	}
	flight->hear(flight->context, SM_OK, bytes, flight->what == 'b' ? 20 : size, world.now_ns);
}

static void process_server(struct sm_connection *connection, const struct pollfd *fds, size_t n, int64_t now_ns)
{
	(void)fds;
	(void)n;
	for (int i = 0; i < world.n_flights; i++) {
		struct flight flight = world.flights[i];

		if (flight.to != connection || flight.at_ns > now_ns)
			continue;
		world.flights[i--] = world.flights[--world.n_flights];
		deliver(&flight);
	}
}

static int64_t next_arrival(const struct sm_connection *connection)
{
	int64_t next_ns = INT64_MAX;

	for (int i = 0; i < world.n_flights; i++)
		if (world.flights[i].to == connection && world.flights[i].at_ns < next_ns)
			next_ns = world.flights[i].at_ns;
	return next_ns;
}

static size_t no_fds(const struct sm_connection *connection, struct pollfd *ret)
{
	(void)connection;
	(void)ret;
	return 0;
}

static enum sm_status is_fine(const struct sm_connection *connection)
{
	(void)connection;
	return SM_OK;
}

/* ---- the invariants */

static void check_failure(const struct sm_rule *rule, int64_t deadline_ns)
{
	if (world.now_ns >= deadline_ns)
		return;
	for (int i = 0; i < world.n_questions; i++) {
		const struct question *question = &world.questions[i];

		if (question->is_answered)
			continue;
		for (uint32_t k = 0; k < world.n_servers; k++) {
			bool had_its_time = question->first_sent_ns[k] > 0 &&
			                    world.now_ns >= question->first_sent_ns[k] + rule->timeout_ms * MS;

			if (!question->is_bad[k] && !world.is_gone[k] && !had_its_time)
				fail_msg("%s ended at %lld ms, and server %u had no time", question->name, (long long)(world.now_ns / MS), k);
		}
		for (int k = 0; k < world.n_flights; k++)
			if (world.flights[k].question == question && world.flights[k].what == 'a' && world.flights[k].is_in_time)
				fail_msg("%s ended at %lld ms with a good answer in flight", question->name, (long long)(world.now_ns / MS));
	}
}

static void check_memory(const struct sm_servers *servers)
{
	uint32_t n_hedges = 0;

	for (size_t i = 0; i < SM_HEDGE_WINDOW; i++)
		n_hedges += servers->hedges[i];
	assert_int_equal(servers->n_hedges, n_hedges);
	for (uint32_t i = 0; i < servers->n; i++) {
		assert_in_range(servers->known[i].backoff_ms, 0, 30000);
		assert_true(servers->known[i].retry_ns <= world.now_ns + 30000 * MS);
		assert_in_range(servers->known[i].n_names, 0, 2);
	}
}

static bool all_is_answered_in_time(void)
{
	for (int i = 0; i < world.n_questions; i++)
		if (!world.questions[i].is_answered_in_time)
			return false;
	return true;
}

/* Learnt once: it takes longer than a schedule. */
static const struct sm_network *network_of(void *context)
{
	static struct sm_network *network;

	(void)context;
	if (!network)
		assert_int_equal(sm_network_learn(&network), SM_OK);
	return network;
}

static void look_up(const struct sm_lookup_means *means, const struct sm_rule *rule, const struct sm_name *name)
{
	int64_t deadline_ns = world.now_ns + rule->deadline_ms * MS;
	struct sm_answer *answer;
	struct sm_lookup *lookup;
	int steps = 0;

	world.n_questions = 0;
	memset(world.is_gone, 0, sizeof(world.is_gone));
	assert_int_equal(sm_lookup_open(means, rule, name, SM_IPV4_AND_IPV6, deadline_ns, &lookup), SM_OK);
	while (!sm_lookup_advance(lookup, world.now_ns)) {
		int64_t wakes_ns = sm_lookup_wakes_ns(lookup);

		assert_true(wakes_ns >= world.now_ns && wakes_ns <= deadline_ns);
		assert_true(steps++ < 2000);
		world.now_ns = wakes_ns;
		sm_lookup_process(lookup, NULL, 0, world.now_ns);
	}
	assert_true(world.now_ns <= deadline_ns);
	assert_int_equal(sm_lookup_answer(lookup, &answer), SM_OK);
	if (answer->kind == SM_ANSWER_FAILURE || answer->uncertain_families)
		check_failure(rule, deadline_ns);
	if (all_is_answered_in_time())
		assert_int_equal(answer->n_addresses, 4);
	for (steps = 0; means->listens_on && sm_lookup_listen(lookup, world.now_ns); steps++) {
		assert_true(steps < 2000);
		world.now_ns = sm_lookup_wakes_ns(lookup);
		sm_lookup_process(lookup, NULL, 0, world.now_ns);
	}
	sm_lookup_close(lookup);
	assert_int_equal(world.n_flights, 0);
	check_memory(means->servers);
}

static void draw_server(struct server *server, bool is_lossless)
{
	static const char doings[] = "frbus----";

	*server = (struct server){.delay_ms = (int64_t)(below(3) ? below(40) : below(400)), .jitter_ms = (int64_t)(below(2) ? below(10) : below(200))};
	server->loss_percent = is_lossless || below(2) ? 0 : (unsigned)below(60);
	server->does = doings[below(is_lossless ? 5 : 9)];
	if (is_lossless && below(2))
		return;
	server->from_ms = 1000 + (int64_t)below(2000) - 500;
	server->to_ms = server->from_ms + (int64_t)(below(3) ? below(3000) : 1000000);
}

static struct sm_rule draw_rule(void)
{
	struct sm_rule rule = {
		.name = name_of("mesh"),
		.domain = name_of("mesh"),
		.n_templates = 1,
		.templates = "_{service}._tcp.{domain}",
		.fallback = SM_FALLBACK_NONE,
		.answers = SM_ANSWERS_ALL,
		.timeout_ms = 20 + (uint32_t)below(600),
		.attempts = 1 + (uint32_t)below(3),
		.backoff_permille = 1000 + (uint32_t)below(1500),
		.deadline_ms = 200 + (uint32_t)below(4000),
	};

	virtual_set_servers(&rule, 0, world.n_servers);
	return rule;
}

static void play_schedule(uint64_t seed)
{
	static struct sm_servers servers;
	const struct sm_name names[] = {name_of("api.mesh"), name_of("web.mesh"), name_of("db.mesh")};
	struct sm_rule rule;
	struct sm_rules rules = {.n_rules = 1, .rules = &rule};
	struct sm_lookup_means means = {.transport = &world.is, .rules = &rules, .servers = &servers, .network = network_of};
	int rounds;

	world.random = seed;
	world.now_ns = 1000 * MS;
	world.n_sent = world.n_asked = world.n_bad = world.n_flights = 0;
	world.n_servers = 1 + (uint32_t)below(SERVERS);
	world.is_lossless = below(3) == 0;
	for (uint32_t i = 0; i < world.n_servers; i++)
		draw_server(&world.servers[i], world.is_lossless);
	rule = draw_rule();
	if (world.is_lossless) { /* then every answer comes in time, too */
		rule.timeout_ms = 1200;
		rule.deadline_ms = 4000;
	}
	rules.elsewhere = rule;
	world.timeout_ns = rule.timeout_ms * MS;
	sm_servers_init(&servers, seed);
	means.listens_on = below(2);
	means.is_scout = below(4) == 0;
	rounds = below(20) ? 1 + (int)below(4) : 60;
	for (int i = 0; i < rounds; i++) {
		look_up(&means, &rule, &names[below(COUNT(names))]);
		world.now_ns += (int64_t)below(below(4) ? 50 : 2000) * MS;
	}
	if (world.is_lossless && world.n_sent > world.n_asked * 11 / 10 + world.n_bad + 16)
		fail_msg("%d sent for %d questions", world.n_sent, world.n_asked);
}

/* Names the schedule in which an invariant was broken. */
static int tell_seed(void **state)
{
	(void)state;
	print_message("# the last schedule was that of SEED=%llu SCHEDULES=1\n", (unsigned long long)world.seed);
	return 0;
}

static uint64_t number_from(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : usual;
}

static void every_schedule_keeps_the_invariants(void **state)
{
	uint64_t n = number_from("SCHEDULES", 100000), seed = number_from("SEED", 1);

	(void)state;
	world.is = (struct sm_transport){
		.open = open_server,
		.close = close_server,
		.ask = ask_server,
		.fds = no_fds,
		.wakes_ns = next_arrival,
		.process = process_server,
		.socket_status = is_fine,
	};
	for (uint64_t i = 0; i < n; i++) {
		world.seed = seed + i;
		play_schedule(seed + i);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_teardown(every_schedule_keeps_the_invariants, tell_seed),
};

TESTS_MAIN(tests)
