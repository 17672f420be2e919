/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/persist.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "base/scope.h"
#include "daemon/log.h"
#include "mesh/judge.h"
#include "mesh/record.h"
#include "resolve/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY "/var/lib/srvmeshd"
#define USUAL_MAP "/run/srvmesh"
#define MAGIC "srvmesh answers\n"
#define MAGIC_SIZE 16
#define FILE_VERSION 1
#define HEAD_SIZE (MAGIC_SIZE + 4 + 8 + 8)
#define ENTRY_HEAD_SIZE (4 + 8)
#define EVERY_MS 300000
#define AHEAD_NS (300 * SM_NS_PER_S) /* so much the clocks of two boots may differ */
#define FUTURE_MAX_NS (30 * 86400 * SM_NS_PER_S) /* the longest that `stale` can be */
#define SLICE_NS (2 * SM_NS_PER_MS)  /* of writing, in one turn of the loop */

/* ---- writing */

static void name_new_file(const struct sm_persist *persist, char ret[SM_PATH_MAX + 32])
{
	snprintf(ret, SM_PATH_MAX + 32, "%s.new", persist->path);
}

static void give_up(struct sm_persist *persist)
{
	char path[SM_PATH_MAX + 32];

	/* a package that was taken off has taken its directory along */
	if (!persist->has_failed)
		sm_log(errno == ENOENT ? SM_LOG_DEBUG : SM_LOG_WARNING, "answers could not be written: a reboot would lose them",
		       "path", persist->path, "error", strerror(errno), NULL);
	persist->has_failed = true;
	name_new_file(persist, path);
	unlink(path);
	if (persist->fd >= 0)
		close(persist->fd);
	persist->fd = -1;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		bytes += written;
		size -= (size_t)written;
	}
	return true;
}

static bool begin_file(struct sm_persist *persist)
{
	uint8_t head[HEAD_SIZE];
	struct sm_writer writer = sm_writer_of(head, sizeof(head));
	char path[SM_PATH_MAX + 32];

	name_new_file(persist, path);
	unlink(path);
	persist->n_commits = sm_owner_usage(persist->owner).n_commits;
	persist->has_begun = false;
	persist->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	sm_write_bytes(&writer, MAGIC, MAGIC_SIZE);
	sm_write_u32le(&writer, FILE_VERSION);
	sm_write_u64le(&writer, (uint64_t)sm_clock_wall_ns());
	sm_write_u64le(&writer, (uint64_t)sm_clock_now_ns());
	if (persist->fd >= 0 && write_all(persist->fd, head, writer.at))
		return true;
	give_up(persist);
	return false;
}

static const struct sm_rule *rule_of(const struct sm_persist *persist, const struct sm_name *name)
{
	const struct sm_rule *rule = sm_reload_rule(persist->reload, name);

	return rule && rule->stale_ms > 0 ? rule : NULL;
}

static bool write_answer(const struct sm_persist *persist, const struct sm_name *name)
{
	uint8_t head[ENTRY_HEAD_SIZE];
	struct sm_writer writer = sm_writer_of(head, sizeof(head));
	struct sm_record_head of;
	const void *record;
	size_t size;

	if (sm_owner_get(persist->owner, name, &record, &size) != SM_OK || sm_record_head(record, size, &of) != SM_OK ||
	    of.kind != SM_ANSWER_ADDRESSES || of.times.stale_ns <= sm_clock_now_ns() || !rule_of(persist, name))
		return true;
	sm_write_u32le(&writer, (uint32_t)size);
	sm_write_u64le(&writer, sm_epochs_key(&persist->flush_work->epochs, name, of.times.made_ns));
	return write_all(persist->fd, head, writer.at) && write_all(persist->fd, record, size);
}

/* Without fsync(2): a file that is not whole after a crash is noticed, and as good as none. */
static void end_file(struct sm_persist *persist)
{
	char path[SM_PATH_MAX + 32];

	name_new_file(persist, path);
	if (close(persist->fd) != 0 || rename(path, persist->path) != 0) {
		persist->fd = -1;
		give_up(persist);
		return;
	}
	persist->fd = -1;
	persist->has_failed = false;
}

/* false: the file has ended, for good or ill. */
static bool write_some(struct sm_persist *persist, int64_t until_ns)
{
	do {
		enum sm_status status = sm_owner_next(persist->owner, persist->has_begun ? &persist->at : NULL, &persist->at);

		if (status == SM_MISS) {
			end_file(persist);
			return false;
		}
		persist->has_begun = true;
		if (status != SM_OK || !write_answer(persist, &persist->at)) {
			give_up(persist);
			return false;
		}
	} while (sm_clock_now_ns() < until_ns);
	return true;
}

/* ---- taking back */

struct taking {
	struct sm_persist *persist;
	int64_t elapsed_ns;     /* since the file was written, by the wall clock */
	int64_t written_boot_ns; /* the time since boot when it was written */
	int64_t now_ns;
	uint32_t n;
};

/* The times of this boot for an answer of another: past its time, and for no longer than it could have served. false: it is
 * over. */
static bool adapt_times(const struct taking *taking, const struct sm_rule *rule, struct sm_times *times)
{
	int64_t then_left_ns = sm_sooner(times->stale_ns - taking->written_boot_ns, rule->stale_ms * SM_NS_PER_MS);
	int64_t left_ns = then_left_ns - taking->elapsed_ns;
	int64_t age_ns = taking->written_boot_ns - times->made_ns + taking->elapsed_ns;

	if (left_ns <= 0 || age_ns < 0)
		return false;
	times->made_ns = age_ns < taking->now_ns ? taking->now_ns - age_ns : 0;
	times->expires_ns = sm_sooner(times->expires_ns, times->made_ns + 1);
	times->recheck_ns = times->expires_ns;
	times->stale_ns = taking->now_ns + left_ns;
	times->n_unrenewed = 0;
	return true;
}

/* Marks of health were of then, ranks of the network of then. */
static void adapt_answer(const struct taking *taking, const struct sm_rule *rule, struct sm_answer *answer)
{
	answer->n_marks = 0;
	for (uint32_t i = 0; i < answer->n_targets; i++)
		answer->targets[i].is_marked = false;
	sm_surroundings_rank(taking->persist->around, answer);
	sm_judge_if_needed(answer, rule);
}

static void take_back(struct taking *taking, uint64_t key, const void *bytes, size_t size)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_owner *owner = taking->persist->owner;
	const struct sm_rule *rule;
	struct sm_record_head head;
	struct sm_answer answer;
	struct sm_times times;
	const void *kept;
	size_t kept_size;

	if (sm_record_head(bytes, size, &head) != SM_OK || head.kind != SM_ANSWER_ADDRESSES)
		return;
	rule = rule_of(taking->persist, &head.name);
	if (!rule || sm_rule_standing(rule, key) == SM_OF_OTHER_RULE)
		return;
	if (sm_owner_get(owner, &head.name, &kept, &kept_size) == SM_OK)
		return;
	if (sm_record_decode(&head.name, bytes, size, &arena, &answer, &times) != SM_OK || !adapt_times(taking, rule, &times))
		return;
	adapt_answer(taking, rule, &answer);
	taking->n += sm_owner_take_back(owner, &head.name, &answer, &times, taking->now_ns) == SM_OK;
}

/* Up to where the file makes sense. */
static void take_all(struct taking *taking, FILE *file)
{
	SM_SCOPE_FREE uint8_t *bytes = malloc(SM_RECORD_MAX);
	uint8_t head[ENTRY_HEAD_SIZE];

	while (bytes && fread(head, sizeof(head), 1, file) == 1) {
		struct sm_reader reader = sm_reader_of(head, sizeof(head));
		uint32_t size = sm_read_u32le(&reader);
		uint64_t key = sm_read_u64le(&reader);

		if (size > SM_RECORD_MAX || fread(bytes, 1, size, file) != size)
			return;
		take_back(taking, key, bytes, size);
	}
}

static bool is_trusted(const struct sm_persist *persist, FILE *file)
{
	struct stat status;

	if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
	    !(status.st_mode & (S_IWGRP | S_IWOTH)))
		return true;
	sm_log(SM_LOG_WARNING, "answers are not taken back: the file is not srvmeshd's own, or others can write it", "path",
	       persist->path, NULL);
	return false;
}

/* A file from the future: this clock is wrong, or that one was. It is left alone until its time has come, unless that is so far
 * that nothing in it would still serve. */
static bool read_head(struct taking *taking, FILE *file)
{
	uint8_t head[HEAD_SIZE];
	struct sm_reader reader = sm_reader_of(head, sizeof(head));
	const uint8_t *magic = sm_read_bytes(&reader, MAGIC_SIZE);
	int64_t written_ns;

	if (fread(head, sizeof(head), 1, file) != 1 || !magic || memcmp(magic, MAGIC, MAGIC_SIZE) != 0 ||
	    sm_read_u32le(&reader) != FILE_VERSION)
		return false;
	written_ns = (int64_t)sm_read_u64le(&reader);
	taking->written_boot_ns = (int64_t)sm_read_u64le(&reader);
	taking->elapsed_ns = sm_clock_wall_ns() - written_ns;
	if (written_ns < 0 || taking->written_boot_ns < 0)
		return false;
	if (taking->elapsed_ns < -AHEAD_NS) {
		if (taking->elapsed_ns > -FUTURE_MAX_NS)
			taking->persist->future_ns = (uint64_t)written_ns;
		sm_log(SM_LOG_WARNING, "answers are not taken back: by the clock of this host they were written in the future",
		       "path", taking->persist->path, NULL);
		return false;
	}
	if (taking->elapsed_ns < 0)
		taking->elapsed_ns = 0;
	return true;
}

static void read_file(struct sm_persist *persist)
{
	struct taking taking = {.persist = persist, .now_ns = sm_clock_now_ns()};
	int fd = open(persist->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (is_trusted(persist, file) && read_head(&taking, file))
		take_all(&taking, file);
	fclose(file);
	if (taking.n > 0)
		sm_log_number(SM_LOG_INFO, "answers of an earlier boot are taken back as old ones", "names", taking.n);
}

/* ---- when */

/* Where a file of the configuration was left out, not all names are ours today, and what is kept of the others stays. */
static bool is_wanted(const struct sm_persist *persist)
{
	const struct sm_conf *conf = persist->reload->settings->conf;

	return persist->path[0] != '\0' && conf->host.is_persistent && !conf->is_incomplete &&
	       (uint64_t)sm_clock_wall_ns() >= persist->future_ns;
}

static void read_the_rest(struct sm_persist *persist)
{
	if (persist->is_half_read)
		read_file(persist);
	persist->is_half_read = false;
}

static void on_writing(uv_idle_t *idle)
{
	if (!write_some(idle->data, sm_clock_now_ns() + SLICE_NS))
		uv_idle_stop(idle);
}

static void on_time(uv_timer_t *timer)
{
	struct sm_persist *persist = timer->data;

	if (persist->fd >= 0 || !is_wanted(persist))
		return;
	read_the_rest(persist);
	if (sm_owner_usage(persist->owner).n_commits != persist->n_commits && begin_file(persist))
		uv_idle_start(&persist->writing, on_writing);
}

void sm_persist_now(struct sm_persist *persist)
{
	if (!is_wanted(persist))
		return;
	read_the_rest(persist);
	if (persist->fd >= 0)
		close(persist->fd);
	persist->fd = -1;
	if (begin_file(persist))
		write_some(persist, INT64_MAX);
}

static void find_path(struct sm_persist *persist)
{
	const char *state = secure_getenv("STATE_DIRECTORY");
	bool is_usual = strcmp(persist->reload->settings->conf->host.directory, USUAL_MAP) == 0;

	persist->path[0] = '\0';
	if (state && state[0] == '/' && strcspn(state, ":") <= SM_PATH_MAX)
		snprintf(persist->path, sizeof(persist->path), "%.*s/%s", (int)strcspn(state, ":"), state, SM_PERSIST_FILE);
	else if (is_usual && (mkdir(DIRECTORY, 0700) == 0 || errno == EEXIST))
		snprintf(persist->path, sizeof(persist->path), "%s/%s", DIRECTORY, SM_PERSIST_FILE);
}

void sm_persist_start(struct sm_persist *persist)
{
	persist->fd = -1;
	persist->is_half_read = persist->reload->settings->conf->is_incomplete;
	find_path(persist);
	uv_timer_init(persist->loop, &persist->timer);
	uv_idle_init(persist->loop, &persist->writing);
	persist->timer.data = persist->writing.data = persist;
	uv_timer_start(&persist->timer, on_time, EVERY_MS, EVERY_MS);
	if (persist->path[0] == '\0')
		return;
	if (persist->reload->settings->conf->host.is_persistent)
		read_file(persist);
	else
		unlink(persist->path);
}

void sm_persist_stop(struct sm_persist *persist)
{
	uv_close((uv_handle_t *)&persist->timer, NULL);
	uv_close((uv_handle_t *)&persist->writing, NULL);
}
