/* SPDX-License-Identifier: MIT */
/*
 * Goal: a database behaves through the VFS "atomicio" as through SQLite's own.
 *
 * Method: the same random statements, on two databases at once, one with each VFS: inserts, updates
 * and deletes of rows from a few bytes to many pages, transactions and savepoints that are
 * committed or rolled back, several connections, ATTACH, VACUUM, every journal_mode, page sizes,
 * auto_vacuum, locking_mode, mmap_size, small caches.  Each statement must give the same code and
 * rows, and now and then, and after each reopen, both databases must have the same content, be
 * whole, and, when closed, be readable by an SQLite without the VFS.
 *
 *	random EXTENSION DIRECTORY SEED STEPS
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#define SIDES 2
#define CONNECTIONS 2

static const char *const vfs_names[SIDES] = {"unix", "atomicio"};
static sqlite3 *connections[SIDES][CONNECTIONS];
static const char *directory;
static uint64_t state;
static unsigned long step, statements, refused;
static int depth; /* of savepoints */

static uint32_t draw(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

static void fail(const char *what, const char *sql)
{
	printf("not ok - seed step %lu: %s: %s\n", step, what, sql);
	exit(1);
}

/* All rows of a statement as one text; the code is the result. */
static int run(sqlite3 *connection, const char *sql, char **rows)
{
	sqlite3_str *text = sqlite3_str_new(NULL);
	const char *rest = sql;
	int code = SQLITE_OK;

	while (*rest && !code) {
		sqlite3_stmt *statement = NULL;

		code = sqlite3_prepare_v2(connection, rest, -1, &statement, &rest);
		if (code || !statement)
			break;
		while ((code = sqlite3_step(statement)) == SQLITE_ROW)
			for (int i = 0; i < sqlite3_column_count(statement); i++)
				sqlite3_str_appendf(text, "%s|", sqlite3_column_text(statement, i));
		code = sqlite3_finalize(statement);
	}
	*rows = sqlite3_str_finish(text);
	return code;
}

/* On both sides; "\1" in it is the side's own file name. */
static int both(int connection, const char *format, ...)
{
	char *rows[SIDES], *sql;
	int codes[SIDES];
	va_list arguments;

	va_start(arguments, format);
	sql = sqlite3_vmprintf(format, arguments);
	va_end(arguments);
	for (int side = 0; side < SIDES; side++)
		codes[side] = run(connections[side][connection], sql, &rows[side]);
	statements++;
	refused += codes[0] != SQLITE_OK;
	if (codes[0] != codes[1]) {
		printf("# codes %d and %d (%s)\n", codes[0], codes[1],
		       sqlite3_errmsg(connections[1][connection]));
		fail("another code", sql);
	}
	if (strcmp(rows[0] ? rows[0] : "", rows[1] ? rows[1] : "") != 0) {
		printf("# %.300s\n# %.300s\n", rows[0], rows[1]);
		fail("other rows", sql);
	}
	for (int side = 0; side < SIDES; side++)
		sqlite3_free(rows[side]);
	sqlite3_free(sql);
	return codes[0];
}

static void open_all(void)
{
	static const char *const vacuums[] = {"NONE", "FULL", "INCREMENTAL"};
	const uint32_t page_size = 512u << draw(8), vacuum = draw(3), mapped = draw(2) * (1 << 20);
	const uint32_t cache = draw(2) ? 10 : 200;

	for (int side = 0; side < SIDES; side++)
		for (int i = 0; i < CONNECTIONS; i++) {
			char *name = sqlite3_mprintf("file:%s/%s.db?vfs=%s&atomicio_size=4194304",
						     directory, vfs_names[side], vfs_names[side]);

			if (sqlite3_open_v2(name, &connections[side][i],
					    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
						    SQLITE_OPEN_URI,
					    NULL))
				fail("open", name);
			sqlite3_free(name);
		}
	for (int i = 0; i < CONNECTIONS; i++) {
		both(i,
		     "PRAGMA page_size=%u; PRAGMA auto_vacuum=%s; PRAGMA cache_size=%u;"
		     "PRAGMA synchronous=%s; PRAGMA mmap_size=%u",
		     page_size, vacuums[vacuum], cache, draw(4) ? "FULL" : "OFF", mapped);
	}
	both(0, "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v BLOB, n INT);"
		"CREATE INDEX IF NOT EXISTS i ON t(n)");
}

static void compare_content(void)
{
	if (both(0, "SELECT count(*), sum(length(v)), sum(n), max(k) FROM t") == SQLITE_OK)
		both(0, "SELECT k, n, hex(substr(v, 1, 8)) FROM t ORDER BY n, k");
	if (!both(0, "PRAGMA integrity_check"))
		both(0, "PRAGMA page_count; PRAGMA freelist_count");
}

/* No VFS of ours, and no journal either: the closed file is any SQLite's. */
static void compare_closed(void)
{
	sqlite3 *plain;
	char *rows, *name = sqlite3_mprintf("%s/%s.db", directory, vfs_names[1]);

	if (sqlite3_open_v2(name, &plain, SQLITE_OPEN_READWRITE, "unix"))
		fail("open of the closed file", name);
	if (run(plain, "PRAGMA integrity_check", &rows) || strcmp(rows, "ok|") != 0)
		fail("closed file", rows ? rows : sqlite3_errmsg(plain));
	sqlite3_free(rows);
	if (run(plain, "UPDATE t SET n = n + 0 WHERE k = 1", &rows))
		fail("closed file", sqlite3_errmsg(plain));
	sqlite3_free(rows);
	sqlite3_free(name);
	sqlite3_close(plain);
}

static void close_all(void)
{
	for (int side = 0; side < SIDES; side++)
		for (int i = 0; i < CONNECTIONS; i++)
			if (sqlite3_close(connections[side][i]))
				fail("close", sqlite3_errmsg(connections[side][i]));
	depth = 0;
	compare_closed();
}

static void change_mode(int connection)
{
	static const char *const modes[] = {"DELETE", "TRUNCATE", "PERSIST", "MEMORY",
					    "WAL",    "DELETE",	  "TRUNCATE"};

	if (!draw(3))
		both(connection, "PRAGMA locking_mode=%s", draw(3) ? "NORMAL" : "EXCLUSIVE");
	both(connection, "PRAGMA journal_mode=%s", modes[draw(7)]);
	both(connection, "SELECT count(*) FROM t");
}

static void attach(int connection)
{
	const uint32_t key = draw(300), value = draw(1000);

	for (int side = 0; side < SIDES; side++) {
		char *rows, *sql = sqlite3_mprintf("ATTACH 'file:%s/%s-2.db?vfs=%s' AS two",
						   directory, vfs_names[side], vfs_names[side]);

		(void)run(connections[side][connection], sql, &rows);
		sqlite3_free(rows);
		sqlite3_free(sql);
	}
	both(connection, "CREATE TABLE IF NOT EXISTS two.u(k INTEGER PRIMARY KEY, n INT)");
	both(connection,
	     "BEGIN; REPLACE INTO t(k,v,n) VALUES(%u,zeroblob(%u),%u);"
	     "REPLACE INTO two.u VALUES(%u,%u); %s",
	     key, value, value, key, value, draw(3) ? "COMMIT" : "ROLLBACK");
	both(connection, "SELECT * FROM two.u ORDER BY k");
	both(connection, "PRAGMA two.integrity_check");
	both(connection, "DETACH two");
}

static void transact(int connection)
{
	switch (draw(6)) {
	case 0:
		both(connection, "BEGIN %s", draw(2) ? "IMMEDIATE" : "");
		break;
	case 1:
		both(connection, "COMMIT");
		depth = 0;
		break;
	case 2:
		both(connection, "ROLLBACK");
		depth = 0;
		break;
	case 3:
		both(connection, "SAVEPOINT s%d", depth++);
		break;
	case 4:
		both(connection, "ROLLBACK TO s%u", draw((uint32_t)depth + 1));
		break;
	default:
		both(connection, "RELEASE s%u", draw((uint32_t)depth + 1));
	}
}

static void change(int connection)
{
	const uint32_t key = draw(400), length = draw(20) ? draw(300) : draw(60000);

	switch (draw(10)) {
	case 0:
		both(connection, "DELETE FROM t WHERE k BETWEEN %u AND %u", key, key + draw(60));
		break;
	case 1:
		both(connection, "UPDATE t SET n = n + 1, v = zeroblob(%u) WHERE k %% 7 = %u",
		     length / 8, draw(7));
		break;
	case 2: /* larger than the cache, now and then than a group */
		both(connection,
		     "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<%u)"
		     "REPLACE INTO t SELECT %u + i, zeroblob(%u), i FROM c",
		     draw(8) ? 40 : 900, key, draw(3000));
		break;
	case 3:
		both(connection, "SELECT count(*), sum(n) FROM t WHERE k > %u", key);
		break;
	default:
		both(connection, "REPLACE INTO t VALUES(%u, zeroblob(%u), %u)", key, length,
		     draw(1000));
	}
}

static void one(void)
{
	const int connection = draw(5) == 0;

	switch (draw(60)) {
	case 0:
		both(connection, "VACUUM");
		break;
	case 1:
		both(connection, "PRAGMA page_size=%u; VACUUM", 512u << draw(8));
		break;
	case 2:
		both(connection, "PRAGMA incremental_vacuum(%u)", draw(20));
		break;
	case 3:
	case 4:
		change_mode(connection);
		break;
	case 5:
		attach(connection);
		break;
	case 6:
		compare_content();
		break;
	case 7:
		if (draw(3))
			break;
		close_all();
		open_all();
		compare_content();
		break;
	case 8:
	case 9:
	case 10:
	case 11:
	case 12:
	case 13:
		transact(connection);
		break;
	default:
		change(connection);
	}
}

int main(int argc, char **argv)
{
	sqlite3 *loader;
	char *message = NULL;

	if (argc != 5)
		return 2;
	directory = argv[2];
	state = strtoull(argv[3], NULL, 10) * 2654435761u + 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sqlite3_open(":memory:", &loader);
	sqlite3_enable_load_extension(loader, 1);
	if (sqlite3_load_extension(loader, argv[1], NULL, &message)) {
		printf("not ok - %s\n", message);
		return 1;
	}
	sqlite3_close(loader);
	open_all();
	for (step = 0; step < strtoul(argv[4], NULL, 10); step++)
		one();
	both(0, "ROLLBACK");
	both(1, "ROLLBACK");
	compare_content();
	close_all();
	printf("# %lu statements on each side, %lu refused by both\n", statements, refused);
	return 0;
}
