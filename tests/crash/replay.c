/* SPDX-License-Identifier: MIT */
/*
 * Print and read replay strings.  See replay.h.
 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void replay_print(char *out, size_t size, const struct setting *setting, const struct step *path,
		  uint32_t levels, char end)
{
	size_t at = (size_t)snprintf(out, size, "%s/v%u/f%u.%u.%u/s", setting->scenario->name,
				     setting->variant, setting->fault_call, setting->fault,
				     setting->fault_file);

	for (uint32_t i = 0; i < setting->schedule.count; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%u", i ? "." : "",
				       setting->schedule.at[i]);
	for (uint32_t i = 0; i < levels; i++) {
		at += (size_t)snprintf(out + at, size - at, "/%u%c", path[i].call, path[i].kind);
		for (uint32_t j = 0; j < path[i].count && at < size; j++)
			at += (size_t)snprintf(out + at, size - at, "%s%u", j ? "." : "",
					       path[i].fates[j]);
	}
	if (at < size)
		snprintf(out + at, size - at, "/%c", end);
}

/* Read one number and step over the separator. */
static uint32_t number(const char **at)
{
	char *end;
	const unsigned long value = strtoul(*at, &end, 10);

	*at = end;
	return (uint32_t)value;
}

static uint32_t numbers(const char **at, uint16_t *out, uint32_t most)
{
	uint32_t found = 0;

	while (found < most && **at >= '0' && **at <= '9') {
		out[found++] = (uint16_t)number(at);
		if (**at != '.')
			break;
		(*at)++;
	}
	return found;
}

bool replay_setting(const char **at, struct setting *setting)
{
	const size_t length = strcspn(*at, "/");
	uint16_t list[FIBER_SWITCHES];

	*setting = (struct setting){.scenario = NULL};
	for (uint32_t i = 0; scenarios[i]; i++)
		if (strlen(scenarios[i]->name) == length &&
		    strncmp(*at, scenarios[i]->name, length) == 0)
			setting->scenario = scenarios[i];
	*at += length;
	if (!setting->scenario || strncmp(*at, "/v", 2) != 0)
		return false;
	*at += 2;
	setting->variant = number(at);
	if (strncmp(*at, "/f", 2) != 0)
		return false;
	*at += 2;
	if (numbers(at, list, 3) != 3 || strncmp(*at, "/s", 2) != 0)
		return false;
	setting->fault_call = list[0];
	setting->fault = list[1];
	setting->fault_file = list[2];
	*at += 2;
	setting->schedule.count = numbers(at, list, FIBER_SWITCHES);
	for (uint32_t i = 0; i < setting->schedule.count; i++)
		setting->schedule.at[i] = list[i];
	return true;
}

void replay_step(const char **at, struct step *step)
{
	step->call = number(at);
	step->kind = **at;
	if (step->kind)
		(*at)++;
	step->count = numbers(at, step->fates, DISK_PENDING);
}
