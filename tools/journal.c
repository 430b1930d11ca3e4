/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal: make a journal, look at it, and recover from it.
 *
 * Flow: run() reads the command line and picks an action from the table; see journal.h.
 */
#include "journal.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "tool.h"
#include "words.h"

void journal_id_text(const uint8_t id[16], char text[33])
{
	for (size_t i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
}

/* The sentence for an error of atomicio_journal_open(), or of reading a journal. */
int journal_open_error(const struct journal_request *request, int error)
{
	const char *path = request->safe;

	switch (error) {
	case -EBUSY:
		tool_error("%s: the journal is in use by another process: stop it first, or type "
			   "atomicio journal dump %s, which only reads",
			   path, path);
		return TOOL_BUSY;
	case -ENODATA:
		return tool_error("%s: no journal is in this file: type atomicio journal create "
				  "PATH to make one",
				  path);
	case -EPROTONOSUPPORT:
		return tool_error("%s: the journal has a format version that this program does not "
				  "know: use the release of libatomicio that made it",
				  path);
	case -EBADMSG:
		tool_error("%s: both headers of the journal are damaged: restore its files from a "
			   "copy, then type atomicio journal create --overwrite %s",
			   path, path);
		return TOOL_CORRUPT;
	case -ERANGE:
		tool_error("%s: the file is shorter than its journal: restore the whole of it",
			   path);
		return TOOL_CORRUPT;
	case -EBADF:
		return tool_error("%s: it cannot be opened for reading and writing: check its "
				  "permissions with ls -l",
				  path);
	default:
		return tool_error("%s: the journal cannot be read: %s: check the disk with dmesg",
				  path, strerror(-error));
	}
}

int journal_open_named(const struct journal_request *request, struct journal_opened *opened)
{
	char sentence[TARGET_SENTENCE_SIZE];
	int error;

	error = target_open(request->path, TARGET_FOR_WRITE, &opened->target, sentence,
			    sizeof(sentence));
	if (error == -ENOENT)
		return tool_error("%s: %s: check the path with ls -l, or type atomicio journal "
				  "create %s",
				  request->safe, strerror(ENOENT), request->safe);
	if (error)
		return tool_error("%s: %s", request->safe, sentence);
	error = atomicio_journal_open(opened->target.fd, NULL, 0, &opened->journal);
	if (!error) {
		error = atomicio_journal_get_info(opened->journal, &opened->info,
						  sizeof(opened->info));
		if (error)
			atomicio_journal_close(opened->journal);
	}
	if (!error)
		return TOOL_YES;
	target_close(&opened->target);
	return journal_open_error(request, error);
}

void journal_close_named(struct journal_opened *opened)
{
	atomicio_journal_close(opened->journal);
	target_close(&opened->target);
}

void journal_put_json(const struct journal_request *request,
		      const struct atomicio_journal_info *info)
{
	struct json json = {.out = stdout};
	char id[33];

	journal_id_text(info->id, id);
	json_begin(&json, NULL, '{');
	json_string(&json, "path", request->path);
	json_string(&json, "state", word_journal_state(info->state));
	json_unsigned(&json, "version", info->version);
	json_string(&json, "id", id);
	json_unsigned(&json, "size", info->size);
	json_unsigned(&json, "block_size", info->block_size);
	json_unsigned(&json, "frame_max", info->frame_max);
	json_unsigned(&json, "tail_offset", info->tail_offset);
	json_unsigned(&json, "tail_sequence", info->tail_sequence);
	json_unsigned(&json, "head_offset", info->head_offset);
	json_unsigned(&json, "head_sequence", info->head_sequence);
	json_unsigned(&json, "live_frames", info->live_frames);
	json_unsigned(&json, "live_bytes", info->live_bytes);
	if (info->state == ATOMICIO_JOURNAL_CORRUPT)
		json_unsigned(&json, "corrupt_offset", info->corrupt_offset);
	else
		json_null(&json, "corrupt_offset");
	json_end(&json, '}');
}

static void put_info(const struct journal_request *request,
		     const struct atomicio_journal_info *info)
{
	char id[33], size[32], frame_max[32];

	journal_id_text(info->id, id);
	text_size(info->size, size, sizeof(size));
	text_size(info->frame_max, frame_max, sizeof(frame_max));
	printf("%s: a journal of %s, frames of up to %s, format version %u\n", request->safe, size,
	       frame_max, info->version);
	printf("  id     %s\n  state  %s\n", id, word_journal_state(info->state));
	printf("  tail   frame %llu at %llu\n  head   frame %llu at %llu\n",
	       (unsigned long long)info->tail_sequence, (unsigned long long)info->tail_offset,
	       (unsigned long long)info->head_sequence, (unsigned long long)info->head_offset);
	printf("  live   %llu frames, %llu bytes\n", (unsigned long long)info->live_frames,
	       (unsigned long long)info->live_bytes);
}

static int action_info(const struct journal_request *request)
{
	struct journal_opened opened;
	const int status = journal_open_named(request, &opened);

	if (status)
		return status;
	if (request->json)
		journal_put_json(request, &opened.info);
	else
		put_info(request, &opened.info);
	journal_close_named(&opened);
	return TOOL_YES;
}

static int action_check(const struct journal_request *request)
{
	struct journal_opened opened;
	const int status = journal_open_named(request, &opened);
	const struct atomicio_journal_info *info = &opened.info;

	if (status)
		return status;
	journal_close_named(&opened);
	if (request->json)
		journal_put_json(request, info);
	if (info->state == ATOMICIO_JOURNAL_CORRUPT) {
		tool_error("%s: corrupt: frame %llu, which should be at %llu, is damaged, and a "
			   "later one is whole: type atomicio journal dump %s to see which files "
			   "are named, and restore these",
			   request->safe, (unsigned long long)info->head_sequence,
			   (unsigned long long)info->corrupt_offset, request->safe);
		return TOOL_CORRUPT;
	}
	if (request->json)
		return info->live_frames ? TOOL_NO : TOOL_YES;
	if (!info->live_frames) {
		printf("%s: ready: nothing to recover\n", request->safe);
		return TOOL_YES;
	}
	printf("%s: unclean: %llu live frames: type atomicio journal recover %s ID=FILE...\n",
	       request->safe, (unsigned long long)info->live_frames, request->safe);
	return TOOL_NO;
}

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
			return tool_error("journal: the id of '%s' is given twice: type each once",
					  word);
	file->path = gone ? NULL : equals + 1;
	request->file_count++;
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
			 struct journal_request *request, unsigned *for_create)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
						{"gone", required_argument, NULL, 'g'},
						{"size", required_argument, NULL, 's'},
						{"frame-max", required_argument, NULL, 'f'},
						{"overwrite", no_argument, NULL, 'o'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option, status = TOOL_YES;
	uint64_t frame_max = 0;

	while ((option = tool_option(arguments, options)) >= 0) {
		*for_create += option == 's' || option == 'f' || option == 'o';
		if (option == 'h')
			return tool_help(command);
		if (option == 'j')
			request->json = true;
		else if (option == 'g')
			status = add_file(request, optarg, true);
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
		       unsigned for_create, struct journal_request *request,
		       const struct action **action)
{
	char **words = arguments->words;
	char word[128];

	if (!arguments->count)
		return tool_error("journal: what to do is missing: type atomicio journal %s",
				  command->usage);
	for (size_t i = 0; i < ACTION_COUNT; i++)
		if (!strcmp(words[0], actions[i].name))
			*action = &actions[i];
	if (!*action)
		return tool_error("journal: '%s' is nothing that it does: type atomicio journal %s",
				  text_word(words[0], word, sizeof(word)), command->usage);
	if (arguments->count < 2)
		return tool_error("journal %s: a path is missing: type atomicio journal %s PATH",
				  (*action)->name, (*action)->name);
	if ((!(*action)->takes_files && (request->file_count || arguments->count > 2)) ||
	    (!(*action)->makes && for_create))
		return tool_error("journal %s: an option or argument is not for it: type atomicio "
				  "journal %s",
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
	unsigned for_create = 0;
	int status;

	request.files = calloc((size_t)argc, sizeof(*request.files));
	if (!request.files)
		return tool_error("journal: no memory for %d arguments: give fewer", argc);
	status = parse_options(command, &arguments, &request, &for_create);
	if (status < 0)
		status = parse_words(command, &arguments, for_create, &request, &action);
	if (status < 0 && action)
		status = action->run(&request);
	free(request.files);
	return status;
}

const struct tool_command tool_journal = {
	.name = "journal",
	.usage = "create|info|check|dump|recover [OPTION...] PATH [ID=FILE...]",
	.summary = "Make a double-write journal, look at it, or recover files from it",
	.details =
		"  create PATH [--size N] [--frame-max N] [--overwrite]\n"
		"              lay out a journal in a new or empty file, or over what is there\n"
		"  info PATH   what it is, and where its live frames are\n"
		"  check PATH  is there anything to recover?\n"
		"  dump PATH   its headers, frames and entries; reads only, takes no lock\n"
		"  recover PATH ID=FILE... [--gone ID]...\n"
		"              write every live frame home; name the file of each id, or say that\n"
		"              it is gone and its pages are to be dropped\n\n"
		"  --json      the answer as JSON\n\n"
		"Exit status: 0 done, or nothing to recover; 1 from check: live frames, recover; "
		"2 an\nerror; 3 the journal is damaged; 4 it is in use; 5 done, but the standard "
		"output failed.\n",
	.run = run,
};
