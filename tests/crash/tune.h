/* SPDX-License-Identifier: MIT */
/*
 * Constants of the library as the crash program wants them.
 *
 * Flow: included before everything else when the library is compiled for the crash program.
 */
#ifndef CRASH_TUNE_H
#define CRASH_TUNE_H

/*
 * How long the journal waits for writers on their way home.  With the library's own value short
 * writes never overlap the next frame; with 0 they always may.  The explorer takes both.
 */
extern unsigned int crash_home_soon;
#define JOURNAL_HOME_SOON crash_home_soon

/* Pieces of a page: one small file has covered and uncovered ranges. */
#define JOURNAL_CHUNK_SHIFT 12

/* The page that processes share lies right behind the journal. */
#define JOURNAL_SHARED_ALIGN UINT64_C(4096)

#endif /* CRASH_TUNE_H */
