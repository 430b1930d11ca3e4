# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh and the drivers have the other half
#
# A copy of the tree with a build of its own, for drivers that run suites on mounted filesystems.

tree_of=lib # where the list's files are

# tree_prepare TARGETS OPTION...: copy and build
tree_prepare() {
	local targets=$1
	shift
	tree=$root/build/mutants/$suite/tree
	build=$root/build/mutants/$suite/build
	log=$root/build/mutants/$suite/log
	rm -rf "$tree"
	mkdir -p "$tree"
	# All files are new: an object of the last mutant of a run before is newer than its source.
	(cd "$root" && tar --exclude=./build --exclude=.git -cf - .) | tar -C "$tree" -xmf - || return
	tree_targets=$targets
	if ! { cmake -S "$tree" -B "$build" -DATOMICIO_BUILD_EXAMPLES=OFF "$@" && tree_build; } >"$log.configure" 2>&1; then
		tail -n 20 "$log.configure" "$log"
		return 1
	fi
}

tree_build() {
	# shellcheck disable=SC2086 # a list of words
	cmake --build "$build" -j "$(nproc)" --target $tree_targets >"$log" 2>&1
}

# tree_break FILE HOW: false: $why says why there is nothing to run
tree_break() {
	if ! mutate "$2" "$root/$tree_of/$1" "$tree/$tree_of/$1"; then
		why="changes nothing in $1"
		return 1
	fi
	tree_build && return
	why="cannot be built: $(grep -m 1 error "$log")"
	return 1
}

# A new time stamp, so that make sees the old text as a change.
tree_mend() { # FILE
	cp "$root/$tree_of/$1" "$tree/$tree_of/$1"
}
