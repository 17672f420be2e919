/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmeshd: resolves each name once for all programs of the host, and owns the host map. srvmeshd(8). */
#include "base/clock.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/monitor.h"
#include "daemon/persist.h"
#include "daemon/reload.h"
#include "daemon/requests.h"
#include "daemon/scrape.h"
#include "daemon/seal.h"
#include "daemon/surroundings.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define LOOK_MS 1000
#define OWN_KIB (64 * 1024) /* a generous value, without map and jobs */

enum exit_code { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage_text[] = "usage: srvmeshd [--config FILE] [--foreground]\n"
                            "       srvmeshd [--config FILE] --memory\n"
                            "       srvmeshd --help | --version\n"
                            "\n"
                            "  --config FILE   instead of " SM_CONF_FILE " and its drop-ins\n"
                            "  --foreground    stay in the foreground, as service managers expect; without it the\n"
                            "                  command returns when the daemon is ready\n"
                            "  --memory        print the memory limits for this configuration, as lines for systemd\n";

struct options {
	const char *config;
	char absolute[PATH_MAX];
	bool is_foreground;
	bool wants_memory; /* only prints the memory limits */
	int ready; /* the pipe to the command that waits for the background process; -1: none */
};

/* The parts, each with its state, and what the process itself waits for. */
struct daemon {
	uv_loop_t loop;
	struct sm_counters counters;
	struct sm_limits limits;
	struct sm_accounts accounts;
	struct sm_reload reload;
	struct sm_owner *owner;
	struct sm_surroundings around;
	struct sm_upstream upstream;
	struct sm_targets targets;
	struct sm_shared shared;
	struct sm_flush_work flush_work;
	struct sm_jobs jobs;
	struct sm_requests requests;
	struct sm_control control;
	struct sm_monitor monitor;
	struct sm_metrics metrics;
	struct sm_scrape scrape;
	struct sm_premises premises;
	struct sm_persist persist;
	struct sm_pulse pulse;
	struct sm_connections connections;
	int64_t began_ns;
	bool is_stopping;
	char directory[SM_PATH_MAX + 1]; /* of the host map, as it was opened */

	uv_prepare_t flush;
	uv_timer_t looking; /* for changed files */
	uv_timer_t watchdog;
	uv_signal_t hangup, terminate, interrupt;
};

/* ---- regular work of the loop */

/* Files may change without a SIGHUP, and a program that finds its answer in the map sends no request. So a timer
 * checks the files. */
static void on_looking(uv_timer_t *timer)
{
	struct daemon *daemon = timer->data;

	sm_reload_if_changed(&daemon->reload);
	sm_accounts_look(&daemon->accounts);
	sm_jobs_look(&daemon->jobs);
	sm_premises_look(&daemon->premises, daemon->directory, sm_clock_now_ns());
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	sm_listener_notify(secure_getenv("NOTIFY_SOCKET"), "WATCHDOG=1");
}

/* sd_watchdog_enabled(3). Sends three signs of life in each interval: who sends none in time is taken to hang. */
static void start_watchdog(struct daemon *daemon)
{
	const char *pid = secure_getenv("WATCHDOG_PID"), *usec = secure_getenv("WATCHDOG_USEC");
	uint64_t ms = usec && (!pid || strtol(pid, NULL, 10) == getpid()) ? strtoull(usec, NULL, 10) / 1000 / 3 : 0;

	uv_timer_init(&daemon->loop, &daemon->watchdog);
	if (ms > 0)
		uv_timer_start(&daemon->watchdog, on_watchdog, 0, ms);
}

static void close_all(struct daemon *daemon)
{
	sm_persist_now(&daemon->persist);
	sm_surroundings_stop(&daemon->around);
	sm_requests_stop(&daemon->requests);
	sm_connections_end(&daemon->connections);
	sm_jobs_stop(&daemon->jobs);
	sm_targets_stop(&daemon->targets);
	sm_flush_stop(&daemon->flush_work);
	sm_shared_stop(&daemon->shared);
	sm_scrape_stop(&daemon->scrape);
	sm_persist_stop(&daemon->persist);
	uv_close((uv_handle_t *)&daemon->flush, NULL);
	uv_close((uv_handle_t *)&daemon->looking, NULL);
	uv_close((uv_handle_t *)&daemon->watchdog, NULL);
	uv_close((uv_handle_t *)&daemon->hangup, NULL);
	uv_close((uv_handle_t *)&daemon->terminate, NULL);
	uv_close((uv_handle_t *)&daemon->interrupt, NULL);
}

static bool has_nothing_to_do(const struct daemon *daemon)
{
	return daemon->is_stopping && daemon->limits.used[SM_LIMITED_CLIENTS] == 0 && daemon->limits.used[SM_LIMITED_JOBS] == 0;
}

/* Runs before each wait of the loop. */
static void on_flush(uv_prepare_t *prepare)
{
	struct daemon *daemon = prepare->data;

	sm_pulse_beat(&daemon->pulse, sm_clock_now_ns());
	sm_jobs_flush(&daemon->jobs);
	sm_requests_before_waiting(&daemon->requests);
	sm_targets_before_waiting(&daemon->targets);
	sm_store_before_waiting(&daemon->shared.store);
	if (!TAILQ_EMPTY(&daemon->jobs.finished)) /* as soon as they have begun, or the connection to the store has just ended */
		sm_jobs_flush(&daemon->jobs);
	sm_monitor_before_waiting(&daemon->monitor);
	if (has_nothing_to_do(daemon))
		close_all(daemon);
}

/* ---- signals */

static void on_hangup(uv_signal_t *signal, int number)
{
	(void)number;
	sm_reload_now(&((struct daemon *)signal->data)->reload);
}

/* First signal: accept no more requests, and exit when all jobs are finished. Second signal: exit now. */
static void on_terminate(uv_signal_t *signal, int number)
{
	struct daemon *daemon = signal->data;

	(void)number;
	if (daemon->is_stopping) {
		uv_stop(&daemon->loop);
		return;
	}
	daemon->is_stopping = daemon->requests.is_stopping = daemon->flush_work.is_stopping = true;
	sm_log_number(SM_LOG_INFO, "stopping", "jobs", daemon->limits.used[SM_LIMITED_JOBS]);
	sm_listener_notify(secure_getenv("NOTIFY_SOCKET"), "STOPPING=1");
	sm_monitor_stop(&daemon->monitor);
	sm_connections_stop(&daemon->connections);
	sm_listener_close(&daemon->connections.listener);
}

static void start_handles(struct daemon *daemon)
{
	uv_timer_init(&daemon->loop, &daemon->looking);
	uv_signal_init(&daemon->loop, &daemon->hangup);
	uv_signal_init(&daemon->loop, &daemon->terminate);
	uv_signal_init(&daemon->loop, &daemon->interrupt);
	uv_prepare_init(&daemon->loop, &daemon->flush);
	daemon->hangup.data = daemon->terminate.data = daemon->interrupt.data = daemon;
	daemon->flush.data = daemon->looking.data = daemon;
	uv_timer_start(&daemon->looking, on_looking, LOOK_MS, LOOK_MS);
	start_watchdog(daemon);
	uv_signal_start(&daemon->hangup, on_hangup, SIGHUP);
	uv_signal_start(&daemon->terminate, on_terminate, SIGTERM);
	uv_signal_start(&daemon->interrupt, on_terminate, SIGINT);
	uv_prepare_start(&daemon->flush, on_flush);
}

/* ---- starting */

static bool fail(const char *what, const char *path, const char *why)
{
	sm_log(SM_LOG_ERROR, what, "path", path, "error", why, NULL);
	return false;
}

static const char *why_not_owner(enum sm_status status, const char *directory)
{
	static char text[512];

	switch (status) {
	case SM_REFUSED:
	case SM_INVALID:
		sm_premises_explain(directory, text, sizeof(text));
		return text;
	case SM_CORRUPT:
		snprintf(text, sizeof(text), "liblmdb is %s, which writes another file format; expected liblmdb 0.9",
		         sm_owner_library());
		return text;
	case SM_OK: case SM_MISS: case SM_FULL: case SM_SILENT: case SM_EXHAUSTED:
		break;
	}
	return "out of memory or space";
}

static bool open_owner(struct daemon *daemon)
{
	const struct sm_conf *conf = daemon->reload.settings->conf;
	const struct sm_host_conf *host = &conf->host;
	enum sm_status status = sm_owner_open(host->directory, host->size_kib * 1024ULL, host->quota_percent, &daemon->owner);

	if (status != SM_OK)
		return fail("no host map", host->directory, why_not_owner(status, host->directory));
	memcpy(daemon->directory, host->directory, sizeof(daemon->directory));
	sm_premises_look(&daemon->premises, daemon->directory, sm_clock_now_ns());
	return true;
}

/* Takes the sockets that a service manager passes (sd_listen_fds), or opens our own. */
static bool open_listener(struct daemon *daemon)
{
	const char *path = daemon->reload.settings->conf->host.socket;
	const char *pid = secure_getenv("LISTEN_PID"), *n = secure_getenv("LISTEN_FDS");
	bool is_taken = pid && n && strtol(pid, NULL, 10) == getpid();
	enum sm_status status = is_taken ? sm_listener_take((int)strtol(n, NULL, 10), &daemon->connections.listener)
	                                 : sm_listener_open(path, &daemon->connections.listener);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (status == SM_OK)
		return true;
	return fail("no socket", path, is_taken ? "the sockets handed over are not a listening SOCK_SEQPACKET and a SOCK_DGRAM"
	                                        : "it is in use, or cannot be created there");
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Errors in the files are logged, and the rest of the configuration applies. Only if a named file is missing,
 * loading fails. */
static bool load_conf(struct daemon *daemon, const char *config)
{
	if (config && access(config, F_OK) != 0)
		return fail("no configuration", config, "there is no such file");
	if (sm_reload_begin(config, &daemon->limits, &daemon->reload) != SM_OK)
		return fail("no configuration", daemon->reload.sources.file, "out of memory or descriptors");
	return true;
}

static void tell_ready(const struct daemon *daemon, const struct options *options)
{
	sm_log_number(SM_LOG_INFO, "ready", "restored", sm_owner_usage(daemon->owner).n_restored);
	sm_listener_notify(secure_getenv("NOTIFY_SOCKET"), "READY=1");
	if (options->ready >= 0 && write(options->ready, "", 1) == 1)
		close(options->ready);
}

/* What the administrator asks for comes from all parts. */
static void wire_control(struct daemon *daemon)
{
	daemon->control.reload = &daemon->reload;
	daemon->control.targets = &daemon->targets;
	daemon->control.monitor = &daemon->monitor;
	daemon->control.from = (struct sm_figures_sources){
		.began_ns = daemon->began_ns,
		.counters = &daemon->counters,
		.limits = &daemon->limits,
		.owner = daemon->owner,
		.targets = &daemon->targets,
		.shared = &daemon->shared,
		.upstream = &daemon->upstream,
		.reload = &daemon->reload,
	};
	daemon->metrics.from = &daemon->control.from;
	daemon->scrape.metrics = daemon->control.metrics = &daemon->metrics;
}

/* Which part uses which. */
static void wire(struct daemon *daemon)
{
	daemon->jobs.loop = daemon->connections.loop = daemon->targets.loop = &daemon->loop;
	daemon->jobs.owner = daemon->requests.owner = daemon->targets.owner = daemon->owner;
	daemon->shared.owner = daemon->flush_work.owner = daemon->owner;
	daemon->jobs.limits = daemon->connections.limits = &daemon->limits;
	daemon->connections.accounts = &daemon->accounts;
	daemon->jobs.counters = daemon->requests.counters = daemon->connections.counters = &daemon->counters;
	daemon->jobs.reload = daemon->targets.reload = daemon->requests.reload = &daemon->reload;
	daemon->shared.reload = daemon->flush_work.reload = &daemon->reload;
	daemon->jobs.around = daemon->shared.around = &daemon->around;
	daemon->requests.upstream = daemon->targets.upstream = &daemon->upstream;
	daemon->shared.upstream = daemon->jobs.upstream = &daemon->upstream;
	daemon->jobs.targets = daemon->requests.targets = daemon->reload.targets = &daemon->targets;
	daemon->jobs.shared = daemon->flush_work.shared = daemon->reload.shared = &daemon->shared;
	daemon->shared.store.loop = daemon->flush_work.loop = daemon->scrape.loop = &daemon->loop;
	daemon->shared.targets = &daemon->targets;
	daemon->shared.jobs = daemon->flush_work.jobs = daemon->requests.jobs = &daemon->jobs;
	daemon->reload.flush_work = daemon->shared.flush_work = &daemon->flush_work;
	daemon->requests.flush_work = daemon->control.flush_work = &daemon->flush_work;
	daemon->shared.follow = sm_flush_follow;
	daemon->requests.control = &daemon->control;
	daemon->requests.pulse = &daemon->pulse;
	daemon->persist = (struct sm_persist){.loop = &daemon->loop, .owner = daemon->owner, .reload = &daemon->reload,
	                                      .flush_work = &daemon->flush_work, .around = &daemon->around};
	daemon->connections.events = &sm_requests_events;
	daemon->connections.context = &daemon->requests;
}

static bool serve(struct daemon *daemon, const struct options *options)
{
	if (uv_loop_init(&daemon->loop) != 0)
		return fail("no event loop", "", "out of descriptors or memory");
	wire(daemon);
	wire_control(daemon);
	sm_accounts_start(&daemon->accounts, "/etc/subuid", "/etc/passwd");
	sm_hosts_start(&daemon->jobs.hosts, daemon->reload.settings->conf->host.quota_percent);
	sm_upstream_start(&daemon->upstream, daemon->owner);
	start_handles(daemon);
	sm_surroundings_start(&daemon->around, &daemon->loop, daemon->owner, &daemon->reload, &daemon->upstream,
	                      &daemon->targets, &daemon->jobs.hosts);
	sm_flush_start(&daemon->flush_work);
	sm_flush_judge(&daemon->flush_work);
	sm_persist_start(&daemon->persist);
	sm_shared_start(&daemon->shared);
	sm_requests_start(&daemon->requests, &daemon->loop);
	if (sm_jobs_start(&daemon->jobs) != SM_OK || sm_targets_start(&daemon->targets) != SM_OK ||
	    sm_connections_start(&daemon->connections) != SM_OK)
		return fail("no event loop", "", "cannot wait for events of a socket");
	sm_scrape_start(&daemon->scrape, &daemon->reload.settings->conf->host.metrics);
	if (sm_seal() != SM_OK)
		sm_log(SM_LOG_WARNING, "no seccomp filter: the kernel refuses it", NULL);
	tell_ready(daemon, options);
	uv_run(&daemon->loop, UV_RUN_DEFAULT);
	return true;
}

static bool run(const struct options *options)
{
	static struct daemon daemon;
	bool is_good;

	daemon.began_ns = sm_clock_now_ns();
	sm_monitor_start(&daemon.monitor);
	raise_descriptor_limit();
	is_good = load_conf(&daemon, options->config) && open_owner(&daemon);
	if (is_good && open_listener(&daemon)) {
		is_good = serve(&daemon, options);
		sm_listener_close(&daemon.connections.listener);
	} else {
		is_good = false;
	}
	sm_owner_close(daemon.owner);
	sm_accounts_clear(&daemon.accounts);
	sm_reload_end(&daemon.reload);
	if (is_good)
		sm_log(SM_LOG_INFO, "stopped", NULL);
	return is_good;
}

/* ---- the command */

/* Memory for two maps and for the maximum number of jobs, some 400 KiB each. Above MemoryHigh= the kernel slows the daemon. */
static enum exit_code print_memory(const char *config)
{
	const struct sm_conf_sources sources = sm_conf_sources(config);
	struct sm_complaints nobody = {.hear = NULL};
	struct sm_watch watch;
	struct sm_conf *conf;
	unsigned long long kib;

	if (sm_conf_load(&sources, NULL, &watch, &nobody, &conf) != SM_OK)
		return EXIT_FAILED;
	kib = OWN_KIB + 2ULL * conf->host.size_kib; /* two, because programs may still map an old one */
	printf("MemoryHigh=%lluK\nMemoryMax=%lluK\n", kib + conf->host.max_jobs * 384ULL, kib + conf->host.max_jobs * 512ULL);
	sm_conf_free(conf);
	sm_watch_end(&watch);
	return EXIT_GOOD;
}

/* Goes into the background. The original command exits when the daemon is ready, or has failed. */
static enum exit_code detach(struct options *options)
{
	int ends[2], null;
	char byte;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0)
		return EXIT_FAILED;
	if (child > 0) {
		close(ends[1]);
		exit(read(ends[0], &byte, 1) == 1 ? EXIT_GOOD : EXIT_FAILED);
	}
	close(ends[0]);
	options->ready = ends[1];
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	return chdir("/") == 0 ? EXIT_GOOD : EXIT_FAILED;
}

/* The background process has another working directory. Links in the path are not resolved: if a link is changed
 * later, as in a ConfigMap, its new target is the right file. */
static const char *make_absolute(const char *path, char ret[PATH_MAX])
{
	char here[PATH_MAX];

	if (path[0] == '/' || !getcwd(here, sizeof(here)) || snprintf(ret, PATH_MAX, "%s/%s", here, path) >= PATH_MAX)
		return path;
	return ret;
}

static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
		{"memory", no_argument, NULL, 'm'},       {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:fhV", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			ret->config = make_absolute(optarg, ret->absolute);
			break;
		case 'f':
			ret->is_foreground = true;
			break;
		case 'm':
			ret->wants_memory = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(EXIT_GOOD);
		case 'V':
			puts("srvmeshd " PACKAGE_VERSION);
			exit(EXIT_GOOD);
		default:
			return EXIT_USAGE;
		}
	}
	return optind == argc ? EXIT_GOOD : EXIT_USAGE;
}

/* If 0, 1 or 2 were closed, the host map could be opened as that descriptor, and the log would write into it. */
static void occupy_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options options = {.ready = -1};

	if (parse(argc, argv, &options) != EXIT_GOOD) {
		fputs(usage_text, stderr);
		return EXIT_USAGE;
	}
	if (options.wants_memory)
		return print_memory(options.config);
	occupy_standard_descriptors();
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on the file size is then handled like a full file system */
	if (!options.is_foreground && detach(&options) != EXIT_GOOD)
		return EXIT_FAILED;
	return run(&options) ? EXIT_GOOD : EXIT_FAILED;
}
