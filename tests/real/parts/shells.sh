# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# The shells that complete brokerctl's arguments, and what reads its man pages.

set_up_shells() {
	have zsh && have fish && have mandoc || install zsh fish mandoc || return 1
	export BROKERD_TEST_SHELLS=1
}
