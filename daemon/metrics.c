/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/metrics.h"

#include "base/clock.h"
#include "daemon/log.h"
#include "daemon/nameservers.h"
#include "mesh/text.h"
#include "resolve/outlook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOTAL "_total"
#define INFO "_info"

struct writing {
	FILE *text;
	enum sm_metrics_format format;
};

/* The lines before the samples of a family. `name` is that of its samples, behind "srvmesh_". */
static void begin(const struct writing *writing, const char *name, const char *type, const char *help)
{
	bool is_open = writing->format == SM_METRICS_OPENMETRICS;
	const char *suffix = strcmp(type, "counter") == 0 ? TOTAL : strcmp(type, "info") == 0 ? INFO : "";
	int length = (int)(strlen(name) - (is_open ? strlen(suffix) : 0));

	if (!is_open && strcmp(type, "info") == 0)
		type = "gauge";
	fprintf(writing->text, "# HELP srvmesh_%.*s %s\n# TYPE srvmesh_%.*s %s\n", length, name, help, length, name, type);
}

static void sample(const struct writing *writing, const char *name, const char *labels, uint64_t value)
{
	fprintf(writing->text, "srvmesh_%s%s %llu\n", name, labels, (unsigned long long)value);
}

static void write_figures(const struct writing *writing, const struct sm_figures_sources *from)
{
	struct sm_figure figures[SM_FIGURES_MAX];
	size_t n = sm_figures(from, figures);

	for (size_t i = 0; i < n; i++) {
		if (!figures[i].metric)
			continue;
		begin(writing, figures[i].metric, figures[i].kind == SM_FIGURE_COUNTER ? "counter" : "gauge", figures[i].help);
		sample(writing, figures[i].metric, "", figures[i].value);
	}
}

static void write_labelled(const struct writing *writing, const char *name, const char *label, const char *value, uint64_t n)
{
	fprintf(writing->text, "srvmesh_%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)n);
}

static void write_info(const struct writing *writing, const struct sm_figures_sources *from)
{
	char fingerprint[24];

	begin(writing, "build_info", "info", "The release.");
	write_labelled(writing, "build_info", "version", PACKAGE_VERSION, 1);
	snprintf(fingerprint, sizeof(fingerprint), "%016llx", (unsigned long long)from->reload->settings->conf->fingerprint);
	begin(writing, "config_info", "info", "The configuration: hosts with the same one have the same fingerprint.");
	write_labelled(writing, "config_info", "fingerprint", fingerprint, 1);
	begin(writing, "config_last_success_timestamp_seconds", "gauge",
	      "When the configuration was last loaded without an error.");
	sample(writing, "config_last_success_timestamp_seconds", "", (uint64_t)from->reload->succeeded_s);
}

static void write_map(const struct writing *writing, const struct sm_figures_sources *from)
{
	int64_t now_ns = sm_clock_now_ns();
	struct sm_ledger_states states = sm_owner_states(from->owner, now_ns);
	struct sm_owner_usage usage = sm_owner_usage(from->owner);

	begin(writing, "entries", "gauge", "Entries in the host map.");
	write_labelled(writing, "entries", "state", "fresh", states.n_fresh);
	write_labelled(writing, "entries", "state", "expired", states.n_expired);
	write_labelled(writing, "entries", "state", "negative", states.n_negative);
	begin(writing, "evicted_total", "counter", "Entries removed to make room.");
	write_labelled(writing, "evicted_total", "reason", "quota", usage.n_over_quota);
	write_labelled(writing, "evicted_total", "reason", "size", usage.n_evicted - usage.n_over_quota);
	begin(writing, "stale_in_use_seconds_max", "gauge", "How long past its TTL the oldest answer was that was given lately.");
	fprintf(writing->text, "srvmesh_stale_in_use_seconds_max %.3f\n",
	        (double)sm_counters_stale_ns(from->counters, now_ns) / SM_NS_PER_S);
}

static void write_answers(const struct writing *writing, const struct sm_counters *counters)
{
	static const char *const kinds[] = {
		[SM_ANSWER_ADDRESSES] = "addresses", [SM_ANSWER_NO_NAME] = "no_name",
		[SM_ANSWER_NO_DATA] = "no_data", [SM_ANSWER_FAILURE] = "failure",
	};
	static const char *const reasons[SM_BYPASS_KINDS] = {
		[SM_BYPASS_MAP_UNTRUSTED] = "map_untrusted",   [SM_BYPASS_MAP_VERSION] = "map_version",
		[SM_BYPASS_CONFIG_DIFFERS] = "config_differs", [SM_BYPASS_SOCKET_REFUSED] = "socket_refused",
		[SM_BYPASS_SILENT] = "silent",                 [SM_BYPASS_SOCKET_UNTRUSTED] = "socket_untrusted",
	};

	begin(writing, "answers_total", "counter", "What jobs have found.");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		write_labelled(writing, "answers_total", "kind", kinds[i], counters->answers[i]);
	begin(writing, "bypass_total", "counter", "Processes that have passed over the host map or srvmeshd.");
	for (size_t i = SM_BYPASS_NONE + 1; i < SM_BYPASS_KINDS; i++)
		write_labelled(writing, "bypass_total", "reason", reasons[i], counters->bypassed[i]);
}

/* `labels`: "" or `server="10.0.0.1:53",`. */
static void write_histogram(const struct writing *writing, const char *name, const char *labels,
                            const struct sm_histogram *histogram)
{
	uint64_t below = 0;
	int length = (int)strlen(labels) - 1;

	for (uint32_t i = 0; i < SM_HISTOGRAM_BOUNDS; i++) {
		below += histogram->buckets[i];
		fprintf(writing->text, "srvmesh_%s_bucket{%sle=\"%g\"} %llu\n", name, labels, sm_histogram_bounds_us[i] / 1e6,
		        (unsigned long long)below);
	}
	fprintf(writing->text, "srvmesh_%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels, (unsigned long long)histogram->n);
	if (length > 0)
		fprintf(writing->text, "srvmesh_%s_sum{%.*s} %.6f\nsrvmesh_%s_count{%.*s} %llu\n", name, length, labels,
		        (double)histogram->sum_us / 1e6, name, length, labels, (unsigned long long)histogram->n);
	else
		fprintf(writing->text, "srvmesh_%s_sum %.6f\nsrvmesh_%s_count %llu\n", name, (double)histogram->sum_us / 1e6,
		        name,
		        (unsigned long long)histogram->n);
}

static void write_server_label(const struct sm_server *server, char ret[SM_TEXT_ENDPOINT_MAX + 16])
{
	char address[SM_TEXT_ENDPOINT_MAX];

	sm_text_server(server, address);
	snprintf(ret, SM_TEXT_ENDPOINT_MAX + 16, "server=\"%s%s\",", server->is_stream ? "tcp:" : "", address);
}

static void write_outcomes(const struct writing *writing, const char *label, const struct sm_server_counts *counts)
{
	static const char *const outcomes[SM_OUTCOMES] = {
		[SM_OUTCOME_GOOD] = "good", [SM_OUTCOME_SERVFAIL] = "servfail", [SM_OUTCOME_BAD] = "bad",
		[SM_OUTCOME_UNREACHABLE] = "unreachable", [SM_OUTCOME_SILENT] = "silent",
	};

	for (uint32_t i = 0; i < SM_OUTCOMES; i++)
		fprintf(writing->text, "srvmesh_server_outcomes_total{%soutcome=\"%s\"} %llu\n", label, outcomes[i],
		        (unsigned long long)(counts ? counts->outcomes[i] : 0));
}

static void write_servers(const struct writing *writing, const struct sm_figures_sources *from)
{
	static const struct sm_histogram nothing;
	struct sm_nameserver servers[SM_NAMESERVERS_MAX];
	uint32_t n = sm_nameservers(from->upstream, &from->reload->settings->conf->rules, servers);
	char label[SM_TEXT_ENDPOINT_MAX + 16];

	begin(writing, "server_up", "gauge", "Is the server usable? 0: it is left alone for a while, because it was silent or "
	      "failed.");
	for (uint32_t i = 0; i < n; i++) {
		write_server_label(&servers[i].server, label);
		fprintf(writing->text, "srvmesh_server_up{%.*s} %d\n", (int)strlen(label) - 1, label,
		        strcmp(sm_nameserver_state(&servers[i]), "down") != 0);
	}
	begin(writing, "server_questions_total", "counter", "Questions sent to the server.");
	for (uint32_t i = 0; i < n; i++) {
		write_server_label(&servers[i].server, label);
		fprintf(writing->text, "srvmesh_server_questions_total{%.*s} %llu\n", (int)strlen(label) - 1, label,
		        (unsigned long long)(servers[i].counts ? servers[i].counts->n_asked : 0));
	}
	begin(writing, "server_outcomes_total", "counter", "What became of questions to the server.");
	for (uint32_t i = 0; i < n; i++) {
		write_server_label(&servers[i].server, label);
		write_outcomes(writing, label, servers[i].counts);
	}
	begin(writing, "server_seconds", "histogram", "How long good answers of the server took.");
	for (uint32_t i = 0; i < n; i++) {
		write_server_label(&servers[i].server, label);
		write_histogram(writing, "server_seconds", label, servers[i].counts ? &servers[i].counts->times : &nothing);
	}
}

static void write_domains(const struct writing *writing, const struct sm_figures_sources *from)
{
	const struct sm_rules *rules = &from->reload->settings->conf->rules;
	int64_t now_ns = sm_clock_now_ns();

	begin(writing, "domain_up", "gauge", "Is a server of the domain or service usable? 0: all are down.");
	for (uint32_t i = 0; i < rules->n_rules; i++)
		fprintf(writing->text, "srvmesh_domain_up{domain=\"%s\",kind=\"%s\"} %d\n", rules->rules[i].name.text,
		        rules->rules[i].is_exact ? "service" : "domain",
		        !sm_outlook_is_down(&from->upstream->servers, &rules->rules[i], now_ns));
}

static char *make_page(const struct sm_figures_sources *from, enum sm_metrics_format format, size_t *ret_size)
{
	struct writing writing = {.format = format};
	char *bytes = NULL;

	writing.text = open_memstream(&bytes, ret_size);
	if (!writing.text)
		return NULL;
	write_info(&writing, from);
	write_figures(&writing, from);
	write_answers(&writing, from->counters);
	write_map(&writing, from);
	write_servers(&writing, from);
	write_domains(&writing, from);
	begin(&writing, "job_seconds", "histogram", "How long jobs took.");
	write_histogram(&writing, "job_seconds", "", &from->counters->job_times);
	if (format == SM_METRICS_OPENMETRICS)
		fputs("# EOF\n", writing.text);
	if (fclose(writing.text) == 0)
		return bytes;
	free(bytes);
	return NULL;
}

const char *sm_metrics_text(struct sm_metrics *metrics, enum sm_metrics_format format, size_t *ret_size)
{
	struct sm_kept_text *page = &metrics->pages[format];
	int64_t now_ns = sm_clock_now_ns();
	const char *text = sm_kept_text(page, now_ns);

	if (!text) {
		size_t size = 0;
		char *made = make_page(metrics->from, format, &size);

		text = sm_kept_put(page, made, size, now_ns);
	}
	*ret_size = page->size;
	return text;
}
