# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# The Linux kernel's keyring.

set_up_keyctl() {
	have keyctl || install keyutils || return 1
	if ! keyctl session - true >"$work/keyctl.log" 2>&1; then
		reason="the kernel refuses keyctl here: $(tail -n 1 "$work/keyctl.log")"
		return 1
	fi
	export BROKERD_TEST_KEYCTL=1
}
