/* SPDX-License-Identifier: MIT */
/*
 * The atomicio command: probe, doctor, write, bench, journal and crash from a shell.
 *
 * Flow: main() finds the subcommand in the table and runs it; a new one is a file and a row.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const struct tool_command *const commands[] = {
	&tool_probe, &tool_doctor, &tool_write, &tool_bench, &tool_journal, &tool_crash,
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

int tool_option(struct tool_arguments *arguments, const struct option *options)
{
	int option;

	if (!arguments->words)
		arguments->words = arguments->argv + 1;
	/*
	 * With "-" first, getopt_long() gives other words in order, as option 1.  Each is moved to
	 * where one was read before.
	 */
	while ((option = getopt_long(arguments->argc, arguments->argv, "-:h", options, NULL)) == 1)
		arguments->words[arguments->count++] = optarg;
	while (option < 0 && optind < arguments->argc)
		arguments->words[arguments->count++] = arguments->argv[optind++];
	return option;
}

int tool_help(const struct tool_command *command)
{
	printf("usage: atomicio %s %s\n%s.\n\n%s", command->name, command->usage, command->summary,
	       command->details);
	return TOOL_YES;
}

/* The sentence for an option that getopt_long() refused: `option` is its '?' or ':'. */
int tool_bad_option(const struct tool_command *command, int option, char **argv)
{
	char word[128];

	text_word(argv[optind - 1], word, sizeof(word));
	if (option == ':')
		return tool_error("%s %s: a value is missing: type atomicio %s %s", command->name,
				  word, command->name, command->usage);
	return tool_error(
		"%s: the option '%s' is unknown, or accepts no value: type atomicio %s %s",
		command->name, word, command->name, command->usage);
}

static int help_overall(void)
{
	puts("usage: atomicio COMMAND [ARGUMENT...]\n"
	     "Untorn writes: after a crash each page is wholly new or wholly old.\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
	puts("\n"
	     "Type atomicio COMMAND --help for one command, atomicio --version for the version,\n"
	     "man atomicio for the manual.");
	return TOOL_YES;
}

static int version(void)
{
	const uint32_t loaded = atomicio_version();

	printf("atomicio %d.%d.%d (library %u.%u.%u)\n", ATOMICIO_VERSION_MAJOR,
	       ATOMICIO_VERSION_MINOR, ATOMICIO_VERSION_PATCH, loaded / 10000, loaded / 100 % 100,
	       loaded % 100);
	return TOOL_YES;
}

static int dispatch(int argc, char **argv)
{
	char word[128];

	if (argc < 2)
		return tool_error("a command is missing: type atomicio probe PATH, or atomicio "
				  "--help for all commands");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help_overall();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return version();
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(argv[1], commands[i]->name))
			return commands[i]->run(commands[i], argc - 1, argv + 1);
	return tool_error("'%s' is no command: type atomicio --help for the list",
			  text_word(argv[1], word, sizeof(word)));
}

/*
 * A closed standard stream must not become the file that is opened next: its own bytes would be
 * read as the input, or the answer be written into it.  O_PATH gives EBADF for both.
 */
static int hold_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/", O_PATH) != fd)
			return -1;
	return 0;
}

/*
 * An answer that did not arrive was not given, for example on a full disk; but the action is done,
 * and a script that sees an error must not repeat it.
 */
static int finish(int status)
{
	const char *what = tool_what_is_done();
	const bool lost = ferror(stdout);

	if (!fflush(stdout) && !close(STDOUT_FILENO) && !lost)
		return status;
	if (!what) {
		tool_error("the answer could not be written to the standard output: %s: check the "
			   "pipe or the file behind it",
			   strerror(errno));
		return status > TOOL_NO ? status : TOOL_ERROR;
	}
	tool_error("%s; the standard output failed: %s", what, strerror(errno));
	return status > TOOL_NO ? status : TOOL_UNSAID;
}

int main(int argc, char **argv)
{
	opterr = 0;
	if (hold_standard_streams())
		return TOOL_ERROR;
	return finish(dispatch(argc, argv));
}
