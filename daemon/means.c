/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a job's lookup is given: servers, network, and what srvmeshd knows already. */
#include "daemon/job.h"

#include "daemon/keeping.h"

static const struct sm_network *network_of(void *context)
{
	return sm_surroundings_network(((struct sm_job *)context)->jobs->around);
}

static const struct sm_policies *policies_of(void *context)
{
	return sm_conf_policies(((struct sm_job *)context)->jobs->reload->settings->conf);
}

static const struct sm_answer *old_of(void *context, struct sm_arena *arena)
{
	const struct sm_job *job = context;

	return sm_keeping_servable(job->jobs->owner, &job->name, arena);
}

/* A renewal is not to inherit the end of a host's lifetime. */
static bool recall(void *context, const struct sm_question *question, const struct sm_rule *rule, int64_t now_ns,
                   struct sm_remembered *ret)
{
	const struct sm_job *job = context;

	return sm_hosts_recall(&job->jobs->hosts, question, rule, job->is_renewal, now_ns, ret);
}

static void remember(void *context, const struct sm_question *question, const struct sm_rule *rule,
                     const struct sm_remembered *message, uint32_t ttl_s, int64_t now_ns)
{
	const struct sm_job *job = context;

	if (sm_job_is_current(job))
		sm_hosts_remember(&job->jobs->hosts, question, rule, job->peer.account, message, ttl_s, now_ns);
}

struct sm_lookup_means sm_job_means(struct sm_job *job, bool is_scout)
{
	static const struct sm_hosts_memory hosts = {.recall = recall, .remember = remember};
	struct sm_jobs *jobs = job->jobs;
	const struct sm_kept_marks marks = sm_keeping_marks(jobs->owner, &job->name);

	return (struct sm_lookup_means){
		.transport = &job->jobs->channels.transport,
		.rules = &jobs->reload->settings->conf->rules,
		.servers = &jobs->upstream->servers,
		.network = network_of,
		.policies = policies_of,
		.context = job,
		.hosts = &hosts,
		.old = old_of,
		.needs = job->needs,
		.keeps = marks.families,
		.is_plain = marks.is_plain || sm_memo_holds(&jobs->plain, &job->name, job->began_ns),
		.listens_on = true,
		.counts = &jobs->upstream->counts,
		.random = &jobs->channels.random,
		.is_scout = is_scout,
	};
}
