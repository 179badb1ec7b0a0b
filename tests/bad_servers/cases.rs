//! The rows.

mod endless;
mod http;
mod json;
mod metadata;
mod numbers;
mod status;
mod words;

use crate::case::Case;

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    [endless::rows(), http::rows(), json::rows(), metadata::rows(), numbers::rows(), status::rows(), words::rows()]
        .into_iter()
        .flatten()
        .collect()
}
