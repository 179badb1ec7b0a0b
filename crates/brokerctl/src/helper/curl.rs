//! `brokerctl helper curl | curl -K - URL`: the token without an argument list that others can read.

use super::{Asker, Target};
use crate::failure::Failure;
use crate::output;

pub(super) fn run(asker: &Asker<'_>, url: Option<&str>) -> Result<(), Failure> {
    let credential = match url {
        // A host alone curl would ask by plain http.
        Some(url) => asker.for_target(&Target::url(url)?)?,
        None => asker.for_profile()?,
    };
    // Not a header: curl sends those along to wherever it is redirected.
    output::line(&format!("oauth2-bearer = \"{}\"", quoted(credential.token())))
}

/// A double-quoted value of curl's configuration: `\` and `"` are escaped, and there is no line's end in a token.
fn quoted(token: &str) -> String {
    token.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cannot_leave_its_quotes() {
        assert_eq!(quoted("a\\\"b"), r#"a\\\"b"#);
    }
}
