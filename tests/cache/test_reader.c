/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damaged and hostile files. The walks read a copy in memory of exactly the file's size, so that ASan reports a read
 * of a single byte past its end. */
#include "tests/cache/host_map.h"

#include "base/random.h"
#include "cache/scan.h"

#include <dirent.h>
#include <sys/mman.h>

#define NAMES 600
#define PAGES 64

static uint8_t *bytes;
static size_t n_bytes;

static const char *name_at(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "n%d.mesh", i);
	return name;
}

/* Gives records of all sizes: in leaves, and on pages of their own. */
static int targets_of(int i)
{
	return i % 30 == 7 ? 100 : i % 9;
}

/* A whole map of at least 64 pages, as a copy in `mapped`. */
static int make_map(void **state)
{
	struct stat file;
	int fd;

	if (make_directory(state) != 0)
		return -1;
	open_owner(4U << 20, 100);
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < NAMES; i++)
			put_service(name_at(i), (uint16_t)targets_of(i), 1);
		commit();
	}
	close_owner();
	fd = open(path_of("run/" SM_MAP_FILE), O_RDONLY);
	assert_int_equal(fstat(fd, &file), 0);
	n_bytes = (size_t)file.st_size;
	assert_true(n_bytes >= PAGES * 4096);
	bytes = malloc(n_bytes);
	assert_int_equal(read(fd, bytes, n_bytes), n_bytes);
	close(fd);
	mapped = (struct sm_mapped){.bytes = bytes, .length = n_bytes, .size = n_bytes, .page_shift = 12};
	return 0;
}

static int drop_map(void **state)
{
	free(bytes);
	mapped.bytes = NULL;
	return remove_directory(state);
}

/* How many services a scan sees; each one above the one before, and whole. */
static int scan(void)
{
	struct sm_name at, next;
	size_t size;
	int n = 0;

	for (;; n++) {
		enum sm_status status = sm_scan_next(&mapped, n ? &at : NULL, &next, record, sizeof(record), &size);

		if (status != SM_OK)
			return status == SM_MISS ? n : -1;
		assert_true(n == 0 || strcmp(at.text, next.text) < 0);
		at = next;
	}
}

/* Each answer must be right, or a miss. */
static void ask_all(int step)
{
	for (int i = 0; i < NAMES; i += step) {
		int found = find_service(name_at(i));

		assert_true(found < 0 || found == targets_of(i));
	}
	scan();
}

static void a_scan_sees_every_name_once(void **state)
{
	(void)state;
	assert_int_equal(scan(), NAMES);
}

static void a_scan_goes_on_behind_any_name(void **state)
{
	struct sm_name before = name_of("n599.mes"), next;
	size_t size;

	(void)state;
	assert_int_equal(sm_scan_next(&mapped, &before, &next, record, sizeof(record), &size), SM_OK);
	assert_string_equal(next.text, "n599.mesh");
	assert_int_equal(sm_scan_next(&mapped, &next, &before, record, 10, &size), SM_FULL);
	assert_string_equal(before.text, "n6.mesh");
}

static void a_whole_map_has_every_name(void **state)
{
	(void)state;
	for (int i = 0; i < NAMES; i++)
		assert_int_equal(find_service(name_at(i)), targets_of(i));
}

static void every_changed_byte_is_a_miss_at_worst(void **state)
{
	/* names whose walks together visit all kinds of pages */
	static const int asked[] = {0, 7, 75, 149};

	(void)state;
	for (size_t at = 0; at < PAGES * 4096; at++) {
		uint8_t was = bytes[at];

		bytes[at] ^= (uint8_t)(1 + at * 37 % 255);
		for (size_t i = 0; i < COUNT(asked); i++) {
			int found = find_service(name_at(asked[i]));

			assert_true(found < 0 || found == targets_of(asked[i]));
		}
		bytes[at] = was;
	}
	a_whole_map_has_every_name(state);
}

static void random_mutations_are_a_miss_at_worst(void **state)
{
	uint8_t *whole = malloc(n_bytes);
	uint64_t dice = 20261122;

	(void)state;
	memcpy(whole, bytes, n_bytes);
	for (int turn = 0; turn < 100000; turn++) {
		size_t touched[8];
		unsigned n = 1 + sm_random_step(&dice) % 8;

		for (unsigned i = 0; i < n; i++) {
			uint64_t draw = sm_random_step(&dice);
			bool is_head = draw & 1; /* the numbers are in page heads and node lists */

			touched[i] = is_head ? (draw >> 8) % (n_bytes / 4096) * 4096 + (draw >> 32) % 64 : (draw >> 8) % n_bytes;
			bytes[touched[i]] = (uint8_t)(draw >> 56);
		}
		for (int i = 0; i < 3; i++) {
			int asked = (int)(sm_random_step(&dice) % NAMES), found = find_service(name_at(asked));
			struct sm_name before = name_of(name_at(asked)), next;
			size_t size;

			assert_true(found < 0 || found == targets_of(asked));
			if (sm_scan_next(&mapped, &before, &next, record, sizeof(record), &size) == SM_OK)
				assert_true(strcmp(before.text, next.text) < 0);
		}
		for (unsigned i = 0; i < n; i++)
			bytes[touched[i]] = whole[touched[i]];
	}
	free(whole);
	a_whole_map_has_every_name(state);
}

static void a_truncated_map_is_a_miss_at_worst(void **state)
{
	(void)state;
	for (size_t size = 0; size < n_bytes; size += size < 20000 ? 61 : 4093) {
		uint8_t *exact = malloc(size ? size : 1);

		memcpy(exact, bytes, size);
		mapped = (struct sm_mapped){.bytes = exact, .length = size, .size = size, .page_shift = 12};
		ask_all(7);
		free(exact);
	}
	mapped = (struct sm_mapped){.bytes = bytes, .length = n_bytes, .size = n_bytes, .page_shift = 12};
}

/* A record of another name under this name's key: the tree is valid, but the record is of the wrong name. */
static void a_swapped_record_is_a_miss(void **state)
{
	uint8_t *first = memmem(bytes, n_bytes, "\1n13.mesh", 9);

	(void)state;
	for (; first; first = memmem(first + 9, n_bytes - (size_t)(first + 9 - bytes), "\1n13.mesh", 9))
		memcpy(first + 1, "n15", 3);
	assert_true(find_service("n15.mesh") < 0 || find_service("n15.mesh") == targets_of(15));
	assert_int_equal(find_service("n13.mesh"), -1);
}

/* ---- the file in its directory */

static void map_becomes(enum sm_status expected)
{
	enum sm_status status = sm_reader_map(path_of("run"), true, &mapped);

	if (status == SM_OK)
		sm_reader_unmap(&mapped);
	mapped.bytes = NULL;
	assert_int_equal(status, expected);
}

static void only_a_file_that_its_owner_alone_can_write_is_mapped(void **state)
{
	(void)state;
	map_becomes(SM_OK);
	chmod(path_of("run/" SM_MAP_FILE), 0664);
	map_becomes(SM_REFUSED);
	chmod(path_of("run/" SM_MAP_FILE), 0646);
	map_becomes(SM_REFUSED);
	chmod(path_of("run/" SM_MAP_FILE), 0644);
	chmod(path_of("run"), 0775);
	map_becomes(SM_REFUSED);
	chmod(path_of("run"), 0757);
	map_becomes(SM_REFUSED);
	chmod(path_of("run"), 0755);
	chmod(directory, 0777);
	map_becomes(SM_REFUSED);
	chmod(directory, 01777);
	map_becomes(SM_OK);
}

static void a_symbolic_link_is_not_followed(void **state)
{
	(void)state;
	rename(path_of("run/" SM_MAP_FILE), path_of("run/other"));
	assert_int_equal(symlink("other", path_of("run/" SM_MAP_FILE)), 0);
	map_becomes(SM_REFUSED);
	unlink(path_of("run/" SM_MAP_FILE));
	rename(path_of("run/other"), path_of("run/" SM_MAP_FILE));
	rename(path_of("run"), path_of("real"));
	assert_int_equal(symlink("real", path_of("run")), 0);
	map_becomes(SM_REFUSED);
}

static void what_is_no_file_or_no_map_is_refused(void **state)
{
	(void)state;
	unlink(path_of("run/" SM_MAP_FILE));
	map_becomes(SM_MISS);
	assert_int_equal(mkfifo(path_of("run/" SM_MAP_FILE), 0644), 0);
	map_becomes(SM_REFUSED);
	unlink(path_of("run/" SM_MAP_FILE));
	write_file("run/" SM_MAP_FILE, "");
	map_becomes(SM_CORRUPT);
	write_file("run/" SM_MAP_FILE, "not a map");
	map_becomes(SM_CORRUPT);
}

/* As root: the file has another owner than the directory, and a parent belongs to an ordinary user. */
static void another_owner_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		/* without `or_mine` the ordinary user's own directory counts as that of a foreign user */
		struct sm_mapped other;

		assert_int_equal(sm_reader_map(path_of("run"), false, &other), SM_REFUSED);
		return;
	}
	assert_int_equal(chown(path_of("run/" SM_MAP_FILE), 65534, 65534), 0);
	map_becomes(SM_REFUSED);
	assert_int_equal(chown(path_of("run"), 65534, 65534), 0);
	map_becomes(SM_OK);
	chmod(directory, 01777); /* where that user could have created it */
	map_becomes(SM_REFUSED);
	chmod(directory, 0700);
	assert_int_equal(chown(directory, 65534, 65534), 0);
	map_becomes(SM_REFUSED);
}

static void a_replaced_file_is_noticed_and_a_missing_one_takes_nothing_away(void **state)
{
	struct sm_mapped old;

	(void)state;
	assert_int_equal(sm_reader_map(path_of("run"), true, &old), SM_OK);
	assert_int_equal(sm_reader_look(path_of("run"), &old), SM_OK);
	rename(path_of("run/" SM_MAP_FILE), path_of("run/old"));
	assert_int_equal(sm_reader_look(path_of("run"), &old), SM_MISS);
	write_file("run/" SM_MAP_FILE, "another");
	assert_int_equal(sm_reader_look(path_of("run"), &old), SM_INVALID);
	mapped = old;
	a_whole_map_has_every_name(state);
	sm_reader_unmap(&mapped);
}

static int open_descriptors(void)
{
	DIR *list = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(list))
		n++;
	closedir(list);
	return n;
}

static void a_mapping_keeps_no_descriptor(void **state)
{
	int before = open_descriptors();

	(void)state;
	map_becomes(SM_OK);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(sm_reader_map(path_of("run"), true, &mapped), SM_OK);
	assert_int_equal(open_descriptors(), before);
	sm_reader_unmap(&mapped);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_map, drop_map)
static const struct CMUnitTest tests[] = {
	TEST(a_whole_map_has_every_name),
	TEST(a_scan_sees_every_name_once),
	TEST(a_scan_goes_on_behind_any_name),
	TEST(every_changed_byte_is_a_miss_at_worst),
	TEST(random_mutations_are_a_miss_at_worst),
	TEST(a_truncated_map_is_a_miss_at_worst),
	TEST(a_swapped_record_is_a_miss),
	TEST(only_a_file_that_its_owner_alone_can_write_is_mapped),
	TEST(a_symbolic_link_is_not_followed),
	TEST(what_is_no_file_or_no_map_is_refused),
	TEST(another_owner_is_refused),
	TEST(a_replaced_file_is_noticed_and_a_missing_one_takes_nothing_away),
	TEST(a_mapping_keeps_no_descriptor),
};

TESTS_MAIN(tests)
