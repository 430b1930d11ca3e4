/* SPDX-License-Identifier: MIT */
/*
 * Every word that scripts may compare with: the values of the JSON output, and their like in text.
 *
 * Flow: leaf of the subcommands.
 *
 * Rules:
 * WD1 a word is written here and nowhere else under tools/, except in ways_engine_name(), which
 *     benches need, too; and atomicio.1 explains each word.  tests/tool/words.sh compares the two.
 * WD2 words are added, never changed.
 */
#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum word_evidence { WORD_EVIDENCE_COUNT = 5 };
enum word_way { WORD_WAYS = 4 };
enum word_shape { WORD_SHAPES = 3 };

extern const char *const word_evidence[WORD_EVIDENCE_COUNT]; /* by ATOMICIO_EVIDENCE_*'s bit */
extern const char *const word_ways[WORD_WAYS];		     /* by enum ways_way */
extern const char *const word_shapes[WORD_SHAPES];	     /* by enum ways_shape */

const char *word_file_type(bool block_device);
const char *word_access(int open_flags);
const char *word_file_mode(bool direct);
const char *word_kernel_path(bool hardware);

enum word_note { WORD_NOTES = 8 };

extern const char *const word_notes[WORD_NOTES]; /* by ATOMICIO_JOURNAL_NOTE_*'s bit */

const char *word_journal_state(uint32_t state); /* ATOMICIO_JOURNAL_* */
enum word_difference { WORD_DIFFERENCES = 3 };

extern const char *const word_differences[WORD_DIFFERENCES]; /* by ATOMICIO_DIFFERS_*'s bit */

/* The file's bytes at the place of a frame's page. */
enum word_match { WORD_MATCH_UNKNOWN, WORD_MATCH_SAME, WORD_MATCH_OTHER };

const char *word_match(int match);
const char *word_header_condition(int condition); /* READER_HEADER_* */
const char *word_reader_state(int state);	  /* READER_STATE_* */
const char *word_frame_state(int state);	  /* READER_* of a frame */

#endif /* WORDS_H */
