# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# Go, for its example.

set_up_go() {
	have go || install golang-go || return 1
	export BROKERD_TEST_GO=1
}
