/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/flush.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/scope.h"
#include "daemon/log.h"
#include "daemon/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPREAD_MS 2000
#define SLICE_NS (2 * SM_NS_PER_MS)     /* of a pass, in one turn of the loop */
#define VISITS_AT_ONCE 16               /* between looks at the clock */
#define PUTS_AT_ONCE 256                /* so many records a commit */
#define WAIT_MS 4000                    /* of a client, for the end of the first pass and for other hosts */

static void go_on(struct sm_flush_work *work);

/* ---- the reply */

static void reply(struct sm_flush_run *run)
{
	char text[128];
	int length = snprintf(text, sizeof(text), "names=%u\neverywhere=%s\n", run->n_names, run->everywhere);
	struct sm_client *client = run->client;

	run->client = NULL;
	if (client)
		sm_client_reply(client, SM_FRAME_TEXT, text, (size_t)length);
}

static void refuse(struct sm_client *client, const char *why)
{
	char text[128];
	int length = snprintf(text, sizeof(text), "error=%s\n", why);

	sm_client_reply(client, SM_FRAME_TEXT, text, (size_t)length);
}

/* Replies when all records are marked, and it is known what became of the messages; the run ends with its second pass. */
static void end_if_known(struct sm_flush_run *run)
{
	struct sm_flush_work *work = run->work;
	uint32_t i = 0;

	if (!run->is_marked || !run->everywhere)
		return;
	reply(run);
	if (!run->is_over)
		return;
	while (work->runs[i] != run)
		i++;
	work->runs[i] = work->runs[--work->n_runs];
	sm_store_forget(&work->shared->store, &run->waiter);
	free(run);
}

static struct sm_flush_run *run_of(const struct sm_flush_work *work, const struct sm_client *client)
{
	for (uint32_t i = 0; i < work->n_runs; i++)
		if (work->runs[i]->client == client)
			return work->runs[i];
	return NULL;
}

void sm_flush_hurry(struct sm_flush_work *work, struct sm_client *client)
{
	struct sm_flush_run *run = run_of(work, client);

	if (!run)
		return;
	if (!run->everywhere)
		run->everywhere = "unreachable";
	reply(run);
	end_if_known(run);
}

void sm_flush_forget(struct sm_flush_work *work, struct sm_client *client)
{
	struct sm_flush_run *run = run_of(work, client);

	if (run)
		run->client = NULL;
}

/* ---- renewals */

static void on_renewed(struct sm_waiter *waiter, enum sm_frame_kind kind, const void *body, size_t size)
{
	struct sm_flush_renewal *renewal = (struct sm_flush_renewal *)waiter;

	(void)body;
	(void)size;
	if (kind == SM_FRAME_WORKING)
		return;
	renewal->is_used = false;
	renewal->work->n_renewals--;
	go_on(renewal->work);
}

static void renew(struct sm_flush_work *work, const struct sm_rule *rule, const struct sm_name *name)
{
	const struct sm_request request = {.format = SM_FORMAT, .kind = SM_FRAME_HINT, .families = SM_IPV4_AND_IPV6,
	                                   .wait_ms = rule->deadline_ms, .name = *name};
	struct sm_flush_renewal *renewal = work->renewals;

	while (renewal->is_used)
		renewal++;
	*renewal = (struct sm_flush_renewal){.waiter = {.tell = on_renewed, .is_patient = true}, .work = work, .is_used = true};
	work->n_renewals++;
	if (sm_jobs_ask(work->jobs, rule, &request, sm_jobs_nobody, true, &renewal->waiter) == SM_OK)
		return;
	renewal->is_used = false; /* the next lookup asks */
	work->n_renewals--;
}

/* ---- a pass */

static enum sm_status make_old(struct sm_flush_work *work, const struct sm_name *name, const void *record, size_t size,
                               int64_t now_ns)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_times times;
	enum sm_status status = sm_record_decode(name, record, size, &arena, &answer, &times);

	if (status != SM_OK)
		return status;
	sm_lifetime_end(&times, now_ns);
	return sm_owner_put(work->owner, name, &answer, &times, SM_LEDGER_NOBODY, now_ns, &record, &size);
}

static const struct sm_rule *rule_of(const struct sm_flush_work *work, const struct sm_name *name)
{
	const struct sm_rule *rule = sm_reload_rule(work->reload, name);

	return rule && !rule->is_torn ? rule : NULL;
}

/* What no rule covers today stays: its section may come back. true: the record is marked. */
static bool judge(struct sm_flush_work *work, struct sm_flush_run *run, const struct sm_record_head *head, const void *record,
                  size_t size, int64_t now_ns)
{
	const struct sm_rule *rule = rule_of(work, &head->name);
	enum sm_standing_of standing =
		rule ? sm_rule_standing(rule, sm_epochs_key(&work->epochs, &head->name, head->times.made_ns)) : SM_OF_RULE;
	bool may_serve = head->kind == SM_ANSWER_ADDRESSES && standing == SM_OF_OLDER_RULE;

	if (standing == SM_OF_RULE || (may_serve && head->times.expires_ns <= now_ns))
		return false;
	if (!may_serve || make_old(work, &head->name, record, size, now_ns) != SM_OK)
		sm_owner_remove(work->owner, &head->name);
	run->n_names++;
	return true;
}

/* The first pass. true: the record is marked. */
static bool mark(struct sm_flush_work *work, struct sm_flush_run *run, const struct sm_record_head *head, const void *record,
                 size_t size, int64_t now_ns)
{
	if (run->is_judging)
		return judge(work, run, head, record, size, now_ns);
	if (head->times.made_ns >= run->taken_ns)
		return false;
	if (head->kind != SM_ANSWER_ADDRESSES || make_old(work, &head->name, record, size, now_ns) != SM_OK)
		sm_owner_remove(work->owner, &head->name);
	run->n_names++;
	return true;
}

/* The second one. */
static void renew_if_used(struct sm_flush_work *work, const struct sm_flush_run *run, const struct sm_record_head *head,
                          int64_t now_ns)
{
	const struct sm_name *name = &head->name;
	const struct sm_rule *rule = rule_of(work, name);

	if (rule && head->times.made_ns < run->taken_ns && head->times.expires_ns <= now_ns &&
	    now_ns < head->times.expires_ns + SM_IN_USE_NS)
		renew(work, rule, name);
}

/* true: a record was written. */
static bool visit(struct sm_flush_work *work, struct sm_flush_run *run, const struct sm_name *name, int64_t now_ns)
{
	struct sm_record_head head;
	const void *record;
	size_t size;

	if (!sm_pattern_matches(run->pattern, name) || sm_owner_get(work->owner, name, &record, &size) != SM_OK ||
	    sm_record_head(record, size, &head) != SM_OK)
		return false;
	if (!run->is_marked)
		return mark(work, run, &head, record, size, now_ns);
	renew_if_used(work, run, &head, now_ns);
	return false;
}

static void end_judging(struct sm_flush_work *work, struct sm_flush_run *run)
{
	run->is_over = true;
	sm_epochs_settle(&work->epochs, work->owner);
	if (run->n_names > 0)
		sm_log_number(SM_LOG_INFO, "answers of the old configuration wait for their renewal", "names", run->n_names);
}

static void end_pass(struct sm_flush_work *work)
{
	struct sm_flush_run *run = work->runs[0];

	work->has_begun = false;
	if (run->is_marked)
		run->is_over = true;
	else if (run->is_judging)
		end_judging(work, run);
	else
		sm_log_number(SM_LOG_INFO, "flushed", "names", run->n_names);
	run->is_marked = true;
	uv_idle_stop(&work->passing);
	work->is_passing = false;
	end_if_known(run);
	go_on(work);
}

static bool must_wait(const struct sm_flush_work *work)
{
	return work->runs[0]->is_marked && work->n_renewals == SM_FLUSH_RENEWALS_MAX && !work->is_stopping;
}

/* Visits some records. false: the pass is over, or waits for a renewal to end. */
static bool visit_some(struct sm_flush_work *work, uint32_t *n_puts, int64_t now_ns)
{
	struct sm_flush_run *run = work->runs[0];

	for (int i = 0; i < VISITS_AT_ONCE && *n_puts < PUTS_AT_ONCE; i++) {
		if (must_wait(work)) {
			uv_idle_stop(&work->passing); /* go_on starts it again */
			return false;
		}
		if ((run->is_marked && work->is_stopping) ||
		    sm_owner_next(work->owner, work->has_begun ? &work->at : NULL, &work->at) != SM_OK) {
			end_pass(work);
			return false;
		}
		work->has_begun = true;
		*n_puts += visit(work, run, &work->at, now_ns);
	}
	return *n_puts < PUTS_AT_ONCE;
}

static void on_passing(uv_idle_t *idle)
{
	struct sm_flush_work *work = idle->data;
	int64_t began_ns = sm_clock_now_ns(), now_ns = began_ns;
	uint32_t n_puts = 0;

	while (now_ns - began_ns < SLICE_NS && visit_some(work, &n_puts, now_ns))
		now_ns = sm_clock_now_ns();
}

static void on_pause_over(uv_timer_t *timer)
{
	go_on(timer->data);
}

static bool is_due(const struct sm_flush_run *run, int64_t now_ns)
{
	return !run->is_over && now_ns >= run->begins_ns;
}

/* Marking goes before renewing. */
static bool is_before(const struct sm_flush_run *a, const struct sm_flush_run *b, int64_t now_ns)
{
	if (is_due(a, now_ns) != is_due(b, now_ns))
		return is_due(a, now_ns);
	return a->is_marked == b->is_marked ? a->begins_ns < b->begins_ns : b->is_marked;
}

/* The run whose pass is next becomes the first one. false: none is due. */
static bool bring_forward(struct sm_flush_work *work, int64_t now_ns)
{
	uint32_t next = 0;

	for (uint32_t i = 1; i < work->n_runs; i++)
		if (is_before(work->runs[i], work->runs[next], now_ns))
			next = i;
	if (next > 0) {
		struct sm_flush_run *first = work->runs[0];

		work->runs[0] = work->runs[next];
		work->runs[next] = first;
		work->has_begun = false; /* a second pass that was under way begins again later: what it has renewed is done */
	}
	return work->n_runs > 0 && is_due(work->runs[0], now_ns);
}

static void wait_for_next(struct sm_flush_work *work, int64_t now_ns)
{
	int64_t begins_ns = INT64_MAX;

	for (uint32_t i = 0; i < work->n_runs; i++)
		if (work->runs[i]->begins_ns > now_ns)
			begins_ns = sm_sooner(begins_ns, work->runs[i]->begins_ns);
	if (begins_ns != INT64_MAX)
		sm_loop_wake(&work->pausing, on_pause_over, begins_ns, now_ns);
}

static void go_on(struct sm_flush_work *work)
{
	int64_t now_ns = sm_clock_now_ns();

	wait_for_next(work, now_ns);
	if (!work->is_passing || work->runs[0]->is_marked) /* a first pass runs to its end */
		work->is_passing = bring_forward(work, now_ns);
	if (work->is_passing && !must_wait(work))
		uv_idle_start(&work->passing, on_passing);
	else
		uv_idle_stop(&work->passing);
}

/* ---- what is to be done */

static struct sm_flush_run *run_that_waits(struct sm_store_waiter *waiter)
{
	return (struct sm_flush_run *)((char *)waiter - offsetof(struct sm_flush_run, waiter));
}

static void on_told(struct sm_store_waiter *waiter, bool is_done)
{
	struct sm_flush_run *run = run_that_waits(waiter);

	run->n_told += is_done;
	if (run->n_told == 2)
		run->everywhere = "told";
	end_if_known(run);
}

static void on_not_told(struct sm_store_waiter *waiter)
{
	struct sm_flush_run *run = run_that_waits(waiter);

	run->everywhere = "unreachable";
	end_if_known(run);
}

/* Records that were made later than this were asked for after the flush, however the clocks differ. */
static int64_t made_before_ns(const struct sm_flush *flush)
{
	int64_t ago_ms = sm_values_wall_ms() - flush->made_ms - SM_FLUSH_AHEAD_MS;

	return sm_clock_now_ns() - (ago_ms > 0 ? ago_ms * SM_NS_PER_MS : 0);
}

/* There is one place more than for flushes. */
static struct sm_flush_run *make_run(struct sm_flush_work *work, const char *pattern, int64_t begins_ns)
{
	struct sm_flush_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	strcpy(run->pattern, pattern);
	run->work = work;
	run->begins_ns = begins_ns;
	run->everywhere = "no";
	run->waiter = (struct sm_store_waiter){.on_done = on_told, .on_lost = on_not_told};
	work->runs[work->n_runs++] = run;
	return run;
}

/* SM_FULL: too many are under way. */
static enum sm_status add_run(struct sm_flush_work *work, const struct sm_flush *flush, int64_t begins_ns,
                              struct sm_flush_run **ret)
{
	struct sm_flush_run *run = work->n_runs < SM_FLUSH_RUNS_MAX ? make_run(work, flush->pattern, begins_ns) : NULL;

	if (!run)
		return SM_FULL;
	run->taken_ns = made_before_ns(flush);
	work->n_flushes++;
	sm_hosts_empty(&work->jobs->hosts);
	*ret = run;
	return SM_OK;
}

static void begin_judging(struct sm_flush_work *work)
{
	struct sm_flush_run *run = NULL;

	for (uint32_t i = 0; i < work->n_runs && !run; i++)
		if (work->runs[i]->is_judging)
			run = work->runs[i];
	if (!run)
		run = make_run(work, "*", sm_clock_now_ns());
	else if (run == work->runs[0])
		work->has_begun = false; /* once more from the start */
	if (!run)
		return;
	run->is_judging = true;
	go_on(work);
	if (work->is_passing)
		on_passing(&work->passing); /* most maps are judged before the next request */
}

/* Where a file was left out, nothing already working is lost by that. */
void sm_flush_judge(struct sm_flush_work *work)
{
	const struct sm_conf *conf = work->reload->settings->conf;
	bool has_begun = work->epochs.today;

	sm_hosts_empty(&work->jobs->hosts);
	if (conf->is_incomplete && has_begun)
		return;
	if (has_begun ? sm_epochs_turn(&work->epochs, &conf->rules, sm_clock_now_ns())
	              : sm_epochs_begin(&work->epochs, work->owner, &conf->rules, sm_clock_now_ns()) && !conf->is_incomplete)
		begin_judging(work);
}

/* Too many: one that has not begun takes over all names; where each has, the first one begins anew. */
static void widen_one(struct sm_flush_work *work, const struct sm_flush *flush)
{
	int64_t made_ns = made_before_ns(flush);
	uint32_t i = work->n_runs - 1;

	if (work->n_runs == 0)
		return; /* out of memory */
	while (i > 0 && (work->runs[i]->is_marked || work->runs[i]->is_judging))
		i--;
	if (work->runs[i]->is_judging)
		i = work->n_runs - 1; /* there are others */
	if (work->runs[i]->is_judging)
		return; /* out of memory */
	strcpy(work->runs[i]->pattern, "*");
	work->runs[i]->taken_ns = work->runs[i]->taken_ns > made_ns ? work->runs[i]->taken_ns : made_ns;
	work->runs[i]->is_marked = work->runs[i]->is_over = false;
	work->has_begun &= i > 0;
}

/* `flush` may have been widened to all names. */
void sm_flush_follow(struct sm_flush_work *work, const struct sm_flush *flush)
{
	int64_t spread_ns = (int64_t)(sm_random_step(&work->seed) % SPREAD_MS) * SM_NS_PER_MS;
	struct sm_flush_run *run;

	if (add_run(work, flush, sm_clock_now_ns() + spread_ns, &run) != SM_OK)
		widen_one(work, flush);
	go_on(work);
}

void sm_flush_ask(struct sm_flush_work *work, struct sm_client *client)
{
	const struct sm_request *request = &client->request;
	struct sm_flush flush;
	struct sm_flush_run *run;

	if (!sm_client_is_trusted(client)) {
		refuse(client, "only root and the user of srvmeshd may flush");
		return;
	}
	if (work->n_runs == SM_FLUSH_RUNS_MAX) {
		refuse(client, "other flushes are under way; try again");
		return;
	}
	flush = sm_shared_flush(work->shared, request->name.text);
	if (add_run(work, &flush, sm_clock_now_ns(), &run) != SM_OK) {
		refuse(client, "out of memory");
		return;
	}
	run->client = client;
	if (request->is_everywhere)
		run->everywhere = work->shared->seal ? NULL : "off";
	if (request->is_everywhere && work->shared->seal && sm_shared_tell(work->shared, &flush, &run->waiter) != SM_OK)
		run->everywhere = "unreachable";
	sm_client_wait(client, WAIT_MS);
	go_on(work);
}

void sm_flush_start(struct sm_flush_work *work)
{
	sm_random_fill(&work->seed, sizeof(work->seed));
	uv_timer_init(work->loop, &work->pausing);
	uv_idle_init(work->loop, &work->passing);
	work->pausing.data = work->passing.data = work;
}

void sm_flush_stop(struct sm_flush_work *work)
{
	sm_epochs_end(&work->epochs);
	while (work->n_runs > 0) {
		struct sm_flush_run *run = work->runs[--work->n_runs];

		sm_store_forget(&work->shared->store, &run->waiter);
		free(run);
	}
	uv_close((uv_handle_t *)&work->pausing, NULL);
	uv_close((uv_handle_t *)&work->passing, NULL);
}
