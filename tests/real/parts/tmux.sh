# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# A real terminal.

set_up_tmux() {
	have tmux || install tmux || return 1
	export BROKERD_TEST_TMUX=1
}
