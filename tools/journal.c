/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal: make a journal, look at a journal, and recover.
 *
 * Flow: run() reads the command line and picks an action from the table; see journal.h.
 */
#include "journal.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

struct action {
	const char *name;
	bool takes_files, makes; /* ID=FILE arguments; the options of create */
	int (*run)(const struct journal_request *request);
};

static const struct action actions[] = {
	{"info", false, false, action_info},	{"check", false, false, action_check},
	{"dump", false, false, action_dump},	{"recover", true, false, action_recover},
	{"create", false, true, action_create},
};
#define ACTION_COUNT (sizeof(actions) / sizeof(actions[0]))

/* Decimal, or hexadecimal after 0x; not zero.  0, or -1. */
static int parse_id(const char *text, size_t length, uint64_t *id)
{
	const bool hex = length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const uint64_t base = hex ? 16 : 10;

	*id = 0;
	for (size_t i = hex ? 2 : 0; i < length; i++) {
		const char c = text[i];
		uint64_t digit = base;

		if (c >= '0' && c <= '9')
			digit = (uint64_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (uint64_t)((c | 0x20) - 'a') + 10;
		if (digit >= base || *id > (UINT64_MAX - digit) / base)
			return -1;
		*id = *id * base + digit;
	}
	return length && *id ? 0 : -1;
}

/* One ID=FILE, or the id of a file that is gone. */
static int add_file(struct journal_request *request, const char *text, bool gone)
{
	const char *equals = gone ? text + strlen(text) : strchr(text, '=');
	struct journal_file_name *file = &request->files[request->file_count];
	char word[128];

	text_word(text, word, sizeof(word));
	if (!equals || (!gone && !equals[1]) ||
	    parse_id(text, (size_t)(equals - text), &file->file_id))
		return tool_error("journal: '%s' is no %s: an id is a number from 1, decimal or "
				  "with 0x, for example %s",
				  word, gone ? "id" : "ID=FILE", gone ? "--gone 7" : "7=data");
	for (unsigned i = 0; i < request->file_count; i++)
		if (request->files[i].file_id == file->file_id)
			return tool_error(
				"journal: the id of '%s' is given twice: type each id once", word);
	file->path = gone ? NULL : equals + 1;
	request->file_count++;
	return TOOL_YES;
}

/* --force-identity ID */
static int add_forced(struct journal_request *request, const char *text)
{
	char word[128];

	if (parse_id(text, strlen(text), &request->forced[request->forced_count]))
		return tool_error("journal: '%s' is no id: type the number of an ID=FILE argument, "
				  "for example --force-identity 7",
				  text_word(text, word, sizeof(word)));
	request->forced_count++;
	return TOOL_YES;
}

/* --keep ID@OFFSET */
static int add_keep(struct journal_request *request, const char *text)
{
	struct journal_keep *keep = &request->keeps[request->keep_count];
	const char *at = strchr(text, '@');
	char word[128];

	if (!at || parse_id(text, (size_t)(at - text), &keep->file_id) ||
	    text_parse_size(at + 1, &keep->offset))
		return tool_error("journal: '%s' is no page: type the id of a file and an offset "
				  "in that file, for example --keep 7@16k",
				  text_word(text, word, sizeof(word)));
	request->keep_count++;
	return TOOL_YES;
}

static int parse_size(const char *name, uint64_t limit, uint64_t *size)
{
	char word[128];

	if (text_parse_size(optarg, size) || !*size || *size > limit)
		return tool_error("journal: %s '%s' is no size: type bytes, or a number with k, M "
				  "or G, for example 64M",
				  name, text_word(optarg, word, sizeof(word)));
	return TOOL_YES;
}

/* Returns -1 to go on, or an exit status. */
static int parse_options(const struct tool_command *command, struct tool_arguments *arguments,
			 struct journal_request *request, unsigned *for_create,
			 unsigned *for_recover)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
						{"gone", required_argument, NULL, 'g'},
						{"force-identity", required_argument, NULL, 'i'},
						{"keep", required_argument, NULL, 'k'},
						{"unreadable", no_argument, NULL, 'u'},
						{"list", no_argument, NULL, 'l'},
						{"size", required_argument, NULL, 's'},
						{"frame-max", required_argument, NULL, 'f'},
						{"overwrite", no_argument, NULL, 'o'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option, status = TOOL_YES;
	uint64_t frame_max = 0;

	while ((option = tool_option(arguments, options)) >= 0) {
		*for_create += option == 's' || option == 'f' || option == 'o';
		*for_recover += option == 'i' || option == 'k' || option == 'u' || option == 'l';
		if (option == 'h')
			return tool_help(command);
		if (option == 'j')
			request->json = true;
		else if (option == 'g')
			status = add_file(request, optarg, true);
		else if (option == 'i')
			status = add_forced(request, optarg);
		else if (option == 'k')
			status = add_keep(request, optarg);
		else if (option == 'u')
			request->unreadable = true;
		else if (option == 'l')
			request->list = true;
		else if (option == 's')
			status = parse_size("--size", UINT64_MAX, &request->create.size);
		else if (option == 'f')
			status = parse_size("--frame-max", UINT32_MAX, &frame_max);
		else if (option == 'o')
			request->create.flags |= ATOMICIO_JOURNAL_OVERWRITE;
		else
			return tool_bad_option(command, option, arguments->argv);
		if (status)
			return status;
	}
	request->create.frame_max = (uint32_t)frame_max;
	return -1;
}

/* The arguments after the options: ACTION PATH [ID=FILE...]. */
static int parse_words(const struct tool_command *command, const struct tool_arguments *arguments,
		       unsigned for_create, unsigned for_recover, struct journal_request *request,
		       const struct action **action)
{
	char **words = arguments->words;
	char word[128];

	if (!arguments->count)
		return tool_error("journal: a subcommand is missing: type atomicio journal %s",
				  command->usage);
	for (size_t i = 0; i < ACTION_COUNT; i++)
		if (!strcmp(words[0], actions[i].name))
			*action = &actions[i];
	if (!*action)
		return tool_error("journal: '%s' is no subcommand: type atomicio journal %s",
				  text_word(words[0], word, sizeof(word)), command->usage);
	if (arguments->count < 2)
		return tool_error("journal %s: a path is missing: type atomicio journal %s PATH",
				  (*action)->name, (*action)->name);
	if ((!(*action)->takes_files &&
	     (request->file_count || for_recover || arguments->count > 2)) ||
	    (!(*action)->makes && for_create))
		return tool_error("journal %s: an option or argument does not fit this subcommand: "
				  "type atomicio journal %s",
				  (*action)->name, command->usage);
	request->path = words[1];
	text_path(request->path, request->safe, sizeof(request->safe));
	for (int i = 2; i < arguments->count; i++) {
		const int status = add_file(request, words[i], false);

		if (status)
			return status;
	}
	return -1;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
	struct tool_arguments arguments = {.argc = argc, .argv = argv};
	const struct action *action = NULL;
	struct journal_request request = {0};
	unsigned for_create = 0, for_recover = 0;
	int status;

	request.files = calloc((size_t)argc, sizeof(*request.files));
	request.forced = calloc((size_t)argc, sizeof(*request.forced));
	request.keeps = calloc((size_t)argc, sizeof(*request.keeps));
	if (request.files && request.forced && request.keeps)
		status = parse_options(command, &arguments, &request, &for_create, &for_recover);
	else
		status = tool_error("journal: no memory for %d arguments: give fewer", argc);
	if (status < 0)
		status = parse_words(command, &arguments, for_create, for_recover, &request,
				     &action);
	if (status < 0 && action)
		status = action->run(&request);
	free(request.files);
	free(request.forced);
	free(request.keeps);
	return status;
}

const struct tool_command tool_journal = {
	.name = "journal",
	.usage = "create|info|check|dump|recover [OPTION...] PATH [ID=FILE...]",
	.summary = "Make a double-write journal, inspect one, or recover files from one",
	.details =
		"  create PATH [--size N] [--frame-max N] [--overwrite]\n"
		"              lay out a journal in a new or empty file; --overwrite: in any file\n"
		"  info PATH   size, limits, and the place of the live frames\n"
		"  check PATH  say whether recovery is needed\n"
		"  dump PATH   headers, frames and entries; only reads, takes no lock\n"
		"  recover PATH ID=FILE... [--gone ID]...\n"
		"              write the pages of live frames to their files; name the file\n"
		"              of each id, or drop the pages of a deleted file with --gone\n"
		"      --list               only show each page, and whether the file has it\n"
		"      --keep ID@OFFSET     keep this page of the file, not the journal's\n"
		"      --force-identity ID  write into the named file, whatever its identity\n"
		"      --unreadable         give up the parts that the disk cannot read\n\n"
		"  --json      the answer as JSON\n\n"
		"Exit status: 0 done, or nothing to recover; 1 from check: live frames, recover;\n"
		"2 an error; 3 the journal is damaged; 4 the journal is in use; 5 done, but\n"
		"the standard output failed.\n",
	.run = run,
};
