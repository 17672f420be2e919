/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/conf.h"

#include "base/clock.h"
#include "conf/show.h"
#include "tests/directory.h"

#define COMPLAINTS_MAX 64

static struct sm_conf *conf;
static struct sm_watch watch;
static bool waits;
static char complaints[COMPLAINTS_MAX][1024];
static enum sm_complaint kinds[COMPLAINTS_MAX];
static size_t n_complaints;

static void hear(void *context, enum sm_complaint kind, const char *text)
{
	(void)context;
	assert_true(n_complaints < COMPLAINTS_MAX);
	snprintf(complaints[n_complaints], sizeof(complaints[0]), "%s", text);
	kinds[n_complaints++] = kind;
}

static enum sm_status load_with(bool must_exist, const struct sm_conf *old)
{
	char file[128], dropins[128], resolv[128], gai[128];
	struct sm_conf_sources sources = {file, must_exist, dropins, resolv, gai, false, waits};
	struct sm_complaints listener = {.hear = hear};

	strcpy(file, path_of("c"));
	strcpy(dropins, path_of("c.d"));
	strcpy(resolv, path_of("resolv.conf"));
	strcpy(gai, path_of("gai.conf"));
	conf = NULL;
	n_complaints = 0;
	sm_watch_end(&watch);
	return sm_conf_load(&sources, old, &watch, &listener, &conf);
}

/* Loads the files as they are now, without an earlier configuration. */
static void load_files(void)
{
	assert_int_equal(load_with(false, NULL), SM_OK);
}

/* The same for a process that already has a configuration. */
static void load_again(void)
{
	struct sm_conf *old = conf;

	assert_int_equal(load_with(false, old), SM_OK);
	sm_conf_free(old);
}

static void load(const char *text)
{
	write_file("c", text);
	load_files();
	assert_int_equal(n_complaints, 0);
}

static void dropin(const char *name, const char *text)
{
	char path[64];

	(void)mkdir(path_of("c.d"), 0755);
	chmod(path_of("c.d"), 0755);
	snprintf(path, sizeof(path), "c.d/%s", name);
	write_file(path, text);
}

static void assert_complaint(size_t index, const char *file, const char *expected)
{
	char whole[1024];

	assert_true(index < n_complaints);
	snprintf(whole, sizeof(whole), "%s%s", path_of(file), expected);
	assert_string_equal(complaints[index], whole);
}

/* Checks that there is one error, and that the file is not used. */
static void assert_error(const char *text, const char *expected)
{
	write_file("c", text);
	load_files();
	assert_complaint(0, "c", expected);
	assert_int_equal(n_complaints, 1);
	assert_true(conf->is_incomplete);
	sm_conf_free(conf);
	conf = NULL;
}

static const struct sm_rule *rule_of(const char *name)
{
	return sm_rules_match(&conf->rules, name, strlen(name));
}

static int clear(void **state)
{
	sm_conf_free(conf);
	conf = NULL;
	return remove_directory(state);
}

static void without_a_file_there_are_no_names(void **state)
{
	(void)state;
	write_file("resolv.conf", "nameserver 127.0.0.9\n");
	load_files();
	assert_int_equal(conf->rules.n_rules, 0);
	assert_int_equal(n_complaints, 0);
	assert_null(rule_of("api.mesh"));
	sm_conf_free(conf);
	load("[resolver]\ntimeout = 1s\n"); /* also no names without a section for them */
	assert_null(rule_of("api.mesh"));
}

static void a_domain_has_the_servers_of_the_host(void **state)
{
	(void)state;
	write_file("resolv.conf", "nameserver 127.0.0.9\n");
	load("[domain mesh]\n");
	assert_int_equal(conf->rules.n_rules, 1);
	assert_null(rule_of("api.example"));
	assert_string_equal(rule_of("api.mesh")->domain.text, "mesh");
	assert_int_equal(rule_of("api.mesh")->servers[0].address.bytes[3], 9);
	assert_int_equal(rule_of("api.mesh")->timeout_ms, 500);
}

static void dropins_alone_are_a_configuration(void **state)
{
	(void)state;
	dropin("mesh.conf", "[domain mesh]\nservers = 127.0.0.3\n");
	load_files();
	assert_int_equal(n_complaints, 0);
	assert_int_equal(rule_of("api.mesh")->servers[0].address.bytes[3], 3);
}

static void a_named_file_must_exist(void **state)
{
	(void)state;
	assert_int_equal(load_with(true, NULL), SM_OK);
	assert_complaint(0, "c", ": there is no such file");
	assert_int_equal(conf->rules.n_rules, 0);
}

static void the_most_specific_section_wins(void **state)
{
	(void)state;
	load("[service db.mesh]\ntimeout = 3s\n[domain mesh]\ntimeout = 2s\nservers = 127.0.0.2\n"
	     "[resolver]\ntimeout = 1s\nattempts = 5\n[domain other]\n");
	assert_int_equal(rule_of("db.mesh")->timeout_ms, 3000);
	assert_true(rule_of("db.mesh")->is_exact);
	assert_string_equal(rule_of("db.mesh")->domain.text, "mesh");
	assert_int_equal(rule_of("db.mesh")->servers[0].address.bytes[3], 2);
	assert_int_equal(rule_of("api.mesh")->timeout_ms, 2000);
	assert_int_equal(rule_of("api.mesh")->attempts, 5);
	assert_int_equal(rule_of("x.other")->timeout_ms, 1000);
	assert_int_equal(conf->rules.elsewhere.timeout_ms, 1000);
}

static void a_service_may_stand_without_a_domain(void **state)
{
	(void)state;
	load("[service db.corp.example]\nsrv = _postgresql._tcp.db.corp.example\n");
	assert_string_equal(rule_of("db.corp.example")->domain.text, "corp.example");
	assert_null(rule_of("x.corp.example"));
	assert_null(rule_of("api.mesh"));
}

static void dropins_override_the_file_in_name_order(void **state)
{
	(void)state;
	dropin("20.conf", "[resolver]\ntimeout = 20ms\n");
	dropin("10.conf", "[resolver]\ntimeout = 10ms\nattempts = 7\n");
	load("[resolver]\ntimeout = 1ms\n[domain mesh]\n");
	assert_int_equal(rule_of("api.mesh")->timeout_ms, 20);
	assert_int_equal(rule_of("api.mesh")->attempts, 7);
}

static void a_file_with_an_error_is_left_out_and_the_others_hold(void **state)
{
	(void)state;
	dropin("10.conf", "[domain mesh]\nport = 8080\n\nattempts = x\n");
	dropin("20.conf", "[domain other]\nservers = 127.0.0.2\n");
	write_file("c", "[domain mesh]\nservers = 127.0.0.1\n");
	load_files();
	assert_int_equal(n_complaints, 1);
	assert_complaint(0, "c.d/10.conf", ":4: attempts: \"x\" is not valid; expected a number from 1 to 16");
	assert_int_equal(rule_of("api.mesh")->port, 0);
	assert_int_equal(rule_of("api.mesh")->n_servers, 1);
	assert_int_equal(rule_of("api.other")->n_servers, 1);
	assert_true(conf->is_incomplete);
}

static void every_error_is_named(void **state)
{
	(void)state;
	dropin("10.conf", "[domain other]\ncolour = red\n");
	write_file("c", "[domain mesh]\ntimeout = x\n[unknown]\nkey = 1\nattempts = 0\n[domain mesh\nfoo = 1\n[cache]\nsize = 1\n");
	load_files();
	assert_int_equal(n_complaints, 5);
	assert_complaint(2, "c", ":6: \"[domain mesh\": expected a [section] or key = value");
	assert_complaint(4, "c.d/10.conf", ":2: colour: no such key; see srvmesh.conf(5)");
}

static void what_is_no_configuration_at_all_is_told_in_twenty_lines(void **state)
{
	char text[2000] = "";

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(text, "nonsense\n");
	write_file("c", text);
	load_files();
	assert_int_equal(n_complaints, 21);
	assert_complaint(20, "c", ": and more errors than these 20");
}

/* A section whose servers are not known has no server, and the answer for its names is "try again". */
static void a_section_of_a_file_with_an_error_is_ours_and_asks_nobody(void **state)
{
	(void)state;
	write_file("resolv.conf", "nameserver 127.0.0.9\n");
	write_file("c", "[domain mesh]\nservers = 127.0.0.1\nnonsense\n[service db.corp.example]\n");
	dropin("other.conf", "[domain other]\n");
	load_files();
	assert_true(rule_of("api.mesh")->is_torn);
	assert_int_equal(rule_of("api.mesh")->n_servers, 0);
	assert_int_equal(rule_of("db.corp.example")->n_servers, 0);
	assert_int_equal(rule_of("api.other")->n_servers, 1);
}

static void servers_that_may_have_been_lost_are_not_replaced_by_those_of_the_host(void **state)
{
	static const struct {
		const char *file, *dropin;
		uint32_t n_servers;
	} cases[] = {
		/* the file with the error, a good file, and the number of servers of [domain mesh] */
		{"[resolver]\nservers = 127.0.0.1\nnonsense\n", "[domain mesh]\n", 0},
		{"[resolver]\nservers = 127.0.0.1\nnonsense\n", "[domain mesh]\nservers = 127.0.0.2\n", 1},
		{"[resolver]\nnonsense\n", "[resolver]\nservers = 127.0.0.2 127.0.0.3\n[domain mesh]\n", 2},
		{"[domain mesh]\nservers = 127.0.0.1\nnonsense\n", "[domain mesh]\nport = 80\n", 0},
		{"[domain mesh]\nservers = 127.0.0.1\nnonsense\n", "[resolver]\nservers = 127.0.0.2\n[domain mesh]\n", 0},
		{"[domain mesh]\nnonsense\n", "[domain mesh]\nservers =\n", 1},
		{"[cache]\nnonsense\n", "[domain mesh]\n", 1},
		/* a header that cannot be read may be that of any section */
		{"[domains mesh]\nservers = 127.0.0.1\n", "[domain mesh]\n", 0},
		{"[domain mesh\nservers = 127.0.0.1\n", "[domain mesh]\n", 0},
		{"[resolvr]\nservers = 127.0.0.1\n", "[domain mesh]\n", 0},
		{"servers = 127.0.0.1\n", "[domain mesh]\n", 0},
		{"[resolvr]\nservers = 127.0.0.1\n", "[domain mesh]\nservers = 127.0.0.1\n", 1},
	};

	(void)state;
	write_file("resolv.conf", "nameserver 127.0.0.9\n");
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file("c", cases[i].file);
		dropin("good.conf", cases[i].dropin);
		load_files();
		assert_int_equal(rule_of("api.mesh")->n_servers, cases[i].n_servers);
		sm_conf_free(conf);
	}
	write_file("c", "[domain mesh]\nservers = 127.0.0.1\nnonsense\n");
	dropin("good.conf", "[resolver]\nservers = 127.0.0.2\n[service db.mesh]\nport = 5432\n");
	load_files();
	assert_int_equal(rule_of("db.mesh")->n_servers, 0); /* it would use the domain's servers, which are not known */
}

static void a_process_keeps_what_it_had_of_a_file(void **state)
{
	(void)state;
	write_file("c", "[domain mesh]\nservers = 127.0.0.1\n");
	dropin("other.conf", "[domain other]\nservers = 127.0.0.2\n");
	load_files();
	write_file("c", "[domain mesh]\nservers = 127.0.0.1 nonsense\n[domain third]\n");
	dropin("other.conf", "[domain other]\nservers = 127.0.0.2 127.0.0.3\n");
	load_again();
	assert_int_equal(n_complaints, 1);
	assert_int_equal(rule_of("api.mesh")->n_servers, 1);
	assert_false(rule_of("api.mesh")->is_torn);
	assert_int_equal(rule_of("api.other")->n_servers, 2);
	assert_int_equal(rule_of("api.third")->n_servers, 0); /* new in that file, and ours */
	assert_false(conf->is_incomplete);
	load_again(); /* and keeps it after another load */
	assert_int_equal(rule_of("api.mesh")->n_servers, 1);
	write_file("c", "[domain mesh]\nservers = 127.0.0.1 127.0.0.4\n");
	load_again();
	assert_int_equal(rule_of("api.mesh")->n_servers, 2);
}

static void a_file_that_cannot_be_read_leaves_the_others(void **state)
{
	(void)state;
	write_file("c", "[domain mesh]\nservers = 127.0.0.1\n");
	(void)mkdir(path_of("c.d"), 0755);
	assert_int_equal(mkdir(path_of("c.d/10.conf"), 0755), 0); /* a directory: root can read a file of any mode */
	load_files();
	assert_complaint(0, "c.d/10.conf", ": cannot be read; expected a regular file with permission to read");
	assert_int_equal(rule_of("api.mesh")->n_servers, 1);
	assert_true(conf->has_unread);
	sm_conf_free(conf);

	/* but the main file may have named the servers of all sections */
	assert_int_equal(unlink(path_of("c")), 0);
	assert_int_equal(mkdir(path_of("c"), 0755), 0);
	dropin("20.conf", "[domain mesh]\n[domain other]\nservers = 127.0.0.1\n"); /* 10.conf is not known either */
	load_files();
	assert_int_equal(rule_of("api.mesh")->n_servers, 0);
	assert_int_equal(rule_of("api.other")->n_servers, 1);
	assert_int_equal(rmdir(path_of("c")), 0);
}

static void a_switch_in_a_file_with_an_error_reaches_who_keeps_what_it_said(void **state)
{
	(void)state;
	write_file("c", "[resolver]\nservers = 127.0.0.1\n[domain mesh]\n");
	load_files();
	write_file("c", "[resolver]\nenabled = no\nnonsense\n[domain mesh]\n");
	load_again();
	assert_true(rule_of("api.mesh")->is_disabled);
	assert_int_equal(rule_of("api.mesh")->n_servers, 1);
	load_again();
	assert_true(rule_of("api.mesh")->is_disabled);
	write_file("c", "[resolver]\nservers = 127.0.0.1\n[domain mesh]\n");
	load_again();
	assert_false(rule_of("api.mesh")->is_disabled);
}

static void what_is_no_file_is_not_tried_again_all_the_time(void **state)
{
	(void)state;
	(void)mkdir(path_of("c.d"), 0755);
	assert_int_equal(mkfifo(path_of("c.d/10.conf"), 0644), 0);
	load_files();
	assert_int_equal(n_complaints, 1);
	assert_int_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
}

static void a_dropin_that_leads_to_dev_null_says_nothing(void **state)
{
	(void)state;
	dropin("20.conf", "[domain mesh]\n");
	assert_int_equal(symlink("/dev/null", path_of("c.d/10.conf")), 0);
	load_files();
	assert_int_equal(n_complaints, 0);
	assert_int_equal(rule_of("api.mesh")->n_servers, 1);
	assert_int_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
}

static void what_others_cannot_read_is_a_warning(void **state)
{
	(void)state;
	dropin("10.conf", "[domain mesh]\n");
	assert_int_equal(chmod(path_of("c.d/10.conf"), 0600), 0);
	load_files();
	assert_int_equal(n_complaints, 1);
	assert_int_equal(kinds[0], SM_COMPLAINT_WARNING);
	assert_complaint(0, "c.d/10.conf", ": mode 0600: programs of other users cannot read it; expected 0644");
	assert_non_null(rule_of("api.mesh"));
	assert_false(conf->is_incomplete);
}

static void a_key_with_a_question_mark_may_be_unknown(void **state)
{
	(void)state;
	load("[domain mesh]\n?colour = red\n?port = 8080\n");
	assert_int_equal(rule_of("api.mesh")->port, 8080);
	sm_conf_free(conf);
	assert_error("[domain mesh]\n?port = red\n", ":2: port: \"red\" is not valid; expected a port from 1 to 65535, or nothing");
	assert_error("[cache]\n?port = 1\n",
	             ":2: port: not in this section; expected in [resolver], [domain NAME] or [service NAME]");
}

static void a_no_in_any_file_switches_names_off(void **state)
{
	(void)state;
	dropin("10.conf", "[domain mesh]\nenabled = no\n");
	dropin("20.conf", "[domain mesh]\nenabled = yes\n[domain sub.mesh]\nenabled = yes\n");
	load("[resolver]\nservers = 127.0.0.1\n[domain mesh]\n[service db.mesh]\nenabled = yes\n");
	assert_true(rule_of("api.mesh")->is_disabled);
	assert_true(rule_of("db.mesh")->is_disabled);
	assert_false(rule_of("api.sub.mesh")->is_disabled);
	sm_conf_free(conf);
	dropin("10.conf", "[resolver]\nenabled = no\nnonsense\n"); /* also in a file with an error */
	load_files();
	assert_true(conf->rules.elsewhere.is_disabled);
	assert_true(rule_of("api.sub.mesh")->is_disabled);
}

static void errors_name_file_line_key_and_what_was_expected(void **state)
{
	(void)state;
	assert_error("[resolver]\ntimeout = 5 apples\n",
	             ":2: timeout: \"5 apples\" is not valid; expected a duration such as 500ms, 2s, 5m, 1h or 1d, "
	             "from 1ms to 1m");
	assert_error("[resolver]\ntimout = 5s\n", ":2: timout: no such key; did you mean timeout?");
	assert_error("[resolver]\ncolour = red\n", ":2: colour: no such key; see srvmesh.conf(5)");
	assert_error("[cache]\ntimeout = 5s\n",
	             ":2: timeout: not in this section; expected in [resolver], [domain NAME] or [service NAME]");
	assert_error("[resolver]\nsrv = x\n", ":2: srv: not in this section; expected in [domain NAME] or [service NAME]");
	assert_error("timeout = 5s\n",
	             ":1: timeout: a key before any section; expected [resolver] or another section above it");
	assert_error("[resolve]\n", ":1: [resolve]: no such section; expected [resolver], [cache], [daemon], [shared], "
	                            "[domain NAME] or [service NAME]");
	assert_error("[domain]\n", ":1: [domain]: \"\" is not a domain name; expected letters, digits, hyphens, "
	                           "underscores and dots, such as [domain mesh]");
	assert_error("[cache x]\n", ":1: [cache]: expected no name behind it, got \"x\"");
	assert_error("[resolver]\n\nnonsense\n", ":3: \"nonsense\": expected a [section] or key = value");
	assert_error("[resolver]\nattempts = 1\nattempts = 2\n",
	             ":3: attempts: given twice; expected once, as in line 2");
	assert_error("[domain mesh]\nhealth = http\n", ":2: health: \"http\" is not valid; expected off, lazy or tcp");
	assert_error("[domain mesh]\nfilter = version=2 =3\n",
	             ":2: filter: \"version=2 =3\" is not valid; expected key=value pairs, such as version=2 "
	             "zone=@/etc/srvmesh.zone, at most 16");
	assert_error("[domain mesh]\nservers = 127.0.0.1 ::1:8600\n",
	             ":2: servers: \"127.0.0.1 ::1:8600\" is not valid; expected IP addresses with optional ports, such as "
	             "127.0.0.1:8600, [::1]:53 or [fe80::1%eth0]:53, at most 8; write [::1]:8600 for a port, or [::1:8600]");
}

static void bounds_that_contradict_each_other_are_an_error(void **state)
{
	(void)state;
	write_file("c", "[resolver]\n[domain mesh]\nmin_ttl = 5m\nmax_ttl = 1m\n");
	load_files();
	assert_complaint(0, "c", ":2: min_ttl: 300000ms is above max_ttl, 60000ms; expected min_ttl at most max_ttl in this section");
	assert_int_equal(rule_of("api.mesh")->max_ttl_ms, 300000);
}

static void the_files_that_decided_are_watched(void **state)
{
	(void)state;
	write_file("resolv.conf", "nameserver 127.0.0.9\n");
	load("[domain mesh]\n");
	assert_int_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
	write_file("resolv.conf", "nameserver 127.0.0.10\n");
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
	sm_conf_free(conf);
	load("[resolver]\nservers = 127.0.0.1\n");
	write_file("resolv.conf", "nameserver 127.0.0.11 \n");
	assert_int_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
	write_file("c", "[resolver]\n");
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
}

static void gai_conf_is_followed_and_watched(void **state)
{
	(void)state;
	write_file("gai.conf", "precedence ::ffff:0:0/96 100\n");
	load("[domain mesh]\n");
	assert_int_equal(sm_conf_policies(conf)->precedences.n, 2);
	assert_int_equal(sm_conf_policies(conf)->precedences.entries[0].value, 100);
	assert_ptr_equal(sm_conf_policies(conf), sm_conf_policies(conf));
	assert_int_equal(sm_conf_look(conf, &watch, 1), SM_WATCH_SAME);
	write_file("gai.conf", "");
	assert_int_not_equal(sm_conf_look(conf, &watch, 1), SM_WATCH_SAME);
}

static void servers_for_what_is_elsewhere_can_wait(void **state)
{
	(void)state;
	waits = true;
	write_file("resolv.conf", "nameserver 127.0.0.9\n");
	load("[domain mesh]\nservers = 127.0.0.1\n");
	assert_int_equal(conf->rules.elsewhere.n_servers, 0);
	write_file("resolv.conf", "nameserver 127.0.0.10\n");
	assert_int_equal(sm_conf_look(conf, &watch, 1), SM_WATCH_SAME); /* it was not read yet */
	assert_int_equal(sm_conf_late(conf)->elsewhere.n_servers, 1);
	assert_int_equal(sm_conf_late(conf)->elsewhere.servers[0].address.bytes[3], 10);
	assert_int_equal(sm_conf_look(conf, &watch, 1), SM_WATCH_SAME);
	write_file("resolv.conf", "nameserver 127.0.0.11 \n");
	assert_int_not_equal(sm_conf_look(conf, &watch, 1), SM_WATCH_SAME);
	sm_conf_free(conf);
	load("[domain mesh]\n");
	assert_int_equal(rule_of("api.mesh")->servers[0].address.bytes[3], 11);
	assert_int_equal(conf->rules.elsewhere.n_servers, 1);
	sm_conf_free(conf);
	load("[domain mesh]\nservers = 127.0.0.1\n");
	assert_int_equal(unlink(path_of("resolv.conf")), 0);
	assert_int_equal(mkdir(path_of("resolv.conf"), 0755), 0); /* as in a sandbox: it is there, and cannot be read */
	assert_int_equal(sm_conf_late(conf)->elsewhere.n_servers, 0);
	assert_int_equal(rmdir(path_of("resolv.conf")), 0);
	sm_conf_free(conf);
	load("[domain mesh]\nservers = 127.0.0.1\n");
	conf->root_inode++; /* as after a chroot */
	assert_int_equal(sm_conf_late(conf)->elsewhere.n_servers, 0);
	assert_int_equal(sm_conf_late(conf)->policies.precedences.n, sm_conf_policies(conf)->precedences.n);
	assert_null(sm_conf_late(conf)->watch.last);
	waits = false;
}

static void a_bad_file_is_watched_too(void **state)
{
	(void)state;
	write_file("c", "nonsense");
	load_files();
	assert_int_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
	write_file("c", "[domain mesh]\n");
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
}

static void a_service_name_may_have_253_characters(void **state)
{
	char text[600], name[254];

	(void)state;
	memset(name, 'a', 253);
	for (int i = 49; i < 253; i += 50)
		name[i] = '.';
	name[253] = '\0';
	snprintf(text, sizeof(text), "[service %s]\nport = 8080\n", name);
	load(text);
	assert_int_equal(rule_of(name)->port, 8080);
}

static uint64_t fingerprint_of(const char *text)
{
	uint64_t fingerprint;

	load(text);
	fingerprint = conf->fingerprint;
	sm_conf_free(conf);
	conf = NULL;
	return fingerprint;
}

static void what_a_domain_excepts_is_below_it(void **state)
{
	(void)state;
	load("[domain corp.example]\nexcept = AD.corp.example, printer.corp.example.\n[service db.corp.example]\n");
	assert_non_null(rule_of("api.corp.example"));
	assert_null(rule_of("ad.corp.example"));
	assert_null(rule_of("x.printer.corp.example"));
	assert_int_equal(rule_of("db.corp.example")->n_excepts, 0);
	dropin("x.conf", "[domain corp.example]\nexcept = one.corp.example\n[domain mesh]\nexcept = a.mesh\n");
	load_again(); /* the later list counts */
	assert_non_null(rule_of("ad.corp.example"));
	assert_null(rule_of("one.corp.example"));
	assert_null(rule_of("a.mesh"));
	sm_conf_free(conf);
	dropin("x.conf", "[domain mesh]\nservers = 127.0.0.1\nexcept = a.mesh mesh b.example\n");
	load_files();
	assert_int_equal(n_complaints, 2);
	assert_complaint(0, "c.d/x.conf", ":3: except: \"mesh\" is not below the domain; expected a name that ends with .mesh");
	assert_complaint(1, "c.d/x.conf", ":3: except: \"b.example\" is not below the domain; expected a name that ends with .mesh");
	assert_null(rule_of("a.mesh"));
	assert_non_null(rule_of("mesh"));
}

static void the_search_list_is_read_where_a_domain_is_searched(void **state)
{
	(void)state;
	write_file("resolv.conf", "search service.consul\noptions ndots:2\n");
	load("[domain consul]\nservers = 127.0.0.1:8600\n");
	assert_null(conf->rules.search);
	sm_conf_free(conf);
	load("[domain consul]\nservers = 127.0.0.1:8600\nsearch = yes\n[service db.service.consul]\n");
	assert_int_equal(conf->rules.search->n_domains, 1);
	assert_int_equal(conf->rules.search->ndots, 2);
	assert_int_equal(rule_of("db.service.consul")->is_searched, 1);
	write_file("resolv.conf", "search other.consul\n");
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
	sm_conf_free(conf);
	assert_error("[service db.consul]\nsearch = yes\n", ":2: search: not in this section; expected in [domain NAME]");
}

static void a_section_may_be_asked_by_tcp_alone(void **state)
{
	(void)state;
	write_file("resolv.conf", "nameserver 127.0.0.9\n");
	load("[domain consul]\nservers = 127.0.0.1:8600\ntransport = tcp\n[domain mesh]\n[service a.mesh]\ntransport = tcp\n");
	assert_true(rule_of("x.consul")->servers[0].is_stream);
	assert_false(rule_of("b.mesh")->servers[0].is_stream);
	assert_true(rule_of("a.mesh")->servers[0].is_stream);
	assert_false(conf->rules.elsewhere.servers[0].is_stream);
}

static void the_fingerprint_is_of_what_shapes_answers(void **state)
{
	uint64_t plain = fingerprint_of("[domain mesh]\n");

	(void)state;
	assert_int_not_equal(fingerprint_of(""), plain);
	assert_int_equal(fingerprint_of("[resolver]\n[domain mesh]\n[cache]\n[daemon]\n"), plain);
	assert_int_equal(fingerprint_of("# a comment\n[resolver]\ntimeout = 1s\n[domain mesh]\n[cache]\nsize = 2M\n"), plain);
	assert_int_not_equal(fingerprint_of("[resolver]\nservers = 127.0.0.1\n[domain mesh]\n"), plain);
	assert_int_not_equal(fingerprint_of("[domain mesh]\nservers = 127.0.0.1\n"),
	                     fingerprint_of("[resolver]\nservers = 127.0.0.1\n[domain mesh]\n"));
	assert_int_not_equal(fingerprint_of("[domain mesh]\n[domain other]\n"), plain);
	assert_int_not_equal(fingerprint_of("[domain mesh]\n[service other]\n"),
	                     fingerprint_of("[domain mesh]\n[domain other]\n"));
}

static void noise_is_an_error_never_a_crash(void **state)
{
	unsigned seed = 3;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		char text[200] = "[domain mesh]\nservers = 127.0.0.1:53 [::1]:5\ntimeout = 5s\nsrv = {name} _a._b.{domain}\n";

		for (int i = rand_r(&seed) % 8; i >= 0; i--)
			text[(size_t)rand_r(&seed) % strlen(text)] = (char)(1 + rand_r(&seed) % 255);
		write_file("c", text);
		load_files();
		for (size_t i = 0; i < n_complaints; i++)
			assert_true(strlen(complaints[i]) > strlen(path_of("c")));
		sm_conf_free(conf);
		conf = NULL;
	}
}

static const struct sm_rule *rule_for(const char *name)
{
	return sm_rules_match(&conf->rules, name, strlen(name));
}

static void a_filter_is_inherited_and_replaced(void **state)
{
	(void)state;
	load("[resolver]\nfilter = Version=2, canary\nprefer = zone=a\n[domain mesh]\n[domain other]\nfilter =\n"
	     "[service db.mesh]\nfilter = role=main\n");
	assert_int_equal(rule_for("api.mesh")->filter.n, 2);
	assert_string_equal(rule_for("api.mesh")->filter.pairs[0].text, "version=2");
	assert_string_equal(rule_for("api.mesh")->filter.pairs[1].text, "canary=true");
	assert_int_equal(rule_for("api.mesh")->filter.pairs[1].key_length, 6);
	assert_int_equal(rule_for("api.other")->filter.n, 0);
	assert_int_equal(rule_for("db.mesh")->filter.n, 1);
	assert_string_equal(rule_for("db.mesh")->filter.pairs[0].text, "role=main");
	assert_string_equal(rule_for("db.mesh")->prefer.pairs[0].text, "zone=a");
}

/* The host's own word: where it is missing, nothing matches, and the names are ours all the same. */
static void the_value_of_a_pair_may_stand_in_a_file(void **state)
{
	char text[200], expected[300];

	(void)state;
	snprintf(text, sizeof(text), "[domain mesh]\nprefer = zone=@%s\n", path_of("zone"));
	write_file("c", text);
	load_files();
	snprintf(expected, sizeof(expected),
	         ":2: prefer: %s has no value; expected a file that everybody can read, with the value in its first line; "
	         "until then no target has this pair", path_of("zone"));
	assert_int_equal(n_complaints, 1);
	assert_int_equal(kinds[0], SM_COMPLAINT_WARNING);
	assert_complaint(0, "c", expected);
	assert_int_equal(rule_for("api.mesh")->prefer.n, 1);
	assert_false(rule_for("api.mesh")->prefer.pairs[0].is_known);
	write_file("zone", "  eu-west 1a \nnothing\n");
	assert_int_equal(sm_watch_look(&watch, sm_clock_now_ns()) == SM_WATCH_SAME, 0);
	load_again();
	assert_int_equal(n_complaints, 0);
	assert_true(rule_for("api.mesh")->prefer.pairs[0].is_known);
	assert_string_equal(rule_for("api.mesh")->prefer.pairs[0].text, "zone=eu-west 1a");
	chmod(path_of("zone"), 0640);
	load_again();
	assert_int_equal(n_complaints, 1);
	assert_non_null(strstr(complaints[0], "zone; expected mode 0644"));
}

static void the_files_of_values_are_few(void **state)
{
	char text[2000] = "[domain mesh]\nfilter =", path[40];

	(void)state;
	for (int i = 0; i < 9; i++) {
		snprintf(path, sizeof(path), "w%d", i);
		write_file(path, "x\n");
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " k%d=@%s", i, path_of(path));
	}
	strcat(text, "\n");
	write_file("c", text);
	load_files();
	assert_int_equal(n_complaints, 1);
	assert_non_null(strstr(complaints[0], "w8 is not read; expected at most 8 files of values in all sections"));
	assert_int_equal(rule_for("api.mesh")->filter.n, 9);
	assert_true(rule_for("api.mesh")->filter.pairs[7].is_known);
	assert_false(rule_for("api.mesh")->filter.pairs[8].is_known);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, clear)
/* The value and the line, or "default". */
static void shows(enum sm_section_kind kind, const char *name, const char *key, const char *value, uint32_t line)
{
	struct sm_name section = name_of(name[0] ? name : "x");
	struct sm_shown shown = sm_show_value(conf, kind, name[0] ? &section : NULL, sm_key_find(key, kind));

	assert_string_equal(shown.value, value);
	assert_int_equal(shown.line, line);
	assert_int_equal(shown.path == NULL, line == 0);
}

static void a_value_is_shown_with_its_place(void **state)
{
	(void)state;
	write_file("c", "[resolver]\ntimeout = 1s\nattempts = 5\n[domain mesh]\ntimeout = 2s\n[service db.mesh]\nattempts = 1\n"
	                "[cache]\nsize = 2M\n");
	load_files();
	shows(SM_SECTION_RESOLVER, "", "timeout", "1s", 2);
	shows(SM_SECTION_DOMAIN, "mesh", "timeout", "2s", 5);
	shows(SM_SECTION_DOMAIN, "mesh", "attempts", "5", 3);
	shows(SM_SECTION_SERVICE, "db.mesh", "timeout", "2s", 5);
	shows(SM_SECTION_SERVICE, "db.mesh", "attempts", "1", 7);
	shows(SM_SECTION_SERVICE, "db.mesh", "deadline", "3s", 0);
	shows(SM_SECTION_CACHE, "", "size", "2M", 9);
	shows(SM_SECTION_DAEMON, "", "max_jobs", "4096", 0);
}

static void the_last_file_counts_and_a_no_in_any(void **state)
{
	(void)state;
	write_file("c", "[domain mesh]\ntimeout = 2s\nenabled = no\n");
	dropin("1.conf", "[domain mesh]\ntimeout = 3s\nenabled = yes\n");
	load_files();
	shows(SM_SECTION_DOMAIN, "mesh", "timeout", "3s", 2);
	shows(SM_SECTION_DOMAIN, "mesh", "enabled", "no", 3);
}

static void what_is_left_out_is_not_shown(void **state)
{
	(void)state;
	write_file("c", "[domain mesh]\ntimeout = 2s\n");
	dropin("1.conf", "[domain mesh]\ntimeout = 3s\nbogus = 1\n");
	load_files();
	shows(SM_SECTION_DOMAIN, "mesh", "timeout", "2s", 2);
}

static const struct CMUnitTest tests[] = {
	TEST(without_a_file_there_are_no_names),
	TEST(a_domain_has_the_servers_of_the_host),
	TEST(dropins_alone_are_a_configuration),
	TEST(a_named_file_must_exist),
	TEST(the_most_specific_section_wins),
	TEST(a_service_may_stand_without_a_domain),
	TEST(dropins_override_the_file_in_name_order),
	TEST(a_file_with_an_error_is_left_out_and_the_others_hold),
	TEST(every_error_is_named),
	TEST(what_is_no_configuration_at_all_is_told_in_twenty_lines),
	TEST(a_section_of_a_file_with_an_error_is_ours_and_asks_nobody),
	TEST(servers_that_may_have_been_lost_are_not_replaced_by_those_of_the_host),
	TEST(a_process_keeps_what_it_had_of_a_file),
	TEST(a_file_that_cannot_be_read_leaves_the_others),
	TEST(a_switch_in_a_file_with_an_error_reaches_who_keeps_what_it_said),
	TEST(what_is_no_file_is_not_tried_again_all_the_time),
	TEST(a_dropin_that_leads_to_dev_null_says_nothing),
	TEST(what_others_cannot_read_is_a_warning),
	TEST(a_key_with_a_question_mark_may_be_unknown),
	TEST(a_no_in_any_file_switches_names_off),
	TEST(bounds_that_contradict_each_other_are_an_error),
	TEST(errors_name_file_line_key_and_what_was_expected),
	TEST(the_files_that_decided_are_watched),
	TEST(gai_conf_is_followed_and_watched),
	TEST(servers_for_what_is_elsewhere_can_wait),
	TEST(a_bad_file_is_watched_too),
	TEST(a_service_name_may_have_253_characters),
	TEST(what_a_domain_excepts_is_below_it),
	TEST(the_search_list_is_read_where_a_domain_is_searched),
	TEST(a_section_may_be_asked_by_tcp_alone),
	TEST(a_filter_is_inherited_and_replaced),
	TEST(the_value_of_a_pair_may_stand_in_a_file),
	TEST(the_files_of_values_are_few),
	TEST(the_fingerprint_is_of_what_shapes_answers),
	TEST(noise_is_an_error_never_a_crash),
	TEST(a_value_is_shown_with_its_place),
	TEST(the_last_file_counts_and_a_no_in_any),
	TEST(what_is_left_out_is_not_shown),
};

TESTS_MAIN(tests)
