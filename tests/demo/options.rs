//! The demo's arguments.

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Confirm on the page, in place of a person.
    pub(crate) approve: bool,
    /// Leave the temporary directory.
    pub(crate) keep: bool,
}

impl Options {
    /// Reads arguments: none if help is asked for, an error with the argument that means nothing.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--approve" => options.approve = true,
                "--keep" => options.keep = true,
                "-h" | "--help" => return Ok(None),
                _ => return Err(argument),
            }
        }
        Ok(Some(options))
    }
}

pub(crate) const HELP: &str = "\
Shows what brokerd does, with the real programs and a test authorization server.

Usage: cargo demo [--approve] [--keep]

Options:
      --approve  Confirm the sign-in over HTTP instead of waiting for a person with a browser
      --keep     Leave the directory with configuration, sealed file and log
  -h, --help     Print this
";
