# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# A certified OpenID provider (npm).

node_is_new_enough() {
	have node && [[ $(node --version) =~ ^v([0-9]+)\. ]] && ((BASH_REMATCH[1] >= 18))
}

set_up_provider() {
	if ! node_is_new_enough || ! have npm; then
		local packages=(npm)
		node_is_new_enough || packages+=(nodejs)
		install "${packages[@]}" || return 1
		hash -r
		if ! node_is_new_enough; then
			reason="Node.js 18 or newer is needed, $(node --version) is what there is"
			return 1
		fi
	fi
	local idp=$PWD/tests/real/idp
	if [[ ! $idp/node_modules/.package-lock.json -nt $idp/package-lock.json ]]; then
		echo 'npm ci in tests/real/idp'
		if ! (cd "$idp" && npm ci --loglevel=error) >"$work/npm.log" 2>&1 </dev/null; then
			reason="npm ci failed: $(first_error -i error "$work/npm.log")"
			return 1
		fi
	fi
	export BROKERD_TEST_OIDC_PROVIDER=$idp
}
