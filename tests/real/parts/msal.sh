# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# MSAL for Python.

set_up_msal() {
	venv tests/real/msal || return 1
	export BROKERD_TEST_MSAL=$PWD/tests/real/msal/venv/bin/python
}
