#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Build the library and run its tests; `tests/run.sh --help` says how.
#
# Every suite prints TAP lines or is one of ctest's.  The last line is `N passed, N failed`,
# with `, N skipped` where something was left out.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
compiler=gcc
jobs=$(nproc)
known="unit fault crash abi bindings tool kernel cuts matrix sqlite bench vm"
suites=()
coverage=no
sanitize=no
vm=no
vm_options=()
passed=0
failed=0
skipped=0
summary=
runner=()   # what a suite is started with
threaded='' # of a suite of scripts, run these alone; empty: all

usage() {
	cat <<'TEXT'
usage: tests/run.sh [OPTION...]

Installs what is missing on Debian (as root), builds, and runs every suite.  Without root
the suites that mount filesystems are left out, and named.

  --suite NAME...      only these: unit fault crash abi bindings tool kernel cuts matrix
                       sqlite bench vm
  --vm [--kernel V]    also boot other kernels in a virtual machine (tests/vm/run.sh)
  --sanitize           run under ASan + UBSan, then under TSan
  --coverage           run, print the line coverage of lib/, fail below 95 %
  --compiler gcc|clang default gcc
  --help

ATOMICIO_REQUIRE=kernel,vm (a comma list of suites, or all) makes a skip in one of these a
failure.  Builds are kept in build/.
TEXT
}

die() {
	echo "tests/run.sh: $*" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--suite)
		shift
		[ $# -gt 0 ] || die "--suite needs a name"
		while [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; do
			[[ " $known " == *" $1 "* ]] || die "there is no suite $1; --help names them"
			suites+=("$1")
			shift
		done
		continue
		;;
	--vm) vm=yes ;;
	--kernel)
		[ $# -gt 1 ] || die "--kernel needs a version"
		vm_options+=(--kernel "$2")
		shift
		;;
	--sanitize) sanitize=yes ;;
	--coverage) coverage=yes ;;
	--compiler)
		case ${2:-} in
		gcc | clang) compiler=$2 ;;
		*) die "--compiler is gcc or clang" ;;
		esac
		shift
		;;
	--help)
		usage
		exit 0
		;;
	*) die "there is no option $1; --help names them" ;;
	esac
	shift
done

# wanted SUITE: asked for, or nothing was asked for by name
wanted() {
	[ ${#suites[@]} = 0 ] && return 0
	[[ " ${suites[*]} " == *" $1 "* ]]
}

# required SUITE: a skip of it is a failure
required() {
	[[ ",${ATOMICIO_REQUIRE:-}," == *",$1,"* || ",${ATOMICIO_REQUIRE:-}," == *",all,"* ]]
}

# pass, fail and skip: count one test of a suite
pass() {
	passed=$((passed + 1))
}

fail() {
	failed=$((failed + 1))
	summary+="FAILED  $1: $2"$'\n'
}

skip() {
	if required "$1"; then
		fail "$1" "$2 (skipped, but required: $3)"
	else
		skipped=$((skipped + 1))
		summary+="skipped $1: $2: $3"$'\n'
	fi
}

# skip_line SUITE "ok - NAME # SKIP REASON"
skip_line() {
	local name=${2%% # SKIP*}
	name=${name#ok }
	skip "$1" "${name#- }" "${2##*# SKIP }"
}

# Packages of Debian that are missing are installed, or named, with what to type.
install_missing() {
	local package missing=() packages=(cmake make gcc g++ pkg-config libblkid-dev liburing-dev
		check xfsprogs e2fsprogs btrfs-progs util-linux mount strace valgrind binutils jq
		mandoc gnuplot-nox libfuse3-dev procps libc6-dev sqlite3 libsqlite3-dev)
	[ "$compiler" = clang ] && packages+=(clang)
	[ "$compiler$sanitize" = clangyes ] && packages+=(libclang-rt-dev)
	[ "$coverage" = yes ] && packages+=(gcovr)
	command -v dpkg-query >/dev/null || return 0 # not Debian: CMake names what is missing
	for package in "${packages[@]}"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "Not installed, for want of root; type: sudo apt-get install ${missing[*]}"
		# Without these there is nothing to run.
		for package in cmake:cmake make:make "$compiler:$compiler" pkg-config:pkg-config; do
			command -v "${package%:*}" >/dev/null || die "there is no ${package%:*}"
		done
		return 0
	fi
	echo "Installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	{
		apt-get install -y -q --no-install-recommends "${missing[@]}" ||
			{ apt-get update -q &&
				apt-get install -y -q --no-install-recommends "${missing[@]}"; }
	} </dev/null >"$root/build/install.log" 2>&1 || {
		tail -n 20 "$root/build/install.log"
		die "could not install ${missing[*]}"
	}
}

# build NAME [CMAKE OPTION...]: configure and compile in build/NAME
build() {
	local name=$1
	shift
	export ATOMICIO_BUILD=$root/build/$name
	local log=$ATOMICIO_BUILD.log
	echo "== build/$name"
	if ! { cmake -S "$root" -B "$ATOMICIO_BUILD" -DCMAKE_C_COMPILER="$compiler" "$@" &&
		cmake --build "$ATOMICIO_BUILD" -j "$jobs"; } >"$log" 2>&1 </dev/null; then
		grep -E -A 6 'error|Error|warning' "$log" | head -n 60
		die "the build failed; all of it is in ${log#"$root"/}"
	fi
	grep -E -A 3 'warning:' "$log"
	export CC=$compiler
}

# The suites that ctest knows: a test's label, or the start of its name, is its suite.
run_ctest() {
	local suite=$1 log=$ATOMICIO_BUILD/$1.log line name options=()
	# CMake 3.18 has no ctest --test-dir.
	(cd "$ATOMICIO_BUILD" && ctest -N -R "^${suite}[/_.-]") 2>/dev/null | grep -q 'Test *#' || return 0
	echo "-- $suite (ctest)"
	# Those of crash have one thread each and need no clock: side by side.
	[ "$suite" != crash ] || options=(-j "$jobs")
	(cd "$ATOMICIO_BUILD" && "${runner[@]}" ctest -R "^${suite}[/_.-]" "${options[@]}" --output-on-failure --timeout 300) \
		>"$log" 2>&1 </dev/null
	while read -r line; do
		name=$(sed -E 's/.*Test +#[0-9]+: ([^ ]+) .*/\1/' <<<"$line")
		case $line in
		*\*\*\*Skipped*) skip "$suite" "$name" "$(skip_reason "$log")" ;;
		*" Passed "*) pass ;;
		*) fail "$suite" "$name" ;;
		esac
	done < <(grep -E '^ *[0-9]+/[0-9]+ Test +#' "$log")
	grep -qE '^ *[0-9]+/[0-9]+ Test +#' "$log" || fail "$suite" "ctest ran nothing"
	grep -q '100% tests passed' "$log" || cat "$log"
}

skip_reason() {
	sed -nE 's/.*# SKIP (.*)/\1/p' "$1" | head -n 1 | grep . || echo "see ${1#"$root"/}"
}

# run_script SUITE SCRIPT [ARGUMENT...]: count its TAP lines, or the script as one test
run_script() {
	local suite=$1 script=$2 name=${2#tests/} log status lines=0 line
	shift 2
	log=$ATOMICIO_BUILD/${name//\//-}.log
	echo "-- $name"
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 "${runner[@]}" timeout -k 10 600 bash "$script" "$@" >"$log" 2>&1 </dev/null
	status=$?
	local before=$failed
	while read -r line; do
		lines=$((lines + 1))
		case $line in
		"ok "*"# SKIP "*) skip_line "$suite" "$line" ;;
		"ok "*) pass ;;
		*) fail "$suite" "$name: ${line#not ok - }" ;;
		esac
	done < <(grep -E '^(ok|not ok) ' "$log")
	if [ $status = 77 ] && [ $lines = 0 ]; then
		skip "$suite" "$name" "$(tail -n 1 "$log")"
	elif [ $status = 0 ] && [ $lines = 0 ]; then
		pass
	elif [ $status != 0 ] && [ $status != 77 ] && [ "$failed" = "$before" ]; then
		fail "$suite" "$name: ended with status $status"
	fi
	if [ "$failed" != "$before" ]; then
		grep -v '^ok ' "$log" | tail -n 60
	else
		grep '^# .*per atomicio_write\|^# unit' "$log"
	fi
}

run_scripts() {
	local suite=$1 script name
	[ "$suite" != crash ] || return 0 # ctest starts its script, in one build of all
	if [ "$suite" = bench ]; then
		run_script bench tests/bench/run.sh --check
		return
	fi
	if [ -e "tests/$suite/run.sh" ]; then # it knows its own parts
		run_script "$suite" "tests/$suite/run.sh" "$ATOMICIO_BUILD/tools/atomicio"
		return
	fi
	for script in tests/"$suite"/*.sh; do
		name=$(basename "$script" .sh)
		[ "$name" != lib ] || continue
		[ -e "$script" ] || continue
		[ -z "$threaded" ] || [[ " $threaded " == *" $name "* ]] || continue
		run_script "$suite" "$script"
	done
}

# run_suites NAME...: those that are wanted, on the current build
run_suites() {
	local suite
	for suite in "$@"; do
		wanted "$suite" || continue
		run_ctest "$suite"
		run_scripts "$suite"
	done
}

run_vm() {
	local log=$root/build/vm.log status line
	echo "-- vm"
	bash tests/vm/run.sh "${vm_options[@]}" </dev/null 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	while read -r line; do
		case $line in
		"ok "*"# SKIP "*) skip_line vm "$line" ;;
		"ok "*) pass ;;
		*) fail vm "${line#not ok - }" ;;
		esac
	done < <(grep -E '^(ok|not ok) ' "$log")
	if [ "$status" = 77 ]; then
		grep -qE '^ok .*# SKIP' "$log" || skip vm vm "$(tail -n 1 "$log")"
	elif [ "$status" != 0 ]; then
		grep -qE '^not ok ' "$log" || fail vm "tests/vm/run.sh ended with status $status"
	elif ! grep -qE '^(ok|not ok) ' "$log"; then
		pass
	fi
}

mkdir -p build
install_missing
if [ $sanitize = yes ]; then
	# abi and bench look at the ordinary build.  LeakSanitizer cannot work under strace, so
	# only the C tests look for leaks.
	export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
	build "$compiler-asan" -DATOMICIO_SANITIZE=address,undefined -DATOMICIO_WERROR=OFF
	run_suites unit fault crash tool kernel
	# TSan of gcc 12 and clang 14 cannot place its shadow under 32 bits of randomness.
	setarch "$(uname -m)" -R true 2>/dev/null && runner=(setarch "$(uname -m)" -R)
	build "$compiler-tsan" -DATOMICIO_SANITIZE=thread -DATOMICIO_WERROR=OFF
	# The rest has one thread, and ASan has seen it.
	threaded="journal wait shutdown options uring"
	run_suites unit fault kernel
elif [ $coverage = yes ]; then
	[ "$compiler" = gcc ] || die "--coverage goes with gcc"
	rm -rf build/coverage
	build coverage -DATOMICIO_COVERAGE=ON -DCMAKE_BUILD_TYPE=Debug
	# Programs that a test runs as another user write their counters here too.
	find build/coverage -name '*.gcno' | while read -r notes; do
		install -m 666 /dev/null "${notes%gcno}gcda"
	done
	run_suites unit fault crash tool kernel
	if gcovr --root . --filter lib/ --object-directory build/coverage --fail-under-line 95 \
		--gcov-ignore-parse-errors build/coverage >build/coverage/report.txt 2>build/coverage/gcovr.log; then
		pass
	else
		cat build/coverage/report.txt build/coverage/gcovr.log
		fail coverage "the line coverage of lib/ is below 95 %"
	fi
	echo "line coverage of lib/: $(awk '/^TOTAL/ { print $4 }' build/coverage/report.txt)"
else
	build "$compiler" ${ATOMICIO_CMAKE_OPTIONS:+$ATOMICIO_CMAKE_OPTIONS}
	run_suites unit fault crash abi bindings tool kernel cuts matrix sqlite bench
	if [ $vm = yes ] || required vm || [[ " ${suites[*]-} " == *" vm "* ]]; then
		run_vm
	fi
fi

echo
printf '%s' "$summary"
printf '%d passed, %d failed' $passed $failed
[ $skipped = 0 ] || printf ', %d skipped' $skipped
echo
[ $failed = 0 ] && [ $passed -gt 0 ]
