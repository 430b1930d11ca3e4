#!/bin/bash
# SPDX-License-Identifier: MIT
# Build libatomicio and show its main job on real files: probe them, write untorn pages, see a
# write refused, let a policy decide, and kill a writer whose journal then makes its file whole.
#
# Flow: prepare, build, then one act after the other; the list is at the end of this file.
# As root it makes an XFS with reflink on a loop device, whose copy on write makes untorn
# writes since Linux 6.16; else it does what the current directory allows and says what it left out.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=$source_dir/build/demo
current_dir=$PWD
tool=$build_dir/tools/atomicio
scratch=
stage= # the directory that the acts write in, "" where none can write untorn
left_out=()
done_so_far=()

bold='' plain=''
if [ -t 1 ]; then
	bold=$'\e[1m' plain=$'\e[0m'
fi

title() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
fail() { printf 'demo: FAILED: %s\n' "$*" >&2; exit 1; }
show() { # a command, its paths shortened, and $from after it
	local words=("${@/#"$build_dir"\/*\//}")
	printf '$ %s%s\n' "${words[*]}" "${from:-}"
	"$@" 2>&1
}

remove_scratch() {
	local dir=$1
	if mountpoint -q "$dir/xfs" 2>/dev/null; then
		umount "$dir/xfs" || umount --lazy "$dir/xfs" # the loop device goes with it
	fi
	rm -rf "$dir"
}

# Runs that died (by SIGKILL, say) left a mount behind: its directory holds their process id.
remove_dead_runs() {
	local old
	for old in "${TMPDIR:-/tmp}"/atomicio-demo.*; do
		if [ -O "$old" ] && [ ! -L "$old" ] && [ -f "$old/pid" ] &&
			! kill -0 "$(cat "$old/pid")" 2>/dev/null; then
			remove_scratch "$old"
		fi
	done
}

cleanup() {
	local status=$?
	trap - EXIT
	cd /
	[ -z "$scratch" ] || remove_scratch "$scratch"
	[ -z "${stage_file:-}" ] || rm -f "$stage_file"
	[ -z "${journal_dir:-}" ] || rm -rf "$journal_dir"
	exit "$status"
}

prepare() {
	local missing=() entry
	for entry in cc:gcc make:make cmake:cmake pkg-config:pkg-config; do
		command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
	done
	for entry in blkid:libblkid-dev liburing:liburing-dev; do
		pkg-config --exists "${entry%%:*}" 2>/dev/null || missing+=("${entry##*:}")
	done
	if [ "$(id -u)" -eq 0 ]; then
		command -v mkfs.xfs >/dev/null || missing+=(xfsprogs)
	fi
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null || fail "missing: ${missing[*]} (Debian's names): install them"
	[ "$(id -u)" -eq 0 ] || fail "type: sudo apt-get install libc6-dev ${missing[*]}"
	title "Install ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update >/dev/null
	apt-get -q -y install libc6-dev "${missing[@]}" >"$scratch/apt.log" 2>&1 ||
		{ tail -n 20 "$scratch/apt.log"; fail "apt-get could not install ${missing[*]}"; }
}

build() {
	title "Build into $build_dir"
	{ cmake -S "$source_dir" -B "$build_dir" -DATOMICIO_BUILD_TESTS=OFF &&
		cmake --build "$build_dir" -j 2; } >"$scratch/build.log" 2>&1 ||
		{ tail -n 40 "$scratch/build.log"; fail "the build: see above"; }
	show "$tool" --version
}

# One number of the direct limits of a path.
limit() { "$tool" probe --json "$1" | sed -n "/\"direct\"/,/}/s/.*\"$2\": \([0-9]*\).*/\1/p"; }

can_write_untorn() { "$tool" doctor "$1" >/dev/null 2>&1; }

make_xfs() {
	truncate -s 400M "$scratch/xfs.img"
	mkdir "$scratch/xfs"
	mkfs.xfs -q -m reflink=1 "$scratch/xfs.img" 2>"$scratch/log" &&
		mount -o loop "$scratch/xfs.img" "$scratch/xfs" 2>"$scratch/log"
}

act_probe() {
	title "Probe: what can files here do, and why not more?"
	local paths=("$current_dir")
	if [ "$(id -u)" -ne 0 ]; then
		left_out+=("XFS on a loop device (needs root)")
	elif make_xfs; then
		paths+=("$scratch/xfs")
	else
		left_out+=("XFS on a loop device ($(head -n 1 "$scratch/log"))")
	fi
	show "$tool" probe "${paths[@]}" || true
	for stage in "${paths[1]:-}" "$current_dir" ""; do
		[ -z "$stage" ] || ! can_write_untorn "$stage" || break
	done
	printf '\n'
	show "$tool" doctor "${paths[-1]}" || true
	if [ -z "$stage" ]; then
		left_out+=("untorn writes, refusals and policies (no file here can: see above)")
		return
	fi
	stage_file=$(mktemp "$stage/demo-file.XXXXXX")
	unit_min=$(limit "$stage_file" unit_min)
	unit_max=$(limit "$stage_file" unit_max)
	truncate -s $((2 * unit_max)) "$stage_file"
	cd "$stage" # short names from here on
}

act_every_size() {
	title "Write: one untorn page of every size from $unit_min to $unit_max bytes, durably"
	local size count=0
	for ((size = unit_min; size <= unit_max; size *= 2)); do
		head -c "$size" /dev/urandom >"$scratch/page"
		from=' < page' show "$tool" write "$(basename "$stage_file")" --offset "$size" --dsync \
			<"$scratch/page"
		cmp -n "$size" -i 0:"$size" "$scratch/page" "$stage_file" ||
			fail "what was written at $size is not what is read back"
		count=$((count + 1))
	done
	done_so_far+=("$count sizes written untorn and read back")
}

refused() {
	local status=0
	from=' < /dev/zero' show "$tool" write "$(basename "$stage_file")" "$@" </dev/zero || status=$?
	[ "$status" -eq 1 ] || fail "write $* gave exit status $status, not 1 (refused)"
}

act_refused() {
	title "Refused: shapes that no one can write untorn"
	cp "$stage_file" "$scratch/before"
	refused --offset "$unit_min" --length $((2 * unit_min))
	refused --offset 0 --length $((2 * unit_max))
	cmp "$scratch/before" "$stage_file" || fail "a refused write changed the file"
	printf 'The file is unchanged.\n'
	done_so_far+=("2 writes refused")
}

act_policy() {
	title "Policy: the application answers fail, fallback (a plain write) or retry"
	printf 'A policy of its own (examples/policy.c), which takes refused pages to a double write:\n'
	show "$build_dir/examples/policy" "$(basename "$stage_file")" || fail "the policy example"
	# Last: its writes through a mapping make the kernel report EIO to the file's next sync.
	printf 'Each answer by itself (examples/answers.c):\n'
	show "$build_dir/examples/answers" "$(basename "$stage_file")" ||
		fail "a policy answer had another result"
	done_so_far+=("3 policy answers taken")
}

# Groups of 64 pages through the journal, on a filesystem that can write nothing untorn itself.
act_journal() {
	local place=$current_dir round torn=0 frames=0 writer file journal log=$scratch/log
	if [ -w /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
		place=/dev/shm
	fi
	title "Journal: 64 pages all or none, in a file in $place"
	journal_dir=$(mktemp -d "$place/atomicio-demo-journal.XXXXXX")
	file=$journal_dir/data journal=$journal_dir/journal
	"$build_dir/examples/journal" "$file" "$journal" 1 >"$log" || fail "the journal example: $(cat "$log")"
	show "$tool" journal info "$journal"
	for ((round = 1; round <= 30; round++)); do
		"$build_dir/examples/journal" "$file" "$journal" 1000000 >"$log" &
		writer=$!
		sleep "0.1$((round % 10))"
		kill -KILL "$writer" 2>/dev/null || fail "the writer ended by itself: $(cat "$log")"
		wait "$writer" 2>/dev/null || true
		"$tool" journal check "$journal" >"$log" || true
		"$build_dir/examples/journal" "$file" "$journal" 0 >"$scratch/recovery" ||
			fail "the file is torn after recovery: $(cat "$scratch/recovery")"
		frames=$((frames + $(sed -n 's/^recovered: \([0-9]*\) frames/\1/p' "$scratch/recovery")))
		if ! grep -q '^before recovery.* 0 bytes' "$scratch/recovery"; then
			torn=$((torn + 1))
			if [ "$torn" = 1 ]; then
				printf 'Kill %d, with SIGKILL in mid-write:\n' "$round"
				sed "s|^$journal|  journal|; s|$journal|journal|; s|^[abr]|  &|" "$log" "$scratch/recovery"
			fi
		fi
	done
	[ "$frames" -gt 0 ] || fail "no kill left anything to recover"
	printf '%s kills, %s of them with the file half written; all whole after recovery\n' \
		$((round - 1)) "$torn"
	rm -rf "$journal_dir"
	done_so_far+=("$((round - 1)) kills recovered")
}

# Transfers between 100 accounts, for the command sqlite3.  The first argument is its way to open.
sqlite_transfers() {
	printf '%s\n' "$1" "PRAGMA synchronous=$2;" # prints nothing
	awk 'BEGIN { srand(7); for (n = 1; n <= 5000; n++) {
		printf ".print TRY transfer %d\nBEGIN;", n
		printf "UPDATE account SET money = money - 1 WHERE id = %d;", rand() * 100
		printf "UPDATE account SET money = money + 1 WHERE id = %d;", rand() * 100
		printf "REPLACE INTO note VALUES(%d, %d, hex(randomblob(200)));", rand() * 500, rand() * 1000
		printf "UPDATE last SET n = %d; COMMIT;\n.print ACK transfer %d\n", n, n
		if (n % 10 == 0)
			print ".shell sync -f ." } }'
}

# Cut the power of a filesystem with a database in it; after each cut the database must be whole.
sqlite_cuts() { # NAME CUTS OPEN SYNCHRONOUS
	local name=$1 open=$3 commands
	sqlite_transfers "$open" "$4" >"$scratch/$name.sql"
	# Whole, and what was acknowledged, where that is asked: the last ACK of the lines on stdin.
	cat >"$scratch/$name.check" <<-CHECK
		cd "\$1" || exit 1
		least=\$(sed -n 's/^ACK transfer //p' | tail -n 1)
		found=\$(printf '%s\n' '$open' 'PRAGMA integrity_check;' 'SELECT sum(money) FROM account;' \
			'SELECT n FROM last;' | sqlite3 -bail 2>&1 | tr '\n' ' ')
		set -- \$found
		echo "the database says: \$found"
		[ "\$1 \$2" = 'ok 100000' ] && [ "\$3" -ge "\${least:-0}" ]
	CHECK
	commands="cd {} && { [ -e x.db ] || { sqlite3 x.db <$scratch/make.sql && sync -f .; }; } && exec sqlite3 -bail <$scratch/$name.sql"
	show "$tool" crash run --fs ext4 --cuts "$2" --seed 5 --pause --keep "$scratch" \
		--work "$commands" --check "bash $scratch/$name.check {} $5" >"$scratch/log"
}

act_sqlite() {
	local extension=$build_dir/engines/sqlite/mod_atomicio.so name status=0
	for name in sqlite3 mkfs.ext4; do
		command -v $name >/dev/null && continue
		left_out+=("SQLite (the command $name is missing)")
		return
	done
	if [ ! -e "$extension" ] || [ ! -x "$build_dir/tools/crash/atomicio-crash" ] ||
		[ "$(id -u)" -ne 0 ] || [ ! -w /dev/fuse ]; then
		left_out+=("SQLite (needs root, FUSE, libfuse3-dev and libsqlite3-dev)")
		return
	fi
	title "SQLite: the power is cut under a database"
	printf '%s\n' 'CREATE TABLE account(id INTEGER PRIMARY KEY, money INT); CREATE INDEX i ON account(money);' \
		'CREATE TABLE note(id INTEGER PRIMARY KEY, n INT, text); CREATE INDEX j ON note(n);' \
		'CREATE TABLE last(n INT); INSERT INTO last VALUES(0);' \
		'WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM c WHERE i<99) INSERT INTO account SELECT i, 1000 FROM c;' >"$scratch/make.sql"
	printf 'Its own VFS, synchronous=OFF: no flush for a commit.\n'
	sqlite_cuts off 50 '.open x.db' OFF '</dev/null' || status=$?
	grep -E '^cut .* is bad|^[0-9]+ cuts' "$scratch/log" | cut -c 1-200
	[ "$status" -eq 1 ] || fail "synchronous=OFF survived 50 cuts"
	printf 'The VFS of engines/sqlite: one flush for a commit, each acknowledged transfer is asked for.\n'
	sqlite_cuts ours 40 ".load $extension"$'\n'".open file:x.db?vfs=atomicio&atomicio_size=1048576" FULL '' ||
		fail "a cut left a bad database: $(cat "$scratch/log")"
	grep -E '^[0-9]+ cuts' "$scratch/log"
	done_so_far+=("a SQLite database whole after 40 power cuts")
}

summary() {
	local work rest
	work=$(printf ', %s' "${done_so_far[@]:-probed only}")
	rest=$(printf ', %s' "${left_out[@]:-nothing}")
	title "Summary"
	printf 'demo: passed: %s; left out: %s\n' "${work#, }" "${rest#, }"
}

trap cleanup EXIT
trap 'exit 130' INT TERM HUP
remove_dead_runs
scratch=$(mktemp -d "${TMPDIR:-/tmp}/atomicio-demo.XXXXXX")
echo $$ >"$scratch/pid"

# The acts.  A new one goes here, in the order in which it should be seen.
prepare
build
act_probe
if [ -n "$stage" ]; then
	act_every_size
	act_refused
	act_policy
fi
act_journal
act_sqlite
summary
