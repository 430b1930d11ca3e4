/* SPDX-License-Identifier: MIT */
/*
 * One-row commits and point reads, timed: bench.sh starts it.
 *
 *	bench EXTENSION VFS MODE DATABASE COMMITS [READS]
 *
 * Prints commits/s, reads/s, and the processor's microseconds a commit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/resource.h>

#include <sqlite3.h>

static sqlite3 *connection;

static void check(int code)
{
	if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
		return;
	fprintf(stderr, "bench: %s\n", sqlite3_errmsg(connection));
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double used(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void open_database(char **argv)
{
	char *sql = sqlite3_mprintf("PRAGMA journal_mode=%s; PRAGMA synchronous=FULL;"
				    "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v TEXT)",
				    argv[3]);
	char *message = NULL;

	check(sqlite3_open(":memory:", &connection));
	sqlite3_enable_load_extension(connection, 1);
	if (sqlite3_load_extension(connection, argv[1], NULL, &message)) {
		fprintf(stderr, "bench: %s\n", message);
		exit(1);
	}
	sqlite3_close(connection);
	check(sqlite3_open_v2(argv[4], &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
			      argv[2]));
	sqlite3_busy_timeout(connection, 60000);
	check(sqlite3_exec(connection, sql, NULL, NULL, NULL));
	sqlite3_free(sql);
}

/* Each execution is a transaction of its own. */
static double rate(const char *sql, int count)
{
	sqlite3_stmt *statement;
	const double start = now();

	check(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL));
	for (int i = 0; i < count; i++) {
		sqlite3_bind_int(statement, 1, i);
		check(sqlite3_step(statement));
		check(sqlite3_reset(statement));
	}
	check(sqlite3_finalize(statement));
	return count / (now() - start);
}

int main(int argc, char **argv)
{
	double commits, reads, start;

	if (argc < 6)
		return 2;
	open_database(argv);
	start = used();
	commits = rate("INSERT INTO t(v) VALUES('one hundred bytes are in this row, or nearly so, "
		       "since nobody has counted them ' || ?)",
		       atoi(argv[5]));
	start = used() - start;
	reads = rate("SELECT v FROM t WHERE k = ? + 1", argc > 6 ? atoi(argv[6]) : 20000);
	printf("%.0f %.0f %.1f\n", commits, reads, start / atoi(argv[5]));
	check(sqlite3_close(connection));
	return 0;
}
