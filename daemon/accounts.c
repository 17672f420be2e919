/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two files are read as they are: to ask NSS for a user could block for as long as a directory server likes. */
#include "daemon/accounts.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGES_MAX 16384

static bool read_number(const char *text, uint64_t *ret)
{
	char *end;

	*ret = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && *ret <= UINT32_MAX;
}

/* Splits a line into three fields or more, in place. */
static bool split(char *line, char *fields[3])
{
	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < 3; i++)
		fields[i] = strsep(&line, ":");
	return fields[2] != NULL;
}

/* The uid of a user's name; `otherwise` where the file does not have it. */
static uid_t uid_of(FILE *passwd, const char *name, uid_t otherwise)
{
	char line[1024], *fields[3];
	uint64_t uid;

	if (read_number(name, &uid))
		return (uid_t)uid;
	if (passwd)
		rewind(passwd);
	while (passwd && fgets(line, sizeof(line), passwd))
		if (split(line, fields) && strcmp(fields[0], name) == 0 && read_number(fields[2], &uid))
			return (uid_t)uid;
	return otherwise;
}

static bool read_range(char *line, FILE *passwd, struct sm_account_range *ret)
{
	uint64_t first, n;
	char *fields[3];

	if (!split(line, fields) || !read_number(fields[1], &first) || !read_number(fields[2], &n) || n == 0)
		return false;
	ret->first = (uid_t)first;
	ret->last = (uid_t)(first + n - 1 <= UINT32_MAX ? first + n - 1 : UINT32_MAX);
	ret->account = uid_of(passwd, fields[0], ret->first);
	if (ret->account == 0)
		ret->account = ret->first; /* root has a reserve, and what it gives out has not */
	return ret->first > 0;
}

static void add(struct sm_accounts *accounts, const struct sm_account_range *range)
{
	struct sm_account_range *ranges = reallocarray(accounts->ranges, accounts->n + 1, sizeof(*ranges));

	if (!ranges)
		return;
	accounts->ranges = ranges;
	ranges[accounts->n++] = *range;
}

static void read_all(struct sm_accounts *accounts)
{
	FILE *subuid = fopen(accounts->subuid_path, "re"), *passwd = fopen(accounts->passwd_path, "re");
	struct sm_account_range range;
	char line[1024];

	sm_accounts_clear(accounts);
	while (subuid && accounts->n < RANGES_MAX && fgets(line, sizeof(line), subuid))
		if (read_range(line, passwd, &range))
			add(accounts, &range);
	if (subuid)
		fclose(subuid);
	if (passwd)
		fclose(passwd);
}

/* A file that is not there is like one of long ago. */
static bool has_changed(const char *path, struct stat *seen)
{
	struct stat file = {.st_ino = 0}, before = *seen;

	if (stat(path, &file) != 0)
		file = (struct stat){.st_ino = 0};
	*seen = file;
	return file.st_ino != before.st_ino || file.st_size != before.st_size || file.st_mtim.tv_sec != before.st_mtim.tv_sec ||
	       file.st_mtim.tv_nsec != before.st_mtim.tv_nsec;
}

void sm_accounts_look(struct sm_accounts *accounts)
{
	bool has_new_ranges = has_changed(accounts->subuid_path, &accounts->seen[0]);
	bool has_new_users = has_changed(accounts->passwd_path, &accounts->seen[1]);

	if (has_new_ranges || has_new_users)
		read_all(accounts);
}

void sm_accounts_start(struct sm_accounts *accounts, const char *subuid_path, const char *passwd_path)
{
	*accounts = (struct sm_accounts){.subuid_path = subuid_path, .passwd_path = passwd_path};
	sm_accounts_look(accounts);
}

void sm_accounts_clear(struct sm_accounts *accounts)
{
	free(accounts->ranges);
	accounts->ranges = NULL;
	accounts->n = 0;
}

uid_t sm_accounts_of(const struct sm_accounts *accounts, uid_t uid)
{
	for (uint32_t i = 0; i < accounts->n; i++)
		if (uid >= accounts->ranges[i].first && uid <= accounts->ranges[i].last)
			return accounts->ranges[i].account;
	return uid;
}
