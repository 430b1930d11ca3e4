/* SPDX-License-Identifier: MIT */
/*
 * libatomicio: a journal that several processes use in turns.
 *
 * A journal that is opened with ATOMICIO_JOURNAL_OPEN_SHARED may be open in several processes.
 * They take turns: a process writes, through the journal and past it, only between
 * atomicio_journal_turn_begin() and atomicio_journal_turn_end().  What keeps readers and writers
 * apart is the caller's own lock, as SQLite's EXCLUSIVE; the library has a lock of its own besides,
 * so that two turns never meet.
 *
 *	open	each process opens the journal and its files, at any time.
 *	read	take your lock for readers, then ask atomicio_journal_is_hot().  0: every page of
 *		the files is whole, and as the last turn left it.  1: somebody died in a turn, or
 *		failed: take your lock for writers, begin a turn, recover.
 *	write	take your lock for writers; turn_begin; if that gives 1, recover;
 *		atomicio_write(), atomicio_write_batch(); turn_end; give your lock back.
 *	close	close the files, then the journal.  Nothing is checkpointed: the frames stay live
 *		for the others.  Who is alone, and wants to leave a clean journal, makes a turn
 *		with atomicio_journal_checkpoint() before.
 *
 * A process may be killed at any instruction.  A mapped page, which lies behind the journal in its
 * file, says that a turn is under way; so the next process sees that one was never ended.  The page
 * is never believed when nobody else lives: after a reboot, after a copy, or when all processes are
 * gone, the first to open makes it anew from the journal itself.
 *
 * Frames of others: a checkpoint retires all live frames, so it needs all files that they name.
 * Those that were attached here after the frames were written are first written home again, because
 * only a descriptor that was open in time is told of a page that the kernel lost.  A file that is
 * not attached here stops the checkpoint with -EBUSY, and a write that needs the room with
 * -ENOSPC and the reason JOURNAL_FULL: attach that file, or call atomicio_journal_recover() in the
 * turn, which finishes every file.
 *
 * What fails in a turn (a frame, a file) leaves the journal hot.  The next turn, of this process or
 * of another, recovers; a file's handles that failed are to be closed and opened again.  As long
 * as a recovery could not finish every file, no file takes writes.
 *
 * Rules for the caller:
 *
 * 1. The journal's file is opened and closed by nobody else in the process while it is open here:
 *    any close of a file drops the process's POSIX record locks on it, and one of these says that
 *    the process lives.  (The library takes it again at the next turn, and reads the
 *    ring if somebody made a turn who did not see this process.)
 * 2. Nobody truncates, replaces or deletes the journal's file while a process has it open.
 * 3. A process has a journal open once: share the handle between threads.
 * 4. After fork(2) the child's handles are dead.  It may close them, which only frees them; best
 *    is exec.  While a child that was forked in a turn lives, and its parent does not, its copy of
 *    the turn's lock keeps the others out: -EOWNERDEAD for who is the only one, -EBUSY, or a wait
 *    for its end, while two or more others live.
 */
#ifndef LIBATOMICIO_TURNS_H
#define LIBATOMICIO_TURNS_H

#include <stdint.h>

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of atomicio_journal_turn_begin(). */
#define ATOMICIO_TURN_WAIT 0x1u /* wait for the end of another process's turn */

/*
 * Begin a turn, of the whole process: all its threads may write in it.  What others did since is
 * taken over; who has had no company since the last turn pays four cheap system calls.  After a
 * turn that was never ended headers and ring are read again.
 *
 * Returns 0: the journal takes writes.
 * 1: recover first, with atomicio_journal_recover() in this turn.  Files may stay attached.  Writes
 * give -EUCLEAN until then.
 * -EBUSY: another process is in its turn.
 * -EOWNERDEAD: no process lives that could be, but a child that one forked has the lock, and for a
 * second had it: end it.
 * -ESTALE: the journal's file was deleted, cut or created anew.
 * -EALREADY: this process is in a turn.
 * -EPERM: this is a child after fork.
 * -EINTR: a signal came while it waited.
 * -EINVAL: the journal is not shared, or a flag is unknown.
 * -EDEADLK: called from a callback of this journal.
 * -ENOMEM: no memory for reading the ring; or an error of reading or writing the journal.
 * (atomicio_journal_open() gives -ENOMEM also if RLIMIT_MEMLOCK does not leave 4 KiB for the page.)
 */
int atomicio_journal_turn_begin(struct atomicio_journal *journal, uint32_t flags);

/*
 * End the turn, when no home write, sync or header of this process is in flight any more, and say
 * in the page how far the journal is.  Nothing is checkpointed.
 *
 * Returns 0; -EINVAL: no turn is under way; -EPERM: this is a child after fork; -EDEADLK; or the
 * error of writing the page: the turn has ended, and the journal is hot.
 */
int atomicio_journal_turn_end(struct atomicio_journal *journal);

/*
 * Would a reader have to recover first?  No system call, no lock: the mapped page is read.  Ask
 * when you have your readers' lock, so that no living process is in a turn.  In a turn of this
 * process: does it have to recover?
 *
 * Returns 0, 1, or -EINVAL: the journal is not shared.
 */
int atomicio_journal_is_hot(const struct atomicio_journal *journal);

/*
 * Has no other living process this journal open?  For who wants to leave it clean.
 *
 * Returns 1, 0, -EINVAL, or an error of fcntl(2).
 */
int atomicio_journal_is_alone(const struct atomicio_journal *journal);

/*
 * A word of the caller's in the shared page, 0 when the first process opens the journal: a change
 * counter, for example.  It is not on the disk.  Reading it makes no system call; read it when you
 * hold your lock.  0 as well if the journal is not shared.
 */
uint64_t atomicio_journal_get_word(const struct atomicio_journal *journal);

/*
 * Write it, in a turn; others see it at once.
 *
 * Returns 0; -EBUSY: no turn is under way; -EINVAL; or an error of pwrite(2).
 */
int atomicio_journal_set_word(struct atomicio_journal *journal, uint64_t word);

#ifdef __cplusplus
}
#endif

#endif /* LIBATOMICIO_TURNS_H */
