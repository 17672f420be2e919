/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/secret.h"

#include "tests/directory.h"

#define BYTES32 "0123456789abcdef0123456789abcdef"

static struct sm_secret_reader self(void)
{
	return (struct sm_secret_reader){geteuid(), getegid()};
}

/* Why the file is no key; "": it is one. */
static const char *fault_of(const char *name)
{
	const struct sm_secret_reader reader = self();
	uint8_t key[SM_SECRET_KEY_SIZE];
	const char *why = "";
	enum sm_status status = sm_secret_key(path_of(name), &reader, key, &why);

	if (status == SM_OK)
		assert_memory_equal(key, BYTES32, sizeof(key));
	return status == SM_OK ? "" : why;
}

static void write_secret(const char *name, const char *text, mode_t mode)
{
	write_file(name, text);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static void a_key_is_a_private_file_of_32_bytes(void **state)
{
	(void)state;
	write_secret("key", BYTES32, 0600);
	assert_string_equal(fault_of("key"), "");
	write_secret("group", BYTES32, 0640);
	assert_string_equal(fault_of("group"), "");
	write_secret("read-only", BYTES32, 0440);
	assert_string_equal(fault_of("read-only"), "");
	write_secret("short", "0123456789abcdef", 0600);
	assert_non_null(strstr(fault_of("short"), "expected 32 bytes"));
	write_secret("long", BYTES32 "\n", 0600);
	assert_non_null(strstr(fault_of("long"), "expected 32 bytes"));
	write_secret("empty", "", 0600);
	assert_non_null(strstr(fault_of("empty"), "expected 32 bytes"));
	assert_non_null(strstr(fault_of("none"), "does not exist"));
}

static void what_others_can_read_or_write_is_no_secret(void **state)
{
	static const mode_t open[] = {0644, 0604, 0620, 0602, 0660, 0601, 0650};

	(void)state;
	for (size_t i = 0; i < COUNT(open); i++) {
		write_secret("open", BYTES32, open[i]);
		assert_non_null(strstr(fault_of("open"), "is open to others"));
	}
	assert_int_equal(mkdir(path_of("directory"), 0700), 0);
	assert_string_equal(fault_of("directory"), "is not a regular file");
	assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
	assert_string_equal(fault_of("pipe"), "is not a regular file");
	if (geteuid() != 0)
		return; /* only root gives files away */
	write_secret("foreign", BYTES32, 0600);
	assert_int_equal(chown(path_of("foreign"), 65534, 0), 0);
	assert_non_null(strstr(fault_of("foreign"), "belongs to another user"));
	write_secret("shared", BYTES32, 0640);
	assert_int_equal(chown(path_of("shared"), 0, 65534), 0);
	assert_non_null(strstr(fault_of("shared"), "another group"));
	assert_int_equal(chmod(path_of("shared"), 0600), 0);
	assert_string_equal(fault_of("shared"), "");
}

/* srvmeshd as its own user: a key of root's that its group may read, and a credential of systemd. */
static void root_may_own_what_the_daemon_reads(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		mode_t mode;
		bool is_good;
	} files[] = {{0, 0, 0440, true}, {0, 65534, 0640, true}, {65534, 65534, 0600, true}, {65534, 0, 0400, true}, {0, 1, 0640, false},
	             {1, 65534, 0600, false}, {0, 65534, 0660, false}};
	const struct sm_secret_reader reader = {65534, 65534};
	uint8_t key[SM_SECRET_KEY_SIZE];
	const char *why;

	(void)state;
	if (geteuid() != 0)
		return; /* only root gives files away */
	for (size_t i = 0; i < COUNT(files); i++) {
		write_secret("given", BYTES32, files[i].mode);
		assert_int_equal(chown(path_of("given"), files[i].uid, files[i].gid), 0);
		assert_int_equal(chmod(path_of("given"), files[i].mode), 0);
		assert_int_equal(sm_secret_key(path_of("given"), &reader, key, &why) == SM_OK, files[i].is_good);
		assert_int_equal(remove(path_of("given")), 0);
	}
}

static void a_password_is_the_first_line(void **state)
{
	const struct sm_secret_reader reader = self();
	char text[SM_SECRET_MAX + 1], long_one[SM_SECRET_MAX + 2];
	const char *why = "";

	(void)state;
	write_secret("password", "hunter 2\nmore\n", 0600);
	assert_int_equal(sm_secret_text(path_of("password"), &reader, text, &why), SM_OK);
	assert_string_equal(text, "hunter 2");
	write_secret("blank", "\n", 0600);
	assert_int_equal(sm_secret_text(path_of("blank"), &reader, text, &why), SM_INVALID);
	memset(long_one, 'a', sizeof(long_one));
	long_one[SM_SECRET_MAX] = '\0';
	write_secret("longest", long_one, 0600);
	assert_int_equal(sm_secret_text(path_of("longest"), &reader, text, &why), SM_OK);
	assert_int_equal(strlen(text), SM_SECRET_MAX);
	long_one[SM_SECRET_MAX] = 'a';
	long_one[SM_SECRET_MAX + 1] = '\0';
	write_secret("longer", long_one, 0600);
	assert_int_equal(sm_secret_text(path_of("longer"), &reader, text, &why), SM_FULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_key_is_a_private_file_of_32_bytes),
	cmocka_unit_test(what_others_can_read_or_write_is_no_secret),
	cmocka_unit_test(root_may_own_what_the_daemon_reads),
	cmocka_unit_test(a_password_is_the_first_line),
};

int main(void)
{
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
