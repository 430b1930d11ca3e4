/* SPDX-License-Identifier: MIT */
/*
 * atomicio probe: the abilities of files, as a table for people, or JSON.
 *
 * Flow: open each path (target.c), ask the library, print (here, or probe_json.c).  A failing path
 * is reported, and does not stop the run.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "target.h"
#include "tool.h"

/* One path and its answer. */
struct answer {
	const char *path;
	struct target target; /* closed by the time of printing; its flags stay */
	struct atomicio_caps caps;
	int error;
	char sentence[TARGET_SENTENCE_SIZE];
};

enum { COLUMN_PATH, COLUMN_BY, COLUMN_UNITS, COLUMN_HARDWARE, COLUMN_DISK, COLUMN_FS, COLUMNS };

static void ask(struct answer *answer)
{
	char path[TEXT_PATH_SIZE];

	answer->error = target_open(answer->path, TARGET_FOR_PROBE, &answer->target,
				    answer->sentence, sizeof(answer->sentence));
	if (!answer->error) {
		answer->error =
			atomicio_probe(answer->target.fd, &answer->caps, sizeof(answer->caps));
		target_close(&answer->target);
		if (answer->error)
			snprintf(answer->sentence, sizeof(answer->sentence),
				 "cannot be probed: %s: name a regular file or a block device",
				 strerror(-answer->error));
	}
	if (answer->error)
		tool_error("%s: %s", text_path(answer->path, path, sizeof(path)), answer->sentence);
}

static const char *cell(const struct answer *answer, int column, char *buffer, size_t size)
{
	const struct atomicio_caps *caps = &answer->caps;
	const char *name;

	switch (column) {
	case COLUMN_PATH:
		return text_path(answer->path, buffer, size);
	case COLUMN_BY:
		name = atomicio_mechanism_name(caps->direct.mechanism);
		return name ? name : "?";
	case COLUMN_UNITS:
		return caps->direct.mechanism ? text_units(&caps->direct, buffer, size) : "-";
	case COLUMN_HARDWARE:
		return caps->direct.unit_max_hw ? text_size(caps->direct.unit_max_hw, buffer, size)
						: "-";
	case COLUMN_DISK:
		return caps->disk_name[0] ? caps->disk_name : "-";
	default:
		return caps->filesystem_type[0] ? caps->filesystem_type : "-";
	}
}

static void put_reason_names(uint64_t reasons)
{
	const char *separator = "";
	uint64_t reason;

	while ((reason = atomicio_reason_next(&reasons))) {
		printf("%s%s", separator, atomicio_reason_name(reason));
		separator = ",";
	}
	puts(*separator ? "" : "-");
}

static void put_table(const struct answer *answers, int count)
{
	static const char *const heads[COLUMNS] = {"PATH",	  "UNTORN-BY", "UNITS",
						   "HARDWARE-TO", "DISK",      "FILESYSTEM"};
	char buffer[TEXT_PATH_SIZE];
	int width[COLUMNS];
	uint64_t seen = 0, reason;

	for (int column = 0; column < COLUMNS; column++) {
		width[column] = (int)strlen(heads[column]);
		for (int i = 0; i < count; i++) {
			const char *text = cell(&answers[i], column, buffer, sizeof(buffer));

			if (!answers[i].error && (int)strlen(text) > width[column])
				width[column] = (int)strlen(text);
		}
	}
	for (int column = 0; column < COLUMNS; column++)
		printf("%-*s  ", width[column], heads[column]);
	puts("REASONS");
	for (int i = 0; i < count; i++) {
		if (answers[i].error)
			continue;
		for (int column = 0; column < COLUMNS; column++)
			printf("%-*s  ", width[column],
			       cell(&answers[i], column, buffer, sizeof(buffer)));
		put_reason_names(answers[i].caps.reasons);
		seen |= answers[i].caps.reasons;
	}
	if (seen)
		puts("");
	while ((reason = atomicio_reason_next(&seen)))
		printf("%s: %s\n", atomicio_reason_name(reason), atomicio_reason_text(reason));
}

static void put_json(const struct answer *answers, int count)
{
	struct json json = {.out = stdout};

	json_begin(&json, NULL, '[');
	for (int i = 0; i < count; i++)
		probe_json(&json, answers[i].path, &answers[i].target, &answers[i].caps,
			   answers[i].error, answers[i].sentence);
	json_end(&json, ']');
}

static int run(const struct tool_command *command, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct tool_arguments arguments = {.argc = argc, .argv = argv};
	struct answer *answers;
	bool as_json = false;
	int option, count, failed = 0;

	while ((option = tool_option(&arguments, options)) >= 0) {
		if (option == 'h')
			return tool_help(command);
		if (option != 'j')
			return tool_bad_option(command, option, argv);
		as_json = true;
	}
	count = arguments.count;
	if (count < 1)
		return tool_error("probe: a path is missing: type atomicio probe PATH, for example "
				  "atomicio probe .");
	answers = calloc((size_t)count, sizeof(*answers));
	if (!answers)
		return tool_error("probe: no memory for %d paths: name fewer", count);
	for (int i = 0; i < count; i++) {
		answers[i].path = arguments.words[i];
		ask(&answers[i]);
		failed += answers[i].error ? 1 : 0;
	}
	if (as_json)
		put_json(answers, count);
	else if (failed < count)
		put_table(answers, count);
	free(answers);
	return failed ? TOOL_ERROR : TOOL_YES;
}

const struct tool_command tool_probe = {
	.name = "probe",
	.usage = "[--json] PATH...",
	.summary = "Say what files, devices or directories can write untorn, and why not more",
	.details = "For a directory, a new unnamed file in it is probed, and removed at the end.\n"
		   "Nothing is written, and no privilege is needed.\n\n"
		   "  --json  print an array with one object per path, with the evidence\n\n"
		   "Exit status: 0, or 2 if a path could not be probed.\n",
	.run = run,
};
