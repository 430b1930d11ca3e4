/* SPDX-License-Identifier: MIT */
/*
 * Goal: a child that closes an inherited connection leaves the parent's locks, the parent's
 * transaction and the guard alone, and may open the database anew.
 *
 * Method: fork(2) outside a transaction and in a transaction; the child closes.  Then the parent's
 * lock, the guard and the rows are checked, and the parent goes on.
 *
 *	forked EXTENSION DATABASE
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

static sqlite3 *connection;
static const char *database;
static int failures;

static void report(int is_good, const char *name)
{
	printf("%s - %s\n", is_good ? "ok" : "not ok", name);
	failures += !is_good;
}

static sqlite3 *open_database(void)
{
	sqlite3 *opened;

	if (sqlite3_open_v2(database, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
			    "atomicio")) {
		fprintf(stderr, "forked: %s\n", sqlite3_errmsg(opened));
		exit(2);
	}
	return opened;
}

static int run(sqlite3 *with, const char *sql)
{
	const int code = sqlite3_exec(with, sql, NULL, NULL, NULL);

	if (code)
		fprintf(stderr, "# %s: %s\n", sql, sqlite3_errmsg(with));
	return code;
}

static int get(void *context, int count, char **values, char **names)
{
	(void)count;
	(void)names;
	snprintf(context, 100, "%s", values[0] ? values[0] : "");
	return 0;
}

static int has(const char *rows)
{
	char found[100] = "";

	if (sqlite3_exec(connection, "SELECT group_concat(a) FROM t", get, found, NULL))
		fprintf(stderr, "# %s\n", sqlite3_errmsg(connection));
	if (strcmp(found, rows) != 0)
		fprintf(stderr, "# found %s, not %s\n", found, rows);
	return strcmp(found, rows) == 0;
}

static int is_guarded(void)
{
	const int fd = open(database, O_RDONLY);
	char bytes[20] = "";
	const ssize_t count = pread(fd, bytes, sizeof(bytes), 0);

	/* Not closed: a close would drop this process's locks. */
	return count == sizeof(bytes) && bytes[19] == (char)0x81;
}

/* The status of a child that runs the function. */
static int in_child(int (*work)(void))
{
	const pid_t child = fork();
	int status;

	if (child == 0)
		_exit(work());
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int close_inherited(void)
{
	return sqlite3_close(connection);
}

/* Has the parent SQLite's RESERVED lock (os.h)? */
static int ask_for_lock(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = 0x40000001, .l_len = 1};
	const int fd = open(database, O_RDWR);

	return fcntl(fd, F_GETLK, &lock) || lock.l_type != F_WRLCK || lock.l_pid != getppid();
}

static int write_anew(void)
{
	sqlite3 *own = open_database();
	const int code = run(own, "INSERT INTO t VALUES(2)");

	return sqlite3_close(own) ? 99 : code;
}

static int close_and_write(void)
{
	const int code = close_inherited();

	return code ? code : write_anew();
}

int main(int argc, char **argv)
{
	char *message = NULL;

	if (argc != 3)
		return 2;
	database = argv[2];
	sqlite3_open(":memory:", &connection);
	sqlite3_enable_load_extension(connection, 1);
	if (sqlite3_load_extension(connection, argv[1], NULL, &message))
		return fprintf(stderr, "forked: %s\n", message), 2;
	sqlite3_close(connection);
	connection = open_database();
	if (run(connection, "CREATE TABLE t(a); INSERT INTO t VALUES(1)"))
		return 2;

	report(in_child(close_inherited) == 0 && is_guarded() && has("1"),
	       "a_child_that_closes_leaves_the_guard_and_the_journal");
	report(in_child(write_anew) == 0 && has("1,2"), "a_child_opens_it_anew_and_commits");
	report(in_child(close_and_write) == 0 && has("1,2,2"), "also_after_it_closed_what_it_had");
	report(!run(connection, "INSERT INTO t VALUES(3)") && has("1,2,2,3"),
	       "and_the_parent_goes_on");

	run(connection, "BEGIN IMMEDIATE; INSERT INTO t VALUES(4)");
	report(in_child(close_inherited) == 0, "a_child_closes_in_a_transaction");
	report(in_child(ask_for_lock) == 0, "the_parent_keeps_its_lock");
	report(!run(connection, "COMMIT") && has("1,2,2,3,4"), "the_parent_commits_it");
	report(is_guarded(), "and_the_guard_is_still_on");
	report(sqlite3_close(connection) == 0 && !is_guarded(), "its_close_takes_the_guard_off");
	return failures != 0;
}
