/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whom a uid counts as, where shares are taken. A user of /etc/subuid has 65,536 uids more, for the containers that he runs:
 * they all count as his own. A range that root has given out counts as one, and so does one of a user that /etc/passwd does not
 * know. subuid(5). */
#pragma once

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct sm_account_range {
	uid_t first, last;
	uid_t account;
};

struct sm_accounts {
	const char *subuid_path, *passwd_path;
	struct stat seen[2]; /* the files, as they were read last */
	uint32_t n;
	struct sm_account_range *ranges; /* owned */
};

/* Reads the files; the paths are borrowed. */
void sm_accounts_start(struct sm_accounts *accounts, const char *subuid_path, const char *passwd_path);
/* Reads the files, if they have changed. Without memory, or with files that cannot be read, uids count as themselves. */
void sm_accounts_look(struct sm_accounts *accounts);
void sm_accounts_clear(struct sm_accounts *accounts);

uid_t sm_accounts_of(const struct sm_accounts *accounts, uid_t uid);

/* Where a table of SM_ACCOUNT_PLACES has what is known of an account; others may have the same place. */
#define SM_ACCOUNT_PLACES 256
static inline uint8_t sm_account_place(uid_t account)
{
	return (uint8_t)(account * 2654435761U >> 24);
}
