/* SPDX-License-Identifier: MIT */
/*
 * libatomicio: a journal that several processes use in turns.
 *
 * A journal opened with ATOMICIO_JOURNAL_OPEN_SHARED may be open in several processes.  The
 * processes take turns: a process writes, through the journal and past it, only between
 * atomicio_journal_turn_begin() and atomicio_journal_turn_end().  Readers and writers are kept
 * apart by the caller's own lock, like SQLite's EXCLUSIVE.  The library has a second lock, and
 * two turns never meet.
 *
 *	open	each process opens the journal and its files, at any time.
 *	read	take your lock for readers, then ask atomicio_journal_is_hot().  0: every page of
 *		the files is whole, and as the last turn left it.  1: a process died in a turn, or
 *		failed.  Take your lock for writers, begin a turn, recover.
 *	write	take your lock for writers, then begin a turn.  Recover if turn_begin gives 1.
 *		Write with atomicio_write() or atomicio_write_batch().  End the turn, give your
 *		lock back.
 *	close	close the files, then the journal.  Nothing is checkpointed: the frames stay live
 *		for the other processes.  To leave a clean journal, a process that is alone makes
 *		one more turn with atomicio_journal_checkpoint() before.
 *
 * A process may be killed at any instruction.  A page of the journal's file, mapped by all
 * processes, says that a turn is under way: the next process sees a turn that was never ended.  The
 * page is believed only while another process lives.  After a reboot, after a copy, or when all
 * processes are gone, the first process to open makes the page anew from the journal.
 *
 * Frames of other processes: a checkpoint retires all live frames, and therefore needs all files
 * with live frames.  A file attached here after its frames were written is first written home
 * again, because only a descriptor that was open in time receives the report of a lost page.  A
 * file that is not attached here stops the checkpoint with -EBUSY, and a write that needs the room
 * with -ENOSPC and the reason JOURNAL_FULL.  Attach the file, or call atomicio_journal_recover() in
 * the turn, which finishes every file.
 *
 * A failure in a turn (of a frame, of a file) leaves the journal hot.  The next turn, of any
 * process, recovers.  Close the handles of a failed file (atomicio_close() gives -ENOTRECOVERABLE,
 * in a turn or not) and open them again.  No file accepts writes until a recovery has finished
 * every file.
 *
 * Rules for the caller:
 *
 * 1. Nothing else in the process opens and closes the journal's file while the journal is open
 *    here.  Any close of a file drops the process's POSIX record locks on the file, and one of
 *    these locks says that the process lives.  (The library takes the lock again at the next turn.
 *    Where another process made a turn in between and did not see this process, the library reads
 *    the log area again.)
 * 2. Nobody truncates, replaces or deletes the journal's file while a process has it open.  A read
 *    of the page of a truncated file is a SIGBUS.
 * 3. A process has a journal open once: share the handle between threads.  A turn belongs to the
 *    process: any thread may begin or end it.  A thread that waits for a turn blocks no other one.
 * 4. After fork(2) the child's handles are dead.  The child may close them, which only frees
 *    memory; best is exec.  A child forked in a turn has a copy of the turn's lock.  If the parent
 *    dies and the child lives, the copy keeps all other processes out, with -EOWNERDEAD, until the
 *    child ends or calls exec.
 * 5. A file_id names the same file in all processes.  While frames of the id are live,
 *    atomicio_open() of another file with this id gives -EEXIST.  A process that had another file
 *    open before (a backup was put in the place of the file) learns it at the beginning of its next
 *    turn: its handle has failed.  Where the filesystem gives no inode numbers, nothing is noticed.
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
 * Begin a turn of the whole process: all its threads may write in the turn.  The work of other
 * processes since the last turn is taken over.  The call costs three locks, a stat and a write of
 * four bytes to the page cache.  After a turn that was never ended headers and log area are read
 * again.
 *
 * Returns 0: the journal accepts writes.  Returns 1: recover first, with atomicio_journal_recover()
 * in this turn; files may stay attached, and writes give -EUCLEAN until the recovery.  Errors:
 *	-EBUSY		another process is in its turn; not with ATOMICIO_TURN_WAIT
 *	-EOWNERDEAD	the owner of the turn is dead, but a child that it forked has held the lock
 *			for a second: end the child.  Or the owner broke rule 1 in its turn
 *	-ESTALE		the journal's file was deleted, cut or created anew
 *	-EALREADY	this process is in a turn
 *	-EPERM		this process is a child after fork
 *	-EINTR		a signal came during the wait: call again
 *	-EINVAL		the journal is not shared; an unknown flag
 *	-EDEADLK	called from a callback of this journal
 *	-ENOMEM		no memory for reading the log area
 *	-EFBIG		RLIMIT_FSIZE leaves no room for the page behind the journal
 *	others		from reading or writing the journal
 *
 * After an error no turn is under way.  (atomicio_journal_open() also gives -ENOMEM, if
 * RLIMIT_MEMLOCK leaves no 4 KiB for the page, and -EOWNERDEAD as above.)
 */
int atomicio_journal_turn_begin(struct atomicio_journal *journal, uint32_t flags);

/*
 * End the turn.  The call waits until no home write, sync or header of this process is in flight,
 * then writes the position of the journal into the page.  Nothing is checkpointed.
 *
 * Returns 0 or:
 *	-EINVAL		no turn is under way
 *	-EPERM		this process is a child after fork
 *	-EDEADLK	called from a callback of this journal
 *	others		from writing the page: the turn has ended, and the journal is hot
 */
int atomicio_journal_turn_end(struct atomicio_journal *journal);

/*
 * Is a recovery due before anybody may read the files?  The mapped page has the answer: no system
 * call, no lock.  Ask while you hold your readers' lock, when no living process is in a turn.  In a
 * turn of this process the answer says whether this turn has to recover.
 *
 * Returns 0: no; 1: yes; -EINVAL: the journal is not shared.
 */
int atomicio_journal_is_hot(const struct atomicio_journal *journal);

/*
 * Is this process the only living process that has the journal open?  The last process to close may
 * want to leave a clean journal.
 *
 * Returns 1: alone; 0: not alone; -EINVAL: the journal is not shared; or an error of fcntl(2).
 */
int atomicio_journal_is_alone(const struct atomicio_journal *journal);

/*
 * Read the caller's word in the shared page, for example a change counter.  The word is 0 when the
 * first process opens the journal, and is not on the disk.  No system call.  Read the word while
 * you hold your lock.  Returns 0 also if the journal is not shared.
 */
uint64_t atomicio_journal_get_word(const struct atomicio_journal *journal);

/*
 * Write the caller's word, in a turn.  Other processes see the new word at once.
 *
 * Returns 0 or:
 *	-EBUSY		no turn is under way
 *	-EINVAL		the journal is not shared
 *	others		from pwrite(2)
 */
int atomicio_journal_set_word(struct atomicio_journal *journal, uint64_t word);

#ifdef __cplusplus
}
#endif

#endif /* LIBATOMICIO_TURNS_H */
