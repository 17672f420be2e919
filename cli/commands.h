/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands, for the table in cli/table.c; each is in the file of its name. */
#pragma once

#include "cli/command.h"

#include <stdint.h>

extern const struct sm_command sm_command_lookup, sm_command_explain, sm_command_run, sm_command_compare, sm_command_who;
extern const struct sm_command sm_command_cache_list, sm_command_cache_show, sm_command_cache_flush;
extern const struct sm_command sm_command_servers, sm_command_health, sm_command_status, sm_command_metrics, sm_command_monitor;
extern const struct sm_command sm_command_log_level, sm_command_reload;
extern const struct sm_command sm_command_doctor, sm_command_check_config, sm_command_show_config;
extern const struct sm_command sm_command_disable, sm_command_enable, sm_command_shared_key, sm_command_help_of;
extern const struct sm_command sm_command_complete;

/* The families of the options --ipv4 and --ipv6; both or none: both. */
uint8_t sm_families_of(bool only_ipv4, bool only_ipv6);
