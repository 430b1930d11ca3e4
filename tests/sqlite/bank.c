/* SPDX-License-Identifier: MIT */
/*
 * Goal: every transaction that SQLite acknowledged through the VFS is there after a crash, whole.
 *
 * Method: 100 accounts of 1,000 each.  A transaction moves money between two accounts and writes
 * the number of the transfer into a row of its worker.  Now and then a transaction writes many rows
 * at once, and is spilled, or writes into a second, attached database.  `work` says TRY before a
 * transfer and ACK afterwards, for atomicio crash.  `check` is the next start: the sum is the same,
 * no index contradicts its table, and the lines allow each worker's number.
 *
 *	bank work|check|make|count EXTENSION VFS OPTIONS DIRECTORY [WORKER [SYNCHRONOUS [MODE]]]
 *
 * VFS "unix" is the control.  OPTIONS are letters: s for spills, a for a second database, v for
 * VACUUM and a change of auto_vacuum, r to close and open now and then, f to sync the file system
 * between transactions, which synchronous=OFF never does, - for none.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#define ACCOUNTS 100
#define MONEY 1000

static sqlite3 *connection;
static const char *extension, *vfs, *options, *directory, *synchronous = "FULL", *mode = "DELETE";
static int worker;
static uint64_t state;

static uint32_t draw(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

static bool has(char option)
{
	return strchr(options, option) != NULL;
}

static void fail(const char *what)
{
	fprintf(stderr, "bank: %s: %s (%d)\n", what, sqlite3_errmsg(connection),
		sqlite3_extended_errcode(connection));
	exit(2);
}

static void tell(void *context, int code, const char *text)
{
	(void)context;
	if (code != SQLITE_NOTICE && code != (SQLITE_NOTICE | (2 << 8)))
		fprintf(stderr, "bank: log: %d: %s\n", code, text);
}

static void run(const char *format, ...)
{
	va_list arguments;
	char *sql;

	va_start(arguments, format);
	sql = sqlite3_vmprintf(format, arguments);
	va_end(arguments);
	if (sqlite3_exec(connection, sql, NULL, NULL, NULL))
		fail(sql);
	sqlite3_free(sql);
}

static sqlite3_int64 ask(const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3_int64 value;

	if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) ||
	    sqlite3_step(statement) != SQLITE_ROW)
		fail(sql);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void load_extension(void)
{
	char *message = NULL;

	sqlite3_config(SQLITE_CONFIG_LOG, tell, NULL);
	sqlite3_open(":memory:", &connection);
	sqlite3_enable_load_extension(connection, 1);
	if (strcmp(vfs, "unix") != 0 &&
	    sqlite3_load_extension(connection, extension, NULL, &message)) {
		fprintf(stderr, "bank: %s\n", message);
		exit(2);
	}
	sqlite3_close(connection);
}

static void open_bank(void)
{
	char *name =
		sqlite3_mprintf("file:%s/bank.db?vfs=%s&atomicio_size=1048576", directory, vfs);

	if (sqlite3_open_v2(name, &connection,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL))
		fail("open");
	sqlite3_busy_timeout(connection, 60000);
	run("PRAGMA journal_mode=%s; PRAGMA synchronous=%s", mode, synchronous);
	if (has('a'))
		run("ATTACH 'file:%s/second.db?vfs=%s&atomicio_size=1048576' AS second", directory,
		    vfs);
	sqlite3_free(name);
}

static void make_bank(void)
{
	run("BEGIN; CREATE TABLE account(id INTEGER PRIMARY KEY, money INT);"
	    "CREATE TABLE progress(worker INTEGER PRIMARY KEY, number INT);"
	    "CREATE TABLE noise(id INTEGER PRIMARY KEY, number INT, text);"
	    "CREATE INDEX by_number ON noise(number);"
	    "CREATE INDEX by_money ON account(money)");
	for (int i = 0; i < ACCOUNTS; i++)
		run("INSERT INTO account VALUES(%d, %d)", i, MONEY);
	for (int i = 0; i < 10; i++)
		run("INSERT INTO progress VALUES(%d, 0)", i);
	run("COMMIT");
	if (has('a'))
		run("CREATE TABLE second.progress(worker INTEGER PRIMARY KEY, number INT);"
		    "INSERT INTO second.progress SELECT worker, 0 FROM main.progress");
}

static void transfer(sqlite3_int64 number)
{
	const uint32_t from = draw(ACCOUNTS), to = draw(ACCOUNTS), amount = draw(50);

	run("BEGIN IMMEDIATE; UPDATE account SET money = money - %u WHERE id = %u;"
	    "UPDATE account SET money = money + %u WHERE id = %u;"
	    "UPDATE progress SET number = %lld WHERE worker = %d;"
	    "REPLACE INTO noise VALUES(%u, %lld, hex(randomblob(%u)))",
	    amount, from, amount, to, number, worker, draw(500), number, draw(400));
	if (has('s') && draw(12) == 0) /* more than a quarter of a journal of 1 MiB */
		run("UPDATE noise SET number = %lld, text = hex(randomblob(900))", number);
	if (has('a') && draw(6) == 0)
		run("UPDATE second.progress SET number = %lld WHERE worker = %d", number, worker);
	if (draw(10) == 0)
		run("SAVEPOINT s; UPDATE account SET money = 0; ROLLBACK TO s; RELEASE s");
	run("COMMIT");
}

static void work(void)
{
	const int directory_fd = open(directory, O_RDONLY | O_DIRECTORY);
	char question[80];

	snprintf(question, sizeof(question), "SELECT number FROM progress WHERE worker = %d",
		 worker);
	if (directory_fd < 0)
		fail(directory);
	for (sqlite3_int64 number = ask(question) + 1;; number++) {
		printf("TRY %d %lld\n", worker, (long long)number);
		fflush(stdout);
		transfer(number);
		printf("ACK %d %lld\n", worker, (long long)number);
		fflush(stdout);
		if (has('v') && draw(40) == 0)
			run("PRAGMA auto_vacuum=%u; DELETE FROM noise WHERE id %% 3 = %u; VACUUM",
			    draw(2), draw(3));
		if (has('f') && draw(10) == 0)
			(void)syncfs(directory_fd);
		if (has('r') && draw(30) == 0) {
			sqlite3_close(connection);
			open_bank();
		}
	}
}

/*
 * Each worker's number against the lines on stdin: the last ACK, or a TRY after it; the first
 * number is 0.  Lines of atomicio crash, or a worker's whole output: the last ACK counts.
 */
static void check_numbers(void)
{
	char word[8], question[80];
	int key;
	long long number, least[10] = {0}, most[10] = {0};

	while (scanf("%7s %d %lld", word, &key, &number) == 3 && key >= 0 && key < 10) {
		if (strcmp(word, "ACK") == 0)
			least[key] = number;
		if (most[key] < number)
			most[key] = number;
	}
	for (key = 0; key < 10; key++) {
		snprintf(question, sizeof(question),
			 "SELECT number FROM progress WHERE worker = %d", key);
		number = ask(question);
		if (most[key] && (number < least[key] || number > most[key])) {
			printf("worker %d has number %lld; allowed: %lld to %lld\n", key, number,
			       least[key], most[key]);
			exit(1);
		}
	}
}

static void check(void)
{
	sqlite3_stmt *statement;

	if (ask("SELECT sum(money) FROM account") != ACCOUNTS * MONEY) {
		printf("the sum is %lld\n", (long long)ask("SELECT sum(money) FROM account"));
		exit(1);
	}
	if (sqlite3_prepare_v2(connection, "PRAGMA integrity_check", -1, &statement, NULL) ||
	    sqlite3_step(statement) != SQLITE_ROW)
		fail("integrity_check");
	if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0) {
		printf("integrity_check: %s\n", sqlite3_column_text(statement, 0));
		exit(1);
	}
	sqlite3_finalize(statement);
	if (has('a') &&
	    ask("SELECT count(*) FROM main.progress a JOIN second.progress b USING(worker) "
		"WHERE b.number > a.number")) {
		printf("the second database is ahead of the first\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc < 6)
		return 2;
	extension = argv[2];
	vfs = argv[3];
	options = argv[4];
	directory = argv[5];
	worker = argc > 6 ? atoi(argv[6]) : 0;
	synchronous = argc > 7 ? argv[7] : synchronous;
	mode = argc > 8 ? argv[8] : mode;
	state = (uint64_t)getpid() * 77777 + 1;
	load_extension();
	open_bank();
	if (strcmp(argv[1], "make") == 0) {
		make_bank();
	} else if (strcmp(argv[1], "work") == 0) {
		work();
	} else if (strcmp(argv[1], "check") == 0) {
		check();
		check_numbers();
	} else {
		printf("%lld\n", (long long)ask("SELECT sum(number) FROM progress"));
	}
	if (sqlite3_close(connection))
		fail("close");
	return 0;
}
