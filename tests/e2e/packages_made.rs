//! Do the scripts of `packaging/` make the same package wherever they run, and do its documents lead to what is in it?
//!
//! A cargo that compiles nothing stands in for the real one: what it is given is what counts here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use support::processes::write_program;
use tempfile::TempDir;

use crate::documents_links::prose;

/// Notes its flags, one a line, and "builds" where cargo would.
const CARGO: &str = r#"#!/bin/sh
set -e
command=$1
while [ $# -gt 0 ]; do
	case $1 in
	--profile) profile=$2 ;;
	--target) target=$2 ;;
	--bin) program=$2 ;;
	esac
	shift
done
case $command in
metadata) echo '{"packages":[{"name":"brokerd","version":"1.2.3"}]}' ;;
build | rustc)
	printf '%s' "${CARGO_ENCODED_RUSTFLAGS-$(printf %s "${RUSTFLAGS-}" | tr ' ' '\037')}" | tr '\037' '\n' >"$LOG/$program"
	echo "$target" >"$LOG/$program.target"
	mkdir -p "${CARGO_TARGET_DIR:-target}/$target/$profile"
	printf '%s\n' '#!/bin/echo' >"${CARGO_TARGET_DIR:-target}/$target/$profile/$program"
	chmod 700 "${CARGO_TARGET_DIR:-target}/$target/$profile/$program"
	;;
deb)
	printf '%s' "${CARGO_ENCODED_RUSTFLAGS-$(printf %s "${RUSTFLAGS-}" | tr ' ' '\037')}" | tr '\037' '\n' >"$LOG/deb"
	echo "$CARGO_TARGET_DIR" >"$LOG/target"
	;;
esac
"#;

/// Says where its standard libraries are, and whose compiler it is.
const RUSTC: &str = r#"#!/bin/sh
case $* in
*sysroot*) echo "$HOME/toolchain" ;;
*) echo "host: TARGET" ;;
esac
"#;

/// Adds a standard library, as far as anybody looks.
const RUSTUP: &str = r#"#!/bin/sh
[ "$1 $2" = "target add" ] && mkdir -p "$HOME/toolchain/lib/rustlib/$3/lib" && : >"$HOME/toolchain/lib/rustlib/$3/lib/libstd-1.rlib"
"#;

/// For a processor whose programs are linked without ado, as its toolchain has no linker of its own here.
const TARGET: &str = "aarch64-unknown-linux-gnu";

/// A checkout in a directory with a space in its name, and not of git's.
struct Checkout {
    directory: TempDir,
}

impl Checkout {
    fn new() -> Result<Self> {
        let checkout = Self { directory: tempfile::tempdir()? };
        let (root, bin) = (checkout.root(), checkout.path("bin"));
        for made in [&root, &bin, &checkout.path("log"), &checkout.path("home")] {
            fs::create_dir(made)?;
        }
        let parts = ["packaging", "systemd", "docs", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
        let parts = parts.into_iter().chain(["LICENSE-APACHE", "LICENSE-MIT"]).map(repository);
        ensure!(Command::new("cp").arg("-r").args(parts).arg(&root).status()?.success(), "cp");
        checkout.program("cargo", CARGO)?;
        checkout.program("rustup", "#!/bin/sh\nexit 1\n")?;
        checkout.program("rustc", &RUSTC.replace("TARGET", TARGET))?;
        Ok(checkout)
    }

    /// Puts a program in front of the real one.
    fn program(&self, name: &str, text: &str) -> Result<()> {
        Ok(write_program(&self.path("bin").join(name), text.as_bytes())?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn root(&self) -> PathBuf {
        self.path("a checkout")
    }

    /// Runs a script of `packaging/` under a umask, in an environment that has cargo build elsewhere.
    fn run(&self, script: &str, umask: &str, environment: &[(&str, &str)]) -> Result<()> {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("umask {umask}; exec packaging/{script}")]).current_dir(self.root()).env_clear();
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", self.path("bin").display()));
        command
            .env("HOME", self.path("home"))
            .env("LOG", self.path("log"))
            .env("CARGO_TARGET_DIR", self.path("elsewhere"));
        let output = command.envs(environment.iter().copied()).output()?;
        ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// What the compiler was given for that.
    fn flags(&self, of: &str) -> Result<Vec<String>> {
        Ok(fs::read_to_string(self.path("log").join(of))?.lines().map(str::to_owned).collect())
    }

    fn tarball(&self) -> PathBuf {
        self.root().join(format!("target/dist/brokerd-1.2.3-{TARGET}.tar.gz"))
    }
}

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

#[test]
fn a_tarball_is_the_same_whoever_makes_it_and_wherever() -> Result<()> {
    let checkout = Checkout::new()?;
    let epoch = [("SOURCE_DATE_EPOCH", "1800000000")];
    let made: Vec<_> = ["022", "077"]
        .iter()
        .map(|umask| {
            checkout.run("dist", umask, &epoch)?;
            Ok(fs::read(checkout.tarball())?)
        })
        .collect::<Result<_>>()?;
    ensure!(made[0] == made[1], "its bytes depend on the umask");
    // Without git and without a date of its own there is today's.
    checkout.run("dist", "077", &[])?;
    let listed = Command::new("tar").arg("-tvzf").arg(checkout.tarball()).output()?;
    let listed = String::from_utf8(listed.stdout)?;
    for line in listed.lines() {
        let wanted = match line {
            _ if line.ends_with('/') || line.contains("/bin/") => "rwxr-xr-x",
            _ => "rw-r--r--",
        };
        ensure!(line[1..].starts_with(wanted), "{line}");
    }
    ensure!(listed.lines().count() > 60 && listed.contains("/bin/brokerd\n"), "{listed}");
    Ok(())
}

#[test]
fn a_directory_with_a_space_in_its_name_is_left_out_of_the_programs() -> Result<()> {
    let checkout = Checkout::new()?;
    checkout.run("dist", "022", &[])?;
    checkout.run("deb", "022", &[("CARGO_ENCODED_RUSTFLAGS", "-Copt-level=0")])?;
    let root = checkout.root().canonicalize()?;
    let remap = [
        format!("--remap-path-prefix={}=", root.display()),
        format!("--remap-path-prefix={}/.cargo=", checkout.path("home").display()),
    ];
    for (of, more) in [("brokerd", &[][..]), ("deb", &[]), ("brokerctl", &["-C", "target-feature=+crt-static"])] {
        let wanted: Vec<_> = remap.iter().map(String::as_str).chain(more.iter().copied()).collect();
        ensure!(checkout.flags(of)? == wanted, "{of}: {:?}", checkout.flags(of)?);
    }
    ensure!(checkout.flags("target")? == [root.join("target").display().to_string()], "where cargo-deb finds them");
    Ok(())
}

#[test]
fn brokerctl_is_linked_with_musl_where_rustup_can_add_it() -> Result<()> {
    let musl = TARGET.replace("gnu", "musl");
    for (rustup, wanted) in [(None, TARGET), (Some(RUSTUP), &musl)] {
        let checkout = Checkout::new()?;
        if let Some(rustup) = rustup {
            checkout.program("rustup", rustup)?;
        }
        checkout.run("dist", "022", &[])?;
        for (program, wanted) in [("brokerctl", wanted), ("brokerd", TARGET)] {
            let built = fs::read_to_string(checkout.path("log").join(format!("{program}.target")))?;
            ensure!(built.trim_end() == wanted, "{program} for {built}");
        }
        ensure!(checkout.flags("brokerctl")?.contains(&"target-feature=+crt-static".to_owned()), "static");
        // Somebody's linker for another machine is for the target that they name.
        checkout.run("dist x86_64-unknown-linux-gnu", "022", &[])?;
        let built = fs::read_to_string(checkout.path("log").join("brokerctl.target"))?;
        ensure!(built == "x86_64-unknown-linux-gnu\n", "{built}");
    }
    Ok(())
}

/// What is installed where, and from which file.
type Installed = BTreeMap<PathBuf, PathBuf>;

/// Returns the links of installed documents to what is not installed.
fn dead_links(installed: &Installed) -> Result<Vec<String>> {
    let mut dead = Vec::new();
    let mut seen = 0;
    for (at, from) in installed.iter().filter(|(at, _)| at.extension().is_some_and(|extension| extension == "md")) {
        let text = prose(&fs::read_to_string(from).with_context(|| from.display().to_string())?);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if link.contains("://") || file.is_empty() {
                continue;
            }
            seen += 1;
            let target = plain(&at.with_file_name("").join(file));
            // A copy of what Debian has on every machine is not wanted there: its own file says whose licence it is.
            let licence = target.starts_with("usr") && file.starts_with("LICENSE-");
            if !licence && !installed.contains_key(&target) {
                dead.push(format!("{}: {link}", at.display()));
            }
        }
    }
    ensure!(seen > 140, "only {seen} links");
    Ok(dead)
}

/// Returns a path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[test]
fn the_documents_of_the_tarball_lead_to_what_is_in_it() -> Result<()> {
    fn files(directory: &Path, below: &Path, all: &mut Installed) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                files(&path, below, all)?;
            } else {
                all.insert(path.strip_prefix(below)?.to_path_buf(), path);
            }
        }
        Ok(())
    }
    let checkout = Checkout::new()?;
    checkout.run("dist", "022", &[])?;
    let unpacked = checkout.tarball().with_extension("").with_extension("");
    let mut installed = Installed::new();
    files(&unpacked, &unpacked, &mut installed)?;
    let dead = dead_links(&installed)?;
    ensure!(dead.is_empty(), "{dead:#?}");
    Ok(())
}

#[test]
fn the_documents_of_the_deb_lead_to_what_is_in_it() -> Result<()> {
    let manifest = fs::read_to_string(repository("crates/brokerd/Cargo.toml"))?;
    let assets = manifest.split("\nassets = [\n").nth(1).and_then(|rest| rest.split("\n]").next()).context("assets")?;
    let mut installed = Installed::new();
    for line in assets.lines() {
        if let [_, from, _, to, ..] = line.split('"').collect::<Vec<_>>().as_slice() {
            installed.extend(asset(from, to)?);
        }
    }
    let dead = dead_links(&installed)?;
    ensure!(dead.is_empty(), "{dead:#?}");
    Ok(())
}

/// Returns what one of cargo-deb's assets installs, of the files that nobody has to build.
fn asset(from: &str, to: &str) -> Result<Installed> {
    let Some((directory, name)) = from.strip_prefix("../../").map(|from| from.rsplit_once('/').unwrap_or((".", from)))
    else {
        return Ok(Installed::new());
    };
    if directory.starts_with("target/") {
        return Ok(Installed::new());
    }
    let (start, end) = name.split_once('*').unwrap_or((name, ""));
    let mut installed = Installed::new();
    for entry in fs::read_dir(repository(directory))? {
        let path = entry?.path();
        let found = path.file_name().context("a name")?.to_string_lossy().into_owned();
        if path.is_file() && (found == name || name.contains('*') && found.starts_with(start) && found.ends_with(end)) {
            installed.insert(if to.ends_with('/') { Path::new(to).join(found) } else { to.into() }, path);
        }
    }
    Ok(installed)
}
