/* SPDX-License-Identifier: MIT */
/*
 * The atomicio command: shared by its subcommands.
 *
 * Flow: main.c picks a subcommand from its table and runs it; each subcommand is one file; target.c
 * opens the user's paths, text.c and json.c put answers into words.
 *
 * Rules:
 * TT1 answers go to stdout; every error is one sentence on stderr through tool_error().
 * TT2 nothing is ever created visibly, truncated, or opened before its type is known.  Exception:
 *     the journal of `journal create`.
 * TT3 only the library's public headers are used.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdint.h>
#include <stdio.h>

#include <libatomicio/atomicio.h>

/* Exit statuses of every subcommand; larger codes tell scripts the kind of error. */
#define TOOL_YES 0     /* done, or: yes, untorn */
#define TOOL_NO 1      /* no, this file cannot: an answer, nothing was written */
#define TOOL_ERROR 2   /* wrong usage, or something failed */
#define TOOL_CORRUPT 3 /* the journal is damaged: an acknowledged write may be lost */
#define TOOL_BUSY 4    /* in use elsewhere: nothing was done */
#define TOOL_UNSAID 5  /* done, but the answer could not be written */

/* Room for a path in a message, quotes and escapes included; a longer one is cut. */
#define TEXT_PATH_SIZE 1024

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
extern const struct tool_command tool_crash;

/*
 * main.c: the command line of a subcommand.  tool_option() gives the options one by one, like
 * getopt_long(), and then -1.  Options and other words may come in any order, also with
 * POSIXLY_CORRECT, because the command itself suggests such lines.  The other words are in `words`
 * when -1 has come.
 */
struct option;
struct tool_arguments {
	int argc;
	char **argv;
	char **words;
	int count;
};
int tool_option(struct tool_arguments *arguments, const struct option *options);
int tool_help(const struct tool_command *command);
int tool_bad_option(const struct tool_command *command, int option, char **argv);

/* text.c: words.  tool_error() prints "atomicio: ...\n" on stderr and returns TOOL_ERROR. */
int tool_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Something happened that stays.  If the answer cannot be written, the sentence names the action
 * done, and the exit status is TOOL_UNSAID: "PATH: the page was written".
 */
void tool_done(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *tool_what_is_done(void);

/*
 * A path as a shell reads it: in quotes where necessary: a printed line can be typed.  Characters
 * that drive a terminal become \xNN.  text_word() has the escapes alone, for a word that stands in
 * quotes.
 */
const char *text_path(const char *path, char *buffer, size_t size);
const char *text_word(const char *word, char *buffer, size_t size);
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
