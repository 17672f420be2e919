/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/shared.h"

#include "base/scope.h"
#include "cli/commands.h"
#include "conf/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAEMON_USER "srvmesh" /* as packages name it */

/* srvmeshd's user, where there is one; else whoever runs this. */
static struct sm_secret_reader daemon_user(void)
{
	const struct passwd *user = getpwnam(DAEMON_USER);

	return user ? (struct sm_secret_reader){user->pw_uid, user->pw_gid} : (struct sm_secret_reader){geteuid(), getegid()};
}

static void complain(struct sm_complaints *complaints, const char *path, const char *key, enum sm_status status,
                     const char *file, const char *why)
{
	if (status == SM_REFUSED)
		sm_complain(complaints, SM_COMPLAINT_WARNING, path, 0, "[shared] %s: %s %s: it is not checked", key, file, why);
	else if (status != SM_OK)
		sm_complain(complaints, SM_COMPLAINT_ERROR, path, 0, "[shared] %s: %s %s", key, file, why);
}

void sm_shared_check(const struct sm_shared_conf *shared, struct sm_complaints *complaints, const char *path)
{
	const struct sm_secret_reader reader = daemon_user();
	uint8_t key[SM_SECRET_KEY_SIZE];
	char password[SM_SECRET_MAX + 1];
	const char *why = "";
	enum sm_status status;

	if (shared->n_roads == 0)
		return;
	if (shared->n_keys == 0)
		sm_complain(complaints, SM_COMPLAINT_ERROR, path, 0,
		            "[shared] key: none is given; expected a file made by srvmesh shared-key, the same on all hosts");
	for (uint32_t i = 0; i < shared->n_keys; i++) {
		status = sm_secret_key(shared->keys[i], &reader, key, &why);
		complain(complaints, path, "key", status, shared->keys[i], why);
	}
	if (shared->password[0] != '\0') {
		status = sm_secret_text(shared->password, &reader, password, &why);
		complain(complaints, path, "password", status, shared->password, why);
	}
	explicit_bzero(key, sizeof(key));
	explicit_bzero(password, sizeof(password));
}

static enum exit_code fail(const char *path, const char *why)
{
	fprintf(stderr, "srvmesh: %s: %s\n", path, why);
	return EXIT_NO;
}

/* Before it has bytes, so that it is never open to others. */
static bool give_to_daemon(int fd)
{
	const struct group *group = geteuid() == 0 ? getgrnam(DAEMON_USER) : NULL;

	return !group || (fchown(fd, 0, group->gr_gid) == 0 && fchmod(fd, 0640) == 0);
}

static enum exit_code make_key(const char *path)
{
	uint8_t key[SM_SECRET_KEY_SIZE];
	SM_SCOPE_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool is_good;

	if (fd < 0)
		return fail(path, errno == EEXIST ? "is there already, and left as it is" : strerror(errno));
	is_good = give_to_daemon(fd) && getrandom(key, sizeof(key), 0) == sizeof(key) &&
	          write(fd, key, sizeof(key)) == sizeof(key) && fsync(fd) == 0;
	explicit_bzero(key, sizeof(key));
	if (!is_good) {
		int error = errno;

		unlink(path);
		return fail(path, strerror(error));
	}
	printf("%s: a new key. Copy it to all hosts that share, over a safe way: who has it can redirect all of them.\n", path);
	return EXIT_GOOD;
}

static enum exit_code run_shared_key(const struct sm_call *call)
{
	return make_key(call->words[0]);
}

const struct sm_command sm_command_shared_key = {
	"shared-key", "FILE", "make a key for [shared]", false, 1, 1, SM_COMPLETE_FILES, NULL, run_shared_key,
};
