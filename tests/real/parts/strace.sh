# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# What ends a daemon at a system call of its own.

set_up_strace() {
	have strace || install strace || return 1
	if ! strace -o /dev/null true >"$work/strace.log" 2>&1; then
		reason="this system lets nobody be traced: $(tail -n 1 "$work/strace.log")"
		return 1
	fi
	if ((EUID != 0)); then
		reason='attaching to a process that hides its memory needs root'
		return 1
	fi
	export BROKERD_TEST_STRACE=1
}
