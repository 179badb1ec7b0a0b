# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# The Azure SDK, the libraries of Google and Kubernetes, pip and uv.

set_up_python() {
	venv tests/real/python || return 1
	export BROKERD_TEST_PYTHON=$PWD/tests/real/python/venv/bin
}
