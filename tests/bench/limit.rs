//! The limit: three small C programs, built here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// The programs.
pub(crate) struct Tools {
    /// Does nothing.
    pub(crate) empty: PathBuf,
    /// Asks for a token.
    pub(crate) client: PathBuf,
    /// The same with musl's C library, where there is a compiler for it.
    pub(crate) musl_client: Option<PathBuf>,
    /// Answers from a buffer.
    pub(crate) server: PathBuf,
    directory: TempDir,
}

impl Tools {
    /// Compiles them, static.
    pub(crate) fn build() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let build = |compiler: &str, name: &str| {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("bench/limit/{name}.c"));
            let program = directory.path().join(format!("{name}-{compiler}"));
            let mut compile = Command::new(compiler);
            compile.args(["-O2", "-static", "-D_GNU_SOURCE", "-o"]).arg(&program).arg(&source);
            let compiled = compile.status().context("a C compiler")?;
            ensure!(compiled.success(), "{compiler} {}: {compiled}", source.display());
            Ok(program)
        };
        let with_musl = Command::new("musl-gcc").arg("--version").output().is_ok();
        Ok(Self {
            empty: build("cc", "empty")?,
            client: build("cc", "client")?,
            musl_client: with_musl.then(|| build("musl-gcc", "client")).transpose()?,
            server: build("cc", "server")?,
            directory,
        })
    }

    /// Returns a place for files that go with them.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}
