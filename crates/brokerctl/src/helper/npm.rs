//! pnpm's `tokenHelper`: the value of the `Authorization` header on stdout. It says nothing of the registry.

use super::Asker;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(asker: &Asker<'_>) -> Result<(), Failure> {
    output::line(&asker.for_profile()?.authorization())
}
