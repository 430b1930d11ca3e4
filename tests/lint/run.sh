#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Static analysis: everything that can be said of the sources without running them.
#
#	run.sh [CHECK...]	names are those of the functions below that start with lint_
#
# Each check prints its findings and one TAP line.  A missing tool is a skip, or a failure with
# ATOMICIO_REQUIRE=lint (or all).  A false finding is suppressed with a reason: clang-tidy's in
# .clang-tidy, cppcheck's in cppcheck.txt, tidy.sh's in the script.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=build/lint
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
failures=0

# files PATTERN...: by name, also where git does not know them yet
files() {
	find . \( -name .git -o -path './build*' \) -prune -o -type f \( "$@" \) -print | sort
}

# configure NAME OPTION...: a build directory of its own
configure() {
	local directory=$1
	shift
	cmake -S . -B "$directory" "$@" >"$directory.log" 2>&1 || {
		cat "$directory.log"
		return 1
	}
}

lint_tidy() {
	configure $build -DCMAKE_C_COMPILER=gcc -DATOMICIO_BUILD_TESTS=OFF || return 1
	if ! cmake --build $build --target atomicio_objects -j "$(nproc)" >"$build.log" 2>&1; then
		cat "$build.log"
		return 1
	fi
	bash tests/lint/tidy.sh $build/CMakeFiles/atomicio_objects.dir/lib
}

lint_clang_format() {
	local list
	mapfile -t list < <(files -name '*.[ch]')
	clang-format --dry-run -Werror "${list[@]}"
}

lint_mutants() {
	bash tests/lint/mutants.sh
}

# Its own build, with clang's idea of the flags.
lint_clang_tidy() {
	configure build/clang-tidy -DCMAKE_C_COMPILER=clang -DATOMICIO_BUILD_TESTS=OFF \
		-DCMAKE_EXPORT_COMPILE_COMMANDS=ON || return 1
	find lib tools examples engines -name '*.c' | sort |
		xargs -P "$(nproc)" -n 6 clang-tidy -p build/clang-tidy -quiet 2>/dev/null
}

lint_cppcheck() {
	cppcheck --enable=warning,performance,portability --inline-suppr --std=c11 -q \
		--suppressions-list=tests/lint/cppcheck.txt --error-exitcode=1 \
		--template='{file}:{line}: {message} [{id}]' \
		-I include -I lib -I tests/support -I tests/kernel lib tools examples engines tests 2>&1
}

lint_gcc_analyzer() {
	configure build/analyzer -DCMAKE_C_COMPILER=gcc -DCMAKE_C_FLAGS=-fanalyzer -DATOMICIO_WERROR=ON \
		-DATOMICIO_BUILD_TESTS=OFF || return 1
	if ! cmake --build build/analyzer --clean-first -j "$(nproc)" >build/analyzer.log 2>&1; then
		grep -A 30 -E 'error|warning' build/analyzer.log
		return 1
	fi
}

lint_shellcheck() {
	local list
	mapfile -t list < <(files -name '*.sh' -o -path ./.ci/run)
	shellcheck "${list[@]}"
}

lint_codespell() {
	local list
	mapfile -t list < <(files -name '*' ! -name LICENSE)
	codespell -L nd,fo,crate,ue "${list[@]}" # .Nd and .Fo are macros of manual pages, UE is in a table
}

lint_manual() {
	local list
	mapfile -t list < <(files -path './man/*.[1-9]')
	[ ${#list[@]} = 0 ] || mandoc -Tlint -W warning "${list[@]}"
}

# check NAME TOOL...: one line, skipped without its tools
check() {
	local name=$1 tool
	shift
	for tool in "$@"; do
		command -v "$tool" >/dev/null && continue
		if [[ ",${ATOMICIO_REQUIRE:-}," == *,lint,* || ",${ATOMICIO_REQUIRE:-}," == *,all,* ]]; then
			echo "not ok - $name: $tool is missing"
			failures=$((failures + 1))
		else
			echo "ok - $name # SKIP $tool is missing"
		fi
		return
	done
	if "lint_$name" >"$log"; then
		grep '^ok ' "$log"
		echo "ok - $name"
	else
		sed -E '/^(ok|not ok|#) /!s/^/# /' "$log"
		echo "not ok - $name"
		failures=$((failures + 1))
	fi
}

declare -A tools=([tidy]="gcc cmake nm" [clang_format]=clang-format
	[clang_tidy]="clang clang-tidy cmake" [cppcheck]=cppcheck [gcc_analyzer]="gcc cmake"
	[shellcheck]=shellcheck [codespell]=codespell [manual]=mandoc [mutants]=sed)
all=(tidy mutants clang_format shellcheck codespell manual cppcheck gcc_analyzer clang_tidy)

mkdir -p build
[ $# -gt 0 ] || set -- "${all[@]}"
for name in "$@"; do
	[ -n "${tools[$name]:-}" ] || {
		echo "there is no check $name; there are: ${all[*]}" >&2
		exit 2
	}
	# shellcheck disable=SC2086 # a list of words
	check "$name" ${tools[$name]}
done
[ $failures = 0 ]
