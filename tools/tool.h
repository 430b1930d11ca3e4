/* SPDX-License-Identifier: MIT */
/*
 * The atomicio command: what its subcommands share.
 *
 * Flow: main.c picks a subcommand from its table and runs it; each subcommand is one file;
 * target.c opens what the user named, text.c and json.c put answers into words.
 *
 * Rules:
 * T1 answers go to stdout; every error is one sentence on stderr through tool_error().
 * T2 nothing is ever created in the user's sight, truncated, or opened before its type is known,
 *    but for the journal that `journal create` is asked for.
 * T3 only the library's public headers are used.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdint.h>
#include <stdio.h>

#include <libatomicio/atomicio.h>

/* Exit statuses of every subcommand. */
#define TOOL_YES 0   /* done, or: yes, untorn */
#define TOOL_NO 1    /* no, this file cannot: an answer, nothing was written */
#define TOOL_ERROR 2 /* wrong usage, or something failed */

struct tool_command {
	const char *name;
	const char *usage;   /* the arguments, after the name */
	const char *summary; /* one line */
	const char *details; /* what --help adds */
	int (*run)(const struct tool_command *command, int argc, char **argv);
};

extern const struct tool_command tool_probe;
extern const struct tool_command tool_doctor;
extern const struct tool_command tool_write;
extern const struct tool_command tool_bench;
extern const struct tool_command tool_journal;

/* main.c: options.  A subcommand's getopt_long() has no messages of its own (opterr is 0). */
int tool_help(const struct tool_command *command);
int tool_bad_option(const struct tool_command *command, int option, char **argv);

/* text.c: words.  tool_error() prints "atomicio: ...\n" on stderr and returns TOOL_ERROR. */
int tool_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *text_path(const char *path, char *buffer, size_t size);
const char *text_size(uint64_t size, char *buffer, size_t buffer_size);
const char *text_units(const struct atomicio_limits *limits, char *buffer, size_t size);
int text_parse_size(const char *text, uint64_t *size);
const char *text_errno(int error); /* text_errno.c: "ENOENT", NULL if unknown */
uint64_t text_blocking(const struct atomicio_caps *caps);

/* probe_json.c: one element of the array that `probe --json` prints. */
struct json;
struct target;
void probe_json(struct json *json, const char *path, const struct target *target,
		const struct atomicio_caps *caps, int error, const char *sentence);
void probe_json_reasons(struct json *json, const char *key, uint64_t reasons);

#endif /* TOOL_H */
