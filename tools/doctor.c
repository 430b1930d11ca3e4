/* SPDX-License-Identifier: MIT */
/*
 * atomicio doctor: can this file write untorn, what limits the size, and which command would help?
 *
 * Flow: open the path (target.c), ask the library, print the verdict and one paragraph for each
 * reason.  The exit status is the verdict, for scripts.
 */
#include <getopt.h>
#include <string.h>

#include "target.h"
#include "tool.h"
#include "volatile.h"

static void put_verdict(const char *path, const struct target *target,
			const struct atomicio_caps *caps)
{
	const struct atomicio_limits *direct = &caps->direct;
	const char *what = target->temporary ? " in a new file in it" : "";
	char units[80], size[32], safe[TEXT_PATH_SIZE];

	text_path(path, safe, sizeof(safe));
	text_units(direct, units, sizeof(units));
	text_size(direct->unit_max_hw, size, sizeof(size));
	switch (direct->mechanism) {
	case ATOMICIO_MECHANISM_NONE:
		printf("%s: no untorn writes%s: the device and the filesystem make none.\n", safe,
		       what);
		return;
	case ATOMICIO_MECHANISM_HARDWARE:
		printf("%s: untorn writes of %s%s, made by the device.\n", safe, units, what);
		break;
	case ATOMICIO_MECHANISM_MIXED:
		printf("%s: untorn writes of %s%s, made by the device up to %s and by the "
		       "filesystem (copy on write) above.\n",
		       safe, units, what, size);
		break;
	default:
		printf("%s: untorn writes of %s%s, made by the filesystem (copy on write).\n", safe,
		       units, what);
		break;
	}
	text_size(caps->memory_align, size, sizeof(size));
	printf("Open the file with O_DIRECT; the length of a write is a power of two, the offset a "
	       "multiple\n"
	       "of the length, and the memory aligned to %s.\n",
	       size);
}

static void put_reasons(const char *heading, uint64_t reasons)
{
	uint64_t reason;

	if (!reasons)
		return;
	printf("\n%s\n", heading);
	while ((reason = atomicio_reason_next(&reasons))) {
		const char *fix = atomicio_reason_fix(reason);

		printf("  %s: %s\n", atomicio_reason_name(reason), atomicio_reason_text(reason));
		printf("    to change it: %s\n", fix ? fix : "nothing that you can type");
	}
}

static int run(const struct tool_command *command, int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	char sentence[TARGET_SENTENCE_SIZE], safe[TEXT_PATH_SIZE];
	struct tool_arguments arguments = {.argc = argc, .argv = argv};
	struct atomicio_caps caps = {0};
	struct target target;
	const char *path, *memory;
	int option, error;

	while ((option = tool_option(&arguments, options)) >= 0) {
		if (option == 'h')
			return tool_help(command);
		return tool_bad_option(command, option, argv);
	}
	if (arguments.count != 1)
		return tool_error("doctor: exactly one path is needed: type atomicio doctor PATH");
	path = arguments.words[0];
	text_path(path, safe, sizeof(safe));
	if (target_open(path, TARGET_FOR_PROBE, &target, sentence, sizeof(sentence)))
		return tool_error("%s: %s", safe, sentence);
	error = atomicio_probe(target.fd, &caps, sizeof(caps));
	memory = volatile_why(target.fd);
	target_close(&target);
	if (error)
		return tool_error("%s: cannot be probed: %s: name a regular file or a block device",
				  safe, strerror(-error));

	put_verdict(path, &target, &caps);
	if (memory)
		printf("\nBeware: %s %s.\nA journal in it protects from killed programs alone.\n",
		       safe, memory);
	if (caps.direct.mechanism != ATOMICIO_MECHANISM_NONE) {
		put_reasons("What limits it:", caps.reasons);
		return TOOL_YES;
	}
	put_reasons("Why not:", text_blocking(&caps));
	put_reasons("Also true:", caps.reasons & ~text_blocking(&caps));
	return TOOL_NO;
}

const struct tool_command tool_doctor = {
	.name = "doctor",
	.usage = "PATH",
	.summary = "Say whether a file can write untorn, what limits it and what to type",
	.details =
		"For a directory, a new unnamed file in it is probed, and removed at the end.\n\n"
		"Exit status: 0 untorn by hardware or filesystem, 1 not, 2 an error.\n",
	.run = run,
};
