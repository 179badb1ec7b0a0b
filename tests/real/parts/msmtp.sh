# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# A program that sends mail.

set_up_msmtp() {
	have msmtp || install msmtp || return 1
	export BROKERD_TEST_MSMTP=1
}
