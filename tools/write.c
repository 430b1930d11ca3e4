/* SPDX-License-Identifier: MIT */
/*
 * atomicio write: one untorn write from the standard input, or a sentence with the reason.
 *
 * Flow: parse, open (target.c), read stdin, atomicio_write(), print.  A policy of its own lets
 * the library decide and keeps the last failure for the sentence.
 *
 * Rules:
 * TW1 no fallback: the command writes untorn, or not at all.
 * TW2 a refusal (TOOL_NO) leaves the old bytes on disk; after TOOL_ERROR the sentence gives the
 *     state of the disk.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target.h"
#include "tool.h"

struct request {
	const char *path;
	uint64_t offset;
	uint64_t length; /* 0 until known */
	bool has_offset;
	uint32_t flags;
	char safe[TEXT_PATH_SIZE]; /* the path, for messages */
};

static uint32_t keep_failure(void *context, const struct atomicio_failure *failure)
{
	*(struct atomicio_failure *)context = *failure;
	return atomicio_policy_default(NULL, failure);
}

/* "text: fix; text: fix" of all reasons; a reason's text has no full stop of its own. */
static void join_reasons(uint64_t reasons, char *buffer, size_t size)
{
	size_t used = 0;
	uint64_t reason;

	buffer[0] = '\0';
	while (used < size && (reason = atomicio_reason_next(&reasons))) {
		const char *text = atomicio_reason_text(reason);
		const char *fix = atomicio_reason_fix(reason);
		size_t length = strlen(text);
		int added;

		if (length && text[length - 1] == '.')
			length--;
		added = snprintf(buffer + used, size - used, "%s%.*s%s%s", used ? "; " : "",
				 (int)length, text, fix ? ": " : "", fix ? fix : "");
		used += added > 0 ? (size_t)added : 0;
	}
}

/* The file can take no untorn write, or not this one: nothing was written. */
static int refuse(const struct request *request, const struct atomicio_caps *caps, uint64_t reasons)
{
	char why[1024], units[80], length[32];

	if (caps->direct.mechanism == ATOMICIO_MECHANISM_NONE) {
		join_reasons(text_blocking(caps), why, sizeof(why));
		tool_error("%s: not written: %s; type atomicio doctor %s for the details",
			   request->safe, why[0] ? why : "the file cannot write untorn",
			   request->safe);
		return TOOL_NO;
	}
	join_reasons(reasons, why, sizeof(why));
	tool_error("%s: not written: %s at offset %llu: %s; this file accepts a length that is a "
		   "power of two, %s, at a multiple of that length",
		   request->safe, text_size(request->length, length, sizeof(length)),
		   (unsigned long long)request->offset,
		   why[0] ? why : "no shape for an untorn write",
		   text_units(&caps->direct, units, sizeof(units)));
	return TOOL_NO;
}

/* atomicio_write() failed: say so, with what is on disk now. */
static int explain(const struct request *request, int error, const struct atomicio_failure *failure)
{
	const char *disk = "the old bytes are in place";
	const char *kind = atomicio_kind_name(failure->kind);
	char why[1024];

	if (failure->on_disk == ATOMICIO_DISK_OLD_OR_NEW)
		disk = "all old or all new bytes are in place: read them back to know";
	else if (failure->on_disk != ATOMICIO_DISK_OLD && failure->kind)
		disk = "the range may be torn: restore it";
	join_reasons(failure->reasons, why, sizeof(why));
	tool_error("%s: the write failed (%s): %s%s%s; %s", request->safe, kind ? kind : "refused",
		   strerror(-error), why[0] ? ": " : "", why, disk);
	return TOOL_ERROR;
}

/*
 * Read stdin into `buffer`, which has room for `room` bytes: `request->length` bytes if given, else
 * all bytes.  Returns TOOL_YES or what tool_error() does.
 */
static int read_data(struct request *request, char *buffer, size_t room)
{
	const size_t want = request->length ? (size_t)request->length : room;
	char extra, size[32];
	size_t have = 0;
	ssize_t count = 1;

	while (have < want && count > 0) {
		count = read(STDIN_FILENO, buffer + have, want - have);
		if (count < 0 && errno == EINTR)
			count = 1;
		else if (count > 0)
			have += (size_t)count;
	}
	if (count < 0)
		return tool_error("the standard input cannot be read: %s: redirect a file into it, "
				  "with < DATA",
				  strerror(errno));
	if (request->length && have < want)
		return tool_error("the standard input ended after %zu of %zu bytes: give more "
				  "bytes, or type --length %zu",
				  have, want, have);
	if (!have)
		return tool_error(
			"the standard input is empty: redirect data into it, with < DATA");
	if (!request->length && have == room) {
		do
			count = read(STDIN_FILENO, &extra, 1);
		while (count < 0 && errno == EINTR);
		if (count > 0)
			return tool_error("the standard input has more than %s, the most for one "
					  "untorn write here: type --length %s to write the first",
					  text_size(room, size, sizeof(size)), size);
	}
	request->length = have;
	return TOOL_YES;
}

static int write_through(struct request *request, struct atomicio_file *file,
			 const struct atomicio_failure *failure)
{
	struct atomicio_stats stats = {0};
	struct atomicio_caps caps;
	char size[32], *buffer;
	uint64_t reasons;
	size_t align = 4096;
	int error, status;

	error = atomicio_file_get_caps(file, &caps, sizeof(caps));
	if (error)
		return tool_error("%s: %s", request->safe, strerror(-error));
	if (caps.direct.mechanism == ATOMICIO_MECHANISM_NONE)
		return refuse(request, &caps, 0);
	if (caps.memory_align > align)
		align = caps.memory_align;
	buffer = aligned_alloc(align, caps.direct.unit_max > align ? caps.direct.unit_max : align);
	if (!buffer)
		return tool_error("no memory for a write of %u bytes: free some memory",
				  caps.direct.unit_max);

	/* A wrong shape is said before stdin is waited for. */
	reasons = request->length ? atomicio_check(file, buffer, request->length, request->offset)
				  : 0;
	status = reasons ? refuse(request, &caps, reasons)
			 : read_data(request, buffer, caps.direct.unit_max);
	if (status)
		goto out;
	reasons = atomicio_check(file, buffer, request->length, request->offset);
	if (reasons) {
		status = refuse(request, &caps, reasons);
		goto out;
	}
	error = atomicio_write(file, buffer, request->length, request->offset, request->flags);
	if (error) {
		status = explain(request, error, failure);
		goto out;
	}
	tool_done("%s: the page was written%s", request->safe,
		  request->flags & ATOMICIO_DSYNC ? ", durably" : "");
	atomicio_file_get_stats(file, &stats, sizeof(stats));
	printf("%s: wrote %s at %llu untorn, by the %s%s\n", request->safe,
	       text_size(request->length, size, sizeof(size)), (unsigned long long)request->offset,
	       stats.writes_hardware ? "device" : "filesystem",
	       request->flags & ATOMICIO_DSYNC ? ", durable" : "");
out:
	free(buffer);
	return status;
}

/* Fill *request.  Returns -1 to go on, or an exit status. */
static int parse(const struct tool_command *command, int argc, char **argv, struct request *request)
{
	static const struct option options[] = {{"offset", required_argument, NULL, 'o'},
						{"length", required_argument, NULL, 'l'},
						{"dsync", no_argument, NULL, 'd'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	static const char form[] = "type bytes, or a number with k, M or G, for example 16k";
	struct tool_arguments arguments = {.argc = argc, .argv = argv};
	char word[128];
	int option;

	while ((option = tool_option(&arguments, options)) >= 0) {
		if (option == 'h')
			return tool_help(command);
		if (option == 'd') {
			request->flags |= ATOMICIO_DSYNC;
		} else if (option == 'o') {
			request->has_offset = true;
			if (text_parse_size(optarg, &request->offset) ||
			    request->offset > INT64_MAX)
				return tool_error("write: --offset '%s' is no position: %s",
						  text_word(optarg, word, sizeof(word)), form);
		} else if (option == 'l') {
			if (text_parse_size(optarg, &request->length) || !request->length)
				return tool_error("write: --length '%s' is no length: %s",
						  text_word(optarg, word, sizeof(word)), form);
		} else {
			return tool_bad_option(command, option, argv);
		}
	}
	if (arguments.count != 1)
		return tool_error("write: exactly one path is needed: type atomicio write %s",
				  command->usage);
	if (!request->has_offset)
		return tool_error("write: the offset is missing: type --offset 0 for the start of "
				  "the file");
	request->path = arguments.words[0];
	text_path(request->path, request->safe, sizeof(request->safe));
	return -1;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
	struct atomicio_failure failure = {0};
	const struct atomicio_options options = {.policy = keep_failure,
						 .policy_context = &failure,
						 .fallback = ATOMICIO_FALLBACK_NONE,
						 .path = ATOMICIO_PATH_KERNEL};
	char sentence[TARGET_SENTENCE_SIZE];
	struct request request = {0};
	struct atomicio_file *file;
	struct target target;
	int status, error;

	status = parse(command, argc, argv, &request);
	if (status >= 0)
		return status;
	if (target_open(request.path, TARGET_FOR_WRITE, &target, sentence, sizeof(sentence)))
		return tool_error("%s: %s", request.safe, sentence);
	error = atomicio_open(target.fd, &options, sizeof(options), &file);
	if (error) {
		status = tool_error("%s: %s: type atomicio doctor %s to see why", request.safe,
				    strerror(-error), request.safe);
	} else {
		status = write_through(&request, file, &failure);
		atomicio_close(file);
	}
	target_close(&target);
	return status;
}

const struct tool_command tool_write = {
	.name = "write",
	.usage = "PATH --offset N [--dsync] [--length N] < DATA",
	.summary = "Write the standard input into a file in one untorn write, or say why not",
	.details =
		"The file must exist; it may grow, and is never truncated.  N is in bytes, or\n"
		"has a suffix k, M or G.\n\n"
		"  --offset N  where to write: a multiple of the length\n"
		"  --length N  bytes of the standard input to write; without --length: all bytes,\n"
		"              up to the file's largest unit\n"
		"  --dsync     return when the data is durable\n\n"
		"Exit status: 0 written, untorn; 1 not possible on this file, and nothing was\n"
		"written; 2 an error; 5 written, but the standard output failed.\n",
	.run = run,
};
