//! What was found: printed, and written to `docs/PERFORMANCE.md` with its plots.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::machine;
use super::options::Options;
use super::plot::Plot;

/// The report so far.
pub(crate) struct Report {
    text: String,
    targets: Vec<Target>,
    plots: Vec<(&'static str, String)>,
}

struct Target {
    figure: String,
    unit: String,
    measured: f64,
    limit: f64,
    /// Whether more is better.
    least: bool,
}

const INTRODUCTION: &str = "\
# Performance

<!-- Written by `just bench --write`; not by hand. -->

What a token costs, beside what it must cost on this machine and beside the other brokers. The claim is the ratios: both
sides of one were measured in turns in one run. Times depend on the machine; this one is

";

impl Report {
    pub(crate) fn begin(options: &Options) -> anyhow::Result<Self> {
        let text = machine::describe(options)?;
        println!("{text}");
        Ok(Self { text, targets: Vec::new(), plots: Vec::new() })
    }

    /// Begins a section.
    pub(crate) fn section(&mut self, title: &str, text: &str) {
        self.add(&format!("\n## {title}\n\n{text}\n"));
    }

    /// Adds a paragraph.
    pub(crate) fn say(&mut self, text: &str) {
        self.add(&format!("\n{text}\n"));
    }

    /// Adds a table.
    pub(crate) fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) {
        let mut table = format!("\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
        for row in rows {
            let _ = writeln!(table, "| {} |", row.join(" | "));
        }
        self.add(&table);
    }

    /// Adds a plot.
    pub(crate) fn plot(&mut self, name: &'static str, plot: &Plot) {
        self.add(&format!("\n![{}](performance/{name}.svg)\n", plot.title));
        self.plots.push((name, plot.svg()));
    }

    /// Holds a figure against what it should be at most.
    pub(crate) fn target(&mut self, figure: &str, unit: &str, measured: f64, limit: f64) {
        self.targets.push(Target { figure: figure.into(), unit: unit.into(), measured, limit, least: false });
    }

    /// Holds a figure against what it should be at least.
    pub(crate) fn at_least(&mut self, figure: &str, unit: &str, measured: f64, limit: f64) {
        self.targets.push(Target { figure: figure.into(), unit: unit.into(), measured, limit, least: true });
    }

    /// Prints the targets, and writes the document if that is wanted.
    pub(crate) fn end(mut self, options: &Options) -> anyhow::Result<()> {
        let targets = self.targets();
        println!("{targets}");
        if options.write {
            let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
            fs::create_dir_all(docs.join("performance"))?;
            let (machine, rest) = self.text.split_once("\n\n").unwrap_or((&self.text, ""));
            fs::write(docs.join("PERFORMANCE.md"), format!("{INTRODUCTION}{machine}\n\n{targets}{rest}"))?;
            for (name, svg) in self.plots.drain(..) {
                fs::write(docs.join("performance").join(format!("{name}.svg")), svg)?;
            }
        }
        Ok(())
    }

    fn targets(&self) -> String {
        let mut text = String::from("## Targets\n\n| Figure | | Measured | Target | |\n|---|---|---|---|---|\n");
        for target in &self.targets {
            let met = if target.least { target.measured >= target.limit } else { target.measured <= target.limit };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} {} | {} |",
                target.figure,
                target.unit,
                ratio(target.measured),
                if target.least { '≥' } else { '≤' },
                number(target.limit),
                if met { "met" } else { "**missed**" },
            );
        }
        text
    }

    fn add(&mut self, text: &str) {
        print!("{text}");
        self.text.push_str(text);
    }
}

/// Writes a ratio, or another figure of that size.
pub(crate) fn ratio(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { value.to_string() }
}
