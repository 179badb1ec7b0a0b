# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# A clock for one program, which can be set while it runs.

faketime_library() { compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' | head -n 1; }

set_up_faketime() {
	local year
	[[ -n $(faketime_library) ]] || install libfaketime || return 1
	year=$(LD_PRELOAD=$(faketime_library) FAKETIME=-10y date +%Y 2>"$work/faketime.log") || year=
	if [[ -z $year ]] || ((year > $(date +%Y) - 9)); then
		reason="libfaketime sets no clock here: $(tail -n 1 "$work/faketime.log")"
		return 1
	fi
	BROKERD_TEST_FAKETIME=$(faketime_library)
	export BROKERD_TEST_FAKETIME
}
